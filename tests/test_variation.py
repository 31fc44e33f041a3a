"""The coefficient of variation, its interval and its noise."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.statistics import Rate
from scoring.statistics.errors import TooFew
from scoring.statistics.variation import NetVariation, Variation, vangel

MONTHS = st.lists(st.integers(1, 1000).map(lambda k: Fraction(k, 1000)), min_size=3, max_size=24)


@pytest.mark.parametrize("values", [[], [Fraction(4, 5)], [0.8, 0.9]])
def test_under_three_months_there_is_none(values):
    with pytest.raises(TooFew, match=f"at least 3 are needed, and there are {len(values)}") as caught:
        Variation.of(values)
    assert (caught.value.given, caught.value.needed) == (len(values), 3)


def test_a_mean_of_nothing_has_no_variation():
    with pytest.raises(ValueError, match="mean above 0"):
        Variation.of([0, 0, 0])


def test_only_two_divisors():
    with pytest.raises(ValueError, match="ddof 1"):
        Variation.of([0.8, 0.9, 0.7], ddof=2)


def test_months_that_do_not_differ_prove_nothing():
    found = Variation.of([Fraction(4, 5)] * 3)
    assert (found.value, found.interval) == (0, None)


def test_decimals_count_as_written():
    assert Variation.of([0.82, 0.85, 0.79]) == Variation.of([Fraction(n, 100) for n in (82, 85, 79)])


@given(MONTHS)
def test_it_is_the_deviation_by_the_mean(values):
    mean = statistics.fmean(values)
    assert Variation.of(values).value == pytest.approx(statistics.stdev(map(float, values)) / mean, abs=1e-9)
    assert Variation.of(values, 0).value == pytest.approx(statistics.pstdev(map(float, values)) / mean, abs=1e-9)


@given(MONTHS, st.randoms(), st.integers(1, 99))
def test_order_and_unit_do_not_matter(values, random, factor):
    shuffled = values[:]
    random.shuffle(shuffled)
    assert Variation.of(shuffled) == Variation.of(values)
    assert Variation.of([factor * value for value in values]).squared == Variation.of(values).squared


@given(st.floats(0.001, 0.3), st.integers(2, 60))
def test_vangel_holds_the_sample_and_narrows(cv, n):
    low, high = vangel(cv, n)
    assert 0 < low < cv < high
    assert vangel(cv, 4 * n)[1] - vangel(cv, 4 * n)[0] < high - low


def test_vangel_by_hand():
    """Five values, 0.3: chi-square of 4 at 97.5 and 2.5 % is 11.1433 and 0.4844; McKay's own upper end is 1.50."""
    low = 0.3 / math.sqrt((13.1433 / 5 - 1) * 0.09 + 11.1433 / 4)
    high = 0.3 / math.sqrt((2.4844 / 5 - 1) * 0.09 + 0.4844 / 4)
    assert (low, high) == pytest.approx((0.1752, 1.0895), abs=5e-4)
    assert vangel(0.3, 5) == pytest.approx((low, high), abs=5e-4)


def test_values_that_exclude_no_variation():
    assert vangel(2.0, 3)[1] == math.inf


@pytest.mark.parametrize(("cv", "n"), [(0.05, 3), (0.05, 12), (0.2, 6)])
def test_vangel_covers_95_of_100(cv, n):
    samples = np.random.default_rng(7).normal(1, cv, size=(1500, n))
    held = [
        low <= cv <= high for low, high in (vangel(c, n) for c in samples.std(axis=1, ddof=1) / samples.mean(axis=1))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_noise_taken_off_by_hand():
    found = NetVariation.of([Rate.of(80, 100), Rate.of(90, 100), Rate.of(70, 100)])
    assert found.observed.squared == Fraction(1, 100) / Fraction(64, 100)
    assert found.noise_squared == Fraction(16 + 9 + 21, 30000) / Fraction(64, 100)
    assert found.squared == found.observed.squared - found.noise_squared
    assert found.value == pytest.approx(math.sqrt(0.0132291667))


def test_noise_can_explain_all_of_it():
    found = NetVariation.of([Rate.of(8, 10), Rate.of(7, 10), Rate.of(8, 10)])
    assert (found.squared, found.value) == (0, 0)
    assert found.floor > found.observed.value > 0


def test_months_without_observations_are_no_months():
    with pytest.raises(TooFew):
        NetVariation.of([Rate.of(8, 10), Rate.of(0, 0), Rate.of(9, 10)])


def test_stable_centre_sampled_a_hundred_times_a_month():
    rng = np.random.default_rng(3)
    years = [NetVariation.of([Rate.of(k, 100) for k in rng.binomial(100, 0.8, 12)]) for _ in range(200)]
    assert np.mean([float(year.observed.squared) for year in years]) == pytest.approx(0.05**2, rel=0.1)
    left = [float(year.observed.squared - year.noise_squared) for year in years]
    assert np.mean(left) == pytest.approx(0, abs=0.0003)
