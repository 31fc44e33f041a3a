"""What runs inside a Dask worker: one process's equipment, and the one task it carries out.

A worker thread blocks on its attempt while the probing itself runs on the process's own event loop, so one process
holds several calls or chats at once. The attempt's folder is made first and only once: making it is the claim on this
side, so a task that the scheduler hands out a second time dials nobody.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from probes.equipment import Equipment
from probes.probe import Assignment, run, without_probing
from probes.session import Outcome, Session

TOPIC = "shopper-state"
SESSION_FILE = "session.json"
T = TypeVar("T")


class ProbingProcess:
    """The process's event loop and equipment, made when the first attempt comes."""

    _one: ClassVar[ProbingProcess | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, cache: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.equipment = Equipment(cache)
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


class CloseEquipment(WorkerPlugin):  # type: ignore[misc]
    """Frees the native parts before the worker's interpreter ends."""

    name = "close-equipment"

    def setup(self, worker: Any) -> None:
        """Leaves Ctrl-C to the dispatcher: it ends every worker in good order, and that hangs up."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the worker stops."""
        ProbingProcess.close()


def carry_out(job: Assignment, cache: Path) -> Session:
    """Carries out one attempt and writes its session before returning it."""
    worker = get_worker()
    try:
        job.folder.mkdir(parents=True)
    except FileExistsError:
        return without_probing(job, Outcome.LOST, "it had been started before; an attempt is never dialled twice")

    def tell(state: str) -> None:
        worker.log_event(TOPIC, {"attempt": job.attempt.id, "state": state})

    process = ProbingProcess.get(cache)
    session = process.run(run(job, process.equipment, tell))
    write_session(job.folder, session)
    return session


def write_session(folder: Path, session: Session) -> None:
    """Writes ``session.json`` whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (SESSION_FILE + ".part")
    part.write_text(session.model_dump_json(indent=1), encoding="utf-8")
    part.replace(folder / SESSION_FILE)
