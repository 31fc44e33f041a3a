"""Intervals of values: bands with coefficients (折算系数) and thresholds, with exact edges.

Numbers are exact rationals. A band is bounded by ``at_least`` or ``above`` below and ``at_most`` or ``below`` above, so
whether a boundary belongs to it is written, never assumed.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from scenarios.model import Strict, Text

Unit = Literal["share", "seconds", "count", "per_week", "per_year", "points"]  # points: a score out of 100


def _rational(value: Any) -> Any:
    """``90%`` is 9/10 and ``0.8`` is 4/5, exactly."""
    if isinstance(value, float):
        return Fraction(repr(value))
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
    """A number the rule demands, of a quantity that may or may not be among our measures.

    ``of`` says what is compared: the indicator's value, its score out of 100, or a quantity of its own that the inputs
    give by its Chinese name. ``metric`` names the measure of ours that gives the quantity, or is None.
    """

    quantity: Text
    metric: str | None = None
    of: Literal["value", "score", "quantity"] = "quantity"
    unit: Unit
    quote: str


def partition(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    """Refuses bands with a gap or an overlap."""
    ordered = sorted(bands, key=lambda band: (band.lower is not None, band.lower or 0))
    for one, two in itertools.pairwise(ordered):
        if one.upper is None or one.upper != two.lower or (one.at_most is None) != (two.above is None):
            raise ValueError(f"bands leave a gap or overlap between “{one.quote}” and “{two.quote}”")
    if ordered and (ordered[0].lower is not None or ordered[-1].upper is not None):
        raise ValueError("bands do not cover every value")
    return bands
