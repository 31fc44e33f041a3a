"""The inputs of a scoring: what the centre's systems, surveys, documents and people say of each indicator.

A file of inputs is YAML or a workbook with the same content; ``shopper score inputs-template`` writes either to start
from. Ratios are 0-1, durations seconds, scores 0-100; every number is kept exactly as it is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from scenarios.errors import InputError, InputsError
from scenarios.yaml_file import Loaded, Path_, load_with_hash
from scoring.defects import Readings
from scoring.inputs.fit import misfits
from scoring.inputs.model import (
    FORMAT,
    NUMBER,
    Checked,
    Given,
    Inputs,
    Occasion,
    Period,
    Periods,
    Source,
    Waiver,
    number,
)
from scoring.scheme import Scheme

__all__ = [
    "FORMAT",
    "Checked",
    "Entered",
    "Given",
    "Inputs",
    "Occasion",
    "Period",
    "Periods",
    "Places",
    "Source",
    "Waiver",
    "check",
    "load_inputs",
    "number",
]

WORKBOOKS = (".xlsx", ".xlsm")
_OTHERS = {".xls", ".xlsb", ".ods", ".et", ".numbers", ".csv", ".tsv"}
_LINE = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?(?=\s*(?:$|[,\]}]|\s#))")


@dataclass(frozen=True)
class Entered:
    """Inputs that fit their scheme, and how its readings stand."""

    inputs: Inputs
    readings: Readings
    file: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Places:
    """Where each value of a file stands: line and column of a YAML file, or the cell of a workbook (``得分!C7``)."""

    file: str | None = None
    yaml: Loaded[Inputs] | None = None
    cells: Mapping[Path_, str] = field(default_factory=dict)

    def cell(self, path: Path_) -> str | None:
        """Returns the cell of ``path``, or of the nearest thing around it."""
        return next((self.cells[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.cells), None)

    def error(self, path: Path_, message: str, cure: str | None = None) -> InputsError:
        """Returns the error that names the place of ``path``."""
        if self.yaml is not None:
            place = self.yaml.place(*path)
            return InputsError(message, file=self.file, line=place.line, column=place.column, cure=cure)
        cell = self.cell(path)
        return InputsError(f"{cell}: {message}" if cell else message, file=self.file, cure=cure)


def load_inputs(path: str | Path, scheme: Scheme) -> Entered:
    """Reads a file of inputs, YAML or a workbook (.xlsx), and holds it against its scheme.

    Raises:
        InputsError: the first mistake, with its line or cell and its cure.
    """
    suffix = Path(path).suffix.lower()
    if suffix in WORKBOOKS:
        from scoring.inputs.workbook import read  # openpyxl takes a second to import

        return read(Path(path), scheme)
    if suffix in _OTHERS:
        raise InputsError(f"inputs are YAML or an .xlsx workbook, not {suffix}", file=path, cure="save it as .xlsx")
    loaded = load_with_hash(path, Inputs, InputsError)
    places = Places(str(path), loaded)
    for at, message, cure in _inexact(loaded):
        raise places.error(at, message, cure)
    return check(loaded.model, scheme, places, loaded.sha256)


def check(inputs: Inputs, scheme: Scheme, places: Places | None = None, sha256: str | None = None) -> Entered:
    """Holds inputs against their scheme: ids, units, rows of score sheets, levels, switches.

    Raises:
        InputsError: the first thing that does not fit.
    """
    where = places or Places()
    for key, value in inputs.readings.items():
        try:
            Readings({key: value})
        except InputError as error:
            raise where.error(("readings", key), error.message, error.cure) from error
    readings = Readings(inputs.readings)
    for path, message, cure in misfits(inputs, scheme, readings):
        raise where.error(path, message, cure)
    return Entered(inputs, readings, where.file, sha256)


def _inexact(loaded: Loaded[Inputs]) -> Iterator[tuple[Path_, str, str]]:
    """Yields the plain numbers of a YAML file that have more digits than a plain number keeps."""
    lines = _LINE.split(loaded.path.read_bytes().decode("utf-8-sig"))
    for path, place in loaded.values.items():
        match = _FLOAT.match(lines[place.line - 1], place.column - 1) if place.line <= len(lines) else None
        if match is None or match[0].lstrip("+-").isdigit():
            continue
        kept = float(match[0])
        if not NUMBER.fullmatch(match[0]) or not math.isfinite(kept):
            yield path, f"{match[0]} is too long or too large a number", "write it with fewer digits"
        elif Fraction(match[0]) != Fraction(repr(kept)):
            yield path, f"{match[0]} has more digits than a plain number keeps", f'put it between quotes: "{match[0]}"'
