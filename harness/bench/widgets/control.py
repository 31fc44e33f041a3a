"""When a page really wrote its words: noted at each call that writes, by other means than the observer's.

What a server sends is shown once the widget has drawn it, and a widget may take its time. That time is the page's own
and no error of the stamp; so stamps are held against the write, and against the sending beside it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext

from probes.chat.browser import Browser
from probes.chat.page_clock import measure
from probes.chat.widget import Widget
from probes.clock import Clock
from scenarios.model import Lang

SCRIPT = Path(__file__).with_name("control.js").read_text(encoding="utf-8")
Write = tuple[float, str]  # monotonic seconds, words


class Controlled(Browser):
    """A shared browser as one session sees it; its page carries the control."""

    def __init__(self, browser: Browser, widget: Widget, clock: Clock) -> None:
        self._shared, self._widget, self._clock = browser, widget, clock
        self._context: BrowserContext | None = None

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn to open a page."""
        async with self._shared.turn():
            yield

    async def context(self, url: str, lang: Lang, **more: Any) -> BrowserContext:
        """Returns a fresh context whose pages carry the control."""
        self._context = await self._shared.context(url, lang, **more)
        await self._context.add_init_script(f"({SCRIPT})({json.dumps(self._widget.messages.list)})")
        return self._context

    async def writes(self) -> list[Write]:
        """Returns what has been written so far."""
        assert self._context is not None
        frame = self._context.pages[0].main_frame
        _, offset = await measure(frame, self._clock)
        return [(offset.monotonic(t), text) for t, text in await frame.evaluate("() => window.__writes()")]


def written(writes: Sequence[Write], text: str, since: float, said: str, *, begun: bool) -> float | None:
    """Returns when ``text`` was first written, whole or only ``begun``, after what we ``said``; None is never."""

    def bare(words: str) -> str:
        return "".join(words.split())

    wanted, asked = bare(text)[:2] if begun else bare(text), bare(said)
    for t, words in writes:
        answer = bare(words).rpartition(asked)[2] if asked else bare(words)
        if t >= since and wanted in answer:
            return t
    return None
