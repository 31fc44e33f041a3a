"""汇总: every indicator, the dimensions, and the composite of C.5, by formulas that follow the score sheets' cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from results.score_sheets.remarks import holds, remark, shown
from results.score_sheets.table_page import SIGNED, Place
from results.score_sheets.workbook import POINTS_FORM, RATIO, Book, Live, Page, at, literal, quoted
from scoring.bands import Threshold
from scoring.scheme import Dimension, Indicator, Scheme
from scoring.scorecard import DimensionRange, Line, Range, Scorecard
from scoring.statistics import Verdict

HEADS = ("编号", "指标", "条款", "权重", "值", "系数", "得分", "加权得分", "下限", "上限", "判定", "备注")
WIDTHS = (9.0, 25.0, 15.0, 8.0, 11.0, 7.0, 9.0, 10.0, 9.0, 9.0, 10.0, 46.0)
ID, NAME, CLAUSE, WEIGHT, VALUE, FACTOR, SCORE_, WEIGHTED, LOW, HIGH, VERDICT, REMARK = range(1, 13)
SUMS = (WEIGHTED, LOW, HIGH)
WAIVED = "不适用"
Cells = Mapping[str, tuple[int, Line]]  # row and line of each indicator


@dataclass(frozen=True)
class Total:
    """Where a composite stands on this sheet: its value and the ends of its range."""

    value: str
    low: str
    high: str


def write(book: Book, card: Scorecard, scheme: Scheme, places: Mapping[str, Place], mean: Total | None) -> Total:
    """Writes the summary and returns where the literal composite stands, as other sheets name it.

    Args:
        book: the workbook.
        card: what is known.
        scheme: its scheme.
        places: where the scores are, by the indicator's id.
        mean: where the mean of the occasions is, for a scheme that is scored by them.
    """
    page = book.page("汇总", WIDTHS, landscape=True)
    book.second(page)
    page.across(1, len(HEADS), f"{card.title.zh}　评价得分汇总表", "title")
    page.across(2, len(HEADS), _about(card))
    heads = list(HEADS)
    if mean is not None:
        heads[WEIGHT - 1], heads[VALUE - 1], heads[FACTOR - 1] = "分值", "次数", "均值α"
    page.row(3, heads, "head")
    page.freeze(4, 3)
    row, names = 4, [line.name.zh for line in card.lines]
    cells: dict[str, tuple[int, Line]] = {}
    subtotals: dict[str, int] = {}
    for dimension in scheme.dimensions:
        first = row
        for indicator in dimension.indicators:
            line = card.line(indicator.id)
            name = line.name.zh if names.count(line.name.zh) == 1 else f"{_above(dimension, line)} {line.name.zh}"
            _line(page, row, line, name, places[line.id], indicator)
            cells[line.id] = row, line
            row += 1
        found = next(one for one in card.composite.dimensions if one.id == dimension.id)
        _subtotal(page, row, first, dimension, found)
        subtotals[dimension.id] = row
        row += 1
    total = _composite(page, row + 1, card, scheme, _Terms(card, scheme, cells, subtotals), mean)
    page.keep(row + 1)
    return total


def _above(dimension: Dimension, line: Line) -> str:
    """The name of what an indicator belongs to, for names that occur twice (Z04)."""
    return next((group.name.zh for group in dimension.groups if group.id == line.group), dimension.name.zh)


def _about(card: Scorecard) -> str:
    return (
        f"{card.organisation or '受审核方：__________________'}｜{card.standard}｜{card.scheme} {card.edition}｜"
        f"{card.today.isoformat()}｜得分栏由各打分表自动取数，请在打分表中修改；未评项留空，不计为零"
    )


def _line(page: Page, row: int, line: Line, name: str, place: Place, indicator: Indicator) -> None:
    page.put(row, ID, line.id, "label")
    page.put(row, NAME, name)
    page.put(row, CLAUSE, "、".join(line.clauses))
    due = WAIVED if line.waived else line.weight
    page.put(row, WEIGHT, Live(place.weight, due) if place.weight else due, "number", POINTS_FORM)
    alpha = line.policy == "points_times_alpha"
    if alpha:
        page.put(row, VALUE, line.n, "number", "0")
    else:
        page.put(row, VALUE, shown(line.value, line.unit), "label")
    page.put(row, FACTOR, line.coefficient, "number", "0.000" if alpha else "0.0##")
    score, weight = at(row, SCORE_), at(row, WEIGHT)
    page.put(row, SCORE_, Live(place.score, WAIVED if line.waived else line.score), "number")
    page.put(row, WEIGHTED, Live(f'IF(ISNUMBER({score}),{score}*{weight}/100,"")', line.weighted), "number")
    low, high = (line.score, line.score) if line.score is not None else line.open
    for column, formula, end in ((LOW, place.low, low), (HIGH, place.high, high)):
        counted = f"({formula.format(score=score)})*{weight}/100"
        if place.weight:
            counted = f"IF(ISNUMBER({weight}),{counted},0)"
        now = Fraction() if line.waived else end * line.weight / 100
        page.put(row, column, Live(counted, now), "number")
    page.put(row, VERDICT, _verdict(line, indicator.thresholds, score), "label")
    page.put(row, REMARK, remark(line, indicator))


def _verdict(line: Line, thresholds: Sequence[Threshold], score: str) -> str | Live:
    """The verdict; by a formula where the rule demands a score of so much, so that it follows the score."""
    now = line.verdict.value if line.verdict else ""
    pairs = list(zip(thresholds, line.thresholds, strict=True))
    demanded = [bounds for bounds, _ in pairs if bounds.of == "score"]
    others = [found.verdict for bounds, found in pairs if bounds.of != "score"]
    if not demanded or Verdict.FAIL in others:
        return now
    tests = ",".join(holds(bounds, score) for bounds in demanded)
    blank = Verdict.OPEN.value if any(others) else ""
    met = Verdict.PASS.value if all(verdict is Verdict.PASS for verdict in others) else Verdict.OPEN.value
    formula = f'IF({score}="",{quoted(blank)},IF(AND({tests}),{quoted(met)},{quoted(Verdict.FAIL.value)}))'
    return Live(formula, now)


def _subtotal(page: Page, row: int, first: int, dimension: Dimension, found: DimensionRange) -> None:
    boost = "（提升）" if dimension.boost else ""
    page.row(row, [""] * len(HEADS), "total")
    page.put(row, ID, dimension.id, "total")
    page.put(row, NAME, f"{dimension.name.zh}{boost} 小计", "total")
    page.put(row, CLAUSE, dimension.clause, "total")
    page.put(row, WEIGHT, Live(f"SUM({_span(first, row - 1, WEIGHT)})", found.full), "total", POINTS_FORM)
    rows = _span(first, row - 1, WEIGHTED)
    counted = f"COUNT({_span(first, row - 1, WEIGHT)})"
    page.put(row, WEIGHTED, Live(f'IF(COUNT({rows})={counted},SUM({rows}),"")', found.value), "total")
    for column, end in ((LOW, found.low), (HIGH, found.high)):
        page.put(row, column, Live(f"SUM({_span(first, row - 1, column)})", end), "total")
    page.put(row, SCORE_, _share(row, found), "total", RATIO)
    page.put(row, REMARK, "得分栏为得分率")


def _share(row: int, found: Range) -> Live:
    value, full = at(row, WEIGHTED), at(row, WEIGHT)
    share = None if found.percent is None else found.percent / 100
    return Live(f'IF(OR({value}="",{full}=0),"",{value}/{full})', share)


def _span(first: int, last: int, column: int) -> str:
    return f"{at(first, column)}:{at(last, column)}"


class _Terms:
    """Which cells the base and the boost are sums of."""

    def __init__(self, card: Scorecard, scheme: Scheme, cells: Cells, subtotals: Mapping[str, int]) -> None:
        self._lines = [(row, line) for row, line in cells.values()]
        self._subtotals = subtotals
        self._dimensions = scheme.dimensions

    def of(self, *, boost: bool) -> list[tuple[int, Fraction]]:
        """Returns rows of the sheet, each with the factor it is multiplied by; whole dimensions where they can be."""
        found: list[tuple[int, Fraction]] = []
        for dimension in self._dimensions:
            mine = [(row, line) for row, line in self._lines if line.dimension == dimension.id]
            rows = [row for row, line in mine if line.boost is boost]
            whole = len(rows) == len(mine)
            found += [(row, dimension.factor) for row in ([self._subtotals[dimension.id]] if whole else rows)]
        return found


def _composite(page: Page, row: int, card: Scorecard, scheme: Scheme, terms: _Terms, mean: Total | None) -> Total:
    composite = card.composite
    page.row(row, ("", "综合评价", "条款", "满分", "", "", "得分率", "得分", "下限", "上限", "", "说明"), "head")
    if mean is not None:
        row = _mean(page, row + 1, card, mean)
        page.across(row + 2, len(HEADS), SIGNED)
        return Total(*(page.ref(row, column) for column in SUMS))
    base, boost = terms.of(boost=False), terms.of(boost=True)
    base_row, boost_row = row + 1, row + 2
    _sum(page, base_row, "基础指标合计", composite.clause, composite.base, _sums(base), _added(scheme))
    _sum(page, boost_row, "提升指标合计", "", composite.boost, _sums(boost), "单列（X09）")
    both = [(base_row, Fraction(1)), (boost_row, Fraction(1))] if composite.with_boost else [(base_row, Fraction(1))]
    said = "基础＋提升" if composite.with_boost else "提升指标不计入（C.5、X09）"
    head = {"literal": "综合评价得分（原值）", "normalised": "综合评价得分（归一化）"}
    _sum(page, row + 3, head["literal"], composite.clause, composite.literal, _sums(both), said)
    full = composite.base.full
    scaled = [(base_row, 100 / full)] if full else [(base_row, Fraction(1))]
    said = f"基础指标合计÷{float(full):g}×100"
    _sum(page, row + 4, head["normalised"], "", composite.normalised, _sums(scaled), said)
    page.across(row + 5, len(HEADS), f"{composite.formula.zh}。{composite.statement.zh}")
    page.across(row + 7, len(HEADS), SIGNED)
    return Total(*(page.ref(row + 3, column) for column in SUMS))


def _added(scheme: Scheme) -> str:
    base = [dimension for dimension in scheme.dimensions if not dimension.boost]
    return "＋".join(d.name.zh + (f"×{float(d.factor):.2f}" if d.factor != 1 else "") for d in base)


def _sums(terms: Sequence[tuple[int, Fraction]]) -> Callable[[int], str]:
    """Returns the formula of a column: the sum of the terms, empty while one of them is."""

    def formula(column: int) -> str:
        cells = [(at(row, column), factor) for row, factor in terms]
        added = "+".join(cell if factor == 1 else f"{cell}*{_factor(factor)}" for cell, factor in cells) or "0"
        if column != WEIGHTED or not cells:
            return added
        return f'IF(COUNT({",".join(cell for cell, _ in cells)})={len(cells)},{added},"")'

    return formula


def _factor(factor: Fraction) -> str:
    return f"100/{literal(100 / factor)}" if (100 / factor).denominator == 1 else literal(factor)


def _sum(page: Page, row: int, name: str, clause: str, found: Range, formula: Callable[[int], str], said: str) -> None:
    page.row(row, ["", name, clause, None, "", "", None, None, None, None, "", ""], "total")
    page.put(row, WEIGHT, found.full, "total", POINTS_FORM)
    for column, value in zip(SUMS, (found.value, found.low, found.high), strict=True):
        page.put(row, column, Live(formula(column), value), "total")
    page.put(row, SCORE_, _share(row, found), "total", RATIO)
    page.put(row, REMARK, Live(_missing(row, said), _missing_now(found, said)))


def _missing(row: int, said: str) -> str:
    low, high = at(row, LOW), at(row, HIGH)
    words = f'"有缺项，得分区间 "&TEXT({low},"0.00")&"～"&TEXT({high},"0.00")'
    return f'IF({at(row, WEIGHTED)}="",{words}&{quoted("；" + said)},{quoted(said)})'


def _missing_now(found: Range, said: str) -> str:
    if found.value is not None:
        return said
    return f"有缺项，得分区间 {float(found.low):.2f}～{float(found.high):.2f}；{said}"


def _mean(page: Page, row: int, card: Scorecard, mean: Total) -> int:
    """The total of a scheme that is scored by occasions: the mean that its own sheet has."""
    sources = {WEIGHTED: mean.value, LOW: mean.low, HIGH: mean.high}
    clause, said = card.composite.clause, "各次测评得分的均值；未测项使总分为区间，经批准不适用项不计应得分（T05）"
    _sum(page, row, "服务特性测评得分", clause, card.composite.literal, lambda column: sources[column], said)
    page.across(row + 1, len(HEADS), f"{card.composite.formula.zh}")
    return row
