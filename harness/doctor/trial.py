"""One trial call or page, if the user asks for it and the policy permits it. Nothing is said, nothing is sent."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from harness import kill_switch
from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, fail, ok, skipped
from harness.doctor.papers import refused
from harness.doctor.sip import NO_STACK, SipStack
from harness.permission import examine
from harness.refusal import Refusal
from probes.channel import Channel
from probes.clock import Clock
from probes.target import Chat, Line
from probes.voice.leg import Leg, Signal
from probes.voice.trunk import Trunk, trunk_of
from scenarios import catalogue
from scenarios.errors import FarEndFault, InputError
from scenarios.model import Lang, Text

RING_S, LISTEN_S = 30.0, 3.0
SILENT = 30  # of 32767: below it nothing can be heard
OUR_CODES = {
    401: ("账号或密码不对", "wrong account or password"),
    403: ("中继拒绝：账号、主叫号码或权限不对", "the trunk refuses: account, caller identity or permission"),
    404: ("没有这个号码", "no such number"),
    407: ("账号或密码不对", "wrong account or password"),
    408: ("没有回应：查地址、端口、防火墙", "no answer: check address, port and firewall"),
    480: ("对方暂不可用，稍后再试", "not available now, try later"),
    486: ("占线，稍后再试", "busy, try later"),
    488: ("编码或 SRTP 谈不拢：改 codecs、srtp", "no codec or SRTP in common: change codecs or srtp"),
    503: ("连不上：查地址、端口、transport", "cannot be reached: check address, port and transport"),
}
OTHER = ("按应答码问线路运营商", "ask the carrier about that code")
CHAT_CURE = Text(
    zh="用浏览器打开看看，再对照 docs/chat.md 调整 widget",
    en="open it in a browser, then see docs/chat.md for the widget",
)


def checks(audit: Audit, stack: SipStack) -> list[Check]:
    """Returns the trial, skipped unless it was asked for.

    Raises:
        InputError: what was asked for is no entry of the target.
    """
    entry, target = audit.request.call, audit.readable_target
    if entry is not None and target is None and audit.request.target is None:
        raise InputError("--call names an entry of a target, and there is no target", cure="give --target")
    if entry is not None and target is not None and entry not in {**target.target.lines, **target.target.chats}:
        listed = ", ".join([*target.target.lines, *target.target.chats])
        raise InputError(f"the target has no entry '{entry}'", cure=f"there are: {listed}")

    async def trial() -> Finding:
        return await _trial(audit, stack)

    return [Check("call", Text(zh="试拨", en="trial call"), trial, patience_s=RING_S + LISTEN_S + 40, alone=True)]


async def _trial(audit: Audit, stack: SipStack) -> Finding:
    entry, target = audit.request.call, audit.readable_target
    if entry is None:
        return skipped("没有给 --call", "no --call was given")
    if target is None:
        return skipped("target 读不了", "the target cannot be read")
    switch = [kill_switch.everywhere()]
    if (pulled := kill_switch.pulled(switch)) is not None:
        return refused(Refusal.of(f"{pulled}.", f"急停开关已拉下：{pulled.path}。"))
    line = target.target.lines.get(entry)
    scenario = catalogue.load(catalogue.shipped()[0]).scenario  # nothing of it is said: its voice does not matter
    for check in examine(
        target.target,
        target.folder,
        "chat" if line is None else "voice",
        entry,
        scenario,
        audit.permission,
        audit.now(),
    ):
        if check.refusal is not None and check.name != "voice":
            return refused(check.refusal)
    work: asyncio.Task[Finding]
    if line is None:
        work = asyncio.create_task(_open(target.target.chats[entry], target.target.lang, target.folder))
    elif not await stack.usable():
        return NO_STACK
    else:
        try:
            trunk = trunk_of(target.target, line, target.folder)
        except InputError as error:
            return fail(Text(zh=str(error), en=str(error)), Text(zh="见“线路密码”一项", en="see line passwords"))
        work = asyncio.create_task(_call(line, trunk))
    watch = asyncio.create_task(kill_switch.wait(switch))
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        return refused(Refusal.of(f"{watch.result()}.", "试拨中急停开关被拉下，已挂断。"))
    finally:
        work.cancel()
        watch.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _call(line: Line, trunk: Trunk) -> Finding:
    """Calls, listens for three seconds once it is answered, hangs up."""
    from probes.voice.pjsip.endpoint import Endpoint

    endpoint = await Endpoint().start()
    try:
        leg = endpoint.leg(line.uri)
        log = leg.listen(lambda: None)
        dialled = await endpoint.dial(leg, trunk)
        seen: dict[str, Signal] = {}
        try:
            async with asyncio.timeout(RING_S):
                await _follow(leg, seen, until=("connected", "ended"))
            if "connected" in seen:
                async with asyncio.timeout(LISTEN_S):
                    await _follow(leg, seen, until=("ended",))
        except TimeoutError:
            pass
        finally:
            await leg.hang_up()
        heard = np.frombuffer(b"".join(frame for _, frame in log.heard), "<i2")
        loudest = int(np.max(np.abs(heard.astype(np.int32)))) if len(heard) else 0
        return _called(dialled, seen, leg.packets, loudest)
    finally:
        await endpoint.stop()


async def _follow(leg: Leg, seen: dict[str, Signal], until: tuple[str, ...]) -> None:
    while not seen.keys() & set(until):
        signal = await leg.signals.get()
        seen.setdefault(signal.kind, signal)


def _called(dialled: float, seen: dict[str, Signal], packets: int, loudest: int) -> Finding:
    rang = seen.get("ringing") or seen.get("early_media")
    answered, ended = seen.get("connected"), seen.get("ended")
    ring_s = None if rang is None else round(rang.t - dialled, 3)
    last = answered or ended
    code = int(last.data["code"]) if last is not None else None
    figures: dict[str, Figure] = {
        "code": code, "ring_s": ring_s, "packets": packets, "loudest": loudest,
        "answer_s": None if answered is None else round(answered.t - dialled, 3),
    }  # fmt: skip
    ring = ("没有振铃", "no ringing") if ring_s is None else (f"{ring_s:.2f} 秒振铃", f"ringing after {ring_s:.2f} s")
    if answered is None:
        if ended is None:
            words = Text(zh=f"{ring[0]}，{RING_S:g} 秒无人接听", en=f"{ring[1]}, not answered within {RING_S:g} s")
            return fail(words, Text(zh="换个开放的时段再试", en="try again while the centre is open"), **figures)
        reason = f"{code} {ended.data['reason']}"
        if "redirect" in seen:
            reason += " (3xx)"
        zh, en = OUR_CODES.get(code or 0, OTHER)
        return fail(
            Text(zh=f"{ring[0]}，没有接通：{reason}", en=f"{ring[1]}, not connected: {reason}"),
            Text(zh=zh, en=en),
            **figures,
        )
    found = Text(
        zh=f"{ring[0]}，{figures['answer_s']:.2f} 秒应答（{code}），收到 {packets} 个语音包，最响 {loudest}",
        en=f"{ring[1]}, answered ({code}) after {figures['answer_s']:.2f} s, {packets} audio packets, peak {loudest}",
    )
    if not packets:
        cure = Text(
            zh="接通却没有声音：放行 RTP 的 UDP 端口，检查 NAT 设置和 SRTP",
            en="connected but silent: let the UDP ports of RTP through, check NAT settings and SRTP",
        )
        return fail(found, cure, **figures)
    return ok(found.zh, found.en, **figures, audible=loudest > SILENT)


async def _open(chat: Chat, lang: Lang, folder: Path) -> Finding:
    """Opens a chat page until a message would not be lost, and leaves."""
    from probes.chat.browser import Browser
    from probes.chat.channel import ChatChannel

    browser, clock = Browser(), Clock()
    with tempfile.TemporaryDirectory() as evidence:
        channel: Channel = ChatChannel(
            chat, folder=Path(evidence), browser=browser, clock=clock, lang=lang, profiles=folder
        )
        started = time.monotonic()
        try:
            await channel.open(clock.anchor())
            seconds = time.monotonic() - started
        except FarEndFault as fault:
            return fail(Text(zh=f"没有就绪：{fault}", en=f"not ready: {fault}"), CHAT_CURE)
        finally:
            await channel.close()
            await browser.close()
    return ok(
        f"{seconds:.1f} 秒就绪，什么都没有发送",
        f"ready in {seconds:.1f} s, nothing was sent",
        ready_s=round(seconds, 3),
    )
