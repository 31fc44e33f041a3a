"""Waiting times: their mean with an interval, and what the waits that were cut short still tell (domain 3.3, 3.4).

A wait that the shopper ended at its limit is *censored*: it was at least that long. A caller who was dropped or sent to
a call-back is a *competing* event: that caller will never be answered, so the wait is infinite and stays in the risk
set to the end. One minus the survival curve is then the share answered within t.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

SEED = 1  # of the bootstrap; stored with every interval
RESAMPLES = 9999
BATCH = 2_000_000  # numbers held at once: bounds the memory, not the result


def exact(seconds: float) -> Fraction:
    """Returns the number of seconds as it is written, as a rational: 20.1 is 201/10."""
    return Fraction(repr(float(seconds)))


def quantile(times: Sequence[float], share: float) -> float | None:
    """Returns the smallest time that at least ``share`` of ``times`` do not exceed (inverse ECDF), or None if empty."""
    if not times:
        return None
    return float(np.quantile(np.asarray(times), share, method="inverted_cdf"))


class Waits(BaseModel):
    """Completed times in seconds, sorted; the interval is 95 %, BCa bootstrap of the mean, from ``seed``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: tuple[float, ...]
    interval: tuple[float, float] | None  # None: fewer than two different values
    seed: int = SEED
    missing: int = 0  # belong here, but an instant is unknown
    u: float | None = None  # typical standard uncertainty of one time, seconds

    @classmethod
    def of(cls, times: Iterable[float], *, missing: int = 0, u: float | None = None, seed: int = SEED) -> Waits:
        """Returns the waits with their interval."""
        ordered = tuple(sorted(float(time) for time in times))
        return cls(times=ordered, interval=mean_interval(ordered, seed), seed=seed, missing=int(missing), u=u)

    @property
    def n(self) -> int:
        """How many."""
        return len(self.times)

    @property
    def mean(self) -> Fraction | None:
        """The exact mean of the recorded values."""
        return sum((exact(time) for time in self.times), Fraction()) / self.n if self.n else None

    @property
    def median(self) -> float | None:
        """The median, in seconds."""
        return float(median(self.times)) if self.n else None

    @property
    def p95(self) -> float | None:
        """The 95th percentile, in seconds: one of the observed times."""
        return quantile(self.times, 0.95)


def mean_interval(times: Sequence[float], seed: int = SEED) -> tuple[float, float] | None:
    """Returns the 95 % BCa bootstrap interval of the mean, or None when there is no spread to resample."""
    from scipy import stats

    if len(set(times)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = stats.bootstrap(
            (np.asarray(times),),
            np.mean,
            n_resamples=RESAMPLES,
            method="BCa",
            rng=np.random.default_rng(seed),
            batch=max(1, BATCH // len(times)),
        )
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    return (low, high) if np.isfinite(low) and np.isfinite(high) else None


class Step(BaseModel):
    """From ``t`` on, the share ``s`` is still waiting; 95 % between ``low`` and ``high``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    t: float
    s: float
    low: float
    high: float


class Survival(BaseModel):
    """Kaplan-Meier curve of the waits, up to ``horizon`` (the largest limit L), in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon: float
    steps: tuple[Step, ...]
    censored: tuple[float, ...]  # LIMIT and INVALID
    competing: tuple[float, ...]  # DROPPED and CALLBACK: when it happened
    answered: int

    @classmethod
    def of(
        cls, answered: Sequence[float], censored: Sequence[float], competing: Sequence[float], horizon: float
    ) -> Survival:
        """Returns the curve of the times in the queue until an answer, censoring, and competing events."""
        from scipy import stats

        end = max([horizon, *answered, *censored])
        steps: list[Step] = []
        if answered:
            right = [*censored, *[end] * len(competing)]
            data = stats.CensoredData(uncensored=[*answered], right=right)  # type: ignore[var-annotated]
            curve: Any = stats.ecdf(data).sf
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                band = curve.confidence_interval(confidence_level=0.95, method="linear")
            rows = zip(
                curve.quantiles, curve.probabilities, band.low.probabilities, band.high.probabilities, strict=True
            )
            events = set(answered)
            for t, s, low, high in rows:
                if t in events:
                    low, high = (s, s) if np.isnan(low) else (max(low, 0.0), min(high, 1.0))
                    steps.append(Step(t=float(t), s=float(s), low=float(low), high=float(high)))
        return cls(
            horizon=horizon,
            steps=tuple(steps),
            censored=tuple(sorted(censored)),
            competing=tuple(sorted(competing)),
            answered=len(answered),
        )

    @property
    def n(self) -> int:
        """How many waits stand behind the curve."""
        return self.answered + len(self.censored) + len(self.competing)

    def at(self, t: float) -> Step:
        """Returns the curve at ``t``: the share still waiting after t seconds."""
        before = [step for step in self.steps if step.t <= t]
        return before[-1] if before else Step(t=0.0, s=1.0, low=1.0, high=1.0)

    @property
    def median(self) -> float | None:
        """The smallest t at which no more than half are still waiting; None if the curve stays above."""
        return next((step.t for step in self.steps if step.s <= 0.5), None)

    @property
    def rmst(self) -> float:
        """Restricted mean: the mean time spent waiting if everyone stops at ``horizon`` (area under the curve)."""
        edges = [0.0, *[step.t for step in self.steps if step.t < self.horizon], self.horizon]
        heights = [1.0, *[step.s for step in self.steps if step.t < self.horizon]]
        return float(sum(s * (b - a) for s, a, b in zip(heights, edges, edges[1:], strict=False)))
