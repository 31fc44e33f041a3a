"""Four weeks of a campaign in seconds: the real ledger, plan, policy and dispatcher under the test's clock."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil
import pytest

from harness.campaign import Campaign, finished
from harness.dispatch import Rhythm
from harness.inputs import Inputs, read
from harness.ledger.ledger import Ledger
from harness.plan import draw_up
from probes.clock import Clock
from probes.probe import Assignment, without_probing
from probes.session import Event, Outcome, Session
from results.run_folder import RunFolder
from tests import virtual_time
from tests.shopper import write_yaml

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)  # 08:00 of a Monday
PLAN = {
    "format": 1,
    "name": "four weeks",
    "seed": 20261130,
    "window": {"from": "2026-11-30", "to": "2026-12-27"},
    "mix": [{"scenario": "S01", "share": "3/5"}, {"scenario": "S02", "share": "2/5"}],
    "strata": [
        {"entry": "hotline", "channel": "voice", "days": "workday", "hours": "09:00-12:00", "weight": 4},
        {"entry": "hotline", "channel": "voice", "days": "workday", "hours": "12:00-18:00", "weight": 5},
        {"entry": "hotline", "channel": "voice", "days": "weekend", "hours": "10:00-16:00", "weight": 1},
    ],
    "size": {"n": 2000},
    "gap_s": 45,
    "at_once": {"voice": 2, "chat": 1},
    "replace": {"outcomes": ["LOST", "INVALID"], "at_most": 20},
}


class WeeksClock(Clock):
    """UTC that moves with the loop's virtual time, and may be set."""

    def __init__(self) -> None:
        self.set_by = timedelta()

    def utc(self) -> datetime:
        return START + self.set_by + timedelta(seconds=asyncio.get_running_loop().time() - 1000.0)


class PatientCrew:
    """Sessions that take one to four minutes and end as drawn; remembers when each began."""

    whole = True

    def __init__(self, clock: Clock, seed: int = 5, outcomes: tuple[Outcome, ...] = (Outcome.ANSWERED,)) -> None:
        self.clock, self.draw, self.outcomes = clock, random.Random(seed), outcomes
        self.began: dict[str, datetime] = {}
        self.busy = self.most = 0

    async def carry_out(self, job: Assignment) -> Session:
        assert job.attempt.id not in self.began, "dialled twice"
        self.began[job.attempt.id] = self.clock.utc()
        self.busy += 1
        self.most = max(self.most, self.busy)
        seconds = self.draw.uniform(60, 240)
        await asyncio.sleep(seconds)
        self.busy -= 1
        outcome = self.draw.choice(self.outcomes)
        session = without_probing(job, outcome, "as drawn")
        for kind, t in (("dialled", 0.0), ("connected", 1.0), ("ended", seconds)):
            session.timeline.append(Event(kind=kind, t=t, method="callback"))
        return session

    async def obstacle(self) -> None:
        return None

    async def hang_up(self, reason: str, attempts: Collection[str]) -> None:
        raise AssertionError(f"nothing is to be hung up: {reason}")


def inputs(folder: Path, **changes: object) -> Inputs:
    write_yaml(
        folder / "target.yaml",
        {
            "format": 1,
            "name": "test",
            "lines": {
                "hotline": {"uri": "sip:95001@127.0.0.1:5999", "channels": 2},
                "branch": {"uri": "sip:95002@127.0.0.1:5998", "channels": 2},
            },
        },
    )
    write_yaml(folder / "plan.yaml", PLAN | changes)
    return read(folder / "plan.yaml", folder / "target.yaml", None, None)


def campaign(folder: Path, files: Inputs, clock: Clock, crew: PatientCrew, name: str = "c1") -> Campaign:
    run = RunFolder(folder / name)
    run.sessions_dir.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def hired():
        yield crew

    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    rhythm = Rhythm(poll_s=6 * 3600, beat_s=86400)
    return Campaign(name, files, ledger, run, clock=clock, rhythm=rhythm, crew=hired)


def test_two_thousand_attempts_in_four_weeks_each_in_its_window_and_gap(tmp_path: Path) -> None:
    files, clock = inputs(tmp_path), WeeksClock()
    crew = PatientCrew(clock, outcomes=(Outcome.ANSWERED,) * 40 + (Outcome.LIMIT,) * 9 + (Outcome.INVALID,))
    work = campaign(tmp_path, files, clock, crew)

    async def go() -> None:
        work.create(draw_up(files.plan, files.target.target, files.scenarios, now=START))
        await work.run(stay=True)

    virtual_time.run(go())
    rows = work.ledger.attempts("c1")
    replaced = [row for row in rows if row.replaces]

    assert finished(work.ledger, "c1")
    assert len(rows) - len(replaced) == 2000
    assert len(replaced) == 20  # the ceiling of the rule: about forty sessions were INVALID
    assert {row.id for row in rows if row.outcome != "MISSED"} == set(crew.began)
    assert crew.most <= 2
    for row in rows:
        if row.id in crew.began:
            assert row.until is not None
            assert row.due <= crew.began[row.id] <= row.until
    starts = sorted(crew.began.values())
    assert min((b - a).total_seconds() for a, b in pairwise(starts)) >= 45
    local = Counter((begun.astimezone(ZONE).weekday() < 5, begun.astimezone(ZONE).hour) for begun in starts)
    assert {hour for workday, hour in local if workday} == set(range(9, 18))
    assert {hour for workday, hour in local if not workday} == set(range(10, 16))
    assert len([row for row in rows if row.outcome == "MISSED"]) < 20  # two at once for four minutes: hardly any wait
    assert len(work.sessions()) == len(rows)


def test_a_clock_that_is_set_makes_attempts_missed_at_most_and_never_double(tmp_path: Path) -> None:
    files, clock = inputs(tmp_path, size={"n": 400}), WeeksClock()
    crew = PatientCrew(clock)
    work = campaign(tmp_path, files, clock, crew)

    async def set_it() -> None:
        for hours in (1, -1, -1, 1):
            await asyncio.sleep(86400 * 3 + 7200)
            clock.set_by += timedelta(hours=hours)

    async def go() -> None:
        work.create(draw_up(files.plan, files.target.target, files.scenarios, now=START))
        setting = asyncio.create_task(set_it())
        await work.run(stay=True)
        await setting

    virtual_time.run(go())
    rows = work.ledger.attempts("c1")

    assert finished(work.ledger, "c1")
    assert {row.outcome for row in rows} <= {"ANSWERED", "MISSED"}
    assert len(crew.began) >= 380
    assert [note.text for note in work.ledger.notes("c1") if note.kind == "clock"]
    for row in rows:
        if row.id in crew.began:
            assert row.due <= crew.began[row.id] <= row.until


def test_two_campaigns_on_one_ledger_share_a_line(tmp_path: Path) -> None:
    clock = WeeksClock()
    crew = PatientCrew(clock)
    works = []
    for name in ("c1", "c2"):
        (tmp_path / f"files-{name}").mkdir()
        works.append(campaign(tmp_path, inputs(tmp_path / f"files-{name}", size={"n": 60}), clock, crew, name))

    class Named:
        """One crew for both: attempts of two campaigns may have the same id."""

        whole = True

        def __init__(self, name: str) -> None:
            self.name = name

        async def carry_out(self, job: Assignment) -> Session:
            key = job.attempt.model_copy(update={"id": f"{self.name}-{job.attempt.id}"})
            session = await crew.carry_out(Assignment(**(vars(job) | {"attempt": key})))
            session.attempt = job.attempt
            return session

        async def obstacle(self) -> None:
            return None

        async def hang_up(self, reason: str, attempts: Collection[str]) -> None:
            raise AssertionError(reason)

    def hire(work: Campaign) -> None:
        @asynccontextmanager
        async def hired():
            yield Named(work.id)

        work.crew = hired

    async def go() -> None:
        for work in works:
            hire(work)
            work.create(draw_up(work.inputs.plan, work.inputs.target.target, work.inputs.scenarios, now=START))
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work.run(stay=True))

    virtual_time.run(go())
    starts = sorted(crew.began.values())

    assert len(starts) >= 110
    assert crew.most <= 2
    assert min((b - a).total_seconds() for a, b in pairwise(starts)) >= 45


def test_three_network_failures_in_a_row_pause_their_line_and_no_other(tmp_path: Path) -> None:
    strata = [
        {"entry": entry, "channel": "voice", "days": "any", "hours": "09:00-18:00", "weight": 1}
        for entry in ("hotline", "branch")
    ]
    files, clock = inputs(tmp_path, size={"n": 40}, strata=strata), WeeksClock()

    class DeadLine(PatientCrew):
        async def carry_out(self, job: Assignment) -> Session:
            self.outcomes = (Outcome.NET_FAIL if job.attempt.entry == "hotline" else Outcome.ANSWERED,)
            return await super().carry_out(job)

    crew = DeadLine(clock)
    work = campaign(tmp_path, files, clock, crew)

    async def go() -> None:
        work.create(draw_up(files.plan, files.target.target, files.scenarios, now=START))
        await work.run(stay=True)

    virtual_time.run(go())
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in work.ledger.attempts("c1"):
        outcomes[row.entry][str(row.outcome)] += 1

    assert outcomes["branch"] == {"ANSWERED": 20}
    assert outcomes["hotline"] == {"NET_FAIL": 3, "MISSED": 17}
    assert [pause.entry for pause in work.ledger.pauses("c1")] == ["hotline"]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_year_of_ten_thousand_attempts_needs_no_more_memory_than_a_month(tmp_path: Path) -> None:
    files = inputs(tmp_path, size={"n": 10_000}, window={"from": "2026-11-30", "to": "2027-11-28"})
    clock, process = WeeksClock(), psutil.Process()
    held: dict[int, int] = {}  # bytes, by how many sessions have ended

    class Weighing(PatientCrew):
        async def carry_out(self, job: Assignment) -> Session:
            session = await super().carry_out(job)
            if len(self.began) % 1000 == 0:
                held[len(self.began)] = process.memory_info().rss
            return session

    crew = Weighing(clock)
    work = campaign(tmp_path, files, clock, crew)

    async def go() -> None:
        work.create(draw_up(files.plan, files.target.target, files.scenarios, now=START))
        await work.run(stay=True)

    virtual_time.run(go())
    print("RSS, MB:", {count: round(size / 1e6) for count, size in held.items()})
    assert finished(work.ledger, "c1")
    assert len(crew.began) > 9_500
    assert held[max(held)] - held[2000] < 30e6
