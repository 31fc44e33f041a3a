"""The signalling of one call, as the wire saw it: every step with its instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probes.voice.wire.datagram import Place
from probes.voice.wire.sip import Message

What = Literal[
    "invite", "ringing", "early_media", "connected", "refused", "cancel", "bye", "reinvite", "refer", "info"
]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step. ``t`` is on the clock of the datagrams; ``ours``: it went out from here."""

    t: float
    what: What
    ours: bool
    number: int  # of CSeq
    code: int | None = None


class Ladder:
    """What became of a call that we placed. Retransmissions are no steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._us: Place | None = None
        self._peer: Place | None = None
        self._invited = False  # an INVITE has got its final answer, other than a challenge
        self._seen: set[tuple[bool, str, int, int | None]] = set()

    def take(self, message: Message) -> bool:
        """Notes a message with the call's Call-ID; returns whether it was sent by us or to us.

        A carrier on this machine may pass the call on under the same Call-ID: that is another leg.
        """
        if self._us is None:
            if message.method != "INVITE" or message.code is not None:
                return False
            self._us, self._peer = message.source, message.target
        ours = message.source == self._us
        theirs = message.target == self._us
        if not (ours or theirs):
            if message.datagrams[-1].protocol != "tcp":
                return False
            ours, theirs = message.target == self._peer, message.source == self._peer  # a second connection
            if not (ours or theirs):
                return False
        key = (ours, message.method, message.number, message.code)
        if key not in self._seen:
            self._seen.add(key)
            self._note(message, ours)
        return True

    def instant(self, what: What, *, ours: bool | None = None, before: float | None = None) -> float | None:
        """Returns when ``what`` last happened, or None.

        Args:
            what: which step.
            ours: only what we sent (True), only what the far end sent (False), or either.
            before: only what happened up to then; the first time if it is None.
        """
        found = [step.t for step in self.steps if step.what == what and ours in (None, step.ours)]
        if before is None:
            return found[0] if found else None
        return next((t for t in reversed(found) if t <= before), None)

    @property
    def invite(self) -> float | None:
        """When the first INVITE went out."""
        return self.instant("invite")

    @property
    def ringing(self) -> float | None:
        """When the first 180, 181 or 182 came."""
        return self.instant("ringing")

    @property
    def early_media(self) -> float | None:
        """When the first 183 came."""
        return self.instant("early_media")

    @property
    def connected(self) -> float | None:
        """When the first 200 to an INVITE came."""
        return self.instant("connected")

    @property
    def refused(self) -> Step | None:
        """The final refusal; a challenge that was answered by another INVITE is none."""
        last: Step | None = None
        for step in self.steps:
            if step.what == "refused":
                last = step
            elif step.what in ("invite", "connected"):
                last = None
        return last

    @property
    def bye(self) -> Step | None:
        """The first BYE, ours or theirs."""
        return next((step for step in self.steps if step.what == "bye"), None)

    def all(self, what: What) -> Sequence[Step]:
        """Returns every step of a kind, in order."""
        return [step for step in self.steps if step.what == what]

    def _note(self, message: Message, ours: bool) -> None:
        what: What | None = None
        method, code = message.method, message.code
        if code is None:
            if method == "INVITE":
                what = "reinvite" if self._invited or not ours else "invite"
            elif method in ("CANCEL", "BYE", "REFER", "INFO"):
                names: dict[str, What] = {"CANCEL": "cancel", "BYE": "bye", "REFER": "refer", "INFO": "info"}
                what = names[method]
        elif method == "INVITE" and not ours and not self._invited:
            if 180 <= code <= 182:
                what = "ringing"
            elif code == 183:
                what = "early_media"
            elif 200 <= code < 300:
                what = "connected"
            elif code >= 300:
                what = "refused"
            self._invited = code >= 200 and code not in (401, 407)
        if what is not None:
            self.steps.append(Step(message.t, what, ours, message.number, code))
