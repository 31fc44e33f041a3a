"""What a file of inputs may say. A number is a rational, exactly as it is written; what is left blank is not there."""

from __future__ import annotations

import re
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from scenarios.model import Spelled, Strict

FORMAT: Literal[1] = 1
Source = Literal["system", "survey", "documents", "observation", "entered"]
NUMBER = re.compile(
    r"[-+]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,2})?|[-+]?[0-9]{1,40}/0*[1-9][0-9]{0,39}"
)
"""A decimal number, or a fraction such as 456/500."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9].*)?")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_PERCENT = ("%", "％")


def shown(value: Fraction) -> str:
    """Returns a number as a person writes it, with at most 15 digits."""
    return f"{float(value):.15g}"


def number(value: Any, percent: str = "a ratio, {ratio}") -> Fraction:
    """Returns the number that ``value`` is, exactly.

    Args:
        value: a number, or text that is one.
        percent: what to write instead of a number with a % sign; may hold ``{ratio}`` and ``{plain}``.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("must be a number; write digits, for example 0.912")
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if text.endswith(_PERCENT):
        plain = text.rstrip("%％ ")
        if not NUMBER.fullmatch(plain):
            plain = "91"
        cure = percent.format(ratio=shown(Fraction(plain) / 100), plain=plain)
        raise ValueError(f"{_short(text)} has a % sign; write {cure}")
    if not NUMBER.fullmatch(text):
        cure = "leave out the comma" if "," in text or "，" in text else "write digits, for example 0.912"
        raise ValueError(f"must be a number, not {_short(text)}; {cure}")
    return Fraction(text)


def _short(text: str) -> str:
    return f"'{text}'" if len(text) <= 40 else f"'{text[:40]}…'"


def _score(value: Any) -> Fraction:
    score = number(value, "{plain}: a score is out of 100")
    if not 0 <= score <= 100:
        raise ValueError(f"a score lies between 0 and 100, it is {shown(score)}")
    return score


def _alpha(value: Any) -> Fraction | str:
    """A number from 0 to 1, or the name of a level, which is held against the scheme later."""
    if isinstance(value, str) and not value.strip().endswith(_PERCENT) and not NUMBER.fullmatch(value.strip()):
        return value.strip()
    alpha = number(value)
    if not 0 <= alpha <= 1:
        cure = f"{shown(alpha / 100)} if that is meant" if 2 <= alpha <= 100 else "a number from 0 to 1"
        raise ValueError(f"alpha lies between 0 and 1, it is {shown(alpha)}; write {cure}")
    return alpha


def _level(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= 5:
        raise ValueError(f"a level is 1, 2, 3, 4 or 5, it is {value}")
    return value


def _month(value: Any) -> Any:
    if not isinstance(value, str) or not _MONTH.fullmatch(value):
        raise ValueError(f"a month is written 2026-08, not {value}")
    return value


def _week(value: Any) -> Any:
    match = _WEEK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"an ISO week is written 2026-W08, not {value}")
    try:
        date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError as error:
        raise ValueError(f"there is no week {value}; check the calendar (ISO 8601)") from error
    return value


def _when(value: Any) -> Any:
    """A day, or a day and a time; a bare number is neither."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(f"a date is written 2026-11-20, not {value}")


def _day(value: Any) -> Any:
    found = _when(value)
    if isinstance(found, datetime):
        raise ValueError(f"must be a day without a time, for example 2026-11-20, not {value}")
    return found


def _blank(value: Any) -> bool:
    """Whether nothing was written: no value, or a mapping or list without one."""
    if isinstance(value, dict):
        return all(_blank(inner) for inner in value.values())
    return value is None or (isinstance(value, list) and all(_blank(item) for item in value))


def _written(data: Any) -> Any:
    """Returns a mapping without its blank entries."""
    if not isinstance(data, dict):
        return data
    _no_commas(data)
    return {key: value for key, value in data.items() if not _blank(value)}


def _no_commas(data: dict[str, Any]) -> None:
    """``{value: 1,000}`` is ``{value: 1, 000: }`` to YAML."""
    for key, value in data.items():
        if value is None and str(key).isdecimal():
            raise ValueError(f"a comma stands before {key}; write a number without commas, 1000 and not 1,000")


def _rows(data: Any) -> Any:
    """Returns a list without the blank items at its end."""
    rows = list(data) if isinstance(data, (list, tuple)) else data
    while isinstance(rows, list) and rows and _blank(rows[-1]):
        rows.pop()
    return rows


Number = Annotated[Fraction, BeforeValidator(number)]
Score = Annotated[Fraction, BeforeValidator(_score)]
Alpha = Annotated[Fraction | str, BeforeValidator(_alpha)]
Month = Annotated[str, AfterValidator(_month)]
Week = Annotated[str, AfterValidator(_week)]
Day = Annotated[date, BeforeValidator(_day)]
When = Annotated[date | datetime, BeforeValidator(_when)]
Samples = Annotated[
    Annotated[Number, Tag("number")] | Annotated[dict[Week, Number], BeforeValidator(_written), Tag("weeks")],
    Discriminator(lambda value: "weeks" if isinstance(value, dict) else "number"),
]
"""One number, or a number for each ISO week."""


Months = Annotated[dict[Month, Number], BeforeValidator(_written)]
Routes = Annotated[dict[str, Samples], BeforeValidator(_written)]
Points = Annotated[dict[str, Number], BeforeValidator(_written)]
Figures = Annotated[dict[Literal["target", "actual"], Number], BeforeValidator(_written)]
Level = Annotated[int, BeforeValidator(_level), Field(ge=1, le=5, strict=True)]


class Blanks(Strict):
    """A form in which keys may be left blank: a key without a value is as if it were not there."""

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        _no_commas(data)
        return {key: value for key, value in data.items() if key not in cls.model_fields or not _blank(value)}


class Given(Blanks):
    """What is said of one indicator: a ``value`` in its unit, or a ``score`` out of 100.

    ``n`` is how many cases stand behind the value, ``low`` and ``high`` its 95 % interval where one is known.
    ``months`` is a monthly series of the value, ``factors`` the inputs of its coefficients, by factor and route,
    ``points`` the points of rows of its score sheet, ``quantities`` other numbers that the rule demands of it.
    """

    value: Number | None = None
    score: Score | None = None
    n: int | None = Field(default=None, ge=1, strict=True)
    low: Number | None = None
    high: Number | None = None
    months: Months = Field(default_factory=dict)
    factors: Annotated[dict[str, Routes], BeforeValidator(_written)] = Field(default_factory=dict)
    points: Points = Field(default_factory=dict)
    quantities: Points = Field(default_factory=dict)
    source: Source = "entered"
    file: str | None = None
    by: Spelled | None = None
    at: When | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Given:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval takes both low and high; write the other one, too")
        if self.low is not None and self.high is not None:
            if self.value is None:
                raise ValueError("there is an interval without its value; write the value")
            if not self.low <= self.value <= self.high:
                interval = f"{shown(self.low)} to {shown(self.high)}"
                raise ValueError(
                    f"the value {shown(self.value)} lies outside its interval, {interval}; check the three"
                )
        said = (self.months, self.factors, self.points, self.quantities)
        if self.value is None and self.score is None and not any(said):
            raise ValueError("nothing is given; write a value or a score")
        return self


class Checked(Blanks):
    """What was found of a requirement without a weight: the quantity's ``value``, or whether it is ``met``."""

    value: Number | None = None
    met: bool | None = Field(default=None, strict=True)
    file: str | None = None
    by: Spelled | None = None
    at: When | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Checked:
        if self.value is not None and self.met is not None:
            raise ValueError("both a value and met are given; keep one of the two")
        if self.value is None and self.met is None:
            raise ValueError("nothing is given; write a value, or met: true or false")
        return self


class Occasion(Blanks):
    """One rater's alphas on one occasion: a number from 0 to 1, or the name of a level of the five-point scale."""

    id: Spelled
    rater: Spelled
    at: When | None = None
    alpha: Annotated[dict[str, Alpha], BeforeValidator(_written)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rated(self) -> Occasion:
        if not self.alpha:
            raise ValueError("the occasion rates nothing; write alpha: with one number for each item")
        return self


class Waiver(Blanks):
    """An item that does not apply to this organisation, why, and who approved it."""

    item: str
    reason: str = Field(min_length=1)
    by: Spelled | None = None


class Period(Blanks):
    """The days that figures stand for, both included."""

    first: Day
    last: Day

    @model_validator(mode="after")
    def _forwards(self) -> Period:
        if self.last < self.first:
            raise ValueError(f"the period ends on {self.last}, before it begins on {self.first}; swap the two")
        return self


class Periods(Blanks):
    """The periods of the centre's own data and of the probes (X06)."""

    system: Period | None = None
    probe: Period | None = None


class Inputs(Blanks):
    """A file of inputs."""

    format: Literal[1] = FORMAT
    scheme: str
    organisation: str | None = None
    period: Periods = Periods()
    indicators: Annotated[dict[str, Given], BeforeValidator(_written)] = Field(default_factory=dict)
    boost: Annotated[dict[str, Given], BeforeValidator(_written)] = Field(default_factory=dict)
    requirements: Annotated[dict[str, Checked], BeforeValidator(_written)] = Field(default_factory=dict)
    checks: Annotated[dict[str, Checked], BeforeValidator(_written)] = Field(default_factory=dict)
    application: Annotated[dict[str, Figures], BeforeValidator(_written)] = Field(default_factory=dict)
    occasions: Annotated[tuple[Occasion, ...], BeforeValidator(_rows)] = ()
    waived: Annotated[tuple[Waiver, ...], BeforeValidator(_rows)] = ()
    maturity: Annotated[dict[str, Level], BeforeValidator(_written)] = Field(default_factory=dict)
    reasons: Annotated[dict[str, str], BeforeValidator(_written)] = Field(default_factory=dict)
    gate: Literal["passed", "failed"] | None = None
    readings: Annotated[dict[str, Any], BeforeValidator(_written)] = Field(default_factory=dict)

    def given(self) -> dict[str, Given]:
        """Returns what is given, by indicator."""
        return {**self.indicators, **self.boost}
