"""What a plan will cost, show and burden the centre with, before its first attempt: numbers only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from harness.authorisation import Authorisation
from harness.plan.attempt import PlannedAttempt
from harness.plan.loading import LoadedPlan
from harness.plan.model import Plan
from harness.plan.room import cells
from harness.plan.spans import HOUR
from harness.plan.survey_coverage import SurveyCoverage, survey_coverage
from scenarios.model import ChannelKind, Scenario, Text
from scoring.statistics import smallest_n
from scoring.statistics.power import (
    Chances,
    Criteria,
    chances,
    criteria,
    design_effect,
    effective_n,
    expected_interval,
    n_for_power,
)

TRUE_RATES = tuple(
    Fraction(percent, 100) for percent in (80, 82, 84, 85, 86, 88, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99)
)
MOST_LOAD = 0.01  # of the centre's own volume (domain 2.3, bias 3)
LEAST_COVERED = 0.9  # of the week (domain 3.2)
WEEK_DAYS = {"workday": 5, "weekend": 2, "holiday": 0, "any": 7}


@dataclass(frozen=True)
class Burden:
    """One stratum: its attempts, the hours they fall into, and their share of the centre's own volume there."""

    stratum: str
    attempts: int
    hours: float
    volume: float | None

    @property
    def per_hour(self) -> float:
        """Attempts an hour."""
        return self.attempts / self.hours

    @property
    def load(self) -> float | None:
        """Attempts as a share of the centre's volume, or None if that is not known."""
        return None if self.volume is None else self.per_hour / self.volume


@dataclass(frozen=True)
class Cost:
    """Minutes and money of all attempts: as expected, and if every session lasted to its limit."""

    minutes: float
    minutes_most: float
    money: float | None
    money_most: float | None
    currency: str


@dataclass(frozen=True)
class Prospect:
    """What one channel's attempts can show about "rate >= target_rate", if every one is valid."""

    channel: ChannelKind
    n: int
    design_effect: float
    effective_n: int  # the plain sample that would be as precise, rounded down
    interval: tuple[float, float]  # Wilson's, at the expected rate and the effective n
    rule: Criteria
    expected: Chances
    chances: dict[Fraction, Chances]  # by true rate
    smallest: int  # n to pass without a failure
    enough: int | None  # n for a power of 80 % at the expected rate; None: none is enough


@dataclass(frozen=True)
class Outlook:
    """Everything a preview shows."""

    attempts: list[PlannedAttempt]
    by_scenario: dict[str, int]
    burdens: list[Burden]
    cost: Cost
    prospects: list[Prospect]
    survey: SurveyCoverage | None
    covered: float | None  # share of the week
    covered_by: str  # "volume" or "time"
    warnings: list[tuple[str, Text]]  # with their codes, where they have one


def look_ahead(
    loaded: LoadedPlan,
    attempts: list[PlannedAttempt],
    scenarios: Mapping[str, Scenario],
    *,
    now: datetime,
    authorisation: Authorisation | None = None,
) -> Outlook:
    """Computes what is to be expected of ``attempts``, which :func:`harness.plan.draw_up` drew from the plan."""
    plan = loaded.plan
    burdens = _burdens(plan, attempts, now, authorisation)
    cost = _cost(plan, attempts, scenarios, authorisation)
    survey = survey_coverage(plan, attempts)
    covered, by = _covered(plan)
    prospects = [
        _prospect(plan, channel, [a for a in attempts if a.channel == channel])
        for channel in dict.fromkeys(attempt.channel for attempt in attempts)
    ]
    warnings = [*_burden_warnings(burdens), *_cost_warnings(cost, authorisation)]
    if covered is not None and covered < LEAST_COVERED:
        zh = {"volume": "话务量", "time": "时间"}[by]
        warnings.append(("", Text(
            zh=f"抽样时段只占一周{zh}的 {covered:.0%}（不足 {LEAST_COVERED:.0%}），结论仅代表抽测时段。",
            en=f"The hours drawn from are {covered:.0%} of the week by {by} (below {LEAST_COVERED:.0%}): "
            "what is concluded holds for those hours only.",
        )))  # fmt: skip
    if survey is not None and survey.warning is not None:
        warnings.append(survey.warning)
    by_scenario = dict(sorted(Counter(attempt.scenario for attempt in attempts).items()))
    return Outlook(attempts, by_scenario, burdens, cost, prospects, survey, covered, by, warnings)


def _burdens(
    plan: Plan, attempts: Sequence[PlannedAttempt], now: datetime, authorisation: Authorisation | None
) -> list[Burden]:
    if not plan.scheduled:
        return []
    count = Counter(attempt.stratum for attempt in attempts)
    rows = cells(plan, range(len(plan.strata)), now, authorisation)
    return [
        Burden(stratum.label, count[stratum.label], sum(len(cell.room) for cell in row) / HOUR, stratum.volume)
        for stratum, row in zip(plan.strata, rows, strict=True)
    ]


def _burden_warnings(burdens: Sequence[Burden]) -> list[tuple[str, Text]]:
    return [
        ("", Text(
            zh=f"“{burden.stratum}”的拨测占该时段话务量的 {burden.load:.1%}，超过 {MOST_LOAD:.0%}："
            "拨测本身会影响被测中心。",
            en=f"The attempts of '{burden.stratum}' are {burden.load:.1%} of the centre's volume, more than "
            f"{MOST_LOAD:.0%}: the measurement disturbs what it measures.",
        ))
        for burden in burdens
        if burden.load is not None and burden.load > MOST_LOAD
    ]  # fmt: skip


def _cost(
    plan: Plan,
    attempts: Sequence[PlannedAttempt],
    scenarios: Mapping[str, Scenario],
    authorisation: Authorisation | None,
) -> Cost:
    most = {name: plan.limits.over(scenarios[name].limits).session_s for name in {a.scenario for a in attempts}}
    longest = [(a.channel, most[a.scenario]) for a in attempts]
    usual = [(channel, min(plan.expected_session_s, seconds)) for channel, seconds in longest]
    minutes, minutes_most = (sum(seconds for _, seconds in lasting) / 60 for lasting in (usual, longest))
    if authorisation is None:
        return Cost(minutes, minutes_most, None, None, "")
    price = authorisation.ledger_ceilings().price
    if not any(each.per_minute or each.per_session for each in price.values()):
        return Cost(minutes, minutes_most, None, None, "")
    money, money_most = (sum(price[channel].of(s) for channel, s in lasting) for lasting in (usual, longest))
    return Cost(minutes, minutes_most, money, money_most, authorisation.price.currency)


def _cost_warnings(cost: Cost, authorisation: Authorisation | None) -> list[tuple[str, Text]]:
    if authorisation is None:
        return []
    ceilings, found = authorisation.ceilings, []
    pairs = (
        (cost.minutes, cost.minutes_most, ceilings.minutes, "分钟", "minutes"),
        (cost.money, cost.money_most, ceilings.money, cost.currency, cost.currency),
    )
    for expected, most, ceiling, zh, en in pairs:
        if ceiling is None or expected is None or most is None or most <= ceiling:
            continue
        sure = expected > ceiling
        found.append(("", Text(
            zh=f"授权书的上限 {ceiling:g} {zh}{'不够' if sure else '可能不够'}：预计 {expected:.0f}，最多 {most:.0f}。",
            en=f"The authorisation's ceiling of {ceiling:g} {en} {'is too low' if sure else 'may be too low'}: "
            f"{expected:.0f} expected, {most:.0f} at most.",
        )))  # fmt: skip
    return found


def _prospect(plan: Plan, channel: ChannelKind, attempts: Sequence[PlannedAttempt]) -> Prospect:
    n, target, expected = len(attempts), plan.target_rate, plan.expected_rate
    effect, plain = 1.0, n
    if plan.scheduled:
        count = Counter(attempt.stratum for attempt in attempts)
        strata = [stratum for stratum in plan.strata if stratum.channel == channel]
        weights, shares = [s.weight for s in strata], [count[s.label] for s in strata]
        effect, plain = design_effect(weights, shares), effective_n(weights, shares)
    try:
        enough = n_for_power(target, expected)
    except ValueError:
        enough = None
    return Prospect(
        channel=channel,
        n=n,
        design_effect=effect,
        effective_n=plain,
        interval=expected_interval(expected, n / effect),
        rule=criteria(plain, target),
        expected=chances(plain, target, expected),
        chances={rate: chances(plain, target, rate) for rate in TRUE_RATES},
        smallest=smallest_n(target),
        enough=enough,
    )


def _covered(plan: Plan) -> tuple[float | None, str]:
    """Returns the share of an ordinary week that the strata cover, by volume if it is known, else by time."""
    if not plan.scheduled:
        return None, ""
    hours = [(s, WEEK_DAYS[s.days] * (s.hours.end - s.hours.start) / 60) for s in plan.strata]
    if plan.weekly_volume is not None and all(stratum.volume is not None for stratum in plan.strata):
        volume = sum((stratum.volume or 0) * length for stratum, length in hours)
        return min(1.0, volume / plan.weekly_volume), "volume"
    entries: dict[tuple[str, str], float] = {}
    for stratum, length in hours:
        key = stratum.channel, stratum.entry
        entries[key] = entries.get(key, 0.0) + length
    return min(entries.values()) / 168, "time"
