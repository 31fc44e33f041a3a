"""What the intervals of the values mean for the composite: Monte-Carlo (domain 3.9).

A share of n cases is drawn from a Beta distribution (Jeffreys), a mean from a normal one with the half width of its
interval on either side, what was entered stays. Alphas are drawn by resampling raters and then their occasions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from scoring.bands import Band
from scoring.certification import score_compared
from scoring.defects import Readings
from scoring.levels import Reading
from scoring.points import policy_of
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
    generator = np.random.Generator(np.random.PCG64(SEED))
    shift = np.zeros(DRAWS)
    chances: dict[str, dict[str, float]] = {}
    factors = {dimension.id: float(dimension.factor) for dimension in scheme.dimensions}
    for one in known:
        values = _values(one.value, generator)
        if values is None or one.line.score is None or _given(one.value):
            continue
        scores = _scores(one, values, readings)
        if scores is None:
            continue
        if not one.line.boost or composite.with_boost:
            shift += (scores - float(one.line.score)) * float(one.line.weight) / 100 * factors[one.line.dimension]
        if one.indicator.bands:
            chances[one.line.id] = _chances(one.indicator.bands, values)
    if not shift.any():
        return None
    full = float(composite.literal.full)
    return Uncertainty(
        seed=SEED,
        draws=DRAWS,
        low=_spread(np.clip(float(composite.literal.low) + shift, 0, full)),
        high=_spread(np.clip(float(composite.literal.high) + shift, 0, full)),
        chances=chances,
    )


def _given(value: Value) -> bool:
    return value.given is not None and value.given.score is not None


def _values(value: Value, generator: np.random.Generator) -> Array | None:
    """Draws of a value, or None where it has no spread."""
    if value.rate is not None and value.rate.n:
        k, n = value.rate.k, value.rate.n
        return np.asarray(generator.beta(k + 0.5, n - k + 0.5, DRAWS), dtype=np.float64)
    if value.interval is None or value.value is None:
        return None
    centre, (low, high) = float(value.value), value.interval
    steps = generator.standard_normal(DRAWS)
    width = np.where(steps < 0, centre - low, high - centre) / _Z
    return np.asarray(np.maximum(centre + steps * width, 0.0), dtype=np.float64)


def _scores(one: Known, values: Array, readings: Readings) -> Array | None:
    """The score of each draw under the indicator's policy; linear in the value where it is no band."""
    score = one.line.score
    centre = one.value.value
    assert score is not None
    assert centre is not None
    match policy_of(one.indicator, readings):
        case "coef_full_marks" if one.indicator.bands:
            return 100 * _coefficients(one.indicator.bands, values)
        case "value_times_coef" if one.indicator.bands:
            return 100 * values * _coefficients(one.indicator.bands, values)
        case "attainment_linear":
            target = next(t.at_least for t in one.indicator.thresholds if t.of == "value" and t.at_least)
            return np.asarray(100 * np.minimum(1.0, values / float(target)))
        case "pass_fail":
            limit = next(t.at_least for t in one.indicator.thresholds if t.of == "value")
            return None if limit is None else np.where(values >= float(limit), 100.0, 0.0)
        case "d_table" | "value_times_coef" if one.line.score_range is not None and centre:
            low, high = one.line.score_range
            if one.value.interval is None or low == high:
                return None
            slope = float(high - low) / max(one.value.interval[1] - one.value.interval[0], 1e-12)
            return np.asarray(np.clip(float(score) + slope * (values - float(centre)), 0.0, 100.0))
    return None


def _coefficients(bands: Sequence[Band], values: Array) -> Array:
    return np.asarray(
        np.select([_inside(band, values) for band in bands], [float(band.coefficient) for band in bands], 0.0)
    )


def _inside(band: Band, values: Array) -> npt.NDArray[np.bool_]:
    inside = np.ones(len(values), dtype=bool)
    if band.lower is not None:
        inside &= values >= float(band.lower) if band.at_least is not None else values > float(band.lower)
    if band.upper is not None:
        inside &= values <= float(band.upper) if band.at_most is not None else values < float(band.upper)
    return inside


def _chances(bands: Sequence[Band], values: Array) -> dict[str, float]:
    found: dict[str, float] = {}
    for band in bands:
        key = f"{float(band.coefficient):.1f}"
        found[key] = round(found.get(key, 0.0) + float(_inside(band, values).mean()), 6)
    return found


def _spread(values: Array) -> Spread:
    low, middle, high = (float(q) for q in np.quantile(values, (0.025, 0.5, 0.975)))
    return Spread(p025=low, p50=middle, p975=high)


def rated_uncertainty(
    scheme: Scheme, found: Sequence[Rated], maturity: Maturity | None, readings: Readings
) -> Uncertainty | None:
    """Returns the distribution of the mean of the occasions and the chance of each number of stars.

    None with fewer than two occasions: they show no spread.
    """
    if len(found) < 2:
        return None
    generator = np.random.Generator(np.random.PCG64(SEED))
    low, high = (_resampled(_by_rater(found, end, readings), generator) for end in ("low", "high"))
    chances = {}
    if scheme.stars is not None and maturity is not None and maturity.level is not None:
        chances["stars"] = _star_chances(scheme, low, maturity.level, readings)
    return Uncertainty(seed=SEED, draws=DRAWS, low=_spread(low), high=_spread(high), chances=chances)


def _by_rater(found: Sequence[Rated], end: str, readings: Readings) -> Mapping[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for one in found:
        key = one.id if readings["mean.order"] == "pooled" else one.rater
        groups.setdefault(key, []).append(float(getattr(one, end)))
    return groups


def _resampled(groups: Mapping[str, list[float]], generator: np.random.Generator) -> Array:
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
