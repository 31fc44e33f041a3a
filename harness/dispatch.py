"""Dispatch: hands due attempts to workers, as many at once as the plan, the lines and the workers allow.

The engine underneath is Dask. It never decides whether to call: an attempt is claimed in the store before it is handed
out, is handed out once, and if its worker dies it becomes LOST.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster

from harness.worker import SESSION_FILE, TOPIC, CloseEquipment, carry_out, write_session
from probes.clock import Clock
from probes.probe import Assignment, without_probing
from probes.session import Outcome, Session
from probes.voice.leg import CALLS_PER_PROCESS
from results.store import Store
from scenarios.errors import PolicyRefused, ToolMissing
from scenarios.model import ChannelKind

log = logging.getLogger(__name__)
SILENCE_S = 180.0
CHATS_PER_WORKER = 20  # one browser carries so many on two cores (docs/chat.md)


@dataclass(frozen=True)
class Limits:
    """How much may happen at once."""

    at_once: dict[ChannelKind, int]
    per_entry: dict[str, int]
    gap_s: float = 0.0
    total: int | None = None  # the authorisation's ceiling on everything at once


@dataclass
class _Books:
    """What is under way, and when each entry was last started."""

    running: dict[asyncio.Task[None], Assignment] = field(default_factory=dict)
    lost: list[tuple[float, Assignment]] = field(default_factory=list)  # (until, ...): perhaps still up at the centre
    started: dict[str, float] = field(default_factory=dict)

    def room(self, job: Assignment, limits: Limits) -> bool:
        attempts = [other.attempt for other in (*self.running.values(), *(lost for _, lost in self.lost))]
        if limits.total is not None and len(attempts) >= limits.total:
            return False
        channels = Counter(attempt.channel for attempt in attempts)
        entries = Counter(attempt.entry for attempt in attempts)
        kind, entry = job.attempt.channel, job.attempt.entry
        return channels[kind] < limits.at_once[kind] and entries[entry] < limits.per_entry.get(entry, 1)

    def wait(self, job: Assignment, limits: Limits, now: float) -> float:
        last = self.started.get(job.attempt.entry)
        return 0.0 if last is None else max(0.0, last + limits.gap_s - now)


async def dispatch(
    jobs: Sequence[Assignment],
    *,
    store: Store,
    limits: Limits,
    cache: Path,
    permit: Callable[[Assignment], None],
    scheduler: str | None = None,
    on_state: Callable[[str, str], None] = lambda _attempt, _state: None,
    on_session: Callable[[Session], None] = lambda _session: None,
) -> None:
    """Carries out ``jobs``. Each one is ended in the store when this returns.

    Args:
        jobs: what is to be done, in order.
        store: where each attempt has its row, due.
        limits: what may happen at once.
        cache: folder for synthesised speech, shared by workers of one machine.
        permit: asked at the instant before each attempt is claimed; raises PolicyRefused to forbid it.
        scheduler: address of a Dask scheduler (``tcp://…``), or None for workers of our own.
        on_state: told (attempt, state) as calls and chats go on.
        on_session: told each session as it ends.
    """
    kinds = Counter(job.attempt.channel for job in jobs)
    waiting, books = list(jobs), _Books()

    def end(job: Assignment, session: Session) -> None:
        store.end(job.attempt.id, session.outcome, session.reason)
        on_session(session)

    def heard(event: Any) -> None:
        on_state(event[1]["attempt"], event[1]["state"])

    try:
        async with _cluster(scheduler, kinds, limits) as client:
            client.subscribe_topic(TOPIC, heard)
            await client.register_plugin(CloseEquipment())
            await _run(client, waiting, books, store, limits, cache, permit, end)
    except asyncio.CancelledError:
        # Stopped from outside. The workers were closed first, and so hung up; now each attempt gets its one outcome.
        for job in books.running.values():
            end(job, _recovered(job, Outcome.INVALID, "the run was stopped; we hung up"))
        for job in waiting:
            end(job, _recorded(job, Outcome.MISSED, "the run was stopped before its turn"))
        raise


class _cluster:  # noqa: N801 - used as a function
    """Our own workers, or somebody's scheduler."""

    def __init__(self, scheduler: str | None, kinds: Counter[ChannelKind], limits: Limits) -> None:
        self.scheduler, self.kinds, self.limits = scheduler, kinds, limits
        self.cluster: Any = None

    async def __aenter__(self) -> Any:
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 0,
                "distributed.worker.daemon": False,
                # Upkeep that costs more than the probing itself on a small machine.
                "distributed.worker.profile.enabled": False,
                "distributed.admin.tick.interval": "1s",
                "distributed.admin.system-monitor.interval": "5s",
                "distributed.comm.timeouts.connect": "20s",
            }
        )
        for name in ("distributed", "distributed.nanny", "distributed.scheduler", "distributed.worker"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.scheduler is None:
            self.cluster = await SpecCluster(
                workers=self._workers(),
                scheduler={
                    "cls": Scheduler,
                    "options": {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
                },
                asynchronous=True,
                silence_logs=logging.CRITICAL,
            )
        try:
            self.client = await Client(self.cluster or self.scheduler, asynchronous=True, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise ToolMissing(f"no Dask scheduler answers at {self.scheduler}: {error}") from error
        workers = (await self.client.scheduler.identity())["workers"].values()
        offered = {name for worker in workers for name in worker["resources"]}
        if missing := [kind for kind in self.kinds if kind not in offered]:
            await self.__aexit__()
            raise ToolMissing(f"no worker offers {missing[0]}: start workers with --resources 'voice=4 chat=20'")
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        if self.cluster is not None:
            await self.cluster.close()

    def _workers(self) -> dict[str, Any]:
        workers = {}
        for kind, size in (("voice", CALLS_PER_PROCESS), ("chat", CHATS_PER_WORKER)):
            wanted = min(self.kinds[kind], self.limits.at_once[kind])  # type: ignore[index]
            for index in range(-(-wanted // size)):
                slots = min(size, wanted - index * size)
                workers[f"{kind}-{index + 1}"] = {
                    "cls": Nanny,
                    "options": {
                        "host": "127.0.0.1",
                        "nthreads": slots,
                        "resources": {kind: slots},
                        "memory_limit": 0,
                        "dashboard": False,
                        "silence_logs": logging.CRITICAL,
                    },
                }
        return workers


async def _run(
    client: Any,
    waiting: list[Assignment],
    books: _Books,
    store: Store,
    limits: Limits,
    cache: Path,
    permit: Callable[[Assignment], None],
    end: Callable[[Assignment, Session], None],
) -> None:
    clock = Clock()

    async def one(job: Assignment) -> None:
        session = await _hand_out(client, job, cache)
        if session.outcome is Outcome.LOST:  # its call may stay up until the centre notices: its place stays taken
            books.lost.append((clock.monotonic() + job.limits.session_s, job))
        end(job, session)

    try:
        while waiting or books.running:
            now = clock.monotonic()
            books.lost = [(until, job) for until, job in books.lost if until > now]
            free = [job for job in waiting if books.room(job, limits)]
            pauses = [books.wait(job, limits, now) for job in free]
            releases = [until - now for until, _ in books.lost]
            ready = next((job for job, pause in zip(free, pauses, strict=True) if pause == 0), None)
            if ready is not None:
                waiting.remove(ready)
                try:
                    permit(ready)
                except PolicyRefused as refusal:
                    end(ready, _recorded(ready, Outcome.BLOCKED, str(refusal)))
                    continue
                if store.claim(ready.attempt.id):
                    books.started[ready.attempt.entry] = now
                    books.running[asyncio.create_task(one(ready))] = ready
                continue
            if not books.running:
                await asyncio.sleep(min([*pauses, *releases]))
                continue
            done, _ = await asyncio.wait(
                books.running, timeout=min([*pauses, *releases], default=None), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                books.running.pop(task)
                task.result()
    except asyncio.CancelledError:
        for task in books.running:
            task.cancel()
        await asyncio.gather(*books.running, return_exceptions=True)
        raise


async def _hand_out(client: Any, job: Assignment, cache: Path) -> Session:
    """Hands one claimed attempt to a worker and returns its session; LOST if nobody can say how it ended."""
    future = client.submit(
        carry_out,
        job,
        cache,
        key=f"{job.attempt.run}/{job.attempt.id}",
        pure=False,
        retries=0,
        resources={job.attempt.channel: 1},
    )
    try:
        # A worker that says nothing for so long after the session's own limit is as good as dead.
        session: Session = await asyncio.wait_for(future, job.limits.session_s + SILENCE_S)
        if session.outcome is Outcome.LOST:
            return _recovered(job, Outcome.LOST, session.reason)
        return session
    except Exception as error:
        log.debug("attempt %s: %r", job.attempt.id, error)
        return _recovered(job, Outcome.LOST, f"its worker died ({type(error).__name__}); how it ended is unknown")


def _recovered(job: Assignment, outcome: Outcome, reason: str) -> Session:
    """Takes the session that its worker had written before it went, or records that there is none."""
    file = job.folder / SESSION_FILE
    if file.exists():
        return Session.model_validate_json(file.read_text(encoding="utf-8"))
    return _recorded(job, outcome, reason)


def _recorded(job: Assignment, outcome: Outcome, reason: str) -> Session:
    session = without_probing(job, outcome, reason)
    write_session(job.folder, session)
    return session
