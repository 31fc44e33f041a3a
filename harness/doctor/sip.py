"""The SIP bindings, a call to ourselves, and whether this machine keeps time with the audio."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.child import Ended, run
from harness.doctor.finding import Figure, Finding, fail, ok, skipped, warn
from harness.doctor.loopback import Called, Library, Sound
from probes.address import host_of
from probes.voice.audio import STALL_S
from scenarios.model import Text

LOSS_FAIL, LOSS_WARN = 0.05, 0.005
DELAY_WARN_S = 0.2
GAP_WARN_S = 0.1
BUILD = Text(
    zh="运行 make setup 重装 pjsua2-python；自行编译的 pjsua2 请对照 docs/voice.md 重新编译",
    en="run make setup, which reinstalls pjsua2-python; a build of your own: build it again, see docs/voice.md",
)
BUSY = Text(
    zh="关掉别的程序，或换用更空闲、核数更多的机器，或减少 at_once",
    en="stop other programs, use a machine with more free cores, or lower at_once",
)
NO_SOUND = Text(
    zh="本机防火墙可能拦了 127.0.0.1 的 UDP；放行后再试，还不行就重装（make setup）",
    en="a firewall may block UDP on 127.0.0.1: let it through and try again, else reinstall (make setup)",
)
NO_STACK = skipped("SIP 库不可用", "the SIP library is not usable")


@dataclass(frozen=True)
class Loopback:
    """What the child said before it ended."""

    ended: Ended
    library: Library | None
    called: Called | None


async def loopback_child() -> Ended:
    """Runs the child that calls itself."""
    return await run(sys.executable, "-m", "harness.doctor.loopback")


class SipStack:
    """The child that calls itself, run once for all checks that want to know of it."""

    def __init__(self, child: Callable[[], Awaitable[Ended]] | None = None) -> None:
        self._child = child or loopback_child
        self._task: asyncio.Task[Loopback] | None = None

    async def loopback(self) -> Loopback:
        """Returns what the child found; the first to ask starts it."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await self._task

    async def usable(self) -> bool:
        """Says whether the library can be used in this process without fear."""
        return (await self.loopback()).called is not None

    async def _run(self) -> Loopback:
        ended = await self._child()
        documents = [json.loads(line) for line in ended.out.splitlines() if line.startswith("{")]
        library = Library(**documents[0]) if documents else None
        called = None
        if len(documents) > 1:
            sides = {side: Sound(**documents[1][side]) for side in ("out", "back")}
            called = Called(**documents[1] | sides)
        return Loopback(ended, library, called)


def checks(audit: Audit, stack: SipStack) -> list[Check]:
    """Returns the checks of the SIP stack; the first of them starts the child, so it runs alone."""

    async def bindings() -> Finding:
        return _bindings(await stack.loopback(), audit)

    async def echo() -> Finding:
        return _echo(await stack.loopback())

    async def pace() -> Finding:
        return _pace(await stack.loopback())

    return [
        Check("sip", Text(zh="SIP 库", en="SIP library"), bindings, patience_s=40, alone=True),
        Check("echo", Text(zh="自拨回声", en="echo call"), echo, alone=True),
        Check("pace", Text(zh="音频节拍", en="audio clock"), pace, alone=True),
    ]


def _bindings(loopback: Loopback, audit: Audit) -> Finding:
    library = loopback.library
    if library is None:
        reason = loopback.ended.reason
        return fail(Text(zh=f"起不来：{reason}", en=f"does not start: {reason}"), BUILD, reason=reason)
    newest = "1.3" if not library.tls.startswith(("OpenSSL 0.", "OpenSSL 1.0")) else "1.2"
    tls = " ".join(library.tls.split()[:2]) or "–"
    figures: dict[str, Figure] = {
        "version": library.version, "calls_per_process": library.calls, "codecs": library.codecs,
        "ipv6": library.ipv6, "tls_library": library.tls, "tls_newest": newest,
    }  # fmt: skip
    for name, line in audit.lines.items():
        missing = [codec for codec in audit.way(line).codecs if codec not in library.codecs]
        if missing:
            found = Text(
                zh=f"线路 {name} 要用 {'、'.join(missing)}，SIP 库没有",
                en=f"line {name} wants {', '.join(missing)}, which the library lacks",
            )
            cure = Text(
                zh=f"target 里它的 codecs 改用 {'、'.join(library.codecs)} 之一",
                en=f"in the target set its codecs to some of {', '.join(library.codecs)}",
            )
            return fail(found, cure, **figures)
        if not library.ipv6 and _is_ipv6(host_of(line.uri)):
            found = Text(
                zh=f"线路 {name} 是 IPv6 地址，SIP 库不支持", en=f"line {name} is IPv6, which the library cannot do"
            )
            return fail(found, Text(zh="改用 IPv4 地址", en="give its IPv4 address"), **figures)
    six = ("有", "yes") if library.ipv6 else ("无", "no")
    zh = f"{library.version}；每进程 {library.calls} 路；{tls}，至多 TLS {newest}；{six[0]} IPv6；" + " ".join(
        library.codecs
    )
    en = f"{library.version}; {library.calls} calls/process; {tls}, up to TLS {newest}; {six[1]} IPv6; " + " ".join(
        library.codecs
    )
    secure = [name for name, line in audit.lines.items() if audit.way(line).transport == "tls"]
    if secure and newest == "1.2":
        return warn(
            Text(zh=zh, en=en),
            Text(
                zh=f"线路 {'、'.join(secure)} 走 TLS：对端若只收 TLS 1.3 会拨不通，可在前面放 TLS 代理；"
                "这个 OpenSSL 已停止维护",
                en=f"lines {', '.join(secure)} use TLS: a far end of TLS 1.3 only needs a proxy in front; "
                "this OpenSSL is past its end of life",
            ),
            **figures,
        )
    return ok(zh, en, **figures)


def _is_ipv6(host: str) -> bool:
    try:
        return isinstance(ip_address(host), IPv6Address)
    except ValueError:
        return False


def _echo(loopback: Loopback) -> Finding:
    if loopback.library is None:
        return NO_STACK
    called = loopback.called
    if called is None:
        reason = loopback.ended.reason
        return fail(Text(zh=f"打不通：{reason}", en=f"did not come about: {reason}"), NO_SOUND, reason=reason)
    figures: dict[str, Figure] = {
        "ring_s": called.ring_s, "connect_s": called.connect_s, "packets": called.packets,
        "delay_s": called.out.delay_s, "jitter_s": called.out.jitter_s,
        "lost_out": round(1 - called.out.share, 4), "lost_back": round(1 - called.back.share, 4),
    }  # fmt: skip
    if called.out.delay_s is None or called.back.delay_s is None:
        way = Text(zh="去程", en="there") if called.out.delay_s is None else Text(zh="回程", en="back")
        return fail(Text(zh=f"接通了，{way.zh}没有声音", en=f"connected, but no sound {way.en}"), NO_SOUND, **figures)
    lost = 1 - min(called.out.share, called.back.share)
    found = Text(
        zh=f"去程延迟 {1000 * called.out.delay_s:.0f} ms，来回 {1000 * called.back.delay_s:.0f} ms，"
        f"丢失 {100 * lost:.1f} %",
        en=f"one way {1000 * called.out.delay_s:.0f} ms, there and back {1000 * called.back.delay_s:.0f} ms, "
        f"{100 * lost:.1f} % lost",
    )
    if lost > LOSS_FAIL:
        return fail(found, BUSY, **figures)
    if lost > LOSS_WARN or called.out.delay_s > DELAY_WARN_S:
        return warn(found, BUSY, **figures)
    return ok(found.zh, found.en, **figures)


def _pace(loopback: Loopback) -> Finding:
    called = loopback.called
    if called is None:
        return NO_STACK
    figures: dict[str, Figure] = {
        "longest_gap_s": called.longest_gap_s,
        "stalls": called.stalls,
        "niceness": called.niceness,
    }
    gap = f"{1000 * called.longest_gap_s:.0f} ms"
    found = Text(
        zh=f"最长间隔 {gap}（应为 20 ms），停顿 {called.stalls} 次，优先级 {called.niceness}",
        en=f"longest gap {gap} (20 ms is right), {called.stalls} stalls, niceness {called.niceness}",
    )
    if called.stalls or called.longest_gap_s > GAP_WARN_S:
        say = (
            f"超过 {STALL_S:g} s 的停顿会使会话要人工复核：",
            f"a stall of over {STALL_S:g} s sends a session to review: ",
        )
        return warn(found, Text(zh=say[0] + BUSY.zh, en=say[1] + BUSY.en), **figures)
    if called.niceness >= 0:
        cure = Text(
            zh="没有优先级：systemd 单元写 LimitNICE=-10，或在 limits.conf 给运行用户 nice -10",
            en="no priority: LimitNICE=-10 in the systemd unit, or nice -10 for the user in limits.conf",
        )
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)
