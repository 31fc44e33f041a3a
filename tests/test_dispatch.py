"""What the dispatcher does when an answer of the ledger is lost, and when somebody objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.campaign import Campaign, finished
from harness.ledger.rows import Wanted
from harness.plan import draw_up
from harness.worker import ProbingProcess, hang_up
from probes.probe import Assignment
from probes.session import Event, Outcome, Session
from scenarios.errors import LedgerUnavailable, ToolMissing
from tests import virtual_time
from tests.test_campaign_disk import DAY
from tests.test_campaign_weeks import START, PatientCrew, WeeksClock, campaign, inputs


def run(work: Campaign, *, stay: bool = True) -> None:
    async def go() -> None:
        files = work.inputs
        work.create(draw_up(files.plan, files.target.target, files.scenarios, now=START))
        await asyncio.sleep(7200)  # ten o'clock: something is due
        await work.run(stay=stay)

    virtual_time.run(go())


def losing_its_answer(call: Callable[..., Any], at: int) -> Callable[..., Any]:
    """Does what ``call`` does, but the ``at``-th time its answer never arrives."""
    times = 0

    def called(*arguments: Any, **more: Any) -> Any:
        nonlocal times
        times += 1
        answer = call(*arguments, **more)
        if times == at:
            raise LedgerUnavailable("the line went down before the answer came")
        return answer

    return called


def make(folder: Path, crew: PatientCrew | None = None) -> tuple[Campaign, PatientCrew]:
    crew = crew or PatientCrew(WeeksClock())
    return campaign(folder, inputs(folder, **DAY), crew.clock, crew), crew


def test_a_claim_whose_answer_was_lost_is_ended_and_the_others_go_on(tmp_path: Path) -> None:
    work, crew = make(tmp_path)
    work.ledger.claim = losing_its_answer(work.ledger.claim, at=5)  # type: ignore[method-assign]
    run(work)
    rows = work.ledger.attempts("c1")
    [orphan] = [row for row in rows if row.outcome == "INVALID"]
    assert finished(work.ledger, "c1")
    assert "was never dialled" in orphan.reason
    assert orphan.id not in crew.began
    assert len(crew.began) > 50


def test_an_ending_whose_answer_was_lost_is_told_and_counted_once(tmp_path: Path) -> None:
    work, crew = make(tmp_path)
    told: list[Session] = []
    work.listeners.session = told.append
    work.ledger.end = losing_its_answer(work.ledger.end, at=3)  # type: ignore[method-assign]
    run(work)
    assert finished(work.ledger, "c1")
    assert sorted(session.attempt.id for session in told if session.outcome != "MISSED") == sorted(crew.began)


@pytest.mark.parametrize("at", [1, 1000])
def test_an_objection_stops_the_campaign_even_if_the_ledger_goes_away_just_then(tmp_path: Path, at: int) -> None:
    class Objecting(PatientCrew):
        async def carry_out(self, job: Assignment) -> Session:
            session = await super().carry_out(job)
            session.timeline.append(Event(kind="objection", t=9.0, method="voice", data={"text": "请不要再打来"}))
            return session

        async def hang_up(self, reason: str, attempts: Any) -> None:
            assert "请不要再打来" in reason

    work, crew = make(tmp_path, Objecting(WeeksClock()))
    work.ledger.end = losing_its_answer(work.ledger.end, at=at)  # type: ignore[method-assign]
    run(work, stay=False)
    now = work.ledger.campaign("c1")
    assert now.wanted is Wanted.PAUSED
    assert "请不要再打来" in now.why
    assert len(crew.began) <= 2  # what was under way at the same time


def test_a_crew_that_goes_away_in_mid_campaign_is_waited_for(tmp_path: Path) -> None:
    class Leaving(PatientCrew):
        @property
        def whole(self) -> bool:
            return len(self.began) != 10 or self.away > 20

        away = 0

    work, crew = make(tmp_path, Leaving(WeeksClock()))
    said: list[str] = []
    work.listeners.trouble = said.append
    hired, asked = work.crew, 0

    def hire() -> Any:
        nonlocal asked
        asked += 1
        if len(crew.began) == 10 and crew.away <= 20:  # type: ignore[attr-defined]
            crew.away += 1  # type: ignore[attr-defined]
            return _Absent()
        assert hired is not None
        return hired()

    work.crew = hire
    run(work)
    assert finished(work.ledger, "c1")
    assert asked > 20
    assert [sentence for sentence in said if sentence.startswith("no crew yet")]
    assert len(crew.began) > 50


class _Absent:
    async def __aenter__(self) -> Any:
        raise ToolMissing("no scheduler answers")

    async def __aexit__(self, *_: object) -> None:
        raise AssertionError("it never came")


def test_who_is_stopped_never_begins_though_it_was_on_its_way(tmp_path: Path) -> None:
    work, _ = make(tmp_path)

    async def create() -> None:
        work.create(draw_up(work.inputs.plan, work.inputs.target.target, work.inputs.scenarios, now=START))

    virtual_time.run(create())
    first, second = work.ledger.attempts("c1")[:2]
    hang_up("c1", [first.id], "an objection")  # no attempt has come to this process yet
    process = ProbingProcess.get(tmp_path / "cache")
    try:
        session = process.run(process.probe(work._job(first), lambda _state: None))
        assert (session.outcome, session.reason) == (Outcome.BLOCKED, "an objection")
        assert ("c1", second.id) not in ProbingProcess._stopped
    finally:
        ProbingProcess.close()
