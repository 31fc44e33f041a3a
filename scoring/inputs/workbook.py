"""Reads a workbook of inputs (.xlsx): the same content as the YAML file, each mistake told with its cell (``得分!C7``).

A cell counts as what it shows: a formula by the result stored with it, a number by the 15 digits that a spreadsheet
keeps, 91.2 % as 0.912. What cannot be told for certain is refused.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scenarios.errors import InputsError
from scenarios.explain import explain
from scenarios.yaml_file import Path_, Place
from scoring.defects import switches
from scoring.inputs import Entered, Inputs, Places, check
from scoring.inputs import sheets as layout
from scoring.inputs.cells import Cell, Grid, grids
from scoring.inputs.fit import figures
from scoring.inputs.sheets import Column, Kind, Sheet
from scoring.scheme import Scheme


def read(path: Path, scheme: Scheme) -> Entered:
    """Reads a workbook of inputs and holds it against its scheme.

    Args:
        path: an .xlsx file, at most 10 MB.
        scheme: tells where an indicator belongs, and which cells may be percentages.

    Raises:
        InputsError: the file is no workbook, or the first mistake in it with its cell.
    """
    content, sheets = grids(path, lambda name: name == layout.NOTES or name.startswith(layout.OWN))
    book = _Book(path, scheme)
    for name, grid in sheets.items():
        if grid.cells:
            book.sheet(name, grid)
    if ("scheme",) not in book.cells:
        cure = f"write {scheme.id} beside 方案 in the sheet {layout.GENERAL}"
        raise InputsError("the workbook does not say of which scheme it is", file=path, cure=cure)
    places = Places(str(path), cells=book.cells)
    entered = check(book.inputs(places), scheme, places, hashlib.sha256(content).hexdigest())
    allowed = {figure.path for figure in figures(entered.inputs, scheme, entered.readings) if figure.percent}
    for at, cell in book.percent.items():
        if at not in allowed:
            shown = f"{cell.value * 100:.15g}"
            raise book.error(cell, f"shows a percentage, {shown}%, where no ratio belongs", f"write {shown}")
    return entered


@dataclass
class _Book:
    """The inputs as they are gathered from cells."""

    path: Path
    scheme: Scheme
    data: dict[Any, Any] = field(default_factory=dict)
    cells: dict[Path_, str] = field(default_factory=dict)
    percent: dict[Path_, Cell] = field(default_factory=dict)
    waived: dict[str, int] = field(default_factory=dict)

    def inputs(self, places: Places) -> Inputs:
        """Returns the inputs.

        Raises:
            InputsError: the first cell that cannot be what it should be.
        """
        lists = {block: list(self.data[block].values()) for block in ("occasions", "waived") if block in self.data}
        try:
            return Inputs.model_validate(self.data | lists)
        except ValidationError as wrong:
            raise self._explained(wrong, places) from wrong

    def sheet(self, name: str, grid: Grid) -> None:
        """Takes in one sheet."""
        table = next((table for table in layout.TABLES if table.name == name), None)
        if table is not None:
            self._table(table, grid)
        elif name == layout.GENERAL:
            self._general(grid)
        elif name == layout.MONTHS:
            self._months(grid)
        elif name == layout.OCCASIONS:
            self._occasions(grid)
        else:
            known = f"the sheets are {'、'.join(layout.NAMES)}; begin the name of a sheet of your own with {layout.OWN}"
            raise InputsError(f"there is no sheet {name} in a workbook of inputs", file=self.path, cure=known)

    def error(self, cell: Cell, message: str, cure: str | None = None) -> InputsError:
        """Returns the error that names the cell."""
        return InputsError(f"{cell.name}: {message}", file=self.path, cure=cure)

    def put(self, path: Path_, value: Any, cell: Cell, about: Cell | None = None) -> None:
        """Puts a value where its key belongs.

        Args:
            path: the key.
            value: what was read.
            cell: where it stands.
            about: the cell that names what it is about.
        """
        if path[0] == "waived":
            path = ("waived", self.waived.setdefault(str(path[1]), len(self.waived)), *path[2:])
        if path in self.cells:
            raise self.error(cell, f"the same is given in {self.cells[path]} already", "keep one of the two")
        into = self.data
        for at, part in enumerate(path[:-1]):
            into = into.setdefault(part, {})
            self.cells.setdefault(path[: at + 1], (about or cell).name)
            if not isinstance(into, dict):
                other = self.cells[path[: at + 1]]
                raise self.error(cell, f"this goes further into what {other} gives as one value", "keep one of the two")
        into[path[-1]] = value
        self.cells[path] = cell.name
        if cell.percent and isinstance(value, Fraction):
            self.percent[path] = cell

    def value(self, cell: Cell, kind: Kind, switch: str = "") -> Any:
        """Returns what a cell says, or None if it is blank.

        Raises:
            InputsError: it cannot be what belongs there.
        """
        if cell.problem:
            raise self.error(cell, cell.problem, cell.cure)
        value = cell.value
        if value is None:
            return None
        match kind:
            case "number" | "score":
                return self._number(cell)
            case "whole":
                if cell.percent:
                    raise self.error(cell, "shows a percentage, and a whole number belongs here", "write digits")
                return int(value) if _whole(value) else value
            case "text":
                return self._text(cell)
            case "date":
                return _date(value)
            case "met":
                return self._choice(cell, {words: met for met, words in layout.METS.items()})
            case "source":
                return self._choice(cell, {words: source for source, words in layout.SOURCES.items()})
            case "gate":
                return self._choice(cell, {words: gate for gate, words in layout.GATES.items()})
            case "switch":
                return self._switch(cell, switch)

    def _number(self, cell: Cell) -> Any:
        value = cell.value
        if isinstance(value, (date, time, timedelta)):
            raise self.error(cell, "holds a date or a time of day, not a number", "write seconds as a number, 6.2")
        if isinstance(value, float) and math.isfinite(value):
            return Fraction(f"{value:.15g}")
        return Fraction(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def _text(self, cell: Cell) -> str:
        value = cell.value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise self.error(cell, "must be text", "format the cell as text and write it again")
        return value

    def _choice(self, cell: Cell, choices: dict[str, Any]) -> Any:
        value = cell.value
        if isinstance(value, str) and value in choices:
            return choices[value]
        if isinstance(value, (str, bool)) and value in choices.values():
            return value
        raise self.error(cell, f"must be one of: {'、'.join(choices)}", f"it is {value}")

    def _switch(self, cell: Cell, key: str) -> Any:
        """A reading's value in the type that a YAML file would give it."""
        value = cell.value
        switch = switches().get(key)
        if cell.percent:
            raise self.error(cell, "shows a percentage, and no ratio belongs here", "write a plain number")
        if isinstance(value, (time, timedelta)):
            raise self.error(cell, "holds a time of day", "format the cell as text and write it again")
        if isinstance(value, date):
            return _date(value).isoformat()
        if switch is not None and switch.kind == "flag" and isinstance(value, str):
            words: dict[str, bool] = {"是": True, "否": False, "true": True, "false": False}
            return words.get(value.lower(), value)
        if isinstance(value, float) and math.isfinite(value):
            exact = Fraction(f"{value:.15g}")
            return int(exact) if exact.denominator == 1 else float(exact)
        return value

    def _columns(self, table: Sheet, grid: Grid) -> dict[str, int]:
        """Returns the number of each column that is read."""
        found: dict[str, int] = {}
        for number in range(1, grid.columns + 1):
            cell = grid.cell(1, number)
            word = str(cell.value).split()[0] if cell.value is not None and str(cell.value).split() else ""
            column = next((one for one in table.columns if one.heading.zh == word), None)
            if column is not None and column.name in found:
                raise self.error(cell, f"the heading {word} occurs twice", "rename one of the two")
            if column is not None:
                found[column.name] = number
        for column in (*table.keys, *table.fields):
            if column.name not in found:
                cell = grid.cell(1, 1)
                cure = "write it in row 1, as 'shopper score inputs-template' does"
                raise self.error(cell, f"the heading {column.heading.zh} is missing in this sheet", cure)
        return found

    def _table(self, table: Sheet, grid: Grid) -> None:
        columns = self._columns(table, grid)
        for row in range(2, grid.rows + 1):
            keys = [(column, grid.cell(row, columns[column.name])) for column in table.keys]
            fields = [(column, grid.cell(row, columns[column.name])) for column in table.fields]
            typed = [cell for column, cell in keys if column.optional and not cell.blank]
            said = [cell for _, cell in fields if not cell.blank]
            if not said and not typed:
                continue
            names = self._names(keys)
            if not said:
                raise self.error(fields[0][1], f"there is no {fields[0][0].heading.zh}", "fill it in")
            for column, cell in fields:
                value = self.value(cell, column.kind or "text", names[0])
                if value is not None:
                    self.put(table.path(self.scheme, names, column.name), value, cell, keys[0][1])
            if table is layout.WAIVED:
                self.put(("waived", names[0], "item"), names[0], keys[0][1])

    def _names(self, keys: list[tuple[Column, Cell]]) -> tuple[str, ...]:
        names: list[str] = []
        gap: Cell | None = None
        for column, cell in keys:
            name = self.value(cell, "text")
            if name is None and not column.optional:
                raise self.error(cell, f"the row does not say of which {column.heading.zh} it is", "fill it in")
            if name is not None and gap is not None:
                raise self.error(gap, "is blank, though the cell after it is not", "fill it in")
            if name is None:
                gap = cell
            else:
                names.append(name)
        return tuple(names)

    def _general(self, grid: Grid) -> None:
        for row in range(1, grid.rows + 1):
            label, cell = grid.cell(row, 1), grid.cell(row, 2)
            words = str(label.value).split() if label.value is not None else []
            found = layout.GENERAL_ROWS.get(words[0]) if words else None
            if found is None:
                if row > 1 and not cell.blank:
                    raise self.error(label, "says nothing that is known", f"one of: {'、'.join(layout.GENERAL_ROWS)}")
                continue
            value = self.value(cell, found[1])
            if value is not None:
                self.put(found[2], value, cell)

    def _months(self, grid: Grid) -> None:
        heads: dict[str, Cell] = {}
        months: dict[int, str] = {}
        for number in range(layout.MONTHS_FROM, grid.columns + 1):
            head = grid.cell(1, number)
            month = self._month(head)
            if month is None:
                continue
            if month in heads:
                raise self.error(head, f"month {month} stands in {heads[month].name} already", "keep one of the two")
            heads[month], months[number] = head, month
        for row in range(2, grid.rows + 1):
            for number in range(layout.MONTHS_FROM, grid.columns + 1):
                cell = grid.cell(row, number)
                value = self.value(cell, "number")
                if value is None:
                    continue
                if number not in months:
                    raise self.error(grid.cell(1, number), "the column has no month", "write it in row 1: 2026-08")
                (id_,) = self._names([(layout.ID, grid.cell(row, 1))])
                path: Path_ = (layout.block_of(self.scheme, id_), id_, "months", months[number])
                self.put(path, value, cell, grid.cell(row, 1))

    def _month(self, head: Cell) -> str | None:
        """A spreadsheet turns 2026-08 into the first of August unless the cell is text."""
        value = head.value
        if isinstance(value, datetime) and not head.problem:
            if value.day != 1 or value.time() != time():
                raise self.error(head, f"is the day {value.date()}, not a month", "format it as text and write 2026-08")
            return f"{value.year:04d}-{value.month:02d}"
        found = self.value(head, "text")
        return None if found is None else str(found)

    def _occasions(self, grid: Grid) -> None:
        rows: dict[str, int] = {}
        items: dict[int, str] = {}
        for row in range(1, grid.rows + 1):
            name = self.value(grid.cell(row, 1), "text")
            word = name.split()[0] if name and name.split() else ""
            if word in layout.OCCASION_ROWS:
                if word in rows:
                    raise self.error(grid.cell(row, 1), f"the row {word} occurs twice", "remove one of the two")
                rows[word] = row
            elif name and word != layout.ID.heading.zh:
                items[row] = name
        for word in layout.OCCASION_ROWS:
            if word not in rows:
                cure = "write it in column A, as 'shopper score inputs-template' does"
                raise self.error(grid.cell(1, 1), f"the row {word} is missing in this sheet", cure)
        for number in range(layout.OCCASIONS_FROM, grid.columns + 1):
            filled = [cell for (_, column), cell in sorted(grid.cells.items()) if column == number]
            if filled:
                self._occasion(len(self.data.get("occasions", ())), number, filled, grid, rows, items)

    def _occasion(
        self, at: int, number: int, filled: list[Cell], grid: Grid, rows: dict[str, int], items: dict[int, str]
    ) -> None:
        head = grid.cell(rows["测评次"], number)
        for word in ("测评次", "评价员"):
            if grid.cell(rows[word], number).blank:
                raise self.error(grid.cell(rows[word], number), f"the column has no {word}", "fill it in")
        for word, (_, kind, key) in layout.OCCASION_ROWS.items():
            cell = grid.cell(rows[word], number)
            value = self.value(cell, kind)
            if value is not None:
                self.put(("occasions", at, key), value, cell, head)
        for cell in filled:
            if cell.row in items:
                value = self.value(cell, "number")
                self.put(("occasions", at, "alpha", items[cell.row]), value, cell, head)
            elif cell.row not in rows.values():
                raise self.error(cell, "the row does not say of which item it is", "write the item's id in column A")

    def _explained(self, wrong: ValidationError, places: Places) -> InputsError:
        """Returns the first complaint, with its cell."""
        names = list(self.cells.values())
        order = {path: Place(at, 1) for at, path in enumerate(self.cells, 1)} | {(): Place(0, 1)}
        found = [explain(item, Inputs, order, order) for item in wrong.errors(include_url=False)]
        first = min(found, key=lambda complaint: complaint.order)
        cell = f"{names[first.place.line - 1]}: " if first.place.line else ""
        return InputsError(f"{cell}{first.message}", file=places.file, cure=first.cure)


def _whole(value: Any) -> bool:
    """Whether it is a whole number, perhaps one that is stored as text."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) < 10
    return isinstance(value, float) and value.is_integer()


def _date(value: Any) -> Any:
    """A day where the cell holds no time."""
    return value.date() if isinstance(value, datetime) and value.time() == time() else value
