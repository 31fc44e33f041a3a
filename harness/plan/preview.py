"""A plan on the terminal: when it calls, what it costs, what it burdens the centre with, and what it can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from harness.plan.attempt import PlannedAttempt
from harness.plan.loading import LoadedPlan
from harness.plan.outlook import Outlook, Prospect
from results.words import CHANNELS, percent
from scenarios.model import Lang, Text
from scoring.statistics import Verdict
from scoring.statistics.power import Chances, Criteria

BAR = 40  # letters of the longest bar


def _t(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


WORDS: dict[str, Text] = {
    "schedule": _t("日程", "Schedule"),
    "attempts": _t("逐次安排", "Attempts"),
    "day": _t("日期", "day"),
    "stratum": _t("分层", "stratum"),
    "count": _t("次数", "attempts"),
    "first": _t("首次", "first"),
    "last": _t("末次", "last"),
    "time": _t("时间", "time"),
    "scenario": _t("场景", "scenario"),
    "hours": _t("按小时", "By hour of the day"),
    "load": _t("对中心的负荷", "Load on the centre"),
    "per_hour": _t("每小时次数", "an hour"),
    "volume": _t("中心每小时话务量", "centre's volume an hour"),
    "share": _t("占比", "share"),
    "cost": _t("花费", "Cost"),
    "minutes": _t("分钟", "minutes"),
    "expected": _t("预计", "expected"),
    "most": _t("最多", "at most"),
    "rate": _t("真实值", "true rate"),
    "weeks": _t("每周次数", "Attempts a week"),
    "verdicts": _t("各判定的概率", "Chance of each verdict"),
}


def render(console: Console, loaded: LoadedPlan, outlook: Outlook, lang: Lang, *, full: bool = False) -> None:
    """Prints the preview; ``full`` lists every attempt with its local time."""
    plan, zone = loaded.plan, ZoneInfo(loaded.plan.zone)
    console.print(RichText(f"{plan.name} · sha256 {loaded.sha256[:16]} · {len(outlook.attempts)}", style="bold"))
    if plan.scheduled:
        show(console, f"{WORDS['schedule'].in_(lang)} ({zone.key})", _schedule(outlook.attempts, zone, lang))
        show(console, WORDS["hours"].in_(lang), _by_hour(outlook.attempts, zone))
    if full:
        show(console, WORDS["attempts"].in_(lang), _list(outlook.attempts, zone, lang))
    scenarios = ", ".join(f"{name} {count}" for name, count in outlook.by_scenario.items())
    console.print(RichText(f"{WORDS['scenario'].in_(lang)}: {scenarios}"))
    show(console, WORDS["cost"].in_(lang), _cost(outlook, lang))
    if outlook.burdens:
        show(console, WORDS["load"].in_(lang), _load(outlook, lang))
    for prospect in outlook.prospects:
        _show_prospect(console, loaded, prospect, lang)
    _show_survey(console, outlook, lang)
    for code, text in outlook.warnings:
        console.print(RichText.assemble((f"{code or '!'} ", "bold yellow"), text.in_(lang)), soft_wrap=True)


def document(loaded: LoadedPlan, outlook: Outlook) -> dict[str, Any]:
    """Returns the preview as plain data; exact numbers are text."""
    survey = outlook.survey
    return {
        "format": 1,
        "plan": loaded.plan.name,
        "sha256": loaded.sha256,
        "attempts": [
            {key: value.isoformat() if isinstance(value, datetime) else value for key, value in vars(attempt).items()}
            for attempt in outlook.attempts
        ],
        "by_scenario": outlook.by_scenario,
        "cost": vars(outlook.cost),
        "load": [vars(burden) | {"per_hour": burden.per_hour, "load": burden.load} for burden in outlook.burdens],
        "prospects": [
            {
                "channel": prospect.channel,
                "n": prospect.n,
                "design_effect": prospect.design_effect,
                "effective_n": prospect.effective_n,
                "interval": prospect.interval,
                "pass_failures": prospect.rule.passes,
                "fail_failures": prospect.rule.fails,
                "expected": vars(prospect.expected),
                "chances": {str(float(rate)): vars(chance) for rate, chance in prospect.chances.items()},
                "smallest_n": prospect.smallest,
                "n_for_80_percent_power": prospect.enough,
            }
            for prospect in outlook.prospects
        ],
        "survey": None
        if survey is None
        else {
            "clause": "9.2.2",
            "weeks": survey.weeks,
            "mean": str(survey.mean),
            "least": survey.least,
            "coefficient": None if survey.coefficient is None else str(survey.coefficient),
        },
        "covered": {"share": outlook.covered, "by": outlook.covered_by},
        "warnings": [{"code": code, "zh": text.zh, "en": text.en} for code, text in outlook.warnings],
    }


def chances_row(chance: Chances) -> tuple[str, str, str]:
    """Returns the three chances as text: 符合, 不符合, 不能判定."""
    return percent(chance.passes), percent(chance.fails), percent(chance.undecided)


def verdict_names(lang: Lang) -> tuple[str, ...]:
    """Returns the names of the three verdicts in the order of :func:`chances_row`."""
    return tuple(v.value if lang == "zh" else v.en for v in (Verdict.PASS, Verdict.FAIL, Verdict.OPEN))


def rule_text(rule: Criteria, smallest: int, enough: int | None) -> Text:
    """Says how many failures lead to which verdict, and which n would be needed."""
    passes_zh = "不可能判为符合" if rule.passes is None else f"未达到 ≤ {rule.passes} 次为符合"
    fails_zh = "不可能判为不符合" if rule.fails is None else f"≥ {rule.fails} 次为不符合"
    passes_en = "no result meets" if rule.passes is None else f"meets with at most {rule.passes} failures"
    fails_en = "none does not meet" if rule.fails is None else f"does not meet with {rule.fails} or more"
    enough_zh = "样本再大也分辨不出" if enough is None else f"有 80 % 把握作出正确判定需 {enough} 次"
    enough_en = "no n tells them apart" if enough is None else f"80 % power for the right verdict takes {enough}"
    return _t(
        f"n = {rule.n}：{passes_zh}，{fails_zh}；无一失败时至少需 {smallest} 次；{enough_zh}。",
        f"n = {rule.n}: {passes_en}, {fails_en}; without any failure {smallest} are needed; {enough_en}.",
    )


def table(columns: Sequence[str], left: int = 1) -> Table:
    """Returns a table whose first ``left`` columns are flush left."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index < left else "right")
    return made


def show(console: Console, title: str, made: Table) -> None:
    """Prints a table under its title, which may be wider than the table."""
    console.print(RichText(title, style="bold"), soft_wrap=True)
    console.print(made)


def _schedule(attempts: Sequence[PlannedAttempt], zone: ZoneInfo, lang: Lang) -> Table:
    cells: dict[tuple[date, str], list[datetime]] = {}
    for attempt in attempts:
        assert attempt.due is not None
        local = attempt.due.astimezone(zone)
        cells.setdefault((local.date(), attempt.stratum), []).append(local)
    made = table(_heads(lang, "day", "stratum", "count", "first", "last"), 2)
    previous = None
    for (day, stratum), times in cells.items():
        shown = f"{day:%Y-%m-%d %a}" if day != previous else ""
        made.add_row(shown, stratum, str(len(times)), f"{times[0]:%H:%M:%S}", f"{times[-1]:%H:%M:%S}")
        previous = day
    return made


def _list(attempts: Sequence[PlannedAttempt], zone: ZoneInfo, lang: Lang) -> Table:
    made = table(["id", *_heads(lang, "time", "scenario", "stratum")], 4)
    for attempt in attempts:
        when = "–" if attempt.due is None else f"{attempt.due.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        made.add_row(attempt.id, when, attempt.scenario, attempt.stratum or attempt.entry)
    return made


def _by_hour(attempts: Sequence[PlannedAttempt], zone: ZoneInfo) -> Table:
    counts = Counter(attempt.due.astimezone(zone).hour for attempt in attempts if attempt.due is not None)
    made = Table(box=None, show_header=False)
    for hour in range(min(counts), max(counts) + 1):
        bar = "█" * -(-BAR * counts[hour] // max(counts.values()))
        made.add_row(f"{hour:02}", str(counts[hour]).rjust(6), RichText(bar, style="cyan"))
    return made


def _cost(outlook: Outlook, lang: Lang) -> Table:
    made, cost = table(["", *_heads(lang, "expected", "most")]), outlook.cost
    made.add_row(WORDS["minutes"].in_(lang), f"{cost.minutes:.0f}", f"{cost.minutes_most:.0f}")
    if cost.money is not None:
        made.add_row(cost.currency, f"{cost.money:.2f}", f"{cost.money_most:.2f}")
    return made


def _load(outlook: Outlook, lang: Lang) -> Table:
    made = table(_heads(lang, "stratum", "count", "per_hour", "volume", "share"))
    for burden in outlook.burdens:
        volume = "–" if burden.volume is None else f"{burden.volume:g}"
        load = "–" if burden.load is None else f"{burden.load:.2%}"
        made.add_row(burden.stratum, str(burden.attempts), f"{burden.per_hour:.2f}", volume, load)
    return made


def _show_prospect(console: Console, loaded: LoadedPlan, prospect: Prospect, lang: Lang) -> None:
    plan, rule = loaded.plan, prospect.rule
    low, high = prospect.interval
    target, expected = percent(plan.target_rate), percent(plan.expected_rate)
    title = f"{WORDS['verdicts'].in_(lang)} · {CHANNELS[prospect.channel].in_(lang)} · ≥ {target}, n = {prospect.n}"
    made = table([WORDS["rate"].in_(lang), *verdict_names(lang)])
    for rate, chance in prospect.chances.items():
        made.add_row(percent(rate), *chances_row(chance))
    show(console, title, made)
    text = _t(
        f"预计 {expected} 时，95 % 区间约 {100 * low:.1f}–{100 * high:.1f} %"
        f"（设计效应 {prospect.design_effect:.2f}，相当于简单随机抽样 {prospect.effective_n} 次）。",
        f"At the expected {expected} the 95 % interval is about {100 * low:.1f}–{100 * high:.1f} % "
        f"(design effect {prospect.design_effect:.2f}, as precise as {prospect.effective_n} plain ones).",
    )
    console.print(RichText(text.in_(lang)), soft_wrap=True)
    console.print(RichText(rule_text(rule, prospect.smallest, prospect.enough).in_(lang)), soft_wrap=True)


def _show_survey(console: Console, outlook: Outlook, lang: Lang) -> None:
    survey = outlook.survey
    if survey is None:
        return
    weeks = ", ".join(f"{week} {count}" for week, count in survey.weeks.items())
    console.print(RichText(f"{WORDS['weeks'].in_(lang)}: {weeks}"), soft_wrap=True)
    if survey.coefficient is not None:
        text = _t(
            f"9.2.2 人工调研样本率平均 {float(survey.mean):.1f} 份/周（最少 {survey.least}），折算系数"
            f" {float(survey.coefficient):g}（{survey.quote}），以有效完成数为准。",
            f"9.2.2: {float(survey.mean):.1f} manual samples a week on average (least {survey.least}), coefficient "
            f"{float(survey.coefficient):g} ({survey.quote}), provided that all of them are valid.",
        )
        console.print(RichText(text.in_(lang)), soft_wrap=True)


def _heads(lang: Lang, *keys: str) -> list[str]:
    return [WORDS[key].in_(lang) for key in keys]
