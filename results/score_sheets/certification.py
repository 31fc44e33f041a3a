"""成熟度 (annex 3) and 认证级别 (5.3) of CTS TBSC97-2026: levels to points, stars under both readings, the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from results.score_sheets.table_page import SIGNED
from results.score_sheets.totals import Total
from results.score_sheets.workbook import POINTS_FORM, SCORE, Book, Live, Page, at, literal, quoted
from scoring.levels import Maturity, Reading, Rounding, Stars, rounded
from scoring.scheme import Scheme
from scoring.scorecard import Scorecard

NONE = "未达一级"
ROUNDINGS: dict[Rounding, str] = {"none": "不修约", "half_up": "四舍五入", "floor": "舍去小数"}
GATES = {"passed": "通过", "failed": "不通过"}
NO_PASS, PASS, PENDING = "不通过", "通过，无星级", "（待审查结论）"
STARS = {1: "一星级", 2: "二星级", 3: "三星级", 4: "四星级", 5: "五星级"}
READ: dict[Reading, str] = {"A": "A 按星级文字，得分与成熟度同时满足", "B": "B 按表，三行依次为三、四、五星级"}
_CUTS: tuple[Rounding, Rounding] = ("half_up", "floor")
_WIDTHS = (9.0, 34.0, 11.0, 10.0, 9.0, 9.0, 26.0)
_FIRST = 4


@dataclass(frozen=True)
class _Levels:
    """Where the level of the least and of the greatest total stand (numbers; 0 is below the first)."""

    low: str
    high: str
    now: tuple[int, int]


@dataclass(frozen=True)
class _Result:
    """The cell of a reading's result, and what it says now."""

    cell: str
    said: str


def write(book: Book, card: Scorecard, scheme: Scheme, score: Total) -> None:
    """Writes the sheet of maturity and, with it, the one of the stars."""
    if scheme.maturity is None or card.maturity is None:
        return
    levels = _maturity(book, card, scheme.maturity)
    if scheme.stars is not None and card.stars is not None:
        _Decision(book, card, scheme.stars, score, levels).write()


def _maturity(book: Book, card: Scorecard, rule: Maturity) -> _Levels:
    assert card.maturity is not None
    page = book.page("成熟度", _WIDTHS)
    heads = ("编号", "管理要求", "附录4条款", "总分值", "等级", "得分", "理由、证据")
    page.across(1, len(heads), f"管理要求成熟度评分表（{rule.clause}）", "title")
    page.across(2, len(heads), f"等级填1～{rule.steps}（一级…五级），得分＝总分值×等级÷{rule.steps}；未评的留空")
    page.row(3, heads, "head")
    page.freeze(_FIRST)
    given = card.maturity.items
    for row, item in enumerate(rule.items, _FIRST):
        page.put(row, 1, item.id, "label")
        page.put(row, 2, item.name.zh)
        page.put(row, 3, item.clause, "label")
        page.put(row, 4, item.points, "number", POINTS_FORM)
        level = page.put(row, 5, given.get(item.id), "input", "0")
        rule_ = f"AND(ISNUMBER({level}),{level}=INT({level}),{level}>=1,{level}<={rule.steps})"
        page.allow(level, rule_, say=f"等级为1～{rule.steps}的整数")
        got = item.points * given[item.id] / rule.steps if item.id in given else None
        page.put(row, 6, Live(f'IF({level}="","",{at(row, 4)}*{level}/{rule.steps})', got), "number", POINTS_FORM)
        page.put(row, 7, "")
    return _level_rows(page, _FIRST + len(rule.items), card, rule)


def _level_rows(page: Page, row: int, card: Scorecard, rule: Maturity) -> _Levels:
    found, count = card.maturity, len(rule.items)
    assert found is not None
    points, levels, got = (f"{at(_FIRST, c)}:{at(row - 1, c)}" for c in (4, 5, 6))
    known, gaps = f"SUM({got})", f'SUMPRODUCT(({levels}="")*{points})'
    rows = (
        ("总分", f'IF(COUNT({levels})={count},{known},"")', found.total),
        ("总分下限（未评项计一级）", f"{known}+{gaps}/{rule.steps}", found.low),
        (f"总分上限（未评项计{rule.levels[-1].name}）", f"{known}+{gaps}", found.high),
    )
    numbers: list[int] = []
    cells: list[str] = []
    for n, (name, formula, value) in enumerate(rows):
        page.row(row + n, ("", name, "", None, "", None, ""), "total" if n == 0 else "text")
        if n == 0:
            page.put(row, 4, Live(f"SUM({points})", rule.most), "total", POINTS_FORM)
        cell = page.put(row + n, 6, Live(formula, value), "total", POINTS_FORM)
        if n:
            level = rule.level(Fraction(value or 0))
            numbers.append(level.level if level else 0)
            page.put(row + n, 7, Live(_number(rule, cell), numbers[-1]), "label", '"等级数 "0')
            cells.append(page.ref(row + n, 7))
    names = {0: NONE, **{level.level: level.name for level in rule.levels}}
    low, high = (at(row + n, 7) for n in (1, 2))
    words = f'IF({low}={high},{_name(low, names)},{_name(low, names)}&"～"&{_name(high, names)})'
    now = names[numbers[0]] if numbers[0] == numbers[1] else f"{names[numbers[0]]}～{names[numbers[1]]}"
    page.put(row, 7, Live(words, now), "total")
    bands = "；".join(f"{level.name} {_band(rule, n)}" for n, level in enumerate(rule.levels))
    page.across(row + 4, 7, f"分级（{rule.clause}）：{bands}")
    page.across(row + 6, 7, SIGNED)
    return _Levels(cells[0], cells[1], (numbers[0], numbers[1]))


def _band(rule: Maturity, number: int) -> str:
    level = rule.levels[number]
    assert level.lower is not None
    assert level.upper is not None
    return f"[{float(level.lower):g},{float(level.upper):g}{']' if level.at_most is not None else ')'}"


def _number(rule: Maturity, cell: str) -> str:
    """The level of a total, by its lower bounds."""
    formula = "0"
    for level in rule.levels:
        assert level.lower is not None
        sign = ">=" if level.at_least is not None else ">"
        formula = f"IF(ROUND({cell},9){sign}{literal(level.lower)},{level.level},{formula})"
    return formula


def _name(cell: str, names: dict[int, str]) -> str:
    formula = '""'
    for number, name in names.items():
        formula = f"IF({cell}={number},{quoted(name)},{formula})"
    return formula


class _Decision:
    """The sheet that turns score, maturity and gate into a level. A number of stars of -1 is no pass."""

    def __init__(self, book: Book, card: Scorecard, rule: Stars, score: Total, levels: _Levels) -> None:
        assert card.stars is not None
        self._card, self._rule, self._score, self._levels = card, rule, score, levels
        self._found = card.stars
        row1 = card.readings.get("star.row1_label")
        self._names = {-1: NO_PASS, 0: f"通过，{row1}" if row1 else PASS}
        stars = {row.stars for rows in rule.readings.values() for row in rows if row.stars}
        self._names |= {n: STARS.get(n, f"{n}星级") for n in sorted(stars)}
        self._how: Rounding = next((how for how in ROUNDINGS if how == card.readings.get("star.rounding")), "none")
        literal_ = card.composite.literal
        self._ends = rounded(literal_.low, self._how), rounded(literal_.high, self._how)
        self._page = book.page("认证级别", (24.0, 14.0, 12.0, 12.0, 14.0, 14.0, 30.0))

    def write(self) -> None:
        """Writes it."""
        page = self._page
        page.across(1, 7, f"认证级别判定表（{self._rule.clause}）", "title")
        page.across(
            2,
            7,
            f"前提：{self._rule.gate.zh}。星级文字与分级表不一致（T01），两种读法并列，采用读法见下；有缺项时给出可能范围",
        )
        page.row(3, ("依据", "值", "下限", "上限", "", "", "说明"), "head")
        page.freeze(4)
        score = self._card.composite.literal
        self._given(4, "服务特性测评得分", self._sources(), (score.value, score.low, score.high), "取自均值表")
        how = page.put(5, 2, ROUNDINGS[self._how], "input")
        page.allow(how, '"' + ",".join(ROUNDINGS.values()) + '"', kind="list", say="请从列表中选择")
        page.put(5, 1, "得分修约")
        for column in (3, 4, 5, 6):
            page.put(5, column, "")
        page.put(5, 7, "规则未规定修约，默认不修约（T02）")
        self._given(6, "比较用得分", tuple(self._rounded(at(4, c)) for c in (2, 3, 4)), self._compared(), "按上行修约")
        low, high = self._levels.now
        names = ("", self._levels.low, self._levels.high)
        self._given(7, "成熟度等级", names, (None, Fraction(low), Fraction(high)), "取自成熟度表；0为未达一级", "0")
        page.put(8, 1, "管理要求符合性审查")
        gate = page.put(8, 2, GATES.get(self._found.gate or ""), "input")
        page.allow(gate, '"' + ",".join(GATES.values()) + '"', kind="list", say="请从列表中选择")
        page.put(9, 1, "采用读法")
        reading = page.put(9, 2, self._found.reading, "input")
        page.allow(reading, '"' + ",".join(READ) + '"', kind="list", say="A 或 B")
        for row in (8, 9):
            for column in (3, 4, 5, 6, 7):
                page.put(row, column, "")
        page.put(8, 7, "由审核组填写；未通过则不授予任何级别（T12）")
        row = 11
        results: dict[Reading, _Result] = {}
        for one in self._rule.readings:
            row, results[one] = self._reading(row, one, gate)
        self._conclusion(row, reading, results)

    def _sources(self) -> tuple[str, str, str]:
        value = self._score.value
        return f'IF({value}="","",{value})', self._score.low, self._score.high

    def _given(
        self,
        row: int,
        name: str,
        formulas: Sequence[str],
        values: Sequence[Fraction | None],
        said: str,
        form: str = SCORE,
    ) -> None:
        page = self._page
        page.row(row, (name, "", "", "", "", "", said))
        for column, (formula, value) in enumerate(zip(formulas, values, strict=True), 2):
            page.put(row, column, Live(formula, value) if formula else "", "number", form)

    def _rounded(self, cell: str) -> str:
        """ROUND(…, 9) takes away what binary fractions add; it moves no score that was entered."""
        exact, how = f"ROUND({cell},9)", at(5, 2)
        half, cut = (quoted(ROUNDINGS[one]) for one in _CUTS)
        return f'IF({cell}="","",IF({how}={half},INT({exact}+0.5),IF({how}={cut},INT({exact}),{exact})))'

    def _compared(self) -> tuple[Fraction | None, Fraction, Fraction]:
        score = self._card.composite.literal
        value = None if score.value is None else rounded(score.value, self._how)
        return value, *self._ends

    def _reading(self, row: int, reading: Reading, gate: str) -> tuple[int, _Result]:
        """Writes the rows of one reading and its result; returns the next row and the result."""
        page, rows = self._page, sorted(self._rule.readings[reading], key=lambda one: -one.stars)
        page.across(row, 7, f"读法 {READ[reading]}", "section")
        page.row(row + 1, ("级别", "得分≥", "成熟度≥", "", "下限时满足", "上限时满足", ""), "head")
        first, last = row + 2, row + 2 + len(rows)
        for n, one in enumerate(rows, first):
            page.row(n, (self._names[one.stars], None, None, "", None, None, ""))
            page.put(n, 2, one.score, "number", POINTS_FORM)
            page.put(n, 3, one.maturity, "number", "0")
        page.row(last, (f"读法{reading}结果", None, "", "", None, None, ""), "total")
        stars = []
        for end, column in enumerate((5, 6)):
            score, level = self._ends[end], self._levels.now[end]
            for n, one in enumerate(rows, first):
                holds = f"AND({at(6, 3 + end)}>={at(n, 2)},{at(7, 3 + end)}>={at(n, 3)})"
                now = "是" if score >= one.score and level >= one.maturity else "否"
                page.put(n, column, Live(f'IF({holds},"是","否")', now), "label")
            best = self._rule.stars(score, level, reading)
            stars.append(-1 if best is None else best)
            formula = "-1"
            for n, one in reversed(list(enumerate(rows, first))):
                formula = f'IF({at(n, column)}="是",{one.stars},{formula})'
            page.put(last, column, Live(formula, stars[-1]), "total", f'0;"{NO_PASS}";0')
        said = self._said(stars)
        cell = page.put(last, 2, Live(self._words(at(last, 5), at(last, 6), gate), said), "total")
        return last + 2, _Result(cell, said)

    def _words(self, low: str, high: str, gate: str) -> str:
        lowest, highest = (_name(cell, self._names) for cell in (low, high))
        pending = f'{lowest}&IF({gate}={quoted(GATES["passed"])},"",{quoted(PENDING)})'
        same = f"IF({low}=-1,{quoted(NO_PASS)},{pending})"
        several = f'{lowest}&"～"&{highest}'
        return f"IF({gate}={quoted(GATES['failed'])},{quoted(NO_PASS)},IF({low}={high},{same},{several}))"

    def _said(self, stars: Sequence[int]) -> str:
        if self._found.gate == "failed":
            return NO_PASS
        low, high = (self._names[number] for number in stars)
        if stars[0] != stars[1]:
            return f"{low}～{high}"
        return low if stars[0] == -1 or self._found.gate else low + PENDING

    def _conclusion(self, row: int, reading: str, results: dict[Reading, _Result]) -> None:
        page, a, b = self._page, results["A"], results["B"]
        page.row(row, ("判定结果（采用读法）", None, "", "", "", "", "仅为计算结果，认证决定由认证机构作出"), "total")
        now = b.said if self._found.reading == "B" else a.said
        page.put(row, 2, Live(f'IF({reading}="B",{b.cell},{a.cell})', now), "total")
        page.across(row + 2, 7, SIGNED)
