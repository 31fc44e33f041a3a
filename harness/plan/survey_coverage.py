"""The coverage coefficient of clause 9.2.2 of CMM-525-0005 by its manual route, and when probes count for it (X12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from harness.plan.attempt import PlannedAttempt
from harness.plan.model import Plan
from scenarios.model import Text
from scoring.scheme import Route, load_scheme

SCHEME, INDICATOR, FACTOR, ROUTE = "CMM-525-0005", "A.SQ.1", "coverage", "manual"

BY_THE_BODY = Text(
    zh="本次模拟测试由认证机构实施，不计入受审核方人工调研样本量。",
    en="These probes are carried out by the certification body and do not count as the applicant's manual survey.",
)
NOT_COMMISSIONED = Text(
    zh="未写明由受审核方委托（commissioned_by: applicant）且由认证机构以外的机构实施（executed_by），"
    "本次模拟测试不计入受审核方人工调研样本量。",
    en="The plan does not say that the applicant commissioned the probes (commissioned_by: applicant) and that others "
    "than the certification body make them (executed_by), so they do not count as a manual survey.",
)
NOT_CONFIRMED = Text(
    zh="评价员未确认本次模拟测试可计入人工调研样本量（count_probes: true），故不计入。",
    en="The evaluator has not confirmed that probes count as a manual survey (count_probes: true), so they do not.",
)


@dataclass(frozen=True)
class SurveyCoverage:
    """What the plan is worth under 9.2.2. ``coefficient`` is None when the probes do not count; ``why`` says why."""

    weeks: dict[str, int]  # ISO week -> attempts, at most
    mean: Fraction
    least: int
    coefficient: Fraction | None
    quote: str
    why: Text | None

    @property
    def warning(self) -> tuple[str, Text] | None:
        """The warning and its code, or None."""
        return None if self.why is None else ("X12", self.why)


def survey_coverage(plan: Plan, attempts: Sequence[PlannedAttempt]) -> SurveyCoverage | None:
    """Returns the coefficient that the mean number of attempts a week gives; None for a plan that is not scheduled.

    Every ISO week with an attempt counts, also one that the window only touches. The valid and completed contacts are
    what counts in the end; planned ones are the most they can be.
    """
    zone = ZoneInfo(plan.zone)
    weeks: Counter[str] = Counter()
    for attempt in attempts:
        if attempt.due is not None:
            year, week, _ = attempt.due.astimezone(zone).isocalendar()
            weeks[f"{year}-W{week:02}"] += 1
    if not weeks:
        return None
    mean = Fraction(sum(weeks.values()), len(weeks))
    band = next(band for band in _route().bands if band.holds(mean))
    why = _why_not(plan)
    coefficient = band.coefficient if why is None else None
    return SurveyCoverage(dict(sorted(weeks.items())), mean, min(weeks.values()), coefficient, band.quote, why)


def _why_not(plan: Plan) -> Text | None:
    if plan.executed_by == "certification_body":
        return BY_THE_BODY
    if plan.commissioned_by != "applicant" or plan.executed_by is None:
        return NOT_COMMISSIONED
    return None if plan.count_probes else NOT_CONFIRMED


def _route() -> Route:
    indicator = next(found for _, found in load_scheme(SCHEME).indicators() if found.id == INDICATOR)
    factor = next(found for found in indicator.factors if found.id == FACTOR)
    return next(found for found in factor.routes if found.id == ROUTE)
