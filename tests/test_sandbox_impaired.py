"""The sandbox's bad line: how much noise, loss and jitter a caller really gets, and that a call survives it whole."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML
from scipy.signal import fftconvolve

from harness.inputs import speech_cache
from harness.sandbox.centre import Centre
from harness.sandbox.impaired import at_port, options, options_of
from harness.sandbox.impairment import SPEECH_DBOV, VOICES, BadLine, Impairment, babble_of
from harness.sandbox.processes import Child
from harness.sandbox.wording import render_recordings
from probes.hearing.telephone import decode, encode, round_trip
from probes.hearing.wav import RATE, Pcm, read_wav
from probes.speaking.level import active_level
from probes.voice.leg import Signal
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.trunk import Trunk
from probes.voice.wire.rtp_media import describe

FRAME = 160
MANY = 20_000
# What the calls of this module go through.
BAD = Impairment(snr_db=10, loss=0.08, jitter_ms=40)


def packet(number: int, payload: bytes, kind: int = 8, flags: int = 0x80, more: bytes = b"") -> bytes:
    head = bytes([flags, kind]) + (number & 0xFFFF).to_bytes(2, "big") + (number * FRAME).to_bytes(4, "big")
    return head + b"line" + more + payload


def packets(count: int) -> list[bytes]:
    return [packet(number, b"\xd5" * FRAME) for number in range(count)]


def through(impairment: Impairment, sent: list[bytes], seed: str = "1") -> list[tuple[float, bytes] | None]:
    """Sends a packet every 20 ms; returns when and as what each comes out, None if it does not."""
    line = BadLine(impairment, seed)
    return [line.take(one, number * 0.02) for number, one in enumerate(sent)]


def decibels(noise: np.ndarray[Any, Any]) -> float:
    return float(10 * np.log10(np.mean(noise.astype(np.float64) ** 2)) - 20 * np.log10(32768))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pcm]:
    folder = tmp_path_factory.mktemp("recordings")
    for lang in ("zh", "en"):
        render_recordings(folder / lang, lang, speech_cache())
    return {f"{path.parent.name}/{path.stem}": read_wav(path) for path in sorted(folder.rglob("*.wav"))}


# ---- a line by itself


@pytest.mark.parametrize("share", [0.01, 0.03, 0.2])
def test_single_losses_are_as_many_as_asked(share: float) -> None:
    lost = sum(one is None for one in through(Impairment(loss=share), packets(MANY)))
    assert lost == pytest.approx(MANY * share, abs=4 * np.sqrt(MANY * share * (1 - share)))


@pytest.mark.parametrize(("share", "burst"), [(0.03, 4.0), (0.2, 8.0), (0.5, 2.5)])
def test_bursts_are_as_long_and_the_share_as_high_as_asked(share: float, burst: float) -> None:
    gone = [one is None for one in through(Impairment(loss=share, burst=burst), packets(5 * MANY))]
    runs = [len(list(run)) for lost, run in groupby(gone) if lost]
    assert np.mean(runs) == pytest.approx(burst, rel=5 / np.sqrt(len(runs)))
    assert np.mean(gone) == pytest.approx(share, rel=7 / np.sqrt(len(runs)))


@pytest.mark.parametrize(("law", "kind"), [("a", 8), ("mu", 0)])
@pytest.mark.parametrize("noise", ["white", "babble"])
@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0])
def test_noise_lies_as_far_under_active_speech_as_asked(
    recordings: dict[str, Pcm], snr: float, noise: str, law: Any, kind: int
) -> None:
    speech = np.concatenate(list(recordings.values()))
    speech = speech[: len(speech) // FRAME * FRAME]
    sent = [packet(n, encode(speech[n * FRAME :][:FRAME], law).tobytes(), kind) for n in range(len(speech) // FRAME)]
    line = BadLine(Impairment(snr_db=snr, noise=noise), "1", babble_of(list(recordings.values())))
    got = [line.take(one, 0.0) for one in sent]
    heard = decode(np.frombuffer(b"".join(one[1][12:] for one in got if one is not None), np.uint8), law)
    difference = heard.astype(np.float64) - round_trip(speech, law)
    assert active_level(speech) - decibels(difference) == pytest.approx(snr, abs=0.7)


def test_every_recording_speaks_at_the_level_that_the_noise_is_reckoned_from(recordings: dict[str, Pcm]) -> None:
    levels = {name: active_level(pcm) for name, pcm in recordings.items()}
    assert {name: level for name, level in levels.items() if abs(level - SPEECH_DBOV) > 0.8} == {}


def test_a_babble_is_many_voices_and_never_the_same_twice(recordings: dict[str, Pcm]) -> None:
    voice = babble_of(list(recordings.values()))
    mixtures = []
    for seed in ("1", "2"):
        line = BadLine(Impairment(snr_db=0, noise="babble"), seed, voice)
        got = [line.take(one, 0.0) for one in packets(500)]
        mixtures.append(decode(np.frombuffer(b"".join(one[1][12:] for one in got if one), np.uint8)).astype(np.float64))
    one, other = mixtures
    alike = np.fft.irfft(np.fft.rfft(one) * np.conj(np.fft.rfft(other)))
    # Two mixtures may share a stretch of one voice, in one place of the tape: an eighth of the power, and no more.
    assert np.max(np.abs(alike)) < 2.5 / VOICES * np.linalg.norm(one) * np.linalg.norm(other)
    assert np.std(one) > 2.5 * np.std(np.diff(one)) / 2, "speech has its power in the low notes"


def test_jitter_is_uniform_and_keeps_the_order() -> None:
    got = through(Impairment(jitter_ms=15), packets(MANY))
    late = np.array([one[0] for one in got if one is not None]) - np.arange(MANY) * 0.02
    assert late.min() >= 0
    assert late.max() <= 0.015
    assert np.quantile(late, [0.1, 0.5, 0.9]) == pytest.approx([0.0015, 0.0075, 0.0135], abs=0.0005)


@pytest.mark.parametrize("reorder", [False, True])
def test_packets_overtake_each_other_only_where_they_may(reorder: bool) -> None:
    got = through(Impairment(jitter_ms=60, reorder=reorder), packets(2000))
    due = np.array([one[0] for one in got if one is not None])
    overtaken = int(np.sum(np.diff(due) <= 0))
    assert (overtaken > 200) if reorder else (overtaken == 0)
    assert (due - np.arange(2000) * 0.02).max() <= 0.0601


def test_the_same_seed_is_the_same_line_and_another_is_not() -> None:
    bad = Impairment(snr_db=5, loss=0.1, burst=3, jitter_ms=40)
    assert through(bad, packets(500)) == through(bad, packets(500))
    assert through(bad, packets(500)) != through(bad, packets(500), seed="2")


def test_loss_and_jitter_stay_where_they_are_when_noise_is_added() -> None:
    quiet, noisy = (
        [one and one[0] for one in through(Impairment(snr_db=snr, loss=0.1, jitter_ms=40), packets(500))]
        for snr in (None, 5)
    )
    assert quiet == noisy


def untouched() -> Iterator[bytes]:
    yield packet(1, b"\x01\x0a\x00\xa0", kind=101)  # a key, RFC 4733
    yield packet(1, b"\x42" * 20, kind=18)  # G.729
    yield b"\x80\xc8\x00\x06" + bytes(24)  # RTCP
    yield b"\x00\x01\x00\x00!\x12\xa4B" + bytes(12)  # STUN
    yield b""


@pytest.mark.parametrize("sent", list(untouched()))
def test_noise_is_for_audio_alone(sent: bytes) -> None:
    assert BadLine(Impairment(snr_db=0), "1").take(sent, 3.0) == (3.0, sent)


def test_what_is_no_rtp_is_never_lost_nor_late() -> None:
    report = b"\x80\xc8\x00\x06" + bytes(24)
    line = BadLine(Impairment(loss=0.5, jitter_ms=100), "1")
    assert [line.take(report, 1.0) for _ in range(50)] == [(1.0, report)] * 50


def test_header_extension_and_padding_stay() -> None:
    extension = b"\xbe\xde\x00\x01" + b"\x10\xaa\x00\x00"
    sent = packet(1, b"\xd5" * FRAME + b"\x00\x00\x00\x04", flags=0xB0, more=extension)
    got = BadLine(Impairment(snr_db=0), "1").take(sent, 0.0)
    assert got is not None
    assert (got[1][:20], got[1][-4:], len(got[1])) == (sent[:20], sent[-4:], len(sent))
    assert got[1][20:-4] != sent[20:-4]


# ---- what it says in the sides' place


def test_sdp_names_our_port_and_nothing_else_of_it_changes() -> None:
    sdp = b"v=0\r\no=- 7 7 IN IP4 10.0.0.9\r\nc=IN IP4 10.0.0.9\r\nm=audio 4000 RTP/AVP 8 101\r\n"
    more = b"a=rtcp:4001 IN IP4 10.0.0.9\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    ours = b"v=0\r\no=- 7 7 IN IP4 10.0.0.9\r\nc=IN IP4 127.0.0.1\r\nm=audio 6000 RTP/AVP 8 101\r\n"
    assert at_port(sdp + more, 6000) == ours + more.replace(b"4001 IN IP4 10.0.0.9", b"6001 IN IP4 127.0.0.1")


def test_a_refused_stream_stays_refused_and_a_held_one_held() -> None:
    sdp = b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 0 RTP/AVP 8\r\n"
    assert at_port(sdp, 6000) == sdp


@pytest.mark.parametrize(
    "wrong", [{"loss": 0.6}, {"loss": -0.1}, {"jitter_ms": 501}, {"burst": 0.5}, {"snr_db": 90}, {"snr": 10}]
)
def test_what_no_line_is_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Impairment.model_validate(wrong)


@pytest.mark.parametrize(
    "asked",
    [
        Impairment(),
        BAD,
        Impairment(snr_db=-3.5, noise="babble", loss=0.125, burst=4, jitter_ms=12.5, reorder=True),
    ],
)
def test_the_process_is_told_what_was_asked(tmp_path: Path, asked: Impairment) -> None:
    (tmp_path / "menu.wav").touch()
    rest = ["--far", "a=127.0.0.1:5060", "--port-file", "port", "--recordings", str(tmp_path)]
    args, understood = options([*rest, *options_of(asked)])
    assert understood == asked
    assert args.far == [("a", ("127.0.0.1", 5060))]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--far", "a=192.0.2.1:5060"], "is not NAME=127.0.0.1:PORT"),
        (["--far", "a=127.0.0.1:5060", "--loss", "2"], "loss: Input should be less than or equal to 0.5"),
        (["--far", "a=127.0.0.1:5060", "--noise", "babble"], "--noise babble wants --recordings"),
    ],
)
def test_the_process_refuses_wrong_options(tmp_path: Path, given: list[str], why: str) -> None:
    command = [sys.executable, "-m", "harness.sandbox.impaired", "--port-file", str(tmp_path / "port"), *given]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert why in ended.stderr
    assert not (tmp_path / "port").exists()


# ---- calls through it


class Port(asyncio.DatagramProtocol):
    """A UDP port that keeps all it gets, with the instants."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[float, bytes, tuple[str, int]]] = asyncio.Queue()

    def connection_made(self, transport: Any) -> None:
        self.transport, self.number = transport, transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.got.put_nowait((asyncio.get_running_loop().time(), data, source))

    async def message(self, pattern: str) -> tuple[str, tuple[str, int]]:
        """Waits for a SIP message that begins so; what comes before it is passed over."""
        async with asyncio.timeout(20):
            while True:
                _, data, source = await self.got.get()
                if re.match(pattern, text := data.decode(), re.DOTALL):
                    return text, source


async def port() -> Port:
    _, opened = await asyncio.get_running_loop().create_datagram_endpoint(Port, ("127.0.0.1", 0))
    return opened


def header(name: str, message: str) -> str:
    return re.search(rf"^{name}: ?([^\r]*)", message, re.MULTILINE)[1]  # type: ignore[index]


def sdp(at: int) -> str:
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    return f"{head}m=audio {at} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp:{at + 1}\r\n"


def body_of(message: str) -> str:
    """Returns the body, as long as the message says it is."""
    body = message.partition("\r\n\r\n")[2]
    assert int(header("Content-Length", message)) == len(body)
    return body


class Phone:
    """A caller made of two ports: it calls, and hangs up."""

    def __init__(self, uri: str) -> None:
        self.uri, self.target, self.to = uri, uri, f"<{uri}>"
        self.server = ("127.0.0.1", int(uri.rsplit(":", 1)[1]))

    async def call(self) -> str:
        """Calls; returns the final answer."""
        self.sip, self.rtp = await port(), await port()
        self._send("INVITE", 1, sdp(self.rtp.number))
        answer, _ = await self.sip.message(r"SIP/2.0 [2-6].*\nCSeq: 1 INVITE\r")
        self.to, self.target = header("To", answer), header("Contact", answer).strip("<>")
        self._send("ACK", 1)
        return answer

    async def hang_up(self) -> str:
        """Hangs up; returns the answer."""
        self._send("BYE", 2)
        answer, _ = await self.sip.message(r"SIP/2.0 [2-6].*\nCSeq: 2 BYE\r")
        for each in (self.sip, self.rtp):
            each.transport.close()
        return answer

    def _send(self, method: str, number: int, body: str = "") -> None:
        text = (
            f"{method} {self.target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.sip.number};rport;branch=z9hG4bK{method}{self.sip.number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:plain@127.0.0.1>;tag=plain\r\nTo: {self.to}\r\n"
            f"Call-ID: plain-{self.sip.number}\r\nCSeq: {number} {'INVITE' if method == 'ACK' else method}\r\n"
            f"Contact: <sip:plain@127.0.0.1:{self.sip.number}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        self.sip.transport.sendto(text.encode(), self.server)


@dataclass
class Heard:
    """One call of a Phone's: the answers, and the audio packets with their instants."""

    answer: str
    goodbye: str
    packets: list[tuple[float, bytes]]


async def phone(uri: str, seconds: float) -> Heard:
    """Calls ``uri``, listens for ``seconds``, and hangs up."""
    loop, caller, packets = asyncio.get_running_loop(), Phone(uri), []
    answer = await caller.call()
    until = loop.time() + seconds
    while loop.time() < until:
        t, data, _ = await asyncio.wait_for(caller.rtp.got.get(), 5)
        packets.append((t, data))
    return Heard(answer, await caller.hang_up(), packets)


@dataclass
class Delays:
    """Seconds on the way through the process, by sequence number: the audio's, and those of RTCP sent beside it."""

    audio: dict[int, float] = field(default_factory=dict)
    reports: dict[int, float] = field(default_factory=dict)
    up: list[bytes] = field(default_factory=list)  # what the far end got of the caller's audio


async def delays(far: Port, uri: str, count: int) -> Delays:
    """Answers a call at ``far``, and sends the caller pairs of audio and RTCP, 20 ms apart."""
    loop, caller, sender = asyncio.get_running_loop(), Phone(uri), await port()
    calling = asyncio.create_task(caller.call())
    invite, source = await far.message("INVITE ")
    kept = "".join(f"{name}: {header(name, invite)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
    more = f"To: {header('To', invite)};tag=far\r\nContact: <sip:far@127.0.0.1:{far.number}>\r\n"
    body = sdp(sender.number)
    answer = f"SIP/2.0 200 OK\r\n{kept}{more}Content-Length: {len(body)}\r\n\r\n{body}"
    far.transport.sendto(answer.encode(), source)
    place, behind = describe(body_of(invite)), describe(body_of(await calling))
    assert place is not None
    assert behind is not None
    assert len({caller.rtp.number, sender.number, place.place, behind.place}) == 4, "every port is its own"
    found, sent = Delays(), {}
    begun = loop.time()
    for number in range(count):
        await asyncio.sleep(begun + number * 0.02 - loop.time())
        sent[number] = loop.time()
        sender.transport.sendto(packet(number, b"\xd5" * FRAME), place.place)
        sender.transport.sendto(b"\x80\xc8\x00\x01" + number.to_bytes(4, "big"), place.place)
        caller.rtp.transport.sendto(packet(number, b"\x55" * FRAME), behind.place)
    while len(found.audio) < count or len(found.reports) < count:
        t, data, _ = await asyncio.wait_for(caller.rtp.got.get(), 5)
        number = int.from_bytes(data[2:4] if data[1] == 8 else data[4:8])
        (found.audio if data[1] == 8 else found.reports)[number] = t - sent[number]
    while len(found.up) < count:
        found.up.append((await asyncio.wait_for(sender.got.get(), 5))[1])
    for each in (caller.sip, caller.rtp, sender):
        each.transport.close()
    return found


@pytest.mark.alone
def test_the_centres_audio_alone_is_late(tmp_path: Path) -> None:
    """RTCP goes the same way at the same instants unimpaired: what it is late by is this machine's affair."""

    async def go() -> Delays:
        far = await port()
        given = [f"--far=a=127.0.0.1:{far.number}", *options_of(Impairment(jitter_ms=60, reorder=True))]
        child = Child("harness.sandbox.impaired", tmp_path / "port", given, tmp_path / "log")
        address = (await child.start())["addresses"]["a"]
        try:
            return await delays(far, f"sip:line@{address}", 400)
        finally:
            await child.stop()
            far.transport.close()
            assert child.process is not None
            assert child.process.returncode == 0, "it goes by itself when its standard input closes"

    found = asyncio.run(go())
    late = np.array([found.audio[number] - found.reports[number] for number in range(400)]) * 1000
    assert np.quantile(late, [0.1, 0.5, 0.9]) == pytest.approx([6, 30, 54], abs=8)
    assert found.up == [packet(number, b"\x55" * FRAME) for number in range(400)], "the caller's words pass as they are"
    assert (tmp_path / "log").read_text() == ""


async def stack_calls(uri: str, press: str | None) -> list[Signal]:
    """Calls ``uri`` with the SIP stack of the probes, presses a key, and waits until the far end hangs up."""
    endpoint = await Endpoint().start()
    signals: list[Signal] = []
    try:
        leg = endpoint.leg(uri)
        await endpoint.dial(leg, Trunk())
        async with asyncio.timeout(60):
            while not signals or signals[-1].kind != "ended":
                signals.append(await leg.signals.get())
                if signals[-1].kind == "connected" and press is not None:
                    await leg.press(press, "rfc4733")
    finally:
        await endpoint.stop()
    return signals


@dataclass
class Calls:
    """What three calls through a bad line were, at both ends."""

    folder: Path
    uris: dict[str, str]
    heard: Heard
    served: list[Signal]
    busy: list[Signal]

    def truth(self, process: str, number: str) -> list[dict[str, Any]]:
        """The centre's own log of the calls to ``number``."""
        rows = [json.loads(row) for row in (self.folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
        sessions = {row["session"] for row in rows if row["event"] == "invite" and row["number"] == number}
        return [row for row in rows if row["session"] in sessions and row["session"].startswith(process)]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    folder = tmp_path_factory.mktemp("bad line") / "centre"

    async def go() -> Calls:
        async with Centre(folder, seed=113, cache=speech_cache(), chat=False, impairment=BAD) as described:
            lines = YAML(typ="safe").load(described)["lines"]
            uris = {name: line["uri"] for name, line in lines.items()}
            heard, served = await asyncio.gather(phone(uris["hotline-1"], 14), stack_calls(uris["self-service"], "1"))
            return Calls(folder, uris, heard, served, await stack_calls(uris["busy"], None))

    return asyncio.run(go())


@pytest.mark.realtime
def test_every_line_leads_to_the_bad_line_and_not_past_it(calls: Calls) -> None:
    behind = {json.loads(path.read_text())["address"].rsplit(":", 1)[1] for path in calls.folder.glob("voice-*.port")}
    dialled = {uri.rsplit(":", 1)[1] for uri in calls.uris.values()}
    fronts = json.loads((calls.folder / "impaired.port").read_text())["addresses"]
    assert dialled == {address.rsplit(":", 1)[1] for address in fronts.values()}
    assert len(dialled) == len(behind)
    assert not dialled & behind


@pytest.mark.realtime
def test_the_centre_is_answerable_at_the_bad_line_alone(calls: Calls) -> None:
    front = int(calls.uris["hotline-1"].rsplit(":", 1)[1])
    contact = re.search(r"^Contact: <sip:[^@]*@([^;>]*)", calls.heard.answer, re.MULTILINE)
    assert contact is not None
    assert contact[1] == f"127.0.0.1:{front}"
    said = describe(body_of(calls.heard.answer))
    assert said is not None
    assert said.place is not None
    assert calls.heard.goodbye.startswith("SIP/2.0 200 ")
    assert [row["by"] for row in calls.truth("voice-1", "95001") if row["event"] == "end"] == ["far"]


def columns(heard: Heard) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Returns arrival, sequence and time stamp of the audio packets; no stream of these calls wraps around."""
    rtp = [(t, data) for t, data in heard.packets if data[1] & 0x7F == 8]
    seq = np.array([int.from_bytes(data[2:4]) for _, data in rtp], np.int64)
    stamps = np.array([int.from_bytes(data[4:8]) for _, data in rtp], np.int64)
    return np.array([t for t, _ in rtp]), (seq - seq[0]) % 65536, (stamps - stamps[0]) % 2**32


@pytest.mark.realtime
def test_as_many_packets_are_lost_as_asked(calls: Calls) -> None:
    _, seq, _ = columns(calls.heard)
    sent = int(seq[-1]) + 1
    lost = sent - len(set(seq.tolist()))
    assert sent > 600
    assert lost == pytest.approx(sent * BAD.loss, abs=3 * np.sqrt(sent * BAD.loss * (1 - BAD.loss)))


@pytest.mark.realtime
def test_packets_come_in_order(calls: Calls) -> None:
    _, seq, _ = columns(calls.heard)
    assert (np.diff(seq) > 0).all()


@pytest.mark.realtime
def test_the_noise_that_is_received_is_as_loud_as_asked(calls: Calls) -> None:
    welcome = read_wav(calls.folder / "recordings" / "welcome.wav")
    _, _, stamps = columns(calls.heard)
    sound = np.zeros(int(stamps[-1]) + FRAME)
    there = np.zeros(len(sound), np.bool_)
    payloads = [data[12:] for _, data in calls.heard.packets if data[1] & 0x7F == 8]
    for at, payload in zip(stamps.tolist(), payloads, strict=True):
        sound[at : at + FRAME] = decode(np.frombuffer(payload, np.uint8))
        there[at : at + FRAME] = True
    clean = round_trip(welcome).astype(np.float64)
    start = int(np.argmax(fftconvolve(sound[: 8 * RATE], clean[::-1], "valid")))
    noise = (sound[start : start + len(clean)] - clean)[there[start : start + len(clean)]]
    assert active_level(welcome) - decibels(noise) == pytest.approx(BAD.snr_db, abs=1)


@pytest.mark.realtime
def test_a_whole_call_goes_through_with_keys_up_and_the_centres_goodbye_down(calls: Calls) -> None:
    kinds = [signal.kind for signal in calls.served]
    assert [kind for kind in kinds if kind != "media"] == ["ringing", "connected", "ended"]
    assert calls.served[-1].data["by"] == "far"
    rows = calls.truth("voice-4", "95008")
    assert [row["digit"] for row in rows if row["event"] == "key"] == ["1"]
    assert [row["id"] for row in rows if row["event"] == "prompt"][-2:] == ["balance-info", "goodbye"]


@pytest.mark.realtime
def test_a_refusal_goes_through(calls: Calls) -> None:
    assert [signal.kind for signal in calls.busy] == ["ended"]
    assert "486" in str(calls.busy[-1].data)
