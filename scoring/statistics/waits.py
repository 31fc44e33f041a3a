"""Waiting times: their mean with an interval, and what the waits that were cut short still tell (domain 3.3, 3.4).

A wait that the shopper ended at its limit is *censored*: it was at least that long. A caller who was dropped or sent to
a call-back is a *competing* event: that caller will never be answered, so the wait is infinite and stays in the risk
set to the end. One minus the survival curve is then the share answered within t.

Up to WHOLE values a sample is kept as it is. Beyond, its figures are kept (all computed from all values), not the
values; the interval of the mean is a closed form instead of resamples, and the curve keeps one step per slot of time.
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from scoring.statistics.sums import Floats, exact, exact_sum

WHOLE = 2000  # values
SEED = 1  # of the bootstrap; stored with every interval that needed one
RESAMPLES = 9999
BATCH = 2_000_000  # numbers held at once: bounds the memory, not the result
SHARP_S = 20.0  # the curve is exact here, however few of its steps are kept: the schemes ask for this share (10.1.2)

__all__ = ["Step", "Survival", "Waits", "abc_interval", "exact", "mean_interval", "quantile"]


def quantile(times: Sequence[float] | Floats, share: float) -> float | None:
    """Returns the smallest time that at least ``share`` of ``times`` do not exceed (inverse ECDF), or None if empty."""
    if not len(times):
        return None
    return float(np.quantile(np.asarray(times), share, method="inverted_cdf"))


class Waits(BaseModel):
    """Completed times in seconds: their figures, exact, and a 95 % interval of the mean.

    ``method`` of the interval: BCa bootstrap from ``seed`` up to WHOLE times, beyond that ABC, which needs no seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    mean: Fraction | None  # of the values as they are written
    median: float | None
    p95: float | None  # one of the observed times
    longest: float | None = None
    interval: tuple[float, float] | None  # None: fewer than two different values
    method: Literal["bca", "abc"] = "bca"
    seed: int | None = SEED
    missing: int = 0  # belong here, but an instant is unknown
    u: float | None = None  # typical standard uncertainty of one time, seconds
    times: tuple[float, ...]  # sorted; empty if they are more than WHOLE

    @classmethod
    def of(cls, times: npt.ArrayLike, *, missing: int = 0, u: float | None = None, seed: int = SEED) -> Waits:
        """Returns the waits with their interval."""
        ordered = _sorted(times)
        whole = ordered.size <= WHOLE
        return cls(
            **_figures(ordered),
            interval=mean_interval(ordered, seed) if whole else abc_interval(ordered),
            method="bca" if whole else "abc",
            seed=seed if whole else None,
            missing=int(missing),
            u=u,
            times=tuple(ordered.tolist()) if whole else (),
        )

    @model_validator(mode="before")
    @classmethod
    def _of_format_1(cls, data: Any) -> Any:
        """Metrics of format 1 held the times alone."""
        if isinstance(data, dict) and "times" in data and "n" not in data:
            return data | _figures(_sorted(data["times"]))
        return data


def _sorted(times: npt.ArrayLike) -> Floats:
    return np.sort(np.asarray(times, dtype=np.float64)) + 0.0  # no -0.0: its place would depend on the order of rows


def _figures(ordered: Floats) -> dict[str, Any]:
    n = ordered.size
    if not n:
        return {"n": 0, "mean": None, "median": None, "p95": None, "longest": None}
    middle = (float(ordered[(n - 1) // 2]) + float(ordered[n // 2])) / 2
    longest = float(ordered[-1])
    return {
        "n": n, "mean": exact_sum(ordered) / n, "median": middle, "p95": quantile(ordered, 0.95), "longest": longest,
    }  # fmt: skip


def mean_interval(times: Sequence[float] | Floats, seed: int = SEED) -> tuple[float, float] | None:
    """Returns the 95 % BCa bootstrap interval of the mean, or None when there is no spread to resample."""
    from scipy import stats

    if len(np.unique(times)) < 2:
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


def abc_interval(times: Sequence[float] | Floats) -> tuple[float, float] | None:
    """Returns the 95 % ABC interval of the mean, or None when there is no spread.

    What BCa's resamples tend to (DiCiccio and Efron, 1992): of a mean, bias correction and acceleration are both a, a
    sixth of the skewness over the root of n, and the ends lie at mean + se w / (1 - a w)^2 with w = a -+ 1.96.
    """
    values = np.asarray(times, dtype=np.float64)
    if len(values) < 2 or values.min() == values.max():
        return None
    mean = values.mean()
    from_mean = values - mean
    squares = from_mean * from_mean
    variance = squares.mean()
    error = np.sqrt(variance / values.size)
    a = (squares * from_mean).mean() / (6 * np.sqrt(values.size) * variance**1.5)
    low, high = (a + z for z in (NormalDist().inv_cdf(0.025), NormalDist().inv_cdf(0.975)))
    return float(mean + error * low / (1 - a * low) ** 2), float(mean + error * high / (1 - a * high) ** 2)


class Step(BaseModel):
    """From ``t`` on, the share ``s`` is still waiting; 95 % between ``low`` and ``high``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    t: float
    s: float
    low: float
    high: float


class Survival(BaseModel):
    """Kaplan-Meier curve of the waits, up to ``horizon`` (the largest limit L), in seconds.

    Up to WHOLE distinct times of an answer, every step is there. Beyond, one step per ``slot_s`` seconds is kept, the
    last: the curve is exact at every multiple of ``slot_s`` and at SHARP_S, between them behind by less than a slot.
    Median and restricted mean are those of the whole curve. The marks of what was cut short are thinned likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon: float
    answered: int
    n_censored: int  # LIMIT and INVALID
    n_competing: int  # DROPPED and CALLBACK
    median: float | None  # the smallest t at which no more than half are still waiting; None: the curve stays above
    rmst: float  # restricted mean: the mean time spent waiting if everyone stops at the horizon (area under the curve)
    slot_s: float | None = None
    steps: tuple[Step, ...]
    censored: tuple[float, ...]
    competing: tuple[float, ...]  # when it happened

    @classmethod
    def of(cls, answered: npt.ArrayLike, censored: npt.ArrayLike, competing: npt.ArrayLike, horizon: float) -> Survival:
        """Returns the curve of the times in the queue until an answer, censoring, and competing events."""
        from scipy.special import ndtri

        ends, cut, gone = _sorted(answered), _sorted(censored), _sorted(competing)
        times, died = np.unique(ends, return_counts=True)
        waiting = (ends.size - np.searchsorted(ends, times)) + (cut.size - np.searchsorted(cut, times)) + gone.size
        shares: Floats = np.cumprod((waiting - died) / waiting, dtype=np.float64)
        if not cut.size + gone.size:  # the plain share, without the rounding of a product
            shares = 1 - np.cumsum(died) / ends.size
        with np.errstate(divide="ignore", invalid="ignore"):  # Greenwood's variance has no value where the curve ends
            error = ndtri(0.975) * np.sqrt(shares**2 * np.cumsum(died / (waiting * (waiting - died))))
        unknown = np.isnan(error)
        low = np.where(unknown, shares, np.clip(shares - error, 0, 1))
        high = np.where(unknown, shares, np.clip(shares + error, 0, 1))
        kept, slot = _last_of_slots(times)
        return cls(
            horizon=horizon,
            answered=ends.size,
            n_censored=cut.size,
            n_competing=gone.size,
            **_of_curve(times, shares, horizon),
            slot_s=slot,
            steps=tuple(
                Step(t=t, s=s, low=a, high=b)
                for t, s, a, b in np.column_stack([times, shares, low, high])[kept].tolist()
            ),
            censored=_marks(cut),
            competing=_marks(gone),
        )

    @model_validator(mode="before")
    @classmethod
    def _of_format_1(cls, data: Any) -> Any:
        """Metrics of format 1 held every step and every mark, and no figure."""
        if isinstance(data, dict) and "steps" in data and "rmst" not in data:
            curve = np.array([(step["t"], step["s"]) for step in data["steps"]], dtype=np.float64).reshape(-1, 2)
            counts = {f"n_{name}": len(data[name]) for name in ("censored", "competing")}
            return data | counts | _of_curve(curve[:, 0], curve[:, 1], data["horizon"])
        return data

    @property
    def n(self) -> int:
        """How many waits stand behind the curve."""
        return self.answered + self.n_censored + self.n_competing

    def at(self, t: float) -> Step:
        """Returns the curve at ``t``: the share still waiting after t seconds."""
        before = bisect_right(self.steps, t, key=lambda step: step.t)
        return self.steps[before - 1] if before else Step(t=0.0, s=1.0, low=1.0, high=1.0)


def _of_curve(times: Floats, shares: Floats, horizon: float) -> dict[str, float | None]:
    half = np.flatnonzero(shares <= 0.5)
    inside = times < horizon
    widths = np.diff(np.concatenate([[0.0], times[inside], [horizon]]))
    area = float(sum((np.append(1.0, shares[inside]) * widths).tolist()))
    return {"median": float(times[half[0]]) if half.size else None, "rmst": area}


def _last_of_slots(times: Floats) -> tuple[npt.NDArray[np.intp], float | None]:
    """Returns which of the sorted ``times`` are the last of their slot, and how long slots are; None: all are kept."""
    if times.size <= WHOLE:
        return np.arange(times.size), None
    lengths = (step * 10**power for power in range(300) for step in (1, 2, 5))  # milliseconds
    milli = next(length for length in lengths if times[-1] * 1000 / length <= WHOLE)
    edges = np.union1d(np.arange(int(times[-1] * 1000 / milli) + 2) * milli / 1000, [SHARP_S])
    slots = np.searchsorted(edges, times)
    return np.flatnonzero(np.diff(slots, append=len(edges) + 1)), milli / 1000


def _marks(times: Floats) -> tuple[float, ...]:
    """Returns the times, if they are too many the last of each slot."""
    if times.size > WHOLE:
        times = np.unique(times)
        times = times[_last_of_slots(times)[0]]
    return tuple(times.tolist())
