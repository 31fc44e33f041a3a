"""Clearance: what an authorisation permits of a plan, what it does not, and why. Nothing is dialled to find out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from harness.authorisation import Authorisation
from harness.inputs import Inputs
from harness.permission import Check, CheckName, examine
from harness.plan import PlannedAttempt, draw_up
from harness.refusal import Refusal
from scenarios.errors import PlanError
from scenarios.model import ChannelKind


@dataclass(frozen=True)
class EntryClearance:
    """One entry of the plan: each check that applies, refused for the first scenario and start that it refuses."""

    channel: ChannelKind
    entry: str
    address: str
    planned: int
    checks: tuple[Check, ...]

    def of(self, name: CheckName) -> Check | None:
        """Returns a check by name, or None where it does not apply."""
        return next((check for check in self.checks if check.name == name), None)


@dataclass(frozen=True)
class Total:
    """What the plan takes of one ceiling: as it is expected, and at the very most."""

    name: str  # attempts_a_day, minutes, money
    expected: float
    most: float
    ceiling: float | None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Clearance:
    """The whole answer. ``outside_hours`` and ``outside_validity`` count starts of the plan's schedule."""

    at: datetime
    days_left: int
    planned: int
    scheduled: bool
    outside_hours: int
    outside_validity: int
    entries: tuple[EntryClearance, ...]
    totals: tuple[Total, ...]
    misfit: Refusal | None  # why the schedule cannot be drawn within the authorisation

    @property
    def allowed(self) -> bool:
        """Whether nothing is refused."""
        refused = [check.refusal for entry in self.entries for check in entry.checks]
        refused += [self.misfit, *(total.refusal for total in self.totals)]
        return not any(refused)


def clearance(inputs: Inputs, authorisation: Authorisation, at: datetime) -> Clearance:
    """Asks every check about everything the plan would do.

    Args:
        inputs: plan, target and scripts.
        authorisation: the client's permission.
        at: aware; what is left of a scheduled plan's window after it is drawn, and a plan without one starts then.

    Raises:
        PlanError: the plan does not fit the target, or nothing of it is left.
    """
    plan, target, scripts = inputs.plan, inputs.target.target, inputs.scenarios
    attempts = draw_up(plan, target, scripts, now=at)
    misfit = None
    try:
        draw_up(plan, target, scripts, now=at, authorisation=authorisation)
    except PlanError as error:
        misfit = Refusal.of(
            f"The plan does not fit into the authorisation: {error.message}.",
            f"方案放不进授权书：{error.message}。",
            f"{error.cure}.",
            f"{error.cure}。",
        )
    entries = dict.fromkeys((attempt.channel, attempt.entry) for attempt in attempts)
    starts = [attempt.due or at for attempt in attempts]
    return Clearance(
        at=at,
        days_left=authorisation.days_left(at),
        planned=len(attempts),
        scheduled=plan.plan.scheduled,
        outside_hours=sum(authorisation.closed(start) is not None for start in starts),
        outside_validity=sum(authorisation.out_of_date(start) is not None for start in starts),
        entries=tuple(
            _entry(inputs, authorisation, at, [one for one in attempts if (one.channel, one.entry) == key])
            for key in entries
        ),
        totals=_totals(inputs, authorisation, at, attempts),
        misfit=misfit,
    )


def _entry(
    inputs: Inputs, authorisation: Authorisation, at: datetime, attempts: Sequence[PlannedAttempt]
) -> EntryClearance:
    target, first = inputs.target, attempts[0]
    found: dict[CheckName, Check] = {}
    for attempt in attempts:
        checks = examine(
            target.target, target.folder, attempt.channel, attempt.entry, inputs.scenarios[attempt.scenario],
            authorisation, attempt.due or at,
        )  # fmt: skip
        for check in checks:
            if found.setdefault(check.name, check).refusal is None:
                found[check.name] = check
    address = inputs.address(first.channel, first.entry)
    return EntryClearance(first.channel, first.entry, address, len(attempts), tuple(found.values()))


def _totals(
    inputs: Inputs, authorisation: Authorisation, at: datetime, attempts: Sequence[PlannedAttempt]
) -> tuple[Total, ...]:
    plan, ceilings = inputs.plan.plan, authorisation.ceilings
    prices = authorisation.ledger_ceilings(at).price
    longest = {name: plan.limits.over(script.limits).session_s for name, script in inputs.scenarios.items()}
    minutes = money = most_minutes = most_money = 0.0
    for attempt in attempts:
        most = longest[attempt.scenario]
        expected = min(plan.expected_session_s, most)
        minutes, most_minutes = minutes + expected / 60, most_minutes + most / 60
        money += prices[attempt.channel].of(expected)
        most_money += prices[attempt.channel].of(most)
    days: dict[object, int] = {}
    for attempt in attempts:
        day = authorisation.local(attempt.due or at).date()
        days[day] = days.get(day, 0) + 1
    busiest = max(days.values(), default=0)
    found = (
        ("attempts_a_day", float(busiest), float(busiest), ceilings.per_day, "attempts on one day", "单日次数"),
        ("minutes", minutes, most_minutes, ceilings.minutes, "minutes in all", "总分钟数"),
        ("money", money, most_money, ceilings.money, f"{authorisation.price.currency} in all", "总费用"),
    )
    return tuple(
        Total(name, expected, most, ceiling, _over(expected, ceiling, en, zh))
        for name, expected, most, ceiling, en, zh in found
    )


def _over(expected: float, ceiling: float | None, en: str, zh: str) -> Refusal | None:
    if ceiling is None or expected <= ceiling:
        return None
    return Refusal.of(
        f"The plan is expected to take {expected:g} {en}; the authorisation permits {ceiling:g}.",
        f"方案预计{zh}为 {expected:g}，授权书只允许 {ceiling:g}。",
        "lower the plan, or have the client sign a higher ceiling.",
        "请缩减方案，或请被测机构签署更高的上限。",
    )
