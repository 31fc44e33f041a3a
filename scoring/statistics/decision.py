"""Decisions on means, bands and many flags at once (domain 3.1, 3.3, 3.8, 3.9). Rates are decided in ``rates``."""

from __future__ import annotations

import bisect
import warnings
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from scoring.statistics.rates import ALPHA, Verdict
from scoring.statistics.timing import expanded, near
from scoring.statistics.waits import BATCH, RESAMPLES, SEED, exact


def mean_bounds(times: Sequence[float], alpha: float = ALPHA, seed: int = SEED) -> tuple[float, float] | None:
    """Returns the lower and the upper one-sided BCa bound of the mean, each at error ``alpha`` (domain 3.3).

    None when there is no spread to resample. Seconds in, seconds out; beyond some 100,000 times resampling is slow, and
    the 95 % interval of ``waits.abc_interval`` serves as bounds at 2.5 %.
    """
    from scipy import stats

    if len(set(times)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.bootstrap(
            (np.sort(np.asarray(times, dtype=float)),),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=1 - 2 * alpha,
            method="BCa",
            rng=np.random.default_rng(seed),
            batch=max(1, BATCH // len(times)),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite(low) and np.isfinite(high) else None


def three_way_mean(
    mean: Fraction | float, bounds: tuple[float, float] | None, limit: Fraction | float, u: float = 0.0
) -> Verdict:
    """Decides the requirement "mean <= limit": the three-outcome rule with timing uncertainty (domain 3.3, 3.8).

    符合 when the upper bound stays at or under the limit even if every instant is wrong by U = 2 u the same way,
    不符合 when the lower bound lies over it by as much, otherwise 不能判定; so is every mean within U of the limit.

    Args:
        mean: of the waits, seconds.
        bounds: one-sided bounds of the mean, as of :func:`mean_bounds`; None decides nothing.
        limit: the requirement, seconds; for "mean >= limit" exchange 符合 and 不符合.
        u: typical standard uncertainty of one wait, seconds; averaging does not make it smaller.
    """
    if bounds is None or (u and near(float(mean), float(limit), u)):
        return Verdict.OPEN
    if bounds[1] + expanded(u) <= limit:
        return Verdict.PASS
    return Verdict.FAIL if bounds[0] - expanded(u) > limit else Verdict.OPEN


def bands_met(edges: Sequence[Fraction | float], low: float, high: float) -> range:
    """Returns which bands the interval from ``low`` to ``high`` reaches into: 0 is the one under the first edge.

    An edge belongs to the band above it (defect X13); a float counts as the decimal it is written as. One band only
    means that the interval places the value.
    """
    ordered = sorted(edge if isinstance(edge, Fraction) else exact(edge) for edge in edges)
    return range(bisect.bisect_right(ordered, exact(low)), bisect.bisect_right(ordered, exact(high)) + 1)


def holm(p_values: Sequence[float], alpha: float = ALPHA) -> tuple[bool, ...]:
    """Returns which of many flags stand, with a chance of at most ``alpha`` that any of them is false (domain 3.9).

    Only flags are corrected for their number; the value that is scored never is.
    """
    from statsmodels.stats.multitest import multipletests

    return tuple(bool(flag) for flag in multipletests(p_values, alpha, method="holm")[0]) if p_values else ()
