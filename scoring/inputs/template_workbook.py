"""A workbook of inputs to fill in by hand: the sheets of :mod:`scoring.inputs.sheets`, with what each row means."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties

from scoring.inputs import sheets as layout
from scoring.inputs import words
from scoring.inputs.model import FORMAT, shown
from scoring.inputs.sheets import Column, Sheet
from scoring.scheme import Indicator, Scheme

Row = dict[str, Any]
"""What stands in a row, by column; ``-name`` greys out a field that does not apply to it."""

WEEKS, OCCASIONS, MONTHS = 13, 12, 12  # how many rows or columns are left to fill in
_HEAD = PatternFill("solid", fgColor="1F4E79")
_INPUT = PatternFill("solid", fgColor="FFF9E5")
_NOT_HERE = PatternFill("solid", fgColor="D9D9D9")
_LINE = Side(style="thin", color="BFBFBF")
_BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
_TOP = Alignment(vertical="top", wrap_text=True)

NOTES = (
    "黄色单元格填写，灰色不适用，白色不读取。Fill in yellow cells; grey ones do not apply, white ones are not read.",
    "留空即视为没有给出，不按零计。What is left blank counts as not given, never as zero.",
    "每项指标给数值或得分；规则无换算的指标可同时给。Give a value or a score of each, both where a person scores.",
    "比率写0至1，91.2%写作0.912；设为百分比格式的91.2%也按0.912读取。A ratio is 0 to 1: 91.2 % is 0.912.",
    "时长写秒；得分写0至100；α写0至1。Durations are seconds, scores 0 to 100, alpha 0 to 1.",
    "日期写2026-11-20，月份写2026-08，周写2026-W30（ISO 8601）。Dates, months and ISO weeks are written so.",
    "公式可用，按文件中保存的结果读取。Formulas are fine; the result stored in the file counts.",
    "数字按电子表格的15位读取；更多位数请写成文本。Numbers count with a spreadsheet's 15 digits; write more as text.",
    "可增加行；自用的工作表名称须以“附”开头。Add rows as needed; begin the names of sheets of your own with 附.",
    "不需要的工作表可以删除；不要改动表头。Sheets that are not needed may be deleted; leave the headings alone.",
)


def template_xlsx(scheme: Scheme) -> bytes:
    """Returns the workbook of a scheme as the bytes of an .xlsx file."""
    content = io.BytesIO()
    template_workbook(scheme).save(content)
    return content.getvalue()


def template_workbook(scheme: Scheme) -> Workbook:
    """Returns the workbook of a scheme. It loads as it is, and says nothing until something is filled in."""
    book = Workbook()
    del book["Sheet"]
    book.create_sheet(layout.NOTES)
    _general(book, scheme)
    if scheme.composite.method == "occasions":
        _occasions(book, scheme)
        rows = [{"item": i.id, "name": f"{d.name.zh}·{i.name.zh}"} for d, i in scheme.indicators()]
        _table(book, layout.WAIVED, rows)
    else:
        for table, boost in ((layout.INDICATORS, False), (layout.BOOST, True)):
            _table(book, table, [_given(i, scheme) for d, i in scheme.indicators() if d.boost == boost])
        _months(book, scheme)
        _table(book, layout.FACTORS, [row for _, i in scheme.indicators() for row in _factors(i)])
        _table(book, layout.POINTS, [row for _, i in scheme.indicators() for row in _points(i, scheme)])
        _table(book, layout.QUANTITIES, [row for _, i in scheme.indicators() for row in _quantities(i)])
    _table(book, layout.MATURITY, _maturity(scheme))
    _table(book, layout.REQUIREMENTS, _requirements(scheme))
    checks = [{"id": one.id, "name": words.both(one.name), "clause": one.clause} for one in scheme.checks]
    _table(book, layout.CHECKS, checks)
    _table(book, layout.APPLICATION, _application(scheme))
    _table(book, layout.READINGS, _readings(scheme))
    _notes(book, scheme)
    for sheet in book:
        _heights(sheet)
    return book


def _notes(book: Workbook, scheme: Scheme) -> None:
    sheet = book[layout.NOTES]
    _heads(
        sheet, ("评分输入", f"Inputs of a scoring: {scheme.id} {scheme.standard} {words.both(scheme.title)}"), (16, 110)
    )
    for note in NOTES:
        sheet.append(["填写", note])
    titles = {table.name: words.both(table.title) for table in layout.TABLES}
    titles |= {
        layout.GENERAL: "方案、机构、期间、符合性审查 / scheme, organisation, periods, gate",
        layout.MONTHS: "各月数值，第1行写月份 / values by month; the months go into row 1",
        layout.OCCASIONS: "每人每次测评一列 / one column for each rater and occasion",
    }
    for name in book.sheetnames[1:]:
        sheet.append([name, titles[name]])
    for row in sheet.iter_rows(max_col=2):
        row[0].alignment = row[1].alignment = _TOP


def _general(book: Workbook, scheme: Scheme) -> None:
    sheet = book.create_sheet(layout.GENERAL)
    _heads(sheet, ("项目 item", "内容 value"), (54, 40))
    fixed = {"格式": FORMAT, "方案": scheme.id}
    for number, (zh, (name, kind, _)) in enumerate(layout.GENERAL_ROWS.items(), 2):
        sheet.append([f"{zh} {name.en}", fixed.get(zh)])
        cell = sheet.cell(number, 2)
        cell.border, cell.alignment = _BOX, Alignment(horizontal="left")
        applies = kind != "gate" or scheme.stars is not None
        cell.fill = _INPUT if applies else _NOT_HERE
        if kind == "date":
            cell.number_format = "yyyy-mm-dd"
        elif zh not in fixed:
            cell.number_format = "@"
        if kind == "gate" and applies:
            _list(sheet, tuple(layout.GATES.values()), cell.coordinate)


def _given(indicator: Indicator, scheme: Scheme) -> Row:
    row: Row = {
        "id": indicator.id,
        "name": words.both(indicator.name),
        "unit": words.unit(indicator.unit),
        "clause": "、".join(indicator.clauses),
        "weight": words.weight(indicator, scheme),
        "formula": words.both(indicator.formula) if indicator.formula else None,
        "requirement": words.both(indicator.requirement) if indicator.requirement else None,
        "probe": words.probe(indicator),
        "share": ("value", "low", "high") if indicator.unit == "share" else (),
    }
    return row | (dict.fromkeys(("-value", "-low", "-high")) if indicator.unit is None else {})


def _factors(indicator: Indicator) -> Iterable[Row]:
    borrowed = "" if indicator.factors else "；仅当coverage.borrow_0005为true / only if it is borrowed (X26)"
    for factor in words.factors(indicator):
        for route in factor.routes:
            weekly = route.unit == "per_week"
            row = {
                "id": indicator.id,
                "factor": factor.id,
                "route": route.id,
                "unit": words.unit(route.unit),
                "meaning": f"{words.both(factor.name)}：{words.both(route.name)}{borrowed}",
                "share": ("value",) if route.unit == "share" else (),
            }
            yield row if weekly else row | {"-week": None}
            if weekly:
                yield from [row] * (WEEKS - 1)


def _points(indicator: Indicator, scheme: Scheme) -> Iterable[Row]:
    form = scheme.form(indicator.id)
    for item in form.items if form else ():
        filled = "留空则由数值算出 / left blank, the value fills it" if item.value or item.factor else ""
        unset = "规则未给分值 / points not stated (X20)"
        yield {
            "id": indicator.id,
            "row": item.name.zh,
            "most": shown(item.points) if item.points is not None else "–",
            "content": "；".join(one for one in (item.content, filled, unset if item.points is None else "") if one),
        }


def _quantities(indicator: Indicator) -> Iterable[Row]:
    for one in indicator.thresholds:
        if one.of == "quantity":
            share = ("value",) if one.unit == "share" else ()
            yield {
                "id": indicator.id,
                "quantity": one.quantity.zh,
                "unit": words.unit(one.unit),
                "quote": one.quote,
                "share": share,
            }


def _maturity(scheme: Scheme) -> list[Row]:
    return [
        {"id": item.id, "name": words.both(item.name), "points": shown(item.points), "clause": item.clause}
        for item in (scheme.maturity.items if scheme.maturity else ())
    ]


def _requirements(scheme: Scheme) -> list[Row]:
    return [
        {
            "id": one.id,
            "name": words.both(one.quantity),
            "clause": one.clause,
            "unit": words.unit(one.unit),
            "quote": one.quote,
            "share": ("value",) if one.unit == "share" else (),
        }
        for one in scheme.requirements
    ]


def _application(scheme: Scheme) -> list[Row]:
    return [{"row": row.name.zh, "category": words.both(row.category)} for row in scheme.application]


def _readings(scheme: Scheme) -> list[Row]:
    return [
        {
            "switch": key,
            "default": words.default(switch),
            "choices": words.choices(switch),
            "codes": "、".join(codes),
            "about": words.both(switch.about),
            "list": switch.choices or (("是", "否") if switch.kind == "flag" else ()),
        }
        | ({} if switch.kind == "table" else {"-entry": None, "-row": None})
        for key, (switch, codes) in words.switches_of(scheme).items()
    ]


def _months(book: Workbook, scheme: Scheme) -> None:
    sheet = book.create_sheet(layout.MONTHS)
    titles = (layout.ID.title, "指标 indicator", "单位 unit", *[None] * MONTHS)
    _heads(sheet, titles, (12, 30, 18, *[11] * MONTHS), "D2")
    for column in range(layout.MONTHS_FROM, layout.MONTHS_FROM + MONTHS):
        head = sheet.cell(1, column)
        head.fill, head.border, head.number_format = _INPUT, _BOX, "@"
        head.font = Font(bold=True)
    for indicator in (one for _, one in scheme.indicators() if one.unit is not None):
        sheet.append([indicator.id, words.both(indicator.name), words.unit(indicator.unit)])
        for column in range(layout.MONTHS_FROM, layout.MONTHS_FROM + MONTHS):
            _open(sheet.cell(sheet.max_row, column))
        if indicator.unit == "share":
            row = sheet.max_row
            last = get_column_letter(layout.MONTHS_FROM + MONTHS - 1)
            _between(sheet, 0, 1, f"{get_column_letter(layout.MONTHS_FROM)}{row}:{last}{row}")


def _occasions(book: Workbook, scheme: Scheme) -> None:
    sheet = book.create_sheet(layout.OCCASIONS)
    columns = range(layout.OCCASIONS_FROM, layout.OCCASIONS_FROM + OCCASIONS)
    first, *rest = ((zh, name) for zh, (name, _, _) in layout.OCCASION_ROWS.items())
    levels = "；".join(f"{level.name.zh} {words.span(level)}" for level in scheme.alpha)
    _heads(
        sheet,
        (f"{first[0]} {first[1].en}", f"α: {levels}", "分值 points", *[None] * OCCASIONS),
        (14, 66, 12, *[9] * OCCASIONS),
    )
    for zh, name in rest:
        sheet.append([f"{zh} {name.en}"])
    sheet.append([layout.ID.title, "特性：评价内容 item", None])
    for row in range(1, 2 + len(rest)):
        for column in columns:
            cell = sheet.cell(row, column)
            _open(cell)
            cell.number_format = "yyyy-mm-dd" if row == 1 + len(rest) else "@"
            cell.font = Font(bold=True)
    for dimension, indicator in scheme.indicators():
        sheet.append(
            [indicator.id, f"{dimension.name.zh}·{indicator.name.zh}：{indicator.content}", shown(indicator.weight)]
        )
        for column in range(1, layout.OCCASIONS_FROM):
            sheet.cell(sheet.max_row, column).alignment = _TOP
        for column in columns:
            _open(sheet.cell(sheet.max_row, column))
    area = f"{get_column_letter(columns[0])}{3 + len(rest)}:{get_column_letter(columns[-1])}{sheet.max_row}"
    _between(sheet, 0, 1, area, strict=False)  # the name of a level may stand there, too (T04)
    sheet.freeze_panes = sheet.cell(3 + len(rest), layout.OCCASIONS_FROM)


def _table(book: Workbook, table: Sheet, rows: Iterable[Row]) -> None:
    """Writes one sheet of rows; none where the scheme has nothing for it."""
    rows = list(rows)
    if not rows:
        return
    sheet = book.create_sheet(table.name)
    _heads(sheet, [column.title for column in table.columns], [column.width for column in table.columns], "C2")
    for number, row in enumerate(rows, 2):
        for at, column in enumerate(table.columns, 1):
            cell = sheet.cell(number, at, row.get(column.name))
            cell.alignment, cell.border = _TOP, _BOX
            if column.kind and column.name not in row:
                _open(cell)
                cell.number_format = {"date": "yyyy-mm-dd", "text": "@"}.get(column.kind, "General")
                if f"-{column.name}" in row:
                    cell.fill = _NOT_HERE
                else:
                    _validate(sheet, column, row, cell.coordinate)


def _validate(sheet: Any, column: Column, row: Row, cell: str) -> None:
    if column.name in row.get("share", ()):
        _between(sheet, 0, 1, cell)
    elif column.kind == "score":
        _between(sheet, 0, 100, cell)
    elif column.name == "maturity":
        _list(sheet, ("1", "2", "3", "4", "5"), cell)
    elif column.kind == "met":
        _list(sheet, tuple(layout.METS.values()), cell)
    elif column.kind == "source":
        _list(sheet, tuple(layout.SOURCES.values()), cell)
    elif column.kind == "switch" and row.get("list"):
        _list(sheet, row["list"], cell)


def _open(cell: Any) -> None:
    cell.fill, cell.border = _INPUT, _BOX


def _heads(sheet: Any, titles: Sequence[str | None], widths: Sequence[int], freeze: str = "A2") -> None:
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.append(list(titles))
    for number, (title, width) in enumerate(zip(titles, widths, strict=True), 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
        if title is not None:
            cell = sheet.cell(1, number)
            cell.fill, cell.font, cell.alignment = _HEAD, Font(bold=True, color="FFFFFF"), _TOP
    sheet.freeze_panes = freeze


def _heights(sheet: Any) -> None:
    """Makes each row as high as its wrapped text; a Chinese character is two columns wide."""
    for row in sheet.iter_rows():
        lines = 1
        for cell in row:
            if isinstance(cell.value, str):
                width = sheet.column_dimensions[get_column_letter(cell.column)].width
                lines = max(lines, math.ceil(sum(1 + (ord(one) > 0x2E7F) for one in cell.value) * 1.1 / width))
        sheet.row_dimensions[row[0].row].height = 15 * lines


def _rules(sheet: Any) -> Mapping[tuple[str, ...], DataValidation]:
    return {(rule.type, rule.formula1, rule.formula2 or ""): rule for rule in sheet.data_validations.dataValidation}


def _list(sheet: Any, choices: tuple[str, ...], cell: str) -> None:
    formula = f'"{",".join(choices)}"'
    rule = _rules(sheet).get(("list", formula, ""))
    if rule is None:
        rule = DataValidation(type="list", formula1=formula, allow_blank=True, showErrorMessage=True)
        rule.error, rule.errorTitle = f"请选择：{'、'.join(choices)}", "输入有误"
        sheet.add_data_validation(rule)
    rule.add(cell)


def _between(sheet: Any, low: int, high: int, cells: str, strict: bool = True) -> None:
    rule = _rules(sheet).get(("decimal", str(low), str(high)))
    if rule is None:
        rule = DataValidation(
            type="decimal",
            operator="between",
            formula1=str(low),
            formula2=str(high),
            allow_blank=True,
            showErrorMessage=True,
            errorStyle="stop" if strict else "warning",
        )
        rule.error, rule.errorTitle = f"请填写{low}至{high}的数；91.2%写作0.912。", "输入有误"
        if high == 100:
            rule.error = "请填写0至100的数。"
        sheet.add_data_validation(rule)
    rule.add(cells)
