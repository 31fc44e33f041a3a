"""Bot Framework Web Chat, software nobody here wrote: one whole session through the chat channel."""

import asyncio

import pytest

from harness.sandbox.knowledge import Knowledge
from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.target import Chat
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
