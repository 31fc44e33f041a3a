"""`shopper probe` visits Bot Framework Web Chat, a widget that nobody here wrote, and is handed from bot to human."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.sandbox.knowledge import Knowledge
from probes.session import Session
from tests.shopper import Ran, plan, shopper, write_yaml
from tests.webchat_server import WebChatServer

pytestmark = pytest.mark.realtime

WAY = "转人工"
LATE_S = 0.5  # a stamp may be so late on a busy machine, and never early


@dataclass
class Visit:
    """The run, and what the service behind the widget sent."""

    ran: Ran
    truth: list[dict[str, Any]]

    def session(self, scenario: str) -> Session:
        [found] = [session for session in self.ran.folder.sessions() if session.attempt.scenario == scenario]
        return found

    def conversation(self, scenario: str) -> list[dict[str, Any]]:
        """What the service sent and got in the conversation of ``scenario``: S21 is the one that a human joined."""
        joined = {row["session"] for row in self.truth if row["event"] == "joined"}
        return [row for row in self.truth if (row["session"] in joined) == (scenario == "S21")]

    def sent(self, scenario: str, event: str) -> float:
        """Returns when the service first sent ``event``, in the session's time."""
        rows = [row["t_mono"] for row in self.conversation(scenario) if row["event"] == event]
        return float(min(rows)) - self.session(scenario).anchor_monotonic

    def asked_for_a_human(self) -> float:
        """Returns when the service got our words for a human, in the session's time."""
        [row] = [row for row in self.conversation("S21") if row["text"] == WAY]
        return float(row["t_mono"]) - self.session("S21").anchor_monotonic


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    folder = tmp_path_factory.mktemp("web chat")
    facts = {
        scenario: {key: fact.model_dump(mode="json") for key, fact in known.items()}
        for scenario, known in Knowledge.load().facts("zh").items()
    }
    with WebChatServer() as server:
        way = [{"say": WAY, "after": "none"}]
        entry = {"url": server.url, "widget": "bot-framework", "channels": 2, "to_human": way}
        document = {"format": 1, "name": "Web Chat", "chats": {"widget": entry}, "facts": facts}
        aim = write_yaml(folder / "target.yaml", document)
        rows = [(scenario, "chat", "widget", 1) for scenario in ("S01", "S21")]
        schedule = plan(folder / "plan.yaml", *rows, queue_s=30, reply_s=15, session_s=60)
        ran = shopper("probe", "--target", aim, "--plan", schedule, "--runs", folder / "runs", "--json", timeout=100)
        yield Visit(ran, server.truth())


def test_both_errands_are_complete(visit: Visit) -> None:
    assert visit.ran.code == 0, visit.ran.err
    assert len({row["session"] for row in visit.truth}) == 2, "one conversation for each attempt, not one more"
    assert visit.session("S01").outcome == "IVR_SERVED"
    assert visit.session("S21").outcome == "ANSWERED"


def test_the_bot_does_the_errand_by_itself(visit: Visit) -> None:
    session = visit.session("S01")

    assert (session.judgement.resolution, session.judgement.by) == ("resolved", "bot")
    assert {fact.key: fact.verdict for fact in session.judgement.facts} == {
        "channels": "pass", "fee": "pass", "period": "pass",
    }  # fmt: skip
    assert session.instants.request is None
    assert session.instants.answer is None


def test_the_hand_off_is_found_where_the_service_made_it(visit: Visit) -> None:
    at = visit.session("S21").instants
    assert at.request is not None
    assert at.queue is not None
    assert at.answer is not None
    assert at.first_word is not None
    found = {"queue": at.queue.t, "joined": at.answer.t, "agent": at.first_word.t}
    late = {event: t - visit.sent("S21", event) for event, t in found.items()}

    assert all(-0.05 < seconds < LATE_S for seconds in late.values()), late
    assert at.request.t == pytest.approx(visit.asked_for_a_human(), abs=LATE_S)
    assert at.request.t < at.queue.t < at.answer.t < at.first_word.t
    assert {at.queue.method, at.answer.method, at.first_word.method} == {"dom"}


def test_what_bot_and_human_said_is_judged_apart_and_together(visit: Visit) -> None:
    session = visit.session("S21")
    speakers = [event.data["speaker"] for event in session.timeline if event.kind == "message"]

    assert speakers == sorted(speakers, key=["bot", "agent"].index), "the bot first, then the human"
    assert set(speakers) == {"bot", "agent"}
    assert (session.judgement.resolution, session.judgement.by) == ("resolved", "agent")
    assert {fact.verdict for fact in session.judgement.facts} == {"pass"}
    assert len(session.judgement.facts) == 4


@pytest.mark.parametrize("scenario", ["S01", "S21"])
def test_the_evidence_holds_every_word(visit: Visit, scenario: str) -> None:
    session = visit.session(scenario)
    files = {item.kind: visit.ran.folder.evidence(session, item) for item in session.evidence}

    assert files["screenshot"].read_bytes().startswith(b"\x89PNG\r\n")
    rows = [json.loads(line) for line in files["transcript"].read_text(encoding="utf-8").splitlines()]
    kept = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    ours = [row["text"] for row in visit.conversation(scenario) if row["event"] == "user_message"]
    theirs = [row["text"] for row in visit.conversation(scenario) if row["event"] in ("bot", "agent", "queue")]
    assert ours
    assert theirs
    assert [text for text in ours + theirs if text not in kept] == []


def test_the_table_tells_both_kinds_of_service_apart(visit: Visit) -> None:
    table = visit.ran.folder.read_observations().set_index("scenario")
    took = visit.sent("S21", "joined") - visit.asked_for_a_human()

    assert table["resolved_by"].to_dict() == {"S01": "bot", "S21": "agent"}
    assert table["asked_human"].to_dict() == {"S01": False, "S21": True}
    assert took > 0.9, "the service let two callers go first"
    assert table.loc["S21", "handoff_s"] == pytest.approx(took, abs=LATE_S)
