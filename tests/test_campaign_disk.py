"""A campaign whose disk or database goes away for a while: nothing is dialled meanwhile, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from harness.bench.postgres import Postgres
from harness.campaign import Campaign, finished
from harness.ledger.ledger import Ledger
from harness.plan import draw_up
from tests import virtual_time
from tests.small_disk import fill_up, read_only, small_disk
from tests.test_campaign_weeks import START, PatientCrew, WeeksClock, campaign, inputs

AWAY_FROM_S, AWAY_UNTIL_S = 2 * 3600 + 300, 2 * 3600 + 900  # ten minutes of the first morning
HOURS = {"entry": "hotline", "channel": "voice", "days": "workday", "hours": "09:00-18:00"}
DAY = {"strata": [HOURS], "window": {"from": "2026-11-30", "to": "2026-11-30"}, "size": {"n": 60}}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


def live_through(work: Campaign, crew: PatientCrew, away: Callable[[], None], back: Callable[[], None]) -> list[str]:
    """Runs the campaign while something goes away and comes back; returns what it said of that."""
    said: list[str] = []
    work.listeners.trouble = said.append
    work.spare = 100_000
    clock = work.clock
    gone: list[datetime] = []

    async def outage() -> None:
        await asyncio.sleep(AWAY_FROM_S)
        while not crew.busy:  # noqa: ASYNC110 - a session that ends while nothing can be written
            await asyncio.sleep(1)
        away()
        gone.append(clock.utc())
        await asyncio.sleep(AWAY_UNTIL_S - AWAY_FROM_S)
        back()
        gone.append(clock.utc())

    async def go() -> None:
        files = work.inputs
        work.create(draw_up(files.plan, files.target.target, files.scenarios, now=START))
        away_and_back = asyncio.create_task(outage())
        await work.run(stay=True)
        await away_and_back

    virtual_time.run(go())
    rows = work.ledger.attempts("c1")
    sessions = {session.attempt.id: session.outcome for session in work.sessions()}
    assert finished(work.ledger, "c1")
    assert {row.id: row.outcome for row in rows} == sessions
    assert {row.id for row in rows if row.outcome != "MISSED"} == set(crew.began)  # whoever began has an end
    assert not [begun for begun in crew.began.values() if gone[0] < begun < gone[1]]
    assert [begun for begun in crew.began.values() if begun > gone[1]]
    assert len(crew.began) >= 50
    assert all(row.outcome in ("ANSWERED", "MISSED") for row in rows)
    return said


def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4096) as disk:
        clock = WeeksClock()
        crew = PatientCrew(clock)
        work = campaign(disk, inputs(disk, **DAY), clock, crew)
        said = live_through(work, crew, lambda: fill_up(disk) and None, (disk / "ballast").unlink)
        work.ledger.close()
    assert [sentence for sentence in said if "full" in sentence or "MB are free" in sentence]


def test_a_results_folder_that_is_read_only_for_a_while(tmp_path: Path) -> None:
    """The ledger is elsewhere and works: an attempt that could not be written down is not begun."""
    with small_disk(tmp_path / "disk", 4096) as disk:
        clock = WeeksClock()
        crew = PatientCrew(clock)
        work = campaign(disk, inputs(tmp_path, **DAY), clock, crew)
        work.ledger.close()
        work.ledger = Ledger(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
        said = live_through(work, crew, lambda: read_only(disk, True), lambda: read_only(disk, False))
        work.ledger.close()
    assert [sentence for sentence in said if "cannot be written" in sentence]


def test_a_database_server_that_is_away_for_a_while(tmp_path: Path, server: Postgres) -> None:
    clock = WeeksClock()
    crew = PatientCrew(clock)
    work = campaign(tmp_path, inputs(tmp_path, **DAY), clock, crew)
    work.ledger.close()
    work.ledger = Ledger(server.new_database())
    said = live_through(work, crew, lambda: server.stop("immediate"), server.start)
    work.ledger.close()
    assert [sentence for sentence in said if "cannot be used now" in sentence]
