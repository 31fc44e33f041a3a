"""The channel: all that the conversation engine knows of a phone call or a chat.

``open`` starts it, ``events`` yields what is heard and seen (see :class:`probes.session.Event`) and ends after the
``ended`` event, ``say``, ``press``, ``attach`` and ``choose`` return when our act has gone out, ``close`` hangs up and
is safe to call at any time, any number of times. Event times are seconds since ``anchor`` given to ``open``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from probes.clock import Anchor
from probes.session import Event
from scenarios.attachment import Attachment
from scenarios.model import ChannelKind


@dataclass(frozen=True)
class Said:
    """When our own words went out: first and last sample, or when the page showed our message or file as ours."""

    start: float
    end: float
    method: str


class Channel(Protocol):
    """A conversation's transport. One object, one session."""

    @property
    def kind(self) -> ChannelKind:
        """Which family: ``voice`` or ``chat``."""

    async def open(self, anchor: Anchor) -> None:
        """Dials the number or opens the page.

        Raises:
            FarEndFault: it could not even be begun (page did not load, widget not found).
            HarnessFault: our side failed.
        """

    def events(self) -> AsyncIterator[Event]:
        """Yields events in the order they became known; ends after ``ended``, or once it is closed."""

    async def say(self, text: str, *, line: str) -> Said:
        """Says ``text``; ``line`` names it (``ask-balance``) so a recorded prompt can stand in for it."""

    async def press(self, digits: str) -> Said:
        """Presses keys (voice only)."""

    async def attach(self, file: Attachment, *, line: str) -> Said:
        """Sends a file (chat only).

        Raises:
            FarEndFault: it was not taken.
            HarnessFault: this channel has no way to send files, or the file is not what it was.
        """

    async def choose(self, text: str, *, line: str) -> Said | None:
        """Presses the quick reply that says ``text`` (chat only); None: it is not there, or not any more.

        Raises:
            FarEndFault: it was pressed, and the page never showed that as ours.
            HarnessFault: this channel has no quick replies.
        """

    async def close(self) -> None:
        """Hangs up or leaves, and frees everything. Never raises."""

    def files(self) -> list[tuple[Path, str]]:
        """Returns the evidence files written, each with its kind, once closed."""
