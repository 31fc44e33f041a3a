"""A campaign's status on the terminal, once or live, in Chinese or English; readable from 80 columns on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as RichText

from harness.ledger.rows import Attempt, State, Wanted
from harness.status import Status, seconds_up
from results import words
from results.reasons import in_words
from results.run_folder import PlanChange
from results.summary import deviation_text, flow_table
from scenarios.model import Lang, Text


def _t(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


WANTED = {
    Wanted.RUNNING: (_t("进行中", "running"), "green"),
    Wanted.PAUSED: (_t("已暂停", "paused"), "yellow"),
    Wanted.STOPPED: (_t("已终止", "stopped"), "red"),
    Wanted.DONE: (_t("已完成", "done"), "green"),
}
STATES = {State.CLAIMED: _t("已派发", "dispatched"), State.DIALLING: _t("拨打中", "dialling")}
CEILINGS = {
    "at_once": _t("同时", "at once"),
    "per_hour": _t("近一小时", "last hour"),
    "per_day": _t("今日", "today"),
    "minutes": _t("分钟", "minutes"),
    "money": _t("费用", "money"),
}
WAITING = (_t("无执行进程", "no runner at work"), "yellow")
LABELS = {
    "campaign": _t("活动", "Campaign"),
    "runner": _t("执行进程", "Runner"),
    "alive": _t("运行中", "at work"),
    "dead": _t("已中断，下次 run 接续", "died; the next run goes on"),
    "elsewhere": _t("在另一台机器", "on another machine"),
    "none": _t("无", "none"),
    "frozen": _t("方案冻结", "Plan frozen"),
    "not_frozen": _t("尚未（首次拨测时冻结）", "not yet (at the first attempt)"),
    "plan": _t("方案", "Plan"),
    "entries": _t("各入口", "Lines and chats"),
    "entry": _t("入口", "entry"),
    "planned": _t("计划", "planned"),
    "left": _t("待拨", "left"),
    "under_way": _t("进行中", "Under way"),
    "up": _t("进行中", "under way"),
    "outcomes": _t("结果", "outcomes"),
    "next": _t("即将到时", "Next due"),
    "last": _t("最近结束", "Last ended"),
    "ceilings": _t("上限使用", "Ceilings used"),
    "pauses": _t("暂停", "Pauses"),
    "notes": _t("日志", "Diary"),
}


def _label(key: str, lang: Lang) -> str:
    return LABELS[key].in_(lang)


def render(status: Status, lang: Lang) -> RenderableType:
    """Returns the page of ``shopper campaign status``."""
    parts: list[RenderableType] = [_head(status, lang), flow_table(status.flow, lang), _entries(status, lang)]
    parts += _usage(status, lang)
    parts += _attempts(status, lang, live=False)
    parts += _pauses(status, lang)
    parts += _deviations(status, lang)
    if status.notes:
        table = _table(_label("notes", lang))
        for note in status.notes:
            table.add_row(local(note.at), note.kind, RichText(note.text))
        parts.append(table)
    return Group(*parts)


def render_live(status: Status, lang: Lang) -> RenderableType:
    """Returns the page of ``shopper campaign watch``: what moves comes first."""
    parts: list[RenderableType] = [_head(status, lang)]
    parts += _pauses(status, lang)
    parts += _attempts(status, lang, live=True)
    parts.append(flow_table(status.flow, lang))
    return Group(*parts)


def local(at: datetime) -> str:
    """Returns an instant in this machine's own time zone."""
    return f"{at.astimezone():%m-%d %H:%M:%S}"


def _table(title: str, *columns: str, right: tuple[int, ...] = ()) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False,
        show_header=bool(columns),
    )  # fmt: skip
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left")
    return table


def _head(status: Status, lang: Lang) -> RenderableType:
    campaign = status.campaign
    left = campaign.wanted is Wanted.RUNNING and status.alive is False
    name, colour = WAITING if left else WANTED[campaign.wanted]
    title = RichText.assemble((f"{campaign.name}  ", "bold"), (name.in_(lang), f"bold {colour}"))
    if campaign.why:
        title.append(f"  {campaign.why}", "dim")
    host, _, pid, *_ = (campaign.runner or "  ").split(" ")
    alive = {True: "alive", False: "dead", None: "elsewhere"}[status.alive]
    runner = f"{_label(alive, lang)} ({host}, {pid})" if pid else _label("none", lang)
    facts = (
        (_label("campaign", lang), f"{campaign.id} · {campaign.client}"),
        (words.label("as_of", lang), f"{status.now.astimezone():%Y-%m-%d %H:%M:%S %Z}"),
        (_label("runner", lang), runner),
        (_label("plan", lang), campaign.plan_sha256[:16]),
        (_label("frozen", lang), local(campaign.frozen) if campaign.frozen else _label("not_frozen", lang)),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in facts:
        table.add_row(RichText(key, style="dim"), RichText(value))
    return Group(title, table, "")


def _entries(status: Status, lang: Lang) -> Table:
    names = [_label(key, lang) for key in ("entry", "planned", "left", "up", "outcomes")]
    table = _table(_label("entries", lang), *names, right=(1, 2, 3))
    for entry in status.entries:
        outcomes = " · ".join(f"{words.OUTCOMES[name].in_(lang)} {n}" for name, n in entry.outcomes.items())
        name = RichText.assemble(entry.name, (f" {words.CHANNELS[entry.channel].in_(lang)}", "dim"))
        table.add_row(name, str(entry.planned), str(entry.left), str(entry.under_way), outcomes or "–")
    return table


def _attempts(status: Status, lang: Lang, *, live: bool) -> Iterable[RenderableType]:
    if status.under_way or live:
        table = _table(_label("under_way", lang))
        for row in status.under_way:
            seconds = f"{seconds_up(row, status.now):.0f} s"
            table.add_row(_name(row), row.entry, RichText(STATES[row.state].in_(lang), style="cyan"), seconds)
        if not status.under_way:
            table.add_row("–")
        yield table
    if status.next:
        table = _table(_label("next", lang))
        for row in status.next:
            until = f"– {local(row.until)}" if row.until else ""
            table.add_row(_name(row), row.entry, local(row.due), RichText(until, style="dim"))
        yield table
    if live and status.last:
        table = _table(_label("last", lang))
        for row in status.last:
            assert row.ended is not None
            assert row.outcome is not None
            reason = RichText(in_words(row.reason, lang), style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(local(row.ended), _name(row), words.OUTCOMES[row.outcome].in_(lang), reason)
        yield table


def _name(row: Attempt) -> str:
    return f"{'☎' if row.channel == 'voice' else '✉'} {row.id}"


def _usage(status: Status, lang: Lang) -> Iterable[RenderableType]:
    if status.usage:
        parts = [f"{CEILINGS[use.name].in_(lang)} {use.used:.4g}/{use.ceiling:g}" for use in status.usage]
        yield RichText.assemble((f"{_label('ceilings', lang)}  ", "bold"), " · ".join(parts))
        yield ""


def _pauses(status: Status, lang: Lang) -> Iterable[RenderableType]:
    for pause in status.pauses:
        who = pause.entry or status.campaign.name
        said = f"{who}  {local(pause.since)}  {pause.reason}"
        yield RichText.assemble((f"{_label('pauses', lang)}  ", "bold yellow"), said)


def _deviations(status: Status, lang: Lang) -> Iterable[RenderableType]:
    for deviation in status.deviations:
        yield deviation_text(PlanChange(**vars(deviation)), lang)
