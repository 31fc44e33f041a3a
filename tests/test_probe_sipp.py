"""`shopper probe` calls lines that SIPp answers: a SIP stack and a media sender that nobody here wrote.

SIPp keeps its own log of when it rang, was connected and was released; the session is held against that.
"""

from __future__ import annotations

import socket
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pytest

from probes.hearing.telephone import encode
from probes.hearing.wav import RATE, Pcm
from probes.session import Session
from probes.speaking import espeak
from tests.shopper import Ran, plan, shopper
from tests.sipp_line import Line, target

pytestmark = [pytest.mark.realtime, pytest.mark.long]

LEAD_S = 0.6  # from the connection to the first word
PERIOD_S = 8.0  # the line speaks anew so often: each question of the shopper's is followed by an answer
GREETING = "您好，这里是客户服务中心，请问有什么可以帮您？"


@dataclass
class Call:
    """What came of one call to a line that answers."""

    ran: Ran
    session: Session
    line: Line
    statistics: dict[str, str]
    greeting: Pcm


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    """One run: a direct line, and one that wants the key 0 by INFO."""
    folder = tmp_path_factory.mktemp("answering lines")
    greeting = espeak.render(GREETING, voice="cmn", variant="f2", wpm=260)
    assert 2.5 < len(greeting) / RATE < 4.5
    schedule = plan(
        folder / "plan.yaml", *[("S01", "voice", name, 1) for name in ("direct", "keys")],
        queue_s=15, reply_s=12, session_s=60,
    )  # fmt: skip
    with ExitStack() as stack:
        lines = {
            "direct": Line(folder / "direct", "answers.xml"),
            "keys": Line(folder / "keys", "keys.xml", dtmf="info", to_human=[{"press": "0"}]),
        }
        for number, line in enumerate(lines.values()):
            (line.folder / "speech.alaw").write_bytes(encode(_speech(number), "a").tobytes())
            stack.enter_context(line)
        aim = target(folder, **lines)
        ran = shopper("probe", "--target", aim, "--plan", schedule, "--runs", folder / "runs", "--json", timeout=100)
        return {name: Call(ran, ran.sessions[name], line, line.finish(), greeting) for name, line in lines.items()}


def _speech(line: int) -> Pcm:
    """A person's seven turns: the same words, and never the same waves."""
    turns = [np.zeros(int(LEAD_S * RATE), np.int16)]
    for number in range(7):
        said = espeak.render(GREETING, voice="cmn", variant="f2", wpm=260, pitch=30 + 5 * number + 2 * line)
        turns += [said, np.zeros(int(PERIOD_S * RATE) - len(said), np.int16)]
    return np.concatenate(turns)


@pytest.fixture
def call(calls: dict[str, Call]) -> Call:
    """The call to the direct line."""
    return calls["direct"]


@pytest.mark.parametrize("name", ["direct", "keys"])
def test_the_call_is_complete_on_both_sides(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    assert call.ran.code == 0, call.ran.err
    assert call.session.outcome == "ANSWERED"
    counts = {name: call.statistics[f"{name}Call(C)"] for name in ("Incoming", "Outgoing", "Successful", "Failed")}
    assert counts == {"Incoming": "1", "Outgoing": "0", "Successful": "1", "Failed": "0"}


def test_a_key_by_info_is_understood(calls: dict[str, Call]) -> None:
    call = calls["keys"]
    [pressed] = [event for event in call.session.timeline if event.kind == "pressed"]
    request = call.session.instants.request
    assert request is not None

    assert pressed.data["digits"] == "0"
    assert request.t == pressed.t == pytest.approx(call.line.happened("key", call.session), abs=0.1)
    heard = min(event.t for event in call.session.timeline if event.kind == "message")
    assert heard < pressed.t, "the way to a human begins once the line has spoken"


def test_speech_that_nothing_tells_from_a_recording_is_a_doubtful_answer(calls: dict[str, Call]) -> None:
    at = calls["keys"].session.instants
    assert at.answer is not None
    assert at.answer.confidence == 0.5
    assert "it is not certain that a human answered" in calls["keys"].session.review


def test_a_direct_line_is_asked_by_calling_and_rings_in_the_queue(call: Call) -> None:
    at = call.session.instants
    assert at.request is not None
    assert at.queue is not None
    [dialled] = [event.t for event in call.session.timeline if event.kind == "dialled"]

    assert 0 <= at.request.t <= dialled
    assert at.queue.t == pytest.approx(call.line.happened("ringing", call.session), abs=0.1)


def test_the_answer_and_the_first_word_are_where_sipp_put_them(call: Call) -> None:
    at = call.session.instants
    assert at.answer is not None
    assert at.first_word is not None
    connected = call.line.happened("connected", call.session)  # SIPp has had the ACK of its 200

    assert connected - call.line.happened("ringing", call.session) > 1.4, "the line rang before it answered"
    assert at.answer.t == pytest.approx(connected, abs=0.3)
    assert at.first_word.t == pytest.approx(connected + LEAD_S, abs=0.3)
    assert at.answer.t < at.first_word.t


def test_every_turn_of_the_line_is_heard(call: Call) -> None:
    assert call.session.instants.first_word is not None
    first = call.session.instants.first_word.t
    heard = sorted((event.t, event.data["end"]) for event in call.session.timeline if event.kind == "message")

    assert len(heard) == 4, "a greeting, two answers, a goodbye"
    for number, (start, end) in enumerate(heard):
        assert start == pytest.approx(first + number * PERIOD_S, abs=0.25)
        assert end - start == pytest.approx(len(call.greeting) / RATE, abs=0.3)


def test_what_nobody_transcribed_is_for_review_and_never_a_pass(call: Call) -> None:
    judgement = call.session.judgement
    assert "speech was heard that nobody has transcribed" in call.session.review
    assert judgement.resolution == "unknown"
    assert {phrase.verdict for phrase in judgement.phrases} == {"unknown"}
    assert not [fact for fact in judgement.facts if fact.verdict in ("pass", "fail")]


def test_we_hang_up_and_sipp_says_when(call: Call) -> None:
    [ended] = [event for event in call.session.timeline if event.kind == "ended"]
    assert ended.data["by"] == "us"
    assert ended.t == pytest.approx(call.line.happened("released", call.session), abs=0.3)


def test_both_sides_are_on_the_recording_at_their_times(call: Call) -> None:
    [item] = [item for item in call.session.evidence if item.kind == "recording"]
    with wave.open(str(call.ran.folder.evidence(call.session, item))) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        far, own = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T.astype(float)

    def level(side: np.ndarray, start: float, end: float) -> float:
        return float(np.sqrt(np.mean(side[int(start * RATE) : int(end * RATE)] ** 2)))

    heard = [event for event in call.session.timeline if event.kind == "message"]
    said = [event for event in call.session.timeline if event.kind == "said"]
    assert [event.data["turn"] for event in said] == ["balance", "fee", "farewell"]
    for event in heard:
        assert level(far, event.t, event.data["end"]) > 500
    for event in said:
        assert level(own, event.t, event.data["end"]) > 500
    first = min(event.t for event in heard)
    assert level(far, first - 0.5, first - 0.1) < 50, "the line is silent before its first word"
    assert level(own, 0, said[0].t - 0.1) < 50, "the shopper is silent until the greeting is over"


@pytest.fixture(scope="module")
def trap() -> Iterator[socket.socket]:
    """The port a redirection leads to. Nothing may ever arrive there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bait:
        bait.bind(("127.0.0.1", 0))
        bait.setblocking(False)
        yield bait


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, trap: socket.socket) -> tuple[Ran, dict[str, dict[str, str]]]:
    """One run against a line that is forwarded to an emergency number and one that declines."""
    folder = tmp_path_factory.mktemp("refusing lines")
    rows = [("S01", "voice", name, 1) for name in ("forwarded", "declining", "mute")]
    with ExitStack() as stack:
        lines = {
            "forwarded": Line(folder / "forwarded", "redirects.xml", "-key", "trap", trap.getsockname()[1]),
            "declining": Line(folder / "declining", "declines.xml"),
            "mute": Line(folder / "mute", "mute.xml"),
        }
        for line in lines.values():
            stack.enter_context(line)
        schedule = plan(folder / "plan.yaml", *rows, ring_s=10, session_s=30)
        aim = target(folder, **lines)
        ran = shopper("probe", "--target", aim, "--plan", schedule, "--runs", folder / "runs", "--json", timeout=70)
        return ran, {name: line.finish() for name, line in lines.items()}


def test_a_redirection_is_never_followed(refused: tuple[Ran, dict[str, dict[str, str]]], trap: socket.socket) -> None:
    ran, statistics = refused
    session = ran.sessions["forwarded"]

    assert session.outcome == "NET_FAIL"
    [redirect] = [event for event in session.timeline if event.kind == "redirect"]
    assert "sip:110@127.0.0.1" in redirect.data["to"], "it is known where the call was to go"
    assert "302" in session.reason
    assert statistics["forwarded"]["IncomingCall(C)"] == "1", "one call, not one more"
    with pytest.raises(BlockingIOError):
        trap.recv(1)


def test_a_call_that_is_declined_is_a_network_failure(refused: tuple[Ran, dict[str, dict[str, str]]]) -> None:
    ran, statistics = refused
    session = ran.sessions["declining"]

    assert session.outcome == "NET_FAIL"
    assert "603" in session.reason
    assert session.instants.connected is None
    assert statistics["declining"]["IncomingCall(C)"] == "1"


def test_a_call_without_one_packet_of_audio_counts_for_nobody(refused: tuple[Ran, dict[str, dict[str, str]]]) -> None:
    ran, _ = refused
    session = ran.sessions["mute"]

    assert session.instants.connected is not None
    assert session.outcome == "INVALID"
    assert "not a sound reached us" in session.reason
    assert ran.code == 1
