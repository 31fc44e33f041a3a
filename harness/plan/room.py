"""Where the starts of a scheduled plan may lie: a room for each stratum and day, and how many go into each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from harness.authorisation import Authorisation
from harness.hours import Span
from harness.plan.allocation import proportional
from harness.plan.loading import days_of
from harness.plan.model import Plan
from harness.plan.spans import Room, Stretch, milliseconds, off_the_hour, wall_time, within

SLACK = 30_000  # no start is drawn later than this before the end of its block: it may have to wait for its turn


@dataclass(frozen=True)
class Cell:
    """One stratum on one day. Positions in ``room`` below ``usable`` may be drawn; ``closes`` is the end of the hours.

    Behind ``usable`` a gap is left free, so the next block of the entry may begin at once.
    """

    stratum: int
    day: date
    room: Room
    usable: int
    closes: int

    def holds(self, gap: int) -> int:
        """Returns how many starts go into it that are ``gap`` milliseconds apart."""
        return 0 if self.usable < 1 else 1 + (self.usable - 1) // gap if gap else self.usable


def cells(plan: Plan, strata: Sequence[int], now: datetime, authorisation: Authorisation | None) -> list[list[Cell]]:
    """Returns the cells of each of ``strata`` (indexes into the plan's), day by day; those without room are left out.

    Their stretches lie in the block's wall time, after ``now``, within the authorisation's hours and window, and never
    in the first second of a full hour.
    """
    zone, since = ZoneInfo(plan.zone), milliseconds(now)
    reserve = max(gap_ms(plan), SLACK)
    permitted = _permitted(authorisation)
    found: list[list[Cell]] = [[] for _ in strata]
    for day in days_of(plan):
        kind = plan.calendar.kind_of(day)
        if (day - now.astimezone(zone).date()).days < 0:
            continue
        for row, index in zip(found, strata, strict=True):
            stratum = plan.strata[index]
            if not stratum.on(kind):
                continue
            hours = [(max(start, since), end) for start, end in wall_time(day, stratum.hours, zone) if end > since]
            open_ = within(hours, permitted(day))
            room = Room(off_the_hour(day, open_, zone))
            if len(room) > reserve:
                row.append(Cell(index, day, room, len(room) - reserve, room.end))
    return found


def gap_ms(plan: Plan) -> int:
    """Returns the plan's gap in whole milliseconds."""
    return -int(-plan.gap_s * 1000 // 1)


def share_out(
    rows: Sequence[Sequence[Cell]], totals: Sequence[int], gap: int, per_day: int | None, luck: Callable[[], float]
) -> list[list[int]]:
    """Spreads each stratum evenly over its days, and all of them together evenly over the days they share.

    Args:
        rows: the cells of each stratum.
        totals: how many attempts each stratum has.
        gap: least milliseconds between two starts.
        per_day: the most a day, over all strata; None: no ceiling.
        luck: decides between days that are equal.

    Returns:
        How many attempts go into each cell.

    Raises:
        Full: a stratum does not fit.
    """
    load: dict[date, int] = {}
    found: list[list[int]] = [[] for _ in rows]
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index])):  # those with few days choose first
        row, total = rows[index], totals[index]
        most = [cell.holds(gap) for cell in row]
        if sum(most) < total:
            raise Full(index, sum(most), by_day=False)
        if per_day is not None:
            most = [min(room, per_day - load.get(cell.day, 0)) for room, cell in zip(most, row, strict=True)]
            if sum(most) < total:
                raise Full(index, sum(most), by_day=True)
        found[index] = _fill(total, [Fraction(len(cell.room)) for cell in row], most, [
            (load.get(cell.day, 0), luck()) for cell in row
        ])  # fmt: skip
        for cell, count in zip(row, found[index], strict=True):
            load[cell.day] = load.get(cell.day, 0) + count
    return found


class Full(Exception):
    """A stratum does not fit into its hours, or under the ceiling of the day: ``fits`` is how many do."""

    def __init__(self, stratum: int, fits: int, *, by_day: bool) -> None:
        super().__init__(stratum, fits)
        self.stratum, self.fits, self.by_day = stratum, fits, by_day


def _fill(total: int, weights: list[Fraction], most: list[int], order: list[tuple[int, float]]) -> list[int]:
    """Shares ``total`` out in proportion; what is over a maximum goes to those that have room left."""
    counts = [0] * len(weights)
    while total:
        free = [n for n in range(len(weights)) if counts[n] < most[n]]
        shares = proportional(total, [weights[n] for n in free], order=[order[n] for n in free])
        for n, share in zip(free, shares, strict=True):
            taken = min(share, most[n] - counts[n])
            counts[n] += taken
            total -= taken
    return counts


def _permitted(authorisation: Authorisation | None) -> Callable[[date], list[Stretch]]:
    """Returns a function that gives the permitted stretches around a day."""
    if authorisation is None:
        return lambda _: [(0, 1 << 62)]
    zone = ZoneInfo(authorisation.zone)
    whole = milliseconds(authorisation.valid_from), milliseconds(authorisation.valid_to)

    @functools.cache
    def on(day: date) -> list[Stretch]:
        hours = authorisation.hours
        spans = [Span(0, 1440)] if hours is None else sorted(hours.on(authorisation.calendar.kind_of(day)))
        return sorted(part for span in spans for part in within(wall_time(day, span, zone), [whole]))

    return lambda day: [part for n in (-1, 0, 1) for part in on(day + timedelta(n))]
