"""Levels: the five-point scale of alpha, the maturity of management, and the stars that both together earn.

CTS TBSC97-2026, 5.1.1 (alpha), annexes 2 and 3 (maturity) and 5.3 (result), as data and pure functions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from scenarios.model import Strict, Text
from scoring.bands import Bounds, Rational

Reading = Literal["A", "B"]
Rounding = Literal["none", "half_up", "floor"]


class AlphaLevel(Bounds):
    """One level of the five-point scale and the interval of alpha it stands for."""

    name: Text

    @property
    def midpoint(self) -> Fraction:
        """The middle of its interval."""
        return ((self.lower or Fraction()) + (self.upper or Fraction())) / 2


def consecutive(levels: tuple[Bounds, ...]) -> None:
    """Refuses intervals, in rising order, with a gap or an overlap between neighbours."""
    for one, two in itertools.pairwise(levels):
        if one.upper is None or one.upper != two.lower or (one.at_most is None) == (two.at_least is None):
            raise ValueError(f"there is a gap or an overlap at {one.upper}")


class MaturityItem(Strict):
    """One management requirement; level n of ``steps`` earns n / steps of its points. ``clause``: in annex 4."""

    id: str
    name: Text
    points: Rational
    clause: str


class MaturityLevel(Bounds):
    """One level of maturity and the total it takes."""

    level: int = Field(ge=1)
    name: str


class Maturity(Strict):
    """How levels of the items become a total, and the total a level."""

    clause: str
    steps: int = Field(ge=1)
    items: tuple[MaturityItem, ...]
    levels: tuple[MaturityLevel, ...]

    @model_validator(mode="after")
    def _whole(self) -> Maturity:
        consecutive(self.levels)
        return self

    @property
    def most(self) -> Fraction:
        """The points of all items."""
        return sum((item.points for item in self.items), Fraction())

    def total(self, given: Mapping[str, int]) -> Fraction:
        """Returns the total of the items that were given a level."""
        return sum((item.points * given[item.id] / self.steps for item in self.items if item.id in given), Fraction())

    def reach(self, given: Mapping[str, int]) -> tuple[Fraction, Fraction]:
        """Returns the least and the greatest total that the items without a level leave open."""
        open_ = sum((item.points for item in self.items if item.id not in given), Fraction())
        return self.total(given) + open_ / self.steps, self.total(given) + open_

    def level(self, total: Fraction) -> MaturityLevel | None:
        """Returns the level of a total, or None below the first one."""
        return next((level for level in self.levels if level.holds(total)), None)


class StarRow(Strict):
    """What a number of stars takes: both conditions must hold."""

    stars: int = Field(ge=0)
    score: Rational
    maturity: int = Field(ge=1)


class Stars(Strict):
    """The rows of each reading of 5.3 (T01). Without a row there is no pass. ``edges``: of the bands as written."""

    clause: str
    gate: Text
    readings: dict[Reading, tuple[StarRow, ...]]
    gaps: tuple[Bounds, ...] = ()

    def stars(self, score: Fraction, maturity: int, reading: Reading) -> int | None:
        """Returns the most stars whose score and maturity both hold; 0 is a pass without a star, None no pass."""
        rows = [row.stars for row in self.readings[reading] if score >= row.score and maturity >= row.maturity]
        return max(rows, default=None)

    def in_gap(self, score: Fraction) -> bool:
        """Whether the score lies between two bands as they are written, or in two of them (T02)."""
        return any(gap.holds(score) for gap in self.gaps)


def rounded(score: Fraction, how: Rounding) -> Fraction:
    """Returns the score as ``how`` says: unrounded, half up to a whole number, or cut off."""
    if how == "none":
        return score
    return Fraction(math.floor(score + Fraction(1, 2)) if how == "half_up" else math.floor(score))
