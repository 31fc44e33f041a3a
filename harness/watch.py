"""``shopper campaign watch``: the status, live, read from the ledger by another terminal; it changes nothing."""

from __future__ import annotations

import asyncio

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from harness.ledger.ledger import Ledger
from harness.ledger.rows import Wanted
from harness.status import status
from harness.status_page import render_live
from probes.clock import Clock
from scenarios.errors import LedgerUnavailable
from scenarios.model import Lang

LOOK_S = 1.0
SHARE = 4  # a ledger that is slow to read is looked at less often: at most a quarter of the time


async def watch(
    ledger: Ledger, campaign: str, console: Console, lang: Lang, clock: Clock, stop: asyncio.Event | None = None
) -> None:
    """Shows a campaign until it has come to its end, or ``stop`` is set.

    While the ledger cannot be read, what was seen last stays, with a line that says so.

    Raises:
        RunError: there is no such campaign.
    """
    stop = stop or asyncio.Event()
    page: RenderableType = ""
    with Live(page, console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while not stop.is_set():
            began, over = clock.monotonic(), False
            try:
                seen = status(ledger, campaign, clock.utc())
                page = render_live(seen, lang)
                over = seen.campaign.wanted in (Wanted.STOPPED, Wanted.DONE) and not seen.under_way
                live.update(page, refresh=True)
            except LedgerUnavailable as error:
                live.update(Group(Text(str(error), style="red"), page), refresh=True)
            if over:
                break
            pause = max(LOOK_S, SHARE * (clock.monotonic() - began))
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue
    if console.is_terminal:
        console.print(page)
