"""Wald's sequential probability ratio test of a rate (domain 3.5).

H0 "p <= p0" against H1 "p >= p1", outcomes one at a time: 符合 accepts H1, 不符合 accepts H0. The design is fixed
before the first call, and ends at the n of the fixed plan. Report the decision: the share seen when a test stops is
biased, and an interval for a fixed n does not hold for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from scoring.statistics.power import Chances
from scoring.statistics.rates import Verdict

TIE = 1e-6  # nearer to a whole number than this, logarithms do not decide, exact powers do


@dataclass(frozen=True)
class Design:
    """A test that is fixed before its first outcome.

    Attributes:
        p0: the largest rate that does not meet the requirement.
        p1: the least rate that is to be found to meet it, above ``p0``.
        limit: outcomes after which the test ends without a decision.
        alpha: chance of 符合 at ``p0``, nearly.
        beta: chance of 不符合 at ``p1``, nearly.
    """

    p0: Fraction
    p1: Fraction
    limit: int
    alpha: Fraction = Fraction(1, 20)
    beta: Fraction = Fraction(1, 20)

    def __post_init__(self) -> None:
        if not 0 < self.p0 < self.p1 < 1:
            raise ValueError(f"p0 {float(self.p0):g} and p1 {float(self.p1):g} are not 0 < p0 < p1 < 1")
        if not (self.alpha > 0 and self.beta > 0 and self.alpha + self.beta < 1):
            raise ValueError("alpha and beta are above 0 and make less than 1 together")
        if self.limit < 1:
            raise ValueError(f"a test ends after at least one outcome, not after {self.limit}")

    @property
    def bounds(self) -> tuple[float, float]:
        """The logarithms of the likelihood ratio at which 不符合 and 符合 are decided."""
        return math.log(self.beta / (1 - self.alpha)), math.log((1 - self.beta) / self.alpha)

    @property
    def steps(self) -> tuple[float, float]:
        """What a failure and a success add to the logarithm of the likelihood ratio."""
        return math.log((1 - self.p1) / (1 - self.p0)), math.log(self.p1 / self.p0)

    @property
    def expected_n(self) -> tuple[float, float]:
        """Wald's approximate number of outcomes until a decision, where the rate is p0 and where it is p1."""
        (low, high), (failure, success) = self.bounds, self.steps
        at = [
            (chance * high + (1 - chance) * low) / (p * success + (1 - p) * failure)
            for p, chance in ((float(self.p0), float(self.alpha)), (float(self.p1), float(1 - self.beta)))
        ]
        return at[0], at[1]

    def ratio(self, successes: int, failures: int) -> Fraction:
        """Returns the likelihood ratio, H1 to H0, exactly."""
        return (self.p1 / self.p0) ** successes * ((1 - self.p1) / (1 - self.p0)) ** failures

    def passes_at(self, failures: int) -> int:
        """Returns the fewest successes that, beside so many failures, decide 符合."""
        (_, high), (failure, success) = self.bounds, self.steps
        guess = (high - failures * failure) / success
        near = round(guess)
        if abs(guess - near) > TIE:
            return math.ceil(guess)
        return near if self.ratio(near, failures) >= (1 - self.beta) / self.alpha else near + 1

    def fails_at(self, successes: int) -> int:
        """Returns the fewest failures that, beside so many successes, decide 不符合."""
        (low, _), (failure, success) = self.bounds, self.steps
        guess = (low - successes * success) / failure
        near = round(guess)
        if abs(guess - near) > TIE:
            return math.ceil(guess)
        return near if self.ratio(successes, near) <= self.beta / (1 - self.alpha) else near + 1

    def outlook(self, true: Fraction | float) -> tuple[Chances, float]:
        """Returns the exact chance of each ending of the test, limit included, and its expected number of outcomes."""
        p, numbers = float(true), np.arange(self.limit + 1)
        enough = np.array([self.passes_at(int(failures)) for failures in numbers])
        too_many = np.array([self.fails_at(int(successes)) for successes in numbers])
        going, passed, failed, expected = np.ones(1), 0.0, 0.0, 0.0  # going[s]: s successes, and nothing decided
        for n in range(1, self.limit + 1):
            expected += float(going.sum())
            going = np.append(going, 0.0) * (1 - p) + np.insert(going, 0, 0.0) * p
            successes = numbers[: n + 1]
            passing, failing = successes >= enough[n - successes], n - successes >= too_many[successes]
            passed, failed = passed + float(going[passing].sum()), failed + float(going[failing].sum())
            going = np.where(passing | failing, 0.0, going)
        return Chances(passed, failed, float(going.sum())), expected


@dataclass
class SequentialTest:
    """A test under way: takes outcomes in the order of the attempts and keeps its first decision."""

    design: Design
    successes: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    late: int = field(default=0, init=False)  # outcomes that came when the test was over: they decide nothing
    verdict: Verdict | None = field(default=None, init=False)  # None: go on; 不能判定: the limit was reached

    @property
    def n(self) -> int:
        """How many outcomes were taken."""
        return self.successes + self.failures

    @property
    def log_ratio(self) -> float:
        """The logarithm of the likelihood ratio as it stands."""
        failure, success = self.design.steps
        return self.successes * success + self.failures * failure

    def take(self, success: bool) -> Verdict | None:
        """Takes one outcome and returns the verdict, or None while the test goes on."""
        if self.verdict is not None:
            self.late += 1
            return self.verdict
        if success:
            self.successes += 1
        else:
            self.failures += 1
        if self.successes >= self.design.passes_at(self.failures):
            self.verdict = Verdict.PASS
        elif self.failures >= self.design.fails_at(self.successes):
            self.verdict = Verdict.FAIL
        elif self.n >= self.design.limit:
            self.verdict = Verdict.OPEN
        return self.verdict
