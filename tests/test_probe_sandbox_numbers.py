"""Two more ways through the sandbox centre, in English: a line of keys and recordings alone, and keys by INFO."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.inputs import speech_cache
from harness.sandbox.centre import Centre
from probes.session import Session
from scenarios.catalogue import lint, load
from tests.shopper import Ran, plan, shopper, write_yaml

pytestmark = [pytest.mark.realtime, pytest.mark.long]

SEED = 113  # the hotline puts its first caller through at once

# It asks nothing: what the answer to the key must contain is in the facts, and no ask names them.
BY_KEYS: dict[str, Any] = {
    "format": 1,
    "id": "S91",
    "version": 1,
    "title": {"zh": "自助查询", "en": "Self-service"},
    "channels": ["voice"],
    "persona": {"tone": {"zh": "平常", "en": "plain"}, "story": {"zh": "自己按键的人", "en": "presses keys"}},
    "goal": {"zh": "听到怎样查余额", "en": "hear how to see the balance"},
    "steps": [{"dtmf": "1", "after": "menu"}],
    "farewell": {"zh": "谢谢，再见。", "en": "Thank you, goodbye."},
    "facts": [
        {"key": "fee", "name": {"zh": "是否收费", "en": "whether it costs anything"}, "critical": True},
        {"key": "channels", "name": {"zh": "可用渠道", "en": "channels that work"}},
    ],
}
CONFIRMED = {
    "fee": {"right": ["free of charge"], "wrong": ["two yuan each"]},
    "channels": {"right": ["mobile app", "online banking"], "at_least": 2},
}
ASK = {"ask": {"id": "hours", "say": {"zh": "几点开门？", "en": "When do you open?"}}}


@dataclass
class Calls:
    """The run, and what the centre logged."""

    ran: Ran
    truth: list[dict[str, Any]]

    def session(self, entry: str) -> Session:
        return self.ran.sessions[entry]

    def centre(self, process: str) -> list[dict[str, Any]]:
        """What the one call to that process of the centre was."""
        rows = [row for row in self.truth if row["session"].startswith(process)]
        assert len({row["session"] for row in rows}) == 1
        return rows

    def when(self, process: str, event: str, entry: str) -> float:
        """Returns when ``event`` first happened at the centre, in the session's time."""
        t = min(row["t_mono"] for row in self.centre(process) if row["event"] == event)
        return float(t) - self.session(entry).anchor_monotonic


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    folder = tmp_path_factory.mktemp("other ways")
    write_yaml(folder / "S91.yaml", BY_KEYS)
    rows = [("S91", "voice", "self-service", 1), ("S01", "voice", "hotline-1", 1)]
    schedule = plan(folder / "plan.yaml", *rows, queue_s=40, reply_s=15, session_s=100)

    async def go() -> Calls:
        centre = Centre(folder / "centre", seed=SEED, lang="en", cache=speech_cache(), chat=False)
        async with centre as described:
            document = YAML(typ="safe").load(described)
            document["facts"] = {"S91": CONFIRMED}
            document["lines"]["hotline-1"]["dtmf"] = "info"
            aim = write_yaml(described.with_name("aim.yaml"), document)
            arguments = ("probe", "--target", aim, "--plan", schedule, "--scenarios", folder, "--lang", "en")
            ran = await asyncio.to_thread(shopper, *arguments, "--runs", folder / "runs", "--json", timeout=150)
        rows = [json.loads(line) for line in centre.truth.read_text(encoding="utf-8").splitlines()]
        return Calls(ran, rows)

    return asyncio.run(go())


def test_both_calls_are_complete(calls: Calls) -> None:
    assert calls.ran.code == 0, calls.ran.err
    outcomes = {entry: session.outcome for entry, session in calls.ran.sessions.items()}
    assert outcomes == {"self-service": "IVR_SERVED", "hotline-1": "ANSWERED"}


def test_the_recordings_themselves_do_the_errand(calls: Calls) -> None:
    session = calls.session("self-service")
    heard = [event.data["id"] for event in session.timeline if event.kind == "prompt"]

    assert heard[:3] == ["welcome", "menu", "balance-info"]
    assert (session.judgement.resolution, session.judgement.by) == ("resolved", "ivr")
    assert {fact.key: (fact.verdict, fact.critical) for fact in session.judgement.facts} == {
        "fee": ("pass", True),
        "channels": ("pass", False),
    }
    assert session.instants.request is None
    assert session.instants.answer is None
    doubts = [doubt for doubt in session.review if "too busy" not in doubt]  # that is this machine's affair
    assert doubts == [], "recordings are recognised: nothing is left for a person to hear"


def test_the_key_is_pressed_once_after_the_menu_began(calls: Calls) -> None:
    rows = calls.centre("voice-4")
    assert [row["digit"] for row in rows if row["event"] == "key"] == ["1"]
    began = {row["id"]: row["t_mono"] for row in reversed(rows) if row["event"] == "prompt"}
    [key] = [row["t_mono"] for row in rows if row["event"] == "key"]
    [pressed] = [event for event in calls.session("self-service").timeline if event.kind == "pressed"]

    assert began["menu"] < key < began["balance-info"]
    assert pressed.t == pytest.approx(calls.when("voice-4", "key", "self-service"), abs=0.5)


def test_keys_by_info_reach_the_agent(calls: Calls) -> None:
    at = calls.session("hotline-1").instants
    assert at.request is not None
    assert at.queue is not None
    assert at.answer is not None
    assert at.first_word is not None

    assert [row["digit"] for row in calls.centre("voice-1") if row["event"] == "key"] == ["0"]
    assert at.request.t == pytest.approx(calls.when("voice-1", "key", "hotline-1"), abs=0.5)
    assert at.queue.t == pytest.approx(calls.when("voice-1", "queue", "hotline-1"), abs=0.5)
    assert at.answer.t == pytest.approx(calls.when("voice-1", "agent", "hotline-1"), abs=0.5)
    assert at.first_word.t == pytest.approx(calls.when("voice-1", "first_word", "hotline-1"), abs=0.5)


def test_what_this_client_has_not_confirmed_is_not_judged(calls: Calls) -> None:
    judgement = calls.session("hotline-1").judgement
    assert {fact.verdict for fact in judgement.facts} == {"na"}
    assert (judgement.resolution, judgement.by) == ("unknown", "agent")


def mistakes(folder: Path, **changes: Any) -> list[str]:
    path = write_yaml(folder / "S91.yaml", BY_KEYS | changes)
    return [problem.message for problem in lint([path])]


def test_facts_may_belong_to_the_keys_of_a_script_that_asks_nothing(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == []
    assert [fact.key for fact in load("S91", tmp_path).scenario.facts] == ["fee", "channels"]
    assert mistakes(tmp_path, steps=[*BY_KEYS["steps"], {"human": {}}]) == []


def test_facts_that_nothing_asks_for_are_still_refused(tmp_path: Path) -> None:
    refused = ["no step asks for fact 'fee'", "no step asks for fact 'channels'"]
    assert mistakes(tmp_path, steps=[{"human": {}}]) == refused
    assert mistakes(tmp_path, steps=[*BY_KEYS["steps"], ASK]) == refused, "forgotten in the ask"


def test_keys_without_facts_are_nothing_to_do(tmp_path: Path) -> None:
    assert mistakes(tmp_path, facts=[]) == ["the script has nothing to do on voice"]
    both = mistakes(tmp_path, channels=["voice", "chat"], steps=[{**BY_KEYS["steps"][0], "on": ["voice"]}])
    assert both == ["the script has nothing to do on chat"]
