"""The hostile lines do what they say, in the truth log and on the wire: a caller who cannot hear calls each of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.inputs import speech_cache
from harness.sandbox.centre import HOSTILE_LINES, LINES, Centre
from harness.sandbox.hostile import NUMBERS
from harness.sandbox.sounds import as_live, key_tone
from harness.sandbox.truth import Truth
from probes.hearing.wav import RATE, Pcm, read_wav
from probes.target import Target
from probes.target_file import load_target
from probes.voice.leg import CALLS_PER_PROCESS, Leg, Signal
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.trunk import Trunk
from tests.conventions import ROOT

pytestmark = [pytest.mark.realtime, pytest.mark.long, pytest.mark.timeout(540)]

SEED = 11
SILENCE = 9.0  # the codec's least amplitude is 8
LATE_S = 0.25  # frames are heard so much later than they were sent, at most
PRESSES_AFTER_S = 1.0


def babble() -> Pcm:
    """A question of 3 s and a goodbye of 1 s, each with a pause after it: a caller who talks without listening."""
    noise = np.random.default_rng(1).normal(0, 2000, 6 * RATE)
    noise[3 * RATE : 4 * RATE] = noise[5 * RATE :] = 0
    return noise.astype(np.int16)


@dataclass
class Call:
    """What the caller had of a call, and what the centre logged of it."""

    signals: list[Signal] = field(default_factory=list)
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    packets: int = 0
    call_id: str | None = None
    truth: list[dict[str, Any]] = field(default_factory=list)
    longest_stall_s: float = 0.0

    def rows(self, event: str) -> list[dict[str, Any]]:
        return [row for row in self.truth if row["event"] == event]

    def at(self, event: str, **data: object) -> float:
        """When the centre first logged that."""
        return next(float(row["t_mono"]) for row in self.rows(event) if data.items() <= row.items())

    def told(self, kind: str) -> list[float]:
        return [signal.t for signal in self.signals if signal.kind == kind]

    def heard(self, start: float, end: float) -> Pcm:
        """What the caller heard between two instants."""
        return np.frombuffer(b"".join(frame for t, frame in self.frames if start <= t < end), "<i2")

    def level(self, start: float, end: float) -> float:
        return float(np.sqrt(np.mean(self.heard(start, end).astype(np.float64) ** 2)))

    def in_order(self, *events: str) -> bool:
        """Whether the centre did these one after another, whatever else in between."""
        times = iter(self.truth)
        return all(any(row["event"] == event for row in times) for event in events)


def tone(pcm: Pcm, frequency: float) -> float:
    """Amplitude of a steady tone."""
    t = np.arange(len(pcm)) / RATE
    return float(2 * abs(np.mean(pcm * np.exp(-2j * np.pi * frequency * t))))


def likeness(one: Pcm, other: Pcm) -> float:
    """How alike the louder parts are at their best alignment: 1 is the same waveform."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    size = len(a) + len(b)
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return float(product.max() / np.sqrt(np.sum(a**2) * np.sum(b**2)))


def likeness_of_parts(one: Pcm, other: Pcm, seconds: float = 0.7) -> float:
    """The same of most parts: a machine that stood still for a moment moves what comes after it, no more."""
    size = int(seconds * RATE)
    return float(np.median([likeness_of_part(one[at : at + size], other) for at in range(0, len(one) - size, size)]))


def likeness_of_part(part: Pcm, whole: Pcm) -> float:
    """How like a part is to the stretch of the whole that is most like it."""
    a, b = part.astype(np.float64), whole.astype(np.float64)
    product = np.correlate(b, a, "valid")
    energy = np.convolve(b**2, np.ones(len(a)), "valid")
    return float((product / np.sqrt(np.maximum(energy, 1.0) * np.sum(a**2))).max())


async def place(endpoint: Endpoint, trunk: Trunk, uri: str, call: Call) -> None:
    """Calls, presses 0 a second after the answer, talks without listening, and waits until the centre hangs up."""
    leg: Leg = endpoint.leg(uri)

    def keep() -> None:
        call.frames.extend(frames.heard)
        frames.heard.clear()
        frames.spoken.clear()

    frames = leg.listen(keep)
    await endpoint.dial(leg, trunk)
    call.call_id = leg.call_id
    async with asyncio.timeout(150):
        while (signal := await leg.signals.get()).kind != "ended":
            call.signals.append(signal)
            if signal.kind == "connected":
                leg.mouth.play(babble(), loop=True)
                acting = asyncio.create_task(press(leg))
    call.signals.append(signal)
    acting.cancel()
    await asyncio.gather(acting, return_exceptions=True)
    await endpoint.do(lambda: None)  # the call's slot is free to be dialled on only once the stack has let go of it
    keep()
    call.packets = leg.packets
    call.longest_stall_s = max((seconds for _, seconds in frames.stalls), default=0.0)


async def press(leg: Leg) -> None:
    await asyncio.sleep(PRESSES_AFTER_S)
    await leg.press("0", "rfc4733")


@dataclass
class Audit:
    """All calls, by line, and the centre's folder and target."""

    calls: dict[str, list[Call]]
    folder: Path
    target: Target

    def call(self, line: str) -> Call:
        return self.calls[line][0]


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """One call of each hostile line, and a second one of the song, while this machine kept up: a shared one may not."""
    for _ in range(3):
        done = dial_all(tmp_path_factory.mktemp("hostile"))
        if all(call.longest_stall_s <= 0.3 for calls in done.calls.values() for call in calls):
            return done
    pytest.fail("this machine stood still for more than 0.3 s in each of three rounds: nothing can be heard on it")


def dial_all(folder: Path) -> Audit:
    """Calls all hostile lines, four at a time."""
    jobs = [(line, Call()) for line in ["song", *(line for lines in HOSTILE_LINES.values() for line in lines)]]

    async def go() -> Audit:
        centre = Centre(folder, seed=SEED, cache=speech_cache(), chat=False, hostile=True)
        slots, trunk = asyncio.Semaphore(CALLS_PER_PROCESS), Trunk(uri="sip:caller@127.0.0.1")
        async with centre as aim:
            target = load_target(aim).target
            endpoint = await Endpoint().start()

            async def one(line: str, call: Call) -> None:
                async with slots:
                    await place(endpoint, trunk, target.lines[line].uri, call)

            try:
                async with asyncio.TaskGroup() as group:
                    for line, call in jobs:
                        group.create_task(one(line, call))
            finally:
                await endpoint.stop()
        rows = Truth.read(centre.truth)
        begun = {row["call_id"]: row["session"] for row in rows if row["event"] == "invite"}
        calls: dict[str, list[Call]] = {}
        for line, call in jobs:
            session = begun.pop(str(call.call_id))
            call.truth = [row for row in rows if row["session"] == session]
            calls.setdefault(line, []).append(call)
        assert not begun, "every call was one of ours"
        return Audit(calls, folder, target)

    return asyncio.run(go())


def test_the_welcome_is_heard_before_the_answer(audit: Audit) -> None:
    call = audit.call("early-voice")
    assert call.in_order(
        "invite", "early", "prompt", "answered", "prompt", "key", "queue", "ringback", "agent", "first_word"
    )
    assert call.at("prompt", id="welcome") < call.at("answered") < call.at("prompt", id="menu")
    [connected] = call.told("connected")
    assert call.told("early_media")[0] < connected
    assert call.level(call.at("prompt", id="welcome") + LATE_S, connected) > 1000


def test_the_answer_comes_before_the_ringing(audit: Audit) -> None:
    call = audit.call("answers-first")
    assert call.in_order("answered", "queue", "ringback", "agent", "first_word")
    assert call.at("queue") == call.at("ringback")
    assert not call.rows("ringing")
    assert not call.told("ringing")
    begun = call.at("ringback") + LATE_S
    assert tone(call.heard(begun, begun + 0.6), 450) > 2000
    assert call.level(begun + 1.5, begun + 3) < SILENCE
    assert call.at("agent") - call.at("ringback") > 5


def test_the_song_has_words_and_is_the_same_in_every_call(audit: Audit) -> None:
    whole = read_wav(audit.folder / "recordings" / "song.wav")
    stretches = []
    for call in audit.calls["song"]:
        assert call.in_order("queue", "music", "prompt", "music", "ringback", "agent", "first_word")
        begun = call.at("music")
        stretches.append(call.heard(begun + LATE_S, begun + 4.5))
        assert likeness_of_parts(stretches[-1], whole[: 5 * RATE]) > 0.8
    assert likeness_of_parts(*stretches) > 0.9
    assert "song" not in {prompt.id for prompt in audit.target.prompts}


def test_two_calls_never_hear_the_same_words_of_an_agent(audit: Audit) -> None:
    greetings = [
        call.heard(row["t_mono"] + LATE_S, row["t_mono"] + 2.0)
        for calls in audit.calls.values()
        for call in calls
        for row in call.rows("first_word")
    ]
    assert len(greetings) == 14
    assert all(np.abs(greeting).max() > 1000 for greeting in greetings)
    alike = [likeness(one, other) for one, other in combinations(greetings, 2)]
    assert max(alike) < 0.6


def test_an_announcement_every_8_s_and_silence(audit: Audit) -> None:
    call = audit.call("announces")
    announced = [row["t_mono"] for row in call.rows("prompt") if row["id"] == "still-busy"]
    assert len(announced) in (2, 3)
    assert np.diff(announced) == pytest.approx(8.0, abs=0.15)
    length = len(read_wav(audit.folder / "recordings" / "still-busy.wav")) / RATE
    for begun in announced:
        assert call.level(begun + LATE_S, begun + length) > 1000
        assert call.level(begun + length + LATE_S, begun + 7.9) < SILENCE
    assert call.in_order("key", "queue", "prompt", "prompt", "ringback", "agent", "first_word")


def test_a_recording_tells_the_number_right_before_the_agent(audit: Audit) -> None:
    call = audit.call("numbered")
    assert call.in_order("queue", "ringback", "agent", "prompt", "first_word")
    [number] = {row["agent"] for row in call.rows("first_word")}
    told = call.at("prompt", id=f"agent-{number}")
    length = len(read_wav(audit.folder / "recordings" / f"agent-{number}.wav")) / RATE
    assert 0 <= told - call.at("agent") < 0.2
    assert 0.2 < call.at("first_word") - told - length < 1.0
    assert {prompt.role for prompt in audit.target.prompts if prompt.id == f"agent-{number}"} == {"agent_id"}


def test_the_agent_says_nothing_for_6_s_on_an_open_line(audit: Audit) -> None:
    call = audit.call("speechless")
    assert call.in_order("ringback", "agent", "first_word")
    assert 6.2 < call.at("first_word") - call.at("agent") < 7.2
    assert 4 < call.level(call.at("agent") + LATE_S, call.at("first_word")) < 40


def test_the_greeting_begins_under_the_ringback(audit: Audit) -> None:
    call = audit.call("over-ringback")
    spoken = call.at("first_word")
    assert call.at("agent") == spoken
    assert tone(call.heard(spoken + 0.1, spoken + 0.4), 450) > 1500
    assert tone(call.heard(spoken + 0.7, spoken + 1.7), 450) < 500
    assert call.level(spoken + LATE_S, spoken + 1.5) > 2000


def test_a_second_queue_and_a_second_agent(audit: Audit) -> None:
    call = audit.call("second-queue")
    stay = ("queue", "music", "ringback", "agent", "first_word")
    assert call.in_order("key", *stay, "agent_says", "handed_on", *stay, "agent_says")
    assert [len(call.rows(event)) for event in ("queue", "agent", "first_word", "handed_on")] == [2, 2, 2, 1]
    assert call.level(call.at("handed_on") + LATE_S, call.at("handed_on") + 2) > 1000, "an announcement again"


def test_the_agent_comes_back_from_a_hold(audit: Audit) -> None:
    call = audit.call("on-hold")
    assert call.in_order("agent", "first_word", "agent_says", "on_hold", "resumed", "agent_says", "agent_says")
    assert 3.9 < call.at("resumed") - call.at("on_hold") < 6.3
    held = call.heard(call.at("on_hold") + LATE_S, call.at("resumed"))
    assert np.sqrt(np.mean(held.astype(np.float64) ** 2)) > 800


def test_an_agent_who_hears_nobody_gives_up(audit: Audit) -> None:
    call = audit.call("deaf")
    assert call.in_order("agent", "first_word", "agent_says", "agent_says", "agent_says", "gave_up", "end")
    assert [row["digit"] for row in call.rows("key")] == ["0"], "the line itself carried what the agent ignores"
    assert call.signals[-1].data["by"] == "far"


def test_nothing_at_all_comes_from_an_answered_call(audit: Audit) -> None:
    call = audit.call("inaudible")
    assert call.in_order("answered", "no_packets", "gave_up", "end")
    assert not call.rows("agent")
    assert call.packets == 0
    assert call.signals[-1].t - call.told("connected")[0] > 14


def test_no_packets_while_the_menu_would_play(audit: Audit) -> None:
    call = audit.call("no-packets")
    assert call.in_order("answered", "no_packets", "key", "queue", "ringback", "agent", "first_word")
    assert call.at("queue") - call.at("no_packets") > 6
    sent = 50 * (call.at("end") - call.at("queue"))
    assert 0.5 * sent < call.packets < 1.02 * sent, "silence would have been packets too"
    assert call.level(call.told("connected")[0], call.at("queue")) < 5


def test_keys_come_back_as_tones_and_as_events(audit: Audit) -> None:
    call = audit.call("echoes")
    assert [(row["digit"], row["how"]) for row in call.rows("echo")] == [("0", "tones"), ("0", "rfc4733")]
    assert [signal.data["digit"] for signal in call.signals if signal.kind == "dtmf"] == ["0"]
    assert call.in_order("key", "echo", "echo", "queue", "agent", "first_word")
    begun = call.at("echo")
    assert likeness(call.heard(begun, begun + 0.4), key_tone("0")) > 0.9


def test_answered_and_gone(audit: Audit) -> None:
    call = audit.call("answers-and-goes")
    assert [row["event"] for row in call.truth] == ["invite", "ringing", "answered", "end"]
    assert [signal.kind for signal in call.signals if signal.kind != "media"] == ["ringing", "connected", "ended"]
    assert call.signals[-1].t - call.told("connected")[0] < 0.5


def test_every_call_ended_by_itself(audit: Audit) -> None:
    ended = {line: {call.signals[-1].data["by"] for call in calls} for line, calls in audit.calls.items()}
    assert ended == {line: {"far"} for line in ended}
    for lines in HOSTILE_LINES:
        assert (audit.folder / f"{lines}.log").read_text(encoding="utf-8") == ""


def test_the_target_lists_the_lines_and_their_recordings(audit: Audit) -> None:
    assert set(audit.target.lines) == {line for lines in (LINES | HOSTILE_LINES).values() for line in lines}
    assert {prompt.role for prompt in audit.target.prompts if prompt.id.startswith(("agent-", "still-"))} == {
        "agent_id", "queue",
    }  # fmt: skip


def test_a_plain_centre_has_none_of_it_and_may_hide_its_recordings(tmp_path: Path) -> None:
    async def go() -> Target:
        async with Centre(tmp_path, seed=SEED, cache=speech_cache(), chat=False, prompts=False) as aim:
            return load_target(aim).target

    target = asyncio.run(go())
    assert target.prompts == ()
    assert set(target.lines) == {line for lines in LINES.values() for line in lines}
    assert not (tmp_path / "voice-5.log").exists()
    assert not (tmp_path / "recordings" / "song.wav").exists()


def test_a_process_carries_no_more_calls_than_it_can() -> None:
    for lines in HOSTILE_LINES.values():
        assert sum(channels for _, channels, _ in lines.values()) <= CALLS_PER_PROCESS
    assert sorted(number for lines in HOSTILE_LINES.values() for number, _, _ in lines.values()) == sorted(NUMBERS)


def test_the_page_names_every_hostile_line() -> None:
    text = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    for lines in HOSTILE_LINES.values():
        for line, (number, _, _) in lines.items():
            assert f"| {number} | `{line}` |" in text


def test_a_sentence_is_never_said_twice_the_same() -> None:
    t = np.arange(3 * RATE) / RATE
    voiced = np.sin(2 * np.pi * 140 * t + 3 * np.sin(2 * np.pi * 2 * t)) * (t % 0.3 < 0.22) * 6000
    sentence = np.concatenate([voiced, np.full(160, 9000.0)]).astype(np.int16)  # a mark at its end
    said = [as_live(sentence, f"{seed}") for seed in range(6)]

    assert max(likeness(one, other) for one, other in combinations([sentence, *said], 2)) < 0.7
    assert all(abs(len(pcm) / len(sentence) - 1) < 0.1 for pcm in said)
    assert all(pcm[-100:].min() > 7000 for pcm in said), "nothing is cut off"
    assert np.array_equal(said[3], as_live(sentence, "3"))
