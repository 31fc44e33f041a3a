"""One chat with the sandbox bank: first the bot, then perhaps the queue and a human.

Frames to the page are JSON objects with a ``type``: ``message`` (whole), ``start``/``token``/``done`` (streamed),
``typing``, ``choices`` (quick replies), ``state`` (bot|queue|agent|over) and ``end``; ``message`` and ``done`` may show
cards, links and images. The page sends ``{"type": "say", "text": ...}``, or ``{"type": "file", "name": ...,
"media": ..., "data": base64}``, and shows the shopper's own message only when the server sends it back.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import random
import re
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from harness.sandbox.knowledge import Answer

if TYPE_CHECKING:
    from harness.sandbox.chat import ChatCentre

ROOM_FAULTS = {
    "no_agent": "the queue never ends",
    "drop": "the queue ends with 'please try later' and the chat closes",
    "vanish": "the connection breaks in the queue, without a word",
    "callback": "instead of a human the centre offers to call back",
    "no_bot": "the bot never says anything",
    "silent_agent": "a human joins and never says anything",
    "lost_echo": "what the shopper sends is lost on its way",
}
QUEUE_S = (3.0, 12.0)
BOT_S = (0.2, 0.6)
HUMAN_S = (1.0, 3.0)  # reading and typing, each
TOKEN_S = (0.010, 0.080)


class ChatRoom:
    """One session. ``number`` counts the sessions of this centre from 1."""

    def __init__(self, number: int, request: web.Request, socket: web.WebSocketResponse, centre: ChatCentre) -> None:
        self.name = f"chat-{number:03d}"
        self._request, self._socket, self._centre = request, socket, centre
        self._fault = request.query.get("fault", "")
        self._words, self._lang, self._pace = centre.words, centre.lang, centre.pace
        self._draw = random.Random(f"chat/{centre.seed}/{number}")
        self._wait = self._draw.uniform(*QUEUE_S) * self._pace
        self._ahead = self._draw.randint(1, 4)
        self._agent, self._agent_name, self._greeting = centre.agents.serving(number)
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()  # words; None is a file
        self._messages = 0

    async def run(self) -> None:
        """Talks until either side ends the chat."""
        self._write("session_open", fault=self._fault)
        talk = asyncio.create_task(self._talk())
        ears = asyncio.create_task(self._listen())
        await asyncio.wait({talk, ears}, return_when=asyncio.FIRST_COMPLETED)
        by = "centre" if talk.done() else "user"
        for task in (talk, ears):
            task.cancel()
        for task in (talk, ears):
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task
        if by == "user":
            self._write("end", by="user")
        await self._socket.close()

    async def _listen(self) -> None:
        async for frame in self._socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            sent = json.loads(frame.data)
            if sent.get("type") == "file":
                await self._take_file(sent)
                continue
            text = str(sent.get("text", "")).strip()[:2000]
            self._write("user_sent", text=text)
            if text and self._fault != "lost_echo":
                await self._message("user", text, event="user_message")
                self._heard.put_nowait(text)

    async def _take_file(self, sent: dict[str, Any]) -> None:
        name, content = str(sent["name"])[:200], base64.b64decode(sent["data"])
        digest = hashlib.sha256(content).hexdigest()
        self._write("user_sent_file", name=name, media=sent["media"], bytes=len(content), sha256=digest)
        if self._fault != "lost_echo":
            await self._message("user", "", event="user_file", file=name)
            self._heard.put_nowait(None)

    async def _talk(self) -> None:
        await self._send(type="state", name="bot")
        if self._fault == "no_bot":
            await asyncio.Event().wait()
        await self._stream(self._words.welcome)
        while True:
            text = await self._heard.get()
            if text is None:
                await self._stream(self._words.got_file)
                continue
            if re.search(self._words.want_human, text, re.IGNORECASE):
                break
            known = self._centre.knowledge.find(None, text, self._lang)
            if known is None and re.search(self._words.goodbye, text, re.IGNORECASE):
                await self._stream(self._words.bot_goodbye)
                return await self._end("bot")
            if known is None:
                await self._stream(self._draw.choice(self._words.bot_unknown))
            else:
                await self._stream(known.in_(self._lang), known)
        await self._stream(self._words.transfer)
        if await self._queue():
            await self._human()
        return None

    async def _queue(self) -> bool:
        """Waits in the queue; returns whether a human comes."""
        wait, ahead = self._wait, self._ahead
        self._write("queue", wait=wait, ahead=ahead)
        await self._send(type="state", name="queue")
        for position in range(ahead, 0, -1):
            await self._message(
                "system", self._words.position.format(n=position), event="position", role="queue", position=position
            )
            await asyncio.sleep(wait / ahead)
            if self._fault == "no_agent":
                await asyncio.Event().wait()
            elif self._fault in ("drop", "callback"):
                text = self._words.full if self._fault == "drop" else self._words.callback
                await self._message("system", text, event="refused", role=self._fault)
                await self._end("system")
                return False
            elif self._fault == "vanish":
                self._write("end", by="vanish")
                if self._request.transport is not None:
                    self._request.transport.abort()  # a broken line says no goodbye
                return False
        return True

    async def _human(self) -> None:
        words = self._words
        await self._message("system", words.joined.format(number=self._agent), event="joined", role="joined")
        await self._send(type="state", name="agent")
        if self._fault == "silent_agent":
            await asyncio.Event().wait()
        while not self._heard.empty():  # what was written in the queue is read as part of the errand
            self._heard.get_nowait()
        await self._agent_says(words.greeting(self._greeting, self._agent, self._agent_name))
        while True:
            text = await self._heard.get()
            await asyncio.sleep(self._human_s() / 2)  # reads
            if text is None:
                await self._agent_says(words.got_file)
                continue
            known = self._centre.knowledge.find(None, text, self._lang)
            if known is None and re.search(words.goodbye, text, re.IGNORECASE):
                await self._agent_says(self._draw.choice(words.agent_goodbye))
                await asyncio.sleep(0.5 * self._pace)
                return await self._end("agent")
            if known is None:
                await self._agent_says(self._draw.choice(words.agent_unknown))
            else:
                before, after = self._draw.choice(words.before_answer), self._draw.choice(words.after_answer)
                await self._agent_says(before + known.in_(self._lang) + after, known)

    def _human_s(self) -> float:
        return self._draw.uniform(*HUMAN_S) * self._pace

    async def _agent_says(self, text: str, answer: Answer | None = None) -> None:
        await self._send(type="typing", on=True, author="agent")
        await asyncio.sleep(self._human_s())
        await self._send(type="typing", on=False, author="agent")
        await self._message("agent", text, event="agent_message", **self._shows(answer))
        await self._offer(answer)

    async def _end(self, by: str) -> None:
        await self._message("system", self._words.over, event="end", role="end", by=by)
        await self._send(type="state", name="over")

    async def _stream(self, text: str, answer: Answer | None = None) -> None:
        """The bot says ``text``, a few letters at a time, and shows and offers what goes with it."""
        await self._send(type="typing", on=True, author="bot")
        await asyncio.sleep(self._draw.uniform(*BOT_S) * self._pace)
        await self._send(type="typing", on=False, author="bot")
        number = self._next()
        tokens = re.findall(r"\S+\s*" if self._lang == "en" else r".{1,3}", text, re.DOTALL)
        await self._send(type="start", id=number, author="bot")
        for index, token in enumerate(tokens):
            if index == 0:
                self._write("bot_first_token", id=number, text=text)
            if index == len(tokens) - 1:
                self._write("bot_last_token", id=number, text=text)
            await self._send(type="token", id=number, text=token)
            await asyncio.sleep(self._draw.uniform(*TOKEN_S))
        await self._send(type="done", id=number, **self._shows(answer))
        await self._offer(answer)

    def _shows(self, answer: Answer | None) -> dict[str, Any]:
        """Returns what a frame says of what is shown with an answer."""
        if answer is None or not answer.shows:
            return {}
        return {"shows": [each.model_dump() | {"text": each.text.in_(self._lang)} for each in answer.shows]}

    async def _offer(self, answer: Answer | None) -> None:
        if answer is not None and answer.choices:
            texts = [choice.in_(self._lang) for choice in answer.choices]
            self._write("choices", texts=texts)
            await self._send(type="choices", texts=texts)

    async def _message(self, author: str, text: str, *, event: str, **data: Any) -> None:
        number = self._next()
        frame = {"type": "message", "id": number, "author": author, "text": text}
        frame |= {key: data[key] for key in ("shows", "file") if key in data}
        self._write(event, id=number, author=author, text=text, **data)
        await self._send(**frame)

    def _next(self) -> int:
        self._messages += 1
        return self._messages

    def _write(self, event: str, **data: Any) -> None:
        self._centre.truth.write(self.name, event, **data)

    async def _send(self, **frame: Any) -> None:
        with contextlib.suppress(ConnectionError):  # the shopper has left: the listener ends the session
            await self._socket.send_str(json.dumps(frame, ensure_ascii=False))
