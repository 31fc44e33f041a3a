"""Far ends that would have us call somebody else, or call twice: refused, logged, ended.

Real SIP on loopback through ``shopper probe``. Wherever a far end points, a socket listens and must hear nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from probes.session import Session
from tests.fake_far_end import FarEnd
from tests.shopper import Ran, plan, shopper, write_yaml

pytestmark = pytest.mark.realtime

QUEUE_S = 3.0


def trap() -> socket.socket:
    """A port where nothing may ever arrive."""
    bait = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bait.bind(("127.0.0.1", 0))
    bait.setblocking(False)
    return bait


@dataclass
class Outcomes:
    """What came of one run against all of them."""

    ran: Ran
    ends: dict[str, FarEnd]
    traps: dict[str, socket.socket]

    def session(self, name: str) -> Session:
        return self.ran.sessions[name]

    def untouched(self, name: str) -> bool:
        try:
            self.traps[name].recv(1)
        except BlockingIOError:
            return True
        return False


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    folder = tmp_path_factory.mktemp("far ends")
    with ExitStack() as stack:
        traps = {name: stack.enter_context(trap()) for name in ("police", "other", "elsewhere")}
        port = {name: bait.getsockname()[1] for name, bait in traps.items()}
        back = FarEnd()  # the second end of the loop: it would send the call back to the first
        ends = {
            "police": FarEnd(moved=f"sip:110@127.0.0.1:{port['police']}"),
            "other": FarEnd(moved=f"sip:95002@127.0.0.1:{port['other']}"),
            "loop": FarEnd(moved=f"sip:95001@127.0.0.1:{back.port}"),
            "transfer": FarEnd(refer=f"sip:95588@127.0.0.1:{port['elsewhere']}"),
            "twice": FarEnd(copies=2),
        }
        back.moved = f"sip:95001@127.0.0.1:{ends['loop'].port}"
        for end in (*ends.values(), back):
            stack.enter_context(end)
        lines = {name: {"uri": f"sip:95001@127.0.0.1:{end.port}"} for name, end in ends.items()}
        aim = write_yaml(folder / "target.yaml", {"format": 1, "name": "far ends", "lines": lines})
        schedule = plan(
            folder / "plan.yaml", *[("S02", "voice", name, 1) for name in ends],
            ring_s=10, queue_s=QUEUE_S, session_s=30,
        )  # fmt: skip
        ran = shopper("probe", "--target", aim, "--plan", schedule, "--runs", folder / "runs", "--json", timeout=100)
        yield Outcomes(ran, ends | {"back": back}, traps)


@pytest.mark.parametrize(("name", "number"), [("police", "sip:110@"), ("other", "sip:95002@"), ("loop", "sip:95001@")])
def test_a_redirection_is_refused_logged_and_ended(outcomes: Outcomes, name: str, number: str) -> None:
    session = outcomes.session(name)

    assert session.outcome == "NET_FAIL"
    assert "302" in session.reason
    [redirect] = [event for event in session.timeline if event.kind == "redirect"]
    assert number in redirect.data["to"], "it is known where the call was to go"
    assert len(outcomes.ends[name].requests("INVITE")) == 1, "one call, and not one more"
    assert len(outcomes.ends[name].requests("ACK")) == 1


@pytest.mark.parametrize("name", ["police", "other", "elsewhere"])
def test_whoever_a_far_end_names_hears_nothing(outcomes: Outcomes, name: str) -> None:
    assert outcomes.ran.sessions
    assert outcomes.untouched(name)


def test_a_redirection_loop_is_not_entered(outcomes: Outcomes) -> None:
    assert outcomes.ends["back"].got == []


def test_a_transfer_asked_of_us_is_refused_and_the_call_goes_on(outcomes: Outcomes) -> None:
    session, end = outcomes.session("transfer"), outcomes.ends["transfer"]

    assert [answer.split()[1] for answer in end.answers("REFER")] == ["603"]
    [refer] = [event for event in session.timeline if event.kind == "refer"]
    assert "sip:95588@127.0.0.1" in refer.data["to"]
    assert session.outcome == "LIMIT", "it waited as long as it would have without"
    assert session.instants.end is not None
    assert session.instants.queue is not None
    assert session.instants.end.t - session.instants.queue.t == pytest.approx(QUEUE_S, abs=0.5)
    assert refer.t < session.instants.end.t - 1
    assert len(end.requests("BYE")) == 1


def test_an_answer_sent_twice_is_one_call(outcomes: Outcomes) -> None:
    session, end = outcomes.session("twice"), outcomes.ends["twice"]

    assert len(end.requests("INVITE")) == 1
    assert len(end.requests("ACK")) == 2, "each copy of the 200 is acknowledged"
    assert len(set(end.requests("ACK"))) == 1, "by the same ACK"
    assert len(end.requests("BYE")) == 1
    assert [event.kind for event in session.timeline].count("connected") == 1
    assert session.outcome == "LIMIT"
    assert len(list(outcomes.ran.folder.sessions())) == 5, "one session an attempt"
