"""Decisions on means and bands, flags in numbers, and the uncertainty of a wait."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.statistics import Verdict
from scoring.statistics.decision import bands_met, holm, mean_bounds, three_way_mean
from scoring.statistics.timing import near, rectangular, u_of_wait
from scoring.statistics.waits import mean_interval


def test_one_sided_bounds_lie_within_the_two_sided_interval():
    times = np.random.default_rng(2).exponential(20, 60).tolist()
    low, high = mean_bounds(times)
    assert mean_interval(times)[0] < low < np.mean(times) < high < mean_interval(times)[1]
    assert mean_bounds(times, alpha=0.025) == pytest.approx(mean_interval(sorted(times)), abs=1e-9)
    assert mean_bounds(times[::-1]) == (low, high)


def test_without_spread_nothing_is_decided():
    assert mean_bounds([4.0, 4.0, 4.0]) is None
    assert three_way_mean(4, None, 20) is Verdict.OPEN


@pytest.mark.parametrize(
    ("bounds", "u", "verdict"),
    [
        ((3, 5), 0, Verdict.PASS),  # at the limit is within it
        ((3, 5.01), 0, Verdict.OPEN),
        ((5, 6), 0, Verdict.OPEN),  # the mean may be just 5
        ((5.01, 6), 0, Verdict.FAIL),
        ((3, 4.4), 0.25, Verdict.PASS),
        ((3, 4.6), 0.25, Verdict.OPEN),
        ((5.4, 6), 0.25, Verdict.OPEN),
        ((5.6, 6), 0.25, Verdict.FAIL),
    ],
)
def test_a_mean_of_at_most_five_seconds(bounds, u, verdict):
    assert three_way_mean(Fraction(sum(map(Fraction, bounds)), 2), bounds, 5, u) is verdict


def test_a_mean_at_its_uncertainty_from_the_limit_is_open():
    assert three_way_mean(4.5, (4.5, 4.5), 5, u=0.25) is Verdict.OPEN


@given(st.floats(0, 40), st.floats(0, 40), st.floats(0, 3), st.floats(0, 3))
def test_more_uncertainty_never_turns_a_verdict(low, high, u, more):
    low, high = sorted((low, high))
    mean = (low + high) / 2
    before, after = three_way_mean(mean, (low, high), 20, u), three_way_mean(mean, (low, high), 20, u + more)
    assert after in (before, Verdict.OPEN)


@pytest.mark.parametrize(
    ("low", "high", "bands"),
    [
        (0.1, 0.2, [0]),
        (0.69, 0.7, [0, 1]),  # an edge belongs to the band above
        (0.7, 0.79, [1]),
        (0.79, 0.9, [1, 2, 3]),
        (0.9, 1, [3]),
    ],
)
def test_bands_an_interval_meets(low, high, bands):
    edges = [Fraction(9, 10), Fraction(8, 10), Fraction(7, 10)]
    assert list(bands_met(edges, low, high)) == bands


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == (True, False, False, True)  # 0.03 is held against 0.025
    assert holm([0.04]) == (True,)
    assert holm([]) == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_flags_no_more_than_alone_and_no_less_than_bonferroni(p_values):
    for p, flag in zip(p_values, holm(p_values), strict=True):
        assert (p <= 0.05 / len(p_values) * (1 - 1e-9)) <= flag <= (p <= 0.05 * (1 + 1e-9))


def test_a_wait_is_as_uncertain_as_its_parts():
    assert u_of_wait(0.3, 0.4) == pytest.approx(0.5)
    assert u_of_wait(0.1, 0.1, 0.1, 0.1) == pytest.approx(0.2)
    assert u_of_wait(0.2, 0) == 0.2


def test_a_rectangular_error_has_this_deviation():
    errors = np.random.default_rng(1).uniform(-0.5, 0.5, 200_000)
    assert rectangular(0.5) == pytest.approx(errors.std(), rel=0.01)


def test_near_is_within_twice_u():
    assert near(20.5, 20, 0.25)
    assert not near(20.51, 20, 0.25)
    assert near(20, 20, 0)
