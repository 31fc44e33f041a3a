"""Dispatching: what a session costs beyond itself, and how long it takes from its claim to its first packet."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from harness.campaign import Campaign
from harness.crew import Crew
from harness.inputs import Inputs
from harness.ledger.ledger import Ledger
from harness.plan import LoadedPlan, Plan, draw_up
from probes.clock import Clock
from probes.probe import Assignment, without_probing
from probes.session import Event, Outcome, Session
from probes.target import Line, Target
from probes.target_file import LoadedTarget
from results.run_folder import RunFolder
from scenarios.catalogue import load


class InstantCrew:
    """Sessions that end as soon as they begin, so that all that is left to measure is ours."""

    whole = True

    async def carry_out(self, job: Assignment) -> Session:
        """Returns an answered session."""
        session = without_probing(job, Outcome.ANSWERED, "")
        session.timeline.extend(Event(kind=kind, t=0.0, method="callback") for kind in ("dialled", "connected"))
        return session

    async def obstacle(self) -> str | None:
        """Nothing is in the way."""
        return None

    async def hang_up(self, reason: str, attempts: Collection[str]) -> None:
        """Nothing is under way."""


@asynccontextmanager
async def _hired() -> AsyncIterator[Crew]:
    yield InstantCrew()


def measure_dispatch(n: int = 300) -> dict[str, float]:
    """Runs a campaign of ``n`` attempts, all due at once, through ledger, policy and dispatcher.

    Returns:
        ``cpu_ms`` and ``wall_ms`` a session, its files on the disk and three transactions included.
    """
    uri = "sip:95001@127.0.0.1"
    target = Target(format=1, name="bench", lines={"main": Line(uri=uri, channels=n)})
    rows = [{"scenario": "S01", "channel": "voice", "entry": "main", "count": n}]
    plan = {"format": 1, "name": "bench", "seed": 1, "attempts": rows, "at_once": {"voice": 4, "chat": 1}}
    with tempfile.TemporaryDirectory(prefix="bench-dispatch-") as name:
        folder = Path(name)
        files = Inputs(
            plan=LoadedPlan.of(Plan.model_validate(plan)),
            target=LoadedTarget(target, folder, folder / "target.yaml", ""),
            scripts={"S01": load("S01")},
            authorisation=None,
        )
        run = RunFolder(folder / "run")
        run.sessions_dir.mkdir(parents=True)
        ledger, clock = Ledger(f"sqlite:///{run.attempts}"), Clock()
        work = Campaign("bench", files, ledger, run, clock=clock, crew=_hired)
        work.create(draw_up(files.plan, target, files.scenarios, now=clock.utc()))
        cpu, wall = time.process_time(), time.perf_counter()
        asyncio.run(work.run(stay=False))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        assert len(work.sessions()) == n
        ledger.close()
    return {"cpu_ms": cpu / n * 1000, "wall_ms": wall / n * 1000}


def claim_to_dial(folder: RunFolder) -> list[float]:
    """Returns, for each session of a run of `shopper probe`, the seconds from its claim to its INVITE or page load."""
    ledger = Ledger(f"sqlite:///{folder.attempts}")
    claimed = {row.id: row.claimed for row in ledger.attempts(folder.info().id)}
    ledger.close()
    return sorted(
        (session.anchor_utc - begun).total_seconds()
        for session in folder.sessions()
        if (begun := claimed[session.attempt.id]) is not None
    )
