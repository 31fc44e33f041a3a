"""The doctor looks at machines on which something is really wrong."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.doctor import clock, machine, packages, sip, sntp, storage
from harness.doctor.audit import Audit, Request
from harness.doctor.check import Check, carry_out
from harness.doctor.finding import Finding, State
from harness.doctor.loopback import arrived, longest_gap
from probes.voice.audio import FRAME_SAMPLES
from scenarios.errors import FarEndFault
from tests.conventions import ROOT
from tests.shopper import plan, write_yaml
from tests.test_doctor import look

NTP_EPOCH_S = 2_208_988_800


def one(checks: list[Check], id_: str) -> Finding:
    [wanted] = [each for each in checks if each.id == id_]
    return asyncio.run(carry_out([wanted]))[0].finding


def in_child(code: str, *before: str, **more: Any) -> dict[str, Any]:
    """Runs ``code`` in a process of its own; it prints one JSON document."""
    done = subprocess.run(
        [*before, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **more
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


TELL = """
import asyncio, json
from harness.doctor import machine
from harness.doctor.audit import Audit, Request
[check] = [each for each in machine.checks(Audit(Request())) if each.id == {id!r}]
finding = asyncio.run(check.look())
print(json.dumps([finding.state, finding.found.en, finding.cure and finding.cure.en, dict(finding.figures)]))
"""


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


# --- Python and packages --------------------------------------------------------------------------------------------


def test_the_bounds_of_python() -> None:
    bounds = ">=3.11,<3.13"
    fits = [version for version in ((3, 10), (3, 11), (3, 12), (3, 13)) if packages._within(version, bounds)]
    assert fits == [(3, 11), (3, 12)]


def test_another_version_than_the_pinned_one_warns(tmp_path: Path) -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (tmp_path / "constraints.txt").write_text(pins.replace("Jinja2==", "Jinja2==0.1+not"), encoding="utf-8")
    finding = one(packages.checks(tmp_path / "constraints.txt"), "packages")
    assert finding.state is State.WARN
    [different] = finding.figures["different"]
    assert different.lower().startswith("jinja2 ")


@pytest.mark.parametrize("ill", ["import os; os.abort()", "raise ImportError('no libfoo')"])
def test_a_package_that_cannot_be_imported_fails_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ill: str
) -> None:
    (tmp_path / "plotly").mkdir()
    (tmp_path / "plotly" / "__init__.py").write_text(ill, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = one(packages.checks(), "packages")
    assert finding.state is State.FAIL
    assert finding.found.en.startswith("cannot be imported: plotly (")
    assert ("SIGABRT" in finding.found.en) == ("abort" in ill)


# --- the SIP library ------------------------------------------------------------------------------------------------


def test_bindings_that_abort_on_import_fail_and_take_nobody_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pjsua2").mkdir()
    (tmp_path / "pjsua2" / "__init__.py").write_text("import os; os.abort()", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    checks = sip.checks(Audit(Request()), sip.SipStack())
    found = [result.finding for result in asyncio.run(carry_out(checks))]
    assert [finding.state for finding in found] == [State.FAIL, State.SKIPPED, State.SKIPPED]
    assert "SIGABRT" in found[0].found.en
    assert "make setup" in found[0].cure.en


def test_a_codec_that_the_library_lacks_fails(tmp_path: Path) -> None:
    library = {"version": "2.15.1", "calls": 4, "codecs": ["PCMU"], "ipv6": False, "tls": "OpenSSL 1.0.2k 2017"}
    program(tmp_path, "library", f"echo '{json.dumps(library)}'")
    target = {"format": 1, "name": "x", "lines": {"a": {"uri": "sip:95001@127.0.0.1", "codecs": ["PCMA", "PCMU"]}}}
    audit = Audit(Request(target=write_yaml(tmp_path / "target.yaml", target)))
    stack = sip.SipStack(lambda: sip.run(str(tmp_path / "library")))

    finding = one(sip.checks(audit, stack), "sip")
    assert finding.state is State.FAIL
    assert "wants PCMA" in finding.found.en
    assert "PCMU" in finding.cure.en


def noise(frames: int) -> list[bytes]:
    pcm = np.random.default_rng(3).normal(0, 4000, frames * FRAME_SAMPLES).astype("<i2")
    return [part.tobytes() for part in np.split(pcm, frames)]


def test_what_arrived_is_found_by_its_own_wave() -> None:
    frames, silence = noise(50), bytes(2 * FRAME_SAMPLES)
    sent = [(n * 0.02, frame) for n, frame in enumerate(frames)]
    heard = [(n * 0.02, silence) for n in range(4)]
    heard += [((n + 4) * 0.02, silence if n % 10 == 3 else frame) for n, frame in enumerate(frames)]

    sound = arrived(sent, heard)
    assert sound.share == pytest.approx(0.9)
    assert sound.delay_s == pytest.approx(0.08, abs=1e-6)
    assert sound.jitter_s == pytest.approx(0, abs=1e-6)
    assert arrived(sent, [(t, silence) for t, _ in heard]).delay_s is None
    assert longest_gap([(0, b""), (0.02, b""), (0.32, b"")]) == pytest.approx(0.3)


# --- the machine ----------------------------------------------------------------------------------------------------


def test_a_control_group_counts_as_fewer_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(machine, "CGROUP_QUOTAS", (tmp_path / "none", quota))
    quota.write_text("max 100000\n", encoding="ascii")
    assert machine.usable_cores() == len(os.sched_getaffinity(0))
    quota.write_text("25000 100000\n", encoding="ascii")
    assert machine.usable_cores() == 0.25
    older = tmp_path / "cpu.cfs_quota_us"
    older.write_text("50000\n", encoding="ascii")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    monkeypatch.setattr(machine, "CGROUP_QUOTAS", (older,))
    assert machine.usable_cores() == 0.5


def test_more_calls_at_once_than_the_machine_carries_warn(tmp_path: Path) -> None:
    target = {"format": 1, "name": "x", "lines": {"a": {"uri": "sip:95001@127.0.0.1", "channels": 9000}}}
    write_yaml(tmp_path / "target.yaml", target)
    schedule = {
        "format": 1, "name": "x", "seed": 1, "at_once": {"voice": 8000},
        "attempts": [{"scenario": "S01", "channel": "voice", "entry": "a", "count": 9000}],
    }  # fmt: skip
    write_yaml(tmp_path / "plan.yaml", schedule)
    finding = look(Audit(Request(target=tmp_path / "target.yaml", plan=tmp_path / "plan.yaml")), "capacity")
    assert finding.state is State.WARN
    assert finding.figures["calls_wanted"] == 8000


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own wants root")
def test_an_exhausted_range_of_ports_fails() -> None:
    narrow = (
        "import subprocess, pathlib\n"
        "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
        "pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range').write_text('40000 40003')\n"
    )
    state, found, cure, figures = in_child(narrow + TELL.format(id="ports"), "unshare", "--net")
    assert state == "fail"
    assert (figures["bound"], figures["wanted"]) == (4, 9)
    assert "40000-40003" in found
    assert "ip_local_port_range" in cure


@contextmanager
def open_files(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("limit", "state"), [(200, State.FAIL), (600, State.WARN), (1024, State.OK)])
def test_too_few_open_files(limit: int, state: State) -> None:
    with open_files(limit):
        finding = one(machine.checks(Audit(Request())), "files")
    assert finding.state is state
    assert finding.figures["soft"] == limit


def test_without_the_privilege_capture_warns_with_the_cure() -> None:
    state, _, cure, figures = in_child(
        TELL.format(id="capture"), "setpriv", *([] if os.geteuid() else ["--bounding-set", "-net_raw"])
    )
    assert (state, figures["allowed"]) == ("warn", False)
    assert "AmbientCapabilities=CAP_NET_RAW" in cure
    assert "setcap" in cure


# --- the clock ------------------------------------------------------------------------------------------------------


class TimeServer(asyncio.DatagramProtocol):
    """Answers as a time server that is ``ahead`` seconds before us."""

    def __init__(self, ahead: float, *, stratum: int = 2, garbage: int = 0) -> None:
        self.ahead, self.stratum, self.garbage, self.asked = ahead, stratum, garbage, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        assert data[0] == 0x23  # version 4, a client's
        stamp = self._stamp()
        for _ in range(self.garbage):  # an answer to somebody else's question
            self.transport.sendto(struct.pack("!BBBb11I", 0x24, 2, 0, 0, *[0] * 11), addr)
        words = [0] * 5 + list(struct.unpack("!2I", data[40:48])) + stamp + self._stamp()
        self.transport.sendto(struct.pack("!BBBb11I", 0x24, self.stratum, 0, 0, *words), addr)

    def _stamp(self) -> list[int]:
        seconds = time.time() + self.ahead + NTP_EPOCH_S
        return [int(seconds), int(seconds % 1 * (1 << 32))]


async def _with_server(server: TimeServer, then: Any) -> Any:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        return await then(server.port)
    finally:
        transport.close()


@pytest.mark.parametrize("ahead", [0.5, -2.0, 0.0])
def test_sntp_finds_the_offset_of_a_server(ahead: float) -> None:
    server = TimeServer(ahead, garbage=2)
    reading = asyncio.run(_with_server(server, lambda port: sntp.ask("127.0.0.1", port)))
    assert reading.offset_s == pytest.approx(ahead, abs=reading.delay_s / 2 + 0.001)
    assert (reading.stratum, server.asked) == (2, 1)


def test_sntp_distrusts_a_server_that_does_not_know_the_time() -> None:
    with pytest.raises(FarEndFault, match="does not know"):
        asyncio.run(_with_server(TimeServer(0.0, stratum=0), lambda port: sntp.ask("127.0.0.1", port)))


def test_sntp_reads_the_stamps_after_2036() -> None:
    assert sntp._seconds(0, 0) == pytest.approx(2085978496)  # 2036-02-07 06:28:16 UTC
    assert sntp._seconds(NTP_EPOCH_S, 1 << 31) == 0.5


@pytest.mark.parametrize(("ahead", "state"), [(0.02, State.OK), (0.5, State.WARN), (-2.0, State.FAIL)])
def test_the_offset_is_judged(ahead: float, state: State) -> None:
    async def judge(port: int) -> Finding:
        [_, check] = clock.checks(Audit(Request(ntp=f"127.0.0.1:{port}")))
        return await check.look()

    finding = asyncio.run(_with_server(TimeServer(ahead), judge))
    assert finding.state is state
    assert finding.figures["offset_s"] == pytest.approx(ahead, abs=0.01)


def test_no_time_server_is_asked_unless_named_and_a_closed_port_warns() -> None:
    assert one(clock.checks(Audit(Request())), "ntp").state is State.SKIPPED
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    finding = one(clock.checks(Audit(Request(ntp=f"127.0.0.1:{port}"))), "ntp")
    assert finding.state is State.WARN
    assert "refuses" in finding.found.en
    assert one(clock.checks(Audit(Request(ntp="host:x"))), "ntp").exit_code == 2


def test_what_chrony_says_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(
        tmp_path / "bin", "chronyc", "echo 'C0A80001,ntp,3,1795000000.1,0.250000000,0.1,0.1,1,0,0,0.01,0.01,64,Normal'"
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    finding = one(clock.checks(Audit(Request())), "clock")
    assert finding.figures["offset_s"] == 0.25
    assert finding.state is State.WARN
    assert "+250.000 ms" in finding.found.en
    assert 0 < finding.figures["monotonic_step_s"] < 0.001


# --- browser and fonts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chromium", ["/nowhere/chromium", "/bin/false"])
def test_a_browser_that_is_not_one_fails(monkeypatch: pytest.MonkeyPatch, chromium: str) -> None:
    monkeypatch.setenv("SHOPPER_CHROMIUM", chromium)
    finding = look(Audit(Request()), "browser")
    assert (finding.state, finding.exit_code) == (State.FAIL, 1)
    assert chromium in finding.found.en
    assert "SHOPPER_CHROMIUM" in finding.cure.en


def test_no_chinese_font_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "fc-list", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    finding = look(Audit(Request()), "fonts")
    assert finding.state is State.WARN
    assert "fonts-wqy-microhei" in finding.cure.en


# --- disks ----------------------------------------------------------------------------------------------------------


def test_a_plan_that_needs_more_than_there_is_free_fails(tmp_path: Path) -> None:
    write_yaml(
        tmp_path / "target.yaml",
        {"format": 1, "name": "x", "lines": {"a": {"uri": "sip:95001@127.0.0.1", "channels": 2}}},
    )
    free = shutil.disk_usage(tmp_path).free
    for factor, state in ((0.5, State.OK), (2, State.FAIL)):
        session_s = factor * free / 55_000 / 10_000
        plan(tmp_path / "plan.yaml", ("S01", "voice", "a", 10_000), session_s=session_s)
        audit = Audit(Request(target=tmp_path / "target.yaml", plan=tmp_path / "plan.yaml", runs=tmp_path / "a" / "b"))
        finding = look(audit, "space")
        assert finding.state is state
        assert finding.figures["needed_bytes"] == pytest.approx(factor * free, rel=0.01)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=True)
    try:
        (place / "filler").write_bytes(bytes(256 * 1024))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_fails(full_disk: Path) -> None:
    finding = one(storage.checks(Audit(Request(runs=full_disk / "runs"))), "disk")
    assert finding.state is State.FAIL
    assert "No space left on device" in finding.found.en
    (full_disk / "filler").unlink()
    finding = one(storage.checks(Audit(Request(runs=full_disk / "runs"))), "disk")
    assert finding.state is State.WARN
    assert "tmpfs" in finding.found.en
    assert list(full_disk.iterdir()) == []


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    inner = tmp_path / "a b"
    inner.mkdir()
    mounts = tmp_path / "mounts"
    escaped = str(inner).replace(" ", "\\040")
    mounts.write_text(f"/dev/x / ext4 rw 0 0\nhost:/x {escaped} nfs4 rw 0 0\n", encoding="utf-8")
    assert storage.file_system(inner, mounts) == "nfs4"
    assert storage.file_system(tmp_path, mounts) == "ext4"


def test_a_network_mount_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "file_system", lambda _place: "nfs4")
    finding = one(storage.checks(Audit(Request(runs=tmp_path))), "disk")
    assert finding.state is State.WARN
    assert "PostgreSQL" in finding.cure.en


# --- the ledger -----------------------------------------------------------------------------------------------------


def test_a_ledger_that_opens_is_timed(tmp_path: Path) -> None:
    finding = look(Audit(Request(ledger=f"sqlite:///{tmp_path / 'ledger.sqlite'}")), "ledger")
    assert finding.state in (State.OK, State.WARN), finding.found.en
    assert finding.figures["campaigns"] == 0
    assert 0 < finding.figures["round_trip_s"] < 5


def test_a_ledger_that_cannot_be_reached_fails(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    finding = look(Audit(Request(ledger=f"postgresql://audit:hush-hush@127.0.0.1:{port}/audit")), "ledger")
    assert (finding.state, finding.exit_code) == (State.FAIL, 1)
    assert "hush-hush" not in repr(finding)
    assert "database" in finding.cure.en
