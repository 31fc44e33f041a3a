"""What SIP can do to a call, done by SIPp: each line ends in the right outcome, and both sides let go of the call.

SIPp is strict: whatever it did not expect fails its call, and a call that stays up makes it run into its own timeout.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from harness.bench.audio_centre import tone
from probes.hearing.telephone import encode
from probes.hearing.wav import RATE, Pcm
from probes.session import Event, Session
from probes.speaking import espeak
from tests.shopper import Ran, plan, shopper, write_yaml
from tests.sipp_line import Line, target

pytestmark = pytest.mark.realtime

LEAD_S = 0.6  # from the connection to the first word
PERIOD_S = 4.0  # an agent says something new so often
RING_S = 6.0
SECRET, WRONG = "k3-Ufer-19", "another one"
TRUNKS: dict[str, dict[str, object]] = {
    "knows": {"kind": "ip", "uri": "sip:audit@127.0.0.1", "password_env": "SHOPPER_TEST_SIPP", "channels": 2},
    "errs": {
        "kind": "ip", "uri": "sip:audits@127.0.0.1", "username": "audit", "password_env": "SHOPPER_TEST_SIPP_WRONG",
    },
}  # fmt: skip
SAID = (
    "您好，这里是客户服务中心。", "周一到周五，九点到五点。", "周末十点开门，四点关门。", "好的，不客气，再见。",
    "请问您还在吗？",
)  # fmt: skip
VOICES = {"asks": "f2", "proxy": "m3", "held": "f4", "transfers": "m1", "proceeds": "f5"}  # who answers which line
OUTCOMES = {
    "asks": "ANSWERED", "proxy": "ANSWERED", "refuses": "INVALID", "busy": "NET_FAIL", "later": "NET_FAIL",
    "crosses": "NET_FAIL", "drops": "DROPPED", "held": "ANSWERED", "transfers": "ANSWERED", "garbles": "NET_FAIL",
    "proceeds": "ANSWERED",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """The run, and what each line says of it."""

    ran: Ran
    measured: dict[str, Session]
    lines: dict[str, Line]
    faults: dict[str, str]  # by SIPp's own verdict; empty: none
    trapped: bool  # something came where a transfer led to

    def events(self, name: str, kind: str) -> list[Event]:
        return [event for event in self.ran.sessions[name].timeline if event.kind == kind]

    def happened(self, what: str, name: str) -> float:
        return self.lines[name].happened(what, self.ran.sessions[name])


def agent(number: int, variant: str) -> Pcm:
    """Somebody who says something else each time: what repeats exactly is a recording."""
    turns = [np.zeros(round(LEAD_S * RATE), np.int16)]
    for index in range(8):
        text = SAID[index % len(SAID)]
        said = espeak.render(text, voice="cmn", variant=variant, wpm=230 + 7 * index + 3 * number)
        turns += [said, np.zeros(round(PERIOD_S * RATE) - len(said), np.int16)]
    return np.concatenate(turns)


def made(folder: Path, trap: int) -> dict[str, Line]:
    known = ("-key", "user", "audit", "-key", "password", SECRET)
    lines = {
        "asks": Line(folder / "asks", "challenges.xml", *known, trunk="knows"),
        "proxy": Line(folder / "proxy", "proxy.xml", trunk="knows"),
        "refuses": Line(folder / "refuses", "challenges.xml", *known, trunk="errs"),
        "busy": Line(folder / "busy", "busy.xml"),
        "later": Line(folder / "later", "later.xml"),
        "crosses": Line(folder / "crosses", "crosses.xml"),
        "drops": Line(folder / "drops", "drops.xml"),
        "held": Line(folder / "held", "holds.xml"),
        "transfers": Line(folder / "transfers", "transfers.xml", "-key", "trap", trap),
        "garbles": Line(folder / "garbles", "garbles.xml"),
        "proceeds": Line(folder / "proceeds", "proceeds.xml"),
    }
    sounds = {name: agent(number, variant) for number, (name, variant) in enumerate(VOICES.items())}
    sounds["drops"] = tone((450,), (1, 4), 20)
    for name, line in lines.items():
        sound = sounds.get(name, np.zeros(RATE, np.int16))
        (line.folder / "speech.alaw").write_bytes(encode(sound, "a").tobytes())
    return lines


def script(folder: Path) -> Path:
    """A caller with one short question."""
    folder.mkdir()
    write_yaml(
        folder / "S90.yaml",
        {
            "format": 1, "id": "S90", "version": 1, "title": {"zh": "问营业时间", "en": "Opening hours"},
            "channels": ["voice"],
            "persona": {"tone": {"zh": "客气", "en": "polite"}, "story": {"zh": "路过的人", "en": "a passer-by"}},
            "goal": {"zh": "知道几点开门", "en": "learn when it opens"},
            "steps": [
                {"human": {}},
                {"ask": {"id": "hours", "say": {"zh": "几点开门？", "en": "When do you open?"}, "facts": ["opening"]}},
            ],
            "farewell": {"zh": "再见", "en": "Goodbye"},
            "facts": [{"key": "opening", "name": {"zh": "开门时间", "en": "opening time"}}],
        },
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def trap() -> Iterator[socket.socket]:
    """Where the transfer leads to. Nothing may ever arrive there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bait:
        bait.bind(("127.0.0.1", 0))
        bait.setblocking(False)
        yield bait


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, trap: socket.socket) -> Seen:
    """One run, all lines at once."""
    folder = tmp_path_factory.mktemp("signalling")
    lines = made(folder, trap.getsockname()[1])
    rows = [("S90", "voice", name, 1) for name in lines]
    schedule = plan(folder / "plan.yaml", *rows, ring_s=RING_S, queue_s=15, reply_s=12, session_s=35)
    scripts = script(folder / "scripts")
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("SHOPPER_TEST_SIPP", SECRET)
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("SHOPPER_TEST_SIPP_WRONG", WRONG)
        for line in lines.values():
            stack.enter_context(line)
        ran = shopper(
            "probe", "--target", target(folder, TRUNKS, **lines), "--plan", schedule, "--scenarios", scripts,
            "--runs", folder / "runs", "--json", timeout=70,
        )  # fmt: skip
        faults = {name: line.fault() for name, line in lines.items()}
    try:
        trapped = bool(trap.recv(1))
    except BlockingIOError:
        trapped = False
    measured = {session.attempt.entry: session for session in ran.folder.measured()}
    return Seen(ran, measured, lines, faults, trapped)


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_is_right_and_measuring_again_does_not_change_it(seen: Seen, name: str) -> None:
    session = seen.ran.sessions[name]
    assert session.outcome == OUTCOMES[name], session.reason
    assert seen.measured[name].outcome == OUTCOMES[name], seen.measured[name].reason


@pytest.mark.parametrize("name", OUTCOMES)
def test_sipp_had_one_call_and_no_fault_to_find(seen: Seen, name: str) -> None:
    assert seen.faults[name] == ""
    statistics = seen.lines[name].statistics()
    kinds = ("Incoming", "Outgoing", "Successful", "Failed")
    assert [statistics[f"{kind}Call(C)"] for kind in kinds] == ["1", "0", "1", "0"]
    assert statistics["CurrentCall"] == "0"


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_end_is_told_once(seen: Seen, name: str) -> None:
    [ended] = seen.events(name, "ended")
    far = name in ("refuses", "busy", "later", "drops", "garbles")
    assert ended.data["by"] == ("far" if far else "us")


def test_a_challenge_is_answered_with_the_password_of_the_trunk(seen: Seen) -> None:
    assert seen.happened("right", "asks") < seen.happened("ringing", "asks"), "SIPp has verified the digest"


def test_a_proxys_challenge_is_answered_too(seen: Seen) -> None:
    log = (seen.lines["proxy"].folder / "log.txt").read_text()
    [digest] = re.findall(r"^digest Digest (.*)$", log, re.MULTILINE)
    said = {key: plain or quoted for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', digest)}

    def hashed(*parts: str) -> str:
        return md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    who, what = hashed("audit", "line", SECRET), hashed("INVITE", said["uri"])
    right = hashed(who, said["nonce"], said["nc"], said["cnonce"], said["qop"], what)  # RFC 2617, 3.2.2.1
    assert (said["username"], said["realm"], said["qop"]) == ("audit", "line", "auth")
    assert said["response"] == right


def test_a_wrong_password_is_our_own_fault_and_soon_given_up(seen: Seen) -> None:
    session = seen.ran.sessions["refuses"]
    tried = re.findall("^(right|wrong)", (seen.lines["refuses"].folder / "log.txt").read_text(), re.MULTILINE)
    assert tried == ["wrong"] * 3, "though the far end asks anew"
    assert session.reason.startswith("our own line did not carry the call: 401")
    [ended] = seen.events("refuses", "ended")
    assert ended.data["fault"] == "line"


@pytest.mark.parametrize(("name", "code"), [("busy", "486"), ("later", "503")])
def test_a_refusal_is_the_far_ends_and_its_code_is_kept(seen: Seen, name: str, code: str) -> None:
    session = seen.ran.sessions[name]
    assert session.reason.startswith(f"not connected: {code}")
    assert session.instants.connected is None


def test_an_answer_that_crosses_our_cancel_is_released_at_once(seen: Seen) -> None:
    session = seen.ran.sessions["crosses"]
    assert f"no answer within {RING_S:g} s" in session.reason
    assert seen.happened("cancelled", "crosses") - seen.happened("ringing", "crosses") == pytest.approx(RING_S, abs=1)
    answered = seen.happened("answered", "crosses")
    assert answered <= seen.happened("connected", "crosses") <= seen.happened("released", "crosses") < answered + 0.5


def test_a_hang_up_in_the_queue_is_when_sipp_hung_up(seen: Seen) -> None:
    at = seen.ran.sessions["drops"].instants
    assert at.answer is None
    assert at.queue is not None
    assert at.end is not None
    assert at.queue.t == pytest.approx(seen.happened("ringing", "drops"), abs=0.1)
    assert at.end.t == pytest.approx(seen.happened("released", "drops"), abs=0.1)


def test_a_call_on_hold_stays_and_is_heard_again(seen: Seen) -> None:
    held, parked, resumed = (seen.happened(name, "held") for name in ("held", "parked", "resumed"))
    assert held < parked < resumed
    starts = [event.t for event in seen.events("held", "message")]
    assert min(starts) < held, "the agent spoke before"
    assert max(starts) > resumed, "and was heard when the call was taken back"
    [ended] = seen.events("held", "ended")
    assert ended.t == pytest.approx(seen.happened("released", "held"), abs=0.3)


def test_a_transfer_is_declined_and_nobody_dialled(seen: Seen) -> None:
    [refer] = seen.events("transfers", "refer")
    assert "sip:110@127.0.0.1" in refer.data["to"], "it is known where the call was to go"
    assert refer.t == pytest.approx(seen.happened("declined", "transfers"), abs=0.1)
    assert seen.happened("released", "transfers") > seen.happened("declined", "transfers"), "the call itself goes on"
    assert not seen.trapped


def test_a_200_that_describes_no_audio_is_acknowledged_and_released_at_once(seen: Seen) -> None:
    session = seen.ran.sessions["garbles"]
    began = seen.happened("ringing", "garbles")
    assert began < seen.happened("connected", "garbles") < began + 1.5, "acknowledged"
    assert began < seen.happened("released", "garbles") < began + 1.5
    assert session.reason.startswith("not connected: 200 OK, but with no audio that can be used")
    assert session.instants.connected is None


def test_a_183_without_a_session_description_is_no_answer(seen: Seen) -> None:
    [proceeding] = seen.events("proceeds", "early_media")
    at = seen.ran.sessions["proceeds"].instants
    assert at.answer is not None
    assert at.connected is not None
    assert proceeding.t == pytest.approx(seen.happened("proceeding", "proceeds"), abs=0.1)
    assert at.connected.t == pytest.approx(seen.happened("connected", "proceeds"), abs=0.1)
    assert at.connected.t - proceeding.t > 1.4
    assert at.answer.t >= at.connected.t
