"""The plan: how many attempts of which scenario on which entry, drawn up from a seed before the first of them."""

from __future__ import annotations

import difflib
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from probes.target import Target
from scenarios.errors import PlanError
from scenarios.model import ChannelKind, Limits, Scenario, Strict
from scenarios.yaml_file import Path_, Place, load_with_hash


class Stratum(Strict):
    """So many attempts of one scenario on one entry."""

    scenario: str
    entry: str
    channel: ChannelKind
    count: int = Field(ge=0, le=100_000)


class PlanLimits(Strict):
    """Limits that override the scenario's, in seconds; what is left out stays the scenario's."""

    ring_s: float | None = Field(default=None, gt=0)
    menu_s: float | None = Field(default=None, gt=0)
    queue_s: float | None = Field(default=None, gt=0)
    reply_s: float | None = Field(default=None, gt=0)
    session_s: float | None = Field(default=None, gt=0)

    def over(self, limits: Limits) -> Limits:
        """Returns ``limits`` with those of the plan in their place."""
        return limits.model_copy(update=self.model_dump(exclude_none=True))


class AtOnce(Strict):
    """How many sessions may run at the same time, over all entries."""

    voice: int = Field(default=12, ge=1)
    chat: int = Field(default=8, ge=1)


class Plan(Strict):
    """One plan."""

    format: Literal[1]
    name: str = Field(min_length=1)
    seed: int
    attempts: tuple[Stratum, ...]
    limits: PlanLimits = PlanLimits()
    at_once: AtOnce = AtOnce()
    gap_s: float = Field(default=0, ge=0, description="least seconds between two starts on one entry")
    decision_rule: str | None = None


@dataclass(frozen=True)
class LoadedPlan:
    """A plan and what it was read from. ``path`` is None for a plan made in memory."""

    plan: Plan
    sha256: str
    path: Path | None = None
    places: Mapping[Path_, Place] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, plan: Plan) -> LoadedPlan:
        """Returns a plan that was made in memory, with the hash of its JSON."""
        return cls(plan, hashlib.sha256(plan.model_dump_json().encode()).hexdigest())


@dataclass(frozen=True)
class PlannedAttempt:
    """One attempt that is due: ``seq`` counts from 1 in the order of starting, ``seed`` draws its persona.

    ``due`` and ``until`` are UTC: not before, not after. None: at once, and no matter how late.
    """

    id: str
    seq: int
    scenario: str
    channel: ChannelKind
    entry: str
    seed: int
    stratum: str = ""
    due: datetime | None = None
    until: datetime | None = None
    replaces: str | None = None


def load_plan(path: str | Path) -> LoadedPlan:
    """Reads a plan.

    Raises:
        PlanError: the file is wrong; names line, column and cure.
    """
    loaded = load_with_hash(path, Plan, PlanError)
    return LoadedPlan(loaded.model, loaded.sha256, loaded.path, loaded.values)


def expand(loaded: LoadedPlan, target: Target, scenarios: Mapping[str, Scenario]) -> list[PlannedAttempt]:
    """Draws up the attempts of a plan: shuffled from its seed, each entry's spread evenly over the whole.

    Args:
        loaded: the plan.
        target: where the entries are.
        scenarios: the scripts by the name the plan gives them: an id, or a path. Attempt ids hold the script's id.

    Returns:
        The attempts in the order of starting; the same for the same plan.

    Raises:
        PlanError: no attempts, an unknown scenario or entry, or a scenario that is not for that channel.
    """
    plan = loaded.plan
    if not sum(stratum.count for stratum in plan.attempts):
        raise _error(loaded, ("attempts",), "the plan has no attempts", "give at least one entry a count above zero")
    for index, stratum in enumerate(plan.attempts):
        _check(loaded, index, stratum, target, scenarios)
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
            id=f"a{seq:0{width}}-{scenarios[stratum.scenario].id}-{stratum.entry}",
            seq=seq,
            scenario=stratum.scenario,
            channel=stratum.channel,
            entry=stratum.entry,
            seed=draw.getrandbits(31),
        )
        for seq, (_, stratum) in enumerate(due, start=1)
    ]


def _check(loaded: LoadedPlan, index: int, stratum: Stratum, target: Target, scenarios: Mapping[str, Scenario]) -> None:
    scenario = scenarios.get(stratum.scenario)
    if scenario is None:
        cure = _known(stratum.scenario, scenarios)
        raise _error(loaded, ("attempts", index, "scenario"), f"unknown scenario '{stratum.scenario}'", cure)
    if stratum.channel not in scenario.channels:
        message = f"scenario {scenario.id} is not for {stratum.channel}"
        cure = f"it is for: {', '.join(scenario.channels)}"
        raise _error(loaded, ("attempts", index, "channel"), message, cure)
    entries: Mapping[str, object] = target.lines if stratum.channel == "voice" else target.chats
    if stratum.entry not in entries:
        what = "line" if stratum.channel == "voice" else "chat"
        message = f"the target '{target.name}' has no {what} '{stratum.entry}'"
        raise _error(loaded, ("attempts", index, "entry"), message, _known(stratum.entry, entries))


def _known(given: str, names: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(given, names, n=1)
    listed = f"there are: {', '.join(names) or 'none'}"
    return f"did you mean '{near[0]}'? {listed}" if near else listed


def _error(loaded: LoadedPlan, key: Path_, message: str, cure: str) -> PlanError:
    places = loaded.places
    place = next((places[key[:n]] for n in range(len(key), -1, -1) if key[:n] in places), None)
    line, column = (place.line, place.column) if place else (None, None)
    return PlanError(message, file=loaded.path, line=line, column=column, cure=cure)
