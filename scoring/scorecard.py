"""The scorecard: what a run says about each indicator of one scheme. Plain data, written as JSON.

Rationals are written as text (``9/10``), so reading a scorecard back loses nothing.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

from scenarios.model import Text
from scoring.metrics import Frozen
from scoring.statistics import Verdict

Note = Text
Status = Literal["measured", "supported", "missing"]


class ThresholdResult(Frozen):
    """One number the rule demands; without ``verdict`` it was not measured."""

    quote: str
    quantity: Text
    target: Fraction | None = None
    verdict: Verdict | None = None
    note: Text | None = None


class Line(Frozen):
    """One indicator.

    ``status``: measured (its formula was evaluated), supported (part of what it looks at was measured), missing.
    ``value`` is exact, in ``unit``; ``interval`` is 95 %. ``possible`` lists the coefficients the interval leaves open.
    ``score`` is out of 100 under ``policy``, ``score_range`` what the interval leaves open; ``weighted`` is
    score x weight / 100, in points of the composite.
    """

    id: str
    dimension: str
    name: Text
    clauses: tuple[str, ...]
    weight: Fraction
    boost: bool
    status: Status
    probe: Literal["full", "part", "none"]
    metric: str | None
    supports: tuple[str, ...]
    unit: str | None
    value: Fraction | None
    n: int | None
    interval: tuple[float, float] | None
    band: str | None
    coefficient: Fraction | None
    possible: tuple[Fraction, ...]
    band_verdict: Literal["determined", "undecided"] | None
    thresholds: tuple[ThresholdResult, ...]
    policy: str
    score: Fraction | None
    score_range: tuple[Fraction, Fraction] | None
    weighted: Fraction | None
    note: Text


class Range(Frozen):
    """From ``low`` (what is missing counts nothing) to ``high`` (it counts in full), of ``full`` points."""

    low: Fraction
    high: Fraction
    full: Fraction


class DimensionRange(Range):
    """The range of one dimension."""

    id: str
    name: Text
    boost: bool


class Composite(Frozen):
    """The composite score, always as ranges and never as a verdict (X03, X07)."""

    clause: str
    formula: Text
    base: Range
    boost: Range
    literal: Range
    normalised: Range
    dimensions: tuple[DimensionRange, ...]
    statement: Text


class Warning_(Frozen):  # noqa: N801 - Warning is a builtin
    """A defect of the rule that touches this result."""

    code: str
    text: Text


class Scorecard(Frozen):
    """All of it."""

    format: Literal[1] = 1
    scheme: str
    standard: str
    title: Text
    edition: str
    valid_from: date
    valid_to: date
    today: date
    basis: Text
    lines: tuple[Line, ...]
    composite: Composite
    warnings: tuple[Warning_, ...]

    @property
    def measured(self) -> tuple[Line, ...]:
        """The lines simulation testing can fill, fully or in part."""
        return tuple(line for line in self.lines if line.status != "missing")

    @property
    def candidates(self) -> tuple[Line, ...]:
        """候选不符合项: lines that miss a threshold; how severe that is, the evaluator decides (X03)."""
        return tuple(line for line in self.lines if any(t.verdict is Verdict.FAIL for t in line.thresholds))

    def line(self, id_: str) -> Line:
        """Returns the line of that indicator."""
        return next(line for line in self.lines if line.id == id_)

    def to_json(self) -> str:
        """Returns the scorecard as JSON."""
        return self.model_dump_json(indent=2)
