"""``shopper chat learn`` from the policy to the files: asked, looked, written, proven."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from harness import kill_switch
from harness.authorisation import Authorisation, load_authorisation
from harness.policy import check_chat
from probes.chat.browser import Browser
from probes.chat.learning import proposal
from probes.chat.learning.findings import Learnt
from probes.chat.learning.learning import Wish
from probes.chat.learning.learning import learn as look
from probes.chat.learning.proof import prove
from probes.target import Chat
from results.whole_file import write
from scenarios.errors import InputError, PolicyRefused
from scenarios.model import Lang

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What the user asked for. ``send`` None: nothing is sent."""

    url: str
    out: Path
    lang: Lang
    send: str | None = None
    authorisation: Path | None = None
    block_third_party: bool = False
    wait_s: float = 8.0
    force: bool = False


@dataclass(frozen=True)
class Learning:
    """What came of it."""

    learnt: Learnt
    profile: Path | None
    pictures: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """0, or 1 if something needed was not found, or the turn with the profile failed."""
        failed = self.profile is None or self.learnt.problems or self.learnt.proven is False
        return 1 if failed else 0


async def learn(request: Request, now: datetime) -> Learning:
    """Opens the page, proposes a profile, and with ``send`` proves it by a second session.

    Args:
        request: what is wanted.
        now: aware.

    Raises:
        InputError: a file is there already, or wrong.
        PolicyRefused: the page may not be opened, or the kill switch is pulled.
        FarEndFault: the page did not load.
    """
    before, found = (request.out.with_suffix(f".{name}.png") for name in ("before", "found"))
    _free(request, before, found)
    signed = _authorisation(request)
    check_chat(request.url, signed, now)
    chat = Chat(url=request.url, block_third_party=request.block_third_party)
    browser = Browser()
    try:
        wish = Wish(request.lang, before, found, request.send, request.wait_s)
        learnt = await _unless_stopped(look(chat, browser, wish))
        profile = _write(request, learnt) if learnt.complete else None
        if profile is not None and request.send is not None and learnt.proven is None:
            check_chat(request.url, signed, datetime.now(UTC))
            proof = await _unless_stopped(prove(chat, profile, browser, lang=request.lang, text=request.send))
            proposal.proved(learnt, proof)
            _write(request, learnt)
    finally:
        await browser.close()
    return Learning(learnt, profile, tuple(path for path in (before, found) if path.exists()))


async def _unless_stopped(work: Coroutine[object, object, T]) -> T:
    """Does it, unless the kill switch is pulled meanwhile.

    Raises:
        PolicyRefused: it was; the page has been left.
    """
    if (pulled := kill_switch.pulled([kill_switch.everywhere()])) is not None:
        work.close()
        raise _stopped(pulled)
    task = asyncio.ensure_future(work)
    switch = asyncio.ensure_future(kill_switch.wait([kill_switch.everywhere()]))
    try:
        await asyncio.wait([task, switch], return_when=asyncio.FIRST_COMPLETED)
        if switch.done() and not task.done():
            raise _stopped(switch.result())
        return await task
    finally:
        for each in (task, switch):
            each.cancel()
        await asyncio.gather(task, switch, return_exceptions=True)


def _stopped(pulled: kill_switch.Pulled) -> PolicyRefused:
    return PolicyRefused(f"{pulled}; no page is opened until `shopper stop --release`")


def _free(request: Request, *pictures: Path) -> None:
    if request.out.suffix not in (".yaml", ".yml"):
        raise InputError("a profile's name ends in .yaml", file=request.out, cure="--out our-widget.yaml")
    if not request.out.parent.is_dir():
        raise InputError("there is no such folder", file=request.out.parent, cure="make it, or choose another --out")
    for path in (request.out, *pictures):
        if path.exists() and not request.force:
            raise InputError(
                "the file is there already", file=path, cure="give another --out, or --force to overwrite it"
            )


def _authorisation(request: Request) -> Authorisation | None:
    path = request.authorisation
    beside = request.out.parent / "authorisation.yaml"
    if path is None and beside.exists():
        path = beside
    return None if path is None else load_authorisation(path).authorisation


def _write(request: Request, learnt: Learnt) -> Path:
    return write(request.out, proposal.write_profile(learnt, request.out.stem, request.lang))
