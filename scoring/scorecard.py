"""The scorecard: what is known of each indicator of one scheme, and what follows from it. Plain data, written as JSON.

Rationals are written as text (``9/10``), so reading a scorecard back loses nothing. :mod:`scoring.contract` has the
form for other programs.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

from pydantic import Field

from scenarios.model import Text
from scoring.metrics import Frozen
from scoring.statistics import Verdict

FORMAT = 2
Note = Text
Status = Literal[
    "measured",  # its formula was evaluated on the probes
    "supported",  # part of what it looks at was probed
    "imported",  # a value of the centre's systems, a survey or documents
    "entered",  # a value or a score that a person gave
    "missing",
]


class ThresholdResult(Frozen):
    """One number the rule demands; without ``verdict`` it was not measured. ``value`` is what was compared."""

    quote: str
    quantity: Text
    target: Fraction | None = None
    value: Fraction | None = None
    verdict: Verdict | None = None
    note: Text | None = None


class Probed(Frozen):
    """What the probes say of an indicator's value: exact, with n and a 95 % interval."""

    metric: str
    value: Fraction
    n: int
    interval: tuple[float, float] | None
    disagrees: bool = False  # the centre's own figure lies outside the interval (X11)


class Part(Frozen):
    """One row of a score sheet, or one factor of a score: the points or coefficient it gives, None if not known."""

    name: Text
    got: Fraction | None
    most: Fraction | None
    note: str = ""


class Line(Frozen):
    """One indicator.

    ``value`` is exact, in ``unit``; ``interval`` is 95 %. ``possible`` lists the coefficients the interval leaves open.
    ``supports`` names the measures that see part of it, ``evidence`` is what they say.
    ``score`` is out of 100 under ``policy``, None where it is not known; ``score_range`` is what its interval and the
    missing parts leave open. ``weighted`` is score x weight / 100, in points of its dimension. ``probed`` is what the
    probes say, also where the centre's own figure is the one that scores (X11).
    """

    id: str
    dimension: str
    group: str | None = None
    name: Text
    clauses: tuple[str, ...]
    weight: Fraction
    boost: bool
    status: Status
    source: str | None = None
    file: str | None = None
    by: str | None = None
    at: str | None = None
    probe: Literal["full", "part", "none"]
    metric: str | None
    supports: tuple[str, ...]
    evidence: tuple[Probed, ...] = ()
    unit: str | None
    value: Fraction | None
    n: int | None
    interval: tuple[float, float] | None
    probed: Probed | None = None
    variation: float | None = None  # 离散系数 of the monthly series
    band: str | None
    coefficient: Fraction | None
    possible: tuple[Fraction, ...]
    band_verdict: Literal["determined", "undecided"] | None
    parts: tuple[Part, ...] = ()
    thresholds: tuple[ThresholdResult, ...]
    policy: str
    score: Fraction | None
    score_range: tuple[Fraction, Fraction] | None
    weighted: Fraction | None
    note: Text
    warnings: tuple[str, ...] = ()
    waived: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """不符合 if any threshold is missed, 符合 if all are met, None if none could be looked at."""
        found = [threshold.verdict for threshold in self.thresholds]
        if Verdict.FAIL in found:
            return Verdict.FAIL
        if not any(found):
            return None
        return Verdict.PASS if all(verdict is Verdict.PASS for verdict in found) else Verdict.OPEN

    @property
    def open(self) -> tuple[Fraction, Fraction]:
        """The scores that are possible: from 0 to 100 where nothing is known."""
        return self.score_range or (Fraction(), Fraction(100))


class Range(Frozen):
    """From ``low`` (what is missing counts nothing) to ``high`` (it counts in full), of ``full`` points.

    ``value`` is the sum, or None where something is missing.
    """

    low: Fraction
    high: Fraction
    full: Fraction
    value: Fraction | None = None

    def times(self, factor: Fraction) -> Range:
        """Returns the range scaled by ``factor``."""
        value = None if self.value is None else self.value * factor
        return Range(low=self.low * factor, high=self.high * factor, full=self.full * factor, value=value)

    @property
    def percent(self) -> Fraction | None:
        """The value in percent of the full points."""
        return None if self.value is None or not self.full else 100 * self.value / self.full


class DimensionRange(Range):
    """The range of one dimension, in its own points; ``factor`` is what it is multiplied by in the composite."""

    id: str
    name: Text
    boost: bool
    factor: Fraction = Fraction(1)


class Spread(Frozen):
    """Percentiles of a distribution (Monte-Carlo): 2.5, 50 and 97.5."""

    p025: float
    p50: float
    p975: float


class Uncertainty(Frozen):
    """What the intervals of the values mean for the composite, by ``draws`` random draws from ``seed``.

    ``low`` and ``high`` are the distributions of the composite's two ends; they are one where nothing is missing.
    ``chances`` has, for each indicator with bands, the chance of each coefficient, and under ``stars`` that of each
    number of stars (``none``: not passed).
    """

    seed: int
    draws: int
    low: Spread
    high: Spread
    chances: dict[str, dict[str, float]]


class Composite(Frozen):
    """The composite score, always with its range and never with a verdict of our own (X03, X07).

    ``literal`` is the sum that the rule writes, ``normalised`` the base in percent of its full points; ``headline``
    says which of them the readings put first. ``pass_score`` is a mark of the evaluator's own for the headline, and
    ``pass_verdict`` what range and uncertainty say of it; the rule has neither.
    """

    clause: str
    formula: Text
    base: Range
    boost: Range
    literal: Range
    normalised: Range
    headline: Literal["literal", "normalised"] = "literal"
    with_boost: bool = True
    dimensions: tuple[DimensionRange, ...]
    statement: Text
    pass_score: Fraction | None = None
    pass_verdict: Verdict | None = None
    uncertainty: Uncertainty | None = None


class Rated(Frozen):
    """One rater's occasion: its score of 100, and the points of items without an alpha, as a range."""

    id: str
    rater: str
    at: str | None
    low: Fraction
    high: Fraction
    alphas: dict[str, Fraction]


class Maturity(Frozen):
    """The maturity of management: total, level, what the items without a level leave open."""

    total: Fraction | None
    low: Fraction
    high: Fraction
    full: Fraction
    level: int | None
    name: str | None
    possible: tuple[int, ...]
    items: dict[str, int]


class Stars(Frozen):
    """The certification level. ``stars`` 0 is a pass without a star, None no pass.

    ``decided`` is False while something is missing; ``possible`` then lists what is still open. ``other_possible`` is
    the same by the other reading, whose result ``other`` is None, too, while it is open.
    """

    stars: int | None
    reading: str
    other: int | None
    other_reading: str
    decided: bool
    possible: tuple[int | None, ...]
    other_possible: tuple[int | None, ...] = ()
    gate: str | None
    label: str | None = None


class RequirementResult(Frozen):
    """One requirement without a weight. ``value`` is in ``unit``; ``note`` may say what probes showed without one."""

    id: str
    clause: str
    name: Text
    quote: str = ""
    unit: str | None = None
    value: Fraction | None = None
    n: int | None = None
    verdict: Verdict | None = None
    note: Text | None = None


class CharacteristicResult(Frozen):
    """One service characteristic (服务特性) of the profile, unscored; ``mapped``: where an evaluator puts it (Z06)."""

    id: str
    name: Text
    group: Text
    status: Literal["measured", "partly", "not_measured", "not_measurable"]
    metrics: tuple[str, ...]
    how: Text
    mapped: str | None = None


class ApplicationRow(Frozen):
    """One row of the applicant's own figures (A.4) with ours beside them."""

    category: Text
    name: Text
    target: Fraction | None
    actual: Fraction | None
    unit: str | None
    measured: Fraction | None
    n: int | None
    interval: tuple[float, float] | None
    agrees: bool | None


class Warning_(Frozen):  # noqa: N801 - Warning is a builtin
    """A defect of the rule that touches this result; ``indicators`` are those it is about, none if the whole."""

    code: str
    text: Text
    indicators: tuple[str, ...] = ()


class Statement(Frozen):
    """What the evaluator states where the rule is silent, by the key of its switch, for example ``plan.reference``."""

    key: str
    text: Text


class ProbeRun(Frozen):
    """The run that the probes' figures come from: what was planned, which rows were scored, and how calls were heard.

    ``observations_sha256`` is of observations.csv as it was scored; each row names the session that holds its evidence.
    """

    id: str
    sessions: int
    observations_sha256: str
    plan_sha256: str | None = None
    target_sha256: str | None = None
    hearing: str | None = None


class Scorecard(Frozen):
    """All of it. ``readings`` are the switches that are not at their defaults.

    ``severities`` are what the evaluator calls a nonconformity with an indicator or a requirement, by its id (X03).
    """

    format: Literal[2] = 2
    scheme: str
    standard: str
    title: Text
    edition: str
    valid_from: date
    valid_to: date | None
    today: date
    basis: Text
    decision_rule: Text
    organisation: str | None = None
    inputs: str | None = None
    inputs_sha256: str | None = None
    run: ProbeRun | None = None
    readings: dict[str, str] = Field(default_factory=dict)
    lines: tuple[Line, ...]
    composite: Composite
    requirements: tuple[RequirementResult, ...] = ()
    characteristics: tuple[CharacteristicResult, ...] = ()
    application: tuple[ApplicationRow, ...] = ()
    occasions: tuple[Rated, ...] = ()
    maturity: Maturity | None = None
    stars: Stars | None = None
    statements: tuple[Statement, ...] = ()
    severities: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[Warning_, ...]

    @property
    def measured(self) -> tuple[Line, ...]:
        """The lines of which something is known."""
        return tuple(line for line in self.lines if line.status != "missing")

    @property
    def candidates(self) -> tuple[Line, ...]:
        """候选不符合项: lines that miss a threshold; how severe that is, the evaluator decides (X03)."""
        return tuple(line for line in self.lines if line.verdict is Verdict.FAIL)

    @property
    def missed(self) -> tuple[RequirementResult, ...]:
        """候选不符合项, too: requirements without a weight that are missed."""
        return tuple(one for one in self.requirements if one.verdict is Verdict.FAIL)

    def line(self, id_: str) -> Line:
        """Returns the line of that indicator."""
        return next(line for line in self.lines if line.id == id_)

    def to_json(self) -> str:
        """Returns the scorecard as JSON."""
        return self.model_dump_json(indent=2)
