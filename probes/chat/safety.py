"""What a page may do to us: nothing. It stays on the chat's own host and opens nothing.

Other hosts may serve parts of the page, or not even that (``block_third_party``); every request to them is counted.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Dialog, Frame, Locator, Page, Request, Route, WebSocket
from playwright.async_api import Error as PlaywrightError

from probes.target import Chat

MAX_HOSTS = 200  # counted by name; the rest together
REFUSALS = re.compile(
    r"^\s*(reject|decline|refuse|deny)( all| cookies)*\s*$|(only|strictly) (necessary|essential)|"
    r"(necessary|essential) (cookies )?only|^\s*(全部)?拒绝(全部|所有)?\s*$|仅(使用|接受)?必要|不同意",
    re.IGNORECASE,
)
BANNERS = ", ".join(f'[{attribute}*="{word}" i]' for attribute in ("id", "class") for word in ("cookie", "consent"))
CLICK_S = 2.0


class Guard:
    """Watches one session's requests."""

    def __init__(
        self,
        chat: Chat,
        *,
        blocked: Callable[[str], None],
        told: Callable[[str, str], None],
        window: Callable[[str], None],
    ) -> None:
        """Makes the guard; nothing is watched yet.

        Args:
            chat: the entry point; the host of its address is the only one that a page may navigate to.
            blocked: is told the host of every navigation that was refused.
            window: is told the address of every window that was refused.
            told: is told the kind and the text of every dialog.
        """
        self.host = urlsplit(chat.url).hostname or ""
        self.away: str | None = None  # the host that the page last wanted to go to
        self._parts = {self.host, *(host.lower() for host in chat.parts_from)}
        self._closed = chat.block_third_party
        self._blocked, self._told, self._window = blocked, told, window
        self._own, self._third, self._refused = 0, Counter[str](), Counter[str]()

    def hosts(self) -> list[str] | None:
        """Returns the hosts that anything of the page may go to, or None for any."""
        return sorted(self._parts) if self._closed else None

    def counts(self) -> dict[str, Any]:
        """Returns how many requests went to the chat's own host, to others, and how many of those were refused."""
        return {"own": self._own, "third_party": dict(self._third), "refused": dict(self._refused)}

    async def watch(self, context: BrowserContext) -> None:
        """Watches all pages of a context."""
        context.on("request", self._count)
        elsewhere = rf"^https?://(?!(?:[^/@]*@)?{re.escape(self.host)}(?::\d+)?(?:[/?#]|$))"
        await context.route(re.compile(elsewhere, re.IGNORECASE), self._route)

    async def fence(self, page: Page, dismiss: tuple[str, ...]) -> None:
        """Keeps a page on its host, redirects included; answers its dialogs; clicks away what is in our way."""
        page.on("dialog", self._answer)
        page.on("websocket", self._count_socket)
        session = await page.context.new_cdp_session(page)
        tree = await session.send("Page.getFrameTree")
        main = tree["frameTree"]["frame"]["id"]

        async def paused(event: dict[str, Any]) -> None:
            await self._pass(session, event, main)

        session.on("Fetch.requestPaused", paused)
        session.on("Page.windowOpen", lambda event: self._window(event["url"]))
        await session.send("Page.enable")
        patterns = [{"urlPattern": "*", "resourceType": "Document", "requestStage": "Request"}]
        await session.send("Fetch.enable", {"patterns": patterns})
        refusal = page.locator(BANNERS).get_by_role("button", name=REFUSALS)
        for place in (*map(page.locator, dismiss), refusal):
            await page.add_locator_handler(place.first, _click, no_wait_after=True)

    def refuse_socket(self, host: str) -> None:
        """Counts a WebSocket that the observer has refused."""
        _count(self._refused, host)

    async def _pass(self, session: CDPSession, event: dict[str, Any], main: str) -> None:
        """Lets a document through, or not: this also sees redirects."""
        url = event["request"]["url"]
        with contextlib.suppress(PlaywrightError):
            if event.get("frameId") == main and urlsplit(url).hostname not in (self.host, None):
                self._leave(url)
                reason = {"requestId": event["requestId"], "errorReason": "Aborted"}  # others put up an error page
                await session.send("Fetch.failRequest", reason)
            else:
                await session.send("Fetch.continueRequest", {"requestId": event["requestId"]})

    async def _route(self, route: Route) -> None:
        request, host = route.request, urlsplit(route.request.url).hostname or ""
        with contextlib.suppress(PlaywrightError):
            if request.is_navigation_request() and request.frame.parent_frame is None:
                self._leave(request.url)
                await route.abort("aborted")
            elif self._closed and host not in self._parts:
                _count(self._refused, host)
                await route.abort("blockedbyclient")
            else:
                await route.continue_()

    def _leave(self, url: str) -> None:
        self.away = urlsplit(url).hostname or ""
        self._blocked(self.away)

    def _count(self, request: Request) -> None:
        self._count_host(urlsplit(request.url))

    def _count_socket(self, socket: WebSocket) -> None:
        self._count_host(urlsplit(socket.url))

    def _count_host(self, url: Any) -> None:
        if url.scheme not in ("http", "https", "ws", "wss"):
            return
        if url.hostname == self.host:
            self._own += 1
        else:
            _count(self._third, url.hostname or "")

    async def _answer(self, dialog: Dialog) -> None:
        self._told(dialog.type, dialog.message)
        with contextlib.suppress(PlaywrightError):
            await (dialog.accept() if dialog.type == "beforeunload" else dialog.dismiss())


async def closed_roots(page: Page) -> list[str]:
    """Returns the elements of a page whose shadow trees are closed: nobody outside the page can look into them."""
    left: list[Any] = []
    places: list[Page | Frame] = [page, *page.frames[1:]]
    for place in places:
        with contextlib.suppress(PlaywrightError):  # a frame of the page's own process is in the page's document
            session = await page.context.new_cdp_session(place)
            document = await session.send("DOM.getDocument", {"depth": -1, "pierce": True})
            left.append(document["root"])
    found = []
    while left:
        node = left.pop()
        shadows = node.get("shadowRoots", [])
        if any(root.get("shadowRootType") == "closed" for root in shadows):
            found.append(f"<{node['localName']}>")
        inner = [node["contentDocument"]] if "contentDocument" in node else []
        left += [*node.get("children", []), *shadows, *inner]
    return sorted(set(found))


def _count(counts: Counter[str], host: str) -> None:
    counts[host if host in counts or len(counts) < MAX_HOSTS else "others"] += 1


async def _click(place: Locator) -> None:
    with contextlib.suppress(PlaywrightError):
        await place.click(timeout=CLICK_S * 1000, force=True)
