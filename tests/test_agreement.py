"""Coefficients of agreement against other programs, by hand, and by what must hold of any ratings."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from scoring.statistics.agreement import (
    Level,
    Reliability,
    agreement,
    cohen,
    cohen_of_table,
    fleiss,
    fleiss_of_table,
    gwet,
    krippendorff,
    reliability,
    twice,
)
from scoring.statistics.errors import TooFew

NO = None
FOUR_RATERS = [  # Krippendorff's twelve units, also Gwet's
    (1, 1, NO, 1),
    (2, 2, 3, 2),
    (3, 3, 3, 3),
    (3, 3, 3, 3),
    (2, 2, 2, 2),
    (1, 2, 3, 4),
    (4, 4, 4, 4),
    (1, 1, 2, 1),
    (2, 2, 2, 2),
    (NO, 5, 5, 5),
    (NO, NO, 1, 1),
    (NO, NO, 3, NO),
]
SIX_PSYCHIATRISTS = [
    [0, 0, 0, 6, 0],
    [0, 3, 0, 0, 3],
    [0, 1, 4, 0, 1],
    [0, 0, 0, 0, 6],
    [0, 3, 0, 3, 0],
    [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2],
    [2, 0, 3, 1, 0],
    [2, 0, 0, 4, 0],
    [0, 0, 0, 0, 6],
    [1, 0, 0, 5, 0],
    [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0],
    [1, 0, 0, 5, 0],
    [0, 2, 0, 3, 1],
]
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]

TABLES = st.integers(2, 4).flatmap(
    lambda q: st.lists(st.lists(st.integers(0, 30), min_size=q, max_size=q), min_size=q, max_size=q)
)
RATINGS = st.integers(2, 4).flatmap(
    lambda raters: st.lists(
        st.tuples(*[st.one_of(st.none(), st.integers(1, 4))] * raters), min_size=2, max_size=12
    ).filter(lambda rows: any(sum(one is not None for one in row) > 1 for row in rows))
)


def pairs(table):
    return [(i, j) for i, row in enumerate(table, 1) for j, count in enumerate(row, 1) for _ in range(count)]


def test_four_raters_with_gaps():
    alphas = [float(krippendorff(FOUR_RATERS, level).value) for level in Level]
    assert alphas == pytest.approx([0.743, 0.815, 0.849], abs=5e-4)  # Krippendorff's own example
    found = gwet(FOUR_RATERS)
    assert float(found.value) == pytest.approx(0.77544, abs=5e-6)
    assert found.interval == pytest.approx((0.461, 1), abs=5e-4)
    assert float(found.raw) == pytest.approx(0.8181818)
    assert found.contacts == 11


def test_fleiss_with_an_interval():
    found = fleiss_of_table(SIX_PSYCHIATRISTS)
    assert float(found.value) == pytest.approx(0.4139265, abs=5e-8)
    assert found.interval == pytest.approx((0.240, 0.588), abs=5e-4)
    assert float(found.raw) == pytest.approx(0.5511111)
    assert found.marginals[0] == {1: 9, 2: 13, 3: 18, 4: 31, 5: 19}


def test_two_abstractors():
    assert float(cohen_of_table(ABSTRACTORS).value) == pytest.approx(0.7964094, abs=5e-8)
    assert float(gwet(pairs(ABSTRACTORS)).value) == pytest.approx(0.8493305, abs=5e-8)
    assert float(fleiss(pairs(ABSTRACTORS)).value) == pytest.approx(0.7962397, abs=5e-8)  # Scott's pi
    assert float(krippendorff(pairs(ABSTRACTORS)).value) == pytest.approx(0.7972585, abs=5e-8)


@given(TABLES, st.sampled_from(["none", "linear", "quadratic"]))
def test_cohen_is_statsmodels(table, weights):
    found = cohen_of_table(table, weights) if sum(map(sum, table)) else None
    assume(found is not None and found.value is not None)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        theirs = cohens_kappa(np.array(table), wt=None if weights == "none" else weights)
    assert float(found.value) == pytest.approx(theirs.kappa, abs=1e-9)
    assert cohen(pairs(table), weights, scale=range(1, len(table) + 1)).value == found.value
    if found.interval:
        low, high = found.interval
        assert -1 <= low <= float(found.value) <= high <= 1


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=12))
def test_fleiss_is_statsmodels(rows):
    counts = [[row.count(k) for k in range(4)] for row in rows]
    found = fleiss_of_table(counts)
    assume(found.value is not None)
    assert float(found.value) == pytest.approx(fleiss_kappa(np.array(counts)), abs=1e-9)
    assert fleiss(rows, scale=range(4)).value == found.value


@settings(deadline=None, max_examples=50)
@given(RATINGS, st.sampled_from(list(Level)), st.randoms())
def test_neither_order_nor_names_of_raters_matter(rows, level, random):
    found = krippendorff(rows, level, scale=range(1, 5))
    columns = [list(column) for column in zip(*rows, strict=True)]
    random.shuffle(columns)
    turned = list(zip(*columns, strict=True))
    random.shuffle(turned)
    assert krippendorff(turned, level, scale=range(1, 5)).value == found.value
    assert found.value is None or found.value <= 1


@given(RATINGS, st.sampled_from(list(Level)))
@settings(deadline=None, max_examples=50)
def test_alpha_by_its_definition(rows, level):
    """Observed disagreement within contacts over that of all pairs of ratings there are."""
    kept = [[one for one in row if one is not None] for row in rows]
    kept = [row for row in kept if len(row) > 1]
    everything = [one for row in kept for one in row]

    def apart(a, b):
        if level is Level.NOMINAL:
            return Fraction(a != b)
        if level is Level.INTERVAL:
            return Fraction((a - b) ** 2)
        low, high = min(a, b), max(a, b)
        between = sum(low <= one <= high for one in everything)
        return (between - Fraction(everything.count(a) + everything.count(b), 2)) ** 2 if a != b else Fraction()

    n = len(everything)
    within = sum(Fraction(sum(apart(a, b) for a in row for b in row), len(row) - 1) for row in kept) / n
    overall = Fraction(sum(apart(a, b) for a in everything for b in everything), n * (n - 1))
    value = krippendorff(rows, level).value
    assert value == (1 - within / overall if overall else None)


def test_full_agreement_is_one_and_has_no_interval():
    rows = [(k, k, k) for k in (1, 2, 3, 1, 2)]
    found = [krippendorff(rows, level) for level in Level] + [
        fleiss(rows),
        gwet(rows),
        cohen([row[:2] for row in rows]),
    ]
    assert {one.value for one in found} == {1}
    assert {one.interval for one in found} == {None}
    assert {one.verdict for one in found} == {Reliability.USE}


def test_ratings_that_never_vary_leave_it_open():
    rows = [("pass", "pass")] * 40
    for one in (krippendorff(rows), fleiss(rows), gwet(rows), cohen(rows)):
        assert (one.value, one.raw, one.verdict) == (None, 1, Reliability.OPEN)
    assert gwet(rows, scale=["pass", "fail"]).value == 1  # that fail was possible is what makes it agreement


def test_the_kappa_paradox_shows():
    kappa, ac1 = agreement(pairs([[90, 5], [5, 0]]))
    assert kappa.value < 0 < Fraction(8, 10) < ac1.value
    assert kappa.raw == ac1.raw == Fraction(9, 10)
    assert kappa.marginals == ({1: 95, 2: 5}, {1: 95, 2: 5})
    assert (kappa.verdict, ac1.verdict) == (Reliability.UNUSABLE, Reliability.USE)


def test_weights_forgive_near_misses():
    near = [(1, 2), (2, 3), (3, 4), (4, 5), (5, 5), (1, 1), (2, 2), (3, 3)]
    values = [cohen(near, weights, scale=range(1, 6)).value for weights in ("none", "linear", "quadratic")]
    assert values == sorted(values)
    assert values[0] < values[2]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (Fraction(1), Reliability.USE),
        (Fraction(4, 5), Reliability.USE),
        (Fraction(4, 5) - Fraction(1, 10**30), Reliability.TENTATIVE),
        (Fraction(667, 1000), Reliability.TENTATIVE),
        (Fraction(2, 3), Reliability.UNUSABLE),
        (Fraction(-1), Reliability.UNUSABLE),
        (None, Reliability.OPEN),
    ],
)
def test_the_rule_to_judge_by(value, verdict):
    assert reliability(value) is verdict
    assert verdict.en


def test_the_coefficients_that_suit():
    def names(*args):
        return [one.coefficient for one in agreement(*args)]

    two, three, gaps = [(1, 1), (2, 1), (3, 3)], [(1, 1, 2), (2, 2, 2), (3, 3, 3)], [(1, 1, NO), (2, 2, 2), (3, 1, 3)]
    assert names(two) == ["cohen", "gwet_ac1"]
    assert names(two, Level.ORDINAL) == ["krippendorff_ordinal", "gwet_ac1"]
    assert names(three) == ["krippendorff_nominal", "fleiss", "gwet_ac1"]
    assert names(gaps) == ["krippendorff_nominal", "gwet_ac1"]
    assert names([(1, NO), (2, 2), (3, 3)]) == ["krippendorff_nominal", "gwet_ac1"]


def test_alphas_interval_repeats_and_comes_from_its_seed():
    one, two = krippendorff(FOUR_RATERS, seed=4), krippendorff(FOUR_RATERS, seed=4)
    assert one == two
    assert one.seed == 4
    assert krippendorff(FOUR_RATERS, seed=5).interval != one.interval
    assert one.interval[0] < float(one.value) < one.interval[1]


def test_alphas_interval_covers():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(40):  # truth 1..3, kept with chance 0.8, else drawn anew: alpha is 0.64
        truth = rng.integers(1, 4, 60)
        rows = [tuple(t if rng.random() < 0.8 else rng.integers(1, 4) for _ in range(2)) for t in truth.tolist()]
        low, high = krippendorff([tuple(map(int, row)) for row in rows]).interval
        held += low <= 0.64 <= high
    assert held >= 34


@pytest.mark.parametrize(
    "compute",
    [
        lambda: cohen([]),
        lambda: cohen([(1, NO), (NO, 2)]),
        lambda: krippendorff([(1, NO), (NO, 2)]),
        lambda: gwet([(NO, NO)]),
        lambda: fleiss([]),
        lambda: fleiss_of_table([]),
    ],
)
def test_nothing_rated_twice(compute):
    with pytest.raises(TooFew, match="rated twice"):
        compute()


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        (lambda: cohen([(1, 2, 3)]), "two raters"),
        (lambda: cohen_of_table([[1, 2]]), "row and a column"),
        (lambda: fleiss([(1, 2), (1, NO)]), "as many ratings"),
        (lambda: gwet([(1, 9)], scale=[1, 2]), "not on the scale: 9"),
        (lambda: krippendorff([("a", "b")], Level.ORDINAL), "needs the scale"),
        (lambda: krippendorff([("a", "b")], Level.INTERVAL), "made of numbers"),
    ],
)
def test_what_cannot_be_computed(compute, said):
    with pytest.raises(ValueError, match=said):
        compute()


def test_words_on_a_scale_are_ordered_by_it():
    words = {1: "poor", 2: "fair", 3: "good", 4: "fine", 5: "best"}
    rows = [tuple(words.get(one) for one in row) for row in FOUR_RATERS]
    by_words = krippendorff(rows, Level.ORDINAL, scale=list(words.values()))
    assert by_words.value == krippendorff(FOUR_RATERS, Level.ORDINAL).value


@pytest.mark.parametrize(("contacts", "rated"), [(10, 10), (30, 30), (100, 30), (150, 30), (151, 31), (500, 100)])
def test_how_many_are_rated_twice(contacts, rated):
    assert twice(contacts) == rated
