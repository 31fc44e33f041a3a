"""A.4 对照表: the applicant's targets and actual figures, and what simulation testing measured (X40, Z07)."""

from __future__ import annotations

from results.score_sheets.table_page import SIGNED
from results.score_sheets.workbook import POINTS_FORM, Book, Live, Page, at
from results.words import span
from scoring.measures import MEASURES
from scoring.scheme import Application, Scheme
from scoring.scorecard import ApplicationRow, Scorecard

HEADS = ("指标", "目标值", "受审核方实际值", "模拟测试值（95%CI）", "一致性")
_WIDTHS = (24.0, 14.0, 18.0, 34.0, 14.0)
_FORMS = {"share": "0.0%", "seconds": '0.00" s"'}
AGREES, DISAGREES, UNKNOWN = "一致", "不一致，需核实", ""


def write(book: Book, card: Scorecard, scheme: Scheme) -> None:
    """Writes the sheet, if the scheme has such a form."""
    if not card.application:
        return
    page = book.page("A.4 对照表", _WIDTHS)
    page.across(1, len(HEADS), "A.4 绩效指标对照表", "title")
    page.across(
        2,
        len(HEADS),
        "比率填小数或百分数，时间填秒；实际值落在模拟测试95%区间内为一致。模拟测试值仅代表抽测时段，为核查证据",
    )
    page.row(3, HEADS, "head")
    page.freeze(4)
    row, category = 4, ""
    for found, asked in zip(card.application, scheme.application, strict=True):
        if found.category.zh != category:
            category = found.category.zh
            page.across(row, len(HEADS), category, "section")
            row += 1
        _row(page, row, found, _unit(found, asked))
        row += 1
    page.across(row + 1, len(HEADS), SIGNED)


def _unit(found: ApplicationRow, asked: Application) -> str | None:
    if found.unit is None and asked.metric is not None:
        return "share" if MEASURES[asked.metric].kind == "rate" else "seconds"
    return found.unit


def _row(page: Page, row: int, found: ApplicationRow, unit: str | None) -> None:
    form = _FORMS.get(unit or "", POINTS_FORM)
    page.put(row, 1, found.name.zh)
    page.put(row, 2, found.target, "input", form)
    page.put(row, 3, found.actual, "input", form)
    page.put(row, 4, _measured(found, unit), "label")
    page.put(row, 5, _agreement(found, at(row, 3)), "label")


def _measured(found: ApplicationRow, unit: str | None) -> str:
    if found.measured is None:
        return "未测"
    value = found.measured
    said = f"{float(100 * value):.1f} %" if unit == "share" else f"{float(value):.2f}" + (" s" if unit else "")
    if found.interval is not None:
        known = unit in ("share", "seconds")
        between = span(*found.interval, unit) if known else f"{found.interval[0]:g}–{found.interval[1]:g}"
        said += f"（{between}）"
    return said + (f"，n={found.n}" if found.n is not None else "")


def _agreement(found: ApplicationRow, actual: str) -> str | Live:
    """Follows the actual figure, by the interval in full precision."""
    if found.interval is None:
        return UNKNOWN
    low, high = (repr(float(end)) for end in found.interval)
    formula = f'IF({actual}="","",IF(AND({actual}>={low},{actual}<={high}),"{AGREES}","{DISAGREES}"))'
    now = UNKNOWN if found.agrees is None else AGREES if found.agrees else DISAGREES
    return Live(formula, now)
