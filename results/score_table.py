"""A scorecard of any scheme on the terminal."""

from __future__ import annotations

from fractions import Fraction

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from results import words
from results.words import VERDICTS, both, points
from scenarios.model import Lang, Text
from scoring.measures import MEASURES
from scoring.scorecard import Line, Range, Scorecard, Stars
from scoring.statistics import Verdict
from scoring.warn import stars_text

STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.OPEN: "yellow"}
SOURCES = {
    "probe": Text(zh="模拟测试", en="probes"),
    "system": Text(zh="系统数据", en="system"),
    "survey": Text(zh="客户调查", en="survey"),
    "documents": Text(zh="文档审查", en="documents"),
    "observation": Text(zh="现场观察", en="observation"),
    "entered": Text(zh="录入", en="entered"),
    "person": Text(zh="人工评分", en="a person"),
}
_HEADINGS = (
    ("指标", "Indicator"), ("条款", "Clause"), ("权重", "Weight"), ("值", "Value"), ("来源", "Source"),
    ("系数", "k"), ("得分", "Score"), ("加权", "Weighted"), ("判定", "Verdict"), ("警告", "Codes"),
)  # fmt: skip
_RIGHT = (2, 3, 5, 6, 7)
_WIDE = (1, 9)  # columns that a narrow terminal has no room for
WIDE = 120
PROFILE = {
    "measured": Text(zh="已测", en="measured"),
    "partly": Text(zh="部分旁证", en="in part"),
    "not_measured": Text(zh="未测", en="not measured"),
    "not_measurable": Text(zh="不可测", en="cannot be measured"),
}
AGREES = {True: Text(zh="一致", en="yes"), False: Text(zh="不一致", en="no")}
CHECKED = Text(zh="无权重要求的符合性检查", en="Requirements without a weight")
NO_GATE = Text(zh="，管理要求符合性审查结论未填（gate）", en=", the gate is not filled in")
UNCERTAINTY = Text(zh="95%不确定区间（蒙特卡罗）", en="95 % interval (Monte-Carlo)")


def render(console: Console, card: Scorecard, lang: Lang) -> None:
    """Prints a scorecard: indicators, dimensions, composite, level, requirements, warnings."""
    console.print(_lines(card, lang, console.width))
    console.print(_dimensions(card, lang))
    _composite(console, card, lang)
    if card.stars is not None:
        _level(console, card, card.stars, lang)
    if any(one.status in ("measured", "partly") for one in card.characteristics):
        console.print(_characteristics(card, lang))
    if any(row.actual is not None or row.measured is not None for row in card.application):
        console.print(_application(card, lang))
    checked = [one for one in card.requirements if one.verdict is not None]
    if card.requirements:
        missed = [f"{one.id} {one.name.in_(lang)}" for one in checked if one.verdict is Verdict.FAIL]
        text = f"{CHECKED.in_(lang)}: {len(checked)}/{len(card.requirements)}"
        console.print(text + (f"；{VERDICTS[Verdict.FAIL].in_(lang)}: {'、'.join(missed)}" if missed else ""))
    console.print(RichText(card.basis.in_(lang), style="italic"))
    console.print(RichText(card.decision_rule.in_(lang), style="dim"))
    for key, value in card.readings.items():
        console.print(RichText(f"readings: {key} = {value}", style="magenta"))
    for warning in card.warnings:
        console.print(RichText(f"{warning.code} {warning.text.in_(lang)}", style="yellow"), soft_wrap=True)


def _lines(card: Scorecard, lang: Lang, width: int) -> Table:
    table = Table(title=words.scheme_text(card, lang), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    shown = [place for place in range(len(_HEADINGS)) if width >= WIDE or place not in _WIDE]
    for place in shown:
        table.add_column(
            _HEADINGS[place][lang == "en"],
            justify="right" if place in _RIGHT else "left",
            overflow="fold",
            no_wrap=place not in (0, 1, 9),
            ratio=1 if place == 0 else None,
        )
    dimension = ""
    for line in card.lines:
        if line.dimension != dimension:
            dimension = line.dimension
            name = next(one.name for one in card.composite.dimensions if one.id == dimension)
            table.add_row(RichText(both(name, lang) if width >= WIDE else name.in_(lang), style="bold"))
        cells = _cells(line, lang)
        table.add_row(*(cells[place] for place in shown))
    return table


def _cells(line: Line, lang: Lang) -> tuple[str | RichText, ...]:
    verdict = line.verdict
    low, high = line.open
    score = points(line.score) if line.score is not None else f"{points(low)}–{points(high)}"
    return (
        f"{line.id} {line.name.in_(lang)}",
        ", ".join(line.clauses),
        points(line.weight),
        words.value_text(line),
        "–" if line.source is None else SOURCES[line.source].in_(lang),
        "–" if line.coefficient is None else f"{float(line.coefficient):g}",
        RichText(score, style="" if line.score is not None else "dim"),
        points(line.weighted),
        RichText("–" if verdict is None else VERDICTS[verdict].in_(lang), style=STYLES[verdict] if verdict else ""),
        " ".join(line.warnings),
    )


def _dimensions(card: Scorecard, lang: Lang) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in (("维度", "Dimension"), ("得分", "Score"), ("满分", "Of"), ("%", "%")):
        table.add_column(name[lang == "en"], justify="left" if name[1] == "Dimension" else "right")
    for one in card.composite.dimensions:
        table.add_row(both(one.name, lang), span(one), points(one.full), points(one.percent))
    return table


def _characteristics(card: Scorecard, lang: Lang) -> Table:
    title = Text(zh="服务特性（不计分）", en="Service characteristics (unscored)").in_(lang)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in (("特性", "Characteristic"), ("模拟测试", "Simulation testing"), ("测量", "Measures")):
        table.add_column(name[lang == "en"], overflow="fold")
    for one in card.characteristics:
        measures = "、".join(MEASURES[id_].name.in_(lang) for id_ in one.metrics)
        table.add_row(both(one.name, lang), PROFILE[one.status].in_(lang), measures)
    return table


def _application(card: Scorecard, lang: Lang) -> Table:
    title = Text(zh="A.4 对照", en="A.4, the applicant's figures and ours").in_(lang)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in (
        ("指标", "Figure"),
        ("目标值", "Target"),
        ("实际值", "Actual"),
        ("模拟测试值", "Probes"),
        ("一致性", "Agrees"),
    ):
        table.add_column(name[lang == "en"], justify="left" if name[1] in ("Figure", "Agrees") else "right")
    for row in card.application:
        numbers = [_figure(value, row.unit) for value in (row.target, row.actual, row.measured)]
        agrees = "–" if row.agrees is None else AGREES[row.agrees].in_(lang)
        table.add_row(both(row.name, lang), *numbers, agrees)
    return table


def _figure(value: Fraction | None, unit: str | None) -> str:
    if value is None:
        return "–"
    return words.percent(value) if unit == "share" else f"{float(value):.4g}"


def span(found: Range) -> str:
    """Returns the value of a range, or its two ends where something is missing."""
    return points(found.value) if found.value is not None else f"{points(found.low)}–{points(found.high)}"


def _composite(console: Console, card: Scorecard, lang: Lang) -> None:
    parts, label = card.composite, words.label
    console.print(
        f"[bold]{label('composite', lang)}[/] ({parts.clause})  "
        f"{label('literal', lang)} {span(parts.literal)} / {points(parts.literal.full)}   "
        f"{label('normalised', lang)} {span(parts.normalised)} / 100   "
        f"{label('boost', lang)} {span(parts.boost)} / {points(parts.boost.full)}"
    )
    if parts.uncertainty is not None:
        low, high = parts.uncertainty.low.p025, parts.uncertainty.high.p975
        console.print(f"{UNCERTAINTY.in_(lang)}: {low:.2f} – {high:.2f}")
        for id_, chances in parts.uncertainty.chances.items():
            text = "，".join(f"{key}: {100 * chance:.0f} %" for key, chance in chances.items())
            console.print(RichText(f"  {id_}: {text}", style="dim"))
    console.print(RichText(parts.statement.in_(lang), style="dim"))
    for line in card.candidates:
        text = f"{label('candidates', lang)}: {line.id} {line.name.in_(lang)} ({label('candidates_note', lang)})"
        console.print(RichText(text, style="red"))


def _level(console: Console, card: Scorecard, stars: Stars, lang: Lang) -> None:
    maturity = card.maturity
    if maturity is not None:
        total_ = (
            points(maturity.total) if maturity.total is not None else f"{points(maturity.low)}–{points(maturity.high)}"
        )
        name = Text(zh="管理成熟度", en="Maturity of management").in_(lang)
        console.print(f"[bold]{name}[/] {total_} / {points(maturity.full)}  {maturity.name or '–'}")
    name = Text(zh="认证级别", en="Certification level").in_(lang)
    if stars.decided:
        text = f"{stars.label or stars_text(stars.stars).in_(lang)} ({stars.reading})；{stars.other_reading}: "
        console.print(f"[bold]{name}[/] {text}{stars_text(stars.other).in_(lang)}")
    else:
        open_ = " / ".join(stars_text(one).in_(lang) for one in stars.possible)
        gate = (
            Text(zh="，管理要求符合性审查结论未填", en=", the gate is not filled in").in_(lang)
            if stars.gate is None
            else ""
        )
        console.print(f"[bold]{name}[/] {VERDICTS[Verdict.OPEN].in_(lang)}: {open_}{gate}")
