"""Stratified rates by hand, their error rates by counting all outcomes, and days that go wrong as a whole."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scoring.statistics import Verdict
from scoring.statistics.errors import TooFew
from scoring.statistics.power import design_effect
from scoring.statistics.strata import DayCell, StratifiedRate, Stratum, collapse, day_blocks


def strata(*cells, groups=()):
    return [
        Stratum(f"s{i}", Fraction(weight), k, n, groups[i] if groups else "") for i, (weight, k, n) in enumerate(cells)
    ]


CELLS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, 30), st.integers(0, 30)).map(lambda c: (c[0], min(c[1:]), max(c[1:]))),
    min_size=1,
    max_size=8,
).filter(lambda cells: sum(cell[2] for cell in cells) >= 2)


def test_two_strata_by_hand():
    found = StratifiedRate.of(strata((3, 9, 10), (1, 4, 10)))
    assert found.value == Fraction(3, 4) * Fraction(9, 10) + Fraction(1, 4) * Fraction(4, 10)
    assert found.variance == Fraction(9, 16) * Fraction(9, 900) + Fraction(1, 16) * Fraction(24, 900)
    assert found.n_eff == Fraction(775, 1000) * Fraction(225, 1000) / found.variance
    assert float(found.n_eff) == pytest.approx(23.914, abs=5e-4)
    assert found.design_effect == 20 / found.n_eff
    assert (found.n, found.coverage, found.warning, found.collapsed) == (20, 1, None, ())


def test_n_eff_goes_into_the_interval():
    found = StratifiedRate.of(strata((9, 30, 40), (1, 30, 40)))
    assert found.n_eff == Fraction(39, 40) * found.n_kish
    x, rest = float(found.value * found.n_eff), float((1 - found.value) * found.n_eff)
    assert found.exact == pytest.approx((stats.beta.ppf(0.025, x, rest + 1), stats.beta.ppf(0.975, x + 1, rest)))


def test_stratification_never_buys_more_than_the_weights_allow():
    found = StratifiedRate.of(strata((1, 49, 50), (1, 1, 50)))
    assert found.n_eff > found.n_kish == found.n == 100
    assert found.exact == pytest.approx(tuple(stats.binomtest(50, 100).proportion_ci(method="exact")))


@pytest.mark.parametrize("k", [0, 50])
def test_one_stratum_without_spread_is_the_plain_exact_interval(k):
    found = StratifiedRate.of(strata((1, k, 50)))
    assert found.n_eff == 50
    assert found.exact == pytest.approx(tuple(stats.binomtest(k, 50).proportion_ci(method="exact")))


def test_without_spread_the_weights_tell():
    found = StratifiedRate.of(strata((9, 50, 50), (1, 50, 50)))
    assert float(found.design_effect) == pytest.approx(design_effect([9, 1], [50, 50]))
    assert 0.9289 < found.exact[0] < stats.binomtest(100, 100).proportion_ci(method="exact").low
    assert found.exact[1] == 1


def test_coverage_counts_what_was_not_sampled():
    found = StratifiedRate.of(strata((80, 8, 10), (9, 9, 10), (11, 0, 0)))
    assert found.coverage == Fraction(89, 100)
    assert "89.0%" in found.warning.zh
    assert "89.0 %" in found.warning.en
    assert found.value == Fraction(80, 89) * Fraction(8, 10) + Fraction(9, 89) * Fraction(9, 10)


def test_ninety_percent_is_enough():
    assert StratifiedRate.of(strata((90, 8, 10), (10, 0, 0))).warning is None


def test_a_single_observation_joins_its_thinner_neighbour():
    found = StratifiedRate.of(strata((1, 9, 10), (1, 1, 1), (2, 3, 4)))
    assert [(one.name, one.weight, one.k, one.n) for one in found.strata] == [
        ("s0", Fraction(1, 4), 9, 10),
        ("s1 + s2", Fraction(3, 4), 4, 5),
    ]
    assert [one.members for one in found.collapsed] == [("s1", "s2")]


def test_it_stays_in_its_group():
    cells = strata((1, 9, 10), (1, 1, 1), (2, 3, 4), groups=("voice", "voice", "chat"))
    assert [one.name for one in collapse(cells)] == ["s0 + s1", "s2"]
    alone = strata((1, 9, 10), (1, 1, 1), (2, 3, 4), groups=("voice", "phone", "chat"))
    assert [one.name for one in collapse(alone)] == ["s0", "s1 + s2"]


def test_singles_join_each_other():
    assert [one.name for one in collapse(strata(*[(1, 1, 1)] * 5))] == ["s0 + s1", "s2 + s3 + s4"]


def test_one_observation_is_too_few():
    with pytest.raises(TooFew) as caught:
        StratifiedRate.of(strata((1, 1, 1), (1, 0, 0)))
    assert (caught.value.given, caught.value.needed) == (1, 2)


def test_what_is_no_stratum():
    for cell in ((1, 3, 2), (1, -1, 2), (-1, 1, 2)):
        with pytest.raises(ValueError, match="no stratum"):
            strata(cell)
    with pytest.raises(ValueError, match="no weight"):
        StratifiedRate.of(strata((0, 1, 2), (1, 0, 0)))


@given(CELLS, st.integers(1, 9))
def test_it_lies_among_its_strata(cells, factor):
    found = StratifiedRate.of(strata(*cells))
    shares = [one.value for one in found.strata]
    assert min(shares) <= found.value <= max(shares)
    assert sum(one.weight for one in found.strata) == 1
    assert sum(one.n for one in found.strata) == sum(n for _, _, n in cells)
    assert len(found.strata) == 1 or min(one.n for one in found.strata) >= 2
    low, high = found.exact
    assert 0 <= low <= float(found.value) + 1e-12
    assert float(found.value) - 1e-12 <= high <= 1
    scaled = StratifiedRate.of(strata(*[(factor * weight, k, n) for weight, k, n in cells]))
    assert (scaled.value, scaled.variance, scaled.coverage) == (found.value, found.variance, found.coverage)


@given(CELLS)
def test_misses_are_hits_turned_round(cells):
    found = StratifiedRate.of(strata(*cells))
    other = StratifiedRate.of(strata(*[(weight, n - k, n) for weight, k, n in cells]))
    assert other.value == 1 - found.value
    assert other.variance == found.variance
    assert other.exact == pytest.approx(tuple(1 - end for end in reversed(found.exact)), abs=1e-9)


@pytest.mark.parametrize(
    ("weight", "first", "second", "n"),
    [  # the worst found on a grid, and two that are several times over 5 % when n_eff is not capped
        (Fraction(1, 9), 99, 78, 12),
        (Fraction(1, 9), 85, 85, 12),
        (Fraction(9), 92, 92, 25),
        (Fraction(1), 85, 85, 25),
    ],
)
def test_wrong_verdicts_are_rare_whatever_the_strata(weight, first, second, n):
    """All outcomes there are: the chance of a wrong verdict at the very rate, 5 % each way."""
    truth = (weight * Fraction(first, 100) + Fraction(second, 100)) / (weight + 1)
    one, two = (stats.binom.pmf(range(n + 1), n, percent / 100) for percent in (first, second))
    chance = dict.fromkeys(Verdict, 0.0)
    for i, j in itertools.product(range(n + 1), repeat=2):
        if one[i] * two[j] > 1e-7:
            chance[StratifiedRate.of(strata((weight, i, n), (1, j, n))).verdict(truth)] += one[i] * two[j]
    assert chance[Verdict.PASS] <= 0.051
    assert chance[Verdict.FAIL] <= 0.051


def test_verdicts():
    assert StratifiedRate.of(strata((1, 150, 150), (1, 148, 150))).verdict(Fraction(9, 10)) is Verdict.PASS
    assert StratifiedRate.of(strata((1, 100, 150), (1, 110, 150))).verdict(Fraction(9, 10)) is Verdict.FAIL
    assert StratifiedRate.of(strata((1, 23, 25), (1, 22, 25))).verdict(Fraction(9, 10)) is Verdict.OPEN


DAYS = range(10)


def test_days_that_are_alike_agree_with_the_interval():
    cells = [DayCell(day, f"s{h}", 8, 10) for day in DAYS for h in range(2)]
    blocks = day_blocks(StratifiedRate.of(strata((1, 80, 100), (1, 80, 100))), cells)
    assert blocks.interval == pytest.approx((0.8, 0.8))
    assert (blocks.days, blocks.seed, blocks.resamples) == (10, 1, 9999)


def test_a_day_out_of_service_widens_it():
    cells = [DayCell(day, f"s{h}", 0 if day == 3 else 10, 10) for day in DAYS for h in range(2)]
    rate = StratifiedRate.of(strata((1, 90, 100), (1, 90, 100)))
    blocks = day_blocks(rate, cells)
    assert blocks.wider_than(rate)
    assert blocks.interval == pytest.approx((0.7, 1.0))  # binomial: one bad day of ten, drawn 0 to 3 times
    assert not day_blocks(rate, [DayCell(day, f"s{h}", 9, 10) for day in DAYS for h in range(2)]).wider_than(rate)


def test_two_days_are_drawn_in_three_ways():
    blocks = day_blocks(StratifiedRate.of(strata((1, 10, 20))), [DayCell("a", "s0", 10, 10), DayCell("b", "s0", 0, 10)])
    assert blocks.interval == (0, 1)


def test_weekends_are_drawn_for_weekends():
    cells = [DayCell(day, "s1" if day > 4 else "s0", 10 if day > 4 else 0, 10) for day in range(7)]
    blocks = day_blocks(StratifiedRate.of(strata((5, 0, 50), (2, 20, 20))), cells)
    assert blocks.interval == pytest.approx((2 / 7, 2 / 7))  # drawn across, some weeks would have no weekend


def test_the_seed_makes_the_interval():
    cells = [DayCell(day, "s0", day, 10) for day in DAYS]
    rate = StratifiedRate.of(strata((1, 45, 100)))
    assert day_blocks(rate, cells, seed=5) == day_blocks(rate, cells, seed=5)
    assert day_blocks(rate, cells, seed=5, resamples=200) != day_blocks(rate, cells, seed=6, resamples=200)
    low, high = day_blocks(rate, cells).interval
    assert low < 0.45 < high


def test_days_of_strata_that_were_put_together():
    rate = StratifiedRate.of(strata((1, 1, 1), (1, 5, 9)))
    cells = [DayCell(1, "s0", 1, 1), DayCell(1, "s1", 2, 4), DayCell(2, "s1", 3, 5)]
    assert day_blocks(rate, cells).interval == pytest.approx((0.6, 0.6))


def test_days_must_add_up():
    rate = StratifiedRate.of(strata((1, 10, 20)))
    for cells in (
        [DayCell(1, "s0", 10, 10), DayCell(2, "s0", 0, 9)],
        [DayCell(1, "s0", 10, 10), DayCell(2, "s0", 0, 10), DayCell(2, "s9", 0, 1)],
    ):
        with pytest.raises(ValueError, match="not those of the strata"):
            day_blocks(rate, cells)


def test_one_day_is_no_check():
    with pytest.raises(TooFew):
        day_blocks(StratifiedRate.of(strata((1, 10, 20))), [DayCell(1, "s0", 10, 20)])
