"""One attempt of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scenarios.model import ChannelKind


@dataclass(frozen=True)
class PlannedAttempt:
    """One attempt that is due: ``seq`` counts from 1 in the order of starting, ``seed`` draws its persona.

    ``due`` and ``until`` are UTC: not before, not after. None: at once, and no matter how late.
    """

    id: str
    seq: int
    scenario: str
    channel: ChannelKind
    entry: str
    seed: int
    stratum: str = ""
    due: datetime | None = None
    until: datetime | None = None
    replaces: str | None = None


def attempt_id(seq: int, width: int, scenario: str, entry: str) -> str:
    """Returns the id of an attempt, which also names its folder."""
    return f"a{seq:0{width}}-{scenario}-{entry}"
