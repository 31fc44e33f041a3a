"""A web chat as a :class:`probes.channel.Channel`: a real browser on the real page.

Everything measured is stamped inside the page by ``observer.js``; what travels here late keeps its stamp. Nothing
measured waits on a locator or polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import secrets
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, FileChooser, Frame, FrameLocator, Locator, Page
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from probes.channel import Said
from probes.chat import json_text
from probes.chat.acts import Acts
from probes.chat.browser import Browser, first_line
from probes.chat.evidence import Recording
from probes.chat.page_clock import Offset, PageClocks
from probes.chat.page_log import PageLog
from probes.chat.redaction import redacted
from probes.chat.safety import Guard, closed_roots
from probes.chat.widget import Click, frames_of, load_widget
from probes.clock import Anchor, Clock
from probes.session import Event
from probes.target import Chat
from scenarios.attachment import Attachment
from scenarios.errors import FarEndFault, HarnessFault, ProbeFault
from scenarios.model import ChannelKind, Lang

OBSERVER, WIRE = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("observer.js", "wire.js"))
GARBLED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
PAGE_RECORDS = ("load", "paint")
TIMES = ("t", "wire", "wireEnd", "response", "dom")  # of a record, page milliseconds
MAX_WAITING = 50_000_000  # characters that the page has handed over and nobody has read yet
GIVE_UP_S = 5.0  # on any single step of closing
SAVE_S = 30.0  # ... that writes evidence
STAMP_U = 0.010  # standard uncertainty of a stamp of the observer, busy machine (make bench prints the measured error)


class ChatChannel:
    """One chat session in a browser context of its own."""

    kind: ChannelKind = "chat"

    def __init__(
        self,
        chat: Chat,
        *,
        folder: Path,
        browser: Browser,
        clock: Clock,
        lang: Lang,
        settle_s: float = 0.9,
        open_s: float = 20.0,
        echo_s: float = 10.0,
        profiles: Path | None = None,
    ) -> None:
        """Makes the channel; nothing is opened yet.

        Args:
            chat: the entry point.
            folder: where the evidence goes; made if missing.
            browser: shared by the sessions of this process.
            clock: ours.
            lang: the browser's language.
            settle_s: a message is complete after so many seconds without a change.
            open_s: how long the page may take to load.
            echo_s: how long the page may take to show what we sent.
            profiles: where a widget profile of the target's own is looked for.

        Raises:
            TargetError: the widget profile is wrong.
        """
        self._chat, self._folder, self._browser, self._clock, self._lang = chat, folder, browser, clock, lang
        self._open_s = open_s
        self._widget = load_widget(chat.widget, profiles)
        self._log = PageLog(self._widget, chat, folder / "transcript.jsonl", settle_s)
        self._guard = Guard(chat, blocked=self._blocked, told=self._dialog, window=self._window)
        self._recording = Recording(chat.record, folder, self._log.note)
        self._acts = Acts(self._widget, self._log, echo_s, self._current_page, self._scope, self._blind)
        self._anchor: Anchor | None = None
        self._documents = 0  # of the page's main frame
        self._opened = False
        self._again: asyncio.Task[None] | None = None  # opens the widget again on a page that replaced the first
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._names = {"wake": f"_{secrets.token_hex(6)}", "flush": f"_{secrets.token_hex(6)}"}
        self._inbox: asyncio.Queue[tuple[Frame, str]] = asyncio.Queue()
        self._waiting = 0  # characters in it
        self._clocks = PageClocks(clock, self._log.note)
        self._pump: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    # --- the contract -----------------------------------------------------------------------------------------------

    async def open(self, anchor: Anchor) -> None:
        """Opens the page and the widget, until a message would not be lost.

        Raises:
            FarEndFault: the page did not load, leads elsewhere, or its widget did not become ready.
            HarnessFault: the browser failed.
            ToolMissing: there is no browser.
        """
        self._anchor = anchor
        self._folder.mkdir(parents=True, exist_ok=True)
        third = "blocked" if self._chat.block_third_party else "allowed"
        self._log.open(anchor, url=redacted(self._chat.url), third_party=third)
        try:
            async with self._browser.turn():
                page = await self._new_page()
                await self._load(page)
                await self._open_widget(page)
            self._opened = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._widget.greets_s):
                    await self._log.greeted.wait()
        except ProbeFault as fault:
            self._log.note("fault", text=str(fault))
            raise
        except PlaywrightError as error:
            self._log.note("fault", text=first_line(error))
            raise HarnessFault(f"the browser failed while opening the chat: {first_line(error)}") from error

    async def events(self) -> AsyncIterator[Event]:
        """Yields what the page shows, as it becomes known; ends after ``ended``."""
        while (event := await self._log.events.get()) is not None:
            yield event
        self._log.events.put_nowait(None)  # for whoever asks again

    async def say(self, text: str, *, line: str) -> Said:
        """Types ``text``, sends it, and returns when the page has shown it as ours.

        Raises:
            FarEndFault: the page never showed it, or the chat is over.
            HarnessFault: the browser failed.
        """
        return await self._acts.say(text, line)

    async def attach(self, file: Attachment, *, line: str) -> Said:
        """Hands a file to the page, and returns when the page has shown it as ours.

        Raises:
            FarEndFault: the page did not take it, never showed it, or the chat is over.
            HarnessFault: the profile has no ``attach``, the file has changed, or the browser failed.
        """
        return await self._acts.attach(file, line)

    async def choose(self, text: str, *, line: str) -> Said | None:
        """Presses the newest quick reply that says ``text``, and returns when the page has shown that as ours.

        Returns:
            None if there is none, or it was gone before it could be pressed.

        Raises:
            FarEndFault: it was pressed and the page never showed it, or the chat is over.
            HarnessFault: the browser failed.
        """
        return await self._acts.choose(text, line)

    async def press(self, digits: str) -> Said:
        """A chat has no keys.

        Raises:
            HarnessFault: always.
        """
        raise HarnessFault(f"a chat has no keys to press ({digits}); use 'say' in the target's to_human")

    async def close(self) -> None:
        """Takes the last screenshot, leaves, and frees everything. Never raises; later calls wait for the first."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    def files(self) -> list[tuple[Path, str]]:
        """Returns the evidence files written, each with its kind."""
        return self._recording.files()

    # --- opening ----------------------------------------------------------------------------------------------------

    async def _new_page(self) -> Page:
        options = self._recording.options()
        self._context = context = await self._browser.context(
            self._chat.url, self._lang, hosts=self._guard.hosts(), **options
        )
        await context.expose_binding(self._names["wake"], self._on_wake)
        config = self._widget.observer_config() | self._names | {"sockets": self._guard.hosts()}
        await context.add_init_script(f"({OBSERVER})({json.dumps(config)}, {WIRE})")
        await self._guard.watch(context)
        await self._recording.start(context)
        self._page = page = await self._recording.first_page(context)
        context.on("page", self._on_popup)
        page.on("crash", lambda _: self._end("us", "the page crashed", harness=True))
        page.on("close", lambda _: self._end("us", "the page was closed", harness=True))
        page.on("framenavigated", self._on_navigated)
        page.on("filechooser", self._on_chooser)
        await self._guard.fence(page, self._widget.dismiss)
        self._pump = asyncio.create_task(self._run())
        return page

    async def _load(self, page: Page) -> None:
        try:
            response = await page.goto(self._chat.url, wait_until="domcontentloaded", timeout=self._open_s * 1000)
        except PlaywrightTimeout as error:
            await self._quietly(self._stop_loading(page))
            raise FarEndFault(f"the page did not load within {self._open_s:g} s") from error
        except PlaywrightError as error:
            self._stays()
            code = re.search(r"net::(ERR_\w+)", str(error))
            if code is None or self._log.harness_failed:
                raise
            words = code.group(1).removeprefix("ERR_").replace("_", " ").lower()
            raise FarEndFault(f"the page did not load: {words}") from error
        self._stays()
        if response is not None and response.status >= 400:
            raise FarEndFault(f"the page did not load: HTTP status {response.status}")

    def _stays(self) -> None:
        if self._guard.away is not None:
            raise FarEndFault(f"the page leads to another host ({self._guard.away}); name it in the target")

    async def _stop_loading(self, page: Page) -> None:
        """Gives up a navigation, so that the page can still be photographed."""
        await (await page.context.new_cdp_session(page)).send("Page.stopLoading")

    async def _open_widget(self, page: Page) -> None:
        seconds = self._widget.ready_s
        try:
            async with asyncio.timeout(seconds):
                for click in self._widget.open:
                    await self._opener(page, click).click(timeout=seconds * 1000)
                await self._log.ready.wait()
        except (TimeoutError, PlaywrightTimeout) as error:
            blind = await self._blind(page)
            raise FarEndFault(f"the chat widget did not become ready within {seconds:g} s{blind}") from error
        self._require_page()

    async def _open_again(self, page: Page) -> None:
        """Opens the widget on a page that has replaced the first, if it does not open by itself."""
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(self._widget.ready_s):
                ready = self._scope(page).locator(self._widget.ready).first
                for click in self._widget.open:
                    if not await ready.is_visible():
                        await self._opener(page, click).click(timeout=self._widget.ready_s * 1000)
                await self._log.ready.wait()
                return
        self._end("far", "the page went to another of its own, without a chat")

    async def _blind(self, page: Page) -> str:
        """Says what of the page nobody can look into, if there is any."""
        with contextlib.suppress(PlaywrightError, TimeoutError, KeyError):
            async with asyncio.timeout(GIVE_UP_S):
                if roots := await closed_roots(page):
                    return f"; the page has closed shadow roots, which cannot be read: {', '.join(roots)}"
        return ""

    def _scope(self, page: Page) -> Page | FrameLocator:
        return _within(page, frames_of(self._widget.frame))

    def _opener(self, page: Page, click: str | Click) -> Locator:
        scope = self._scope(page) if isinstance(click, str) else _within(page, frames_of(click.frame))
        return scope.locator(click if isinstance(click, str) else click.css).first

    async def _current_page(self) -> Page:
        while self._again is not None and not self._again.done():
            await asyncio.wait([self._again])
        return self._require_page()

    def _require_page(self) -> Page:
        if self._log.harness_failed:
            raise HarnessFault(f"the session was lost: {self._log.ended_cause}")
        if self._log.ended_cause or self._closing is not None:
            raise FarEndFault("the chat is over")
        if self._page is None:
            raise HarnessFault("the chat has not been opened")
        return self._page

    # --- what the browser tells us ----------------------------------------------------------------------------------

    def _on_navigated(self, frame: Frame) -> None:
        if frame.parent_frame is not None or not self._opened:
            return
        url = urlsplit(frame.url)
        if url.scheme == "chrome-error":
            self._end("network", "the page went away and could not be loaded again")
        elif url.hostname not in (self._guard.host, None):
            self._blocked(url.hostname or "")
            self._end("far", "the page left for another host")

    def _replaced(self, t: float) -> None:
        """Notes that the main frame has a new document; the widget is opened in it again."""
        self._documents += 1
        if self._documents > 1 and self._opened and self._page is not None:
            self._log.navigated(t)
            if self._again is not None:
                self._again.cancel()
            self._again = asyncio.create_task(self._open_again(self._page))

    def _on_popup(self, page: Page) -> None:
        """Closes a window: some browsers open one all the same. The guard tells of it."""
        self._chore(page.close())

    def _on_chooser(self, _: FileChooser) -> None:
        if not self._acts.handing:  # the page asks by itself: it gets nothing
            self._dialog("file", "")

    def _blocked(self, host: str) -> None:
        self._log.emit("navigation_blocked", self._now(), "harness", host=host)

    def _window(self, url: str) -> None:
        self._blocked(urlsplit(url).hostname or "")

    def _dialog(self, kind: str, text: str) -> None:
        self._log.emit("dialog", self._now(), "harness", type=kind, text=text[:500])

    def _end(self, by: str, cause: str, *, harness: bool = False) -> None:
        if self._closing is None:
            self._log.end(self._now(), by, cause, method="harness", harness=harness)

    def _now(self) -> float:
        assert self._anchor is not None
        return self._clock.monotonic() - self._anchor.monotonic

    def _on_wake(self, source: dict[str, Any], payload: str) -> None:
        if source["page"] is not self._page:
            return  # a window that is being closed
        if self._waiting + len(payload) > MAX_WAITING:
            self._end("far", "the page says more than can be read")
            return
        self._waiting += len(payload)
        self._inbox.put_nowait((source["frame"], payload))

    async def _run(self) -> None:
        """Takes the observer's batches in order and turns page stamps into session seconds."""
        while True:
            frame, payload = await self._inbox.get()
            try:
                await self._take(frame, json_text.loads(payload))
            except PlaywrightError:
                pass  # the frame went away before its clock was read
            except GARBLED:
                self._log.note("garbled", size=len(payload))  # the page itself called the binding
            finally:
                self._waiting -= len(payload)
                self._inbox.task_done()

    def _is_read(self, frame: Frame) -> bool:
        """Whether anything that a frame says is of interest."""
        inside = bool(self._widget.frame) or any(isinstance(one, Click) and one.frame for one in self._widget.open)
        return frame.parent_frame is None or inside

    async def _take(self, frame: Frame, batch: dict[str, Any]) -> None:
        for record in batch["records"]:
            if record.get("k") == "refused":
                self._guard.refuse_socket(str(record["host"]))
        if not self._is_read(frame):
            return
        origin = float(batch["origin"])
        offset = await self._clocks.of(frame, origin)
        for record in batch["records"]:
            try:
                self._take_record(frame, record, origin, offset)
            except GARBLED:
                self._log.note("garbled", size=len(str(record)))

    def _take_record(self, frame: Frame, record: dict[str, Any], origin: float, offset: Offset) -> None:
        main, document = frame.parent_frame is None, (id(frame), origin)
        times = {name: self._seconds(float(record[name]), offset) for name in TIMES if record.get(name)}
        if record.get("k") == "document":
            self._log.begun(document)
            if main and record.get("web"):
                self._replaced(times["t"])
        elif record.get("k") in PAGE_RECORDS:
            if main:
                self._log.take_page(record | times, self._u(offset), start=self._seconds(origin, offset))
        elif main == (not self._widget.frame) or record.get("k") == "click":  # a launcher may stand outside
            self._log.take_record(record | times, self._u(offset), document=document)

    def _seconds(self, page_ms: float, offset: Offset) -> float:
        assert self._anchor is not None
        if not math.isfinite(page_ms):
            raise ValueError("no time")
        return offset.monotonic(page_ms) - self._anchor.monotonic

    def _u(self, offset: Offset) -> float:
        return math.hypot(STAMP_U, offset.u)

    # --- closing ----------------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        if self._page is not None and not self._page.is_closed():
            await self._quietly(self._drain(self._page))
            await self._quietly(self._clocks.again())
            await self._quietly(self._recording.picture(self._page))
        if self._context is not None:
            self._log.note("requests", **self._guard.counts())
            await self._quietly(self._recording.stop(self._context), SAVE_S)
            await self._quietly(self._context.close(), SAVE_S)
            await self._quietly(self._recording.tidy(), SAVE_S)
        self._recording.discard()
        for task in [self._pump, self._again, *self._chores]:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        if self._anchor is not None:
            self._log.end(self._now(), "us", "left", method="harness")
        self._log.close()

    async def _drain(self, page: Page) -> None:
        """Lets the page hand over what it still buffers, and takes it."""
        flush = f"() => window[{json.dumps(self._names['flush'])}]?.()"
        flushes = (frame.evaluate(flush) for frame in page.frames if self._is_read(frame))
        await asyncio.gather(*flushes, return_exceptions=True)
        await self._inbox.join()  # the binding's calls arrive before the evaluation returns

    async def _quietly(self, step: Awaitable[Any], seconds: float = GIVE_UP_S) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step
        except (PlaywrightError, TimeoutError, OSError) as error:
            self._log.note("closing", text=first_line(error) if str(error) else type(error).__name__)

    def _chore(self, step: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(self._quietly(step))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


def _within(page: Page, frames: tuple[str, ...]) -> Page | FrameLocator:
    scope: Page | FrameLocator = page
    for css in frames:
        scope = scope.frame_locator(css)
    return scope
