"""The papers of an audit: target, plan, scripts, authorisation, recorded lines; and the kill switch."""

from __future__ import annotations

from datetime import datetime

from harness import kill_switch
from harness.authorisation import Authorisation
from harness.clearance import clearance
from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, State, fail, of_error, ok, skipped, warn
from harness.permission import examine
from harness.refusal import Refusal
from scenarios import catalogue
from scenarios.errors import InputError
from scenarios.model import Text

DAYS_WARN = 14
CORRECT = Text(zh="按提示改正该行，格式见 docs/ 下同名页面", en="correct that line; docs/ has a page for each file")


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of the papers."""

    async def target() -> Finding:
        return _target(audit)

    async def plan() -> Finding:
        return _plan(audit)

    async def scripts() -> Finding:
        return _scripts(audit)

    async def authorisation() -> Finding:
        return _authorisation(audit)

    async def policy() -> Finding:
        return _policy(audit)

    async def switch() -> Finding:
        return _switch()

    return [
        Check("target", Text(zh="被测对象", en="target"), target),
        Check("plan", Text(zh="方案", en="plan"), plan),
        Check("scripts", Text(zh="场景脚本", en="scripts"), scripts),
        Check("authorisation", Text(zh="授权书", en="authorisation"), authorisation),
        Check("policy", Text(zh="拨号规则", en="dial policy"), policy),
        Check("switch", Text(zh="急停开关", en="kill switch"), switch),
    ]


def _target(audit: Audit) -> Finding:
    loaded = audit.target
    if loaded is None:
        return skipped("没有给 --target", "no --target was given")
    if isinstance(loaded, InputError):
        return of_error(loaded, CORRECT)
    target = loaded.target
    figures: dict[str, Figure] = {
        "lines": len(target.lines), "chats": len(target.chats), "prompts": len(target.prompts),
    }  # fmt: skip
    found = Text(
        zh=f"{target.name}：{len(target.lines)} 线路，{len(target.chats)} 聊天，{len(target.prompts)} 段已知录音",
        en=f"{target.name}: {len(target.lines)} lines, {len(target.chats)} chats, {len(target.prompts)} known prompts",
    )
    if target.lines and not target.prompts:
        cure = Text(
            zh="没有已知录音，录音播报可能被当成人工：请被测机构提供 IVR 录音，写进 prompts",
            en="without known prompts a recording may pass for a human: ask the client for them, list them as prompts",
        )
        return warn(found, cure, **figures)
    return ok(found.zh, found.en, **figures)


def _plan(audit: Audit) -> Finding:
    plan = audit.plan
    if plan is None:
        return skipped("没有给 --plan", "no --plan was given")
    if isinstance(plan, InputError):
        return of_error(plan, CORRECT)
    if audit.unplanned is not None:
        return of_error(audit.unplanned, CORRECT)
    voice = sum(attempt.channel == "voice" for attempt in audit.planned)
    chats = len(audit.planned) - voice
    hours = sum(map(audit.session_s, audit.planned)) / 3600
    figures: dict[str, Figure] = {"calls": voice, "chats": chats, "longest_hours": round(hours, 2)}
    found = Text(
        zh=f"{plan.plan.name}：{voice} 通电话，{chats} 次聊天，至多 {hours:.1f} 小时",
        en=f"{plan.plan.name}: {voice} calls, {chats} chats, at most {hours:.1f} h",
    )
    over = _over(audit)
    if over is not None:
        return refused(over)
    return ok(found.zh, found.en, **figures)


def _over(audit: Audit) -> Refusal | None:
    """Says what of the plan the authorisation cannot hold: its schedule, or one of the ceilings."""
    if audit.inputs is None or audit.permission is None:
        return None
    cleared = clearance(audit.inputs, audit.permission, audit.now())
    return cleared.misfit or next((total.refusal for total in cleared.totals if total.refusal is not None), None)


def _scripts(audit: Audit) -> Finding:
    if audit.scripts:
        wrong = [script for script in audit.scripts.values() if isinstance(script, InputError)]
        count = len(audit.scripts)
    else:
        folder = audit.request.scenarios
        files = catalogue.shipped() if folder is None else sorted(folder.glob("*.yaml"))
        wrong, count = catalogue.lint(files), len(files)
    if wrong:
        more = f" (+{len(wrong) - 1})" if len(wrong) > 1 else ""
        return Finding(
            State.FAIL,
            Text(zh=f"{wrong[0]}{more}", en=f"{wrong[0]}{more}"),
            CORRECT,
            {"wrong": len(wrong)},
            exit_code=2,
        )
    return ok(f"{count} 个，都没有错", f"{count}, none wrong", scripts=count)


def _authorisation(audit: Audit) -> Finding:
    permission = audit.authorisation
    if permission is None:
        return skipped("没有授权书：只能拨打本机", "there is none: only this machine may be called")
    if isinstance(permission, InputError):
        return of_error(permission, CORRECT)
    now = audit.now()
    for refusal in (permission.unsigned(now), permission.out_of_date(now), permission.unrecorded()):
        if refusal is not None:
            return refused(refusal)
    left = permission.days_left(now)
    at_once = permission.at_once
    figures: dict[str, Figure] = {
        "days_left": left, "at_once": at_once, "per_hour": permission.ceilings.per_hour,
        "per_day": permission.ceilings.per_day, "open_now": permission.closed(now) is None,
    }  # fmt: skip
    limits = _limits(permission)
    found = Text(
        zh=f"{permission.client}，还剩 {left} 天（到 {_day(permission, permission.valid_to)}）；{limits.zh}",
        en=f"{permission.client}, {left} days left (to {_day(permission, permission.valid_to)}); {limits.en}",
    )
    if left < DAYS_WARN:
        cure = Text(
            zh=f"不到 {DAYS_WARN} 天：测不完的会成为 BLOCKED，请先续签",
            en=f"under {DAYS_WARN} days: what is left over ends as BLOCKED, so have it renewed first",
        )
        return warn(found, cure, **figures)
    closed = permission.closed(now)
    if closed is not None:
        return warn(found, Text(zh=closed.in_("zh"), en=closed.in_("en")), **figures)
    return ok(found.zh, found.en, **figures)


def _day(permission: Authorisation, when: datetime) -> str:
    return permission.local(when).date().isoformat()


def _limits(permission: Authorisation) -> Text:
    """Returns the ceilings in a few words."""
    zh, en = [f"同时 {permission.at_once}"], [f"{permission.at_once} at once"]
    for value, unit_zh, unit_en in (
        (permission.ceilings.per_hour, "每小时", "an hour"),
        (permission.ceilings.per_day, "每天", "a day"),
    ):
        if value is not None:
            zh.append(f"{unit_zh} {value}")
            en.append(f"{value} {unit_en}")
    return Text(zh="、".join(zh), en=", ".join(en))


def _policy(audit: Audit) -> Finding:
    """Asks the policy about every scenario on every entry. Hours pass by themselves; voices have their own check."""
    target = audit.readable_target
    if target is None or not audit.planned:
        return skipped("要有 --target 和 --plan", "wants --target and --plan")
    pairs = sorted({(attempt.channel, attempt.entry, attempt.scenario) for attempt in audit.planned})
    for channel, entry, name in pairs:
        scenario = audit.scenario(name)
        for check in examine(target.target, target.folder, channel, entry, scenario, audit.permission, audit.now()):
            if check.refusal is not None and check.name not in ("hours", "voice"):
                return refused(check.refusal)
    return ok(
        f"{len(pairs)} 种场景×入口都允许", f"all {len(pairs)} scenarios on entries are permitted", pairs=len(pairs)
    )


def refused(refusal: Refusal) -> Finding:
    """Returns the failure that a refusal of the policy amounts to."""
    cure = refusal.cure or Text(
        zh="请被测机构签进授权书，或从方案里去掉",
        en="have the client sign it into the authorisation, or take it out of the plan",
    )
    return Finding(State.FAIL, refusal.why, cure, exit_code=3)


def _switch() -> Finding:
    path = kill_switch.everywhere()
    pulled = kill_switch.pulled([path])
    if pulled is None:
        return ok("没有拉下", "not pulled")
    who = f"{pulled.by or '?'}：{pulled.reason or '–'}", f"{pulled.by or '?'}: {pulled.reason or '–'}"
    cure = Text(zh=f"问清原因后删去 {path}", en=f"find out why, then remove {path}")
    return fail(Text(zh=f"已拉下（{who[0]}）", en=f"pulled ({who[1]})"), cure, by=pulled.by, reason=pulled.reason)
