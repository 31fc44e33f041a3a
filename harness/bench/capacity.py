"""How many calls this machine hears at once: real SIP and G.711 over the loopback, a live ear on every call.

Callers are processes of four calls each, with the channel, the endpoint, the capture and the ears of a real worker. The
far end is one cheap process that plays one synthesised call to everybody, from another place in it to each, and counts
what comes back by the kernel's stamps. ``python -m harness.bench.capacity`` prints the tables.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from harness.bench.audio_centre import RECORDINGS, recordings, whole_call
from probes.clock import Clock
from probes.hearing.telephone import encode
from probes.target import Line, Prompt

LEVELS = (10, 50, 100, 200)
BOTH_WAYS = 20  # calls at which the two ways to the audio are compared
DEFICIT = 0.005  # of the packets due at the far end: more is too much
DEADLINE_S = 180.0  # after which no further level is begun
_SETTLES_S, _WINDOW_S = 3.0, 8.0
_PER_PROCESS = 4
_START_S, _DIAL_S = 40.0, 40.0  # patience
_AT_A_TIME = 2  # processes that start together: more would take the time of the calls that are up
_BEYOND = 1.1  # so far beyond what the processors can hold, by the level before, a level is tried


@dataclass(frozen=True)
class Level:
    """So many calls at once, measured for some seconds."""

    calls: int
    packets: bool  # heard by their packets, not by frame callbacks
    deficit: float  # share of the packets due at the far end that did not come
    gap_ms: float  # longest time without one, in any call
    cores: float  # of the callers
    far_cores: float  # of the far end, which delivers their packets to them
    pss_mb: float  # of the callers
    unseen: int  # packets that the kernel kept from the captures
    events: int  # that the ears told
    load: float  # of the machine, one minute

    @property
    def whole(self) -> bool:
        """Whether nothing worth mentioning was missing, nor came late from the time before."""
        return abs(self.deficit) < DEFICIT


# ---- a caller's process


async def _be_caller(port: int, folder: Path) -> None:
    """Keeps as many calls up as each line of its input says, and then tells what was heard so far."""
    from probes.hearing.ear import Ear
    from probes.hearing.library import Library
    from probes.speaking.speaker import DRAFT_VOICE, Speaker
    from probes.voice.channel import VoiceChannel
    from probes.voice.pjsip.endpoint import Endpoint
    from probes.voice.trunk import Trunk
    from probes.voice.wire.tap import Tap

    library = Library(_prompts(folder))
    tap = Tap()
    endpoint = await Endpoint(wire=tap).start()
    speaker = Speaker("zh", DRAFT_VOICE, folder)
    heard: Counter[str] = Counter()
    up: list[tuple[VoiceChannel, asyncio.Task[None]]] = []

    async def listen(channel: VoiceChannel, connected: asyncio.Event) -> None:
        async for event in channel.events():
            heard[event.kind] += 1
            if event.kind in ("connected", "ended"):
                connected.set()

    async def call() -> None:
        place = folder / f"{os.getpid()}-{len(os.listdir(folder))}"  # noqa: PTH208
        place.mkdir()
        line = Line(uri=f"sip:95001@127.0.0.1:{port}")
        ear = Ear(library.copy())
        channel = VoiceChannel(line, endpoint=endpoint, trunk=Trunk(), ear=ear, speaker=speaker, folder=place)
        connected = asyncio.Event()
        await channel.open(Clock().anchor())
        up.append((channel, asyncio.create_task(listen(channel, connected))))
        await connected.wait()

    async def hang_up() -> None:
        channel, listening = up.pop()
        await channel.close()
        await listening

    _print({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        wanted = int(line)
        while len(up) > wanted:
            await hang_up()
        while len(up) < wanted:
            await call()
        told = sum(n for kind, n in heard.items() if kind not in ("dialled", "connected"))
        _print({"calls": len(up), "told": told, "ended": heard["ended"], "unseen": tap.dropped})
    while up:
        await hang_up()
    await endpoint.stop()
    await tap.close()


def _prompts(folder: Path) -> list[tuple[Prompt, Any]]:
    with np.load(folder / "sounds.npz") as sounds:
        return [
            (Prompt(id=key, role=role, text=text, audio=f"{key}.wav"), sounds[key])
            for key, (role, text) in RECORDINGS["zh"].items()
        ]


# ---- the one that measures


class _Process:
    """A process of ours that is asked by lines and answers by lines."""

    def __init__(self, module: str, *given: str, packets: bool = True) -> None:
        environment = os.environ | {"SHOPPER_WIRE": "on" if packets else "off"}
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"harness.bench.{module}", *given], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.watched = psutil.Process(self._process.pid)

    def ask(self, line: str) -> None:
        """Sends a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self, patience: float) -> dict[str, Any]:
        """Returns the next answer.

        Raises:
            TimeoutError: none came.
        """
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], patience)[0]:
            raise TimeoutError(f"no answer within {patience:.0f} s")
        found: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"gone": true}')
        if "gone" in found:
            raise TimeoutError("a process ended before its time")
        return found

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        used = self.watched.cpu_times()
        return float(used.user + used.system)

    def release(self) -> None:
        """Has it end by itself."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    def close(self) -> None:
        """Waits for its end, and forces it after 20 s."""
        self.release()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@dataclass
class Exchange:
    """A far end and the callers of one way to the audio; ``with`` ends them all."""

    folder: Path
    packets: bool = True
    _callers: list[_Process] = field(default_factory=list)

    def __enter__(self) -> Exchange:
        self._far = _Process("far_end", str(self.folder / "call.alaw"))
        self._port = int(self._far.answer(_START_S)["port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._callers:
            process.release()
        for process in (*self._callers, self._far):
            process.close()

    def measure(self, calls: int, window_s: float = _WINDOW_S) -> Level:
        """Brings so many calls up, or back, and measures them for ``window_s`` seconds.

        Raises:
            TimeoutError: a process did not start, or a call did not connect.
        """
        while (missing := -(-calls // _PER_PROCESS) - len(self._callers)) > 0:
            new = [self._caller() for _ in range(min(missing, _AT_A_TIME))]
            self._callers += new
            for process in new:
                process.answer(_START_S)
        self._dial(calls)
        time.sleep(_SETTLES_S)
        before = self._dial(calls)
        every = [*self._callers, self._far]
        cpu, begun = [process.cpu_s for process in every], time.monotonic()
        self._far.ask(f"{window_s}")
        counted = self._far.answer(window_s + _DIAL_S)
        seconds = time.monotonic() - begun
        used = [process.cpu_s - was for process, was in zip(every, cpu, strict=True)]
        pss = [process.watched.memory_full_info().pss / 1e6 for process in self._callers]
        after = self._dial(calls)
        return Level(
            calls=int(counted["calls"]), packets=self.packets, deficit=1 - counted["came"] / counted["due"],
            gap_ms=counted["gap"] * 1000, cores=sum(used[:-1]) / seconds, far_cores=used[-1] / seconds,
            pss_mb=sum(pss), unseen=after["unseen"] - before["unseen"], events=after["told"] - before["told"],
            load=os.getloadavg()[0],
        )  # fmt: skip

    def _caller(self) -> _Process:
        return _Process("capacity", str(self._port), str(self.folder), packets=self.packets)

    def _dial(self, calls: int) -> Counter[str]:
        """Has each process keep its share of the calls up; returns the sum of what they tell."""
        for place, process in enumerate(self._callers):
            process.ask(str(max(0, min(_PER_PROCESS, calls - place * _PER_PROCESS))))
        told: Counter[str] = Counter()
        for process in self._callers:
            told.update(process.answer(_DIAL_S))
        return told


@contextmanager
def exchange(*, packets: bool = True) -> Iterator[Exchange]:
    """Yields an exchange with its sounds made."""
    with TemporaryDirectory(prefix="bench-capacity-") as name:
        sounds = {prompt.id: pcm for prompt, pcm in recordings("zh")}
        np.savez(Path(name) / "sounds.npz", **sounds)  # type: ignore[arg-type]
        (Path(name) / "call.alaw").write_bytes(encode(whole_call(3, "zh").sound(noise=20.0), "a").tobytes())
        with Exchange(Path(name), packets) as made:
            yield made


@dataclass
class Capacity:
    """All levels measured, those of the two ways to the audio, and why it ended early, if it did."""

    levels: list[Level]
    ways: list[Level]
    stopped: str = ""

    @property
    def most(self) -> int:
        """The highest number of calls without a deficit."""
        return max((level.calls for level in self.levels if level.whole), default=0)


def measure_capacity(levels: tuple[int, ...] = LEVELS, deadline_s: float = DEADLINE_S) -> Capacity:
    """Compares the two ways to the audio, then looks for the highest number of calls; begins nothing late."""
    end = time.monotonic() + deadline_s
    found = Capacity([], [])
    try:
        for packets in (True, False):
            with exchange(packets=packets) as made:
                found.ways.append(made.measure(BOTH_WAYS))
        with exchange() as made:
            for level in climb(made.measure, levels, os.cpu_count() or 1, lambda: time.monotonic() > end):
                found.levels.append(level)
    except TimeoutError as error:
        found.stopped = str(error)
    return found


def climb(
    measure: Callable[[int], Level], levels: Sequence[int], cores: int, late: Callable[[], bool]
) -> Iterator[Level]:
    """Raises the number of calls until packets are missing, then halves the distance to four calls.

    A number that ``cores`` processors could not hold by far, judged by the level before, is not tried: it would stall
    the machine for everybody and show nothing.
    """
    good, bad, most = 0, 0, max(levels)
    for calls in levels:
        if late() or bad or good >= most:
            break
        level = measure(min(calls, most))
        good, bad = (level.calls, 0) if level.whole else (good, level.calls)
        most = min(max(levels), int(_BEYOND * cores * level.calls / level.cores))
        yield level
    while bad - good > _PER_PROCESS and not late():
        level = measure(good + max(_PER_PROCESS, (bad - good) // (2 * _PER_PROCESS) * _PER_PROCESS))
        good, bad = (level.calls, bad) if level.whole else (good, level.calls)
        yield level


def table(found: Capacity) -> Table:
    """Returns what is printed."""
    shown = Table(title="容量 / capacity: calls heard live at once", title_justify="left")
    for column in ("calls", "by", "cores/100", "far end", "missing", "gap ms", "MB/call", "unseen", "events", "load"):
        shown.add_column(column, justify="right")
    for level in [*sorted(found.levels, key=lambda level: level.calls), *found.ways]:
        shown.add_row(
            str(level.calls), "packets" if level.packets else "frames", f"{level.cores / level.calls * 100:.2f}",
            f"{level.far_cores:.2f}", f"{level.deficit:.1%}", f"{level.gap_ms:.0f}",
            f"{level.pss_mb / level.calls:.0f}", str(level.unseen), str(level.events), f"{level.load:.0f}",
        )  # fmt: skip
    return shown


def summary(found: Capacity) -> str:
    """Returns the sentence below the table."""
    by_packets, by_frames = ([way.cores for way in found.ways if way.packets is packets] for packets in (True, False))
    ratio = f"; packets : frames in CPU {by_packets[0] / by_frames[0]:.2f}" if by_packets and by_frames else ""
    more = f"; ended early: {found.stopped}" if found.stopped else ""
    return f"most calls with less than {DEFICIT:.1%} of the packets missing: {found.most}{ratio}{more}"


def _print(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures and prints; with a port and a folder is a process of callers."""
    if len(sys.argv) > 1:
        asyncio.run(_be_caller(int(sys.argv[1]), Path(sys.argv[2])))
    else:
        found = measure_capacity()
        console = Console()
        console.print(table(found))
        console.print(summary(found))


if __name__ == "__main__":
    main()
