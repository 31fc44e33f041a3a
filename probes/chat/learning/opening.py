"""From the page to the box that messages are written into: the launcher is found and clicked, if there is one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import Error as PlaywrightError

from probes.chat.learning import places
from probes.chat.learning.findings import Click, Finding, Sure
from probes.chat.learning.page import Look
from probes.chat.learning.places import Place
from probes.chat.learning.visit import CLICK_S, Mark, PageVisit

LOOK_S = 0.3
PLAIN_S = 2.0  # before a mere link is taken for the launcher: the real one may come late
OPENING_S = 6.0  # after a click
TRIES, STEPS = 3, 3  # launchers that are tried; clicks one after another


class Opening:
    """Opens the chat of a page; ``clicks`` is what did it, ``clicked`` all that was clicked."""

    def __init__(self, visit: PageVisit, *, wait_s: float, picture: Path, label: str) -> None:
        """Makes it; nothing is clicked yet.

        Args:
            visit: the page, loaded.
            wait_s: for a page that builds its chat late.
            picture: of the page with its launcher marked, before it is clicked.
            label: of that mark.
        """
        self._visit, self._wait_s, self._picture, self._label = visit, wait_s, picture, label
        self.clicks: tuple[Click, ...] = ()
        self.clicked: list[str] = []
        self.marks: list[Mark] = []
        self.before: frozenset[tuple[int, int]] = frozenset()  # boxes that were shown before anything was clicked

    async def settled(self) -> list[Look]:
        """Looks until the same is seen twice and something of a chat is there, or the wait is over."""
        clock = asyncio.get_running_loop().time
        start, last = clock(), None
        while True:
            looks = await self._visit.looks()
            boxes = places.inputs(looks, least=places.INPUT_ALONE)
            good = [*boxes, *places.launchers(looks)]
            seen = [(place.look.frame, place.element.id) for place in good]
            waited = clock() - start
            at_rest = seen and seen == last and (boxes or good[0].element.fixed or waited > PLAIN_S)
            if at_rest or waited > self._wait_s:
                return looks
            last = seen
            await asyncio.sleep(LOOK_S)

    async def box(self, looks: list[Look]) -> Place | None:
        """Returns what messages are written into, once it is shown; None if there is nothing like it."""
        if found := places.inputs(looks, least=places.INPUT_ALONE):
            return found[0]
        self.before = frozenset((look.frame, each.id) for look in looks for each in look.of("editable"))
        tried: set[tuple[int, int]] = set()
        for _ in range(TRIES):
            if (box := await self._open(looks, tried)) is not None:
                return box
            looks = await self._visit.looks()
        self.clicks = ()
        return next(iter(places.inputs(looks, least=places.INPUT_GUESS)), None)

    async def _open(self, looks: list[Look], tried: set[tuple[int, int]]) -> Place | None:
        """Clicks the best launcher, and what it offers then, until a box appears."""
        before = self.before
        clicks: list[Click] = []
        known: set[tuple[int, int]] = set()
        for step in range(STEPS):
            choice = [place for place in places.launchers(looks) if _key(place) not in tried | known]
            if not choice:
                return None
            launcher = choice[0]
            tried.add(_key(launcher))
            known |= {(look.frame, each.id) for look in looks for each in look.elements}
            click = await self._click(launcher, first=not step)
            if click is None:
                return None
            clicks.append(click)
            self.clicks = tuple(clicks)
            looks = await self._opened(before, known)
            if found := places.inputs(looks, before, places.INPUT_OPENED):
                return found[0]
        return None

    async def _click(self, launcher: Place, *, first: bool) -> Click | None:
        frame = self._visit.frames[launcher.look.frame]
        try:
            token = await self._visit.selector(frame, launcher.element.id, clicked=True)
            way = await self._visit.way_in(frame)
        except LookupError:
            return None
        mark: Mark = (self._label, frame, launcher.element.id)
        if first:
            await self._visit.picture(self._picture, [mark])
        try:
            await self._visit.place(frame, token.css).click(timeout=CLICK_S * 1000)
        except PlaywrightError:
            return None
        self.marks.append(mark)
        self.clicked.append(token.css)
        finding = Finding("open", token.css, sure(launcher, places.LAUNCHER), launcher.why).weaker(token)
        return Click(token.css, tuple(each.css for each in way), finding.sure, finding.why)

    async def _opened(self, before: frozenset[tuple[int, int]], known: set[tuple[int, int]]) -> list[Look]:
        """Looks until a box is there that can be written into, or something else to click, or the wait is over."""
        clock = asyncio.get_running_loop().time
        start, last = clock(), None
        while True:
            await asyncio.sleep(LOOK_S)
            looks = await self._visit.looks()
            boxes = places.inputs(looks, before, places.INPUT_OPENED)
            more = [place for place in places.launchers(looks) if _key(place) not in known]
            seen = (
                [_key(each) for each in boxes],
                [_key(each) for each in more],
                [each.element.box for each in boxes[:1]],
            )
            waited = clock() - start
            if boxes and boxes[0].element.enabled and seen == last:
                return looks
            elsewhere = self._visit.windows or any(places.form_before(look, self.before) for look in looks)
            if waited > OPENING_S or ((more or elsewhere) and not boxes and waited > OPENING_S / 3):
                return looks
            last = seen


def sure(place: Place, least: float) -> Sure:
    """Returns how sure it is that an element is what it was taken for."""
    return "likely" if place.points >= least + places.LIKELY else "guess"


def _key(place: Place) -> tuple[int, int]:
    return place.look.frame, place.element.id
