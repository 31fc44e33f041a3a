"""What runs in a worker process: one event loop with its equipment, and the task that carries out an attempt on it.

Dask's threads only wait: each hands its attempt to the loop. The attempt's folder is made first and only once: making
it is the claim on this side, so a task that the scheduler hands out a second time dials nobody. Workers of a scheduler
elsewhere may share no folder: they take a lock there as well, which is never given back.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from distributed import MultiLock, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from harness import kill_switch
from probes.clock import Clock
from probes.equipment import Equipment
from probes.probe import Assignment, run, without_probing
from probes.session import Outcome, Session
from results.evidence_store import EvidenceStore
from results.whole_file import write, writing
from scenarios.errors import FolderUnwritable, HarnessFault, ShopperError

TOPIC = "shopper-state"
SESSION_FILE = "session.json"
LATE_FILE = "session.late.json"
Key = tuple[str, str]  # run and attempt
T = TypeVar("T")


class ProbingProcess:
    """The process's event loop and equipment, made when the first attempt comes."""

    _one: ClassVar[ProbingProcess | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _stopped: ClassVar[dict[Key, str]] = {}  # known before the first attempt comes: it may be on its way

    def __init__(self, cache: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.equipment = Equipment(cache)
        self._under_way: dict[asyncio.Task[Session], Key] = {}
        self._thread = threading.Thread(target=self.loop.run_forever, name="probing", daemon=True)
        self._thread.start()

    @classmethod
    def get(cls, cache: Path) -> ProbingProcess:
        """Returns the process's one instance."""
        with cls._lock:
            if cls._one is None:
                cls._one = cls(cache)
            return cls._one

    @classmethod
    def hang_up(cls, keys: Collection[Key], reason: str) -> None:
        """Ends these attempts if they are in this process, and lets none of them begin any more."""
        with cls._lock:
            cls._stopped |= dict.fromkeys(keys, reason)
            one = cls._one
        if one is not None:
            one.loop.call_soon_threadsafe(one._hang_up, keys, reason)

    @classmethod
    def close(cls) -> None:
        """Hangs up, frees the equipment, ends the loop."""
        with cls._lock:
            one, cls._one = cls._one, None
        if one is not None:
            one.run(one.equipment.close())
            one.loop.call_soon_threadsafe(one.loop.stop)
            one._thread.join(5)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` on the loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def probe(self, job: Assignment, tell: Callable[[str], None]) -> Session:
        """Carries out one attempt until it ends, is stopped, or a kill switch is pulled."""
        key = (job.attempt.run, job.attempt.id)
        if (reason := self._stopped.get(key)) is not None:
            return without_probing(job, Outcome.BLOCKED, reason)
        task = asyncio.create_task(run(job, self.equipment, tell))
        self._under_way[task] = key
        watch = asyncio.create_task(kill_switch.wait(job.switches))
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self._cut(task, str(watch.result()))
            return await task
        finally:
            watch.cancel()
            self._under_way.pop(task, None)

    def _hang_up(self, keys: Collection[Key], reason: str) -> None:
        for task in [task for task, key in self._under_way.items() if key in keys]:
            self._cut(task, reason)

    def _cut(self, task: asyncio.Task[Session], reason: str) -> None:
        """Ends a session before its time, once: a second cancellation would break off its hanging up."""
        if self._under_way.pop(task, None) is not None:
            task.cancel(reason)


class CloseEquipment(WorkerPlugin):  # type: ignore[misc]
    """Frees the native parts before the worker's interpreter ends."""

    name = "close-equipment"

    def __init__(self, *, ours: bool) -> None:
        self.ours = ours

    def setup(self, worker: Any) -> None:
        """Workers of our own leave Ctrl-C and SIGTERM to the runner: it hangs up, then ends them in good order.

        A terminal, systemd and `timeout` send the signal to the whole group.
        """
        if self.ours and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the worker stops."""
        ProbingProcess.close()


def carry_out(job: Assignment, cache: Path) -> Session:
    """Carries out one attempt, writes its session, and sends its files to the evidence store, if there is one."""
    worker = get_worker()
    if (switch := kill_switch.pulled(job.switches)) is not None:
        return without_probing(job, Outcome.BLOCKED, str(switch))
    try:
        if not worker.plugins[CloseEquipment.name].ours and not _first(job):
            raise FileExistsError
        job.folder.mkdir(parents=True)
    except FileExistsError:
        return without_probing(job, Outcome.LOST, "it had been started before; an attempt is never dialled twice")
    except HarnessFault as error:
        return without_probing(job, Outcome.INVALID, f"nothing was dialled: {error}")
    except OSError as error:
        return without_probing(
            job, Outcome.INVALID, f"nothing was dialled: {job.folder} cannot be made: {error.strerror}"
        )
    if job.not_after is not None and Clock().utc() > job.not_after:
        late = "no worker was free in time after its claim (or the worker's clock is ahead): it was not dialled"
        return without_probing(job, Outcome.MISSED, late)

    def tell(state: str) -> None:
        worker.log_event(TOPIC, {"attempt": job.attempt.id, "state": state})

    process = ProbingProcess.get(cache)
    session = process.run(process.probe(job, tell))
    try:
        write_session(job.folder, session)
    except FolderUnwritable as error:
        session.review.append(f"the worker could not write the session: {error}")
        return session
    if job.evidence is not None:
        try:
            EvidenceStore(job.evidence).put(job.folder, job.attempt.id)
        except ShopperError as error:
            session.review.append(f"its evidence is not in the store yet: {error}")
    return session


def _first(job: Assignment) -> bool:
    """Takes the attempt's lock at the scheduler, for good; says whether nobody had it before.

    Dask hands a task out again when its worker is retired, or dies where more failures are allowed than none.
    """
    try:
        got: bool = MultiLock([f"{job.attempt.run}/{job.attempt.id}"]).acquire(blocking=False)
    except Exception as error:  # whatever the line to the scheduler raises
        raise HarnessFault(
            f"the scheduler could not be asked whether it had been started before ({error!r})"
        ) from error
    return got


def hang_up(run: str, attempts: Collection[str], reason: str) -> None:
    """Ends these attempts of ``run``; broadcast to all workers when somebody stops them."""
    ProbingProcess.hang_up({(run, attempt) for attempt in attempts}, reason)


def write_session(folder: Path, session: Session) -> Path:
    """Writes ``session.json`` whole or not at all.

    The first one stands: what comes after the attempt was given up as LOST is kept beside it as ``session.late.json``.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    file = folder / SESSION_FILE
    return write(folder / LATE_FILE if file.exists() else file, session.model_dump_json(indent=1))
