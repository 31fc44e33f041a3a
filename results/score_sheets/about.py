"""说明: which rule, its validity, the readings, the inputs and every warning; nothing vouches for the rule (X01)."""

from __future__ import annotations

from collections.abc import Iterator

from results.score_sheets.workbook import Book, Page
from scoring.scheme import Scheme
from scoring.scorecard import Scorecard

_WIDTHS = (18.0, 78.0)
USAGE = (
    "浅黄色单元格可填写：修改打分表的得分，汇总表随之变动；其余为公式或既定内容，请勿改动。",
    "未评定的得分留空：留空不是零分，汇总表此时只给出区间（缺项计0分至满分）。",
    "标题带“规则缺表”的打分表在规则中没有内容，系按条款生成的草表，采用前须由认证机构确认。",
    "备注栏按评分依据自动填写（方法、n、95%区间、判定、评价人、策略、警示代码），可补充证据编号；修改得分后请同时修订备注。",
)


def write(book: Book, card: Scorecard, scheme: Scheme) -> None:
    """Writes the sheet."""
    page = book.page("说明", _WIDTHS)
    page.across(1, 2, f"{card.title.zh}　打分表", "title")
    page.row(2, ("项目", "内容"), "head")
    page.freeze(3)
    row = 3
    for name, text in _facts(card, scheme):
        row = _fact(page, row, name, text)
    row = _list(page, row, "填写说明", [("", text) for text in USAGE])
    if card.readings:
        row = _list(page, row, "非默认的口径开关", list(card.readings.items()))
    if card.warnings:
        _list(page, row, "规则缺陷与口径说明", [(one.code, one.text.zh) for one in card.warnings])


def _facts(card: Scorecard, scheme: Scheme) -> Iterator[tuple[str, str]]:
    yield "受审核方", card.organisation or ""
    yield "认证规则", f"{card.scheme}（{card.edition}）"
    yield "标准", card.standard
    yield "规则有效期", _validity(card, scheme)
    yield "日期", card.today.isoformat()
    yield "综合评分公式", f"{card.composite.formula.zh}（{card.composite.clause}）"
    yield "结果性质", f"{card.basis.zh}{card.composite.statement.zh}"
    yield "判定规则", card.decision_rule.zh.removeprefix("判定规则：")
    yield "输入文件", card.inputs or "无"
    if card.inputs_sha256:
        yield "输入文件 SHA-256", card.inputs_sha256
    if card.run is not None:
        yield "模拟测试", f"{card.run.id}（{card.run.sessions}次）"
        yield "拨测结果表 SHA-256", card.run.observations_sha256
        yield "拨测计划 SHA-256", card.run.plan_sha256 or "无"
        yield "录音复听", card.run.hearing or "无"


def _validity(card: Scorecard, scheme: Scheme) -> str:
    end = card.valid_to.isoformat() if card.valid_to else "未规定终止日期"
    said = f"{card.valid_from.isoformat()} 至 {end}"
    if scheme.valid_on(card.today):
        return said
    if card.today < card.valid_from:
        return f"{said}；至{card.today.isoformat()}尚未生效，本结果仅供参考"
    return f"{said}；至{card.today.isoformat()}已到期，本结果仅供参考，不得作为有效认证的依据"


def _fact(page: Page, row: int, name: str, text: str) -> int:
    page.put(row, 1, name)
    page.put(row, 2, text)
    return row + 1


def _list(page: Page, row: int, heading: str, lines: list[tuple[str, str]]) -> int:
    page.across(row, 2, heading, "section")
    for name, text in lines:
        row = _fact(page, row + 1, name, text)
        row -= 1
    return row + 1
