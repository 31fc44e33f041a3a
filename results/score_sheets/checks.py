"""符合性检查: requirements without a weight, met or not, and the service characteristics of the profile."""

from __future__ import annotations

from results.score_sheets.table_page import SIGNED
from results.score_sheets.workbook import Book, Page
from results.words import VERDICTS
from scoring.scheme import Scheme
from scoring.scorecard import RequirementResult, Scorecard

HEADS = ("编号", "条款", "要求", "规则原文", "值", "判定", "备注")
_WIDTHS = (16.0, 9.0, 28.0, 34.0, 12.0, 12.0, 26.0)
_UNITS = {"share": "比率", "seconds": "秒", "points": "分"}
PROFILE = {"measured": "已测", "partly": "部分旁证", "not_measured": "未测", "not_measurable": "模拟测试不可测"}


def write(book: Book, card: Scorecard, scheme: Scheme) -> None:
    """Writes the sheets, where the scheme has such requirements and characteristics."""
    if card.requirements:
        _requirements(book, card, scheme)
    if card.characteristics:
        _characteristics(book, card)


def _requirements(book: Book, card: Scorecard, scheme: Scheme) -> None:
    units = {requirement.id: requirement.unit for requirement in scheme.requirements}
    page = book.page("符合性检查", _WIDTHS)
    page.across(1, len(HEADS), "无权重要求的符合性检查（不计分）", "title")
    page.across(2, len(HEADS), "时长以秒计，比率以0至1计；空白为未检查。判定由审核员确认")
    page.row(3, HEADS, "head")
    page.freeze(4)
    for row, one in enumerate(card.requirements, 4):
        _row(page, row, one, units.get(one.id))
    page.across(len(card.requirements) + 5, len(HEADS), SIGNED)


def _row(page: Page, row: int, one: RequirementResult, unit: str | None) -> None:
    page.put(row, 1, one.id)
    page.put(row, 2, one.clause, "label")
    page.put(row, 3, one.name.zh)
    page.put(row, 4, one.quote)
    page.put(row, 5, one.value, "number", "General")
    page.put(row, 6, "" if one.verdict is None else VERDICTS[one.verdict].zh, "label")
    said = [_UNITS[unit]] if one.value is not None and unit in _UNITS else []
    said += [f"n={one.n}"] if one.n is not None else []
    said += [one.note.zh] if one.note is not None else []
    page.put(row, 7, "；".join(said))


def _characteristics(book: Book, card: Scorecard) -> None:
    heads = ("类别", "特性", "模拟测试", "方法")
    page = book.page("服务特性", (18.0, 20.0, 16.0, 60.0))
    page.across(1, len(heads), "服务特性测评（规则无评分公式，不计分）", "title")
    page.row(2, heads, "head")
    page.freeze(3)
    for row, one in enumerate(card.characteristics, 3):
        page.put(row, 1, one.group.zh)
        page.put(row, 2, one.name.zh)
        page.put(row, 3, PROFILE[one.status], "label")
        page.put(row, 4, one.how.zh)
    page.across(len(card.characteristics) + 4, len(heads), SIGNED)
