"""A new attempt in the place of one that was lost, as the plan's rule allows it."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from harness.authorisation import Authorisation
from harness.plan.allocation import below
from harness.plan.attempt import PlannedAttempt
from harness.plan.immediate import check_entry, check_scenario
from harness.plan.loading import LoadedPlan
from harness.plan.room import cells, gap_ms
from harness.plan.spans import Room, milliseconds, moment, without
from probes.target import Target
from scenarios.model import ChannelKind, Scenario

_TURN = re.compile(r"(.*)-r([0-9]+)")


class Lost(Protocol):
    """What is asked of the attempt that is to be replaced; ``replaces`` names the one it stood for itself."""

    @property
    def id(self) -> str: ...  # noqa: D102 - as PlannedAttempt
    @property
    def scenario(self) -> str: ...  # noqa: D102
    @property
    def channel(self) -> ChannelKind: ...  # noqa: D102
    @property
    def entry(self) -> str: ...  # noqa: D102
    @property
    def stratum(self) -> str: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def replaces(self) -> str | None: ...  # noqa: D102


def replacement(
    loaded: LoadedPlan,
    target: Target,
    scenarios: Mapping[str, Scenario],
    lost: Lost,
    taken: Sequence[datetime],
    seq: int,
    now: datetime,
    authorisation: Authorisation | None = None,
) -> PlannedAttempt | None:
    """Draws an attempt that stands for a lost one: same scenario, same stratum, at random in what is left of it.

    Whether the plan's rule allows it, and how often, is for the caller to ask.

    Args:
        loaded: the plan.
        target: where the entries are.
        scenarios: the scripts by the name the plan gives them.
        lost: the attempt to be replaced.
        taken: aware; the due times on that entry that are still to come.
        seq: the new attempt's number.
        now: aware; nothing is drawn before it.
        authorisation: the client's permission; its hours and window are kept.

    Returns:
        The attempt: ``a001-S01-x-r1`` for ``a001-S01-x``, then ``-r2``. The same for the same arguments. None when
        nothing remains of the stratum.

    Raises:
        PlanError: the entry or the scenario is no longer there.
    """
    plan = loaded.plan
    check_entry(loaded, (), lost.entry, lost.channel, target)
    check_scenario(loaded, (), (), lost.scenario, lost.channel, scenarios)
    root, turn = lost.id, 0
    before = _TURN.fullmatch(lost.id) if lost.replaces is not None else None
    if before is not None:
        root, turn = before[1], int(before[2])
    name = f"{root}-r{turn + 1}"
    seed = int.from_bytes(hashlib.sha256(f"{lost.seed}/{name}".encode()).digest()[:4], "big") >> 1
    due = until = None
    if plan.scheduled:
        drawn = _draw(loaded, lost, taken, random.Random(seed), now, authorisation)
        if drawn is None:
            return None
        due, until = drawn
    return PlannedAttempt(
        id=name,
        seq=seq,
        scenario=lost.scenario,
        channel=lost.channel,
        entry=lost.entry,
        seed=seed,
        stratum=lost.stratum,
        due=due,
        until=until,
        replaces=lost.id,
    )


def _draw(
    loaded: LoadedPlan,
    lost: Lost,
    taken: Sequence[datetime],
    draw: random.Random,
    now: datetime,
    authorisation: Authorisation | None,
) -> tuple[datetime, datetime] | None:
    plan, gap = loaded.plan, gap_ms(loaded.plan)
    same = [index for index, stratum in enumerate(plan.strata) if stratum.label == lost.stratum]
    near = [(at - gap + 1, at + gap) for at in sorted(map(milliseconds, taken))]
    rooms = []
    for cell in cells(plan, same, now, authorisation)[0] if same else []:
        last = cell.room.at(cell.usable - 1)
        free = [(start, min(end, last + 1)) for start, end in cell.room.stretches if start <= last]
        rooms.append((cell, Room(without(free, _merged(near)))))
    place = below(draw, sum(len(room) for _, room in rooms))
    for cell, room in rooms:
        if place < len(room):
            return moment(room.at(place)), moment(cell.closes)
        place -= len(room)
    return None


def _merged(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Joins stretches in order that overlap; empty ones are left out."""
    found: list[tuple[int, int]] = []
    for start, end in stretches:
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
