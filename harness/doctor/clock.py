"""The clock: whether the system keeps it synchronised, how fine it is, and how far it is from a server's."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import time
from datetime import datetime, timedelta

from harness.doctor import sntp
from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.child import run
from harness.doctor.finding import Figure, Finding, fail, ok, skipped, warn
from scenarios.errors import FarEndFault, InputError
from scenarios.model import Text

STA_UNSYNC, STA_NANO, TIME_ERROR = 0x0040, 0x2000, 5
OFFSET_WARN_S, OFFSET_FAIL_S = 0.1, 1.0
COARSE_S = 0.001
SYNCHRONISE = Text(
    zh="装 chrony 并启动（apt install chrony），或 timedatectl set-ntp true；容器里由宿主机校时，用 --ntp HOST 核对",
    en="install and start chrony (apt install chrony), or timedatectl set-ntp true; in a container the host keeps the "
    "clock: compare it with --ntp HOST",
)


class _Timeval(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("micros", ctypes.c_long))


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of the clock."""

    async def against() -> Finding:
        return await _against(audit.request.ntp)

    return [
        Check("clock", Text(zh="系统时钟", en="clock"), _synchronised),
        Check("ntp", Text(zh="对时", en="time server"), against),
    ]


async def _synchronised() -> Finding:
    zone = datetime.now().astimezone()
    step = _monotonic_step()
    figures: dict[str, Figure] = {
        "monotonic_step_s": step,
        "zone": zone.tzname(),
        "utc_offset_s": int((zone.utcoffset() or timedelta()).total_seconds()),
    }
    tail_zh = f"单调时钟一步 {1e9 * step:.0f} ns，时区 {zone:%Z %z}"
    tail_en = f"monotonic step {1e9 * step:.0f} ns, zone {zone:%Z %z}"
    tracked = await _chrony()
    if tracked is not None:
        figures |= {"offset_s": tracked}
        tail_zh, tail_en = (
            f"chrony 偏差 {1000 * tracked:+.3f} ms，{tail_zh}",
            f"chrony offset {1000 * tracked:+.3f} ms, {tail_en}",
        )
    if step > COARSE_S:
        cure = Text(
            zh="换用 tsc 或 kvm-clock 时钟源（/sys/devices/system/clocksource）",
            en="use the clock source tsc or kvm-clock (/sys/devices/system/clocksource)",
        )
        return fail(Text(zh=f"太粗：{tail_zh}", en=f"too coarse: {tail_en}"), cure, **figures)
    kernel = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(kernel))
    if state < 0:
        return warn(
            Text(zh=f"读不到内核校时状态；{tail_zh}", en=f"the kernel does not tell; {tail_en}"), SYNCHRONISE, **figures
        )
    unit = 1e-9 if kernel.status & STA_NANO else 1e-6
    figures |= {
        "synchronised": state != TIME_ERROR and not kernel.status & STA_UNSYNC,
        "estimated_error_s": kernel.estimated_error / 1e6,
        "maximum_error_s": kernel.maximum_error / 1e6,
        "slewing_s": kernel.offset * unit,
    }
    if not figures["synchronised"]:
        return warn(Text(zh=f"没有校时；{tail_zh}", en=f"not synchronised; {tail_en}"), SYNCHRONISE, **figures)
    error = kernel.estimated_error / 1000
    found = Text(
        zh=f"已校时，估计误差 {error:.1f} ms；{tail_zh}", en=f"synchronised within about {error:.1f} ms; {tail_en}"
    )
    if abs(tracked or 0) > OFFSET_WARN_S:
        return warn(found, SYNCHRONISE, **figures)
    return ok(found.zh, found.en, **figures)


def _monotonic_step() -> float:
    """Returns the least step that the monotonic clock was seen to make, in seconds."""
    least = 1_000_000_000
    for _ in range(1000):
        before = after = time.monotonic_ns()
        while after == before:
            after = time.monotonic_ns()
        least = min(least, after - before)
    return least / 1e9


async def _chrony() -> float | None:
    """Returns by how much chrony says the clock is off, in seconds; None without chrony."""
    if shutil.which("chronyc") is None:
        return None
    try:
        async with asyncio.timeout(3):
            return float((await run("chronyc", "-c", "tracking")).out.split(",")[4])
    except (TimeoutError, ValueError, IndexError):  # it does not run, or does not know
        return None


async def _against(server: str | None) -> Finding:
    if server is None:
        return skipped(
            "没有给 --ntp HOST，不联系任何时间服务器", "no --ntp HOST was given; no time server is contacted"
        )
    host, _, port = server.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(f"--ntp {server} is no server", cure="write HOST or HOST:PORT")
    try:
        reading = await sntp.ask(host, int(port or sntp.PORT))
    except FarEndFault as fault:
        cure = Text(
            zh="查主机名和防火墙（UDP 123），或换一台时间服务器",
            en="check name and firewall (UDP 123), or name another server",
        )
        return warn(Text(zh=str(fault), en=str(fault)), cure)
    figures: dict[str, Figure] = {"offset_s": reading.offset_s, "delay_s": reading.delay_s, "stratum": reading.stratum}
    way = f"±{500 * reading.delay_s:.1f} ms"
    found = Text(
        zh=f"与 {host} 相差 {1000 * reading.offset_s:+.1f} ms（{way}，层级 {reading.stratum}）",
        en=f"{1000 * reading.offset_s:+.1f} ms from {host} ({way}, stratum {reading.stratum})",
    )
    if abs(reading.offset_s) > OFFSET_FAIL_S:
        return fail(found, SYNCHRONISE, **figures)
    if abs(reading.offset_s) > OFFSET_WARN_S:
        return warn(found, SYNCHRONISE, **figures)
    return ok(found.zh, found.en, **figures)
