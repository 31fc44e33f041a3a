"""Bot Framework Web Chat, software nobody here wrote: one whole session through the chat channel."""

import asyncio

import pytest

from harness.sandbox.knowledge import Knowledge
from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.target import Chat
from scenarios.catalogue import load
from tests.webchat_server import webchat_server  # noqa: F401

ERRAND = [
    ("bot", "手机银行一天最多能转多少？"),
    ("bot", "转人工"),
    ("agent", "转到别的银行多久到账？"),
    ("agent", "谢谢，再见"),
]


@pytest.fixture
def session(webchat_server, tmp_path):  # noqa: F811
    """One whole errand: the server, the session's start, what was said and when, and all events."""

    async def run():
        clock, browser = Clock(), Browser()
        anchor = clock.anchor()
        chat = Chat(url=webchat_server.url, widget="bot-framework")
        channel = ChatChannel(chat, folder=tmp_path, browser=browser, clock=clock, lang="zh")
        lines, said, events = list(ERRAND), [], []
        try:
            await channel.open(anchor)
            async with asyncio.timeout(60):
                async for event in channel.events():
                    events.append(event)
                    if event.kind == "message" and lines and event.data["speaker"] == lines[0][0]:
                        text = lines.pop(0)[1]
                        said.append((text, await channel.say(text, line="line")))
        finally:
            await channel.close()
            await browser.close()
        return webchat_server, anchor.monotonic, said, events

    return asyncio.run(run())


def test_a_whole_session_with_web_chat(session):
    server, start, said, events = session
    knowledge = Knowledge.load()
    assert [text for text, _ in said] == [text for _, text in ERRAND]
    messages = sorted((event for event in events if event.kind == "message"), key=lambda event: event.t)
    assert [(event.data["speaker"], event.data["text"]) for event in messages] == [
        ("bot", "您好，我是智能助手。需要真人服务请回复“转人工”。"),
        ("bot", knowledge.answer(None, ERRAND[0][1], "zh")),
        ("bot", "正在为您转接人工客服。"),
        ("agent", "您好，工号1001为您服务，请问有什么可以帮您？"),
        ("agent", knowledge.answer(None, ERRAND[2][1], "zh")),
        ("agent", "感谢您的咨询，再见！"),
    ]
    notices = [(event.data["role"], event.data["position"]) for event in events if event.kind == "notice"]
    assert notices == [("queue", 2), ("queue", 1), ("joined", None), ("end", None)]
    assert events[-1].kind == "ended"
    assert events[-1].data["by"] == "far"

    shown = {event.data["text"]: event for event in events if event.kind in ("message", "notice")}
    late = {
        row["text"]: start + shown[row["text"]].t - row["t_mono"]
        for row in server.truth()
        if row["event"] in ("queue", "joined", "agent", "end")
    }
    assert len(late) == 7  # every notice and every message of the agent
    assert all(-0.005 < seconds < 0.5 for seconds in late.values()), late

    streamed = shown[knowledge.answer(None, ERRAND[0][1], "zh")]
    assert streamed.data["end"] - streamed.t > 0.1, "a streamed answer is one message that grows"
    assert sum(event.kind == "first_token" for event in events) == len(messages)
    ready = next(event for event in events if event.kind == "widget_ready")
    assert ready.t < messages[0].t


def test_web_chat_takes_a_file_and_a_quick_reply_and_shows_a_card_and_an_image(webchat_server, tmp_path):  # noqa: F811
    card = load("S25").attachments["S25-card.png"]

    async def run():
        clock, browser = Clock(), Browser()
        chat = Chat(url=webchat_server.url, widget="bot-framework")
        channel = ChatChannel(chat, folder=tmp_path, browser=browser, clock=clock, lang="zh")
        acts = [
            lambda: channel.attach(card, line="photo"),
            lambda: channel.choose("邮寄到家", line="by_post"),
        ]
        done, events = [], []
        try:
            await channel.open(clock.anchor())
            async with asyncio.timeout(40):
                async for event in channel.events():
                    events.append(event)
                    if event.kind == "message" and len(event.data["parts"]) == 3:
                        break
                    if (event.kind, len(acts)) in (("message", 2), ("choices", 1)):
                        done.append(await acts.pop(0)())
        finally:
            await channel.close()
            await browser.close()
        return done, events

    done, events = asyncio.run(run())
    assert [("S25-card.png", "image/png", card.content())] == webchat_server.uploads
    assert all(said.method == "dom" for said in done)
    assert [event.data["texts"] for event in events if event.kind == "choices"] == [["邮寄到家", "网点领取"], []]
    parts = {part["kind"]: part["text"] for part in events[-1].data["parts"]}
    assert parts == {"card": "换卡进度\n寄出后有短信通知\n换卡申请", "button": "换卡申请", "image": "磨损的示意图"}
