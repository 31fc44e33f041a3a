"""How a sender's time stamps map onto our clock.

``late = arrival - timestamp / 8000`` is constant but for the network's delay, the drift of two clocks, and senders that
set their clock. Its lower envelope is the mapping: a packet's first sample belongs where a packet that was not delayed
would have come. Corrections are made where nobody hears them, else slowly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 8000
STEP_S = 0.04  # a larger deviation is followed at once, and is no jitter
TOLERATED_S = 0.0005
SLEW = 0.0015  # seconds a second, within sound
QUIET = 256  # samples below this are silence in which a correction is not heard
_NEAR = 50  # packets on each side of a step that decide whether it stays
_STAYS_S = 1.0
_KNOT_S, _REACH_S = 1.0, 4.0


def lowest(late: NDArray[np.float64]) -> float:
    """Returns the least delay, robust against a few early outliers.

    Of five and more it is the second; what lies more than 40 ms below the next is passed over, up to four times.
    """
    if len(late) < 5:
        return float(late.min())
    few = np.sort(np.partition(late, 4)[:5] if len(late) > 5 else late).tolist()
    at = next((n for n in range(1, 4) if few[n + 1] - few[n] <= STEP_S), 4)
    return float(few[at])


def follow(now: float, wanted: float, *, free: bool, since: float, tolerated: float = TOLERATED_S) -> float:
    """Returns the mapping to be used from here on, in seconds.

    Args:
        now: the mapping so far.
        wanted: the lower envelope.
        free: nothing is heard here, so any correction may be made.
        since: seconds since the last correction.
        tolerated: a smaller deviation, in seconds, is left alone.
    """
    off = wanted - now
    if abs(off) < tolerated:
        return now
    if free or abs(off) > STEP_S:
        return wanted
    most = min(abs(off), SLEW * min(since, 1.0))
    return now + float(np.copysign(most, off)) if most >= TOLERATED_S else now


def split(t: NDArray[np.float64], ts: NDArray[np.int64]) -> list[slice]:
    """Divides a stream, in the order of its sequence, where the sender set its clock or stopped it for a while.

    A delay that passes is no such place: one second later the least delayed packets are where they were.
    """
    late = t - ts / RATE
    cuts = [0]
    for row in (np.flatnonzero(np.abs(np.diff(late)) > STEP_S) + 1).tolist():
        before = late[max(cuts[-1], row - _NEAR) : row]
        near = int(np.searchsorted(t[row + 1 : row + 8 * _NEAR], t[row] + _STAYS_S))
        after = late[row + 1 :][: max(near, 3)]  # not the packet itself: it may be the only odd one
        after = after if len(after) else late[row:]
        if abs(lowest(after) - lowest(before)) > STEP_S:
            cuts.append(row)
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(t)], strict=True)]


def envelope(t: NDArray[np.float64], late: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the least delay about each packet, from four seconds before it to four after, in steps of a second."""
    order = np.argsort(t, kind="stable")
    when, sorted_late = t[order], late[order]
    knots = np.arange(when[0], when[-1] + _KNOT_S, _KNOT_S)
    first = np.searchsorted(when, knots - _REACH_S + _KNOT_S / 2)
    last = np.searchsorted(when, knots + _REACH_S + _KNOT_S / 2)
    values = np.empty(len(knots))
    for row, (a, b) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        if b - a < _NEAR:  # few packets: silence is not sent, so look further
            middle = int(np.searchsorted(when, knots[row]))
            a, b = max(0, min(a, middle - _NEAR // 2)), max(b, middle + _NEAR // 2)
        values[row] = lowest(sorted_late[a:b])
    least: NDArray[np.float64] = values[np.minimum(((t - when[0]) / _KNOT_S).astype(np.int64), len(values) - 1)]
    return least


class Envelope:
    """The same, causal: the least delay of the last two seconds in which packets came."""

    def __init__(self) -> None:
        self._pairs: list[tuple[float, float]] = []  # the two least of each past half second
        self._least = self._second = np.inf
        self._until = -np.inf
        self._count = 0
        self.value = np.inf

    def take(self, t: float, late: float) -> float:
        """Takes the next packet's delay; returns the envelope."""
        self._count += 1
        if t >= self._until:
            if self._until > 0 or self._least < np.inf:
                self._pairs = [*self._pairs[-3:], (self._least, self._second)]
            self._until = t + 0.5
            self._least, self._second = late, np.inf
        elif late < self._least:
            self._least, self._second = late, self._least
        elif late < self._second:
            self._second = late
        else:
            return self.value
        values = sorted([self._least, self._second, *(value for pair in self._pairs for value in pair)])
        self.value = values[1] if self._count >= 5 else values[0]
        return self.value
