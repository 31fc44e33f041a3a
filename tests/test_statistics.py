"""Golden vectors of domain 3.1, 3.3 and 3.4, and the promise that a rate never comes without its n."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.statistics import Rate, Verdict, bounds, smallest_n, three_way
from scoring.statistics.waits import Survival, Waits, exact, mean_interval, quantile


def test_intervals_of_45_of_50():
    rate = Rate.of(45, 50)
    assert rate.wilson == pytest.approx((0.7864, 0.9565), abs=5e-5)
    assert rate.exact == pytest.approx((0.7819, 0.9667), abs=5e-5)
    assert Rate.of(50, 50).exact[0] == pytest.approx(0.9289, abs=5e-5)


def test_none_of_3000_failures_bounds_the_rate():
    assert bounds(0, 3000)[1] == pytest.approx(0.000998, abs=5e-7)


def test_a_rate_never_renders_without_n_and_interval():
    rate = Rate.of(45, 50)
    assert str(rate) == "90.0 % (45/50, 95 % 78.6–95.7 %)"
    assert f"{rate:>40}".strip() == str(rate)
    assert "n = 0" in str(Rate.of(0, 0))
    assert Rate.of(0, 0).value is None


def test_more_hits_than_trials_is_refused():
    with pytest.raises(ValueError, match="no rate"):
        Rate.of(3, 2)


GOLDEN = [  # n, (pass if failures <=, fail if failures >=) for 90 % and for 80 %
    (20, (None, 5), (0, 8)),
    (30, (0, 7), (2, 11)),
    (50, (1, 10), (5, 16)),
    (100, (4, 16), (13, 28)),
    (200, (12, 28), (30, 50)),
    (300, (21, 40), (48, 73)),
    (500, (38, 62), (84, 116)),
    (1000, (84, 117), (178, 222)),
]


@pytest.mark.parametrize(("n", "ninety", "eighty"), GOLDEN)
def test_three_way_limits(n, ninety, eighty):
    for p0, (passes, fails) in ((Fraction(9, 10), ninety), (Fraction(4, 5), eighty)):
        verdicts = [three_way(n - failures, n, p0) for failures in range(n + 1)]
        largest_pass = max((f for f, v in enumerate(verdicts) if v is Verdict.PASS), default=None)
        smallest_fail = verdicts.index(Verdict.FAIL)
        assert (largest_pass, smallest_fail) == (passes, fails)


def test_three_way_without_data_is_open():
    assert three_way(0, 0, 0.9) is Verdict.OPEN


@pytest.mark.parametrize(
    ("p0", "golden"),
    [(0.9, (29, 46, 61, 76)), (0.8, (14, 22, 30, 37)), (0.85, (19, 30, 40, 50)), (0.95, (59, 93, 124, 153))],
)
def test_smallest_n_to_demonstrate(p0, golden):
    assert tuple(smallest_n(p0, failures) for failures in range(4)) == golden


def test_smallest_n_for_three_nines():
    assert smallest_n(0.999) == 2995


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_value_and_stay_in_the_unit(counts):
    rate = Rate.of(*counts)
    for low, high in (rate.wilson, rate.exact):
        assert 0 <= low <= float(rate.value) + 1e-12
        assert float(rate.value) - 1e-12 <= high <= 1


def test_bca_of_the_zero_inflated_example():
    rng = np.random.default_rng(1)
    sample = np.concatenate([np.zeros(80), rng.exponential(25, 20)])
    low, high = mean_interval(tuple(sample), seed=1)
    assert sample.mean() == pytest.approx(4.92, abs=0.005)
    assert (low, high) == pytest.approx((2.68, 10.40), abs=0.35)  # another stream of resamples moves the ends a little


def test_waits_store_seed_and_repeat_exactly():
    one, two = Waits.of([3, 1, 8, 2.5]), Waits.of([8, 2.5, 1, 3])
    assert one == two
    assert one.seed == 1
    assert one.times == (1, 2.5, 3, 8)
    assert one.median == 2.75
    assert one.p95 == 8
    low, high = one.interval
    assert low < float(one.mean) < high


def test_mean_is_the_exact_rational_of_what_is_written():
    assert Waits.of([0.1, 0.2]).mean == Fraction(3, 20)
    assert Waits.of([4.9, 5.1]).mean == 5
    assert exact(20.1) == Fraction(201, 10)


def test_no_spread_no_interval():
    assert Waits.of([4, 4, 4]).interval is None
    assert Waits.of([]).mean is None
    assert Waits.of([]).p95 is None


def test_quantile_is_an_observed_value():
    assert quantile(list(range(1, 101)), 0.95) == 95


ANSWERED = [3, 8, 12, 15, 20, 25, 40]


def test_kaplan_meier_golden_vector():
    curve = Survival.of(ANSWERED, [60, 60, 60], [], horizon=60)
    at20 = curve.at(20)
    assert at20.s == pytest.approx(0.5)
    assert (at20.low, at20.high) == pytest.approx((0.190, 0.810), abs=5e-4)
    assert curve.rmst == pytest.approx(30.3)
    assert curve.median == 20
    assert curve.n == 10
    assert np.mean(ANSWERED) == pytest.approx(17.57, abs=0.005)  # what answered-only would claim


def test_kaplan_meier_with_a_script_fault_at_10_s():
    curve = Survival.of(ANSWERED, [60, 60, 60, 10], [], horizon=60)
    assert curve.at(20).s == pytest.approx(0.5114, abs=5e-5)
    assert 1 - curve.at(20).s == pytest.approx(0.489, abs=5e-4)


def test_a_dropped_caller_is_never_answered():
    dropped = Survival.of([5, 10], [], [1], horizon=60)
    assert 1 - dropped.at(60).s == pytest.approx(2 / 3)  # as if the wait were infinite
    censored = Survival.of([5, 10], [1], [], horizon=60)
    assert censored.at(60).s == pytest.approx(0)  # treating it as censoring would have hidden it


def test_no_answer_at_all_is_a_flat_curve():
    curve = Survival.of([], [60, 60], [10], horizon=60)
    assert curve.at(60).s == 1
    assert curve.rmst == 60
    assert curve.median is None


@given(
    st.lists(st.floats(0.1, 100, allow_nan=False), min_size=1, max_size=30),
    st.lists(st.floats(0.1, 100, allow_nan=False), max_size=10),
    st.lists(st.floats(0.1, 100, allow_nan=False), max_size=10),
)
def test_survival_falls_and_rmst_stays_within_the_horizon(answered, censored, competing):
    curve = Survival.of(answered, censored, competing, horizon=100)
    heights = [1.0, *[step.s for step in curve.steps]]
    assert all(a >= b for a, b in itertools.pairwise(heights))
    assert 0 <= curve.rmst <= 100 + 1e-9
    assert not any(math.isnan(x) for step in curve.steps for x in (step.s, step.low, step.high))
