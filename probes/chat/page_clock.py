"""The page's clock against ours.

The page stamps with ``performance.timeOrigin + performance.now()``; a session counts monotonic seconds. Each frame has
a ``timeOrigin`` of its own, so each frame is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Frame

from probes.clock import Clock

ROUNDS = 7  # at least
PATIENCE_S = 1.0  # for more of them, when a page that still loads answers late
GOOD_U = 0.001  # a clock known as well as that is not measured again before the end, s
AGAIN_S = 1.0  # and another no more often than that
DETACH_S = 0.5  # a page that has crashed never answers again, and whoever reads its clock has been cut off already
READ = "[performance.timeOrigin, performance.now()]"


@dataclass(frozen=True)
class Offset:
    """What to add to a page stamp in seconds to get monotonic seconds: somewhere from ``lowest`` to ``highest``."""

    lowest: float = -math.inf
    highest: float = math.inf

    @property
    def seconds(self) -> float:
        """The middle of what it may be."""
        return (self.lowest + self.highest) / 2

    @property
    def u(self) -> float:
        """Standard uncertainty: that of a uniform distribution."""
        return abs(self.highest - self.lowest) / math.sqrt(12)

    def monotonic(self, page_ms: float) -> float:
        """Returns the monotonic second of a page stamp in milliseconds."""
        return page_ms / 1000 + self.seconds

    def narrowed(self, other: Offset) -> Offset:
        """Returns what both allow; if they have nothing in common, a clock was set, and ``other`` is the newer."""
        both = Offset(max(self.lowest, other.lowest), min(self.highest, other.highest))
        return both if both.lowest <= both.highest else other


async def measure(frame: Frame, clock: Clock, patience: float = 0.0) -> tuple[float, Offset]:
    """Reads the frame's clock a few times; each reading lies between our clock before and after it.

    The offset must satisfy all readings at once. If that is not good, more are taken for ``patience`` seconds.

    Returns:
        The ``timeOrigin`` of the document that answered, in milliseconds, and the offset.
    """
    async with _reader(frame) as read:
        found, rounds, began = Offset(), 0, clock.monotonic()
        while rounds < ROUNDS or (found.u > GOOD_U and clock.monotonic() - began < patience):
            before = clock.monotonic()
            origin, since = (float(number) for number in await read())
            after = clock.monotonic()
            page = (origin + since) / 1000
            found = found.narrowed(Offset(before - page, after - page))
            rounds += 1
    if not math.isfinite(found.seconds + origin):
        raise ValueError("the page has no clock")
    return origin, found


@contextlib.asynccontextmanager
async def _reader(frame: Frame) -> AsyncIterator[Callable[[], Awaitable[list[float]]]]:
    """Yields what reads a frame's clock; for a page itself by CDP, because a trace pictures it at each ``evaluate``."""
    if frame.parent_frame is not None:
        yield lambda: frame.evaluate(f"() => {READ}")
        return
    session = await frame.page.context.new_cdp_session(frame.page)

    async def read() -> list[float]:
        answer = await session.send("Runtime.evaluate", {"expression": READ, "returnByValue": True})
        return list(answer["result"]["value"])

    try:
        yield read
    finally:
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(DETACH_S):
                await session.detach()


class PageClocks:
    """The clock of every document that has stamped something, measured when first met and again at the end.

    A page that loads answers late, and then its clock is known badly: it is measured again until it is known well.
    """

    def __init__(self, clock: Clock, note: Callable[..., None]) -> None:
        """``note`` writes a line into the transcript."""
        self._clock, self._note = clock, note
        self._known: dict[tuple[Frame, float], Offset] = {}
        self._tried: dict[tuple[Frame, float], float] = {}

    async def of(self, frame: Frame, origin: float) -> Offset:
        """Returns the offset of the document of ``frame`` that began at ``origin`` (milliseconds)."""
        document = frame, origin
        known = self._known.get(document)
        if known is None or (known.u > GOOD_U and self._clock.monotonic() - self._tried[document] > AGAIN_S):
            patience = PATIENCE_S if known is None else 0.0
            _, now = await measure(frame, self._clock, patience)  # a later document of the frame tells the same time
            better = now if known is None else known.narrowed(now)
            if better != known:
                self._note("clock", at="open", offset=better.seconds, u=better.u)
            self._known[document], self._tried[document] = better, self._clock.monotonic()
            return better
        return known

    async def again(self) -> None:
        """Measures the documents that are still there once more, and notes how far they have drifted."""
        for frame in {frame for frame, _ in self._known if not frame.is_detached()}:
            origin, after = await measure(frame, self._clock)
            before = self._known.get((frame, origin))
            if before is not None:
                drift = after.seconds - before.seconds
                self._note("clock", at="close", offset=after.seconds, u=after.u, drift=drift)
