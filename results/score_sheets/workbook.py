"""A workbook that is printed: styles, pages on A4, formulas that carry their results, and the same bytes each time."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from html import escape
from typing import Literal, get_args

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.worksheet import Worksheet

Kind = Literal["title", "note", "head", "section", "text", "label", "number", "input", "total"]

BODY, HEADING = "宋体", "黑体"
SCORE, RATIO, ALPHA, POINTS_FORM = "0.00", "0.0%", "0.00", "General"
_LINE = Side(style="thin", color="808080")
_BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
_TINTS = {"head": "D9E2EC", "section": "EEF2F6", "input": "FFF7D6", "total": "F2F2F2"}
SIZE = 10.0
_SIZES = {"title": 14.0, "note": 9.0}
_CENTRED = ("title", "head", "label", "number", "input", "total")
PAPER = 770.0, 487.0  # points of a landscape A4 inside its margins
WIDE = 5.25  # points of a column for each digit of its width
NEARLY = 1.15
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FORMULA = re.compile(r'<c r="([A-Z]+[0-9]+)"([^>]*?)><f>(.*?)</f><v\s*(?:/>|></v>)</c>', re.DOTALL)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


@dataclass(frozen=True)
class Live:
    """A formula (without its ``=``) and what it comes to now: None is an empty result."""

    formula: str
    value: Fraction | int | str | None


Content = str | int | Fraction | Live | None


@dataclass
class Page:
    """One sheet. Rows and columns count from 1."""

    sheet: Worksheet
    results: dict[str, Fraction | int | str | None] = field(default_factory=dict)

    def ref(self, row: int, column: int) -> str:
        """Returns how other sheets name a cell."""
        return f"'{self.sheet.title}'!{at(row, column)}"

    def put(self, row: int, column: int, content: Content, kind: Kind = "text", form: str | None = None) -> str:
        """Writes a cell and returns its name on this sheet; ``form`` is its number format."""
        shown = content.value if isinstance(content, Live) else content
        self._grow(row, shown if isinstance(shown, str) else "", self._width(column), kind)
        return self._write(row, column, content, kind, form)

    def row(self, row: int, contents: Sequence[Content], kind: Kind = "text") -> None:
        """Writes a row from its first column on."""
        for column, content in enumerate(contents, 1):
            self.put(row, column, content, kind)

    def across(self, row: int, columns: int, text: str, kind: Kind = "note", first: int = 1) -> None:
        """Writes one text over columns ``first`` to ``columns``, in a row that is high enough for it."""
        for column in range(first, columns + 1):
            self._write(row, column, None, kind)
        self._write(row, first, text, kind)
        self.sheet.merge_cells(start_row=row, start_column=first, end_row=row, end_column=columns)
        self._grow(row, text, sum(self._width(column) for column in range(first, columns + 1)), kind)

    def _write(self, row: int, column: int, content: Content, kind: Kind, form: str | None = None) -> str:
        cell = self.sheet.cell(row, column)
        assert isinstance(cell, Cell)
        if isinstance(content, Live):
            cell.value = f"={content.formula}"
            self.results[cell.coordinate] = content.value
        elif isinstance(content, str):
            cell.value, cell.data_type = _clean(content), "s"  # a text that begins with = is no formula
        elif isinstance(content, Fraction):
            cell.value = number(content)
        else:
            cell.value = content
        cell.style = _style_name(kind)
        if form is not None:
            cell.number_format = form
        return str(cell.coordinate)

    def _grow(self, row: int, text: str, width: float, kind: Kind) -> None:
        """Makes a row as high as its longest text asks."""
        size = self.sheet.row_dimensions[row]
        size.height = max(float(size.height or 0), _height(text, width, _SIZES.get(kind, SIZE)))

    def _width(self, column: int) -> float:
        return float(self.sheet.column_dimensions[get_column_letter(column)].width)

    def allow(self, cells: str, rule: str, *, kind: Literal["custom", "list"] = "custom", say: str) -> None:
        """Refuses entries in ``cells`` unless ``rule`` holds (a formula, or a list in quotes), with a message."""
        check = DataValidation(type=kind, formula1=rule, allow_blank=True, showErrorMessage=True)
        check.errorTitle, check.error = "输入有误", say
        self.sheet.add_data_validation(check)
        check.add(cells)

    def with_results(self, data: bytes) -> bytes:
        """Returns the sheet's XML with the result of each formula in it, for programs that do not calculate.

        Heights of rows stay as they were fitted until somebody writes into the row; then they follow the text.
        """

        def result(found: re.Match[str]) -> str:
            value = self.results.get(found[1])
            text = value is None or isinstance(value, str)
            shown = escape(_clean(str(value or "")), quote=False) if text else repr(number(Fraction(value or 0)))
            kind = ' t="str"' if text else ""
            return f'<c r="{found[1]}"{found[2]}{kind}><f>{found[3]}</f><v>{shown}</v></c>'

        return _FORMULA.sub(result, data.decode()).replace(' customHeight="1"', "").encode()

    def keep(self, first: int) -> None:
        """Prints the rows from ``first`` to the last on one page: all rows if they nearly fit, else after a break."""
        widths = sum(self._width(column) for column in range(1, self.sheet.max_column + 1))
        page = PAPER[1] * widths * WIDE / PAPER[0]  # what fits on a page, once it is as wide as the paper
        heights = [float(self.sheet.row_dimensions[row].height or 0) for row in range(1, self.sheet.max_row + 1)]
        if sum(heights) <= NEARLY * page:
            self.sheet.page_setup.fitToHeight = 1
        elif sum(heights[: first - 1]) % page + sum(heights[first - 1 :]) > page:
            self.sheet.row_breaks.append(Break(id=first - 1))

    def freeze(self, row: int, column: int = 1) -> None:
        """Keeps the rows above ``row`` in sight, and prints the one just above it on every page."""
        self.sheet.freeze_panes = at(row, column)
        self.sheet.print_title_rows = f"{row - 1}:{row - 1}"


class Book:
    """A workbook of pages; ``header`` is printed at the top of each."""

    def __init__(self, header: str, title: str, day: date) -> None:
        self._book = Workbook()
        del self._book[self._book.sheetnames[0]]
        for kind in get_args(Kind):
            self._book.add_named_style(_style(kind))
        self._header, self._pages = header.replace("&", "&&"), list[Page]()
        self._book.calculation.fullCalcOnLoad = True
        properties = self._book.properties
        properties.title, properties.creator = title, "contact-centre-shopper"
        properties.created = datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=None)

    def page(self, name: str, widths: Sequence[float], *, landscape: bool = False) -> Page:
        """Adds a sheet: A4, as wide as the paper, with page numbers. The name is cut and cleaned as the format asks."""
        sheet = self._book.create_sheet(self._free(re.sub(r"[\[\]:*?/\\']", "_", name)))
        for column, width in enumerate(widths, 1):
            sheet.column_dimensions[get_column_letter(column)].width = width
        sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
        sheet.page_setup.orientation = "landscape" if landscape else "portrait"
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.print_options.horizontalCentered = True
        for side in ("left", "right"):
            setattr(sheet.page_margins, side, 0.5)
        sheet.page_margins.top = sheet.page_margins.bottom = 0.75
        sheet.oddHeader.left.text, sheet.oddHeader.left.size = self._header, 8
        sheet.oddFooter.center.text, sheet.oddFooter.center.size = "第 &P 页 共 &N 页", 8
        sheet.sheet_view.showGridLines = False
        page = Page(sheet)
        self._pages.append(page)
        return page

    def second(self, page: Page) -> None:
        """Moves a page to the second place."""
        self._book.move_sheet(page.sheet, 1 - self._pages.index(page))
        self._pages.remove(page)
        self._pages.insert(1, page)

    def _free(self, name: str) -> str:
        taken = {page.sheet.title.casefold() for page in self._pages}
        cut, number = name[:31], 1
        while cut.casefold() in taken:
            number += 1
            cut = f"{name[: 31 - len(str(number)) - 1]} {number}"
        return cut

    def to_bytes(self) -> bytes:
        """Returns the file: each formula with its result, and nothing in it that depends on when it was made."""
        plain, final = io.BytesIO(), io.BytesIO()
        self._book.save(plain)
        created = self._book.properties.created.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(final, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                data = source.read(name)
                if name == "docProps/core.xml":
                    data = _MODIFIED.sub(rb"\g<1>" + created + rb"\g<2>", data)
                elif found := re.fullmatch(r"xl/worksheets/sheet([0-9]+)\.xml", name):
                    data = self._pages[int(found[1]) - 1].with_results(data)
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
                target.writestr(entry, data)
        return final.getvalue()


def at(row: int, column: int) -> str:
    """Returns the name of a cell, ``D5``."""
    return f"{get_column_letter(column)}{row}"


def number(value: Fraction) -> int | float:
    """Returns the nearest number that a cell can hold."""
    return value.numerator if value.denominator == 1 else float(value)


def quoted(text: str) -> str:
    """Returns a text as formulas write it: in pieces, for one may hold 255 letters."""
    pieces = [text[n : n + 250] for n in range(0, len(text), 250)] or [""]
    return "&".join('"' + piece.replace('"', '""') + '"' for piece in pieces)


def literal(value: Fraction | int) -> str:
    """Returns a number as formulas write it."""
    return repr(number(Fraction(value)))


def _clean(text: str) -> str:
    """A text without the control characters that a workbook cannot hold."""
    return ILLEGAL_CHARACTERS_RE.sub("", text)


def _height(text: str, width: float, size: float) -> float:
    """The height in points of a text in a column so many digits wide; a Chinese letter is two digits wide."""
    lines = 0
    for part in text.split("\n"):
        wide = sum(2 if ord(letter) > 0x2E7F else 1 for letter in part) * size / 10.5
        lines += max(1, math.ceil(wide / max(width - 1, 1)))
    return lines * size * 1.4 + 5


def _style_name(kind: Kind) -> str:
    return f"打分表 {kind}"


def _style(kind: Kind) -> NamedStyle:
    """How cells of a kind look; a reader may change it for all of them at once."""
    style = NamedStyle(name=_style_name(kind))
    heading = kind in ("title", "head", "section")
    bold = kind in ("title", "head", "total")
    style.font = Font(name=HEADING if heading else BODY, size=_SIZES.get(kind, SIZE), bold=bold)
    across = "center" if kind in _CENTRED else "left"
    style.alignment = Alignment(horizontal=across, vertical="center", wrap_text=True)
    if kind not in ("title", "note"):
        style.border = _BOX
    if kind in _TINTS:
        style.fill = PatternFill("solid", start_color=_TINTS[kind])
    if kind in ("number", "input", "total"):
        style.number_format = SCORE
    return style
