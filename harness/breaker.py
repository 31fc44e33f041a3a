"""The circuit breaker: what a session, and those before it, mean for the next one (domain 4.2, 4.5, 4.6).

It reads events and outcomes, never words: what an utterance was is decided once, in the conversation
(:mod:`probes.remarks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probes.session import Outcome, Session

IN_A_ROW = 3
"""So many network failures one after the other pause their entry."""


@dataclass(frozen=True)
class Trip:
    """What is to be done: ``pause`` the entry until somebody lifts it, or ``stop`` the whole campaign until then."""

    kind: Literal["stop", "pause"]
    entry: str
    reason: str


def trip(session: Session, recent: Sequence[str]) -> Trip | None:
    """Says whether the campaign may go on after ``session``.

    Args:
        session: the session that has just ended.
        recent: the outcomes of its entry's last dialled attempts, the latest first, this one included (only looked
            at after a network failure).

    Returns:
        The strongest measure that is called for, or None. An objection outweighs all else.
    """
    entry, said = session.attempt.entry, {event.kind: event.data for event in reversed(session.timeline)}
    if "objection" in said:
        return Trip("stop", entry, f"the far end objects to being tested: “{said['objection']['text']}”")
    if "wrong_party" in said:
        text = said["wrong_party"]["text"]
        words = f"somebody else was reached: “{text}”" if text else "a voice was heard and none of the known recordings"
        return Trip("pause", entry, f"{words}; check the number before it is dialled again")
    failed = session.outcome is Outcome.NET_FAIL and len(recent) >= IN_A_ROW
    if failed and all(outcome == Outcome.NET_FAIL for outcome in recent[:IN_A_ROW]):
        return Trip("pause", entry, f"{IN_A_ROW} network failures in a row, the last: {session.reason}")
    return None
