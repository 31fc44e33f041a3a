"""A rate from a stratified sample, its exact interval at the effective n, and what part of the week it stands for.

Strata are kinds of day by hours by entry by channel (domain 3.2). Estimate and variance are exact rationals:
p = sum(w_h p_h), Var = sum(w_h² p_h (1 - p_h) / (n_h - 1)), n_eff = p (1 - p) / Var. The interval is Clopper and
Pearson's of n_eff p of n_eff (Korn and Graubard, 1998), n_eff capped. Incidents hit whole days, which the variance
does not see: :func:`day_blocks` resamples days as a check.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from scenarios.model import Text
from scoring.statistics.errors import TooFew
from scoring.statistics.rates import ALPHA, LEVEL, Verdict
from scoring.statistics.waits import RESAMPLES, SEED

LEAST = 2  # observations a stratum needs to show its variance
LEAST_COVERED = Fraction(9, 10)  # of the volume


@dataclass(frozen=True)
class Stratum:
    """``k`` of ``n`` observations in one cell, which holds ``weight`` of the volume.

    Attributes:
        name: of the cell; of cells that were put together, all names.
        weight: share of the volume, at least 0; the weights need not make 1.
        k: successes.
        n: observations; 0 where nobody was sent.
        group: such as entry and channel; cells of one group are put together before others are.
        members: names of the cells that were put together.
    """

    name: str
    weight: Fraction
    k: int
    n: int
    group: str = ""
    members: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n or self.weight < 0:
            raise ValueError(f"{self.name}: {self.k} of {self.n} at weight {self.weight} is no stratum")
        if not self.members:
            object.__setattr__(self, "members", (self.name,))

    @property
    def value(self) -> Fraction:
        """The share of successes; a stratum that was not sampled has none."""
        return Fraction(self.k, self.n)

    def with_(self, other: Stratum) -> Stratum:
        """Returns the two as one stratum."""
        members = (*self.members, *other.members)
        group = self.group if self.group == other.group else ""
        k, n = self.k + other.k, self.n + other.n
        return Stratum(" + ".join(members), self.weight + other.weight, k, n, group, members)


@dataclass(frozen=True)
class StratifiedRate:
    """A rate weighted by the volume of its strata.

    Attributes:
        strata: as estimated: sampled, each with two observations or more, their weights made 1.
        coverage: share of the whole volume that lies in strata with an observation.
    """

    strata: tuple[Stratum, ...]
    coverage: Fraction

    @classmethod
    def of(cls, strata: Iterable[Stratum]) -> StratifiedRate:
        """Returns the rate of all strata of the design; those without an observation say what is missing.

        Raises:
            TooFew: fewer than two observations in all.
            ValueError: the strata that were sampled have no weight.
        """
        everything = tuple(strata)
        sampled = [one for one in everything if one.n]
        if (n := sum(one.n for one in sampled)) < LEAST:
            raise TooFew("a stratified rate", n, LEAST)
        covered = sum((one.weight for one in sampled), Fraction())
        if not covered:
            raise ValueError("the strata that were sampled have no weight")
        whole = sum((one.weight for one in everything), Fraction())
        used = tuple(
            Stratum(one.name, one.weight / covered, one.k, one.n, one.group, one.members) for one in collapse(sampled)
        )
        return cls(used, covered / whole)

    @property
    def n(self) -> int:
        """How many observations."""
        return sum(one.n for one in self.strata)

    @property
    def collapsed(self) -> tuple[Stratum, ...]:
        """The strata that were put together because one of them had a single observation."""
        return tuple(one for one in self.strata if len(one.members) > 1)

    @property
    def value(self) -> Fraction:
        """The weighted share of successes."""
        return sum((one.weight * one.value for one in self.strata), Fraction())

    @property
    def variance(self) -> Fraction:
        """The estimated variance of ``value``."""
        parts = (one.weight**2 * one.value * (1 - one.value) / (one.n - 1) for one in self.strata)
        return sum(parts, Fraction())

    @property
    def n_kish(self) -> Fraction:
        """The effective n that the weights alone give, 1 / sum(w_h² / n_h): that of strata of one and the same rate."""
        return 1 / sum((one.weight**2 / one.n for one in self.strata), Fraction())

    @property
    def n_eff(self) -> Fraction:
        """The size of the plain sample that is as precise; strata that differ much can make it more than ``n``.

        Where every stratum is all successes or all failures the variance shows nothing, and the weights tell.
        """
        return self.value * (1 - self.value) / self.variance if self.variance else self.n_kish

    @property
    def design_effect(self) -> Fraction:
        """By what factor the variance is larger than a plain sample's as large: n / n_eff."""
        return self.n / self.n_eff

    def bounds(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Returns the lower and the upper one-sided bound, each at error ``alpha``, nearly.

        n_eff counts for no more than ``n_kish``: a stratum of much weight and few observations that happens to show no
        failure makes the variance far too small. Uncapped, the chance of a wrong 符合 reaches a half; capped, it stays
        near ``alpha`` where each stratum has a dozen, and near twice as much where 90 % of the weight hang on five.
        """
        from scipy import stats

        p, n = self.value, min(self.n_eff, self.n_kish)
        k, rest = float(p * n), float((1 - p) * n)
        low = float(stats.beta.ppf(alpha, k, rest + 1)) if p > 0 else 0.0
        return low, float(stats.beta.ppf(1 - alpha, k + 1, rest)) if p < 1 else 1.0

    @property
    def exact(self) -> tuple[float, float]:
        """Two-sided 95 % interval, Clopper and Pearson's at the effective n."""
        return self.bounds((1 - LEVEL) / 2)

    def verdict(self, p0: Fraction | float, alpha: float = ALPHA) -> Verdict:
        """Decides the requirement "rate >= p0" by the three-outcome rule, as ``rates.three_way`` does (domain 3.1)."""
        low, high = self.bounds(alpha)
        if low >= float(p0):
            return Verdict.PASS
        return Verdict.FAIL if high <= float(p0) else Verdict.OPEN

    @property
    def warning(self) -> Text | None:
        """What must be said when less than 90 % of the volume was sampled."""
        if self.coverage >= LEAST_COVERED:
            return None
        share = f"{float(100 * self.coverage):.1f}"
        return Text(
            zh=f"抽测时段仅代表业务量的{share}%（低于90%），结果不代表其余时段。",
            en=f"The sampled strata hold {share} % of the volume (under 90 %); the result does not stand for the rest.",
        )


def collapse(strata: Sequence[Stratum]) -> tuple[Stratum, ...]:
    """Returns the strata with each of a single observation put together with a neighbour, in the order given.

    The neighbour is the one beside it with fewer observations, of its own group while that has another.
    """
    left = list(strata)
    while len(left) > 1 and (index := next((i for i, one in enumerate(left) if one.n < LEAST), None)) is not None:
        thin = left[index]
        peers = [i for i, one in enumerate(left) if i != index and one.group == thin.group] or [
            i for i in range(len(left)) if i != index
        ]
        before, after = [i for i in peers if i < index][-1:], [i for i in peers if i > index][:1]
        other = min((*before, *after), key=lambda i: left[i].n)
        first, second = sorted((index, other))
        left[first] = left[first].with_(left[second])
        del left[second]
    return tuple(left)


@dataclass(frozen=True)
class DayCell:
    """``k`` of ``n`` observations of one stratum on one day."""

    day: Hashable
    stratum: str
    k: int
    n: int


@dataclass(frozen=True)
class DayBlocks:
    """95 % percentile interval of a stratified rate from resampled days; the same seed gives the same interval."""

    interval: tuple[float, float]
    days: int
    seed: int
    resamples: int

    def wider_than(self, rate: StratifiedRate) -> bool:
        """Whether days differ more than chance within strata explains: then this interval is the honest one."""
        low, high = rate.exact
        return self.interval[1] - self.interval[0] > high - low


def day_blocks(
    rate: StratifiedRate, cells: Sequence[DayCell], seed: int = SEED, resamples: int = RESAMPLES
) -> DayBlocks:
    """Returns the day-block bootstrap of ``rate``: whole days are drawn again, workdays for workdays.

    Days are of one kind when they share strata, directly or by way of other days. A stratum that no drawn day has is
    left out of that resample, as one without an observation is left out of the rate.

    Args:
        rate: the estimate that is checked.
        cells: the same observations by day.
        seed: of the draws.
        resamples: how many draws.

    Raises:
        TooFew: no kind of day has two days.
        ValueError: the cells do not add up to the strata.
    """
    place = {name: h for h, one in enumerate(rate.strata) for name in one.members}
    days = {day: d for d, day in enumerate(dict.fromkeys(cell.day for cell in cells if cell.n))}
    counts = np.zeros((2, len(days), len(rate.strata)))
    for cell in cells:
        if cell.n and cell.stratum in place:
            counts[:, days[cell.day], place[cell.stratum]] += cell.k, cell.n
    summed = counts.sum(axis=1).T.astype(int).tolist()
    if summed != [[one.k, one.n] for one in rate.strata] or sum(cell.n for cell in cells) != rate.n:
        raise ValueError("the observations by day are not those of the strata")
    kinds = _kinds(counts[1] > 0)
    largest = max(int((kinds == kind).sum()) for kind in np.unique(kinds))
    if largest < LEAST:
        raise TooFew("days of one kind for a day-block bootstrap", largest, LEAST)
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, len(days)))
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        drawn[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), size=resamples)
    hits, n = drawn @ counts[0], drawn @ counts[1]
    weights = np.where(n > 0, [float(one.weight) for one in rate.strata], 0.0)
    shares = (weights * hits / np.maximum(n, 1)).sum(axis=1) / weights.sum(axis=1)
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return DayBlocks((float(low), float(high)), len(days), seed, resamples)


def _kinds(present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Returns the kind of each day: the connected part of days and the strata they have."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    days, strata = present.shape
    row, column = np.nonzero(present)
    graph = coo_array((np.ones(row.size), (row, days + column)), shape=(days + strata, days + strata))
    return np.asarray(connected_components(graph, directed=False)[1][:days], dtype=np.int32)
