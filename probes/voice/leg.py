"""One leg of a call as everybody but the SIP stack sees it: signals, a mouth, frames. No pj object is in here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from probes.voice.audio import FrameLog, Mouth

if TYPE_CHECKING:
    from probes.voice.pjsip.endpoint import Endpoint

log = logging.getLogger(__name__)
CALLS_PER_PROCESS = 4  # a constant of the SIP stack as it is built


@dataclass(frozen=True)
class Signal:
    """Something SIP told us. ``t`` is monotonic seconds, taken first thing in the callback."""

    t: float
    kind: Literal["ringing", "early_media", "connected", "media", "dtmf", "redirect", "refer", "ended"]
    data: dict[str, Any] = field(default_factory=dict)


class Leg:
    """One call. Holds no pj object: the endpoint keeps those, by ``id``, for the owner thread alone."""

    def __init__(self, endpoint: Endpoint, number: str) -> None:
        self.endpoint, self.number, self.id = endpoint, number, next(endpoint.ids)
        self.signals: asyncio.Queue[Signal] = asyncio.Queue()
        self.mouth = Mouth(endpoint.loop)
        self.frames: FrameLog | None = None
        self.ended = asyncio.Event()
        self.hung_up = False
        self.call_id: str | None = None  # as SIP names the call; known once it is dialled or comes in
        self.dialled: float | None = None  # monotonic seconds just before the INVITE was handed to the stack
        self.packets = 0  # of audio received, counted when a stream ends

    def listen(self, wake: Callable[[], None]) -> FrameLog:
        """Starts keeping frames both ways; ``wake`` is called on the loop every 100 ms of audio."""
        self.frames = FrameLog(wake)
        return self.frames

    def post(self, signal: Signal) -> None:
        """Hands a signal to the loop. Owner or media thread."""
        self.endpoint.loop.call_soon_threadsafe(self._arrive, signal)

    def _arrive(self, signal: Signal) -> None:
        self.signals.put_nowait(signal)
        if signal.kind == "ended":
            self.ended.set()

    async def answer(self, code: int = 200) -> None:
        """Answers with ``code`` (180, 183, 200, 486, ...)."""
        await self.endpoint.answer(self, code)

    async def press(self, digits: str, how: Literal["rfc4733", "info"]) -> float:
        """Sends keys; returns when they were handed to the stack (monotonic seconds)."""
        return await self.endpoint.press(self, digits, how)

    async def hang_up(self, code: int = 0) -> None:
        """Ends the call and waits until it has ended. Safe to call twice."""
        self.hung_up = True
        if not self.ended.is_set():
            if not await self.endpoint.hang_up(self, code):
                return
            try:
                async with asyncio.timeout(5):
                    await self.ended.wait()
            except TimeoutError:
                log.error("the far end never confirmed our BYE")
