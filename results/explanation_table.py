"""The explanation of one indicator on the terminal."""

from __future__ import annotations

from fractions import Fraction

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from results import words
from results.explanation import Explanation, mean, total
from results.score_table import SOURCES
from results.words import VERDICTS, both, points
from scenarios.model import Lang, Text
from scoring.scorecard import Line
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
    console.print(f"[bold]{line.id} {both(line.name, lang)}[/]  {found.scheme} {', '.join(line.clauses)}")
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(found, lang):
        facts.add_row(name, text)
    console.print(facts)
    if found.entered:
        console.print(_entered(found, lang))
    for left in found.left_out:
        listed = ", ".join(left.attempts[:12]) + (" …" if len(left.attempts) > 12 else "")
        console.print(
            f"{Text(zh='未计入', en='left out').in_(lang)} {len(left.attempts)}: {left.reason.in_(lang)} — {listed}"
        )
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
    value: Fraction = line.probed.value
    shown = words.percent(value) if line.unit == "share" else f"{words.seconds(value)} s"
    interval = "" if line.probed.interval is None else f", 95 % {words.span(*line.probed.interval, line.unit)}"
    return f"{shown} (n={line.probed.n}{interval})" + (" ≠" if line.probed.disagrees else "")


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
