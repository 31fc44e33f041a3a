"""Do the waits of channels, periods or entries differ? The log-rank test (domain 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.statistics.errors import TooFew


@dataclass(frozen=True)
class QueueTimes:
    """Times in the queue of one group, seconds: until an answer, until censoring, until a competing event.

    As on the curve: a caller who was dropped is never answered, and stays at risk until the end of all groups.
    """

    answered: Sequence[float]
    censored: Sequence[float] = ()
    competing: Sequence[float] = ()

    @property
    def n(self) -> int:
        """How many waits."""
        return len(self.answered) + len(self.censored) + len(self.competing)


@dataclass(frozen=True)
class Comparison:
    """The log-rank test of the hypothesis that all groups wait alike.

    ``p`` is None when the groups were never in the queue together while somebody was answered: nothing can be said.
    """

    statistic: float
    groups: int
    p: float | None

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the statistic's chi-square distribution."""
        return self.groups - 1


def log_rank(groups: Sequence[QueueTimes], horizon: float = 0.0) -> Comparison:
    """Returns the log-rank comparison of two or more groups.

    Args:
        groups: those without a wait are left out.
        horizon: the largest limit L, seconds: competing events stay at risk at least so long.

    Raises:
        TooFew: fewer than two groups have a wait.
    """
    from statsmodels.duration.survfunc import survdiff

    waiting = [group for group in groups if group.n]
    if len(waiting) < 2:
        raise TooFew("groups with waits to compare", len(waiting), 2)
    end = max(horizon, *(time for group in waiting for time in (*group.answered, *group.censored, *group.competing)))
    times = [[*group.answered, *group.censored, *[end] * len(group.competing)] for group in waiting]
    answered = [np.arange(group.n) < len(group.answered) for group in waiting]
    member = np.repeat(np.arange(len(waiting)), [group.n for group in waiting])
    try:
        with np.errstate(all="ignore"):
            statistic, p = survdiff(np.concatenate(times), np.concatenate(answered).astype(int), member)
    except np.linalg.LinAlgError:
        statistic, p = np.nan, np.nan
    if not np.isfinite(p):
        return Comparison(0.0, len(waiting), None)
    return Comparison(float(statistic), len(waiting), float(p))
