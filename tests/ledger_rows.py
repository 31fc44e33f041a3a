"""Campaigns and attempts for tests of the ledger, and ledgers of both kinds to put them in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.ledger.ledger import Ledger
from harness.ledger.rows import Ceilings, Claimed, Lease, NewAttempt, NewCampaign

T0 = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)  # ten in the morning in China
FREE = Ceilings()


def after(seconds: float) -> datetime:
    """Returns the instant so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def attempt(number: int, **more: Any) -> NewAttempt:
    """Returns a due attempt called ``aNNNN``: a call to the main line, due at T0, of at most two minutes."""
    known: dict[str, Any] = {
        "id": f"a{number:04d}", "seq": number, "scenario": "S01", "channel": "voice", "entry": "main",
        "address": "sip:95001@127.0.0.1", "seed": number, "due": T0, "session_s": 120.0,
    }  # fmt: skip
    return NewAttempt(**(known | more))


def begin(ledger: Ledger, attempts: Sequence[NewAttempt], name: str = "c1", client: str = "bank") -> Lease:
    """Creates a campaign with these attempts and takes its lease."""
    ledger.create(NewCampaign(id=name, name=name, client=client, plan_sha256="0" * 64, created=T0), attempts)
    lease = ledger.take(name, "tester", over=None, now=T0)
    assert lease is not None
    return lease


def claims(ledger: Ledger, lease: Lease, number: int, at: datetime = T0, ceilings: Ceilings = FREE) -> bool:
    """Says whether attempt ``number`` could be claimed."""
    return ledger.claim(lease, f"a{number:04d}", at, ceilings) == Claimed()
