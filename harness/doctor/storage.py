"""Where runs are kept: space for the plan's recordings, a disk that writes, a file system that SQLite can trust."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, fail, of_error, ok, skipped, warn
from scenarios.errors import LedgerUnavailable
from scenarios.model import Text

RECORDING = 55_000  # bytes a second: 8 kHz, two channels, 16 bit; and the packets of both sides
CHAT = 1_000_000  # bytes a chat, at most: a screenshot and a transcript
SPARE = 500_000_000
FSYNCS, FSYNC_WARN_S = 20, 0.05
LEDGER_WARN_S = 0.1
NETWORK = (
    "nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "davfs",
)  # fmt: skip
MEMORY = ("tmpfs", "ramfs")
MOVE = Text(zh="腾出空间，或用 --runs 换一块盘", en="make room, or name another disk with --runs")


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of storage."""

    async def space() -> Finding:
        return _space(audit)

    async def disk() -> Finding:
        return await asyncio.to_thread(_disk, audit.request.runs)

    async def ledger() -> Finding:
        return await asyncio.to_thread(_ledger, audit.request.ledger)

    return [
        Check("space", Text(zh="磁盘空间", en="disk space"), space),
        Check("disk", Text(zh="磁盘写入", en="disk writes"), disk),
        Check("ledger", Text(zh="台账", en="ledger"), ledger),
    ]


def _space(audit: Audit) -> Finding:
    free = shutil.disk_usage(_nearest(audit.request.runs)).free
    needed = 0.0
    for attempt in audit.planned:
        needed += CHAT if attempt.channel == "chat" else RECORDING * audit.session_s(attempt)
    figures: dict[str, Figure] = {"free_bytes": free, "needed_bytes": int(needed), "attempts": len(audit.planned)}
    most = f"{len(audit.planned)} 次至多 {_size(needed)}", f"{len(audit.planned)} attempts at most {_size(needed)}"
    found = Text(zh=f"空余 {_size(free)}；{most[0]}", en=f"{_size(free)} free; {most[1]}")
    if not audit.planned:
        found = Text(
            zh=f"空余 {_size(free)}，够录 {free / RECORDING / 3600:,.0f} 小时",
            en=f"{_size(free)} free, enough for {free / RECORDING / 3600:,.0f} h of recording",
        )
    if free < needed:
        return fail(found, MOVE, **figures)
    if free < needed + SPARE:
        return warn(found, MOVE, **figures)
    return ok(found.zh, found.en, **figures)


def _size(count: float) -> str:
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _nearest(folder: Path) -> Path:
    """Returns the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _disk(runs: Path) -> Finding:
    place = _nearest(runs)
    kind = file_system(place)
    figures: dict[str, Figure] = {"folder": str(runs), "file_system": kind}
    try:
        seconds = _fsyncs(place)
    except OSError as error:
        reason = error.strerror or str(error)
        cure = Text(
            zh="把文件夹给运行用户写权限，腾出空间，或用 --runs 换一处",
            en="give the user write permission, make room, or name another folder with --runs",
        )
        return fail(Text(zh=f"{runs} 写不了：{reason}", en=f"{runs} cannot be written: {reason}"), cure, **figures)
    middle, worst = statistics.median(seconds), max(seconds)
    figures |= {"fsync_median_s": round(middle, 5), "fsync_worst_s": round(worst, 5)}
    found = Text(
        zh=f"{kind}，落盘 {1000 * middle:.1f} ms，最慢 {1000 * worst:.1f} ms",
        en=f"{kind}, fsync {1000 * middle:.1f} ms, slowest {1000 * worst:.1f} ms",
    )
    if kind.startswith(NETWORK):
        cure = Text(
            zh="SQLite 在网络盘上会锁不住、会损坏：--runs 放本地盘，或台账用 PostgreSQL",
            en="SQLite cannot lock on a network mount: keep --runs on a local disk, or the ledger in PostgreSQL",
        )
        return warn(found, cure, **figures)
    if kind in MEMORY:
        cure = Text(
            zh="这是内存盘，重启即失：用 --runs 换到磁盘上",
            en="this is memory, gone after a restart: name a disk with --runs",
        )
        return warn(found, cure, **figures)
    if middle > FSYNC_WARN_S:
        cure = Text(
            zh="每次拨打前都要落盘：换固态盘，或台账用 PostgreSQL",
            en="every attempt waits for it before it is dialled: use a solid-state disk, or a ledger in PostgreSQL",
        )
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)


def _fsyncs(folder: Path) -> list[float]:
    seconds = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(FSYNCS):
            file.write(bytes(4096))
            started = time.monotonic()
            file.flush()
            os.fsync(file.fileno())
            seconds.append(time.monotonic() - started)
    return seconds


def file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Returns the kind of file system that ``folder`` lies on, such as ``ext4`` or ``nfs4``."""
    place, best, kind = folder.resolve(), Path("/"), "?"
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, where, name, *_ = line.split(" ")
        point = Path(where.encode().decode("unicode_escape"))
        if place.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, name  # the later of two mounts on one point hides the earlier
    return kind


def _ledger(url: str | None) -> Finding:
    if url is None:
        return skipped("没有给 --ledger", "no --ledger was given")
    from harness.ledger.ledger import Ledger

    started = time.monotonic()
    try:
        ledger = Ledger(url)
    except LedgerUnavailable as error:
        return of_error(error, _CONNECT)
    try:
        opened = time.monotonic() - started
        started = time.monotonic()
        campaigns = ledger.campaigns()
        round_trip = time.monotonic() - started
    except LedgerUnavailable as error:
        return of_error(error, _CONNECT)
    finally:
        ledger.close()
    figures: dict[str, Figure] = {
        "open_s": round(opened, 4), "round_trip_s": round(round_trip, 5), "campaigns": len(campaigns),
    }  # fmt: skip
    kind = url.partition(":")[0].partition("+")[0]
    found = Text(
        zh=f"{kind}：{opened:.1f} 秒打开，往返 {1000 * round_trip:.1f} ms，{len(campaigns)} 个测试项目",
        en=f"{kind}: open in {opened:.1f} s, round trip {1000 * round_trip:.1f} ms, {len(campaigns)} campaigns",
    )
    if round_trip > LEDGER_WARN_S:
        cure = Text(
            zh="每次拨打要往返几次：把数据库放近些，或用本地 SQLite",
            en="each attempt makes a few round trips: bring the database nearer, or use SQLite on this machine",
        )
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)


_CONNECT = Text(
    zh="查数据库是否在运行、地址和账号对不对、文件夹能否写",
    en="see whether the database runs, whether address and account are right, whether the folder can be written",
)
