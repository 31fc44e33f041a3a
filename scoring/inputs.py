"""The inputs of a scoring: what the centre's systems, surveys, documents and people say of each indicator.

A file of inputs is YAML (``shopper score inputs-template`` writes one to start from) or a workbook with the same
content. Ratios are 0-1, durations seconds, scores 0-100; every number is kept exactly as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from scenarios.errors import InputError, InputsError
from scenarios.model import Strict
from scenarios.yaml_file import Path_, load_with_hash
from scoring.bands import Unit
from scoring.defects import Readings
from scoring.scheme import Indicator, Scheme

FORMAT = 1
Source = Literal["system", "survey", "documents", "observation", "entered"]
MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
WEEK = r"^[0-9]{4}-W[0-5][0-9]$"


def _number(value: Any) -> Any:
    """Takes a number exactly as it is written; says what to write instead of a percentage."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("must be a number")
    text = str(value).strip()
    if text.endswith(("%", "％")):
        raise ValueError(f"is written with a % sign ({text}); write a ratio, {_as_ratio(text)}")
    try:
        return Fraction(repr(value)) if isinstance(value, float) else Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"must be a number, not {text}") from error


def _as_ratio(text: str) -> str:
    try:
        return f"{float(Fraction(text.rstrip('%％ ')) / 100):g}"
    except (ValueError, ZeroDivisionError):
        return "0.91 for instance"


Number = Annotated[Fraction, BeforeValidator(_number)]
Score = Annotated[Number, Field(ge=0, le=100)]
Month = Annotated[str, Field(pattern=MONTH)]
Week = Annotated[str, Field(pattern=WEEK)]


class Given(Strict):
    """What is said of one indicator: a ``value`` in its unit, or a ``score`` out of 100.

    ``n`` is how many cases stand behind the value, ``low`` and ``high`` its 95 % interval where one is known.
    ``months`` is a monthly series of the value, ``factors`` the inputs of its coefficients (a number, or a number for
    each ISO week), ``points`` the points of rows of its score sheet.
    """

    value: Number | None = None
    score: Score | None = None
    n: int | None = Field(default=None, ge=1)
    low: Number | None = None
    high: Number | None = None
    months: dict[Month, Number] = Field(default_factory=dict)
    factors: dict[str, dict[str, Number | dict[Week, Number]]] = Field(default_factory=dict)
    points: dict[str, Number] = Field(default_factory=dict)
    quantities: dict[str, Number] = Field(default_factory=dict)
    source: Source = "entered"
    file: str | None = None
    by: str | None = None
    at: date | datetime | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Given:
        if self.value is not None and self.score is not None:
            raise ValueError("give a value or a score, not both")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval takes both low and high")
        if None not in (self.low, self.high, self.value) and not self.low <= self.value <= self.high:  # type: ignore[operator]
            raise ValueError("the value lies outside its interval")
        if not any((self.value is not None, self.score is not None, self.months, self.points, self.quantities)):
            raise ValueError("nothing is given: write a value or a score")
        return self


class Checked(Strict):
    """What was found of a requirement without a weight: the quantity's ``value``, or whether it is ``met``."""

    value: Number | None = None
    met: bool | None = None
    file: str | None = None
    by: str | None = None
    at: date | datetime | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Checked:
        if (self.value is None) == (self.met is None):
            raise ValueError("give a value, or say whether it is met")
        return self


class Occasion(Strict):
    """One rater's alphas on one occasion: a number from 0 to 1, or the name of a level of the five-point scale."""

    id: str
    rater: str
    at: date | datetime | None = None
    alpha: dict[str, Annotated[Fraction | str, BeforeValidator(lambda value: _alpha(value))]]

    @model_validator(mode="after")
    def _in_range(self) -> Occasion:
        for item, alpha in self.alpha.items():
            if isinstance(alpha, Fraction) and not 0 <= alpha <= 1:
                raise ValueError(f"{item}: alpha is {float(alpha):g}, it lies between 0 and 1")
        return self


def _alpha(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return _number(value)
        except ValueError:
            if value.strip().endswith(("%", "％")):
                raise
            return value.strip()
    return _number(value)


class Waiver(Strict):
    """An item that does not apply to this organisation, why, and who approved it."""

    item: str
    reason: str = Field(min_length=1)
    by: str | None = None


class Period(Strict):
    """The days that figures stand for."""

    first: date
    last: date


class Periods(Strict):
    """The periods of the centre's own data and of the probes (X06)."""

    system: Period | None = None
    probe: Period | None = None


class Inputs(Strict):
    """A file of inputs."""

    format: Literal[1] = 1
    scheme: str
    organisation: str | None = None
    period: Periods = Periods()
    indicators: dict[str, Given] = Field(default_factory=dict)
    boost: dict[str, Given] = Field(default_factory=dict)
    requirements: dict[str, Checked] = Field(default_factory=dict)
    checks: dict[str, Checked] = Field(default_factory=dict)
    application: dict[str, dict[Literal["target", "actual"], Number]] = Field(default_factory=dict)
    occasions: tuple[Occasion, ...] = ()
    waived: tuple[Waiver, ...] = ()
    maturity: dict[str, Annotated[int, Field(ge=1, le=5)]] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)
    gate: Literal["passed", "failed"] | None = None
    readings: dict[str, Any] = Field(default_factory=dict)

    def given(self) -> dict[str, Given]:
        """Returns what is given, by indicator."""
        return {**self.indicators, **self.boost}


@dataclass(frozen=True)
class Entered:
    """Inputs that fit their scheme, and how its readings stand."""

    inputs: Inputs
    readings: Readings
    file: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Places:
    """Where each value of a file stands: ``line`` and ``column`` of a YAML file, or ``cell`` of a workbook."""

    file: str | None = None
    yaml: Any = None
    cells: Mapping[Path_, str] = field(default_factory=dict)

    def error(self, path: Path_, message: str, cure: str | None = None) -> InputsError:
        """Returns the error that names the place of ``path``."""
        if self.yaml is not None:
            place = self.yaml.place(*path)
            return InputsError(message, file=self.file, line=place.line, column=place.column, cure=cure)
        cell = next((self.cells[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.cells), None)
        return InputsError(f"{cell}: {message}" if cell else message, file=self.file, cure=cure)


def load_inputs(path: str | Path, scheme: Scheme) -> Entered:
    """Reads a file of inputs, YAML or a workbook (.xlsx), and holds it against its scheme.

    Raises:
        InputsError: the first mistake, with its line or cell and its cure.
    """
    if Path(path).suffix.lower() in (".xlsx", ".xlsm"):
        from scoring.inputs_workbook import read

        inputs, places, sha256 = read(Path(path), scheme)
        return check(inputs, scheme, places, sha256)
    loaded = load_with_hash(path, Inputs, InputsError)
    return check(loaded.model, scheme, Places(str(path), loaded), loaded.sha256)


def check(inputs: Inputs, scheme: Scheme, places: Places | None = None, sha256: str | None = None) -> Entered:
    """Holds inputs against their scheme: ids, units, rows of score sheets, levels, switches.

    Raises:
        InputsError: the first thing that does not fit.
    """
    where = places or Places()
    for path, message, cure in _misfits(inputs, scheme):
        raise where.error(path, message, cure)
    try:
        readings = Readings(inputs.readings)
    except InputError as error:
        key = next((key for key in inputs.readings if f" {key}" in error.message), None)
        raise where.error(("readings", key) if key else ("readings",), error.message, error.cure) from error
    return Entered(inputs, readings, where.file, sha256)


Misfit = tuple[Path_, str, str | None]


def _misfits(inputs: Inputs, scheme: Scheme) -> Iterator[Misfit]:
    if inputs.scheme != scheme.id:
        yield ("scheme",), f"these are inputs of {inputs.scheme}, not of {scheme.id}", f"--scheme {inputs.scheme}"
    boost = {indicator.id: dimension.boost for dimension, indicator in scheme.indicators()}
    for block, given in (("indicators", inputs.indicators), ("boost", inputs.boost)):
        for id_, one in given.items():
            if id_ not in boost:
                yield (block, id_), f"{scheme.id} has no indicator {id_}", _near(id_, boost)
            elif boost[id_] != (block == "boost"):
                right = "boost" if boost[id_] else "indicators"
                yield (block, id_), f"{id_} belongs under {right}:", f"move it to {right}:"
            elif scheme.composite.method == "occasions":
                yield (block, id_), f"{scheme.id} is scored by occasions, not by values", "write occasions: with alpha"
            else:
                yield from _misfits_of((block, id_), one, scheme.indicator(id_), scheme)
    known = {
        "requirements": {requirement.id for requirement in scheme.requirements},
        "checks": {one.id for one in scheme.checks},
        "application": {row.name.zh for row in scheme.application},
        "maturity": {item.id for item in scheme.maturity.items} if scheme.maturity else set(),
    }
    for block, ids in known.items():
        for id_ in getattr(inputs, block):
            if id_ not in ids:
                yield (block, id_), f"{scheme.id} has no {id_} under {block}", _near(id_, ids)
    yield from _occasions(inputs, scheme)


def _occasions(inputs: Inputs, scheme: Scheme) -> Iterator[Misfit]:
    items = [indicator.id for _, indicator in scheme.indicators()] if scheme.alpha else []
    levels = [level.name.zh for level in scheme.alpha]
    seen: set[str] = set()
    if inputs.occasions and not scheme.alpha:
        yield ("occasions",), f"{scheme.id} is not scored by occasions", "remove them"
    for place, occasion in enumerate(inputs.occasions):
        if occasion.id in seen:
            yield ("occasions", place, "id"), f"occasion {occasion.id} occurs twice", "give each its own id"
        seen.add(occasion.id)
        for item, alpha in occasion.alpha.items():
            at: Path_ = ("occasions", place, "alpha", item)
            if item not in items:
                yield at, f"{scheme.id} has no item {item}", _near(item, items)
            elif isinstance(alpha, str) and alpha not in levels:
                yield at, f"{item}: {alpha} is no level of the scale", f"a number from 0 to 1, or {'、'.join(levels)}"
            elif isinstance(alpha, str) and inputs.readings.get("alpha.from_likert", "none") == "none":
                yield at, f"{item}: a level is not a number (T04)", "write alpha, or set alpha.from_likert in readings:"
    for place, waiver in enumerate(inputs.waived):
        if waiver.item not in items:
            yield ("waived", place, "item"), f"{scheme.id} has no item {waiver.item}", _near(waiver.item, items)


def _misfits_of(path: Path_, given: Given, indicator: Indicator, scheme: Scheme) -> Iterator[Misfit]:
    if given.value is not None and indicator.unit is None:
        yield (*path, "value"), f"{indicator.id} has no value, a person scores it", "write score: 0 to 100"
    for key in ("value", "low", "high"):
        yield from _unit((*path, key), getattr(given, key), indicator.unit, indicator.id)
    for month, value in given.months.items():
        yield from _unit((*path, "months", month), value, indicator.unit, f"{indicator.id}, {month}")
    factors = {factor.id: factor for factor in indicator.factors}
    for id_, routes in given.factors.items():
        if id_ not in factors:
            yield (*path, "factors", id_), f"{indicator.id} has no factor {id_}", _near(id_, factors)
            continue
        known = {route.id: route for route in factors[id_].routes}
        for route, value in routes.items():
            at = (*path, "factors", id_, route)
            if route not in known:
                yield at, f"{indicator.id}, {id_}: there is no route {route}", _near(route, known)
            elif isinstance(value, Fraction):
                yield from _unit(at, value, known[route].unit, f"{indicator.id}, {route}")
            elif known[route].unit != "per_week":
                yield at, f"{indicator.id}, {route} is one number", "write one number"
            else:
                for week, samples in value.items():
                    yield from _unit((*at, week), samples, "per_week", f"{indicator.id}, {week}")
    form = scheme.form(indicator.id)
    rows = {item.name.zh: item for item in form.items} if form else {}
    for row, points in given.points.items():
        at = (*path, "points", row)
        most = rows[row].points if row in rows else None
        if row not in rows:
            yield at, f"{indicator.id}: its score sheet has no row {row}", _near(row, rows)
        elif points < 0 or (most is not None and points > most):
            yield at, f"{row}: {float(points):g} points of {most}", f"0 to {most}"
    quantities = {t.quantity.zh: t for t in indicator.thresholds if t.of == "quantity"}
    for name, value in given.quantities.items():
        at = (*path, "quantities", name)
        if name not in quantities:
            yield at, f"{indicator.id}: nothing is required of {name}", _near(name, quantities)
        else:
            yield from _unit(at, value, quantities[name].unit, f"{indicator.id}, {name}")


def _unit(path: Path_, value: Fraction | None, unit: Unit | None, what: str) -> Iterator[Misfit]:
    if value is None:
        return
    if value < 0:
        yield path, f"{what}: {float(value):g} is negative", "check the number"
    elif unit == "share" and value > 1:
        cure = f"a ratio lies between 0 and 1: write {float(value / 100):g}" if value <= 100 else "check the number"
        yield path, f"{what}: {float(value):g} is more than 1", cure
    elif unit == "points" and value > 100:
        yield path, f"{what}: {float(value):g} is more than 100", "a score lies between 0 and 100"


def _near(id_: str, known: Any) -> str:
    import difflib

    near = difflib.get_close_matches(id_, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(list(known)[:12])}"
