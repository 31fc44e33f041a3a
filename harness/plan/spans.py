"""Stretches of time that a start may be drawn from, in whole milliseconds since 1970 (UTC).

A block of hours is wall time: where the clock is put forward or back within it, it is shorter or longer that day, and
an hour that happens twice belongs to it twice.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from harness.hours import Span

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
Stretch = tuple[int, int]


def milliseconds(moment: datetime) -> int:
    """Returns an aware moment in whole milliseconds since 1970, rounded up."""
    return -((EPOCH - moment) // timedelta(milliseconds=1))


def moment(at: int) -> datetime:
    """Returns the UTC datetime of so many milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=at)


def wall_time(day: date, span: Span, zone: ZoneInfo) -> list[Stretch]:
    """Returns when the clocks of ``zone`` show a time of ``span`` on ``day``; empty if they skip it."""
    found: list[Stretch] = []
    for start, end, offset in _offsets(day, zone):
        midnight = (day.toordinal() - EPOCH.toordinal()) * DAY - offset
        piece = max(start, midnight + span.start * MINUTE), min(end, midnight + span.end * MINUTE)
        if piece[0] < piece[1]:
            found.append(piece)
    return found


def off_the_hour(day: date, stretches: Iterable[Stretch], zone: ZoneInfo) -> list[Stretch]:
    """Returns the stretches without the first second of each full hour of the wall clock."""
    full = [
        (at, at + 1000)
        for start, end, offset in _offsets(day, zone)
        for at in range(-(-(start + offset) // HOUR) * HOUR - offset, end, HOUR)
    ]
    return without(stretches, full)


@functools.lru_cache(maxsize=1024)
def _offsets(day: date, zone: ZoneInfo) -> list[tuple[int, int, int]]:
    """Returns (start, end, offset from UTC) of the parts of a generous day, all in milliseconds."""
    noon = (day.toordinal() - EPOCH.toordinal()) * DAY + DAY // 2
    start, end = noon - 2 * DAY, noon + 2 * DAY

    def offset(at: int) -> int:
        shift = moment(at).astimezone(zone).utcoffset()
        assert shift is not None
        return shift // timedelta(milliseconds=1)

    marks = [*range(start, end, DAY // 4), end]
    edges = [start]
    for low, high in itertools.pairwise(marks):
        if offset(low) != offset(high):
            before = offset(low)
            edges.append(low + bisect.bisect_left(range(low, high), True, key=lambda at: offset(at) != before))
    return [(low, high, offset(low)) for low, high in itertools.pairwise([*edges, end])]


def without(stretches: Iterable[Stretch], taken: Iterable[Stretch]) -> list[Stretch]:
    """Returns what is left of ``stretches``. Both are in order, and neither overlaps itself."""
    holes = list(taken)
    found: list[Stretch] = []
    for start, end in stretches:
        for low, high in holes[bisect.bisect_right(holes, start, key=lambda hole: hole[1]) :]:
            if low >= end:
                break
            if start < low:
                found.append((start, low))
            start = max(start, high)
        if start < end:
            found.append((start, end))
    return found


def within(stretches: Iterable[Stretch], permitted: list[Stretch]) -> list[Stretch]:
    """Returns the parts of ``stretches`` that lie in ``permitted``. Both are in order."""
    found: list[Stretch] = []
    for start, end in stretches:
        for low, high in permitted[bisect.bisect_right(permitted, start, key=lambda part: part[1]) :]:
            if low >= end:
                break
            found.append((max(start, low), min(end, high)))
    return found


class Room:
    """Stretches laid end to end: a position counts only the milliseconds inside them.

    Two positions are never nearer in time than they are here, so a gap that is kept here is kept.
    """

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        self.stretches = [stretch for stretch in stretches if stretch[0] < stretch[1]]
        self._before = [0, *itertools.accumulate(end - start for start, end in self.stretches)]

    def __len__(self) -> int:
        return self._before[-1]

    @property
    def end(self) -> int:
        """The end of the last stretch."""
        return self.stretches[-1][1]

    def at(self, position: int) -> int:
        """Returns the time at a position, 0 <= position < len."""
        index = bisect.bisect_right(self._before, position) - 1
        return self.stretches[index][0] + position - self._before[index]

    def ahead(self, at: int) -> int:
        """Returns the position of the first millisecond inside that is not before ``at``; len if there is none."""
        index = bisect.bisect_right(self.stretches, at, key=lambda stretch: stretch[1])
        if index == len(self.stretches):
            return len(self)
        return self._before[index] + max(0, at - self.stretches[index][0])
