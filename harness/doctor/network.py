"""The way out: passwords of our lines, names of hosts, registration. Only hosts that the policy permits are asked."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, fail, ok, skipped, warn
from harness.permission import addresses_of, way_out
from harness.policy import check_call, check_chat, check_trunk
from probes.address import host_of, is_loopback
from probes.voice.trunk import trunk_of
from scenarios.errors import InputError, PolicyRefused
from scenarios.model import Text

SLOW_S = 1.0


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of the way out."""

    async def passwords() -> Finding:
        return _passwords(audit)

    async def names() -> Finding:
        return await _names(audit)

    return [
        Check("passwords", Text(zh="线路密码", en="line passwords"), passwords),
        Check("names", Text(zh="主机名解析", en="host names"), names),
    ]


def _passwords(audit: Audit) -> Finding:
    """Makes each line's trunk as a call would: with its password, and certificates to check TLS with."""
    target = audit.readable_target
    if target is None or not audit.lines:
        return skipped("没有线路", "there is no line")
    variables = sorted({way.password_env for line in audit.lines.values() if (way := audit.way(line)).password_env})
    for name, line in audit.lines.items():
        try:
            trunk_of(target.target, line, target.folder)
        except InputError as error:
            variable = audit.way(line).password_env
            password = variable is not None and variable in error.message
            cure = Text(
                zh=f"设置 {variable}，或让 {variable}_FILE 指向密码文件；systemd 单元用 EnvironmentFile；"
                "不要写进 target.yaml"
                if password
                else "安装 ca-certificates，或在 target 里写明 ca_file",
                en=f"set {variable}, or have {variable}_FILE name a file that holds it; in the systemd unit "
                "EnvironmentFile; never write it into target.yaml"
                if password
                else "install ca-certificates, or name ca_file in the target",
            )
            return fail(Text(zh=f"{name}：{error.message}", en=f"{name}: {error.message}"), cure, line=name)
    if not variables:
        return ok("没有线路要密码", "no line wants one", variables=[])
    return ok(f"{len(variables)} 个都有", f"all {len(variables)} are there", variables=variables)


def _hosts(audit: Audit) -> Iterator[tuple[str, bool]]:
    """Yields each host of the audit, and whether the policy lets us reach it."""
    now, permission, target = audit.now(), audit.permission, audit.readable_target
    assert target is not None
    for line in audit.lines.values():
        try:
            check_call(line.uri, permission, now)
            yield host_of(line.uri), True
        except PolicyRefused:
            yield host_of(line.uri), False
        for uri in way_out(target.target, line).hosts:
            try:
                check_trunk(uri, permission, now)
                yield host_of(uri), True
            except PolicyRefused:
                yield host_of(uri), False
    for url in (url for chat in audit.chats.values() for url in addresses_of(chat, target.folder)):
        try:
            check_chat(url, permission, now)
            yield urlsplit(url).hostname or "", True
        except PolicyRefused:
            yield urlsplit(url).hostname or "", False


async def _names(audit: Audit) -> Finding:
    if audit.readable_target is None:
        return skipped("没有 target", "there is no target")
    permitted: dict[str, bool] = {}
    for host, may in _hosts(audit):
        permitted[host] = permitted.get(host, False) or may
    wanted = [host for host, may in permitted.items() if may and not is_loopback(host)]
    left = sum(not may for may in permitted.values())
    found = await asyncio.gather(*map(_resolve, wanted))
    unknown = [host for host, seconds in zip(wanted, found, strict=True) if seconds is None]
    figures: dict[str, Figure] = {"resolved": len(wanted) - len(unknown), "unknown": unknown, "not_permitted": left}
    if unknown:
        listed = ", ".join(unknown)
        cure = Text(zh="查主机名拼写和 DNS（/etc/resolv.conf）", en="check the spelling and the DNS (/etc/resolv.conf)")
        return fail(Text(zh=f"解析不出 {listed}", en=f"cannot be resolved: {listed}"), cure, **figures)
    if not wanted:
        if left:
            return skipped(
                f"{left} 个主机未获授权，不去解析", f"{left} hosts are not authorised, so they are not resolved"
            )
        return ok("都在本机，不用解析", "all on this machine, nothing to resolve", **figures)
    slowest = max(seconds for seconds in found if seconds is not None)
    words = Text(
        zh=f"{len(wanted)} 个，最慢 {1000 * slowest:.0f} ms" + (f"；{left} 个未获授权，没有解析" if left else ""),
        en=f"{len(wanted)}, slowest {1000 * slowest:.0f} ms"
        + (f"; {left} not authorised, not resolved" if left else ""),
    )
    if slowest > SLOW_S:
        cure = Text(
            zh="DNS 太慢：换近的解析器，或装本地缓存", en="slow DNS: use a nearer resolver, or a cache on this machine"
        )
        return warn(words, cure, **figures)
    return ok(words.zh, words.en, **figures)


async def _resolve(host: str) -> float | None:
    started = time.monotonic()
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except socket.gaierror:
        return None
    return time.monotonic() - started
