"""Wald's test, outcome by outcome, against its definition and against all sequences there are."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.statistics import Verdict
from scoring.statistics.sequential import Design, SequentialTest

DESIGNS = st.tuples(
    st.integers(1, 97), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.integers(1, 60)
).map(
    lambda d: Design(
        Fraction(d[0], 100),
        Fraction(min(d[0] + d[1], 99), 100),
        limit=d[4],
        alpha=Fraction(d[2], 100),
        beta=Fraction(d[3], 100),
    )
)


def walked(design, outcomes):
    """The definition: multiply up the likelihood ratio, stop at the first bound."""
    ratio = Fraction(1)
    for n, success in enumerate(outcomes, start=1):
        ratio *= design.p1 / design.p0 if success else (1 - design.p1) / (1 - design.p0)
        if ratio >= (1 - design.beta) / design.alpha:
            return Verdict.PASS, n
        if ratio <= design.beta / (1 - design.alpha):
            return Verdict.FAIL, n
        if n == design.limit:
            return Verdict.OPEN, n
    return None, len(outcomes)


@given(DESIGNS, st.lists(st.booleans(), max_size=70))
def test_it_stops_where_the_likelihood_ratio_first_reaches_a_bound(design, outcomes):
    test = SequentialTest(design)
    for success in outcomes:
        test.take(success)
    verdict, n = walked(design, outcomes)
    assert (test.verdict, test.n) == (verdict, n)
    assert test.late == len(outcomes) - n


@pytest.mark.parametrize("failures", range(4))
def test_a_ratio_exactly_on_the_bound_decides(failures):
    tied = Design(Fraction(1, 20), Fraction(19, 20), limit=100)  # a success makes the ratio 19, which is the bound
    assert tied.passes_at(failures) == failures + 1
    assert tied.fails_at(failures) == failures + 1


def test_outcomes_after_the_decision_change_nothing():
    test = SequentialTest(Design(Fraction("0.85"), Fraction("0.95"), limit=200))
    for _ in range(3):
        test.take(False)
    assert [test.take(True) for _ in range(100)] == [Verdict.FAIL] * 100
    assert (test.n, test.late) == (3, 100)


def test_the_limit_ends_it_undecided():
    test = SequentialTest(Design(Fraction("0.85"), Fraction("0.95"), limit=26))
    assert [test.take(True) for _ in range(26)] == [None] * 25 + [Verdict.OPEN]
    assert test.log_ratio < test.design.bounds[1]


def test_the_last_outcome_may_still_decide():
    test = SequentialTest(Design(Fraction("0.85"), Fraction("0.95"), limit=27))
    assert [test.take(True) for _ in range(27)][-1] is Verdict.PASS


@pytest.mark.parametrize(
    "wrong",
    [
        {"p0": Fraction(9, 10), "p1": Fraction(9, 10)},
        {"p0": Fraction(0), "p1": Fraction(9, 10)},
        {"p0": Fraction(1, 2), "p1": Fraction(1)},
        {"alpha": Fraction(0)},
        {"alpha": Fraction(1, 2), "beta": Fraction(1, 2)},
        {"limit": 0},
    ],
)
def test_designs_that_are_none(wrong):
    with pytest.raises(ValueError):
        Design(**({"p0": Fraction(1, 2), "p1": Fraction(3, 4), "limit": 10} | wrong))


@pytest.mark.parametrize("true", [0.3, 0.6, 0.9])
def test_outlook_is_the_sum_over_all_sequences(true):
    design = Design(Fraction(4, 10), Fraction(8, 10), limit=10, alpha=Fraction(1, 10), beta=Fraction(1, 10))
    chance, mean = dict.fromkeys(Verdict, 0.0), 0.0
    for outcomes in itertools.product((True, False), repeat=design.limit):
        verdict, n = walked(design, outcomes)
        p = true ** sum(outcomes) * (1 - true) ** (design.limit - sum(outcomes))
        chance[verdict] += p
        mean += n * p
    found, expected = design.outlook(true)
    assert (found.passes, found.fails, found.undecided) == pytest.approx(
        (chance[Verdict.PASS], chance[Verdict.FAIL], chance[Verdict.OPEN])
    )
    assert expected == pytest.approx(mean)


@settings(max_examples=60, deadline=None)
@given(DESIGNS)
def test_wrong_verdicts_stay_within_walds_guarantee(design):
    at_p0, n = design.outlook(design.p0)
    at_p1, _ = design.outlook(design.p1)
    assert at_p0.passes <= design.alpha / (1 - design.beta) + 1e-12
    assert at_p1.fails <= design.beta / (1 - design.alpha) + 1e-12
    assert at_p0.passes + at_p0.fails + at_p0.undecided == pytest.approx(1)
    assert 1 <= n <= design.limit + 1e-9


def test_walds_expected_n_leaves_out_the_overshoot():
    design = Design(Fraction("0.85"), Fraction("0.95"), limit=2000)
    exactly = design.outlook(design.p0)[1], design.outlook(design.p1)[1]
    assert exactly == pytest.approx((43.47, 54.99), abs=0.005)
    assert all(walds < real for walds, real in zip(design.expected_n, exactly, strict=True))
