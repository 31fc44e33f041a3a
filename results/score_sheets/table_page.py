"""打分表 on paper: 评价项目｜评价内容｜分值｜得分｜备注 with 合计, live, and where the summary finds the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from results.score_sheets.remarks import holds
from results.score_sheets.tables import FULL, Row, Table
from results.score_sheets.workbook import POINTS_FORM, SCORE, Book, Live, Page, at, literal, quoted
from scoring.statistics import Verdict

HEADS = ("评价项目", "评价内容", "分值", "得分", "备注")
WIDTHS = (18.0, 32.0, 8.0, 9.0, 31.0)
POINTS, GOT = 3, 4  # columns
FIRST = 4  # row
SIGNED = "评价人员：__________________    复核：__________________    日期：____年____月____日"


@dataclass(frozen=True)
class Place:
    """Where one indicator's score, and the ends of its range, are found: formulas that other sheets may use.

    ``low`` and ``high`` may hold ``{score}``, the cell that ``score`` was put in. ``weight`` is set where the weight is
    a formula, too: a text then stands for an item that does not apply.
    """

    score: str
    low: str
    high: str
    weight: str | None = None


def write(book: Book, table: Table) -> Mapping[str, Place]:
    """Writes a score sheet and returns the places of its indicators, by id."""
    page = book.page(table.sheet, WIDTHS)
    page.across(1, len(HEADS), table.title, "title")
    page.across(2, len(HEADS), table.about)
    page.row(3, HEADS, "head")
    page.freeze(FIRST)
    for number, row in enumerate(table.rows, FIRST):
        _row(page, number, row)
    last = FIRST + len(table.rows) - 1
    _total(page, last + 1, table)
    if table.line is None:
        _range(page, last + 2, table)
        page.across(last + 5, len(HEADS), SIGNED)
        return {row.line.id: _row_place(page, n, row) for n, row in enumerate(table.rows, FIRST) if row.line}
    place = _score(page, last + 2, table)
    page.across(last + 7, len(HEADS), SIGNED)
    return {table.line.id: place}


def _row(page: Page, number: int, row: Row) -> None:
    page.put(number, 1, row.name)
    page.put(number, 2, row.content)
    points = page.put(number, POINTS, row.most, "input" if row.most is None else "number", POINTS_FORM)
    got = page.put(number, GOT, row.got, "input")
    page.put(number, 5, row.remark)
    rule = f"AND(ISNUMBER({got}),{got}>=0,{got}<={points})"
    page.allow(got, rule, say="得分在0与分值之间；先填分值，未评定的留空")
    if row.most is None:
        page.allow(points, f"AND(ISNUMBER({points}),{points}>0)", say="分值为大于0的数")


def _spans(table: Table) -> tuple[str, str]:
    last = FIRST + len(table.rows) - 1
    return f"{at(FIRST, POINTS)}:{at(last, POINTS)}", f"{at(FIRST, GOT)}:{at(last, GOT)}"


def _total(page: Page, number: int, table: Table) -> None:
    points, got = _spans(table)
    count = len(table.rows)
    page.row(number, ("合计", "", None, None, ""), "total")
    page.put(number, POINTS, Live(f'IF(COUNT({points})={count},SUM({points}),"")', table.most), "total", POINTS_FORM)
    page.put(number, GOT, Live(f'IF(COUNT({got})={count},SUM({got}),"")', table.got), "total")


def _range(page: Page, number: int, table: Table) -> None:
    """The range of a table with one indicator a row, in points."""
    points, got = _spans(table)
    low, gaps = table.known
    for n, what, formula, value in (
        (number, "缺项计0分", f"SUM({got})", low),
        (number + 1, "缺项计满分", f'SUM({got})+SUMPRODUCT(({got}="")*{points})', low + gaps),
    ):
        page.row(n, ("合计下限" if n == number else "合计上限", what, None, None, ""))
        page.put(n, GOT, Live(formula, value), "number")


def _row_place(page: Page, number: int, row: Row) -> Place:
    assert row.line is not None
    got, points = page.ref(number, GOT), page.ref(number, POINTS)
    low, high = row.line.open if row.line.score is None else (Fraction(), FULL)
    return Place(
        score=f'IF({got}="","",{got}/{points}*100)',
        low=f'IF({{score}}="",{literal(low)},{{score}})',
        high=f'IF({{score}}="",{literal(high)},{{score}})',
    )


def _remark(table: Table, score: str) -> str | Live:
    """The remark, with the verdicts on the score itself as formulas."""
    if not table.demands:
        return table.remark
    said = f"{table.remark}；" if table.remark else ""
    words, now = [], []
    for rule in table.demands:
        name = f"{rule.quote}："
        yes, no = (name + verdict.value for verdict in (Verdict.PASS, Verdict.FAIL))
        words.append(f"IF({holds(rule, score)},{quoted(yes)},{quoted(no)})")
        now.append(yes if table.score is not None and rule.holds(table.score) else no)
    live = '&"；"&'.join(words)
    value = table.remark if table.score is None else said + "；".join(now)
    return Live(f'IF({score}="",{quoted(table.remark)},{quoted(said)}&{live})', value)


def _score(page: Page, number: int, table: Table) -> Place:
    """百分制得分 of a table of one indicator, the score that may stand in for its rows, and the range."""
    points, got = _spans(table)
    count, scale = len(table.rows), f"100/SUM({points})" if table.to_100 else "1"
    whole = f"AND(COUNT({points})={count},SUM({points})>0)"
    score, direct = at(number, GOT), at(number + 1, GOT)
    filled = f'IF(AND({whole},COUNT({got})={count}),SUM({got})*{scale},"")'
    rows = "合计÷分值合计×100" if table.to_100 else "合计，不折算（X21）"
    page.row(number, ("百分制得分", f"{rows}；填有直接评分的以其为准", FULL, None, table.remark), "total")
    page.put(number, 2, f"{rows}；填有直接评分的以其为准")
    page.put(number, 5, _remark(table, score))
    page.put(number, POINTS, FULL, "total", POINTS_FORM)
    page.put(number, GOT, Live(f'IF({direct}<>"",{direct},{filled})', table.score), "total")
    page.row(number + 1, ("直接评分", "不按上表逐项评分时填写，0～100", None, None, ""))
    page.put(number + 1, POINTS, FULL, "number", POINTS_FORM)
    page.put(number + 1, GOT, table.direct, "input")
    page.allow(direct, f"AND(ISNUMBER({direct}),{direct}>=0,{direct}<=100)", say="0～100的数，不用则留空")
    slack = table.slack
    assert table.line is not None
    ends = table.line.open
    below = f"SUM({got})" + (f"-{literal(slack[0])}" if slack[0] else "")
    above = f'SUM({got})+SUMPRODUCT(({got}="")*{points})' + (f"+{literal(slack[1])}" if slack[1] else "")
    for n, name, what, formula, end in (
        (2, "得分下限", "未评项计0分", below, ends[0]),
        (3, "得分上限", "未评项计满分", above, ends[1]),
    ):
        page.row(number + n, (name, what + ("，含95%区间" if any(slack) else ""), None, None, ""))
        open_ = f"IF({whole},({formula})*{scale},{literal(Fraction(0) if n == 2 else FULL)})"
        value = table.score if table.score is not None else end
        page.put(number + n, GOT, Live(f'IF({score}<>"",{score},{open_})', value), "number", SCORE)
    refs = [page.ref(number + n, GOT) for n in (0, 2, 3)]
    return Place(score=refs[0], low=refs[1], high=refs[2])
