"""A far end that follows a script: the channel seam of the conversation engine, without any telephone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from probes.channel import Said
from probes.clock import Anchor
from probes.session import Event
from scenarios.attachment import Attachment

SPEAKING_S = 2.0


def message(t: float, end: float, speaker: str, text: str | None = None, role: str | None = None) -> Event:
    return Event(kind="message", t=t, method="voice", data={"speaker": speaker, "text": text, "role": role, "end": end})


class ScriptedChannel:
    """Plays ``(delay, event builder)`` pairs after opening, and more after each thing the shopper says or presses."""

    def __init__(self, kind: str, opening: list[Any], replies: list[list[Any]], fault: Exception | None = None) -> None:
        self.kind: Any = kind
        self.opening, self.replies, self.fault = opening, list(replies), fault
        self.said: list[str] = []
        self.pressed: list[str] = []
        self.sent: list[str] = []  # files
        self.chosen: list[str] = []  # quick replies
        self.gone = 0  # so many quick replies vanish before they are pressed
        self.closed = 0
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._origin

    async def open(self, anchor: Anchor) -> None:
        self._origin = anchor.monotonic
        if self.fault is not None:
            raise self.fault
        self._play(self.opening)

    def _play(self, script: list[Any]) -> None:
        async def play() -> None:
            for delay, build in script:
                await asyncio.sleep(delay)
                event: Event = build(self.now()) if isinstance(build, Callable) else build  # type: ignore[arg-type]
                self._queue.put_nowait(event)
                if event.kind == "ended":
                    self._queue.put_nowait(None)

        self._tasks.append(asyncio.create_task(play()))

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event

    async def say(self, text: str, *, line: str) -> Said:
        self.said.append(text)
        start = self.now()
        await asyncio.sleep(SPEAKING_S)
        if self.replies:
            self._play(self.replies.pop(0))
        return Said(start, self.now(), "callback")

    async def press(self, digits: str) -> Said:
        self.pressed.append(digits)
        if self.replies:
            self._play(self.replies.pop(0))
        return Said(self.now(), self.now() + 0.3, "callback")

    async def attach(self, file: Attachment, *, line: str) -> Said:
        self.sent.append(file.name)
        return await self._act()

    async def choose(self, text: str, *, line: str) -> Said | None:
        if self.gone:
            self.gone -= 1
            return None
        self.chosen.append(text)
        return await self._act()

    async def _act(self) -> Said:
        if self.replies:
            self._play(self.replies.pop(0))
        return Said(self.now(), self.now(), "dom")

    async def close(self) -> None:
        self.closed += 1
        for task in self._tasks:
            task.cancel()
        self._queue.put_nowait(Event(kind="ended", t=self.now(), method="callback", data={"by": "us", "cause": "bye"}))
        self._queue.put_nowait(None)

    def files(self) -> list[tuple[Path, str]]:
        return []
