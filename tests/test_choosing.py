"""Files and quick replies in a conversation, on virtual time: what is pressed, how long it is waited for, what then."""

from __future__ import annotations

from typing import Any

import pytest

from probes.choosing import offered
from probes.clock import Clock
from probes.conversation import Conversation, Told
from probes.judging import judge
from probes.session import Event, Outcome
from probes.target import FactAnswer
from scenarios.catalogue import load
from scenarios.errors import FarEndFault, HarnessFault
from scenarios.model import Limits
from tests import virtual_time
from tests.scripted_channel import ScriptedChannel

SCRIPT = load("S25")
LIMITS = Limits(reply_s=20, session_s=600)
ANSWERS = {
    "can_swap": FactAnswer(right=("可以免费换",)),
    "sample": FactAnswer(right=("*",)),
    "days": FactAnswer(right=("七个工作日",)),
    "form": FactAnswer(right=("bank.example",)),
    "offer": FactAnswer(right=("进度",)),
}


def message(text: str, *parts: dict[str, str]) -> Any:
    return lambda now: Event(
        kind="message", t=now, method="dom",
        data={"speaker": "bot", "text": text, "end": now, "role": None, "parts": list(parts)},
    )  # fmt: skip


def choices(*texts: str) -> Any:
    return lambda now: Event(kind="choices", t=now, method="dom", data={"texts": list(texts)})


READY = [(0.1, lambda now: Event(kind="widget_ready", t=now, method="dom")), (0.2, message("您好"))]
GOT = [(0.4, message("收到。"))]
PHOTO = [(0.5, message("可以免费换", {"kind": "image", "text": "图"}))]
POST = [(0.5, message("七个工作日", {"kind": "link", "text": "表", "url": "https://bank.example/f"}))]
CARD = [(0.5, message("看卡片", {"kind": "card", "text": "进度"}))]
BYE = [(0.5, lambda now: Event(kind="ended", t=now, method="dom", data={"by": "far", "cause": "bye"}))]


def hold(channel: ScriptedChannel) -> Told:
    async def go() -> Told:
        clock = Clock()
        talk = Conversation(
            channel, SCRIPT.scenario, lang="zh", limits=LIMITS, to_human=(), prompts_known=False, clock=clock,
            attachments=SCRIPT.attachments,
        )  # fmt: skip
        return await talk.run(clock.anchor())

    told = virtual_time.run(go())
    assert channel.closed == 1
    return told


def verdicts(told: Told) -> dict[str, str]:
    found = judge(SCRIPT.scenario, "zh", told.turns, told.heard, ANSWERS, "bot")
    return {fact.key: fact.verdict for fact in found.facts}


def said(told: Told) -> list[tuple[float, str]]:
    return [(round(event.t, 1), event.data["text"]) for event in told.timeline if event.kind == "said"]


def test_the_file_goes_first_then_the_words_then_the_quick_reply() -> None:
    channel = ScriptedChannel("chat", READY, [GOT, [*PHOTO, (0.1, choices("邮寄 到家", "网点领取"))], POST, CARD, BYE])
    told = hold(channel)
    assert channel.sent == ["S25-card.png"]
    assert channel.chosen == ["邮寄 到家"]  # as the chat words it
    assert told.outcome is Outcome.IVR_SERVED
    assert told.review == []
    assert set(verdicts(told).values()) == {"pass"}
    assert [text for _, text in said(told)][:3] == ["[S25-card.png]", "卡磨坏了，照片发您了，能换一张吗？", "邮寄 到家"]
    photo = told.turns[0]
    assert [reply.text for reply in photo.replies] == ["收到。", "可以免费换"]


def test_nobody_waits_long_for_an_answer_to_the_file_alone() -> None:
    channel = ScriptedChannel("chat", READY, [[], [*PHOTO, (0.1, choices("邮寄到家"))], POST, CARD, BYE])
    told = hold(channel)
    (sent, _), (words, _) = said(told)[:2]
    assert words - sent == pytest.approx(5.0, abs=0.1)
    assert set(verdicts(told).values()) == {"pass"}


def test_a_quick_reply_that_is_not_offered_leaves_the_question_unanswered_and_the_rest_goes_on() -> None:
    channel = ScriptedChannel("chat", READY, [GOT, [*PHOTO, (0.1, choices("网点领取", "不换了"))], CARD, BYE])
    told = hold(channel)
    why = "no quick reply “邮寄到家” was offered within 20 s"
    assert channel.chosen == []
    assert told.review == [why]
    assert verdicts(told) == {"can_swap": "pass", "sample": "pass", "days": "fail", "form": "fail", "offer": "pass"}
    assert told.turns[1].not_put == why
    assert told.outcome is Outcome.IVR_SERVED  # the probe makes IVR_FAIL of it: the errand was not done
    times = [t for t, _ in said(told)]
    assert times[2] - times[1] == pytest.approx(2.0 + 0.6 + 20, abs=1)


def test_one_that_is_offered_late_or_again_is_pressed() -> None:
    late = [*PHOTO, (12.0, choices("邮寄到家"))]
    assert hold(ScriptedChannel("chat", READY, [GOT, late, POST, CARD, BYE])).review == []
    channel = ScriptedChannel("chat", READY, [GOT, [*PHOTO, (0.1, choices("邮寄到家")), (3.0, choices("邮寄到家"))],
                                              POST, CARD, BYE])  # fmt: skip
    channel.gone = 1
    told = hold(channel)
    assert channel.chosen == ["邮寄到家"]
    assert told.review == []
    vanished = ScriptedChannel("chat", READY, [GOT, [*PHOTO, (0.1, choices("邮寄到家"))], CARD, BYE])
    vanished.gone = 1
    assert hold(vanished).review == ["no quick reply “邮寄到家” was offered within 20 s"]


def test_a_far_end_that_leaves_before_offering_ends_the_session() -> None:
    told = hold(ScriptedChannel("chat", READY, [GOT, [*PHOTO, (3.0, BYE[0][1])]]))
    assert told.reason == "the far end ended the session (bye)"
    assert told.outcome is Outcome.IVR_FAIL
    assert verdicts(told)["days"] == "unknown"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FarEndFault("send lost: the chat takes no file"), Outcome.IVR_FAIL),
        (HarnessFault("the profile 'x' has no way to send a file"), Outcome.INVALID),
    ],
)
def test_a_file_that_is_not_taken_is_the_centres_doing_and_one_that_cannot_be_sent_ours(
    fault: Exception, outcome: Outcome
) -> None:
    class Refuses(ScriptedChannel):
        async def attach(self, file: Any, *, line: str) -> Any:
            raise fault

    told = hold(Refuses("chat", READY, []))
    assert told.outcome is outcome
    assert told.reason == str(fault)


def shown(label: str, number: int = 1, revision: int = 0) -> Event:
    part = [{"kind": "button", "text": label}] if label else []
    return Event(kind="message", t=1.0, method="dom", data={"id": number, "revision": revision, "parts": part})


def beside(*texts: str) -> Event:
    return Event(kind="choices", t=1.0, method="dom", data={"texts": list(texts)})


@pytest.mark.parametrize(
    ("timeline", "wanted", "found"),
    [
        ([], "Yes", None),
        ([beside("No", " YES ")], "yes", " YES "),
        ([beside("Yes, please"), shown("Yes")], "Yes", "Yes"),  # just these words come first
        ([beside("1. Yes please", "2. No")], "yes", "1. Yes please"),
        ([beside("Yes to all", "Yes to this")], "yes", None),  # nobody knows which
        ([beside("Yes"), beside("No")], "Yes", None),  # an earlier set is gone
        ([beside("Yes"), beside()], "Yes", None),
        ([shown("Yes"), beside("No")], "Yes", "Yes"),
        ([shown("Yes"), shown("", revision=1)], "Yes", None),  # the message has lost it
        ([shown("Yes"), shown("No", number=2)], "Yes", "Yes"),
    ],
)
def test_which_quick_reply_is_meant(timeline: list[Event], wanted: str, found: str | None) -> None:
    assert offered(timeline, wanted) == found
    assert offered(timeline, wanted, since=len(timeline)) is None
