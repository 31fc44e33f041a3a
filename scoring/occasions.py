"""CTS TBSC97-2026, 5.1: points x alpha of each rater's occasion, and the mean over raters and occasions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from statistics import mean
from typing import TypeVar

from scoring.defects import Readings
from scoring.inputs import Inputs, Occasion
from scoring.scheme import Indicator, Scheme
from scoring.scorecard import Range, Rated

HUNDRED = Fraction(100)
T = TypeVar("T")


def rated(scheme: Scheme, inputs: Inputs, readings: Readings) -> tuple[Rated, ...]:
    """Returns the score of each occasion: sum(points x alpha) / sum(points that apply) x 100, as a range (T05)."""
    items = applicable(scheme, inputs)
    ordered = sorted(inputs.occasions, key=lambda occasion: (occasion.rater, occasion.id))
    return tuple(_rated(scheme, occasion, items, readings) for occasion in ordered)


def applicable(scheme: Scheme, inputs: Inputs) -> list[Indicator]:
    """Returns the items that were not waived."""
    waived = {waiver.item for waiver in inputs.waived}
    return [indicator for _, indicator in scheme.indicators() if indicator.id not in waived]


def _rated(scheme: Scheme, occasion: Occasion, items: Sequence[Indicator], readings: Readings) -> Rated:
    alphas = {id_: _number(scheme, alpha, readings) for id_, alpha in occasion.alpha.items()}
    due = sum((item.weight for item in items), Fraction())
    got = sum((item.weight * alphas[item.id] for item in items if item.id in alphas), Fraction())
    gaps = sum((item.weight for item in items if item.id not in alphas), Fraction())
    scale = HUNDRED / due if due else Fraction()
    at = None if occasion.at is None else occasion.at.isoformat()
    return Rated(id=occasion.id, rater=occasion.rater, at=at, low=got * scale, high=(got + gaps) * scale, alphas=alphas)


def _number(scheme: Scheme, alpha: Fraction | str, readings: Readings) -> Fraction:
    """An alpha, or a level of the five-point scale as the readings turn it into one (T04)."""
    if isinstance(alpha, Fraction):
        return alpha
    level = next(level for level in scheme.alpha if level.name.zh == alpha)
    if readings["alpha.from_likert"] == "midpoint":
        return level.midpoint
    assert level.upper is not None
    return level.upper


def average(found: Sequence[Rated], value: Callable[[Rated], Fraction | None], readings: Readings) -> Fraction | None:
    """Returns the mean over occasions within each rater and then over raters, or over all occasions alike (T06).

    Occasions without a value are passed over; None if none has one.
    """
    groups: dict[str, list[Fraction]] = defaultdict(list)
    for one in found:
        known = value(one)
        if known is not None:
            groups["" if readings["mean.order"] == "pooled" else one.rater].append(known)
    means = [Fraction(mean(values)) for values in groups.values()]
    return Fraction(mean(means)) if means else None


def total(found: Sequence[Rated], readings: Readings) -> Range:
    """Returns the total of all occasions, of 100; from 0 to 100 where there is none."""
    if not found:
        return Range(low=Fraction(), high=HUNDRED, full=HUNDRED)
    low = average(found, lambda one: one.low, readings)
    high = average(found, lambda one: one.high, readings)
    assert low is not None
    assert high is not None
    return Range(low=low, high=high, full=HUNDRED, value=low if low == high else None)


def unequal(found: Sequence[Rated]) -> bool:
    """Whether raters have different numbers of occasions, so that the order of the means matters (T06)."""
    counts: dict[str, int] = defaultdict(int)
    for one in found:
        counts[one.rater] += 1
    return len(set(counts.values())) > 1
