"""The page's clock against ours.

The page stamps with ``performance.timeOrigin + performance.now()``; a session counts monotonic seconds. Each frame has
a ``timeOrigin`` of its own, so each frame is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from playwright.async_api import Frame

from probes.clock import Clock

ROUNDS = 7
READ = "() => [performance.timeOrigin, performance.now()]"


@dataclass(frozen=True)
class Offset:
    """What to add to a page stamp in seconds to get monotonic seconds, and its standard uncertainty."""

    seconds: float
    u: float

    def monotonic(self, page_ms: float) -> float:
        """Returns the monotonic second of a page stamp in milliseconds."""
        return page_ms / 1000 + self.seconds


async def measure(frame: Frame, clock: Clock) -> tuple[float, Offset]:
    """Reads the frame's clock a few times; each reading lies between our clock before and after it.

    The offset must satisfy all readings at once, so the middle of what they have in common is taken; ``u`` is that of
    a uniform distribution over it.

    Returns:
        The ``timeOrigin`` of the document that answered, in milliseconds, and the offset.
    """
    lowest, highest = -math.inf, math.inf
    for _ in range(ROUNDS):
        before = clock.monotonic()
        origin, since = (float(number) for number in await frame.evaluate(READ))
        after = clock.monotonic()
        page = (origin + since) / 1000
        lowest, highest = max(lowest, before - page), min(highest, after - page)
    if not math.isfinite(lowest + highest + origin):
        raise ValueError("the page has no clock")
    return origin, Offset((lowest + highest) / 2, abs(highest - lowest) / math.sqrt(12))


class PageClocks:
    """The clock of every document that has stamped something, measured when first met and again at the end."""

    def __init__(self, clock: Clock, note: Callable[..., None]) -> None:
        """``note`` writes a line into the transcript."""
        self._clock, self._note = clock, note
        self._known: dict[tuple[Frame, float], Offset] = {}

    async def of(self, frame: Frame, origin: float) -> Offset:
        """Returns the offset of the document of ``frame`` that began at ``origin`` (milliseconds)."""
        known = self._known.get((frame, origin))
        if known is None:
            _, known = await measure(frame, self._clock)  # a later document of the frame tells the same time
            self._known[frame, origin] = known
            self._note("clock", at="open", offset=known.seconds, u=known.u)
        return known

    async def again(self) -> None:
        """Measures the documents that are still there once more, and notes how far they have drifted."""
        for frame in {frame for frame, _ in self._known if not frame.is_detached()}:
            origin, after = await measure(frame, self._clock)
            before = self._known.get((frame, origin))
            if before is not None:
                drift = after.seconds - before.seconds
                self._note("clock", at="close", offset=after.seconds, u=after.u, drift=drift)
