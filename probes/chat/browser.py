"""The browser: found, started once per process and shared; every session has a context of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from probes.address import is_loopback
from probes.chat.encoder import PLACE, lend_ffmpeg
from probes.chat.redaction import redacted
from scenarios.errors import HarnessFault, ToolMissing
from scenarios.model import Lang

NAMES = ("chromium-headless-shell", "chromium", "google-chrome", "google-chrome-stable")
CURE = "run make setup, which installs one, or set SHOPPER_CHROMIUM to a Chromium"
LOCALES: dict[Lang, str] = {"zh": "zh-CN", "en": "en-GB"}

# No traffic of the browser's own: nothing but the chat's page may be seen on the wire.
QUIET = (
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
)
NO_WINDOWS = "--block-new-web-contents"  # of the headless shell; elsewhere they are closed again
# A page in the background keeps its clock and its timers.
AWAKE = (
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
# Nobody looks at these pages. Drawing text for the colour stripes of a screen took a quarter of all the CPU that a chat
# costs Chromium, and a busy machine shows late (python -m harness.bench.chat).
CHEAP = ("--disable-lcd-text",)
# As in anybody's browser: an iframe of somebody else's that hangs must not hold up the chat beside it.
APART = ("--site-per-process",)
TURN_S = 4.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def find_chromium() -> Path | None:
    """Finds Chromium: ``$SHOPPER_CHROMIUM``, then one on PATH; None leaves it to Playwright's own.

    Raises:
        ToolMissing: ``$SHOPPER_CHROMIUM`` names no program.
    """
    wanted = os.environ.get("SHOPPER_CHROMIUM")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise ToolMissing(f"SHOPPER_CHROMIUM names no program: {wanted}; {CURE}")
        return Path(found)
    return next((Path(path) for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One Chromium for pages of this machine and one for all others, each started when first needed.

    The first can reach nothing but the loopback interface. All of it belongs to the event loop it was first used on.
    """

    def __init__(self, *, opening: int | None = None) -> None:
        """Makes the browser; nothing is started yet.

        Args:
            opening: how many pages may be opening at the same time, by default one for each core: a page that loads
                keeps a core busy, and what other sessions show then shows late.
        """
        self._opening = asyncio.Semaphore(opening or os.cpu_count() or 1)
        self._lock = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._running: dict[tuple[bool, frozenset[str] | None], Chromium] = {}
        self._lent: TemporaryDirectory[str] | None = None

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn to open a page. A page that takes long loses its turn, not its session."""
        await self._opening.acquire()
        over = False

        def give_back() -> None:
            nonlocal over
            if not over:
                over = True
                self._opening.release()

        timer = asyncio.get_running_loop().call_later(TURN_S, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()

    async def context(
        self, url: str, lang: Lang, *, hosts: Collection[str] | None = None, **more: Any
    ) -> BrowserContext:
        """Returns a fresh context for a session on ``url``: no cookies, no downloads, no service workers.

        A browser of its own reaches no other than ``hosts``, by whatever way. ``more`` are options of Playwright's
        ``new_context``.

        Raises:
            ToolMissing: no browser was found, or it does not start.
            HarnessFault: the browser died; the next call starts it again.
        """
        guarded = is_loopback(urlsplit(url).hostname or "")
        kind = guarded, None if hosts is None else frozenset(hosts)
        async with self._lock:
            chromium = self._running.get(kind)
            if chromium is None or not chromium.is_connected():
                chromium = self._running[kind] = await self._launch(*kind)
        try:
            return await chromium.new_context(
                locale=LOCALES[lang],
                viewport={"width": 1280, "height": 800},
                service_workers="block",
                accept_downloads=False,
                **more,
            )
        except PlaywrightError as error:
            raise HarnessFault(f"the browser could not open a new context: {first_line(error)}") from error

    async def close(self) -> None:
        """Ends the browsers. Safe to call twice; never raises."""
        async with self._lock:
            for chromium in self._running.values():
                with contextlib.suppress(PlaywrightError):
                    await chromium.close()
            self._running.clear()
            if self._playwright is not None:
                with contextlib.suppress(PlaywrightError):
                    await self._playwright.stop()
                self._playwright = None
            if self._lent is not None:
                self._lent.cleanup()

    async def _start(self, path: Path | None) -> Playwright:
        self._lent = lend_ffmpeg() if path is not None else None  # it would look for its own browser there, too
        if self._lent is None:
            return await async_playwright().start()
        os.environ[PLACE] = self._lent.name  # the driver takes over our environment
        try:
            return await async_playwright().start()
        finally:
            del os.environ[PLACE]

    async def _launch(self, guarded: bool, hosts: frozenset[str] | None) -> Chromium:
        path = find_chromium()
        if self._playwright is None:
            self._playwright = await self._start(path)
        try:
            return await self._playwright.chromium.launch(
                executable_path=path,  # None: Playwright's own
                headless=True,
                # A page of our own needs no sandbox; a stranger's page gets one, which root cannot have.
                chromium_sandbox=not guarded and os.geteuid() != 0,
                args=[
                    *QUIET,
                    *AWAKE,
                    *CHEAP,
                    *APART,
                    NO_WINDOWS,
                    *_only(LOOPBACK if hosts is None and guarded else hosts),
                ],
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except PlaywrightError as error:
            if path is None:
                raise ToolMissing(f"no Chromium was found on this machine; {CURE}") from error
            raise ToolMissing(f"Chromium does not start ({path}): {first_line(error)}; {CURE}") from error


def _only(hosts: Collection[str] | None) -> list[str]:
    """Returns the argument by which a browser finds no other hosts than these."""
    if hosts is None:
        return []
    names = (f"[{host}]" if ":" in host else host for host in sorted(hosts))
    return [f"--host-resolver-rules=MAP * ~NOTFOUND{''.join(f', EXCLUDE {name}' for name in names)}"]


def first_line(error: Exception) -> str:
    """Returns the sentence of a Playwright error, without its call log and without secrets of an address in it."""
    return redacted((str(error).strip() or type(error).__name__).splitlines()[0])
