"""Remarks that end a session: what must be noticed, what must not, and what the shopper does then."""

from __future__ import annotations

from typing import Any

import pytest

from probes.remarks import remark_in
from probes.session import Outcome
from probes.target import ReachStep
from scenarios.catalogue import load
from tests.scripted_channel import ScriptedChannel
from tests.test_conversation import ANSWERED, BYE, at, hold, live, prompt, written

NOTICED = {
    ("objection", "zh"): [
        "请不要再打过来了。",
        "你们别再打电话来了",
        "请勿再拨打我们热线",
        "我们不同意录音",
        "我不接受测试，请挂机",
        "你这是骚扰",
        "我要投诉你",
        "我们公司拒绝你们进行暗访",
        "请不要占用线路",
        "请立即停止拨测",
        "好的。不要再打了。",
        "别再联系我们了",
    ],
    ("objection", "en"): [
        "Please stop calling us.",
        "Do not call here again",
        "I do not consent to being recorded.",
        "You are harassing me",
        "Please take us off your list",
        "Stop this test now",
        "I will report you",
    ],
    ("wrong_party", "zh"): [
        "你打错了",
        "您是不是打错电话了？",
        "喂，打错了。",
        "我们这里不是客服",
        "这是我的私人电话",
        "我这不是什么银行客服",
        "你找谁啊",
        "这里是私人住宅",
        "您拨错号码了",
        "这里不是银行。",
    ],
    ("wrong_party", "en"): [
        "Sorry, wrong number.",
        "This is a private number",
        "I'm not a call centre",
        "We are not the bank",
        "Who are you trying to reach?",
        "This isn't customer service",
        "You've reached a private residence",
    ],
    ("detected", "zh"): [
        "你是不是神秘客户？",
        "您是真人吗",
        "请问您是机器人吗？",
        "是真客户吗？",
        "你是来测试我们的吧",
        "您该不会是神秘顾客吧",
        "这是测试电话吗",
        "你是人工智能吗",
    ],
    ("detected", "en"): [
        "Are you a robot?",
        "Are you a mystery shopper?",
        "Is this a test call?",
        "Am I talking to a machine?",
        "Are you a real person?",
        "Are you testing us?",
    ],
}
UNNOTICED = {
    "zh": [
        "您好，这里是沙箱银行客服中心，请问有什么可以帮您？",
        "请不要挂机",
        "请您不要再拨打对方提供的电话，谨防诈骗",
        "如遇骚扰电话请不要再联系对方",
        "您的密码打错了，请重新输入",
        "不好意思，刚才名字打错了",
        "我是机器人小智，很高兴为您服务",
        "您是要找人工客服吗",
        "请输入真实姓名",
        "您这个不是我们银行的卡",
        "本次通话可能会被录音",
        "如果您不同意录音，请挂机",
        "请问您的私人电话是多少",
        "您收到的是骚扰电话吗",
        "我不是客服主管，帮您转接",
        "您想找哪位客户经理",
        "我们会在三个工作日内回复您",
        "您可以投诉，也可以拨打热线",
        "不要再输错密码",
        "请问您是本人吗",
        "我们不支持这样的业务",
        "您拨打的号码是空号",
        "为您测试一下网络",
        "您好，我是智能客服机器人，您可以问我问题",
        "您是想转真人客服吗？",
        "这里不是信用卡中心的客服，我帮您转接",
        "请不要再打开那个链接",
    ],
    "en": [
        "Welcome to Sandbox Bank, how may I help you?",
        "You entered the wrong number for your card",
        "Please hold the line",
        "I am a chat bot and happy to help",
        "Do not call them, it is a scam",
        "This call may be recorded",
        "Would you like to speak to a real person?",
        "We are the bank's customer service",
        "This is the bank, good morning",
        "This is not the cards department, I will transfer you",
        "Stop calling them, they are fraudsters",
        "We agree to refund you",
        "Is your account a private account?",
        "This is customer service",
    ],
}


@pytest.mark.parametrize(
    ("kind", "lang", "text"), [(kind, lang, text) for (kind, lang), texts in NOTICED.items() for text in texts]
)
def test_what_must_be_noticed(kind: str, lang: Any, text: str) -> None:
    remark = remark_in(text, lang)
    assert remark is not None
    assert remark.kind == kind
    assert remark.words in text


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, texts in UNNOTICED.items() for text in texts])
def test_what_must_not(lang: Any, text: str) -> None:
    assert remark_in(text, lang) is None


def test_the_gravest_counts() -> None:
    remark = remark_in("你是不是神秘客户？你打错了！请不要再打过来了。", "zh")
    assert remark is not None
    assert remark.kind == "objection"


@pytest.mark.parametrize(
    ("text", "kind", "outcome"),
    [
        ("请不要再打过来了", "objection", Outcome.ANSWERED),
        ("您打错了，这里不是客服。", "wrong_party", Outcome.INVALID),
        ("请问您是真人吗？", "detected", Outcome.ANSWERED),
    ],
)
def test_the_shopper_says_goodbye_and_nothing_else(text: str, kind: str, outcome: Outcome) -> None:
    joined = (0.2, at("notice", "dom", role="joined", text="已接入"))
    ready = [(0.5, at("widget_ready", "dom")), (0.5, lambda now: written(now, "bot", "您好"))]
    channel = ScriptedChannel("chat", ready, [[joined, (1.0, lambda now: written(now, "agent", text))], BYE])
    told = hold(channel, "S02", (ReachStep(say="转人工", after="none"),))

    assert channel.said == ["转人工", load("S02").scenario.farewell.zh]
    assert told.outcome is outcome
    [event] = [event for event in told.timeline if event.kind == kind]
    assert event.data["text"] in text
    assert kind in told.reason
    assert told.reason in told.review
    assert told.instants.end is not None
    assert told.instants.end.t - event.t < 3, "the session ends with the farewell"


def test_what_is_broken_off_before_anybody_answered_counts_for_nobody() -> None:
    ready = [(0.5, at("widget_ready", "dom")), (0.5, lambda now: written(now, "bot", "请问您是真人吗？"))]
    channel = ScriptedChannel("chat", ready, [])
    told = hold(channel, "S01", ())

    assert told.outcome is Outcome.INVALID
    assert len(channel.said) == 1


def test_a_recording_objects_to_nobody() -> None:
    def recorded(now: float) -> Any:
        return written(now, "ivr", "请不要再打过来了")

    told = hold(ScriptedChannel("voice", [*ANSWERED, (0.5, recorded)], [[*prompt("transfer"), (0.2, at("music"))]]))
    assert told.outcome is Outcome.LIMIT
    assert not [event for event in told.timeline if event.kind == "objection"]


def test_a_voice_and_none_of_the_known_recordings_is_perhaps_a_strangers() -> None:
    told = hold(ScriptedChannel("voice", [(0.1, at("connected")), *live()], []))

    assert told.outcome is Outcome.IVR_FAIL
    [event] = [event for event in told.timeline if event.kind == "wrong_party"]
    assert event.data["text"] == ""
    assert any("somebody else's line" in doubt for doubt in told.review)


def test_a_direct_line_or_a_known_recording_is_no_strangers() -> None:
    direct = ScriptedChannel("voice", [(0.1, at("connected")), *live()], [live(), live(), live(), [*live(), *BYE]])
    through = [*prompt("transfer"), (0.2, at("music")), (5.0, at("music_end")), *live()]
    usual = ScriptedChannel("voice", ANSWERED, [through, live(), live(), live(), [*live(), *BYE]])
    for told in (hold(direct, to_human=()), hold(usual)):
        assert told.outcome is Outcome.ANSWERED
        assert not [event for event in told.timeline if event.kind == "wrong_party"]
