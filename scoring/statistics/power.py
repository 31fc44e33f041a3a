"""What a sample of n can show, before the first of it is taken (domain 3.1, 3.9).

Pure statistics: chances of the three verdicts, the failures each allows, the n for a precision or a power.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from scoring.statistics.rates import ALPHA, LEVEL, Verdict, three_way

LARGEST = 100_000


@dataclass(frozen=True)
class Criteria:
    """The three-outcome rule for one n: 符合 up to ``passes`` failures, 不符合 from ``fails`` failures on.

    None: no number of failures leads to that verdict.
    """

    n: int
    passes: int | None
    fails: int | None


@dataclass(frozen=True)
class Chances:
    """The chance of each verdict; the three make 1."""

    passes: float
    fails: float
    undecided: float


def criteria(n: int, p0: Fraction | float, alpha: float = ALPHA) -> Criteria:
    """Returns how many failures of ``n`` lead to which verdict on "rate >= p0", as :func:`three_way` decides it."""
    numbers = range(n + 1)
    passed = bisect.bisect_left(numbers, True, key=lambda f: three_way(n - f, n, p0, alpha) is not Verdict.PASS)
    failed = bisect.bisect_left(numbers, True, key=lambda f: three_way(n - f, n, p0, alpha) is Verdict.FAIL)
    return Criteria(n, passed - 1 if passed else None, failed if failed <= n else None)


def chances(n: int, p0: Fraction | float, true: Fraction | float, alpha: float = ALPHA) -> Chances:
    """Returns the chance of each verdict on "rate >= p0" from ``n`` observations of a rate that is ``true``.

    Binomial: the observations are independent, and each succeeds with the same chance.
    """
    from scipy import stats

    rule, failing = criteria(n, p0, alpha), 1 - float(true)
    passes = 0.0 if rule.passes is None else float(stats.binom.cdf(rule.passes, n, failing))
    fails = 0.0 if rule.fails is None else float(stats.binom.sf(rule.fails - 1, n, failing))
    return Chances(passes, fails, max(0.0, 1 - passes - fails))


def n_for_power(
    p0: Fraction | float, true: Fraction | float, power: Fraction | float = 0.8, alpha: float = ALPHA
) -> int:
    """Returns the least n from which on the chance of the right verdict on "rate >= p0" is at least ``power``.

    The right verdict is 符合 when ``true`` lies above ``p0`` and 不符合 when it lies below. Failures are whole numbers,
    so the chance rises in teeth: some smaller n reach ``power`` too, but fall short again with an attempt more.

    Raises:
        ValueError: ``true`` equals ``p0``, or more than 100,000 would be needed.
    """
    required, actual = float(p0), float(true)
    if actual == required:
        raise ValueError(f"a rate of exactly {required:g} cannot be told from the requirement, however large n is")
    short, start = 0, 1
    end = max(4096, math.ceil(4 / min(required, 1 - required)))  # several teeth long
    while start <= LARGEST:
        n = np.arange(start, end)
        wanting = np.flatnonzero(_power(n, required, actual, alpha) < float(power))
        if wanting.size == 0:
            return short + 1
        short = int(n[wanting[-1]])
        start, end = end, 2 * end
    raise ValueError(f"more than {LARGEST} would be needed to tell {actual:g} from {required:g}")


def _power(n: npt.NDArray[np.int64], p0: float, true: float, alpha: float) -> npt.NDArray[np.float64]:
    """Returns the chance of the right verdict for each n."""
    from scipy import stats

    if true > p0:
        enough = stats.binom.isf(alpha, n, p0) + 1  # the fewest successes that pass
        return np.asarray(np.where(enough <= n, stats.binom.sf(enough - 1, n, true), 0.0))
    few = stats.binom.ppf(alpha, n, p0)  # the most successes that fail
    few = np.where(stats.binom.cdf(few, n, p0) > alpha, few - 1, few)
    return np.asarray(np.where(few >= 0, stats.binom.cdf(few, n, true), 0.0))


def n_for_half_width(rate: Fraction | float, half_width: Fraction | float, level: float = LEVEL) -> int:
    """Returns the n at which the normal interval around ``rate`` reaches no further than ``half_width`` either way."""
    from scipy import stats

    z = float(stats.norm.ppf((1 + level) / 2))
    return max(1, math.ceil(z * z * float(rate) * (1 - float(rate)) / float(half_width) ** 2))


def expected_interval(rate: Fraction | float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Returns Wilson's interval of ``n`` observations, perhaps an effective number, of which just ``rate`` succeed."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(float(rate) * n, n, alpha=1 - level, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def design_effect(weights: Sequence[Fraction | float], counts: Sequence[int]) -> float:
    """Returns by what factor weighting makes the variance of a rate larger than that of a plain sample as large.

    With strata of one and the same rate, Var = p (1 - p) sum(w_h^2 / n_h) (domain 3.2); 1 when the counts are in
    proportion to the weights.

    Args:
        weights: of the strata, not all 0; they need not make 1.
        counts: of the strata, each at least 1.
    """
    whole = float(sum(weights))
    total = sum((float(weight) / whole) ** 2 / count for weight, count in zip(weights, counts, strict=True))
    return sum(counts) * total


def effective_n(weights: Sequence[Fraction | float], counts: Sequence[int]) -> int:
    """Returns the size of the plain sample that is as precise, rounded down."""
    return int(sum(counts) / design_effect(weights, counts) + 1e-9)


def n_for_mean(sd: float, half_width: float, level: float = LEVEL) -> int:
    """Returns the n at which the normal interval of a mean reaches no further than ``half_width`` (domain 3.3).

    Args:
        sd: standard deviation of one value, in the unit of ``half_width``.
        half_width: how far the interval may reach either way.
        level: of confidence.
    """
    from scipy import stats

    return max(1, math.ceil((float(stats.norm.ppf((1 + level) / 2)) * sd / half_width) ** 2))


def half_width_of_mean(sd: float, n: int, level: float = LEVEL) -> float:
    """Returns how far the normal interval of the mean of ``n`` values reaches either way, in the unit of ``sd``."""
    from scipy import stats

    return float(stats.norm.ppf((1 + level) / 2)) * sd / math.sqrt(n)


def chance_of_share(n: int, p0: Fraction | float, true: Fraction | float) -> float:
    """Returns the chance that the plain share of ``n`` reaches ``p0`` when the rate is ``true`` (domain 3.1).

    What a band would give if the share were taken for the rate, without an interval.
    """
    from scipy import stats

    least = math.ceil(n * (p0 if isinstance(p0, Fraction) else Fraction(repr(p0))))
    return float(stats.binom.sf(least - 1, n, float(true)))
