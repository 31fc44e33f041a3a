"""Rates and what may be concluded from them (domain 3.1).

A rate is two counts. It is never shown without its n and a 95 % interval: Wilson's for display, Clopper and Pearson's
for decisions, because only the exact one guarantees the error rate of the decision rule (ISO/IEC 17025, 7.8.6).
"""

from __future__ import annotations

import math
from enum import StrEnum
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, NonNegativeInt, model_validator

LEVEL = 0.95
ALPHA = 0.05


class Verdict(StrEnum):
    """The three outcomes of a decision with uncertainty."""

    PASS = "符合"  # noqa: S105 - a verdict, no password
    FAIL = "不符合"
    OPEN = "不能判定"

    @property
    def en(self) -> str:
        """The verdict in English."""
        return {Verdict.PASS: "meets", Verdict.FAIL: "does not meet", Verdict.OPEN: "undecided"}[self]


class Rate(BaseModel):
    """``k`` of ``n``. Its text always carries n and the interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: NonNegativeInt
    n: NonNegativeInt
    missing: NonNegativeInt = 0  # belongs here but could not be told: in neither k nor n
    boundary: NonNegativeInt = 0  # of the n, so many are nearer to the criterion than their timing uncertainty (k = 2)

    @model_validator(mode="after")
    def _k_within_n(self) -> Rate:
        if self.k > self.n:
            raise ValueError(f"{self.k} of {self.n} is no rate")
        return self

    @classmethod
    def of(cls, k: float, n: float, missing: float = 0, boundary: float = 0) -> Rate:
        """Returns the rate ``k`` of ``n``; numpy's counts are taken too."""
        return cls(k=int(k), n=int(n), missing=int(missing), boundary=int(boundary))

    @property
    def value(self) -> Fraction | None:
        """The exact share, or None when n = 0."""
        return Fraction(self.k, self.n) if self.n else None

    @property
    def extremes(self) -> tuple[int, int]:
        """The counts k if every boundary case were a miss, and if every one were a hit."""
        return max(0, self.k - self.boundary), min(self.n, self.k + self.boundary)

    @property
    def wilson(self) -> tuple[float, float]:
        """Two-sided 95 % Wilson interval, for display."""
        return self._interval("wilson")

    @property
    def exact(self) -> tuple[float, float]:
        """Two-sided 95 % Clopper-Pearson interval."""
        return self._interval("beta")

    def _interval(self, method: str) -> tuple[float, float]:
        from statsmodels.stats.proportion import proportion_confint

        if not self.n:
            return 0.0, 1.0
        low, high = proportion_confint(self.k, self.n, alpha=1 - LEVEL, method=method)
        return max(0.0, float(low)), min(1.0, float(high))

    def __str__(self) -> str:
        if self.value is None:
            return "– (n = 0)"
        low, high = self.wilson
        return f"{100 * self.k / self.n:.1f} % ({self.k}/{self.n}, 95 % {100 * low:.1f}–{100 * high:.1f} %)"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def bounds(k: int, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Returns the lower and the upper one-sided Clopper-Pearson bound, each at error ``alpha``."""
    from scipy import stats

    low = float(stats.beta.ppf(alpha, k, n - k + 1)) if k else 0.0
    high = float(stats.beta.ppf(1 - alpha, k + 1, n - k)) if k < n else 1.0
    return low, high


def three_way(k: int, n: int, p0: Fraction | float, alpha: float = ALPHA) -> Verdict:
    """Decides the requirement "rate >= p0" from ``k`` of ``n``.

    符合 when the exact lower bound reaches ``p0``, 不符合 when the exact upper bound does not exceed it, otherwise
    不能判定. Each wrong verdict has a chance of at most ``alpha``.
    """
    if n == 0:
        return Verdict.OPEN
    low, high = bounds(k, n, alpha)
    if low >= float(p0):
        return Verdict.PASS
    return Verdict.FAIL if high <= float(p0) else Verdict.OPEN


def smallest_n(p0: Fraction | float, failures: int = 0, alpha: float = ALPHA) -> int:
    """Returns how many observations are needed to show "rate >= p0" when ``failures`` of them fail."""
    n = max(failures + 1, math.ceil(math.log(alpha) / math.log(float(p0))))
    while three_way(n - failures, n, p0, alpha) is not Verdict.PASS:
        n += 1
    return n
