"""A campaign under attack: whoever takes part is killed at random instants and started again, on loopback only.

Bounded by its number of kills and by its time limit. Only processes that it started itself are ever killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness import kill_switch
from harness.bench.postgres import Postgres
from harness.inputs import speech_cache
from harness.sandbox.centre import Centre
from harness.sandbox.truth import Truth
from tests.shopper import ROOT, command, write_yaml

NO_PAGE = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")  # else it listens on every address
QUIET = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Chaos:
    """One campaign of ``voice`` calls and ``chats``, attacked ``kills`` times."""

    folder: Path
    postgres: Postgres
    voice: int
    chats: int
    at_once: int  # calls; and as many chats
    kills: int
    rest_s: float  # the longest pause between two of them
    seed: int
    limit_s: float
    killed: list[str] = field(default_factory=list)
    stopped_at: float = 0.0  # monotonic: when the kill switch was pulled
    code: int = -1  # of the last runner

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.environment = os.environ | {
            "SHOPPER_STOP_FILE": str(self.folder / "STOP"),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        }
        self.centre = Centre(self.folder / "audit", seed=self.seed, cache=speech_cache())
        self.scheduler = f"tcp://127.0.0.1:{free_port()}"
        self.elsewhere: dict[str, asyncio.subprocess.Process] = {}  # the scheduler and its workers
        self.runner: asyncio.subprocess.Process | None = None
        self.log = (self.folder / "runner.log").open("ab")

    async def run(self) -> None:
        """Begins the campaign, attacks it, pulls the kill switch once, and lets it go on to its end."""
        async with asyncio.timeout(self.limit_s), self.centre:
            self._write_plan()
            try:
                await self._attack()
                await self._pull_the_switch()
                while self.code not in (0, 1):
                    await self._start(elsewhere=False)
                    assert self.runner is not None
                    self.code = await self.runner.wait()
            finally:
                for process in [*self.elsewhere.values(), self.runner]:
                    if process is not None and process.returncode is None:
                        _kill(process.pid)
                        await process.wait()

    def truth(self) -> list[dict[str, object]]:
        """Returns what the centre saw."""
        return Truth.read(self.centre.truth)

    def _write_plan(self) -> None:
        each = {"hotline-1": self.voice // 2, "hotline-2": self.voice - self.voice // 2}
        rows = [{"scenario": "S01", "channel": "voice", "entry": name, "count": n} for name, n in each.items()]
        rows.append({"scenario": "S01", "channel": "chat", "entry": "web", "count": self.chats})
        plan = {
            "format": 1,
            "name": "chaos",
            "seed": self.seed,
            "attempts": rows,
            "limits": {"queue_s": 45, "session_s": 70},
        }
        write_yaml(
            self.folder / "audit" / "plan.yaml", plan | {"at_once": {"voice": self.at_once, "chat": self.at_once}}
        )

    async def _attack(self) -> None:
        victims: dict[str, Callable[[], bool]] = {
            "runner": self._kill_runner,
            "worker": self._kill_worker,
            "browser": self._kill_browser,
            "scheduler": self._kill_scheduler,
            "database": self._cut_database,
        }
        names = list(victims)
        while len(self.killed) < self.kills:
            if self.runner is None or self.runner.returncode is not None:
                if self.runner is not None and self.runner.returncode in (0, 1):
                    return  # it came to its end before the attacks did
                await self._start(elsewhere=self.random.random() < 0.4)
            await asyncio.sleep(self.random.uniform(0.5, self.rest_s))  # the random instant
            name = self.random.choice(names)
            if victims[name]():
                self.killed.append(name)

    async def _pull_the_switch(self) -> None:
        """Stops everything in the middle of it; then waits until the runner has gone, and lifts the switch."""
        if self.runner is None or self.runner.returncode is not None:
            await self._start(elsewhere=False)
        assert self.runner is not None
        begun = len(self.truth())
        while len(self.truth()) == begun and self.runner.returncode is None:  # noqa: ASYNC110 - a log is read
            await asyncio.sleep(0.2)
        switch = Path(self.environment["SHOPPER_STOP_FILE"])
        self.stopped_at = time.monotonic()
        kill_switch.pull(switch, by="chaos", reason="test")
        self.code = await self.runner.wait()
        await asyncio.sleep(2)  # whatever would still be dialled
        self.resumed_at = time.monotonic()
        kill_switch.release(switch)

    async def _start(self, *, elsewhere: bool) -> None:
        arguments = ["campaign", "run", self.folder / "audit", "--ledger", self.postgres.url]
        if elsewhere:
            await self._start_elsewhere()
            arguments += ["--scheduler", self.scheduler]
        self.runner = await asyncio.create_subprocess_exec(
            *command(*arguments), cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log
        )

    async def _start_elsewhere(self) -> None:
        port = self.scheduler.rpartition(":")[2]
        wanted = {
            "scheduler": ["scheduler", "--host", "127.0.0.1", "--port", port, *NO_PAGE],
            "calls": ["worker", self.scheduler, "--nworkers", "1", "--nthreads", "4", "--resources", "voice=4"],
            "chats": ["worker", self.scheduler, "--nworkers", "1", "--nthreads", "6", "--resources", "chat=6"],
        }
        for name, arguments in wanted.items():
            old = self.elsewhere.get(name)
            if old is None or old.returncode is not None:
                more = [] if name == "scheduler" else [*NO_PAGE, "--host", "127.0.0.1", "--death-timeout", "20"]
                self.elsewhere[name] = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "dask", *arguments, *more, cwd=ROOT, env=self.environment, **QUIET
                )

    # ---- the victims; each says whether there was one

    def _kill_runner(self) -> bool:
        assert self.runner is not None
        return self.runner.returncode is None and _kill(self.runner.pid)

    def _kill_worker(self) -> bool:
        return self._kill_one(lambda line: "multiprocessing" in line and "spawn" in line)

    def _kill_browser(self) -> bool:
        return self._kill_one(lambda line: "chromium" in line.lower() or "headless" in line)

    def _kill_scheduler(self) -> bool:
        process = self.elsewhere.get("scheduler")
        return process is not None and process.returncode is None and _kill(process.pid)

    def _cut_database(self) -> bool:
        if self.random.random() < 0.5:
            return self.postgres.cut_connections() > 0
        self.postgres.stop("immediate")
        self.postgres.start()
        return True

    def _kill_one(self, wanted: Callable[[str], bool]) -> bool:
        found = []
        for process in [self.runner, *self.elsewhere.values()]:
            if process is not None and process.returncode is None:
                with contextlib.suppress(psutil.Error):
                    found += [
                        child.pid
                        for child in psutil.Process(process.pid).children(recursive=True)
                        if wanted(" ".join(child.cmdline()))
                    ]
        return bool(found) and _kill(self.random.choice(found))


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
