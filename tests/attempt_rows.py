"""Rows of the ledger, made by hand through its own classes, for tests of what people see of a campaign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from harness.ledger.rows import Attempt, State
from scoring.observations import OUTCOMES

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Returns the instant so many minutes after NOW."""
    return NOW + timedelta(minutes=minutes)


def row(seq: int = 1, outcome: str | None = None, **more: Any) -> Attempt:
    """Returns a row: without more it was due ten minutes ago; with an outcome it was claimed, connected and ended."""
    chat = more.get("channel") == "chat"
    known: dict[str, Any] = {
        "id": f"a{seq:03d}", "seq": seq, "scenario": "S01", "channel": "voice", "entry": "web" if chat else "main",
        "address": "https://127.0.0.1/" if chat else "sip:95001@127.0.0.1", "seed": seq, "due": at(-10),
        "campaign": "c1", "session_s": 300.0,
    }  # fmt: skip
    if outcome is not None:
        known |= {"state": State.ENDED, "outcome": outcome, "claimed": at(-9), "ended": at(-8), "connected": True}
    return Attempt(**(known | more))


REASONS = st.sampled_from(["", "486 Busy Here", "no answer within 30 s", "no answer within 45 s", "its worker died"])
INSTANTS = st.integers(-90, 90).map(at)


@st.composite
def rows(draw: st.DrawFn) -> list[Attempt]:
    """Draws any number of rows in any state, the impossible ones too."""
    found = []
    for seq in range(1, draw(st.integers(0, 40)) + 1):
        state = draw(st.sampled_from(State))
        ended = state is State.ENDED
        found.append(
            row(
                seq,
                state=state,
                outcome=draw(st.sampled_from(OUTCOMES)) if ended else None,
                reason=draw(REASONS) if ended else "",
                due=draw(INSTANTS),
                until=draw(st.none() | INSTANTS),
                claimed=draw(st.none() | INSTANTS),
                ended=draw(INSTANTS) if ended else None,
                connected=draw(st.booleans()),
                entry=draw(st.sampled_from(["main", "vip"])),
                replaces=draw(st.none() | st.just(f"a{seq - 1:03d}")),
            )
        )
    return found
