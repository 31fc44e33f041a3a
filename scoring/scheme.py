"""A certification scheme as data: dimensions, indicators, bands, thresholds, and the warnings its text calls for.

Numbers are exact rationals. A band is bounded by ``at_least`` or ``above`` below and ``at_most`` or ``below`` above, so
whether a boundary belongs to it is written, never assumed. A new scheme is a new file, no code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from scenarios.errors import SchemeError
from scenarios.model import Strict, Text
from scenarios.yaml_file import load
from scoring.measures import MEASURES

FOLDER = Path(__file__).parent / "schemes"
SCHEME = "CMM-525-0005"  # by which runs and campaigns are scored

Policy = Literal[
    "coef_full_marks",  # 100 x coefficient
    "value_times_coef",  # 100 x value x coefficient
    "attainment_linear",  # 100 x min(1, value / target)
    "pass_fail",
    "d_table",  # the rule's own score sheet
    "points_times_alpha",
    "manual",  # the rule does not say: a person scores
]
Method = Literal["document", "observation", "system_test", "data", "simulation", "survey", "interview"]
Unit = Literal["share", "seconds", "count", "per_week", "per_year"]


def _rational(value: Any) -> Any:
    """``90%`` is 9/10 and ``0.8`` is 4/5, exactly."""
    if isinstance(value, str):
        number = value.strip()
        return Fraction(number[:-1]) / 100 if number.endswith("%") else Fraction(number)
    return value


Rational = Annotated[Fraction, BeforeValidator(_rational)]


class Bounds(Strict):
    """An interval of values; a missing bound is open to infinity."""

    at_least: Rational | None = None
    above: Rational | None = None
    at_most: Rational | None = None
    below: Rational | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Bounds:
        if (self.at_least is not None and self.above is not None) or (
            self.at_most is not None and self.below is not None
        ):
            raise ValueError("a lower bound is at_least or above, an upper one at_most or below, not both")
        if self.lower is None and self.upper is None:
            raise ValueError("give at least one of: at_least, above, at_most, below")
        return self

    @property
    def lower(self) -> Fraction | None:
        """The lower bound, included or not."""
        return self.above if self.at_least is None else self.at_least

    @property
    def upper(self) -> Fraction | None:
        """The upper bound, included or not."""
        return self.below if self.at_most is None else self.at_most

    def holds(self, value: Fraction) -> bool:
        """Whether ``value`` lies inside, compared exactly (X14)."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def meets(self, low: float, high: float) -> bool:
        """Whether the interval from ``low`` to ``high`` has a value inside."""
        return self.holds(Fraction(low)) or self.holds(Fraction(high)) or self._strictly_between(low, high)

    def _strictly_between(self, low: float, high: float) -> bool:
        return any(edge is not None and low < edge < high for edge in (self.lower, self.upper))


class Band(Bounds):
    """One row of a table of conversion coefficients (折算系数), with the rule's words."""

    coefficient: Rational
    quote: str


class Threshold(Bounds):
    """A number the rule demands, of a quantity that may or may not be among our measures."""

    quantity: Text
    metric: str | None = None
    unit: Unit
    quote: str


def _partition(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    """Refuses bands with a gap or an overlap."""
    ordered = sorted(bands, key=lambda band: (band.lower is not None, band.lower or 0))
    for one, two in itertools.pairwise(ordered):
        if one.upper is None or one.upper != two.lower or (one.at_most is None) != (two.above is None):
            raise ValueError(f"bands leave a gap or overlap between “{one.quote}” and “{two.quote}”")
    if ordered and (ordered[0].lower is not None or ordered[-1].upper is not None):
        raise ValueError("bands do not cover every value")
    return bands


class Route(Strict):
    """One way to satisfy a factor, with its own bands."""

    id: str
    name: Text
    unit: Unit
    bands: tuple[Band, ...]

    @model_validator(mode="after")
    def _whole(self) -> Route:
        _partition(self.bands)
        return self


class Factor(Strict):
    """A coefficient that belongs to an indicator beside its value; with several routes the best one counts."""

    id: str
    name: Text
    clause: str
    combine: Literal["max"]
    routes: tuple[Route, ...]


class FormItem(Strict):
    """One row of a score sheet."""

    name: Text
    points: int


class Form(Strict):
    """A score sheet of the rule's annex D."""

    table: str
    total: int
    items: tuple[FormItem, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Form:
        if sum(item.points for item in self.items) != self.total:
            raise ValueError(f"the points of table {self.table} do not add up to {self.total}")
        return self


class Indicator(Strict):
    """One second-level indicator (二级指标). ``weight`` is in percent, as written."""

    id: str
    name: Text
    clauses: tuple[str, ...] = Field(min_length=1)
    weight: Rational
    formula: Text | None = None
    requirement: Text | None = None
    metric: str | None = None
    metrics: tuple[str, ...] = ()
    unit: Unit | None = None
    bands: tuple[Band, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    factors: tuple[Factor, ...] = ()
    form: Form | None = None
    policy: Policy
    policy_stated: bool = False
    evidence: tuple[Method, ...] = Field(min_length=1)
    probe: Literal["full", "part", "none"]
    measures: Text | None = None

    @model_validator(mode="after")
    def _sound(self) -> Indicator:
        _partition(self.bands)
        named = [self.metric, *self.metrics, *(threshold.metric for threshold in self.thresholds)]
        unknown = [id_ for id_ in named if id_ is not None and id_ not in MEASURES]
        if unknown:
            raise ValueError(f"{self.id}: unknown metric {', '.join(unknown)}")
        if self.bands and (self.unit is None or self.metric is None):
            raise ValueError(f"{self.id}: bands need a metric and a unit")
        if self.probe == "none" and (self.metric or self.metrics):
            raise ValueError(f"{self.id}: a probe sees nothing of it, yet a metric is named")
        return self

    def band(self, value: Fraction) -> Band | None:
        """Returns the band that holds ``value``."""
        return next((band for band in self.bands if band.holds(value)), None)

    def on_boundary(self, value: Fraction) -> bool:
        """Whether ``value`` is exactly where two bands meet."""
        return any(value == band.lower for band in self.bands)


class Dimension(Strict):
    """One first-level indicator (一级指标). A ``boost`` dimension (提升指标) is added on top of the base."""

    id: str
    name: Text
    clause: str
    weight: Rational
    boost: bool = False
    indicators: tuple[Indicator, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Dimension:
        total = sum(indicator.weight for indicator in self.indicators)
        if total != self.weight:
            raise ValueError(f"{self.id}: the indicators' weights add up to {total}, not {self.weight}")
        return self


class Warning_(Strict):  # noqa: N801 - Warning is a builtin
    """What must be said when the rule is silent or contradicts itself, and under which condition."""

    code: str = Field(pattern=r"^[XTZ][0-9]{2}$")
    when: Literal["always", "expired", "measured", "supported", "scored", "banded", "on_boundary", "far_beyond", "chat"]
    indicators: tuple[str, ...] = ()
    zh: str
    en: str


class Composite(Strict):
    """How the dimensions become one number."""

    clause: str
    formula: Text
    add_boost: bool


class Scheme(Strict):
    """One certification scheme."""

    format: Literal[1]
    id: str
    key: str
    standard: str
    title: Text
    edition: str
    valid_from: date
    valid_to: date
    composite: Composite
    dimensions: tuple[Dimension, ...]
    warnings: tuple[Warning_, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Scheme:
        ids = [indicator.id for _, indicator in self.indicators()]
        twice = {id_ for id_ in ids if ids.count(id_) > 1}
        stray = {id_ for warning in self.warnings for id_ in warning.indicators} - set(ids)
        if twice or stray:
            raise ValueError(f"indicator ids: twice {sorted(twice)}, unknown {sorted(stray)}")
        return self

    def indicators(self) -> Iterator[tuple[Dimension, Indicator]]:
        """Yields every indicator with its dimension, in the rule's order."""
        for dimension in self.dimensions:
            for indicator in dimension.indicators:
                yield dimension, indicator

    @property
    def base_weight(self) -> Fraction:
        """Sum of the base weights, in percent: not 100 in every rule (X07)."""
        return sum((d.weight for d in self.dimensions if not d.boost), Fraction())

    @property
    def boost_weight(self) -> Fraction:
        """Sum of the boost's weights, in percent."""
        return sum((d.weight for d in self.dimensions if d.boost), Fraction())

    def valid_on(self, day: date) -> bool:
        """Whether the rule is in force on ``day``."""
        return self.valid_from <= day <= self.valid_to


def schemes() -> list[str]:
    """Returns the ids of the schemes that are shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_scheme(id_: str) -> Scheme:
    """Returns the scheme with that id, for example ``CMM-525-0005``.

    Raises:
        SchemeError: no such scheme, or its file is wrong.
    """
    if id_ not in schemes():
        raise SchemeError(f"there is no scheme {id_}", cure=f"one of: {', '.join(schemes())}")
    return load(FOLDER / f"{id_}.yaml", Scheme, SchemeError)
