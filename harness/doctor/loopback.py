"""``python -m harness.doctor.loopback``: the SIP stack calls itself on 127.0.0.1; prints what it is and what it heard.

Two JSON lines: what the library can do, then what became of the call. A broken build may abort at any point, so this
is a process of its own, and what it printed before stands.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from probes.target import Codec
from probes.voice.audio import FRAME_SAMPLES, RATE, FrameLog, Pcm
from probes.voice.leg import Leg
from probes.voice.trunk import Trunk

CODECS: tuple[Codec, ...] = ("PCMA",)
SECONDS = 2.0
FOUND = 0.5  # correlation from which a frame counts as arrived; two that are not alike stay below 0.4
LATEST_S = 1.5  # a frame is looked for so long after it was sent


@dataclass(frozen=True)
class Library:
    """What the SIP library says of itself."""

    version: str
    calls: int  # a process
    codecs: list[str]
    ipv6: bool
    tls: str


@dataclass(frozen=True)
class Sound:
    """What arrived of the noise that was sent. Seconds; ``share`` of the frames; None: nothing arrived."""

    share: float
    delay_s: float | None
    jitter_s: float | None  # from the 5th to the 95th percentile of the delays


@dataclass(frozen=True)
class Called:
    """One call to ourselves: out to the called side, and back from it."""

    ring_s: float | None
    connect_s: float | None
    out: Sound
    back: Sound
    packets: int
    longest_gap_s: float  # between two ticks of the audio clock
    stalls: int  # gaps that a session would be marked for
    niceness: int  # of a thread that asked for priority


def arrived(sent: list[tuple[float, bytes]], heard: list[tuple[float, bytes]]) -> Sound:
    """Finds each frame that was sent among what was heard.

    Args:
        sent: frames of noise with their instants, no two alike.
        heard: frames with their instants, as the bridge delivered them.
    """
    if not sent or not heard:
        return Sound(0.0, None, None)
    track = np.frombuffer(b"".join(frame for _, frame in heard), "<i2").astype(np.float64)
    power = np.concatenate(([0.0], np.cumsum(track**2)))
    times = np.array([t for t, _ in heard])
    delays = []
    for t, frame in sent:
        first = max(0, int(np.searchsorted(times, t)) - 2) * FRAME_SAMPLES
        window = track[first : first + int(LATEST_S * RATE)]
        wave = np.frombuffer(frame, "<i2").astype(np.float64)
        if len(window) < len(wave):
            continue
        match = np.correlate(window, wave, "valid")
        starts = first + np.arange(len(match))
        norm = np.sqrt((power[starts + len(wave)] - power[starts]) * (wave @ wave))
        likeness = np.divide(match, norm, out=np.zeros_like(match), where=norm > 0)
        best = int(np.argmax(likeness))
        if likeness[best] >= FOUND:
            number, rest = divmod(first + best, FRAME_SAMPLES)
            delays.append(times[number] + rest / RATE - t)
    if not delays:
        return Sound(0.0, None, None)
    low, middle, high = np.percentile(delays, [5, 50, 95])
    return Sound(len(delays) / len(sent), round(float(middle), 4), round(float(high - low), 4))


def longest_gap(frames: list[tuple[float, bytes]]) -> float:
    """Returns the longest time between two frames, in seconds."""
    return float(np.max(np.diff([t for t, _ in frames]))) if len(frames) > 1 else 0.0


class _Codec(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_char_p),
        ("id_length", ctypes.c_long),
        ("priority", ctypes.c_uint8),
        ("about", ctypes.c_char_p),
        ("about_length", ctypes.c_long),
        ("text", ctypes.c_char * 64),
    )


def describe(native: str) -> Library:
    """Asks the library what it can do. On a thread that it knows, once it is up.

    Args:
        native: the path of its shared object.
    """
    library = ctypes.CDLL(native)
    library.pj_get_version.restype = ctypes.c_char_p
    codecs, count = (_Codec * 64)(), ctypes.c_uint(64)
    library.pjsua_enum_codecs(codecs, ctypes.byref(count))
    names = [codec.id[: codec.id_length].decode().split("/")[0] for codec in codecs[: count.value]]
    return Library(
        version=library.pj_get_version().decode(),
        calls=library.pjsua_call_get_max_count(),
        codecs=list(dict.fromkeys(names)),
        ipv6=bool(re.search(r"PJ_HAS_IPV6\s*: 1", _configuration(library))),
        tls=_tls(library),
    )


def _configuration(library: ctypes.CDLL) -> str:
    """Returns how the library was built, which it tells to nothing but its log."""
    said: list[bytes] = []

    def write(_level: int, text: bytes, _length: int) -> None:
        said.append(text)

    writer = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)(write)
    before = library.pj_log_get_log_func
    before.restype = ctypes.c_void_p
    function, level = before(), library.pj_log_get_level()
    library.pj_log_set_log_func(writer)
    library.pj_log_set_level(3)
    try:
        library.pj_dump_config()
    finally:
        library.pj_log_set_level(level)
        library.pj_log_set_log_func(ctypes.c_void_p(function))
    return b"".join(said).decode(errors="replace")


def _tls(library: ctypes.CDLL) -> str:
    for name in ("OpenSSL_version", "SSLeay_version"):
        version: Any = getattr(library, name, None)
        if version is not None:
            version.restype = ctypes.c_char_p
            return str(version(0).decode())
    return ""


async def call_ourselves() -> None:
    """Starts the stack, prints what it is, calls it, prints what was heard."""
    from probes.voice.pjsip.endpoint import Endpoint
    from probes.voice.pjsip.library import SHARED_OBJECT

    invited: asyncio.Queue[Leg] = asyncio.Queue()
    endpoint = await Endpoint(on_invite=invited.put_nowait).start()
    try:
        _tell(asdict(await endpoint.do(lambda: describe(SHARED_OBJECT))))
        trunk = Trunk(uri="sip:doctor@127.0.0.1", codecs=CODECS)
        address = await endpoint.bind(trunk)
        _tell(asdict(await _call(endpoint, trunk, f"sip:doctor@{address}", invited)))
    finally:
        await endpoint.stop()


async def _call(endpoint: Any, trunk: Trunk, uri: str, invited: asyncio.Queue[Leg]) -> Called:
    ours = endpoint.leg(uri)
    log = ours.listen(lambda: None)
    dialled = await endpoint.dial(ours, trunk)
    async with asyncio.timeout(5):
        theirs = await invited.get()
    echo = _Echo(theirs)
    await theirs.answer(180)
    ring = (await _until(ours, "ringing"))["ringing"] - dialled
    await theirs.answer(200)
    connect = (await _until(ours, "connected", "media"))["connected"] - dialled
    await _until(theirs, "media")
    noise = np.random.default_rng(1).normal(0, 4000, int(SECONDS * RATE)).clip(-30000, 30000).astype(np.int16)
    async with asyncio.timeout(SECONDS + 5):
        start, end = await ours.mouth.play(noise).done
    await asyncio.sleep(0.5)  # for what is still on its way; nobody tells when the last of it has come
    await ours.hang_up()
    sent = [(t, frame) for t, frame in log.spoken if start <= t < end]
    heard = list(log.heard)
    return Called(
        ring_s=round(ring, 4),
        connect_s=round(connect, 4),
        out=arrived(sent, echo.heard),
        back=arrived(sent, heard),
        packets=ours.packets,
        longest_gap_s=round(longest_gap(heard), 4),
        stalls=len(log.stalls),
        niceness=os.getpriority(os.PRIO_PROCESS, 0),
    )


class _Echo:
    """Plays back what a leg hears."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.heard: list[tuple[float, bytes]] = []
        self.log: FrameLog = leg.listen(self._turn_round)

    def _turn_round(self) -> None:
        block = bytearray()
        while self.log.heard:
            t, frame = self.log.heard.popleft()
            self.heard.append((t, frame))
            block.extend(frame)
        pcm: Pcm = np.frombuffer(bytes(block), "<i2")
        self.leg.mouth.play(pcm)


async def _until(leg: Leg, *kinds: str) -> dict[str, float]:
    """Waits until each of ``kinds`` was signalled, in any order; returns when."""
    seen: dict[str, float] = {}
    async with asyncio.timeout(5):
        while not seen.keys() >= set(kinds):
            signal = await leg.signals.get()
            seen.setdefault(signal.kind, signal.t)
            if signal.kind == "ended":
                raise RuntimeError(f"the call to ourselves ended: {signal.data['code']} {signal.data['reason']}")
    return seen


def _tell(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)  # noqa: T201 - stdout is the interface


if __name__ == "__main__":
    try:
        asyncio.run(call_ourselves())
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
