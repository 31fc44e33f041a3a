"""Golden vectors of domain 3.1 and 3.9: what a sample can show before it is taken."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scoring.statistics import Rate, Verdict, three_way
from scoring.statistics.power import (
    chances,
    criteria,
    design_effect,
    effective_n,
    expected_interval,
    n_for_half_width,
    n_for_power,
)
from tests.test_statistics import GOLDEN

NINETY, EIGHTY = Fraction(9, 10), Fraction(4, 5)


@pytest.mark.parametrize(
    ("target", "true", "n"),
    [
        (NINETY, 0.9288, 649),  # the sector's mean of 2023, 92.9 % in the table
        (NINETY, 0.94, 333),
        (NINETY, 0.95, 203),
        (NINETY, 0.96, 142),
        (NINETY, 0.97, 89),
        (EIGHTY, 0.85, 398),
        (EIGHTY, 0.88, 153),
        (EIGHTY, 0.9, 94),
    ],
)
def test_n_for_eighty_percent_power(target, true, n):
    assert n_for_power(target, true) == n
    assert chances(n - 1, target, true).passes < 0.8
    assert all(chances(more, target, true).passes >= 0.8 for more in range(n, n + 25))


def test_n_for_the_power_to_fail():
    n = n_for_power(NINETY, 0.8)
    assert chances(n - 1, NINETY, 0.8).fails < 0.8 <= chances(n, NINETY, 0.8).fails


def test_no_n_tells_a_rate_from_itself():
    with pytest.raises(ValueError, match="cannot be told"):
        n_for_power(NINETY, 0.9)
    with pytest.raises(ValueError, match="more than 100000"):
        n_for_power(NINETY, 0.9001)


@pytest.mark.parametrize(
    ("half_width", "at_ninety", "at_eighty"), [("0.05", 139, 246), ("0.03", 385, 683), ("0.02", 865, 1537)]
)
def test_n_for_a_half_width(half_width, at_ninety, at_eighty):
    assert n_for_half_width(NINETY, Fraction(half_width)) == at_ninety
    assert n_for_half_width(EIGHTY, Fraction(half_width)) == at_eighty


@pytest.mark.parametrize(
    ("n", "ninety", "eighty"),
    GOLDEN,
)
def test_failures_that_pass_and_that_fail(n, ninety, eighty):
    for target, golden in ((NINETY, ninety), (EIGHTY, eighty)):
        rule = criteria(n, target)
        assert (rule.passes, rule.fails) == golden


def test_one_observation_decides_nothing():
    assert criteria(1, NINETY) == criteria(1, Fraction(9, 10))
    assert (criteria(1, NINETY).passes, criteria(1, NINETY).fails) == (None, None)
    assert chances(1, NINETY, 0.99).undecided == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(50, 99), st.integers(1, 100))
def test_chances_are_the_sum_over_all_results(n, target, true):
    p0, p = Fraction(target, 100), true / 100
    summed = dict.fromkeys(Verdict, 0.0)
    for k in range(n + 1):
        summed[three_way(k, n, p0)] += float(stats.binom.pmf(k, n, p))
    found = chances(n, p0, p)
    assert found.passes == pytest.approx(summed[Verdict.PASS], abs=1e-9)
    assert found.fails == pytest.approx(summed[Verdict.FAIL], abs=1e-9)
    assert found.passes + found.fails + found.undecided == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(50, 99))
def test_neither_wrong_verdict_is_likelier_than_alpha(n, target):
    at_the_edge = chances(n, Fraction(target, 100), target / 100)
    assert at_the_edge.passes <= 0.05 + 1e-9
    assert at_the_edge.fails <= 0.05 + 1e-9


def test_the_expected_interval_is_wilsons():
    assert expected_interval(0.9, 50) == pytest.approx(Rate.of(45, 50).wilson)


def test_design_effect_is_one_in_proportion_and_grows_away_from_it():
    assert design_effect([4, 5, 1], [40, 50, 10]) == pytest.approx(1)
    assert effective_n([4, 5, 1], [40, 50, 10]) == 100
    assert design_effect([9, 1], [50, 50]) == pytest.approx(100 * (0.81 / 50 + 0.01 / 50))
    assert effective_n([9, 1], [50, 50]) == 60
