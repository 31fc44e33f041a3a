"""Calls that are stamped and heard by their packets, held against a capture of the far end's own and its schedule."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import numpy as np
import pytest

from probes.clock import Anchor, Clock
from probes.hearing.wav import RATE, Pcm
from probes.session import Event
from probes.target import Line
from probes.voice.channel import VoiceChannel
from probes.voice.leg import Leg
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.trunk import Trunk
from probes.voice.wire.capture import SWITCH
from probes.voice.wire.pcap import read_pcap
from probes.voice.wire.rtp import events as rtp_events
from probes.voice.wire.rtp_media import media_of
from probes.voice.wire.rtp_packets import packets
from probes.voice.wire.sip import Messages
from probes.voice.wire.tap import Tap
from tests.conventions import ROOT
from tests.stamping_far_end import GAP, stamping_far_end

pytestmark = pytest.mark.realtime

KINDS = {"dialled": "INVITE", "ringing": "180", "connected": "200"}


class Listener:
    """Stands where the ear does and keeps what it is given."""

    def __init__(self) -> None:
        self.blocks: list[tuple[float, Pcm]] = []

    def push(self, t: float, pcm: Pcm) -> list[Event]:
        self.blocks.append((t, pcm))
        return []

    def finish(self, _t: float) -> list[Event]:
        return []


@dataclass
class Called:
    """What one call left behind."""

    anchor: Anchor
    call_id: str
    events: list[Event]
    files: dict[str, Path]
    ear: Listener
    pressed: list[float] = field(default_factory=list)  # monotonic
    method: str = ""

    def at(self, kind: str) -> float:
        """Returns when ``kind`` happened, monotonic."""
        [t] = [event.t for event in self.events if event.kind == kind]
        return t + self.anchor.monotonic

    def methods(self) -> dict[str, str]:
        return {event.kind: event.method for event in self.events}


async def call(endpoint: Endpoint, port: int, folder: Path, seconds: float, trunk: Trunk, keys: str = "") -> Called:
    """Calls, presses ``keys`` one by one, and hangs up so many seconds after the connection."""
    folder.mkdir()  # noqa: ASYNC240 - a test
    ear = Listener()
    line = Line(uri=f"sip:95001@127.0.0.1:{port}")
    channel = VoiceChannel(line, endpoint=endpoint, trunk=trunk, ear=ear, speaker=None, folder=folder)  # type: ignore[arg-type]
    anchor = Clock().anchor()
    await channel.open(anchor)
    found: list[Event] = []
    connected = asyncio.Event()

    async def listen() -> None:
        async for event in channel.events():
            found.append(event)
            if event.kind == "connected":
                connected.set()

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(10):
        await connected.wait()
    assert channel._leg is not None
    called = Called(anchor, channel._leg.call_id or "", found, {}, ear)
    for key in keys:
        said = await channel.press(key)
        called.pressed.append(said.start + anchor.monotonic)
        called.method = said.method
        await asyncio.sleep(0.4)  # a key lasts 0.16 s, and the pause after it as long
    await asyncio.sleep(seconds)
    await channel.close()
    await listening
    called.files = {kind: path for path, kind in channel.files()}
    return called


@dataclass
class Set:
    """Calls, and what the far end noted."""

    calls: list[Called]
    noted: dict[str, Any]

    def errors(self) -> np.ndarray:
        """Stamps of signalling minus the other capture's, in seconds."""
        seen = {name: t for t, name in reversed(self.noted["seen"])}
        return np.array(
            [each.at(kind) - seen[f"{name} {each.call_id}"] for each in self.calls for kind, name in KINDS.items()]
            + [each.at("ended") - seen[f"BYE {each.call_id}"] for each in self.calls]
        )


def hold(
    folder: Path, calls: int = 1, rounds: int = 1, *, gap: bool = False, seconds: float = 0.1, keys: str = "",
    **trunk: Any,
) -> Set:  # fmt: skip
    async def go(port: int) -> list[Called]:
        tap = Tap()
        endpoint = await Endpoint(wire=tap).start()
        try:
            found = []
            for turn in range(rounds):
                found += await asyncio.gather(
                    *(
                        call(endpoint, port, folder / f"{turn}-{one}", seconds, Trunk(**trunk), keys)
                        for one in range(calls)
                    )
                )
            return found
        finally:
            await endpoint.stop()
            await tap.close()

    with stamping_far_end(gap=gap) as (port, noted):
        called = asyncio.run(go(port))
    return Set(called, noted)


@contextmanager
def spinning() -> Iterator[None]:
    """Keeps the interpreter busy: a callback waits its turn, a packet's stamp does not."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(2000))

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Set:
    return hold(tmp_path_factory.mktemp("quiet"), calls=4, rounds=5)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Set:
    with spinning():
        return hold(tmp_path_factory.mktemp("busy"), calls=4, rounds=3)


def test_an_endpoint_ends_without_a_crash_on_a_busy_machine(tmp_path: Path) -> None:
    """The clock's last ticks come late then. Memory that is used after it was freed must show: hence the allocator."""
    program = f"""
        from pathlib import Path
        from tests.test_wire_calls import hold, spinning
        with spinning(), spinning(), spinning():
            for turn in range(3):
                folder = Path({str(tmp_path)!r}) / str(turn)
                folder.mkdir()
                hold(folder, calls=4)
    """
    variables = os.environ | {"PYTHONMALLOC": "debug"}
    subprocess.run([sys.executable, "-c", dedent(program)], cwd=ROOT, env=variables, check=True, timeout=120)


@pytest.mark.parametrize("load", ["quiet", "busy"])
def test_signalling_is_stamped_within_a_fifth_of_a_millisecond(load: str, request: pytest.FixtureRequest) -> None:
    held: Set = request.getfixturevalue(load)
    errors = np.abs(held.errors())

    assert len(errors) == 4 * len(held.calls)
    assert np.percentile(errors, 95) <= 0.0002, errors
    for each in held.calls:
        assert {each.methods()[kind] for kind in (*KINDS, "ended", "first_audio")} == {"wire"}
        assert {event.u for event in each.events if event.kind in KINDS} == {0.0001}


def test_and_so_it_is_against_the_senders_own_clock(quiet: Set) -> None:
    late = []
    for each in quiet.calls:
        sent = quiet.noted["sent"][each.call_id]
        for kind, name in (("ringing", "180"), ("connected", "200")):
            [before] = [t for what, t in sent.items() if what.startswith(name) and what.endswith("INVITE")]
            late.append(each.at(kind) - before)
    assert min(late) > -0.0001
    assert np.median(late) <= 0.0002


def test_a_call_names_the_call_id_that_the_far_end_saw(quiet: Set) -> None:
    named = [event.data["call_id"] for each in quiet.calls for event in each.events if event.kind == "dialled"]
    assert len(named) == len(quiet.calls)
    assert set(named) == set(quiet.noted["sent"])


def test_events_are_told_in_the_order_of_their_causes(quiet: Set) -> None:
    for each in quiet.calls:
        kinds = [event.kind for event in each.events if event.kind in (*KINDS, "first_audio", "ended")]
        assert kinds == ["dialled", "ringing", "connected", "first_audio", "ended"]
        times = [each.at(kind) for kind in kinds]
        assert times == sorted(times)


@pytest.mark.parametrize("how", ["rfc4733", "info"])
def test_keys_are_stamped_when_they_went_out(tmp_path: Path, how: Literal["rfc4733", "info"]) -> None:
    held = hold(tmp_path, keys="59", dtmf=how)
    [each] = held.calls
    first: dict[str, float] = {}
    for t, name in held.noted["seen"]:
        if name.startswith("key" if how == "rfc4733" else "INFO"):
            first.setdefault(name if how == "rfc4733" else f"{len(first)}", t)

    assert each.method == "wire"
    assert each.pressed == pytest.approx(sorted(first.values()), abs=0.0002)
    if how == "rfc4733":
        assert [name.split()[1] for name in first] == ["5", "9"]


def test_the_pcap_is_the_call_in_session_time(quiet: Set) -> None:
    for each in quiet.calls[:4]:
        datagrams = read_pcap(each.files["pcap"], each.anchor.utc)
        reader = Messages()
        found = [message for one in datagrams for message in reader.take(one)]
        assert {message.call_id for message in found} == {each.call_id}, "of this call and no other"
        names = [str(message.code or message.method) for message in found]
        assert [name for name in names if name != "100"] == ["INVITE", "180", "200", "ACK", "BYE", "200"]
        instants = {name: message.t for name, message in zip(reversed(names), reversed(found), strict=True)}
        for kind, name in (("dialled", "INVITE"), ("ringing", "180"), ("ended", "BYE")):
            assert instants[name] + each.anchor.monotonic == pytest.approx(each.at(kind), abs=1e-6)
        media = media_of(datagrams)
        assert media is not None
        came, went = packets(datagrams, to=media.ours), packets(datagrams, of=media.ours)
        assert len(came) >= 5
        assert len(went) >= 3


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Set:
    """A call with a second in which nothing is sent."""
    return hold(tmp_path_factory.mktemp("long"), seconds=5.0, gap=True)


def loud(pcm: Pcm) -> list[float]:
    """Returns where loud stretches begin, in seconds."""
    there = np.abs(pcm.astype(int)) > 3000
    onsets = np.flatnonzero(there & ~np.concatenate(([False], there[:-1])))
    return [float(onset) / RATE for onset in onsets if not there[max(0, onset - 80) : onset].any()]


def far_side(each: Called) -> Pcm:
    with wave.open(str(each.files["recording"])) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 0]


def test_the_recording_has_every_sound_where_it_was_sent(long: Set) -> None:
    [each] = long.calls
    sent = [t - each.anchor.monotonic for t in long.noted["audio"][each.call_id]]
    found = loud(far_side(each))

    assert len(found) >= 8
    assert found == pytest.approx(sent[: len(found)], abs=0.002)
    assert len(sent) - len(found) <= 1


def test_a_second_without_packets_is_an_event_and_a_second_of_silence(long: Set) -> None:
    [each] = long.calls
    [gap] = [event for event in each.events if event.kind == "rtp_gap"]
    assert gap.data["seconds"] == pytest.approx(len(GAP) * 0.02, abs=0.1)
    silent = far_side(each)[round((gap.t + 0.05) * RATE) :][: round(0.85 * RATE)]
    assert not silent.any()


def test_the_ear_hears_what_is_recorded_without_a_hole(long: Set) -> None:
    [each] = long.calls
    starts = np.array([t for t, _ in each.ear.blocks])
    sizes = np.array([len(pcm) for _, pcm in each.ear.blocks])
    assert np.allclose(np.diff(starts), sizes[:-1] / RATE, atol=1e-9)
    heard = np.concatenate([pcm for _, pcm in each.ear.blocks])
    begin = round(starts[0] * RATE)
    assert np.array_equal(heard, far_side(each)[begin : begin + len(heard)])
    assert starts[0] <= each.at("first_audio") - each.anchor.monotonic, "from the first packet on"


def test_what_was_told_live_is_what_the_pcap_shows_afterwards(long: Set) -> None:
    [each] = long.calls
    datagrams = read_pcap(each.files["pcap"], each.anchor.utc)
    media = media_of(datagrams)
    assert media is not None
    expected = rtp_events(packets(datagrams, to=media.ours), media)
    told = [event for event in each.events if event.kind in ("first_audio", "rtp_gap", "stream_change")]
    assert [(event.kind, event.data) for event in told] == [(event.kind, event.data) for event in expected]
    assert [event.t for event in told] == pytest.approx([event.t for event in expected], abs=1e-6)


def test_other_codecs_are_heard_by_the_library_and_stamped_on_the_wire(tmp_path: Path) -> None:
    held = hold(tmp_path, seconds=1.0, codecs=("PCMA", "GSM"))
    [each] = held.calls
    assert each.methods()["connected"] == "wire"
    sent = [t - each.anchor.monotonic for t in held.noted["audio"][each.call_id]]
    found = loud(far_side(each))
    assert found
    assert found[0] == pytest.approx(sent[0], abs=0.3)


def test_without_a_capture_callbacks_serve_and_the_session_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "off")
    held = hold(tmp_path, seconds=1.0, keys="5")
    [each] = held.calls

    assert each.methods() == {
        "dialled": "callback", "no_capture": "harness", "ringing": "callback", "connected": "callback",
        "ended": "callback",
    }  # fmt: skip
    [said] = [event for event in each.events if event.kind == "no_capture"]
    assert said.data == {"why": "packets are not captured: SHOPPER_WIRE is off"}
    assert each.method == "callback"
    assert set(each.files) == {"recording"}
    assert loud(far_side(each))


def test_signalling_over_tcp_is_stamped_on_the_wire(tmp_path: Path) -> None:
    async def go() -> Called:
        tasks: set[asyncio.Task[None]] = set()

        def invited(leg: Leg) -> None:
            task = asyncio.create_task(leg.answer(200))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        tap = Tap()
        endpoint = await Endpoint(invited, wire=tap).start()  # it calls itself
        try:
            port = int((await endpoint.bind(Trunk(transport="tcp", uri="sip:centre@127.0.0.1"))).split(":")[1])
            return await call(endpoint, port, tmp_path / "call", 0.5, Trunk(transport="tcp"))
        finally:
            await endpoint.stop()
            await tap.close()

    each = asyncio.run(go())
    methods = each.methods()
    assert {methods[kind] for kind in ("dialled", "connected", "first_audio", "ended")} == {"wire"}
    assert each.at("dialled") < each.at("connected") < each.at("ended")
    found = read_pcap(each.files["pcap"], each.anchor.utc)
    assert {one.protocol for one in found} == {"tcp", "udp"}


def test_tls_cannot_be_read_and_is_not_waited_for() -> None:
    async def go() -> Event:
        tap = Tap()
        try:
            endpoint = Endpoint(wire=tap)
            channel = VoiceChannel(
                Line(uri="sips:95001@127.0.0.1"), endpoint=endpoint, trunk=Trunk(transport="tls"),
                ear=Listener(), speaker=None, folder=Path(),  # type: ignore[arg-type]
            )  # fmt: skip
            channel._origin = 0.0
            channel._follow_wire(Clock().anchor())
            return await channel._stamps.dialled(5.0, None)
        finally:
            await tap.close()

    event = asyncio.run(go())
    assert (event.method, event.t, event.u) == ("callback", 5.0, 0.005)
