"""The explanation of one indicator on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from results import words
from results.explanation import Explanation, mean, total
from results.score_table import SOURCES
from results.words import VERDICTS, both, points
from scenarios.model import Lang, Text
from scoring.measures import MEASURES
from scoring.scorecard import Line, Probed
from scoring.warn import POLICIES

SHOWN = 40  # sessions; --json lists all
LISTED = 12  # attempts left out for one reason
_T = {
    name: Text(zh=zh, en=en)
    for name, zh, en in (
        ("formula", "公式", "formula"),
        ("requirement", "要求", "requirement"),
        ("measure", "测量", "measured as"),
        ("weight", "权重", "weight"),
        ("value", "值", "value"),
        ("interval", "95%区间", "95 % interval"),
        ("source", "来源", "source"),
        ("probed", "模拟测试值", "probes say"),
        ("evidence", "旁证", "seen in part"),
        ("alpha", "α", "alpha"),
        ("band", "分档", "band"),
        ("possible", "区间涉及的系数", "coefficients the interval leaves open"),
        ("part", "项", "part"),
        ("threshold", "门槛", "threshold"),
        ("policy", "评分策略", "policy"),
        ("score", "得分", "score"),
        ("left", "未计入", "left out"),
        ("entered", "计入的会话", "sessions that entered"),
    )
}


def render_explanation(console: Console, found: Explanation, lang: Lang) -> None:
    """Prints where one indicator's figure comes from."""
    line = found.line
    title = RichText(f"{line.id} {both(line.name, lang)}", style="bold")
    console.print(title.append(f"  {found.scheme} {', '.join(line.clauses)}", style="not bold"))
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(found, lang):
        facts.add_row(name, RichText(text))
    console.print(facts)
    if found.entered:
        console.print(_entered(found, lang))
    for left in found.left_out:
        listed = ", ".join(left.attempts[:LISTED]) + (" …" if len(left.attempts) > LISTED else "")
        text = f"{_T['left'].in_(lang)} {len(left.attempts)}: {left.reason.in_(lang)} — {listed}"
        console.print(RichText(text))
    for code, warning in found.warnings:
        console.print(RichText(f"{code} {warning.in_(lang)}", style="yellow"))


def _facts(found: Explanation, lang: Lang) -> list[tuple[str, str]]:
    line, indicator, measure = found.line, found.indicator, found.measure
    low, high = line.open
    score = points(line.score) if line.score is not None else f"{points(low)}–{points(high)}"
    origin = (SOURCES[line.source].in_(lang), line.file, line.by, line.at) if line.source else ()
    rows = [
        ("formula", indicator.formula and indicator.formula.in_(lang)),
        ("requirement", indicator.requirement and indicator.requirement.in_(lang)),
        ("measure", measure and f"{measure.name.in_(lang)}: {measure.formula.in_(lang)}"),
        ("weight", points(line.weight)),
        ("value", words.value_text(line)),
        ("interval", line.interval and words.span(*line.interval, line.unit)),
        ("source", ", ".join(part for part in origin if part)),
        ("probed", _probed(line) if line.source != "probe" else None),
        *(("evidence", text) for text in _evidence(line, lang)),
        *(("alpha", f"{id_} ({rater}) {float(alpha):g}") for id_, rater, alpha in found.alphas),
        ("band", line.band and f"{line.band} (k={float(line.coefficient or 0):g})"),
        ("possible", " / ".join(f"{float(k):g}" for k in line.possible) if line.band_verdict == "undecided" else None),
        *(("part", f"{p.name.in_(lang)} {points(p.got)} / {points(p.most)} {p.note}") for p in line.parts),
        *(("threshold", text) for text in _thresholds(line, lang)),
        ("policy", POLICIES[line.policy].in_(lang)),
        ("score", f"{score} / 100；{points(line.weighted)} / {points(line.weight)}"),
    ]
    return [(_T[name].in_(lang), text) for name, text in rows if text]


def _thresholds(line: Line, lang: Lang) -> list[str]:
    return [
        f"{one.quote} → {'–' if one.verdict is None else VERDICTS[one.verdict].in_(lang)}"
        + (f"；{one.note.in_(lang)}" if one.note else "")
        for one in line.thresholds
    ]


def _probed(line: Line) -> str | None:
    if line.probed is None:
        return None
    return _measured(line.probed, line.unit) + (" ≠" if line.probed.disagrees else "")


def _evidence(line: Line, lang: Lang) -> list[str]:
    """What the other measures say that see part of the indicator."""
    units = {"rate": "share", "wait": "seconds"}
    return [
        f"{MEASURES[one.metric].name.in_(lang)} {_measured(one, units[MEASURES[one.metric].kind])}"
        for one in line.evidence
    ]


def _measured(one: Probed, unit: str | None) -> str:
    interval = "" if one.interval is None else f", 95 % {words.span(*one.interval, unit)}"
    return f"{words.value(one.value, unit)} (n={one.n}{interval})"


def _entered(found: Explanation, lang: Lang) -> Table:
    rate = found.measure is not None and found.measure.kind == "rate"
    if rate:
        k, n = total(found.entered)
        head = f"{k} / {n}"
    else:
        average = mean(found.entered)
        head = "–" if average is None else f"{words.seconds(average)} s (n={len(found.entered)})"
    title = f"{_T['entered'].in_(lang)}: {len(found.entered)} → {head}"
    names = ("attempt", "scenario", "entry", "UTC", "outcome", "k/n" if rate else "s")
    table = Table(*names, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for one in found.entered[:SHOWN]:
        value = f"{one.k}/{one.n}" if rate else f"{one.seconds:.3f}"
        table.add_row(one.attempt, one.scenario, one.entry, one.started_utc, one.outcome, value)
    if len(found.entered) > SHOWN:
        table.caption = f"… {len(found.entered) - SHOWN} (--json)"
    return table
