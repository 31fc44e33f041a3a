"""How many calls this machine hears at once: real SIP and G.711 over the loopback, a live ear on every call.

Callers are processes of four calls each, with the channel, the endpoint, the capture and the ears of a real worker. The
far end is one cheap process that plays one synthesised call to everybody, from another place in it to each, and counts
what comes back by the kernel's stamps. ``python -m harness.bench.capacity`` prints the tables.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
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
_START_S, _DIAL_S = 90.0, 40.0  # patience
_PACKET = 160  # samples
_PACKETS_PER_S = 50
_PHASES = 4  # the far end sends to a quarter of its callers every 5 ms
_STAMPS, _STAMP = 35, struct.Struct("=qq")  # SO_TIMESTAMPNS, and what it puts beside a packet
_PCMA = 8


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
        """Whether nothing worth mentioning was missing."""
        return self.deficit < DEFICIT


# ---- the far end's process


@dataclass
class _Caller:
    """One call at the far end."""

    rtp: socket.socket
    target: tuple[str, int]
    answer: bytes
    at: int  # next packet of the sound
    begun: float
    sent: int = 0
    came: int = 0  # in this window
    last: float = 0.0
    gap: float = 0.0


class FarEnd:
    """Answers every call and plays to it. Lines of its input ``<seconds>`` open a window; its figures are printed."""

    def __init__(self, codes: bytes) -> None:
        self._packets = [codes[at : at + _PACKET] for at in range(0, len(codes) - _PACKET + 1, _PACKET)]
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind(("127.0.0.1", 0))
        self.port = int(self._sip.getsockname()[1])
        self._calls: dict[str, _Caller] = {}
        self._window: tuple[float, float] | None = None  # wall clock

    def serve(self) -> None:
        """Works until its input closes."""
        tick, step = time.monotonic(), 0
        while True:
            tick, step = tick + 0.02 / _PHASES, step + 1
            ready = select.select([self._sip, sys.stdin], [], [], max(0.0, tick - time.monotonic()))[0]
            while ready:
                if sys.stdin in ready and not self._command():
                    return
                if self._sip in ready:
                    self._take(*self._sip.recvfrom(65535))
                ready = select.select([self._sip, sys.stdin], [], [], max(0.0, tick - time.monotonic()))[0]
            for place, call in enumerate(self._calls.values()):
                if place % _PHASES == step % _PHASES:
                    self._play(call)
                    if call.sent % 10 == 0:
                        self._drain(call)
            if self._window is not None and time.time() > self._window[1]:
                self._report(*self._window)

    def _command(self) -> bool:
        line = sys.stdin.readline()
        if line:
            for call in self._calls.values():
                self._drain(call)
            now = time.time()
            self._window = now, now + float(line)
            for call in self._calls.values():
                call.came, call.gap, call.last = 0, 0.0, now
        return bool(line)

    def _report(self, begin: float, end: float) -> None:
        self._window = None
        for call in self._calls.values():
            self._drain(call, end)
        due = len(self._calls) * _PACKETS_PER_S * (end - begin)
        gaps = [max(call.gap, end - call.last) for call in self._calls.values()]
        came = sum(call.came for call in self._calls.values())
        _print({"calls": len(self._calls), "due": due, "came": came, "gap": max(gaps, default=0.0)})

    def _play(self, call: _Caller) -> None:
        while call.sent * 0.02 < time.monotonic() - call.begun:
            head = struct.pack("!BBHII", 0x80, _PCMA, call.sent & 0xFFFF, call.sent * _PACKET, id(call) & 0xFFFFFFFF)
            call.rtp.sendto(head + self._packets[call.at], call.target)
            call.sent, call.at = call.sent + 1, (call.at + 1) % len(self._packets)

    def _drain(self, call: _Caller, end: float = np.inf) -> None:
        while True:
            try:
                packet, beside, _, _ = call.rtp.recvmsg(512, 64)
            except OSError:
                return  # there is none; or an ICMP message of a caller that has gone
            if len(packet) < 2 or packet[1] & 0x7F != _PCMA:
                continue
            seconds, nanoseconds = _STAMP.unpack(beside[0][2])
            stamp = seconds + nanoseconds * 1e-9
            if stamp <= end:
                call.came, call.gap, call.last = call.came + 1, max(call.gap, stamp - call.last), stamp

    def _take(self, data: bytes, peer: tuple[str, int]) -> None:
        message = data.decode(errors="replace")
        method, name = message.split(" ", 1)[0], re.search(r"^Call-ID: *(\S+)", message, re.MULTILINE)
        if name is None or method not in ("INVITE", "BYE"):
            return
        if method == "INVITE":
            call = self._calls.get(name[1]) or self._begin(name[1], message)
            self._sip.sendto(call.answer, peer)
        else:
            gone = self._calls.pop(name[1], None)
            if gone is not None:
                gone.rtp.close()
            self._sip.sendto(_answer(message, self.port), peer)

    def _begin(self, name: str, invite: str) -> _Caller:
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.bind(("127.0.0.1", 0))
        rtp.setblocking(False)
        rtp.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
        rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 19)
        port = re.search(r"m=audio (\d+)", invite)
        target = ("127.0.0.1", int(port[1]) if port else 9)
        body = (
            "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {rtp.getsockname()[1]} RTP/AVP {_PCMA}\r\na=rtpmap:{_PCMA} PCMA/8000\r\n"
        )
        at = len(self._calls) * 397 % len(self._packets)  # everybody hears another part
        call = _Caller(rtp, target, _answer(invite, self.port, body), at, time.monotonic())
        self._calls[name] = call
        return call


def _answer(request: str, port: int, body: str = "") -> bytes:
    kept = "".join(f"{line}\r\n" for line in request.split("\r\n") if re.match("(Via|From|Call-ID|CSeq):", line))
    to = re.search(r"^To: ([^\r]*)", request, re.MULTILINE)
    named = "" if to is None else to[1] if ";tag=" in to[1] else f"{to[1]};tag=far"
    kind = "Content-Type: application/sdp\r\n" if body else ""
    head = f"SIP/2.0 200 OK\r\n{kept}To: {named}\r\nContact: <sip:far@127.0.0.1:{port}>\r\n{kind}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


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

    def __init__(self, role: str, *given: str, packets: bool = True) -> None:
        environment = os.environ | {"SHOPPER_WIRE": "on" if packets else "off"}
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.bench.capacity", role, *given], env=environment, text=True,
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
        self._far = _Process("far", str(self.folder))
        self._port = int(self._far.answer(_START_S)["port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._callers:
            process.release()
        for process in (*self._callers, self._far):
            process.close()

    def measure(self, calls: int) -> Level:
        """Brings so many calls up, or back, and measures them.

        Raises:
            TimeoutError: a process did not start, or a call did not connect.
        """
        needed = -(-calls // _PER_PROCESS)
        new = [
            _Process("caller", str(self.folder), str(self._port), packets=self.packets)
            for _ in range(needed - len(self._callers))
        ]
        self._callers += new
        for process in new:
            process.answer(_START_S)
        self._dial(calls)
        time.sleep(_SETTLES_S)
        before = self._dial(calls)
        every = [*self._callers, self._far]
        cpu, begun = [process.cpu_s for process in every], time.monotonic()
        self._far.ask(f"{_WINDOW_S}")
        counted = self._far.answer(_WINDOW_S + _DIAL_S)
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
    """Raises the number of calls until packets are missing, then halves the distance; begins nothing late."""
    end = time.monotonic() + deadline_s
    found = Capacity([], [])
    try:
        for packets in (True, False):
            with exchange(packets=packets) as made:
                found.ways.append(made.measure(BOTH_WAYS))
        with exchange() as made:
            for calls in levels:
                if time.monotonic() > end:
                    break
                found.levels.append(made.measure(calls))
                if not found.levels[-1].whole:
                    break
            bad = min((level.calls for level in found.levels if not level.whole), default=0)
            while bad - found.most > 2 * _PER_PROCESS and time.monotonic() < end:
                middle = (bad + found.most) // (2 * _PER_PROCESS) * _PER_PROCESS
                found.levels.append(made.measure(middle))
                bad = min(level.calls for level in found.levels if not level.whole)
    except TimeoutError as error:
        found.stopped = str(error)
    return found


def table(found: Capacity) -> Table:
    """Returns what is printed."""
    shown = Table(title="容量 / capacity: calls heard live at once, over SIP and G.711", title_justify="left")
    columns = ("calls", "audio from", "cores per 100 calls", "far end, cores", "packets missing", "longest gap, ms",
               "PSS a call, MB", "not captured", "events", "load")  # fmt: skip
    for column in columns:
        shown.add_column(column, justify="right")
    for level in [*sorted(found.levels, key=lambda level: level.calls), *found.ways]:
        shown.add_row(
            str(level.calls), "packets" if level.packets else "callbacks", f"{level.cores / level.calls * 100:.2f}",
            f"{level.far_cores:.2f}", f"{level.deficit:.2%}", f"{level.gap_ms:.0f}",
            f"{level.pss_mb / level.calls:.0f}", str(level.unseen), str(level.events), f"{level.load:.1f}",
        )  # fmt: skip
    return shown


def summary(found: Capacity) -> str:
    """Returns the sentence below the table."""
    more = f"; ended early: {found.stopped}" if found.stopped else ""
    return f"most calls with less than {DEFICIT:.1%} of the packets missing: {found.most}{more}"


def _print(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures and prints; with a role (``far``, ``caller``) is one of the processes."""
    role, *given = sys.argv[1:] or ["", ""]
    if role == "far":
        from probes.voice.layout import hurry

        hurry()
        far = FarEnd((Path(given[0]) / "call.alaw").read_bytes())
        _print({"port": far.port})
        far.serve()
    elif role == "caller":
        asyncio.run(_be_caller(int(given[1]), Path(given[0])))
    else:
        found = measure_capacity()
        console = Console()
        console.print(table(found))
        console.print(summary(found))


if __name__ == "__main__":
    main()
