"""What this machine can carry: calls, sockets, open files; and whether it may listen on the wire."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from pathlib import Path

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, fail, ok, warn
from probes.voice.leg import CALLS_PER_PROCESS
from scenarios.model import Text

CORE_PER_CALL = 0.05  # make bench: 5.3 % of a core, the worker's start-up included
SPARE = 2  # docs/voice.md: plan CPU for twice the calls you mean to hold
FILES_FAIL, FILES_WARN = 256, 1024
CGROUP_QUOTAS = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of the machine."""

    async def capacity() -> Finding:
        return _capacity(audit)

    async def ports() -> Finding:
        return _ports(audit)

    async def files() -> Finding:
        return _files()

    async def capture() -> Finding:
        return _capture()

    return [
        Check("capacity", Text(zh="处理能力", en="capacity"), capacity),
        Check("ports", Text(zh="UDP 端口", en="UDP ports"), ports),
        Check("files", Text(zh="打开文件数", en="open files"), files),
        Check("capture", Text(zh="抓包权限", en="capture"), capture),
    ]


def _capacity(audit: Audit) -> Finding:
    cores, load = usable_cores(), os.getloadavg()[0]
    free = max(0.0, cores - load)
    calls = int(free / CORE_PER_CALL / SPARE)
    figures: dict[str, Figure] = {"cores": cores, "load": round(load, 2), "calls": calls}
    found = Text(
        zh=f"{cores:g} 核，负载 {load:.1f}：约 {calls} 路通话（每路 5 % 核，留一半）",
        en=f"{cores:g} cores, load {load:.1f}: about {calls} calls (5 % of a core each, half kept free)",
    )
    wanted = _calls_at_once(audit)
    figures["calls_wanted"] = wanted
    if wanted > calls:
        cure = Text(
            zh=f"方案要同时 {wanted} 路：把 at_once.voice 降到 {max(1, calls)}，或加机器（docs/scaling.md）",
            en=f"the plan wants {wanted} at once: lower at_once.voice to {max(1, calls)}, or add a machine "
            "(docs/scaling.md)",
        )
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)


def usable_cores() -> float:
    """Returns how many cores this process may use: its affinity, or what its control group grants."""
    cores = float(len(os.sched_getaffinity(0)))
    for path in CGROUP_QUOTAS:
        with contextlib.suppress(OSError, ValueError):
            words = path.read_text(encoding="ascii").split()
            if len(words) == 1:
                words.append(path.with_name("cpu.cfs_period_us").read_text(encoding="ascii"))
            if words[0] != "max" and int(words[0]) > 0:
                cores = min(cores, int(words[0]) / int(words[1]))
    return round(cores, 2)


def _calls_at_once(audit: Audit) -> int:
    """Returns how many calls the audit holds at once, at most: what plan, lines and authorisation allow."""
    plan, permission = audit.readable_plan, audit.permission
    if plan is None or not audit.lines:
        return CALLS_PER_PROCESS
    wanted = min(plan.plan.at_once.voice, sum(line.channels for line in audit.lines.values()))
    return wanted if permission is None else min(wanted, permission.at_once)


def _ports(audit: Audit) -> Finding:
    calls = _calls_at_once(audit)
    processes = -(-calls // CALLS_PER_PROCESS)
    wanted = 2 * calls + processes  # RTP and RTCP of each call, SIP of each process
    low, high = map(int, PORT_RANGE.read_text(encoding="ascii").split())
    figures: dict[str, Figure] = {"wanted": wanted, "first": low, "last": high}
    with contextlib.ExitStack() as stack:
        for bound in range(wanted):
            try:
                udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                udp.bind(("127.0.0.1", 0))
            except OSError as error:
                found = Text(
                    zh=f"{wanted} 个只开成 {bound} 个（{error.strerror}），范围 {low}–{high}",
                    en=f"only {bound} of {wanted} could be had ({error.strerror}), range {low}-{high}",
                )
                cure = Text(
                    zh="放宽 net.ipv4.ip_local_port_range（如 32768 60999），关掉占端口的程序，或放宽 ulimit -n",
                    en="widen net.ipv4.ip_local_port_range (such as 32768 60999), stop what holds the ports, or raise "
                    "ulimit -n",
                )
                return fail(found, cure, **figures, bound=bound)
    zh = f"{calls} 路要 {wanted} 个，都能开；范围 {low}–{high}，防火墙须放行"
    en = f"{wanted} for {calls} calls, all could be bound; range {low}-{high}, to be let through the firewall"
    return ok(zh, en, **figures, bound=wanted)


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    figures: dict[str, Figure] = {"soft": soft, "hard": hard}
    found = Text(zh=f"{soft}（上限 {hard}）", en=f"{soft} (hard limit {hard})")
    cure = Text(
        zh="ulimit -n 4096；systemd 单元写 LimitNOFILE=4096",
        en="ulimit -n 4096; in the systemd unit LimitNOFILE=4096",
    )
    unlimited = soft == resource.RLIM_INFINITY
    if soft < FILES_FAIL and not unlimited:
        return fail(found, cure, **figures)
    if soft < FILES_WARN and not unlimited:
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)


def _capture() -> Finding:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        found = Text(
            zh="没有 CAP_NET_RAW，不能抓包",
            en="no CAP_NET_RAW: packets cannot be captured",
        )
        cure = Text(
            zh='systemd 单元写 AmbientCapabilities=CAP_NET_RAW；或 setcap cap_net_raw+ep "$(readlink -f '
            '.venv/bin/python)"',
            en='AmbientCapabilities=CAP_NET_RAW in the systemd unit; or setcap cap_net_raw+ep "$(readlink -f '
            '.venv/bin/python)"',
        )
        return warn(found, cure, allowed=False)
    return ok("可以抓包（AF_PACKET）", "packets can be captured (AF_PACKET)", allowed=True)
