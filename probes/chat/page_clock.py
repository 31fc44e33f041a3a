"""The page's clock against ours.

The page stamps with ``performance.timeOrigin + performance.now()``; a session counts monotonic seconds. Each frame has
a ``timeOrigin`` of its own, so each frame is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from playwright.async_api import Frame

from probes.clock import Clock

ROUNDS = 7
READ = "() => performance.timeOrigin + performance.now()"


@dataclass(frozen=True)
class Offset:
    """What to add to a page stamp in seconds to get monotonic seconds, and its standard uncertainty."""

    seconds: float
    u: float

    def monotonic(self, page_ms: float) -> float:
        """Returns the monotonic second of a page stamp in milliseconds."""
        return page_ms / 1000 + self.seconds


async def measure(frame: Frame, clock: Clock) -> Offset:
    """Reads the frame's clock a few times; each reading lies between our clock before and after it.

    The offset must satisfy all readings at once, so the middle of what they have in common is taken; ``u`` is that of
    a uniform distribution over it.
    """
    lowest, highest = -math.inf, math.inf
    for _ in range(ROUNDS):
        before = clock.monotonic()
        page = float(await frame.evaluate(READ)) / 1000
        after = clock.monotonic()
        lowest, highest = max(lowest, before - page), min(highest, after - page)
    return Offset((lowest + highest) / 2, abs(highest - lowest) / math.sqrt(12))
