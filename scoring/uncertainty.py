"""What the intervals of the values mean for the composite: Monte-Carlo (domain 3.9).

A share of n cases is drawn from a Beta distribution (Jeffreys), a mean from a normal one with the half width of its
interval on either side, what was entered stays. Alphas are drawn by resampling raters and then their occasions.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from scoring.certification import score_compared
from scoring.coefficients import coefficient_of, compared, edges, step_of
from scoring.defects import Readings
from scoring.levels import Reading
from scoring.points import own_thresholds, policy_of
from scoring.scheme import Indicator, Scheme
from scoring.scorecard import Composite, Line, Maturity, Rated, Spread, Uncertainty
from scoring.values import Value

SEED, DRAWS = 1, 20_000
_Z = 1.959963984540054  # half a 95 % interval in standard deviations

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """A line and what it came from."""

    line: Line
    indicator: Indicator
    value: Value


def uncertainty(scheme: Scheme, known: Sequence[Known], composite: Composite, readings: Readings) -> Uncertainty | None:
    """Returns the distribution of the composite and the chance of each coefficient; None where nothing has a spread."""
    shift, drawn = np.zeros(DRAWS), False
    chances: dict[str, dict[str, float]] = {}
    factors = {dimension.id: float(dimension.factor) for dimension in scheme.dimensions}
    for one in known:
        values = _values(one)
        if values is None or (one.value.given is not None and one.value.given.score is not None):
            continue
        if one.indicator.bands:
            chances[one.line.id] = _chances(one.indicator, values, readings)
        scores = None if one.line.score is None else _scores(one, values, readings)
        drawn |= scores is not None or bool(one.indicator.bands)
        if scores is not None and one.line.score is not None and (not one.line.boost or composite.with_boost):
            shift += (scores - float(one.line.score)) * float(one.line.weight) / 100 * factors[one.line.dimension]
    if not drawn:
        return None
    full = float(composite.literal.full)
    return Uncertainty(
        seed=SEED,
        draws=DRAWS,
        low=_spread(np.clip(float(composite.literal.low) + shift, 0, full)),
        high=_spread(np.clip(float(composite.literal.high) + shift, 0, full)),
        chances=chances,
    )


def _values(one: Known) -> Array | None:
    """Draws of a value, or None where it has no spread; of each indicator's own stream, whatever else is drawn."""
    value, generator = one.value, np.random.default_rng([SEED, zlib.crc32(one.indicator.id.encode())])
    if value.rate is not None and value.rate.n:
        k, n = value.rate.k, value.rate.n
        return np.asarray(generator.beta(k + 0.5, n - k + 0.5, DRAWS), dtype=np.float64)
    if value.interval is None or value.value is None:
        return None
    centre, (low, high) = float(value.value), value.interval
    steps = generator.standard_normal(DRAWS)
    width = np.where(steps < 0, centre - low, high - centre) / _Z
    most = 1.0 if one.indicator.unit == "share" else np.inf
    return np.asarray(np.clip(centre + steps * width, 0.0, most), dtype=np.float64)


def _scores(one: Known, values: Array, readings: Readings) -> Array | None:
    """The score of each draw under the indicator's policy; linear in the value where it has a score sheet."""
    indicator, line, centre = one.indicator, one.line, one.value.value
    assert line.score is not None
    assert centre is not None
    tests = own_thresholds(indicator)
    match policy_of(indicator, readings):
        case "coef_full_marks" if indicator.bands:
            return 100 * _coefficients(indicator, values, readings)
        case "value_times_coef" if indicator.bands:
            return 100 * values * _coefficients(indicator, values, readings)
        case "attainment_linear":
            target = next(test.at_least for test in tests if test.at_least)
            return np.asarray(100 * np.minimum(1.0, values / float(target)))
        case "pass_fail":
            bounds = {edge for test in tests for edge in (test.lower, test.upper) if edge is not None}
            met = _steps(
                sorted(bounds),
                lambda value: Fraction(all(test.holds(compared(value, test.unit, readings)) for test in tests)),
                step_of(indicator.unit, readings),
            )
            return 100 * met(values)
        case "d_table" | "value_times_coef" if line.score_range is not None and one.value.interval is not None:
            low, high = line.score_range
            slope = float(high - low) / max(one.value.interval[1] - one.value.interval[0], 1e-12)
            return np.asarray(np.clip(float(line.score) + slope * (values - float(centre)), 0.0, 100.0))
    return None


def _coefficients(indicator: Indicator, values: Array, readings: Readings) -> Array:
    def coefficient(value: Fraction) -> Fraction:
        return coefficient_of(indicator, value, readings) or Fraction()

    floor = readings.number("asa.floor_s") if indicator.unit == "seconds" else None
    cuts = [*edges(indicator), *([] if floor is None else [floor])]
    return _steps(cuts, coefficient, step_of(indicator.unit, readings))(values)


def _steps(
    cuts: Sequence[Fraction], of: Callable[[Fraction], Fraction], step: Fraction | None
) -> Callable[[Array], Array]:
    """A step function of exact values as one of draws: it is asked once between each two places where it may change.

    Rounding to ``step`` before comparing moves those places by up to half a step.
    """
    half = (step or Fraction()) / 2
    places = sorted({cut + shift for cut in cuts for shift in (-half, Fraction(), half)})
    if not places:
        return lambda values: np.full(len(values), float(of(Fraction())))
    between = [(one + two) / 2 for one, two in itertools.pairwise(places)]
    heights = np.array([float(of(value)) for value in (places[0] - 1, *between, places[-1] + 1)])
    where = np.array([float(place) for place in places])
    return lambda values: np.asarray(heights[np.searchsorted(where, values)])


def _chances(indicator: Indicator, values: Array, readings: Readings) -> dict[str, float]:
    found, counts = np.unique(_coefficients(indicator, values, readings), return_counts=True)
    shares = {str(float(k)): float(count) / DRAWS for k, count in zip(found, counts, strict=True)}
    listed = dict.fromkeys(str(float(band.coefficient)) for band in indicator.bands)
    return {key: round(shares.get(key, 0.0), 6) for key in (*listed, *(key for key in shares if key not in listed))}


def _spread(values: Array) -> Spread:
    low, middle, high = (float(q) for q in np.quantile(values, (0.025, 0.5, 0.975)))
    return Spread(p025=low, p50=middle, p975=high)


def rated_uncertainty(
    scheme: Scheme, found: Sequence[Rated], maturity: Maturity | None, gate: str | None, readings: Readings
) -> Uncertainty | None:
    """Returns the distribution of the mean of the occasions and the chance of each number of stars.

    None with fewer than two occasions: they show no spread. The chances are those of a passed gate, unless it failed;
    there are none while an alpha or the level of maturity is not known.
    """
    if len(found) < 2:
        return None
    low, high = (_resampled(_by_rater(found, end, readings)) for end in ("low", "high"))
    chances = {}
    whole = all(one.low == one.high for one in found)
    if scheme.stars is not None and whole and maturity is not None and maturity.level is not None:
        chances["stars"] = {"none": 1.0} if gate == "failed" else _star_chances(scheme, low, maturity.level, readings)
    return Uncertainty(seed=SEED, draws=DRAWS, low=_spread(low), high=_spread(high), chances=chances)


def _by_rater(found: Sequence[Rated], end: str, readings: Readings) -> Mapping[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for one in found:
        key = one.id if readings["mean.order"] == "pooled" else one.rater
        groups.setdefault(key, []).append(float(getattr(one, end)))
    return groups


def _resampled(groups: Mapping[str, list[float]]) -> Array:
    """Means of raters drawn again, and of their occasions drawn again; the same draws for both ends of a range."""
    generator = np.random.default_rng(SEED)
    names = list(groups)
    means = np.stack(
        [np.asarray(groups[n])[generator.integers(0, len(groups[n]), (DRAWS, len(groups[n])))].mean(1) for n in names]
    )
    chosen = generator.integers(0, len(names), (DRAWS, len(names)))
    return np.asarray(means[chosen, np.arange(DRAWS)[:, None]].mean(axis=1))


def _star_chances(scheme: Scheme, scores: Array, level: int, readings: Readings) -> dict[str, float]:
    assert scheme.stars is not None
    reading: Reading = "B" if readings["star.reading"] == "B" else "A"
    found: dict[str, float] = {}
    values, counts = np.unique(np.round(scores, 9), return_counts=True)
    for value, count in zip(values, counts, strict=True):
        score = score_compared(Fraction(repr(float(value))), readings)
        stars = scheme.stars.stars(score, level, reading)
        key = "none" if stars is None else str(stars)
        found[key] = found.get(key, 0.0) + float(count) / len(scores)
    return {key: round(found[key], 6) for key in sorted(found)}
