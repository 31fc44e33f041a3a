"""Nothing is lost and nobody is called twice, whatever is killed, whenever."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import calibration
from harness.bench.postgres import Postgres
from harness.campaign_folder import CampaignFolder
from harness.ledger.rows import State
from probes.session import Outcome
from tests.chaos import Chaos

SHORT = {"voice": 3, "chats": 17, "at_once": 3, "kills": 6, "rest_s": 6.0, "seed": 11, "limit_s": 220.0}
LONG = {"voice": 60, "chats": 140, "at_once": 3, "kills": 50, "rest_s": 22.0, "seed": 12, "limit_s": 2400.0}


@pytest.fixture
def database() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


def attack(tmp_path: Path, database: Postgres, **size: float) -> None:
    chaos = Chaos(tmp_path, database, **size)
    asyncio.run(chaos.run())
    print(f"killed: {dict(Counter(chaos.killed))}")

    place = CampaignFolder(tmp_path / "audit")
    ledger = place.ledger()
    rows = ledger.attempts(place.record().campaign)
    ledger.close()
    planned = int(size["voice"] + size["chats"])
    sessions = {session.attempt.id: session for session in place.run.sessions()}
    dialled = [s for s in sessions.values() if any(e.kind in ("dialled", "page_loaded") for e in s.timeline)]
    records = Counter(row["session"] for row in chaos.truth())
    lost = [row for row in rows if row.outcome == Outcome.LOST]

    assert len(chaos.killed) == size["kills"], "it was over before it had been attacked as often as it should be"
    print(f"outcomes: {dict(Counter(row.outcome for row in rows))}")

    # one end for each
    assert chaos.code in (0, 1)
    assert len(rows) == planned
    assert {row.state for row in rows} == {State.ENDED}
    assert {row.id: row.outcome for row in rows} == {name: s.outcome for name, s in sessions.items()}

    # nobody twice: every call and chat that the centre saw belongs to one session, or to one attempt that is LOST
    pairs = calibration.pair(dialled, chaos.centre.truth)
    matched = [pair.truth[0]["session"] for pair in pairs if pair.truth]
    assert len(matched) == len(set(matched))
    wordless = [pair for pair in pairs if not pair.truth]  # the switch ended them before a word or key could be paired
    assert len(set(records) - set(matched)) <= len(lost) + len(wordless)
    assert len(records) <= sum(row.claimed is not None for row in rows)

    # what was finished is whole
    for session in dialled:
        for item in session.evidence:
            content = place.run.evidence(session, item).read_bytes()
            told = (session.attempt.id, session.outcome, session.reason)
            assert (len(content), hashlib.sha256(content).hexdigest()) == (item.bytes, item.sha256), told

    # the kill switch: hung up within a second, and nothing dialled while it was pulled
    first = {}
    for row in chaos.truth():
        first.setdefault(row["session"], row["t_mono"])
    assert not [name for name, t in first.items() if chaos.stopped_at + 0.5 < t < chaos.resumed_at]
    ours = set(matched)  # a call whose worker was killed before is up until the centre ends it: nobody can hang it up
    ends = [
        row["t_mono"] - chaos.stopped_at for row in chaos.truth() if row["event"] == "end" and row["session"] in ours
    ]
    assert not [late for late in ends if 1.5 < late < chaos.resumed_at - chaos.stopped_at]


@pytest.mark.realtime
@pytest.mark.long
def test_a_small_campaign_survives_six_kills_and_the_switch(tmp_path: Path, database: Postgres) -> None:
    attack(tmp_path, database, **SHORT)


@pytest.mark.chaos
@pytest.mark.timeout(3000)
def test_two_hundred_attempts_survive_fifty_kills(tmp_path: Path, database: Postgres) -> None:
    attack(tmp_path, database, **LONG)
