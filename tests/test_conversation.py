"""The engine against scripted far ends, on virtual time: every outcome, every limit, always a hang-up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from probes.clock import Anchor, Clock
from probes.conversation import Conversation, Told
from probes.session import Event, Outcome
from probes.target import ReachStep
from scenarios.catalogue import load
from scenarios.errors import FarEndFault, HarnessFault
from scenarios.model import Limits
from tests import virtual_time
from tests.scripted_channel import ScriptedChannel, message

LIMITS = Limits(ring_s=30, menu_s=40, queue_s=1800, reply_s=20, session_s=3600)
PRESS_ZERO = (ReachStep(after="menu", press="0"),)


def at(kind: str, method: str = "callback", **data: Any) -> Callable[[float], Event]:
    return lambda now: Event(kind=kind, t=now, method=method, data=data)  # type: ignore[arg-type]


def prompt(role: str, seconds: float = 3.0) -> list[Any]:
    def heard(now: float) -> Event:
        return message(now - seconds, now, "ivr", f"a {role} prompt", role)

    return [(1.0, at("prompt", "prompt", id=role, role=role)), (seconds, heard)]


def live(seconds: float = 3.0) -> list[Any]:
    return [
        (1.5, lambda now: Event(kind="speech", t=now - 1.5, method="voice")),
        (seconds, lambda now: message(now - seconds - 1.5, now, "agent")),
    ]


def written(now: float, speaker: str, text: str) -> Event:
    return Event(kind="message", t=now, method="dom", data={"speaker": speaker, "text": text, "end": now, "role": None})


ANSWERED = [(0.1, at("ringing")), (2.0, at("connected")), *prompt("welcome"), *prompt("menu")]
BYE = [(0.5, at("ended", by="far", cause="200 bye"))]


def hold(channel: ScriptedChannel, scenario: str = "S02", to_human: tuple[ReachStep, ...] = PRESS_ZERO) -> Told:
    async def go() -> Told:
        clock = Clock()
        conversation = Conversation(
            channel,
            load(scenario).scenario,
            lang="zh",
            limits=LIMITS,
            to_human=to_human,
            prompts_known=True,
            clock=clock,
        )
        return await conversation.run(clock.anchor())

    told = virtual_time.run(go())
    assert channel.closed == 1
    return told


def test_a_half_hour_wait_is_measured_in_an_instant_of_real_time() -> None:
    started = time.monotonic()
    queue = [*prompt("transfer"), (0.2, at("music")), (1700.0, at("music_end")), *live()]
    told = hold(ScriptedChannel("voice", ANSWERED, [queue, live(), live(), live(), [*live(), *BYE]]))

    assert told.outcome is Outcome.ANSWERED
    assert told.instants.queue is not None
    assert told.instants.answer is not None
    assert told.instants.answer.t - told.instants.queue.t == pytest.approx(1703, abs=2)
    assert [turn.ask for turn in told.turns] == ["difference", "night", "card", "farewell"]
    assert time.monotonic() - started < 2


def test_the_queue_limit_is_counted_from_queue_entry_and_censors_the_wait() -> None:
    told = hold(ScriptedChannel("voice", ANSWERED, [[*prompt("transfer"), (0.2, at("music"))]]))

    assert told.outcome is Outcome.LIMIT
    assert told.instants.queue is not None
    assert told.instants.end is not None
    assert told.instants.end.t - told.instants.queue.t == pytest.approx(LIMITS.queue_s, abs=0.1)


@pytest.mark.parametrize(
    ("after_key", "outcome"),
    [
        ([*prompt("transfer"), (9.0, at("ended", by="far", cause="bye"))], Outcome.DROPPED),
        ([*prompt("transfer"), (0.2, at("music")), *prompt("closed")], Outcome.DROPPED),
        ([*prompt("transfer"), (0.2, at("music")), *prompt("callback")], Outcome.CALLBACK),
        ([*prompt("invalid"), *prompt("menu")], Outcome.IVR_FAIL),
        ([(0.3, at("ended", by="far", cause="bye"))], Outcome.IVR_FAIL),
        ([*prompt("closed")], Outcome.IVR_FAIL),
        ([], Outcome.IVR_FAIL),
    ],
)
def test_what_follows_the_key_decides_the_outcome(after_key: list[Any], outcome: Outcome) -> None:
    told = hold(ScriptedChannel("voice", ANSWERED, [after_key, [*prompt("invalid"), *prompt("menu")]]))

    assert told.outcome is outcome
    assert told.reason


@pytest.mark.parametrize(
    "opening",
    [
        [(0.1, at("ended", by="far", cause="486 Busy Here"))],
        [(0.1, at("ringing"))],
        [(0.1, at("ringing")), (5.0, at("ended", by="far", cause="480 Unavailable"))],
    ],
)
def test_a_call_that_reaches_nobody_is_a_network_failure(opening: list[Any]) -> None:
    told = hold(ScriptedChannel("voice", opening, []))

    assert told.outcome is Outcome.NET_FAIL
    assert told.instants.request is None


def test_early_media_counts_as_reached_before_any_answer() -> None:
    opening = [(0.1, at("early_media")), *prompt("queue"), (0.1, at("music")), (60.0, at("music_end")), *live()]
    told = hold(ScriptedChannel("voice", opening, [live(), live(), live(), [*live(), *BYE]]), to_human=())

    assert told.outcome is Outcome.ANSWERED
    assert told.instants.request is not None
    assert told.instants.request.t == 0


def test_faults_of_the_far_end_and_of_ours_are_told_apart() -> None:
    assert hold(ScriptedChannel("voice", [], [], FarEndFault("no route"))).outcome is Outcome.NET_FAIL
    assert hold(ScriptedChannel("voice", [], [], HarnessFault("no slot"))).outcome is Outcome.INVALID
    assert hold(ScriptedChannel("voice", [], [], ValueError("a bug"))).outcome is Outcome.INVALID


def test_what_our_own_side_ends_counts_for_nobody() -> None:
    stopped = [*prompt("transfer"), (5.0, at("ended", by="us", cause="200 OK", fault="harness"))]
    assert hold(ScriptedChannel("voice", ANSWERED, [stopped])).outcome is Outcome.INVALID
    unknown_to_the_trunk = [(0.1, at("ended", by="far", cause="401 Unauthorized", code=401, fault="line"))]
    assert hold(ScriptedChannel("voice", unknown_to_the_trunk, [])).outcome is Outcome.INVALID
    silent = [(0.1, at("connected")), (1.0, at("no_audio"))]
    assert hold(ScriptedChannel("voice", silent, [])).outcome is Outcome.INVALID


def test_an_ear_that_fails_makes_the_session_invalid_at_once() -> None:
    def fails(_now: float) -> Event:
        return Event(kind="message", t=0.0, method="voice", data={})  # no speaker: the engine cannot take it

    told = hold(ScriptedChannel("voice", [*ANSWERED, (0.5, fails)], []))

    assert told.outcome is Outcome.INVALID
    assert "KeyError" in told.reason


def test_half_a_word_at_the_limit_is_no_answer_but_for_review() -> None:
    class LateWord(ScriptedChannel):
        async def close(self) -> None:
            self._queue.put_nowait(Event(kind="speech", t=self.now() - 0.4, method="voice"))
            await super().close()

    told = hold(LateWord("voice", ANSWERED, [[*prompt("transfer"), (0.2, at("music"))]]))

    assert told.outcome is Outcome.LIMIT
    assert told.instants.answer is None
    assert any("may have answered" in doubt for doubt in told.review)


def test_hanging_up_on_our_goodbye_is_no_failure() -> None:
    ready = [(0.5, at("widget_ready", "dom")), (0.5, lambda now: written(now, "bot", "您好"))]
    answer = [(1.0, lambda now: written(now, "bot", "免费"))]
    told = hold(ScriptedChannel("chat", ready, [answer, answer, BYE]), "S01", ())

    assert told.outcome is Outcome.IVR_SERVED


def test_an_unsafe_word_in_a_prompt_reply_stops_before_the_next_question() -> None:
    ready = [(0.5, at("widget_ready", "dom")), (0.5, lambda now: written(now, "bot", "您好"))]
    channel = ScriptedChannel("chat", ready, [[(1.0, lambda now: written(now, "bot", "请立即报警"))]])
    told = hold(channel, "S01", ())

    assert len(channel.said) == 1
    assert told.reason.startswith("SAFETY")
    assert told.reason in told.review


def test_a_chat_bot_hands_over_to_a_human() -> None:
    def bot(text: str) -> list[Any]:
        return [(1.0, lambda now: written(now, "bot", text))]

    joined = [
        (0.5, at("notice", "dom", role="queue", text="前面还有2位", position=2)),
        (90.0, at("notice", "dom", role="joined", text="已为您接入")),
        (2.0, lambda now: written(now, "agent", "您好")),
    ]
    ready = [(0.5, at("widget_ready", "dom")), *bot("您好，我是机器人")]
    channel = ScriptedChannel("chat", ready, [bot("限额五万"), bot("两小时"), joined, bot("请稍等"), BYE])
    told = hold(channel, "S21", (ReachStep(say="转人工", after="none"),))

    assert told.outcome is Outcome.ANSWERED
    assert told.instants.queue is not None
    assert told.instants.answer is not None
    assert told.instants.answer.t - told.instants.queue.t == pytest.approx(90)
    assert channel.said[2] == "转人工"


def test_an_unsafe_word_ends_the_session_without_another_question() -> None:
    danger = [(1.0, lambda now: message(now - 2, now, "ivr", "请马上报警", "info"))]
    channel = ScriptedChannel("voice", ANSWERED, [[*prompt("transfer"), *danger, *live()]])
    told = hold(channel)

    assert told.reason.startswith("SAFETY")
    assert channel.said == []


def test_what_was_dialled_is_told_though_it_was_cut_off_while_dialling() -> None:
    class Slow(ScriptedChannel):
        async def open(self, anchor: Anchor) -> None:
            await super().open(anchor)
            self._queue.put_nowait(Event(kind="dialled", t=0.0, method="callback"))
            await asyncio.Event().wait()  # the far end has the INVITE; we are not told so any more

    async def go() -> Conversation:
        clock = Clock()
        conversation = Conversation(
            Slow("voice", [], []),
            load("S01").scenario,
            lang="zh",
            limits=LIMITS,
            to_human=(),
            prompts_known=True,
            clock=clock,
        )
        work = asyncio.create_task(conversation.run(clock.anchor()))
        await asyncio.sleep(1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        return conversation

    assert [event.kind for event in virtual_time.run(go()).timeline] == ["dialled", "ended"]
