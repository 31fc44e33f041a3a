"""Attempts that are all due at once: shuffled from the seed, each entry's spread evenly over the whole."""

from __future__ import annotations

import random
from collections.abc import Mapping

from harness.plan.attempt import PlannedAttempt, attempt_id
from harness.plan.loading import LoadedPlan, known
from harness.plan.model import Stratum
from probes.target import Target
from scenarios.model import ChannelKind, Scenario
from scenarios.yaml_file import Path_


def expand(loaded: LoadedPlan, target: Target, scenarios: Mapping[str, Scenario]) -> list[PlannedAttempt]:
    """Draws up the attempts of a plan that lists them.

    Args:
        loaded: the plan.
        target: where the entries are.
        scenarios: the scripts by the name the plan gives them: an id, or a path. Attempt ids hold the script's id.

    Returns:
        The attempts in the order of starting; the same for the same plan.

    Raises:
        PlanError: no attempts, an unknown scenario or entry, or a scenario that is not for that channel; or the plan
            is drawn over days, which takes :func:`harness.plan.draw_up`.
    """
    plan = loaded.plan
    if plan.scheduled:
        message = "this plan is spread over days and cannot be carried out at once"
        raise loaded.error(("window",), message, "run it with shopper campaign run")
    if not sum(stratum.count for stratum in plan.attempts):
        raise loaded.error(("attempts",), "the plan has no attempts", "give at least one entry a count above zero")
    for index, stratum in enumerate(plan.attempts):
        key: Path_ = ("attempts", index)
        check_scenario(loaded, (*key, "scenario"), (*key, "channel"), stratum.scenario, stratum.channel, scenarios)
        check_entry(loaded, (*key, "entry"), stratum.entry, stratum.channel, target)
    draw = random.Random(plan.seed)
    by_entry: dict[str, list[Stratum]] = {}
    for stratum in plan.attempts:
        by_entry.setdefault(stratum.entry, []).extend([stratum] * stratum.count)
    due: list[tuple[float, Stratum]] = []
    for group in by_entry.values():
        draw.shuffle(group)
        due += [((number + draw.random()) / len(group), stratum) for number, stratum in enumerate(group)]
    due.sort(key=lambda pair: pair[0])
    width = max(3, len(str(len(due))))
    return [
        PlannedAttempt(
            id=attempt_id(seq, width, scenarios[stratum.scenario].id, stratum.entry),
            seq=seq,
            scenario=stratum.scenario,
            channel=stratum.channel,
            entry=stratum.entry,
            seed=draw.getrandbits(31),
        )
        for seq, (_, stratum) in enumerate(due, start=1)
    ]


def check_scenario(
    loaded: LoadedPlan,
    at: Path_,
    channel_at: Path_,
    name: str,
    channel: ChannelKind,
    scenarios: Mapping[str, Scenario],
) -> None:
    """Refuses a scenario that is not there, or not for that channel.

    Raises:
        PlanError: at ``at`` or ``channel_at``.
    """
    scenario = scenarios.get(name)
    if scenario is None:
        raise loaded.error(at, f"unknown scenario '{name}'", known(name, scenarios))
    if channel not in scenario.channels:
        message = f"scenario {scenario.id} is not for {channel}"
        raise loaded.error(channel_at, message, f"it is for: {', '.join(scenario.channels)}")


def check_entry(loaded: LoadedPlan, at: Path_, entry: str, channel: ChannelKind, target: Target) -> None:
    """Refuses an entry the target does not have.

    Raises:
        PlanError: at ``at``.
    """
    entries: Mapping[str, object] = target.lines if channel == "voice" else target.chats
    if entry not in entries:
        what = "line" if channel == "voice" else "chat"
        message = f"the target '{target.name}' has no {what} '{entry}'"
        raise loaded.error(at, message, known(entry, entries))
