"""A scorecard of any scheme on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from results import words
from results.words import VERDICTS, both, points
from scenarios.model import Lang, Text
from scoring.measures import MEASURES
from scoring.scorecard import ApplicationRow, Line, Maturity, Range, Scorecard, Stars
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
_WIDE = (1, 4, 7, 9)  # columns that a narrow terminal has no room for; the source then stands below the value
WIDE = 120
_LEAST = 20  # of the name, which would vanish beside columns that are not wrapped
_MOST = {3: 14, 8: 10}  # of a value and of a verdict on a narrow terminal
FEW = 6  # ids listed before a warning
PROFILE = {
    "measured": Text(zh="已测", en="measured"),
    "partly": Text(zh="部分旁证", en="in part"),
    "not_measured": Text(zh="未测", en="not measured"),
    "not_measurable": Text(zh="不可测", en="cannot be measured"),
}
AGREES = {True: Text(zh="一致", en="yes"), False: Text(zh="不一致", en="no")}
WAIVED = Text(zh="不适用", en="waived")
NO_VALUE = Text(zh="部分旁证", en="in part")
CHECKED = Text(zh="无权重要求的符合性检查", en="Requirements without a weight")
NO_GATE = Text(zh="，管理要求符合性审查结论未填（gate）", en=", the gate is not filled in")
UNCERTAINTY = Text(zh="95%不确定区间（蒙特卡罗）", en="95 % interval (Monte-Carlo)")
CHANCES = Text(zh="各档可能性", en="chance of each")
OCCASIONS = Text(zh="各次测评得分", en="Score of each occasion")
MATURITY = Text(zh="管理成熟度", en="Maturity of management")
LEVELS = Text(zh="各条款等级", en="Level of each item")
LEVEL = Text(zh="认证级别", en="Certification level")
READING = Text(zh="读法", en="reading ")


def render(console: Console, card: Scorecard, lang: Lang) -> None:
    """Prints a scorecard: indicators, dimensions, composite, level, requirements, statements, warnings."""
    console.print(_lines(card, lang, console.width))
    console.print(_dimensions(card, lang))
    _composite(console, card, lang)
    if card.stars is not None:
        _level(console, card, card.stars, lang)
    if any(one.status in ("measured", "partly") or one.mapped for one in card.characteristics):
        console.print(_characteristics(card, lang))
    application = [row for row in card.application if (row.target, row.actual, row.measured) != (None, None, None)]
    if application:
        console.print(_application(application, lang))
    _requirements(console, card, lang)
    console.print(RichText(card.basis.in_(lang), style="italic"))
    console.print(RichText(card.decision_rule.in_(lang), style="dim"))
    for key, value in card.readings.items():
        console.print(RichText(f"readings: {key} = {value}", style="magenta"))
    for source in _sources(card, lang):
        console.print(RichText(source, style="dim"), soft_wrap=True)
    for statement in card.statements:
        console.print(RichText(f"{statement.text.in_(lang)} ({statement.key})", style="magenta"))
    for warning in card.warnings:
        about = f" [{' '.join(warning.indicators)}]" if 0 < len(warning.indicators) <= FEW else ""
        console.print(RichText(f"{warning.code}{about} {warning.text.in_(lang)}", style="yellow"), soft_wrap=True)


def _sources(card: Scorecard, lang: Lang) -> Iterator[str]:
    """What the figures come from, so that anybody can tell whether it is what they hold."""
    if card.run is not None:
        run = Text(zh="模拟测试", en="run").in_(lang)
        plan = f", plan sha256 {card.run.plan_sha256}" if card.run.plan_sha256 else ""
        rows = f"observations.csv sha256 {card.run.observations_sha256}"
        yield f"{run} {card.run.id} (n={card.run.sessions}): {rows}{plan}"
    if card.inputs is not None:
        yield f"{Text(zh='输入文件', en='inputs').in_(lang)} {card.inputs}: sha256 {card.inputs_sha256}"


def _requirements(console: Console, card: Scorecard, lang: Lang) -> None:
    """Requirements without a weight: how many were checked, those missed, and what the probes say of them."""
    if not card.requirements:
        return
    checked = [one for one in card.requirements if one.verdict is not None]
    console.print(f"{CHECKED.in_(lang)}: {len(checked)}/{len(card.requirements)}")
    for one in card.requirements:
        if one.verdict is Verdict.FAIL or one.n is not None:
            verdict = "–" if one.verdict is None else VERDICTS[one.verdict].in_(lang)
            value = "" if one.value is None else f" {words.value(one.value, one.unit)}"
            note = f"；{one.note.in_(lang)}" if one.note else ""
            style = STYLES[one.verdict] if one.verdict else "dim"
            console.print(RichText(f"  {one.id} {one.name.in_(lang)}{value}: {verdict}{note}", style=style))


def _lines(card: Scorecard, lang: Lang, width: int) -> Table:
    table = Table(title=words.scheme_text(card, lang), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    shown = [place for place in range(len(_HEADINGS)) if width >= WIDE or place not in _WIDE]
    for place in shown:
        table.add_column(
            _HEADINGS[place][lang == "en"],
            justify="right" if place in _RIGHT else "left",
            overflow="fold",
            no_wrap=place not in (0, 1, 3, 8, 9),
            min_width=_LEAST if place == 0 else None,
            max_width=_MOST.get(place) if width < WIDE else None,
            ratio=1 if place == 0 else None,
        )
    dimension = ""
    for line in card.lines:
        if line.dimension != dimension:
            dimension = line.dimension
            name = next(one.name for one in card.composite.dimensions if one.id == dimension)
            table.add_row(RichText(name.in_(lang), style="bold"))
        cells = _cells(line, lang, narrow=width < WIDE)
        table.add_row(*(cells[place] for place in shown))
    return table


def _cells(line: Line, lang: Lang, *, narrow: bool) -> tuple[str | RichText, ...]:
    verdict = line.verdict
    low, high = line.open
    score = words.score_text(line).replace(" (", "\n(") if line.score is not None else f"{points(low)}–{points(high)}"
    if line.waived:
        score = WAIVED.in_(lang)
    source = SOURCES[line.source] if line.source else NO_VALUE if line.supports else None
    said = "–" if source is None else source.in_(lang)
    value = words.value_text(line)
    if line.interval is not None:
        value += f"\n{words.span(*line.interval, line.unit)}"
    if narrow and source is not None:
        value += f"\n{said}"
    others = [f"{float(k):g}" for k in line.possible if k != line.coefficient]
    coefficient = "–" if line.coefficient is None else "/".join([f"{float(line.coefficient):g}", *others])
    return (
        f"{line.id} {line.name.in_(lang)}",
        ", ".join(line.clauses),
        points(line.weight),
        value,
        said,
        coefficient,
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
    names = [("特性", "Characteristic"), ("模拟测试", "Simulation testing"), ("测量", "Measures")]
    mapped = any(one.mapped for one in card.characteristics)
    for name in (*names, ("对应指标", "Put under")) if mapped else names:
        table.add_column(name[lang == "en"], overflow="fold")
    for one in card.characteristics:
        measures = ("、" if lang == "zh" else ", ").join(MEASURES[id_].name.in_(lang) for id_ in one.metrics)
        cells = (f"{one.id} {one.name.in_(lang)}", PROFILE[one.status].in_(lang), measures)
        table.add_row(*cells, one.mapped or "–") if mapped else table.add_row(*cells)
    return table


def _application(rows: Sequence[ApplicationRow], lang: Lang) -> Table:
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
    for row in rows:
        figures = (row.target, row.actual, row.measured)
        numbers = ["–" if figure is None else words.value(figure, row.unit) for figure in figures]
        agrees = "–" if row.agrees is None else AGREES[row.agrees].in_(lang)
        table.add_row(row.name.in_(lang), *numbers, agrees)
    return table


def span(found: Range) -> str:
    """Returns the value of a range, or its two ends where something is missing."""
    return points(found.value) if found.value is not None else f"{points(found.low)}–{points(found.high)}"


def _composite(console: Console, card: Scorecard, lang: Lang) -> None:
    parts, label = card.composite, words.label
    totals = [
        f"{label('literal', lang)} {span(parts.literal)} / {points(parts.literal.full)}",
        f"{label('normalised', lang)} {span(parts.normalised)} / 100",
    ]
    if parts.headline == "normalised":
        totals.reverse()
    if parts.boost.full:
        totals.append(f"{label('boost', lang)} {span(parts.boost)} / {points(parts.boost.full)}")
    console.print(f"[bold]{label('composite', lang)}[/] ({parts.clause})  {'   '.join(totals)}")
    if len(card.occasions) > 1:
        scores = (f"{one.id} ({one.rater}) {_ends(one.low, one.high)}" for one in card.occasions)
        console.print(RichText(f"{OCCASIONS.in_(lang)}: {', '.join(scores)}"))
    if parts.uncertainty is not None:
        low, high = parts.uncertainty.low.p025, parts.uncertainty.high.p975
        console.print(f"{UNCERTAINTY.in_(lang)}: {label('literal', lang)} {low:.2f}–{high:.2f}")
        for id_, chances in parts.uncertainty.chances.items():
            text = ", ".join(f"{_level_key(key, lang)}: {100 * chance:.0f} %" for key, chance in chances.items())
            console.print(RichText(f"  {id_} {CHANCES.in_(lang)}: {text}", style="dim"))
    console.print(RichText(parts.statement.in_(lang), style="dim"))
    for id_, name in (
        *((line.id, line.name) for line in card.candidates),
        *((one.id, one.name) for one in card.missed),
    ):
        severity = card.severities.get(id_) or label("candidates_note", lang)
        text = f"{label('candidates', lang)}: {id_} {name.in_(lang)} ({severity})"
        console.print(RichText(text, style="red"))


def _level_key(key: str, lang: Lang) -> str:
    return stars_text(None).in_(lang) if key == "none" else key


def _reached(maturity: Maturity) -> str:
    """The level of maturity, or those that are still open."""
    return maturity.name or "–".join(f"{level}" for level in maturity.possible[:: max(1, len(maturity.possible) - 1)])


def _ends(low: Fraction, high: Fraction) -> str:
    return points(low) if low == high else f"{points(low)}–{points(high)}"


def _level(console: Console, card: Scorecard, stars: Stars, lang: Lang) -> None:
    maturity = card.maturity
    if maturity is not None:
        total = _ends(maturity.low, maturity.high)
        console.print(f"[bold]{MATURITY.in_(lang)}[/] {total} / {points(maturity.full)}  {_reached(maturity)}")
        if maturity.items:
            items = "  ".join(f"{id_}: {level}" for id_, level in maturity.items.items())
            console.print(RichText(f"{LEVELS.in_(lang)}  {items}", style="dim"))
    found = ((stars.reading, stars.possible), (stars.other_reading, stars.other_possible))
    results = [
        f"{READING.in_(lang)}{reading}: "
        + " / ".join(stars.label if one == 0 and stars.label else stars_text(one).in_(lang) for one in possible)
        for reading, possible in found
    ]
    gate = NO_GATE.in_(lang) if stars.gate is None else ""
    open_ = "" if stars.decided else f"{VERDICTS[Verdict.OPEN].in_(lang)}{gate}; "
    console.print(RichText.assemble((LEVEL.in_(lang), "bold"), f" {open_}{'；'.join(results)}"))
