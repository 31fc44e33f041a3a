"""The certification level of CTS TBSC97-2026, 5.3: maturity, stars under both readings, and what is still open."""

from __future__ import annotations

from fractions import Fraction

from scoring.defects import Readings
from scoring.inputs import Inputs
from scoring.levels import Reading, Rounding, rounded
from scoring.scheme import Scheme
from scoring.scorecard import Maturity, Range, Stars

_ROUNDINGS: dict[str, Rounding] = {"none": "none", "half_up": "half_up", "floor": "floor"}


def maturity_of(scheme: Scheme, inputs: Inputs) -> Maturity | None:
    """Returns the maturity of management from the levels of its items; items without one leave a range."""
    if scheme.maturity is None:
        return None
    rule, given = scheme.maturity, inputs.maturity
    low, high = rule.reach(given)
    level = rule.level(low) if low == high else None
    numbers = [one.level for one in rule.levels if one.meets(float(low), float(high))]
    return Maturity(
        total=low if low == high else None,
        low=low,
        high=high,
        full=rule.most,
        level=level.level if level else None,
        name=level.name if level else None,
        possible=tuple(numbers),
        items=dict(sorted(given.items(), key=lambda item: [one.id for one in rule.items].index(item[0]))),
    )


def score_compared(score: Fraction, readings: Readings) -> Fraction:
    """Returns the score as it is compared with the bands of 5.3 (T02)."""
    return rounded(score, _ROUNDINGS[readings.text("star.rounding")])


def stars_of(
    scheme: Scheme, total: Range, maturity: Maturity | None, inputs: Inputs, readings: Readings
) -> Stars | None:
    """Returns the stars under the reading taken and under the other one."""
    if scheme.stars is None or maturity is None:
        return None
    reading: Reading = "B" if readings["star.reading"] == "B" else "A"
    other: Reading = "A" if reading == "B" else "B"
    mine, theirs = (_possible(scheme, total, maturity, inputs, readings, one) for one in (reading, other))
    decided, settled = (len(one) == 1 for one in (mine, theirs))
    label = readings["star.row1_label"]
    return Stars(
        stars=mine[0] if decided else None,
        reading=reading,
        other=theirs[0] if settled else None,
        other_reading=other,
        decided=decided,
        possible=mine,
        other_possible=theirs,
        gate=inputs.gate,
        label=str(label) if label is not None and decided and mine[0] == 0 else None,
    )


def _possible(
    scheme: Scheme, total: Range, maturity: Maturity, inputs: Inputs, readings: Readings, reading: Reading
) -> tuple[int | None, ...]:
    """Every result that the ranges of score and maturity, and a gate not yet passed, leave open; no pass first."""
    assert scheme.stars is not None
    if inputs.gate == "failed":
        return (None,)
    scores = {score_compared(total.low, readings), score_compared(total.high, readings)}
    rows = scheme.stars.readings[reading]
    scores |= {row.score for row in rows if total.low < row.score <= total.high}
    levels = set(maturity.possible) or {0}
    if scheme.maturity is not None and scheme.maturity.level(maturity.low) is None:
        levels.add(0)
    found = {scheme.stars.stars(score, level, reading) for score in scores for level in levels}
    found |= {None} if inputs.gate is None else set()
    return tuple(sorted(found, key=lambda stars: -1 if stars is None else stars))
