"""Do raters agree on what they heard? (domain 3.6)

Ratings are rows of contacts and columns of raters, None where somebody did not rate. Every coefficient is an exact
rational and comes with the raw agreement and the marginals: when 95 % pass, kappa is low however well raters agree, and
Gwet's AC1 stands beside it. Without a scale the categories are those that were used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from scoring.statistics.errors import TooFew
from scoring.statistics.rates import LEVEL
from scoring.statistics.waits import BATCH, SEED, exact

Label: TypeAlias = str | int | float | Fraction
Ratings: TypeAlias = Sequence[Sequence[Label | None]]
Scale: TypeAlias = Sequence[Label]
Weights: TypeAlias = Literal["none", "linear", "quadratic"]

RESAMPLES = 1999  # of contacts, for the interval of alpha
RELIABLE, TENTATIVE = Fraction(80, 100), Fraction(667, 1000)
TWICE_SHARE, TWICE_LEAST = Fraction(1, 5), 30  # of the contacts are rated by a second person


class Level(StrEnum):
    """What differences between categories mean."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


class Reliability(StrEnum):
    """What an agreement allows (Krippendorff's limits)."""

    USE = "可用"
    TENTATIVE = "暂用，分歧须裁定"
    UNUSABLE = "评分标准不可用"
    OPEN = "不能判定"  # nothing varied: agreement by chance is certain

    @property
    def en(self) -> str:
        """The verdict in English."""
        words = ("usable", "tentative, differences to be adjudicated", "rubric not usable", "undecided")
        return dict(zip(Reliability, words, strict=True))[self]


def reliability(value: Fraction | None) -> Reliability:
    """Returns what a coefficient allows: from 0.80 on use, from 0.667 on tentative use."""
    if value is None:
        return Reliability.OPEN
    if value >= RELIABLE:
        return Reliability.USE
    return Reliability.TENTATIVE if value >= TENTATIVE else Reliability.UNUSABLE


@dataclass(frozen=True)
class Agreement:
    """One coefficient with what it must not be read without.

    Attributes:
        coefficient: its name, such as ``krippendorff_ordinal``.
        value: the coefficient, at most 1; None if the ratings do not vary, for then chance alone agrees fully.
        interval: 95 %, or None where disagreement is too little to tell.
        raw: share of agreeing pairs of ratings, averaged over contacts.
        marginals: how often each category was given, by rater; one for all where raters are not told apart.
        contacts: how many were rated twice or more.
        seed: of the resampling behind the interval; None where a formula gives it.
    """

    coefficient: str
    value: Fraction | None
    interval: tuple[float, float] | None
    raw: Fraction
    marginals: tuple[dict[Label, int], ...]
    contacts: int
    seed: int | None = None

    @property
    def verdict(self) -> Reliability:
        """What the agreement allows."""
        return reliability(self.value)


def twice(contacts: int) -> int:
    """Returns how many of the contacts a second person must rate: a fifth, at least 30, at most all."""
    return min(contacts, max(TWICE_LEAST, math.ceil(contacts * TWICE_SHARE)))


def agreement(ratings: Ratings, level: Level = Level.NOMINAL, scale: Scale | None = None) -> tuple[Agreement, ...]:
    """Returns the coefficients that suit the ratings, the one to judge by first, Gwet's AC1 last.

    Two raters, no order, nothing missing: Cohen's kappa. Otherwise Krippendorff's alpha, with Fleiss' kappa beside it
    where more than two raters rated everything without order.

    Raises:
        TooFew: no contact was rated twice.
        ValueError: a rating is not on the scale, or is no number where the level needs one.
    """
    full = all(rating is not None for row in ratings for rating in row)
    raters = max((len(row) for row in ratings), default=0)
    if level is Level.NOMINAL and full and raters == 2:
        found = [cohen(ratings, scale=scale)]
    else:
        found = [krippendorff(ratings, level, scale)]
        if level is Level.NOMINAL and full and len({len(row) for row in ratings}) == 1:
            found.append(fleiss(ratings, scale))
    return (*found, gwet(ratings, scale))


def cohen(ratings: Ratings, weights: Weights = "none", scale: Scale | None = None) -> Agreement:
    """Returns Cohen's kappa of two raters, weighted by the distance on the scale if asked; large-sample interval.

    Contacts that one of the two did not rate are left out.
    """
    if any(len(row) != 2 for row in ratings):
        raise ValueError("Cohen's kappa is of two raters; take Krippendorff's alpha for more")
    pairs = [(one, two) for one, two in ratings if one is not None and two is not None]
    place = {label: i for i, label in enumerate(_scale(pairs, scale))}
    table = [[0] * len(place) for _ in place]
    for one, two in pairs:
        table[place[one]][place[two]] += 1
    return cohen_of_table(table, weights, list(place))


def cohen_of_table(table: Sequence[Sequence[int]], weights: Weights = "none", scale: Scale | None = None) -> Agreement:
    """Returns Cohen's kappa of a square table: rows are the first rater's categories, columns the second's."""
    from statsmodels.stats.inter_rater import cohens_kappa

    labels = list(range(1, len(table) + 1)) if scale is None else list(scale)
    n, size = sum(map(sum, table)), range(len(table))
    if any(len(row) != len(table) for row in table):
        raise ValueError("a table of two raters has a row and a column for each category")
    if not n:
        raise TooFew("contacts rated twice", 0, 1)
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    power = {"none": 0, "linear": 1, "quadratic": 2}[weights]
    apart = [[abs(i - j) ** power if i != j else 0 for j in size] for i in size]
    observed = sum(apart[i][j] * table[i][j] for i in size for j in size)
    chance = Fraction(sum(apart[i][j] * rows[i] * columns[j] for i in size for j in size), n)
    interval = None
    if observed and chance:
        with np.errstate(all="ignore"):
            found = cohens_kappa(np.array(table), wt=None if weights == "none" else weights)
            interval = _clipped(float(found.kappa_low), float(found.kappa_upp))
    return Agreement(
        "cohen" if weights == "none" else f"cohen_{weights}",
        1 - observed / chance if chance else None,
        interval,
        Fraction(sum(table[i][i] for i in size), n),
        (dict(zip(labels, rows, strict=True)), dict(zip(labels, columns, strict=True))),
        n,
    )


def fleiss(ratings: Ratings, scale: Scale | None = None) -> Agreement:
    """Returns Fleiss' kappa of contacts that all have as many ratings."""
    labels = _scale(ratings, scale)
    return _by_chance("fleiss", _counts(ratings, labels), _marginals(ratings, labels))


def fleiss_of_table(table: Sequence[Sequence[int]], scale: Scale | None = None) -> Agreement:
    """Returns Fleiss' kappa of a table: one row a contact, one column a category, how many raters chose it."""
    if not table:
        raise TooFew("contacts rated twice", 0, 1)
    labels = list(range(1, len(table[0]) + 1)) if scale is None else list(scale)
    marginals = dict(zip(labels, (sum(column) for column in zip(*table, strict=True)), strict=True))
    return _by_chance("fleiss", table, (marginals,))


def gwet(ratings: Ratings, scale: Scale | None = None) -> Agreement:
    """Returns Gwet's AC1 of two or more raters; ratings may be missing.

    Give the scale: a category that nobody chose still lowers the agreement that chance explains.
    """
    labels = _scale(ratings, scale)
    return _by_chance("gwet_ac1", _counts(ratings, labels), _marginals(ratings, labels))


def krippendorff(
    ratings: Ratings, level: Level = Level.NOMINAL, scale: Scale | None = None, seed: int = SEED
) -> Agreement:
    """Returns Krippendorff's alpha of two or more raters; ratings may be missing.

    The interval is the 2.5th to the 97.5th percentile of alpha over contacts drawn again; draws that do not vary tell
    nothing and are left out.

    Args:
        ratings: contacts by raters.
        level: of measurement; for ``INTERVAL`` the labels are numbers.
        scale: the categories in order; by default those used, sorted.
        seed: of the draws.
    """
    labels = _scale(ratings, scale)
    if level is Level.ORDINAL and scale is None and any(isinstance(label, str) for label in labels):
        raise ValueError("words have no order of their own: an ordinal level needs the scale, least first")
    counts = [row for row in _counts(ratings, labels) if sum(row) > 1]
    if not counts:
        raise TooFew("contacts rated twice", 0, 1)
    values = _numbers(labels) if level is Level.INTERVAL else [Fraction(place) for place in range(len(labels))]
    array, others = np.array(counts), [sum(row) - 1 for row in counts]
    whole = math.lcm(*others)
    together = _together(array, np.array([[whole // other for other in others]])).astype(object) * Fraction(1, whole)
    (value,) = _alpha(together, level, np.array(values, dtype=object))
    interval = None
    if value is not None and value < 1:
        rng, n = np.random.default_rng(seed), len(counts)
        draws = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / np.array(others)
        parts = np.array_split(draws, math.ceil(draws.shape[0] * len(labels) ** 2 / BATCH))
        alphas = [a for part in parts for a in _alpha(_together(array, part), level, np.array(values, dtype=float))]
        if varied := [alpha for alpha in alphas if alpha is not None]:
            low, high = np.quantile(varied, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            interval = _clipped(float(low), float(high))
    return Agreement(
        f"krippendorff_{level}", value, interval, _raw(counts), _marginals(ratings, labels), len(counts), seed
    )


def _together(counts: npt.NDArray[Any], weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns how often two categories meet in one contact: (draws, categories, categories).

    Args:
        counts: (contacts, categories), how many raters chose it.
        weights: (draws, contacts), how often a contact was drawn, by its ratings less one.
    """
    contacts, q = counts.shape
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, range(q), range(q)] -= counts
    return np.asarray((weights @ pairs.reshape(contacts, q * q)).reshape(-1, q, q))


def _alpha(together: npt.NDArray[Any], level: Level, values: npt.NDArray[Any]) -> list[Any]:
    """Returns 1 - observed / expected disagreement of each draw, exact for Fractions; None without variation."""
    n = together.sum(axis=1)
    if level is Level.NOMINAL:
        apart = 1 - np.eye(n.shape[1], dtype=int)
    else:
        places = np.cumsum(n, axis=1) - n / 2 if level is Level.ORDINAL else values[None, :]
        apart = (places[:, :, None] - places[:, None, :]) ** 2
    expected = (n[:, :, None] * n[:, None, :] * apart).sum(axis=(1, 2))
    observed = (together * apart).sum(axis=(1, 2))
    return [1 - (m - 1) * o / e if e else None for m, o, e in zip(n.sum(axis=1), observed, expected, strict=True)]


def _by_chance(name: str, counts: Sequence[Sequence[int]], marginals: tuple[dict[Label, int], ...]) -> Agreement:
    """Returns Fleiss' kappa or Gwet's AC1, (p_a - p_e) / (1 - p_e), with the linearised variance of Gwet (2014, ch. 5).

    A rating of category k agrees by chance with another with g_k = pi_k (Fleiss) or (1 - pi_k) / (q - 1) (AC1).
    """
    rated = [row for row in counts if sum(row)]
    if name == "fleiss" and len({sum(row) for row in counts}) > 1:
        raise ValueError("Fleiss' kappa needs as many ratings of each contact; take Krippendorff's alpha")
    if not (paired := [row for row in rated if sum(row) > 1]):
        raise TooFew("contacts rated twice", 0, 1)
    n, q = len(rated), len(rated[0])
    shares = [[Fraction(count, sum(row)) for count in row] for row in rated]
    pi = [sum((row[k] for row in shares), Fraction()) / n for k in range(q)]
    by_chance = pi if name == "fleiss" else [(1 - share) / (q - 1) if q > 1 else Fraction(1) for share in pi]
    raw = _raw(paired)
    chance = sum((p * g for p, g in zip(pi, by_chance, strict=True)), Fraction())
    if chance == 1:
        return Agreement(name, None, None, raw, marginals, len(paired))
    value = (raw - chance) / (1 - chance)
    interval = None
    if raw < 1 and n > 1:
        squares = 0.0
        for row, share in zip(rated, shares, strict=True):
            own = Fraction(n, len(paired)) * (_raw([row]) - chance) / (1 - chance) if sum(row) > 1 else Fraction()
            lucky = sum((g * p for g, p in zip(by_chance, share, strict=True)), Fraction())
            squares += float(own - 2 * (1 - value) * (lucky - chance) / (1 - chance) - value) ** 2
        from scipy import stats

        reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * math.sqrt(squares / (n * (n - 1)))
        interval = _clipped(float(value) - reach, float(value) + reach)
    return Agreement(name, value, interval, raw, marginals, len(paired))


def _raw(counts: Sequence[Sequence[int]]) -> Fraction:
    """The share of agreeing pairs of ratings of a contact, averaged over contacts that have two."""
    each = [Fraction(sum(c * (c - 1) for c in row), sum(row) * (sum(row) - 1)) for row in counts]
    return sum(each, Fraction()) / len(each)


def _scale(ratings: Ratings, scale: Scale | None) -> list[Label]:
    used = {rating for row in ratings for rating in row if rating is not None}
    if scale is not None:
        if stray := [label for label in used if label not in scale]:
            raise ValueError(f"not on the scale: {', '.join(sorted(map(str, stray)))}")
        return list(scale)
    if any(isinstance(label, str) for label in used):
        return sorted(used, key=str)
    return sorted(used, key=lambda label: Fraction(label))


def _counts(ratings: Ratings, labels: Scale) -> list[list[int]]:
    tallies = [Counter(rating for rating in row if rating is not None) for row in ratings]
    return [[tally[label] for label in labels] for tally in tallies]


def _marginals(ratings: Ratings, labels: Scale) -> tuple[dict[Label, int], ...]:
    raters = max((len(row) for row in ratings), default=0)
    tallies = [Counter(row[rater] for row in ratings if rater < len(row)) for rater in range(raters)]
    return tuple({label: tally[label] for label in labels} for tally in tallies)


def _numbers(labels: Scale) -> list[Fraction]:
    if any(isinstance(label, str) for label in labels):
        raise ValueError("an interval scale is made of numbers")
    return [exact(label) if isinstance(label, float) else Fraction(label) for label in labels]


def _clipped(low: float, high: float) -> tuple[float, float] | None:
    return (max(-1.0, low), min(1.0, high)) if math.isfinite(low) and math.isfinite(high) else None
