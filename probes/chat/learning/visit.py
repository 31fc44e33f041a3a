"""A page in the browser, as far as learning needs it: looked at, clicked, written into, photographed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Frame, JSHandle, Locator, Page
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from probes.chat.browser import Browser, first_line
from probes.chat.channel import WIRE
from probes.chat.learning.page import Look, Node, Step, look_of, node_of
from probes.chat.learning.selectors import WORST, Token, for_one, quoted, within_host
from probes.chat.redaction import redacted
from probes.chat.safety import BANNERS, REFUSALS, Guard
from probes.target import Chat
from scenarios.errors import FarEndFault, HarnessFault
from scenarios.model import Lang

FINDER = Path(__file__).parent.with_name("learner.js").read_text(encoding="utf-8")
MARKS = Path(__file__).parent.with_name("marks.js").read_text(encoding="utf-8")
COUNTER = """(%s)({now: () => performance.now(), record: () => {}, hosts: %s, opened: (n) => {
  const name = %s;
  window[name] = (window[name] ?? 0) + n;
}})"""
CLICK_S = 4.0
PICTURE_S = 10.0
LOAD_S = 20.0
Mark = tuple[str, Frame, int]  # label, frame, id


class PageVisit:
    """One visit in a context of its own; use it as ``async with``."""

    def __init__(self, chat: Chat, browser: Browser, lang: Lang) -> None:
        """Makes the visit; nothing is opened yet."""
        self._chat, self._browser, self._lang = chat, browser, lang
        self.dialogs: list[str] = []
        self.windows: list[str] = []  # addresses that the page wanted to open in another window
        self._guard = Guard(
            chat,
            blocked=lambda _: None,
            told=lambda kind, text: self.dialogs.append(f"{kind}: {text[:80]}"),
            window=lambda url: self.windows.append(redacted(url)),
        )
        self._finders: dict[Frame, JSHandle] = {}
        self.frames: list[Frame] = []  # all that were ever looked at: a look names them by their place here
        self._context: BrowserContext | None = None
        self._sockets = f"_{secrets.token_hex(6)}"
        self.page: Page

    async def __aenter__(self) -> PageVisit:
        self._context = context = await self._browser.context(self._chat.url, self._lang, hosts=self._guard.hosts())
        await context.add_init_script(COUNTER % (WIRE, json.dumps(self._guard.hosts()), json.dumps(self._sockets)))
        await self._guard.watch(context)
        self.page = await context.new_page()
        context.on("page", self._on_window)
        await self._guard.fence(self.page, ())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._context is not None:
            with contextlib.suppress(PlaywrightError):
                await self._context.close()

    @property
    def away(self) -> str | None:
        """The host that the page last wanted to go to, if it was another."""
        return self._guard.away

    @property
    def refused(self) -> list[str]:
        """The hosts whose parts of the page were refused."""
        return list(self._guard.counts()["refused"])

    async def load(self) -> None:
        """Loads the page.

        Raises:
            FarEndFault: it did not load, or leads elsewhere.
        """
        try:
            response = await self.page.goto(self._chat.url, wait_until="domcontentloaded", timeout=LOAD_S * 1000)
        except PlaywrightTimeout as error:
            raise FarEndFault(f"the page did not load within {LOAD_S:g} s") from error
        except PlaywrightError as error:
            code = re.search(r"net::ERR_(\w+)", str(error))
            if self.away is None and code is None:
                raise HarnessFault(f"the browser failed while opening the page: {first_line(error)}") from error
            words = f"leads to another host ({self.away})" if self.away else "did not load"
            more = "" if self.away or code is None else f": {code[1].replace('_', ' ').lower()}"
            raise FarEndFault(f"the page {words}{more}") from error
        if response is not None and response.status >= 400:
            raise FarEndFault(f"the page did not load: HTTP status {response.status}")
        with contextlib.suppress(PlaywrightError):
            await self.page.wait_for_load_state("load", timeout=5000)

    async def refuse_banner(self) -> bool:
        """Refuses cookies where a banner offers that; says whether it did."""
        button = self.page.locator(BANNERS).get_by_role("button", name=REFUSALS).first
        if not await button.is_visible():
            return False
        with contextlib.suppress(PlaywrightError):  # whatever is clicked, the guard clicks that button first
            await self.page.locator("body").click(trial=True, timeout=CLICK_S * 1000)
        return not await button.is_visible()

    # --- looking ------------------------------------------------------------------------------------------------------

    async def looks(self) -> list[Look]:
        """Looks at all frames that are shown; the first is the page itself."""
        size = self.page.viewport_size or {"width": 1280, "height": 800}
        view = (float(size["width"]), float(size["height"]))
        found: list[Look] = []
        for frame in self.page.frames:
            if frame not in self.frames:
                self.frames.append(frame)
            with contextlib.suppress(PlaywrightError):
                place = await self._frame_place(frame, found)
                if place is not None:
                    raw = await (await self._finder(frame)).evaluate("(f) => f.look()")
                    found.append(look_of(self.frames.index(frame), raw, view=view, **place))
        return found

    async def _frame_place(self, frame: Frame, looks: Sequence[Look]) -> dict[str, Any] | None:
        """Where a frame stands in the page's window, and what its iframe is called; None if it is not shown."""
        if frame.parent_frame is None:
            return {"at": (0.0, 0.0)}
        element = await frame.frame_element()
        box = await element.bounding_box()
        if box is None or box["width"] < 2 or box["height"] < 2:
            return None
        number = await (await self._finder(frame.parent_frame)).evaluate("(f, e) => f.id(e)", element)
        outer = next((each for each in looks if self.frames[each.frame] is frame.parent_frame), None)
        host = next((each for each in outer.elements if each.id == number), None) if outer else None
        about = f"{host.words} {host.codes}" if host else ""
        return {"at": (box["x"], box["y"]), "about": about, "fixed": host.fixed if host else False}

    async def tree(self, frame: Frame, number: int) -> Node:
        """Returns what is drawn in a frame around one of its elements."""
        return node_of(await (await self._finder(frame)).evaluate("(f, n) => f.tree(n)", number))

    async def watch(self, frame: Frame, number: int) -> None:
        """Begins to keep a tree at every change around an element, for :meth:`shots`."""
        await (await self._finder(frame)).evaluate("(f, n) => f.watch(n)", number)

    async def shots(self, frame: Frame, number: int) -> list[Node]:
        """Returns the trees since the last call, oldest first, and one of now."""
        return [node_of(raw) for raw in await (await self._finder(frame)).evaluate("(f, n) => f.collect(n)", number)]

    async def sockets(self, frame: Frame) -> int:
        """Returns how many WebSockets of a frame are open."""
        return int(await frame.evaluate(f"() => window[{json.dumps(self._sockets)}] ?? 0"))

    async def selector(self, frame: Frame, number: int, *, clicked: bool = False) -> Token:
        """Returns the selector that is the most likely to name one element of a frame and no other.

        Args:
            frame: where it is.
            number: its id.
            clicked: for Playwright, which looks into shadow trees from without; else for the observer, which looks from
                within each.

        Raises:
            LookupError: no selector names it alone.
        """
        finder = await self._finder(frame)
        way = await finder.evaluate("(f, n) => f.way(n)", number)
        path, hosts = ([_step(each) for each in way[key]] for key in ("steps", "hosts"))
        candidates = for_one(path) + ([] if clicked else within_host(path, hosts, piercing=False))
        candidates.sort(key=lambda token: token.rank)
        counts = await finder.evaluate("(f, list) => f.counts(list)", [token.css for token in candidates])
        alone = (token for token, (n, first) in zip(candidates, counts, strict=True) if n == 1 and first == number)
        best = next(alone, None)
        if clicked and (best is None or best.rank >= WORST):
            said = way["text"]
            worded = [Token(f"{path[0].tag}:has-text({quoted(said)})", 5)] if 0 < len(said) <= 20 else []
            for token in [*within_host(path, hosts, piercing=True), *worded]:
                if await frame.locator(token.css).count() == 1:
                    return token
        if best is None:
            raise LookupError(f"no selector names {path[0].tag} alone")
        return best

    async def count(self, frame: Frame, css: str) -> int:
        """Returns how many elements of a frame a selector finds."""
        [[number, _]] = await (await self._finder(frame)).evaluate("(f, list) => f.counts(list)", [css])
        return int(number)

    async def way_in(self, frame: Frame) -> tuple[Token, ...]:
        """Returns the selectors of the iframes that lead to a frame, from the page inwards."""
        steps: list[Token] = []
        while frame.parent_frame is not None:
            element = await frame.frame_element()
            number = await (await self._finder(frame.parent_frame)).evaluate("(f, e) => f.id(e)", element)
            steps.append(await self.selector(frame.parent_frame, number, clicked=True))
            frame = frame.parent_frame
        return tuple(reversed(steps))

    def place(self, frame: Frame, css: str) -> Locator:
        """Returns the first element that a selector finds in a frame."""
        return frame.locator(css).first

    async def _finder(self, frame: Frame) -> JSHandle:
        known = self._finders.get(frame)
        if known is not None:
            with contextlib.suppress(PlaywrightError):  # the frame has another document now
                await known.evaluate("() => 0")
                return known
        self._finders[frame] = finder = await frame.evaluate_handle(f"({FINDER})()")
        return finder

    # --- pictures -----------------------------------------------------------------------------------------------------

    async def picture(self, path: Path, marks: Sequence[Mark] = ()) -> None:
        """Photographs the page's window, with outlined boxes around what was found."""
        rows = []
        for label, frame, number in marks:
            with contextlib.suppress(PlaywrightError):
                handle = await (await self._finder(frame)).evaluate_handle("(f, n) => f.element(n)", number)
                element = handle.as_element()
                box = await element.bounding_box() if element is not None else None
                if box is not None and box["width"] > 1:
                    rows.append({"label": label, "box": [box[key] for key in ("x", "y", "width", "height")]})
        drawn = await self.page.evaluate_handle(f"({MARKS})", rows) if rows else None
        try:
            await self.page.screenshot(path=path, timeout=PICTURE_S * 1000)
        finally:
            if drawn is not None:
                with contextlib.suppress(PlaywrightError):
                    await drawn.evaluate("(overlay) => overlay.remove()")

    def _on_window(self, page: Page) -> None:
        self._closing = asyncio.ensure_future(_close(page))


async def _close(page: Page) -> None:
    with contextlib.suppress(PlaywrightError):
        await asyncio.sleep(0.3)  # until it has said where it wants to go
        await page.close()


def _step(raw: dict[str, Any]) -> Step:
    return Step(raw["tag"], raw["attrs"], raw["nth"])
