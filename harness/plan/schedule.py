"""Drawing a scheduled plan: start times at random within each stratum and day, the same from the same seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime

from harness.authorisation import Authorisation
from harness.plan.allocation import Dealer, below, shuffle
from harness.plan.attempt import PlannedAttempt, attempt_id
from harness.plan.immediate import check_entry, check_scenario, expand
from harness.plan.loading import LoadedPlan
from harness.plan.room import Cell, Full, cells, gap_ms, share_out
from harness.plan.size import counts
from harness.plan.spans import HOUR, moment
from probes.target import Target
from scenarios.errors import PlanError
from scenarios.model import Scenario
from scenarios.yaml_file import Path_


def draw_up(
    loaded: LoadedPlan,
    target: Target,
    scenarios: Mapping[str, Scenario],
    *,
    now: datetime,
    authorisation: Authorisation | None = None,
) -> list[PlannedAttempt]:
    """Draws up the attempts of a plan. One that lists them has them all due at once, as :func:`expand` gives them.

    A scheduled one has its starts drawn uniformly within each stratum and day (domain 3.2): in the hours of the plan
    and of the authorisation, under its ceilings a day and an hour, at least the gap apart on one entry, never on the
    full hour, and not before ``now``. A day is one of the plan's zone, an hour any sixty minutes.

    Args:
        loaded: the plan.
        target: where the entries are.
        scenarios: the scripts by the name the plan gives them.
        now: aware; what is left of the window after it is used.
        authorisation: the client's permission. Whether it is signed is not asked here.

    Returns:
        The attempts in the order of starting; the same for the same arguments, whatever the version of Python.

    Raises:
        PlanError: an unknown scenario or entry, or the attempts do not fit; says which, and what would.
    """
    plan = loaded.plan
    if not plan.scheduled:
        return expand(loaded, target, scenarios)
    check(loaded, target, scenarios)
    ceilings = None if authorisation is None else authorisation.ceilings
    draw, gap = random.Random(plan.seed), gap_ms(plan)
    totals = counts(plan)
    rows = cells(plan, range(len(plan.strata)), now, authorisation)
    for index, row in enumerate(rows):
        if not row:
            message = f"nothing of stratum '{plan.strata[index].label}' is left after {now:%Y-%m-%d %H:%M} UTC"
            message += "" if authorisation is None else " in the hours of the authorisation"
            raise loaded.error(("strata", index), message, "change the window or the hours, or remove it")
    try:
        shares = share_out(rows, totals, gap, None if ceilings is None else ceilings.per_day, draw.random)
    except Full as full:
        raise _full(loaded, full, totals) from None
    starts = [
        (at, cell)
        for row, share in zip(rows, shares, strict=True)
        for cell, count in zip(row, share, strict=True)
        for at in _starts(cell, count, gap, draw)
    ]
    starts.sort(key=lambda start: (start[0], start[1].stratum))
    if ceilings is not None and ceilings.per_hour is not None:
        starts = _thinned(loaded, starts, ceilings.per_hour, gap)
    return _numbered(loaded, scenarios, starts, totals, draw)


def check(loaded: LoadedPlan, target: Target, scenarios: Mapping[str, Scenario]) -> None:
    """Refuses strata whose entry or scenarios are not there.

    Raises:
        PlanError: with the place.
    """
    plan = loaded.plan
    for index, stratum in enumerate(plan.strata):
        key: Path_ = ("strata", index)
        check_entry(loaded, (*key, "entry"), stratum.entry, stratum.channel, target)
        mix_at: Path_ = ("mix",) if stratum.mix is None else (*key, "mix")
        for number, part in enumerate(plan.mix_of(stratum)):
            at = (*mix_at, number, "scenario")
            check_scenario(loaded, at, (*key, "channel"), part.scenario, stratum.channel, scenarios)


def _starts(cell: Cell, count: int, gap: int, draw: random.Random) -> list[int]:
    """Draws ``count`` times, uniformly among all ways to place them ``gap`` apart."""
    free = cell.usable - (count - 1) * gap
    places = sorted(below(draw, free) for _ in range(count))
    return [cell.room.at(place + number * gap) for number, place in enumerate(places)]


def _numbered(
    loaded: LoadedPlan,
    scenarios: Mapping[str, Scenario],
    starts: Sequence[tuple[int, Cell]],
    totals: Sequence[int],
    draw: random.Random,
) -> list[PlannedAttempt]:
    plan, dealer = loaded.plan, Dealer()
    hands: list[list[str]] = []
    for stratum, total in zip(plan.strata, totals, strict=True):
        hand = dealer.deal(total, [(part.scenario, part.share) for part in plan.mix_of(stratum)])
        shuffle(draw, hand)
        hands.append(hand)
    width = max(3, len(str(len(starts))))
    labels = [stratum.label for stratum in plan.strata]
    closes = {at: moment(at) for at in {cell.closes for _, cell in starts}}
    attempts = []
    for seq, (at, cell) in enumerate(starts, start=1):
        stratum, scenario = plan.strata[cell.stratum], hands[cell.stratum].pop()
        attempts.append(
            PlannedAttempt(
                id=attempt_id(seq, width, scenarios[scenario].id, stratum.entry),
                seq=seq,
                scenario=scenario,
                channel=stratum.channel,
                entry=stratum.entry,
                seed=below(draw, 1 << 31),
                stratum=labels[cell.stratum],
                due=moment(at),
                until=closes[cell.closes],
            )
        )
    return attempts


def _thinned(loaded: LoadedPlan, starts: Sequence[tuple[int, Cell]], per_hour: int, gap: int) -> list[tuple[int, Cell]]:
    """Moves starts apart, as little as possible and in the order drawn, until no sixty minutes hold too many.

    The latest time that leaves room for everything behind it is found for each from the last to the first; then each,
    from the first to the last, stays where it was drawn unless it is too early or too late. So if there is a way in
    this order, it is found.
    """
    plan = loaded.plan
    entries = [(plan.strata[cell.stratum].channel, plan.strata[cell.stratum].entry) for _, cell in starts]
    latest = [0] * len(starts)
    following: dict[tuple[str, str], int] = {}
    for n in range(len(starts) - 1, -1, -1):
        cell = starts[n][1]
        bound = cell.room.at(cell.usable - 1)
        if n + 1 < len(starts):
            bound = min(bound, latest[n + 1])
        if n + per_hour < len(starts):
            bound = min(bound, latest[n + per_hour] - HOUR)
        if entries[n] in following:
            bound = min(bound, following[entries[n]] - gap)
        place = cell.room.ahead(bound + 1) - 1
        if place < 0:
            raise _crowded(loaded, cell, per_hour)
        latest[n] = following[entries[n]] = cell.room.at(place)
    moved: list[tuple[int, Cell]] = []
    before: dict[tuple[str, str], int] = {}
    for n, (drawn, cell) in enumerate(starts):
        earliest = max(drawn, moved[-1][0] if moved else 0, before.get(entries[n], -gap) + gap)
        if n >= per_hour:
            earliest = max(earliest, moved[n - per_hour][0] + HOUR)
        at = min(cell.room.at(min(cell.room.ahead(earliest), cell.usable - 1)), latest[n])
        before[entries[n]] = at
        moved.append((at, cell))
    return moved


def _crowded(loaded: LoadedPlan, cell: Cell, per_hour: int) -> PlanError:
    message = f"the authorisation permits {per_hour} an hour, too few for what the plan puts on {cell.day}"
    return loaded.error(("size",), message, "lower the size, or add days or hours")


def _full(loaded: LoadedPlan, full: Full, totals: Sequence[int]) -> PlanError:
    plan, wanted = loaded.plan, totals[full.stratum]
    label = plan.strata[full.stratum].label
    if full.by_day:
        message = f"the authorisation's ceiling a day leaves room for {full.fits} of the {wanted} attempts of '{label}'"
        return loaded.error(("size",), message, "lower the size, or lengthen the window")
    message = f"stratum '{label}' has room for {full.fits} starts {plan.gap_s:g} s apart, and {wanted} are planned"
    return loaded.error(("strata", full.stratum, "hours"), message, "lower gap_s or the size, or add days or hours")
