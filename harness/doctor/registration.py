"""Registration: each trunk with a registrar that the policy permits registers once, and takes its leave."""

from __future__ import annotations

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, fail, ok, skipped
from harness.doctor.sip import NO_STACK, SipStack
from harness.policy import check_trunk
from probes.target_file import LoadedTarget
from probes.voice.trunk import Trunk, trunk_of
from scenarios.errors import HarnessFault, InputError, PolicyRefused
from scenarios.model import Text

PATIENCE_S = 60.0  # the library gives up on one registrar after 32 s


def checks(audit: Audit, stack: SipStack) -> list[Check]:
    """Returns the check of the registrations."""

    async def registration() -> Finding:
        return await _registration(audit, stack)

    title = Text(zh="线路注册", en="registration")
    return [Check("registration", title, registration, patience_s=PATIENCE_S, alone=True)]


async def _registration(audit: Audit, stack: SipStack) -> Finding:
    if audit.readable_target is None:
        return skipped("没有可读的 target", "there is no readable target")
    trunks, left = _permitted(audit, audit.readable_target)
    if not trunks:
        if left:
            listed = "、".join(left), ", ".join(left)
            return skipped(f"未获授权或缺密码，不去注册：{listed[0]}", f"not authorised, or no password: {listed[1]}")
        return skipped("没有要注册的线路", "no line registers")
    if not await stack.usable():
        return NO_STACK
    from probes.voice.pjsip.endpoint import Endpoint

    endpoint = await Endpoint().start()
    slowest, shortest = 0.0, 1 << 31
    try:
        for name, trunk in trunks.items():
            try:
                registered = await endpoint.register(trunk)
            except HarnessFault as fault:
                cure = Text(
                    zh="401/407/403 查账号密码；408 查地址、端口、防火墙；TLS 查 ca_file；其余问线路运营商",
                    en="401, 407, 403: account and password; 408: address, port, firewall; TLS: ca_file; "
                    "else ask the carrier",
                )
                return fail(Text(zh=f"{name}：{fault}", en=f"{name}: {fault}"), cure, line=name)
            slowest, shortest = max(slowest, registered.seconds), min(shortest, registered.expires_s)
    finally:
        await endpoint.stop()  # un-registers
    figures: dict[str, Figure] = {"registered": len(trunks), "slowest_s": round(slowest, 3), "expires_s": shortest}
    skipped_zh, skipped_en = (f"；跳过 {'、'.join(left)}", f"; left out: {', '.join(left)}") if left else ("", "")
    return ok(
        f"{len(trunks)} 条已注册又注销，最慢 {1000 * slowest:.0f} ms，有效 {shortest} 秒{skipped_zh}",
        f"{len(trunks)} registered and gone again, slowest {1000 * slowest:.0f} ms, good for {shortest} s{skipped_en}",
        **figures,
    )


def _permitted(audit: Audit, target: LoadedTarget) -> tuple[dict[str, Trunk], list[str]]:
    """Returns the trunks to register by the first line that uses each, and the lines that may not."""
    trunks, left = dict[str, Trunk](), list[str]()
    for name, line in audit.lines.items():
        way = audit.way(line)
        if way.registrar is None:
            continue
        try:
            for uri in (way.registrar, way.proxy):
                if uri is not None:
                    check_trunk(uri, audit.permission, audit.now())
            trunk = trunk_of(target.target, line, target.folder)
        except (PolicyRefused, InputError):
            left.append(name)
            continue
        if trunk not in trunks.values():
            trunks[name] = trunk
    return trunks, left
