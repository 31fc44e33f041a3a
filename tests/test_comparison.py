"""The log-rank test against scipy, a textbook, and what dropped callers must do to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scoring.statistics.comparison import QueueTimes, log_rank
from scoring.statistics.errors import TooFew

TREATED = QueueTimes([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = QueueTimes([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23])
TIMES = st.lists(st.integers(1, 60).map(float), min_size=2, max_size=25)


def test_the_textbook_trial():
    """Freireich's 6-MP trial of 1963: chi-square 16.79."""
    found = log_rank([TREATED, PLACEBO])
    assert found.statistic == pytest.approx(16.79, abs=0.005)
    assert found.degrees == 1
    assert found.p == pytest.approx(4.17e-5, rel=0.01)


@given(TIMES, TIMES, TIMES, TIMES)
def test_two_groups_are_as_scipy_has_them(answered, censored, others, other_censored):
    theirs = stats.logrank(
        stats.CensoredData(uncensored=answered, right=censored),
        stats.CensoredData(uncensored=others, right=other_censored),
    )
    found = log_rank([QueueTimes(answered, censored), QueueTimes(others, other_censored)])
    assert found.p is not None
    assert found.statistic == pytest.approx(theirs.statistic**2, abs=1e-9)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)


def test_groups_alike_do_not_differ():
    found = log_rank([TREATED] * 3)
    assert (found.degrees, found.statistic, found.p) == (2, pytest.approx(0), pytest.approx(1))


def test_dropped_callers_count_as_never_answered():
    quick = QueueTimes([5, 6, 7, 8, 9, 10, 11, 12])
    dropping = QueueTimes([5, 6, 7, 8], competing=[1, 1, 1, 1])
    censoring = QueueTimes([5, 6, 7, 8], censored=[1, 1, 1, 1])
    at_the_end = QueueTimes([5, 6, 7, 8], censored=[60, 60, 60, 60])
    found = log_rank([quick, dropping], horizon=60)
    assert found == log_rank([quick, at_the_end])
    assert found.statistic != pytest.approx(log_rank([quick, censoring]).statistic)


def test_order_of_groups_does_not_matter():
    third = QueueTimes([2, 9, 30], [40])
    one, two = log_rank([TREATED, PLACEBO, third]), log_rank([third, TREATED, PLACEBO])
    assert one.statistic == pytest.approx(two.statistic)
    assert one.p == pytest.approx(two.p)


@pytest.mark.parametrize(
    "groups",
    [
        [QueueTimes([], [60, 60]), QueueTimes([], [60])],  # nobody was answered
        [QueueTimes([], [1, 1]), QueueTimes([5, 6])],  # never in the queue together
    ],
)
def test_what_cannot_be_compared(groups):
    assert log_rank(groups).p is None


def test_one_group_is_too_few():
    with pytest.raises(TooFew):
        log_rank([TREATED, QueueTimes([])])


@pytest.mark.parametrize("alike", [True, False])
def test_chance_of_a_false_flag(alike):
    rng = np.random.default_rng(9)
    flags = 0
    for _ in range(400):
        one, two = rng.exponential(20, 40), rng.exponential(20 if alike else 45, 40)
        flags += log_rank([QueueTimes(w[w <= 60], [60] * int((w > 60).sum())) for w in (one, two)]).p <= 0.05
    assert flags <= 34 if alike else flags >= 300
