"""The ledger: claims and endings a second, on both databases, and how they hold up as it grows."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.bench.postgres import Postgres
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Ceilings, Claimed, NewAttempt, NewCampaign

SIZES = (1_000, 10_000, 100_000)
CLAIMS = 300
START = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
CEILINGS = Ceilings(
    at_once=50,
    per_hour=1_000_000,
    per_day=1_000_000,
    minutes=1e9,
    money=1e9,
    per_channel={"voice": 50},
    per_address={"sip:95001@127.0.0.1": 50},
    gap_s=0.001,
)


def measure_ledger(url: str, rows: int) -> dict[str, float]:
    """Fills a new campaign with ``rows`` attempts and claims and ends some of them, every ceiling in force.

    Args:
        url: an empty ledger.
        rows: attempts.

    Returns:
        ``create_s`` of the whole campaign, ``claims_per_s``, ``ends_per_s``, ``looks_per_s`` (what a runner asks each
        time it wakes).
    """
    ledger = Ledger(url)
    started = time.perf_counter()
    campaign = NewCampaign(id="bench", name="bench", client="bench", plan_sha256="", created=START)
    ledger.create(campaign, [_attempt(number) for number in range(1, rows + 1)])
    found = {"create_s": time.perf_counter() - started}
    lease = ledger.take("bench", "bench", over=None, now=START)
    assert lease is not None
    spent = {"claims": 0.0, "ends": 0.0, "looks": 0.0}
    for number in range(CLAIMS):
        now = START + timedelta(seconds=number)
        began = time.perf_counter()
        ledger.look("bench", now)
        looked = time.perf_counter()
        claim = ledger.claim(lease, f"a{number + 1:06d}", now, CEILINGS)
        claimed = time.perf_counter()
        assert claim == Claimed(), claim
        ledger.end("bench", f"a{number + 1:06d}", "ANSWERED", "", now, connected=True, seconds=60, cost=0.1)
        ended = time.perf_counter()
        for name, seconds in (("looks", looked - began), ("claims", claimed - looked), ("ends", ended - claimed)):
            spent[name] += seconds
    ledger.close()
    return found | {f"{name}_per_s": CLAIMS / seconds for name, seconds in spent.items()}


def measure_ledgers(sizes: tuple[int, ...] = SIZES) -> dict[tuple[str, int], dict[str, float]]:
    """Returns :func:`measure_ledger` by database and number of attempts."""
    found = {}
    with Postgres() as server, tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder:
        for rows in sizes:
            found["SQLite", rows] = measure_ledger(f"sqlite:///{Path(folder) / f'{rows}.sqlite'}", rows)
            found["PostgreSQL", rows] = measure_ledger(server.new_database(), rows)
    return found


def _attempt(number: int) -> NewAttempt:
    return NewAttempt(
        id=f"a{number:06d}",
        seq=number,
        scenario="S01",
        channel="voice",
        entry="main",
        address="sip:95001@127.0.0.1",
        seed=number,
        due=START + timedelta(seconds=number - 1),
        session_s=120.0,
    )
