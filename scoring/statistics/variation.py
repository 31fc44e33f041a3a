"""离散系数, the coefficient of variation of monthly service levels, and how much of it is sampling (domain 3.7).

CMM-525-0005 10.1.2 and CMM-525-0006 9.3.1 ask that it be small and give no formula (defect X19): s / mean, with n - 1
unless the inputs say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from scoring.statistics.errors import TooFew
from scoring.statistics.rates import LEVEL, Rate
from scoring.statistics.waits import exact

LEAST = 3  # months


@dataclass(frozen=True)
class Variation:
    """The coefficient of variation of ``n`` values: ``squared`` is CV² exactly, the root is for display.

    ``interval`` is Vangel's at 95 %, of the coefficient behind the values, whatever ``ddof``; None if the values do not
    differ, for then they say nothing about how much they could.
    """

    n: int
    mean: Fraction
    squared: Fraction
    ddof: int
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, values: Sequence[Fraction | float], ddof: int = 1) -> Variation:
        """Returns the coefficient of variation of ``values``.

        Args:
            values: at least three, of one unit, their mean above 0; a float counts as the decimal it is written as.
            ddof: 1 divides by n - 1, 0 by n.

        Raises:
            TooFew: fewer than three values.
            ValueError: the mean is not above 0, or ``ddof`` is neither 0 nor 1.
        """
        if len(values) < LEAST:
            raise TooFew("离散系数 (coefficient of variation)", len(values), LEAST)
        if ddof not in (0, 1):
            raise ValueError(f"a standard deviation divides by n - 1 (ddof 1) or by n (ddof 0), not by n - {ddof}")
        exactly = [value if isinstance(value, Fraction) else exact(value) for value in values]
        n, mean = len(exactly), sum(exactly, Fraction()) / len(exactly)
        if mean <= 0:
            raise ValueError(f"a coefficient of variation needs a mean above 0, not {float(mean):g}")
        squares = sum(((value - mean) ** 2 for value in exactly), Fraction()) / mean**2
        interval = vangel(math.sqrt(squares / (n - 1)), n) if squares else None
        return cls(n, mean, squares / (n - ddof), ddof, interval)

    @property
    def value(self) -> float:
        """The coefficient of variation."""
        return math.sqrt(self.squared)


def vangel(cv: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Returns Vangel's interval (1996, modified McKay) of the coefficient of variation behind ``n`` normal values.

    Made for coefficients up to about 1/3. The upper end is infinite where the values exclude none.

    Args:
        cv: of the sample, with n - 1.
        n: how many values, at least 2.
        level: of confidence.
    """
    from scipy import stats

    def end(quantile: float) -> float:
        u = float(stats.chi2.ppf(quantile, n - 1))
        under = ((u + 2) / n - 1) * cv**2 + u / (n - 1)
        return cv / math.sqrt(under) if under > 0 else math.inf

    return end((1 + level) / 2), end((1 - level) / 2)


def noise(rate: Fraction | float, n: float) -> float:
    """Returns the coefficient of variation that sampling ``n`` a month gives a rate that never moves."""
    return math.sqrt((1 - float(rate)) / (float(rate) * n))


@dataclass(frozen=True)
class NetVariation:
    """The variation of monthly sampled rates, the part of CV² that sampling makes, and what is left, at least 0."""

    observed: Variation
    noise_squared: Fraction

    @classmethod
    def of(cls, months: Sequence[Rate], ddof: int = 1) -> NetVariation:
        """Returns the variation of the months' rates with sampling noise taken off: CV² - mean(p (1 - p) / n) / p̄².

        Raises:
            TooFew: fewer than three months have an observation.
            ValueError: no month has a success, or ``ddof`` is neither 0 nor 1.
        """
        sampled = [(value, month.n) for month in months if (value := month.value) is not None]
        observed = Variation.of([p for p, _ in sampled], ddof)
        scatter = sum((p * (1 - p) / n for p, n in sampled), Fraction()) / len(sampled)
        return cls(observed, scatter / observed.mean**2)

    @property
    def squared(self) -> Fraction:
        """CV² without the noise."""
        return max(Fraction(), self.observed.squared - self.noise_squared)

    @property
    def value(self) -> float:
        """The coefficient of variation without the noise; 0: sampling alone explains what was seen."""
        return math.sqrt(self.squared)

    @property
    def floor(self) -> float:
        """The coefficient of variation that sampling alone is expected to show."""
        return math.sqrt(self.noise_squared)
