"""What we do to a chat page: write, hand it a file, press a quick reply; each counts once the page shows it as ours.

A page gets the bytes of the one file that the script names, at the place that the profile names, and never a path of
this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import ElementHandle, FrameLocator, Page
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from probes.channel import Said
from probes.chat.browser import first_line
from probes.chat.chat_log import Act, ChatLog
from probes.chat.widget import Widget
from scenarios.attachment import Attachment
from scenarios.errors import FarEndFault, HarnessFault

NAMES: dict[Act, str] = {"words": "message", "file": "file", "choice": "choice of a quick reply"}
UPLOAD = 3  # times as long as words a file may take to be shown
CLICK_S = 2.0  # so often it is looked whether a quick reply that cannot be pressed has gone
LABELS = "e => [e.innerText || '', e.textContent || '', e.getAttribute('aria-label') || '', e.value || '']"


class _Gone(Exception):
    """A quick reply is not there, or not any more."""


class Acts:
    """One session's."""

    def __init__(
        self,
        widget: Widget,
        log: ChatLog,
        echo_s: float,
        page: Callable[[], Awaitable[Page]],
        scope: Callable[[Page], Page | FrameLocator],
        blind: Callable[[Page], Awaitable[str]],
    ) -> None:
        """Makes them.

        Args:
            widget: the profile.
            log: tells when the page shows something as ours.
            echo_s: how long the page may take for that.
            page: returns the page as it stands, or raises when the chat is over.
            scope: returns where in it the widget lives.
            blind: says what of the page nobody can look into.
        """
        self._widget, self._log, self._echo_s = widget, log, echo_s
        self._page, self.scope, self._blind = page, scope, blind
        self.handing = False  # a file chooser that opens now is the one that we asked for

    async def say(self, text: str, line: str) -> Said:
        """Types ``text`` and sends it."""

        async def write(page: Page) -> None:
            if self._widget.free is not None:
                await self.scope(page).locator(self._widget.free).first.wait_for(timeout=self._widget.ready_s * 1000)
            await self.scope(page).locator(self._widget.input).first.fill(text, timeout=self._echo_s * 1000)
            await self._press_send(page)

        return await self._send("words", write, line=line, text=text)

    async def attach(self, file: Attachment, line: str) -> Said:
        """Hands over a file, and sends it if the page waits for that."""
        if self._widget.attach is None:
            raise HarnessFault(f"the profile '{self._widget.name}' has no way to send a file; add 'attach' to it")

        async def hand(page: Page) -> None:
            self.handing = True
            try:
                await self._hand_over(page, file)
            finally:
                self.handing = False
            if self._widget.attached is not None:
                waiting = self.scope(page).locator(self._widget.attached).first
                await waiting.wait_for(state="visible", timeout=self._echo_s * 1000)
                await self._press_send(page)

        return await self._send("file", hand, line=line, text=file.name, file=file.about())

    async def choose(self, text: str, line: str) -> Said | None:
        """Presses the newest quick reply that says ``text``; None if there is none, or it was gone too soon."""
        found = await self._quick_reply(await self._page(), text)

        async def press(_page: Page) -> None:
            if found is None:
                raise _Gone
            for _ in range(math.ceil(self._echo_s / CLICK_S)):
                try:
                    return await found.click(timeout=CLICK_S * 1000)
                except PlaywrightTimeout as error:
                    if not await found.is_visible():
                        raise _Gone from error
                except PlaywrightError as error:
                    raise _Gone from error
            raise PlaywrightTimeout("something lies over the quick reply")

        try:
            return await self._send("choice", press, line=line, text=text)
        except _Gone:
            self._log.note("not_offered", line=line, text=text)
            return None

    async def _send(
        self, what: Act, act: Callable[[Page], Awaitable[None]], *, line: str, text: str, **more: Any
    ) -> Said:
        """Does ``act`` to the page, and waits until it shows that as ours."""
        page = await self._page()
        echo = self._log.expect_echo(text, what)
        seconds = self._echo_s * (UPLOAD if what == "file" else 1)
        try:
            await act(page)
            async with asyncio.timeout(seconds):
                t = await echo
        except TimeoutError as error:
            self._log.note("send_lost", line=line, text=text, **more)
            lost = f"send lost: the page did not show our {NAMES[what]} within {seconds:g} s"
            raise FarEndFault(f"{lost}{await self._blind(page)}") from error
        except PlaywrightTimeout as error:
            takes = "takes no file" if what == "file" else "does not take input"
            raise FarEndFault(f"send lost: the chat {takes}{await self._blind(page)}") from error
        except PlaywrightError as error:
            raise HarnessFault(f"the browser failed while sending: {first_line(error)}") from error
        finally:
            self._log.forget_echo()
        self._log.note("said", t=t, line=line, text=text, **more)
        return Said(t, t, "dom")

    async def _press_send(self, page: Page) -> None:
        if self._widget.send == "Enter":
            await self.scope(page).locator(self._widget.input).first.press("Enter")
        else:
            await self.scope(page).locator(self._widget.send).first.click(timeout=self._echo_s * 1000)

    async def _hand_over(self, page: Page, file: Attachment) -> None:
        """Gives a file to the page's file input, by itself or through the chooser that a button opens."""
        assert self._widget.attach is not None
        content, patience = file.content(), self._echo_s * 1000
        place = await self.scope(page).locator(self._widget.attach).first.element_handle(timeout=patience)
        if await place.evaluate("e => e.matches('input[type=file]')"):
            await place.set_input_files({"name": file.name, "mimeType": file.media, "buffer": content})
            return
        async with page.expect_file_chooser(timeout=patience) as chosen:
            await place.click(timeout=patience)
        chooser = await chosen.value
        if await chooser.element.owner_frame() != await place.owner_frame():
            raise FarEndFault("send lost: another part of the page asked for the file; it got nothing")
        await chooser.set_files({"name": file.name, "mimeType": file.media, "buffer": content})

    async def _quick_reply(self, page: Page, text: str) -> ElementHandle | None:
        """Returns the newest quick reply that says ``text`` and can be pressed, or None."""
        scope, messages = self.scope(page), self._widget.messages
        places = [scope.locator(messages.list).locator(messages.item).locator("button, [role=button]")]
        if self._widget.choices is not None:
            places.insert(0, scope.locator(self._widget.choices))
        for place in places:
            for element in reversed(await place.element_handles()):
                with contextlib.suppress(PlaywrightError):  # it has just gone
                    says = any(_same(label) == _same(text) for label in await element.evaluate(LABELS))
                    if says and await element.is_visible() and await element.is_enabled():
                        return element
        return None


def _same(text: str) -> str:
    return "".join(text.split()).casefold()
