"""The cells of a workbook as plain data: each with its name, its value, and what keeps it from being one.

Anything may stand in a file that ends in .xlsx, so whatever goes wrong below is told as one sentence.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from scenarios.errors import InputsError

MAX_BYTES, MAX_UNPACKED = 10_000_000, 50_000_000
MAX_ROWS, MAX_COLUMNS = 5000, 500
_OLE = b"\xd0\xcf\x11\xe0"
_QUOTED = re.compile(r'"[^"]*"|\\.')


@dataclass(frozen=True)
class Cell:
    """One cell. ``percent``: its number is shown as a percentage; ``problem``: why its value cannot be told."""

    name: str
    row: int
    value: Any = None
    percent: bool = False
    problem: str | None = None
    cure: str | None = None

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return self.value is None and self.problem is None


@dataclass
class Grid:
    """The cells of one sheet that are not blank; rows and columns count from 1."""

    sheet: str
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    rows: int = 0
    columns: int = 0

    def cell(self, row: int, column: int) -> Cell:
        """Returns a cell, blank or not."""
        return self.cells.get((row, column)) or Cell(self.name(row, column), row)

    def name(self, row: int, column: int) -> str:
        """Returns how a cell is called, for example ``得分!C7``."""
        return f"{self.sheet}!{get_column_letter(column)}{row}"


def grids(path: Path, skip: Callable[[str], bool] = lambda name: False) -> tuple[bytes, dict[str, Grid]]:
    """Reads a workbook.

    Args:
        path: the file.
        skip: says of a sheet's name whether it is passed over.

    Returns:
        The file's bytes, and its sheets by name in their order.

    Raises:
        InputsError: it is missing, too large, encrypted, damaged or no .xlsx workbook.
    """
    content = _bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions that openpyxl leaves out
            return content, _grids(path, content, skip)
    except InputsError:
        raise
    except Exception as error:  # openpyxl raises whatever the damage leads to
        cure = "open it in a spreadsheet program and save it again as .xlsx"
        raise InputsError("the workbook is damaged and cannot be read", file=path, cure=cure) from error


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InputsError("there is no such file", file=path, cure="check the path")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        cure = "check its permissions"
        raise InputsError(f"the file cannot be read: {error.strerror}", file=path, cure=cure) from error
    if len(content) > MAX_BYTES:
        raise InputsError("the workbook is larger than 10 MB", file=path, cure="check that it is the right file")
    if content.startswith(_OLE):
        cure = "save it as .xlsx without a password"
        raise InputsError("the workbook is encrypted, or is of the old .xls format", file=path, cure=cure)
    if not zipfile.is_zipfile(io.BytesIO(content)):
        cure = "save it as .xlsx in a spreadsheet program"
        raise InputsError("the file is no .xlsx workbook, or is cut short", file=path, cure=cure)
    return content


def _grids(path: Path, content: bytes, skip: Callable[[str], bool]) -> dict[str, Grid]:
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        if sum(part.file_size for part in parts.infolist()) > MAX_UNPACKED:
            raise InputsError("the workbook unpacks to over 50 MB", file=path, cure="check that it is the right file")
    results = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    formulas = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    found: dict[str, Grid] = {}
    for result, formula in zip(results.worksheets, formulas.worksheets, strict=True):
        name = str(result.title)
        if not skip(name):
            found[name] = _grid(path, name, result, formula)
    return found


def _grid(path: Path, name: str, result: Any, formula: Any) -> Grid:
    grid = Grid(name)
    for sheet in (result, formula):
        sheet.reset_dimensions()  # the size that a file gives of itself may be wrong
    for number, (row, written) in enumerate(zip(result.iter_rows(), formula.iter_rows(), strict=True), 1):
        for column, (one, as_written) in enumerate(zip(row, written, strict=True), 1):
            cell = _cell(grid.name(number, column), number, one, as_written)
            if cell.blank:
                continue
            if number > MAX_ROWS or column > MAX_COLUMNS:
                cure = f"keep to {MAX_ROWS} rows and {MAX_COLUMNS} columns"
                raise InputsError(f"{cell.name}: the sheet is too large", file=path, cure=cure)
            grid.cells[number, column] = cell
            grid.rows, grid.columns = number, max(grid.columns, column)
    return grid


def _cell(name: str, row: int, result: Any, written: Any) -> Cell:
    value = result.value
    if isinstance(value, str):
        value = value.strip() or None
    if value is None:
        if getattr(written, "data_type", "n") != "f" or result.data_type == "str":
            return Cell(name, row)
        problem = "the formula's result is not stored in the file"
        return Cell(
            name, row, None, False, problem, "open it in a spreadsheet program and save it, or write the number"
        )
    if result.data_type == "e":
        return Cell(name, row, value, False, f"the formula's result is an error, {value}", "mend the formula")
    percent = isinstance(value, (int, float)) and "%" in _QUOTED.sub("", result.number_format or "")
    return Cell(name, row, value, percent and not isinstance(value, bool))
