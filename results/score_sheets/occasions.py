"""服务特性测评评分表 (annex 1 of CTS TBSC97-2026): points x alpha of each occasion, and their mean (5.1.1, 5.1.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from results.score_sheets.remarks import evidence
from results.score_sheets.table_page import SIGNED, Place
from results.score_sheets.totals import WAIVED, Total
from results.score_sheets.workbook import ALPHA, POINTS_FORM, SCORE, Book, Live, Page, at, literal, quoted
from scoring.levels import AlphaLevel
from scoring.scheme import Scheme
from scoring.scorecard import Line, Rated, Scorecard

HEADS = ("服务特性指标", "服务过程质量指标", "评价内容", "单项分值", "体验系数α", "实际得分", "等级", "证据、备注")
WIDTHS = (17.0, 17.0, 34.0, 8.0, 9.0, 9.0, 12.0, 17.0)
POINTS, ALPHA_, GOT = 4, 5, 6
FIRST = 5
BY_RATER, POOLED = "先按评价员", "合并"
ITEM = 8  # first item's row on the sheet of means


@dataclass(frozen=True)
class _Form:
    """Where things stand on the sheet of one occasion."""

    page: Page
    rated: Rated | None

    @property
    def rater(self) -> str:
        return self.page.ref(3, 2)


@dataclass(frozen=True)
class Means:
    """Where the mean of the occasions is, in all and of each item."""

    total: Total
    places: Mapping[str, Place]


def write(book: Book, card: Scorecard, scheme: Scheme) -> Means:
    """Writes a sheet for each occasion (a blank one where there is none) and the sheet of their means."""
    occasions: Sequence[Rated | None] = card.occasions or (None,)
    forms = [_occasion(book, card, scheme, rated) for rated in occasions]
    return _Means(book, card, forms).write()


def _occasion(book: Book, card: Scorecard, scheme: Scheme, rated: Rated | None) -> _Form:
    name = rated.id if rated else "1"
    page = book.page(f"测评 {name}", WIDTHS)
    page.across(1, len(HEADS), "服务特性测评评分表（附录1）", "title")
    page.across(
        2, len(HEADS), "每次测评一张；α为0～1的数，落在五点量表所选等级的区间内；不适用的项填“不适用”，未评的留空"
    )
    page.put(3, 1, "评价员", "label")
    page.put(3, 2, rated.rater if rated else None, "input")
    page.put(3, 3, f"测评编号：{name}")
    page.across(3, 5, "测评时间", "label", first=4)
    page.across(3, len(HEADS), rated.at or "" if rated else "", "input", first=6)
    page.row(4, HEADS, "head")
    page.freeze(FIRST)
    for row, line in enumerate(card.lines, FIRST):
        _item(page, row, line, scheme, rated)
    last = FIRST + len(card.lines) - 1
    _merge(page, card)
    _sums(page, last + 1, card, rated)
    page.across(last + 7, len(HEADS), SIGNED)
    return _Form(page, rated)


def _item(page: Page, row: int, line: Line, scheme: Scheme, rated: Rated | None) -> None:
    dimension = next(one for one in scheme.dimensions if one.id == line.dimension)
    own = scheme.indicator(line.id)
    page.put(row, 1, f"{_clause(dimension.clause)}. {dimension.name.zh}/{float(dimension.weight):g}分")
    number = f"{_clause(line.clauses[0])}. " if "." in line.clauses[0] else ""
    page.put(row, 2, f"{number}{line.name.zh}/{float(line.weight):g}分")
    page.put(row, 3, own.content)
    page.put(row, POINTS, line.weight, "number", POINTS_FORM)
    alpha = _alpha(line, rated)
    cell = page.put(row, ALPHA_, WAIVED if line.waived else alpha, "input", ALPHA)
    page.allow(cell, _rule(cell), say="α为0～1的数；不适用的填“不适用”，未评的留空")
    product = Live(f'IF(ISNUMBER({cell}),{at(row, POINTS)}*{cell},"")', None if alpha is None else line.weight * alpha)
    page.put(row, GOT, product, "number")
    level = "" if alpha is None else next(one.name.zh for one in scheme.alpha if one.holds(alpha))
    page.put(row, 7, Live(_level(cell, scheme.alpha), WAIVED if line.waived else level), "label")
    page.put(row, 8, evidence(line))


def _clause(clause: str) -> str:
    return clause.split()[-1]


def _alpha(line: Line, rated: Rated | None) -> Fraction | None:
    return None if rated is None or line.waived else rated.alphas.get(line.id)


def _rule(cell: str) -> str:
    return f"OR({cell}={quoted(WAIVED)},AND(ISNUMBER({cell}),{cell}>=0,{cell}<=1))"


def _level(cell: str, levels: Sequence[AlphaLevel]) -> str:
    named = quoted(levels[-1].name.zh)
    for level in reversed(levels[:-1]):
        assert level.upper is not None
        sign = "<=" if level.at_most is not None else "<"
        named = f"IF({cell}{sign}{literal(level.upper)},{quoted(level.name.zh)},{named})"
    return f'IF(ISNUMBER({cell}),{named},IF({cell}={quoted(WAIVED)},{quoted(WAIVED)},""))'


def _merge(page: Page, card: Scorecard) -> None:
    """One cell for each characteristic, as the rule prints it."""
    rows = list(enumerate((line.dimension for line in card.lines), FIRST))
    for dimension in dict.fromkeys(of for _, of in rows):
        mine = [row for row, of in rows if of == dimension]
        if len(mine) > 1:
            page.sheet.merge_cells(start_row=mine[0], end_row=mine[-1], start_column=1, end_column=1)


def _sums(page: Page, row: int, card: Scorecard, rated: Rated | None) -> None:
    last = row - 1
    points, alphas, got = (f"{at(FIRST, c)}:{at(last, c)}" for c in (POINTS, ALPHA_, GOT))
    count, waived = len(card.lines), f"COUNTIF({alphas},{quoted(WAIVED)})"
    due_now = sum((line.weight for line in card.lines if not line.waived), Fraction())
    earned = sum((line.weight * (_alpha(line, rated) or 0) for line in card.lines), Fraction())
    low, high = (rated.low, rated.high) if rated else (Fraction(), Fraction(100))
    due = at(row + 1, POINTS)
    open_ = f'SUMPRODUCT(({alphas}="")*{points})'
    score = f'IF(AND(COUNT({alphas})+{waived}={count},{due}>0),SUM({got})/{due}*100,"")'
    for n, name in enumerate(("总计", "应得分", "服务特性测评得分", "得分下限", "得分上限")):
        page.row(row + n, (name, *[""] * (len(HEADS) - 1)), "total" if n < 3 else "text")
    page.put(
        row, POINTS, Live(f"SUM({points})", sum((line.weight for line in card.lines), Fraction())), "total", POINTS_FORM
    )
    page.put(row, GOT, Live(f"SUM({got})", earned), "total")
    page.put(row + 1, 3, "分值总计减不适用项")
    page.put(
        row + 1,
        POINTS,
        Live(f"SUM({points})-SUMPRODUCT(({alphas}={quoted(WAIVED)})*{points})", due_now),
        "total",
        POINTS_FORM,
    )
    page.put(row + 2, 3, "Σ(单项分值×α)÷应得分×100")
    page.put(row + 2, GOT, Live(score, low if rated and low == high else None), "total")
    page.put(row + 3, 3, "未评项计0分")
    page.put(row + 3, GOT, Live(f"IF({due}>0,SUM({got})/{due}*100,0)", low), "number")
    page.put(row + 4, 3, "未评项计满分")
    page.put(row + 4, GOT, Live(f"IF({due}>0,(SUM({got})+{open_})/{due}*100,0)", high), "number")


class _Means:
    """The sheet of means: occasions side by side, each with its weight in the mean (T06)."""

    def __init__(self, book: Book, card: Scorecard, forms: Sequence[_Form]) -> None:
        self._card, self._forms = card, forms
        self._count = len(forms)
        self._last = 3 + self._count  # column
        self._names = {one.id: one.name.zh for one in card.composite.dimensions}
        self._pooled = card.readings.get("mean.order") == "pooled"
        widths = (9.0, 24.0, 8.0, *[11.0] * self._count, 11.0, 11.0, 11.0)
        self._page = book.page("均值", widths, landscape=self._count > 4)

    def write(self) -> Means:
        """Writes it."""
        page, width = self._page, self._last + 3
        page.across(1, width, "服务特性测评得分（各次测评的均值，5.1.2）", "title")
        page.across(2, width, "先按评价员：各评价员内取均值，再对评价员取均值；合并：各次测评同等计（T06）")
        page.put(3, 1, "均值口径", "label")
        order = page.put(3, 2, POOLED if self._pooled else BY_RATER, "input")
        page.allow(order, f'"{BY_RATER},{POOLED}"', kind="list", say="请从列表中选择")
        heads = [form.rated.id if form.rated else "1" for form in self._forms]
        page.row(4, ("编号", "指标", "分值", *heads, "均值", "下限", "上限"), "head")
        page.freeze(5, 4)
        self._weights(order)
        for row, line in enumerate(self._card.lines, ITEM):
            self._item(row, line)
        total = self._scores(ITEM + len(self._card.lines))
        places = {line.id: self._place(row) for row, line in enumerate(self._card.lines, ITEM)}
        return Means(total, places)

    def _span(self, row: int) -> str:
        return (
            f"{at(row, 4)}:{at(row, self._last)}".replace(str(row), f"${row}")
            if row < ITEM
            else (f"{at(row, 4)}:{at(row, self._last)}")
        )

    def _raters(self) -> list[str]:
        return [form.rated.rater if form.rated else "评价员1" for form in self._forms]

    def _weight(self) -> list[Fraction]:
        raters = self._raters()
        if self._pooled:
            return [Fraction(1, len(raters))] * len(raters)
        return [Fraction(1, len(set(raters)) * raters.count(rater)) for rater in raters]

    def _weights(self, order: str) -> None:
        page, raters = self._page, self._raters()
        for row, name in ((5, "评价员"), (6, "该评价员测评次数"), (7, "在均值中的权数")):
            page.row(row, ("", name, *[""] * (self._last + 1)), "section")
        for n, (form, weight) in enumerate(zip(self._forms, self._weight(), strict=True)):
            column = 4 + n
            rater = f'IF({form.rater}="","评价员1",{form.rater})'
            page.put(5, column, Live(rater, raters[n]), "label")
            count = page.put(
                6, column, Live(f"COUNTIF({self._span(5)},{at(5, column)})", raters.count(raters[n])), "label"
            )
            formula = f"IF({order}={quoted(POOLED)},1/{self._count},1/({count}*SUMPRODUCT(1/{self._span(6)})))"
            page.put(7, column, Live(formula, weight), "number", "0.000")

    def _item(self, row: int, line: Line) -> None:
        page = self._page
        page.put(row, 1, line.id, "label")
        page.put(row, 2, f"{_clause(line.clauses[0])} {self._names[line.dimension]} {line.name.zh}")
        page.put(row, 3, line.weight, "number", POINTS_FORM)
        for n, form in enumerate(self._forms):
            cell = form.page.ref(row - ITEM + FIRST, ALPHA_)
            now: Fraction | str | None = WAIVED if line.waived else _alpha(line, form.rated)
            page.put(row, 4 + n, Live(f'IF({cell}="","",{cell})', now), "number", ALPHA)
        values, weights = self._span(row), self._span(7)
        known = f"SUMPRODUCT({weights},{values})"
        waived = f'IF(COUNTIF({values},{quoted(WAIVED)})={self._count},{quoted(WAIVED)},"")'
        mean = f"IF(COUNT({values})={self._count},{known},{waived})"
        low, high = (line.score, line.score) if line.score is not None else line.open
        if line.waived:
            low = high = Fraction()
        score: Fraction | str | None = WAIVED if line.waived else line.score and line.score / 100
        if line.score == 0:
            score = Fraction()
        page.put(row, self._last + 1, Live(mean, score), "total", ALPHA + "0")
        page.put(row, self._last + 2, Live(known, low / 100), "number", ALPHA + "0")
        gaps = f'{known}+SUMPRODUCT(({values}="")*{weights})'
        page.put(row, self._last + 3, Live(gaps, high / 100), "number", ALPHA + "0")

    def _place(self, row: int) -> Place:
        mean, low, high = (self._page.ref(row, self._last + n) for n in (1, 2, 3))
        return Place(
            score=f"IF(ISNUMBER({mean}),{mean}*100,{mean})",
            low=f"{low}*100",
            high=f"{high}*100",
            weight=f"IF({mean}={quoted(WAIVED)},{quoted(WAIVED)},{self._page.ref(row, 3)})",
        )

    def _scores(self, row: int) -> Total:
        """The scores of the occasions and their mean, then the mean in either order and of each rater."""
        page, last, items = self._page, self._last, len(self._card.lines)
        composite = self._card.composite.literal
        names = ("测评得分", "测评得分下限", "测评得分上限")
        for n, name in enumerate(names):
            page.row(row + n, ("", name, *[""] * (last + 1)), "total")
            for column, form in enumerate(self._forms, 4):
                rated, source = form.rated, form.page.ref(FIRST + items + 2 + n, GOT)
                ends = (rated.low, rated.high) if rated else (Fraction(), Fraction(100))
                now = (ends[0] if ends[0] == ends[1] else None, *ends)[n]
                page.put(row + n, column, Live(f'IF({source}="","",{source})', now), "total")
        weights, scores = self._span(7), self._span(row)
        mean = f'IF(COUNT({scores})={self._count},SUMPRODUCT({weights},{scores}),"")'
        page.put(row, last + 1, Live(mean, composite.value), "total")
        page.put(row, last + 2, Live(f"SUMPRODUCT({weights},{self._span(row + 1)})", composite.low), "total")
        page.put(row, last + 3, Live(f"SUMPRODUCT({weights},{self._span(row + 2)})", composite.high), "total")
        self._both(row + 3, scores)
        return Total(*(page.ref(row, last + n) for n in (1, 2, 3)))

    def _both(self, row: int, scores: str) -> None:
        counts, whole = self._span(6), f"COUNT({scores})={self._count}"
        raters, known = self._raters(), [self._now(form) for form in self._forms]
        each = {rater: _mean([k for k, r in zip(known, raters, strict=True) if r == rater]) for rater in raters}
        by_rater = f"SUMPRODUCT(1/{counts},{scores})/SUMPRODUCT(1/{counts})"
        rows = [
            (f"口径“{BY_RATER}”", f'IF({whole},{by_rater},"")', _mean(list(each.values()))),
            (f"口径“{POOLED}”", f'IF({whole},AVERAGE({scores}),"")', _mean(known)),
        ]
        for rater, value in each.items():
            mine = f"({self._span(5)}={quoted(rater)})"
            open_ = f'SUMPRODUCT({mine}*({scores}=""))'
            summed = f"SUMIF({self._span(5)},{quoted(rater)},{scores})/SUMPRODUCT({mine}*1)"
            rows.append((f"评价员 {rater} 均值", f'IF(OR({open_}>0,SUMPRODUCT({mine}*1)=0),"",{summed})', value))
        for n, (name, formula, value) in enumerate(rows):
            self._page.put(row + n, 2, name)
            self._page.put(row + n, 3, "")
            self._page.put(row + n, 4, Live(formula, value), "number", SCORE)

    @staticmethod
    def _now(form: _Form) -> Fraction | None:
        return form.rated.low if form.rated and form.rated.low == form.rated.high else None


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return sum(known, Fraction()) / len(known) if known and len(known) == len(values) else None
