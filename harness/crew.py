"""The crew: the workers that carry attempts out. The engine underneath is Dask; it never decides whether to call.

An attempt is handed out once, with no retries. If its worker dies it becomes LOST, unless the session was written
before; who decides that nothing is dialled again is the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.client import FutureCancelledError

from harness.worker import SESSION_FILE, TOPIC, CloseEquipment, carry_out, hang_up
from probes.probe import Assignment, without_probing
from probes.session import Outcome, Session
from probes.voice.leg import CALLS_PER_PROCESS
from scenarios.errors import ToolMissing
from scenarios.model import ChannelKind

log = logging.getLogger(__name__)
SILENCE_S = 180.0  # a worker that says nothing for so long after the session's own limit is as good as dead
LINGER_S = 15.0  # for workers to hang up and write, once the scheduler between us is gone
CHATS_PER_WORKER = 20  # one browser carries so many on two cores (docs/chat.md)
_SLOTS: Mapping[ChannelKind, int] = {"voice": CALLS_PER_PROCESS, "chat": CHATS_PER_WORKER}


class Crew(Protocol):
    """Whoever carries attempts out."""

    async def carry_out(self, job: Assignment) -> Session:
        """Carries out one claimed attempt; LOST if nobody can say how it ended. Raises nothing but its cancellation."""

    async def hang_up(self, reason: str, attempts: Collection[str]) -> None:
        """Ends these attempts, and lets none of them begin any more; each of them still returns its session."""

    @property
    def whole(self) -> bool:
        """Whether attempts can be handed out: False once the way to the workers is broken."""

    async def obstacle(self) -> str | None:
        """Says in one sentence what an attempt that is handed out now would wait for; None: nothing."""


@dataclass(frozen=True)
class Needs:
    """What the crew is to carry: sessions at once by channel, and which resources one attempt takes together."""

    at_once: Mapping[ChannelKind, int]
    together: frozenset[frozenset[str]] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """The names of all sites and trunks."""
        return frozenset().union(*self.together) - set(self.at_once)

    @classmethod
    def of(cls, jobs: Iterable[Assignment], at_once: Mapping[ChannelKind, int]) -> Needs:
        """Returns what ``jobs`` need when at most ``at_once`` of them run at the same time."""
        jobs = list(jobs)
        wanted = Counter(job.attempt.channel for job in jobs)
        together = frozenset(frozenset(resources(job)) for job in jobs)
        return cls({kind: min(count, at_once[kind]) for kind, count in wanted.items()}, together)


def resources(job: Assignment) -> dict[str, int]:
    """Returns the worker resources that one attempt takes: a slot of its channel, and one of its site and its trunk."""
    taken: dict[str, int] = {job.attempt.channel: 1}
    if job.attempt.channel == "voice":
        line = job.target.lines[job.attempt.entry]
        trunk = None if line.trunk is None else job.target.trunks[line.trunk]
        if trunk is not None:
            taken[f"trunk-{line.trunk}"] = 1
            if trunk.site is not None:
                taken[f"site-{trunk.site}"] = 1
    return taken


class DaskCrew:
    """Our own workers on this machine, or those of somebody's scheduler. ``async with DaskCrew(...) as crew: ...``"""

    def __init__(
        self,
        needs: Needs,
        *,
        run: str,
        cache: Path,
        scheduler: str | None = None,
        on_state: Callable[[str, str], None] = lambda _attempt, _state: None,
    ) -> None:
        """Prepares a crew; nothing is started yet.

        Args:
            needs: what it is to carry.
            run: the run for which it works.
            cache: folder of synthesised speech, shared by the workers of one machine.
            scheduler: ``tcp://…`` or ``tls://…`` of a Dask scheduler; None makes workers of our own.
            on_state: told (attempt, state) as calls and chats go on.
        """
        self.needs, self.run, self.cache, self.scheduler, self.on_state = needs, run, cache, scheduler, on_state
        self._cluster: Any = None
        self._client: Any = None

    async def __aenter__(self) -> DaskCrew:
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
            | ({"distributed.comm.require-encryption": False} if self.scheduler is None else {})  # loopback only
        )
        for name in (
            "distributed",
            "distributed.client",
            "distributed.nanny",
            "distributed.scheduler",
            "distributed.worker",
        ):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            return await self._start()
        except BaseException:
            await self.__aexit__()
            raise

    async def _start(self) -> DaskCrew:
        if self.scheduler is None:
            nowhere = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
            self._cluster = SpecCluster(
                workers=self._workers(),
                scheduler={"cls": Scheduler, "options": nowhere},
                asynchronous=True,
                silence_logs=logging.CRITICAL,
            )
            try:
                await self._cluster
            except RuntimeError as error:
                raise ToolMissing(f"the workers of this machine do not start: {error}") from error
        try:
            self._client = await Client(self._cluster or self.scheduler, asynchronous=True, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise ToolMissing(f"no Dask scheduler answers at {self.scheduler}: {error}") from error
        except (TypeError, RuntimeError) as error:  # what Dask raises if certificates are missing, or unwanted
            cure = "name a Dask configuration with certificates in DASK_CONFIG, see docs/scaling.md"
            raise ToolMissing(
                f"the Dask scheduler at {self.scheduler} cannot be used: {error}. Cure: {cure}"
            ) from error
        if (missing := await self.obstacle()) is not None:
            raise ToolMissing(missing)
        self._client.subscribe_topic(TOPIC, lambda event: self.on_state(event[1]["attempt"], event[1]["state"]))
        await self._client.register_plugin(CloseEquipment(ours=self._cluster is not None))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()
        if self._cluster is not None:
            await self._cluster.close()

    async def obstacle(self) -> str | None:
        """Says what attempts would wait for: resources that no worker has now, or none together."""
        try:
            workers = (await self._client.scheduler.identity())["workers"].values()
        except (OSError, TimeoutError) as error:
            return f"the scheduler does not answer: {error}"
        return self._missing([frozenset(worker["resources"]) for worker in workers])

    @property
    def whole(self) -> bool:
        """Whether attempts can be handed out."""
        return self._client is not None and self._client.status == "running"

    async def carry_out(self, job: Assignment) -> Session:
        """Hands one claimed attempt to a worker and returns its session; LOST if nobody can say how it ended."""
        future = self._client.submit(
            carry_out,
            job,
            self.cache,
            key=f"{job.attempt.run}/{job.attempt.id}",
            pure=False,
            retries=0,
            resources=resources(job),
        )
        try:
            async with asyncio.timeout(job.limits.session_s + SILENCE_S):
                session: Session = await future
            return recovered(job, session.reason) if session.outcome is Outcome.LOST else _with_doubts(job, session)
        except (asyncio.CancelledError, FutureCancelledError):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await self._linger(job)  # not us: the scheduler is gone, so its workers hang up and write what they have
            return recovered(job, "the way to its worker broke; how it ended is unknown")
        except Exception as error:
            log.debug("attempt %s: %r", job.attempt.id, error)
            return recovered(job, f"its worker died ({type(error).__name__}); how it ended is unknown")

    async def hang_up(self, reason: str, attempts: Collection[str]) -> None:
        """Ends these attempts wherever they are."""
        if self.whole:
            await self._client.run(hang_up, self.run, tuple(attempts), reason, on_error="ignore")

    async def _linger(self, job: Assignment) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not (job.folder / SESSION_FILE).exists():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.5)

    def _missing(self, offered: list[frozenset[str]]) -> str | None:
        """Says which resources no worker has, or no worker has together: such an attempt would wait for ever."""
        for wanted in sorted(
            sorted(names, key=lambda name: (name not in _SLOTS, name)) for names in self.needs.together
        ):
            if not any(worker.issuperset(wanted) for worker in offered):
                alone = [name for name in wanted if not any(name in worker for worker in offered)]
                what = alone[0] if alone else " together with ".join(wanted)
                start = " ".join(f"{name}={_SLOTS.get(name, 4)}" for name in wanted)  # type: ignore[call-overload]
                return f"no worker offers {what}: start workers with --resources '{start}'"
        return None

    def _workers(self) -> dict[str, Any]:
        workers = {}
        for kind, wanted in self.needs.at_once.items():
            size = _SLOTS[kind]
            for index in range(-(-wanted // size)):
                slots = min(size, wanted - index * size)
                workers[f"{kind}-{index + 1}"] = {
                    "cls": Nanny,
                    "options": {
                        "host": "127.0.0.1",
                        "nthreads": slots,
                        "resources": {kind: slots} | dict.fromkeys(self.needs.names, slots),
                        "memory_limit": 0,
                        "dashboard": False,
                        "silence_logs": logging.CRITICAL,
                    },
                }
        return workers


def recovered(job: Assignment, reason: str) -> Session:
    """Returns the session that its worker had written before it went, else one that says it is LOST."""
    file = job.folder / SESSION_FILE
    if file.exists():
        return Session.model_validate_json(file.read_text(encoding="utf-8"))
    return without_probing(job, Outcome.LOST, reason)


def _with_doubts(job: Assignment, session: Session) -> Session:
    """Puts a session on review whose recording stayed on its worker's machine, with no store to get it from."""
    if job.evidence is None and (
        gone := [item.name for item in session.evidence if not (job.folder / item.name).exists()]
    ):
        session.review.append(
            f"{gone[0]} stayed with its worker, which shares no folder with the runner: begin campaigns with --evidence"
        )
    return session
