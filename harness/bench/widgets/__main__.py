"""How well chat widgets are read: ``python -m harness.bench.widgets [--sessions N] [PAGE …]``.

Each page gets N sessions one after another and N at once: every third without a hand-off, every sixth with one that is
refused. Figures of a shared machine move; the load beside them says how much to trust them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from harness.bench.chat import Visit, browser_memory
from harness.bench.widgets.control import Controlled, Write
from harness.bench.widgets.pages import PAGES, served
from harness.bench.widgets.sessions import Findings, Kind, examine, hold
from harness.sandbox.truth import Truth
from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.chat.widget import load_widget
from probes.clock import Clock
from probes.target import Chat
from scenarios.errors import ProbeFault

OPEN_S = 60.0  # twenty heavy pages that load at the same time
KINDS: tuple[Kind, ...] = ("hand-off", "hand-off", "bot", "hand-off", "hand-off", "refused")


@dataclass
class Figures:
    """What so many sessions with one page came to."""

    page: str
    at_once: bool
    findings: list[Findings] = field(default_factory=list)
    session_mb: float = 0.0
    seconds: float = 0.0
    load: float = 0.0

    def milliseconds(self, name: str) -> np.ndarray:
        """Returns all values of one list of the findings, absolute."""
        return np.abs([value for found in self.findings for value in getattr(found, name)]) * 1000


class Bench:
    """Sessions with one page that is being served."""

    def __init__(self, page: str, url: str, folder: Path) -> None:
        self._page, self._url, self._folder = page, url, folder
        self._widget = PAGES[page].widget
        self._clock, self._browser = Clock(), Browser()
        self._number = 0

    async def close(self) -> None:
        """Ends the browser."""
        await self._browser.close()

    async def run(self, sessions: int, *, at_once: bool) -> Figures:
        """Holds so many sessions and examines them."""
        figures = Figures(self._page, at_once)
        opened = asyncio.Barrier(sessions + 1) if at_once else None
        await (await self._browser.context(self._url, "zh")).close()
        empty, began = await asyncio.to_thread(browser_memory), time.monotonic()
        kinds = [KINDS[n % len(KINDS)] for n in range(sessions)]
        if opened is None:
            held = [await self._one(kind, None) for kind in kinds]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(kind, opened)) for kind in kinds]
                await opened.wait()
                figures.session_mb = (await asyncio.to_thread(browser_memory) - empty) / sessions
                await opened.wait()
            held = [task.result() for task in tasks]
        figures.seconds, figures.load = time.monotonic() - began, os.getloadavg()[0]
        await asyncio.sleep(0.5)  # the page's process writes its truth out
        truth = Truth.read(self._folder / "truth.jsonl")
        figures.findings = [examine(kind, *seen, truth) for kind, seen in zip(kinds, held, strict=True)]
        return figures

    async def _one(self, kind: Kind, opened: asyncio.Barrier | None) -> tuple[Visit, list[Write]]:
        self._number += 1
        number, refused = self._number, kind == "refused" and self._page == "sandbox"
        control = Controlled(self._browser, load_widget(self._widget), self._clock)
        chat = Chat(url=self._url + ("?fault=drop" if refused else ""), widget=self._widget)
        folder = self._folder / str(number)
        channel = ChatChannel(chat, folder=folder, browser=control, clock=self._clock, lang="zh", open_s=OPEN_S)
        try:
            return await hold(channel, self._clock, kind, number, control=control, opened=opened)
        except (ProbeFault, TimeoutError):  # counted as wrong: not a word of it was seen
            return Visit(start=self._clock.monotonic()), []


async def measure(page: str, sessions: int) -> list[Figures]:
    """Measures one page: so many sessions one after another, then so many at once."""
    with tempfile.TemporaryDirectory(prefix="bench-widgets-") as folder:
        async with served(page, Path(folder)) as url:
            bench = Bench(page, url, Path(folder))
            try:
                return [await bench.run(sessions, at_once=at_once) for at_once in (False, True)]
            finally:
                await bench.close()


def table(measured: Sequence[Figures]) -> Table:
    """Returns the figures as a table."""
    found = Table(title="聊天控件 / chat widgets: p50 / p95 / max, ms", title_justify="left")
    heads = ("page", "sessions", "turns", "wrong author", "wrong hand-off", "stamp error", "shown after sent")
    for column in (*heads, "arrived after sent", "MB a session", "s", "load"):
        found.add_column(column, justify="left" if column == "page" else "right")
    for figures in measured:
        rows = figures.findings
        cells = [f"{len(rows)}{' at once' if figures.at_once else ''}", str(sum(row.turns for row in rows))]
        cells += [str(sum(len(getattr(row, name)) for row in rows)) for name in ("attribution", "hand_off")]
        for name in ("error", "late", "wire"):
            values = figures.milliseconds(name)
            cells.append(" / ".join(f"{v:.1f}" for v in np.percentile(values, [50, 95, 100])) if values.size else "")
        cells += [
            f"{figures.session_mb:.0f}" if figures.at_once else "",
            f"{figures.seconds:.0f}",
            f"{figures.load:.1f}",
        ]
        found.add_row(figures.page, *cells)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.widgets", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}; all by default")
    options = parser.parse_args()
    console = Console()
    measured: list[Figures] = []
    for page in options.pages or PAGES:
        measured += asyncio.run(measure(page, options.sessions))
        found = [found for figures in measured[-2:] for found in figures.findings]
        for mistake in [text for one in found for text in (*one.attribution, *one.hand_off)]:
            console.print(f"{page}: {mistake}", markup=False)
        console.print(table(measured))


if __name__ == "__main__":
    main()
