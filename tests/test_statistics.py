"""Golden vectors of domain 3.1, 3.3 and 3.4, and the promise that a rate never comes without its n."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scoring.statistics import Rate, Verdict, bounds, smallest_n, three_way
from scoring.statistics.sums import exact_sum
from scoring.statistics.waits import WHOLE, Survival, Waits, abc_interval, exact, mean_interval, quantile


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


def written(numbers):
    return sum((exact(number) for number in numbers), Fraction())


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_an_exact_sum_is_the_sum_of_what_is_written(numbers):
    assert exact_sum(numbers) == written(numbers)


def near(numbers):
    return np.concatenate([np.nextafter(numbers, 0), numbers, np.nextafter(numbers, np.inf)])


RNG = np.random.default_rng(5)
ODD = {
    "microseconds": RNG.exponential(20, 3000).round(6),
    "unrounded": RNG.exponential(20, 3000),
    "differences": (RNG.exponential(20, 3000).round(6) + 1000.1) - 1000.1,
    "every magnitude": 10.0 ** RNG.uniform(-9, 20, 3000),
    "up to 16 digits": RNG.integers(1, 10**16, 3000) / 10.0 ** RNG.integers(0, 16, 3000),
    "dyadic": RNG.integers(1, 2**53, 3000) / 2.0 ** RNG.integers(0, 60, 3000),
    "beside powers of ten": near(10.0 ** np.arange(-7.0, 19.0)),
    "beside powers of two": near(2.0 ** np.arange(-40.0, 70.0)),
    "negative": RNG.normal(0, 5, 3000),
}


@pytest.mark.parametrize("name", ODD)
def test_exact_sums_of_odd_numbers(name):
    for part in np.array_split(ODD[name], 30):  # small parts: errors cannot cancel
        assert exact_sum(part) == written(part)
    assert exact_sum(ODD[name][::-1]) == exact_sum(ODD[name])


@pytest.mark.parametrize("odd", [math.inf, math.nan])
def test_no_exact_sum_of_what_is_no_number(odd):
    with pytest.raises((ArithmeticError, ValueError)):
        exact_sum([1.0, odd])


def zero_inflated(n, seed=3):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.8, 0, rng.exponential(25, n)).round(6)


def test_many_waits_keep_their_figures_and_not_their_times():
    at, beyond = zero_inflated(WHOLE), zero_inflated(WHOLE + 1)
    few, many = Waits.of(at), Waits.of(beyond)
    assert (few.method, few.seed, few.n, len(few.times)) == ("bca", 1, WHOLE, WHOLE)
    assert (many.method, many.seed, many.n, many.times) == ("abc", None, WHOLE + 1, ())
    assert few.interval == mean_interval(sorted(at))
    assert many.interval == abc_interval(sorted(beyond))
    for waits, times in ((few, at), (many, beyond)):
        assert waits.mean == written(times) / len(times)
        assert waits.median == np.median(times)
        assert waits.p95 == sorted(times)[math.ceil(0.95 * len(times)) - 1]


@pytest.mark.parametrize(
    "times",
    [zero_inflated(WHOLE), RNG.exponential(9, WHOLE), RNG.lognormal(1, 1, WHOLE), RNG.normal(50, 2, WHOLE)],
    ids=["zero-inflated", "exponential", "log-normal", "normal"],
)
def test_both_intervals_agree_where_one_takes_over(times):
    bca = np.mean([mean_interval(times, seed) for seed in (1, 2, 3)], axis=0)
    abc = np.array(abc_interval(times))
    half = (abc[1] - abc[0]) / 2
    assert abc == pytest.approx(bca, abs=0.03 * half)  # as far apart as BCa is from itself with another seed


def test_abc_is_skewed_where_the_sample_is():
    times = zero_inflated(WHOLE)
    plain = times.mean() + np.array([-1.96, 1.96]) * times.std() / math.sqrt(WHOLE)
    low, high = abc_interval(times)
    half = (high - low) / 2
    assert low > plain[0] + 0.05 * half
    assert high > plain[1] + 0.05 * half
    even = np.concatenate([times, -times])
    assert abc_interval(even) == pytest.approx(np.array([-1.96, 1.96]) * even.std() / math.sqrt(2 * WHOLE), rel=1e-4)
    assert abc_interval([7.0] * 3000) is None


@pytest.mark.parametrize("n", [300, 3000])
def test_the_order_of_times_is_of_no_importance(n):
    times = zero_inflated(n)
    mixed = np.random.default_rng(1).permutation(times)
    assert Waits.of(times).model_dump_json() == Waits.of(mixed).model_dump_json()
    one, two = Survival.of(times, times, times, 60), Survival.of(mixed, mixed, mixed, 60)
    assert one.model_dump_json() == two.model_dump_json()


def test_zero_has_no_sign():
    assert Waits.of([0.0, -0.0, 1.0]).model_dump_json() == Waits.of([-0.0, 0.0, 1.0]).model_dump_json()


def by_scipy(answered, censored, competing, horizon):
    end = max([horizon, *answered, *censored])
    data = stats.CensoredData(uncensored=answered, right=[*censored, *[end] * len(competing)])
    curve = stats.ecdf(data).sf
    with np.errstate(all="ignore"):
        band = curve.confidence_interval(0.95, method="linear")
    return curve, band.low, band.high


few_times = st.lists(st.integers(0, 12).map(lambda tenth: tenth / 4), max_size=25)  # many ties


@given(few_times.filter(bool), few_times, few_times)
@pytest.mark.filterwarnings("ignore:The confidence interval is undefined")
def test_kaplan_meier_is_scipys(answered, censored, competing):
    mine = Survival.of(answered, censored, competing, horizon=2.5)
    curve, low, high = by_scipy(answered, censored, competing, 2.5)
    assert [step.t for step in mine.steps] == sorted(set(answered))
    for t in (*answered, *censored, 0.1, 2.6, 9.0):
        at, s = mine.at(t), float(curve.evaluate(t))
        assert at.s == pytest.approx(s, abs=1e-12)
        if 1e-9 < s < 1:
            assert (at.low, at.high) == pytest.approx((float(low.evaluate(t)), float(high.evaluate(t))), abs=1e-12)


def many(n, scale=25.0):
    rng = np.random.default_rng(8)
    return [rng.exponential(scale, k).round(6) for k in (n, n // 5, n // 10)]


def test_a_long_curve_is_thinned_and_stays_exact_where_it_is_asked():
    sample = many(30_000)
    mine, (curve, low, high) = Survival.of(*sample, horizon=180), by_scipy(*sample, 180)
    assert 500 < len(mine.steps) <= WHOLE + 2
    assert max(len(mine.censored), len(mine.competing)) <= WHOLE + 2
    assert (mine.answered, mine.n_censored, mine.n_competing, mine.n) == (30_000, 6_000, 3_000, 39_000)
    for k in range(int(180 / mine.slot_s)):
        t = float(Fraction(str(mine.slot_s)) * k)
        at, whole = mine.at(t), [float(one.evaluate(t)) for one in (curve, low, high)]
        assert (at.s, at.low, at.high) == pytest.approx(whole, abs=1e-12)
    for t in RNG.uniform(0, 180, 100):
        assert curve.evaluate(t) - 1e-12 <= mine.at(t).s <= curve.evaluate(t - mine.slot_s) + 1e-12
    t, s = curve.quantiles, curve.probabilities
    assert mine.median == t[s <= 0.5][0]
    inside = t < 180
    assert mine.rmst == pytest.approx(np.sum([1, *s[inside]] * np.diff([0, *t[inside], 180])))


def test_a_curve_over_days_is_still_exact_at_twenty_seconds():
    sample = many(5_000, scale=40_000.0)
    mine, (curve, *_) = Survival.of(*sample, horizon=1e6), by_scipy(*sample, 1e6)
    assert mine.slot_s > 20
    for t in (20.0, 1000.0, 100_000.0):
        assert mine.at(t).s == pytest.approx(float(curve.evaluate(t)), abs=1e-12)


def test_a_curve_up_to_the_bound_is_whole():
    times = np.arange(1, WHOLE + 1) / 100
    curve = Survival.of(times, times, times, horizon=60)
    assert (curve.slot_s, len(curve.steps), len(curve.censored), len(curve.competing)) == (None, WHOLE, WHOLE, WHOLE)


def test_figures_of_format_1_are_computed_when_it_is_read():
    waits, curve = Waits.of([3, 1, 8, 2.5]), Survival.of(ANSWERED, [60, 60, 60], [7], horizon=60)
    old_waits = waits.model_dump(mode="json", include={"times", "interval", "seed", "missing", "u"})
    old_curve = curve.model_dump(mode="json", include={"horizon", "steps", "censored", "competing", "answered"})
    assert Waits.model_validate(old_waits) == waits
    assert Survival.model_validate(old_curve) == curve
    flat = Survival.of([], [60], [], horizon=60)
    old_flat = flat.model_dump(mode="json", include={"horizon", "steps", "censored", "competing", "answered"})
    assert Survival.model_validate(old_flat) == flat
