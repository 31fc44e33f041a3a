"""Who spoke in a chat, how sure that is, and whether a human took over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from probes.acknowledgement import is_acknowledgement
from probes.chat.api.interface import Interface
from probes.chat.chat_log import Change, ChatLog
from probes.chat.notices import NoticeRole, NoticeRule, SpeakerRule
from probes.chat.speakers import Speakers
from probes.chat.widget import load_widget
from probes.session import Event
from probes.target import Chat

RULES = (SpeakerRule(who="agent", pattern=r"工号\s*\d+"), SpeakerRule(who="bot", pattern="智能助手"))


def said(
    *steps: tuple[str, str] | NoticeRole, alike: bool = True, rules: Sequence[SpeakerRule] = RULES
) -> list[tuple[str, float, str, tuple[str, ...]]]:
    """Plays a chat; returns (speaker, confidence, told by, what shows a hand-off) of every message."""
    speakers, found = Speakers(alike=alike, rules=rules), []
    for step in steps:
        if isinstance(step, str):
            speakers.noticed(step)
        else:
            one = speakers.of(*step)
            found.append((one.speaker, one.confidence, one.by, speakers.told(one)))
    return found


def test_what_the_widget_marks_is_believed_before_words_and_order() -> None:
    assert said(("bot", "工号 12 为您服务"), "joined", ("bot", "好"), ("agent", "您好"), alike=False) == [
        ("bot", 1.0, "role", ()),
        ("bot", 1.0, "role", ()),
        ("agent", 1.0, "role", ("author", "joined")),
    ]
    assert said(("system", "工号 12"), "joined", ("system", "请评价")) == [("system", 1.0, "role", ())] * 2


def test_where_both_look_alike_the_notices_tell_them_apart() -> None:
    steps: list[Any] = [("bot", "您好"), "queue", "joined", ("bot", "小王"), ("bot", "请讲"), "left", ("bot", "还有吗")]
    assert said(*steps) == [
        ("bot", 0.95, "notice", ()),
        ("agent", 0.95, "notice", ("queue", "joined")),
        ("agent", 0.95, "notice", ()),
        ("bot", 0.95, "notice", ()),
    ]


def test_without_notices_the_words_of_the_target_do_and_then_the_order() -> None:
    assert said(("bot", "我是智能助手"), "queue", ("bot", "工号 8 为您服务"), ("bot", "请讲")) == [
        ("bot", 0.9, "wording", ()),
        ("agent", 0.9, "wording", ("wording", "queue")),
        ("agent", 0.85, "order", ()),
    ]


def test_whoever_speaks_in_the_queue_unannounced_is_nobody_we_know() -> None:
    assert said(("unknown", "您好"), "queue", ("unknown", "请讲"), ("bot", "在吗"), rules=()) == [
        ("bot", 0.8, "order", ()),
        ("unknown", 0.5, "order", ()),
        ("unknown", 0.5, "order", ()),
    ]


def test_a_human_with_whom_the_chat_begins_took_over_from_nobody() -> None:
    assert said(("agent", "您好"), ("agent", "请讲"), alike=False) == [("agent", 1.0, "role", ())] * 2


def test_a_second_hand_off_needs_that_the_first_human_left() -> None:
    steps: list[Any] = [("bot", "您好"), ("agent", "一"), ("bot", "提示"), ("agent", "二"), "left", ("agent", "三")]
    assert [bool(evidence) for *_, evidence in said(*steps, alike=False)] == [False, True, False, False, True]


def events(
    *items: tuple[str, str], chat: dict[str, Any] | None = None, tmp_path: Path, growing: bool = False
) -> list[Event]:
    """What a log makes of messages in which bot and human look alike."""

    async def go() -> list[Event]:
        entry = Chat.model_validate({"url": "http://127.0.0.1/"} | (chat or {}))
        log = ChatLog(load_widget("bot-framework"), entry, tmp_path / "t", 9.0, "dom")
        for number, (author, text) in enumerate(items):
            t = float(number)
            for end in range(1, len(text)) if growing else ():
                log.take(number, author, text[:end], Change(t, 0.01))
            log.take(number, author, text, Change(t, 0.01), whole=True)
        log.end(99.0, "us", "left", method="harness")
        log.close()
        found = []
        while (event := await log.events.get()) is not None:
            found.append(event)
        return found

    return asyncio.run(go())


def told(found: list[Event]) -> list[str]:
    return [
        {"message": e.data.get("speaker"), "notice": e.data.get("role")}.get(e.kind) or e.kind
        for e in found
        if e.kind in ("message", "notice", "handoff")
    ]


CHAT = (
    ("bot", "您好，我是机器人"), ("bot", "您前面还有 3 位"), ("bot", "您前面还有 1 位"), ("bot", "已为您接入人工"),
    ("bot", "请稍等"), ("bot", "您的余额需要核实身份"),
)  # fmt: skip


@pytest.mark.parametrize("growing", [False, True])
def test_the_log_tells_notice_acknowledgement_and_first_words_apart(tmp_path: Path, growing: bool) -> None:
    found = events(*CHAT, tmp_path=tmp_path, growing=growing)
    assert told(found) == ["bot", "queue", "queue", "joined", "handoff", "agent", "agent"]
    [hand_off] = [e for e in found if e.kind == "handoff"]
    assert (hand_off.t, hand_off.data) == (4.0, {"evidence": ["queue", "joined"], "confidence": 0.95})
    assert [e.data["position"] for e in found if e.kind == "notice"] == [3, 1, None]


def test_the_targets_own_wordings_come_before_the_profiles(tmp_path: Path) -> None:
    chat = {
        "notices": [{"role": "joined", "pattern": "小美来了"}],
        "speakers": [{"who": "bot", "pattern": "自动回复"}],
    }
    items = (("bot", "小美来了"), ("bot", "【自动回复】请先看帮助"), ("bot", "我是小美"))
    assert told(events(*items, chat=chat, tmp_path=tmp_path)) == ["joined", "bot", "handoff", "agent"]


def test_a_message_that_began_before_the_human_came_is_still_the_bots(tmp_path: Path) -> None:
    async def go() -> list[str | None]:
        log = ChatLog(load_widget("bot-framework"), Chat(url="http://127.0.0.1/"), tmp_path / "t", 9.0, "dom")
        log.take(1, "bot", "正在", Change(1.0, 0.01))
        log.take(2, "bot", "已为您接入", Change(2.0, 0.01))
        log.take(1, "bot", "正在办理", Change(3.0, 0.01), whole=True)
        log.close()
        found = []
        while (event := await log.events.get()) is not None:
            found.append(event)
        return [e.data["speaker"] for e in found if e.kind == "message"]

    assert asyncio.run(go()) == ["bot"]


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("请稍等", True), ("好的，请您稍等一下。", True), ("One moment, please.", True), (None, False), ("", False),
        ("请稍等，您的卡已经激活，余额是三千元", False), ("Please wait here: your card 12 was sent on the 4th", False),
    ],
)  # fmt: skip
def test_a_plea_for_patience_is_short(text: str | None, only: bool) -> None:
    assert is_acknowledgement(text) is only


@pytest.mark.parametrize("key", ["speakers", "notices"])
def test_a_wrong_pattern_is_refused(key: str) -> None:
    rule = {"who": "agent", "role": "joined", "pattern": "("}
    rule.pop("role" if key == "speakers" else "who")
    with pytest.raises(ValueError, match="not a regular expression"):
        Chat.model_validate({"url": "http://127.0.0.1/", key: [rule]})


def test_an_interface_uses_the_same_rules(tmp_path: Path) -> None:
    interface = Interface.model_validate(
        {"format": 1, "name": "i", "rest": {"say": {"path": "s"}}, "read": {"rules": [{"text": "t"}]},
         "notices": [NoticeRule(role="joined", pattern="接入").model_dump()], "agent_after_joined": True}
    )  # fmt: skip

    async def go() -> list[str]:
        log = ChatLog(interface, Chat(url="http://127.0.0.1/"), tmp_path / "t", 9.0, "frame")
        for number, text in enumerate(("您好", "已接入", "我是小王")):
            log.take(number, "bot", text, Change(float(number), 0.01), whole=True)
        log.close()
        found = []
        while (event := await log.events.get()) is not None:
            found.append(event)
        return told(found)

    assert asyncio.run(go()) == ["bot", "joined", "handoff", "agent"]


@pytest.mark.parametrize("profile", ["bot-framework", "chainlit", "deep-chat", "sandbox"])
@pytest.mark.parametrize(
    ("text", "human"),
    [
        ("客服代表1001号已为您接入。", True),
        ("智能客服已退出，人工客服已为您接入。", True),
        ("Agent 7 has joined the chat", True),
        ("智能客服小优已为您接入，请问有什么可以帮您？", False),
        ("AI助手已为您接入", False),
        ("Virtual assistant has joined the chat", False),
        ("ChatBot has joined the chat", False),
    ],
)
def test_a_machine_that_joins_is_no_human(profile: str, text: str, human: bool) -> None:
    widget = load_widget(profile)
    author = "bot" if profile == "bot-framework" else "system"
    assert (widget.notice(author, text) is not None) == human
