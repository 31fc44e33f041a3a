"""What every widget's page has behind it: a bot, a queue and a human, whatever carries their words.

The standard library is all it needs, so it also runs where a widget's server has an environment of its own. The truth
has the events of the sandbox's chat, each stamped just before its words go out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Author = Literal["bot", "system", "agent"]
Answers = Sequence[tuple[Sequence[str], str]]  # keywords of a question, its answer
BOT_S = 0.15  # until the bot has an answer
TOKEN_S = 0.04
HUMAN_S = 0.4
QUEUE_S = 0.5


class Log(Protocol):
    """The truth log, or what stands in for it."""

    def write(self, session: str, event: str, /, **data: Any) -> None:
        """Stamps one event."""


class Stage(Protocol):
    """One customer's page. Everything returns once it has gone out."""

    async def say(self, author: Author, text: str) -> None:
        """Shows a whole message."""

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Shows one more token of the bot's message; ``so_far`` includes it."""

    async def typing(self) -> None:
        """Shows that the human types, where the widget can."""


@dataclass(frozen=True)
class Words:
    """What is said in one language."""

    welcome: str
    unknown: str
    transfer: str
    ahead: str
    joined: str
    acknowledged: str  # by the desk itself, before anybody has read a word
    greeting: str
    again: str
    bot_goodbye: str
    agent_goodbye: str
    refused: str
    over: str
    want_human: str
    nobody_there: str  # a customer who says this gets no human
    goodbye: str


WORDS = {
    "zh": Words(
        welcome="您好，我是智能助手。需要真人服务请回复“转人工”。",
        unknown="抱歉，我没有听懂。",
        transfer="正在为您转接人工客服。",
        ahead="人工客服繁忙，前面还有{n}位，请稍候。",
        joined="客服代表1001号已为您接入。",
        acknowledged="您好，请稍等。",
        greeting="工号1001为您服务，请问有什么可以帮您？",
        again="请您说得再具体一些好吗？",
        bot_goodbye="感谢您使用智能助手，再见！",
        agent_goodbye="感谢您的咨询，再见！",
        refused="当前咨询人数过多，请您稍后再试。",
        over="本次会话已结束。",
        want_human="人工",
        nobody_there="夜间",
        goodbye="再见|谢谢",
    ),
    "en": Words(
        welcome="Hello, I am the virtual assistant. To talk to a person, ask for a human.",
        unknown="Sorry, I did not understand.",
        transfer="I am transferring you to a member of our team.",
        ahead="All agents are busy: {n} people ahead of you.",
        joined="Agent 1001 has joined the chat.",
        acknowledged="Hello, one moment please.",
        greeting="This is number 1001, how may I help you?",
        again="Could you be more specific, please?",
        bot_goodbye="Thank you for using the assistant. Goodbye!",
        agent_goodbye="Thank you for contacting us. Goodbye!",
        refused="Too many customers are waiting. Please try again later.",
        over="This chat has ended.",
        want_human=r"\bhuman\b",
        nobody_there="tonight",
        goodbye="bye|thank",
    ),
}


class Brain:
    """One customer's talk. Whoever carries it calls ``greet`` once and ``hear`` for each message, one after another."""

    def __init__(self, session: str, stage: Stage, truth: Log, answers: Answers, lang: str) -> None:
        self.over = False
        self._session, self._stage, self._truth, self._answers = session, stage, truth, answers
        self._words = WORDS[lang]
        self._human = False

    async def greet(self) -> None:
        """Speaks first."""
        await self._say("bot", self._words.welcome, "bot_message")

    async def hear(self, text: str) -> None:
        """Takes what the customer wrote; returns when all has been said in answer to it."""
        words = self._words
        self._write("user_message", text=text, author="user")
        if self.over:
            return
        await asyncio.sleep(BOT_S)
        known = self._answer(text)
        if self._human:
            leaves = known is None and re.search(words.goodbye, text, re.IGNORECASE)
            await self._agent(words.agent_goodbye if leaves else known or words.again)
            if leaves:
                await self._end()
        elif re.search(words.want_human, text, re.IGNORECASE):
            await self._hand_off(refused=words.nobody_there in text)
        elif known is None and re.search(words.goodbye, text, re.IGNORECASE):
            await self._stream(words.bot_goodbye)
            await self._end()
        else:
            await self._stream(known or words.unknown)

    async def _hand_off(self, *, refused: bool) -> None:
        words = self._words
        await self._say("bot", words.transfer, "bot_message")
        for ahead in (2, 1):
            await self._say("system", words.ahead.format(n=ahead), "position", position=ahead)
            await asyncio.sleep(QUEUE_S)
        if refused:
            await self._say("system", words.refused, "refused")
            return await self._end()
        self._human = True
        await self._say("system", words.joined, "joined")
        await self._say("agent", words.acknowledged, "agent_message")
        await self._agent(words.greeting)
        return None

    async def _agent(self, text: str) -> None:
        await self._stage.typing()
        await asyncio.sleep(HUMAN_S)
        await self._say("agent", text, "agent_message")

    async def _end(self) -> None:
        self.over = True
        await asyncio.sleep(HUMAN_S / 2)
        await self._say("system", self._words.over, "end")

    async def _say(self, author: Author, text: str, event: str, **data: Any) -> None:
        self._write(event, text=text, author=author, **data)
        await self._stage.say(author, text)

    async def _stream(self, text: str) -> None:
        tokens = re.findall(r"[a-zA-Z',.]+\s*|.{1,4}", text, re.DOTALL)
        so_far = ""
        for number, token in enumerate(tokens):
            first, last = number == 0, number == len(tokens) - 1
            so_far += token
            if first:
                self._write("bot_first_token", text=text, author="bot")
            if last:
                self._write("bot_last_token", text=text, author="bot")
            await self._stage.stream(so_far, token, first=first, last=last)
            await asyncio.sleep(TOKEN_S)

    def _answer(self, question: str) -> str | None:
        """Returns the answer whose keywords match best, as the sandbox's knowledge does."""

        def match(keywords: Sequence[str]) -> tuple[int, int]:
            hits = [word for word in keywords if word.casefold() in question.casefold()]
            return len(hits), sum(map(len, hits))

        keywords, answer = max(self._answers, key=lambda entry: match(entry[0]))
        return answer if match(keywords) > (0, 0) else None

    def _write(self, event: str, **data: Any) -> None:
        self._truth.write(self._session, event, **data)
