"""deep-chat (npm, software of other people) over a WebSocket, over server-sent events and over plain requests.

Behind the URL, ``?via=`` says which: ``socket``, ``events`` or ``requests``; ``&lang=en`` makes it speak English, and
``&slow=S`` lets the WebSocket wait for so many seconds.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from harness.bench.widgets.brain import WORDS, Answers, Author, Brain
from harness.bench.widgets.npm import fetched
from harness.sandbox.truth import Truth

VERSION = "2.4.2"
SHA256 = "4be8e65b12c0678ccc06fd157a402be4dc7c01f910056166518781f1de2d6ad7"
ROLES: dict[Author, str] = {"bot": "ai", "system": "system", "agent": "agent"}
DONE = "[end of message]"
PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>deep-chat</title>
<link rel="icon" href="data:,"></head><body><script type="module" src="deep-chat.js"></script>
<deep-chat style="width:480px;height:600px" {attributes}></deep-chat></body></html>"""


class SocketStage:
    """A page that is told over its WebSocket; a message goes on until its end is told."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def say(self, author: Author, text: str) -> None:
        """Shows a whole message."""
        await self._send(text=text, role=ROLES[author])
        await self._send(text=DONE, role=ROLES[author])

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Shows one more token."""
        await self._send(text=token, role="ai")
        if last:
            await self._send(text=DONE, role="ai")

    async def typing(self) -> None:
        """The widget shows none over a WebSocket."""

    async def _send(self, **message: str) -> None:
        await self._socket.send_str(json.dumps(message))


class EventStage:
    """A page that is told in the stream of events that answers a request.

    A message goes on until another role speaks, so one notice replaces the one before it, and the human has a role of
    their own beside that of the desk.
    """

    def __init__(self) -> None:
        self._response: web.StreamResponse | None = None
        self._role = ""

    async def begin(self, response: web.StreamResponse) -> None:
        """Goes on in another answer. Services send an empty event first; the widget shows a bubble for it."""
        self._response, self._role = response, "ai"
        await self._send(text="", role="ai")

    async def say(self, author: Author, text: str) -> None:
        """Shows a whole message."""
        role = ROLES[author]
        if author == "agent" and self._role == role:
            role = "agent-1001"
        await self._send(text=text, role=role, **({"overwrite": True} if role == self._role else {}))
        self._role = role

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Shows one more token."""
        await self._send(text=token, role="ai")
        self._role = "ai"

    async def typing(self) -> None:
        """The widget shows it by itself until the first words come."""

    async def _send(self, **message: Any) -> None:
        assert self._response is not None
        await self._response.write(f"data: {json.dumps(message)}\n\n".encode())


class ReplyStage:
    """A page that is told all at once, in the reply to its request; it is the brain's log, too."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._said: list[dict[str, str]] = []
        self._rows: list[tuple[str, str, dict[str, Any]]] = []

    async def say(self, author: Author, text: str) -> None:
        """Keeps a whole message."""
        self._said.append({"text": text, "role": ROLES[author]})

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Keeps the message once it is whole."""
        if last:
            await self.say("bot", so_far)

    async def typing(self) -> None:
        """The widget shows it by itself until the reply comes."""

    def write(self, session: str, event: str, /, **data: Any) -> None:
        """Keeps a row of the truth; what the customer wrote is true already."""
        if event == "user_message":
            self._truth.write(session, event, **data)
        else:
            self._rows.append((session, event, data))

    def reply(self) -> web.Response:
        """Returns all that has been said since the last time, and stamps it."""
        response = web.json_response(self._said)
        self._said = []
        for session, event, data in self._rows:
            self._truth.write(session, event, **data)
        self._rows = []
        return response


class DeepChat:
    """The page and its three kinds of server on a free port of 127.0.0.1."""

    def __init__(self, truth: Truth, answers: Answers) -> None:
        self._truth, self._answers = truth, answers
        self._script = fetched("deep-chat", VERSION, "dist/deepChat.bundle.js", SHA256)
        self._sessions = 0
        self._streamed: dict[str, tuple[Brain, EventStage]] = {}
        self._replying: dict[str, tuple[Brain, ReplyStage]] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Starts to listen and returns the page's URL."""
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/deep-chat.js", self._serve_script)
        app.router.add_get("/socket/{lang}", self._socket)
        app.router.add_post("/events/{session}", self._events)
        app.router.add_post("/requests/{session}", self._requests)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _next(self) -> str:
        self._sessions += 1
        return f"deep-chat-{self._sessions:03d}"

    async def _page(self, request: web.Request) -> web.Response:
        via, lang = request.query.get("via", "socket"), request.query.get("lang", "zh")
        if via == "socket":
            url = f"ws://{request.host}/socket/{lang}?slow={request.query.get('slow', 0)}"
            given: dict[str, Any] = {"connect": {"url": url, "websocket": True, "stream": {"simulation": DONE}}}
        else:
            session, welcome = self._next(), WORDS[lang].welcome
            given = {
                "connect": {"url": f"/{via}/{session}", "stream": via == "events"},
                "introMessage": {"text": welcome},
            }
            if via == "events":
                stage = EventStage()
                self._streamed[session] = Brain(session, stage, self._truth, self._answers, lang), stage
            else:
                reply = ReplyStage(self._truth)
                self._replying[session] = Brain(session, reply, reply, self._answers, lang), reply
            self._truth.write(session, "intro", text=welcome, author="bot")
        attributes = " ".join(f"{name}='{json.dumps(value)}'" for name, value in given.items())
        return web.Response(text=PAGE.format(lang=lang, attributes=attributes), content_type="text/html")

    async def _serve_script(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(self._script)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        await asyncio.sleep(float(request.query["slow"]))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        brain = Brain(self._next(), SocketStage(socket), self._truth, self._answers, request.match_info["lang"])
        await brain.greet()
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await brain.hear(_text(json.loads(frame.data)))
        return socket

    async def _events(self, request: web.Request) -> web.StreamResponse:
        brain, stage = self._streamed[request.match_info["session"]]
        text = _text(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await stage.begin(response)
        await brain.hear(text)
        return response

    async def _requests(self, request: web.Request) -> web.Response:
        brain, stage = self._replying[request.match_info["session"]]
        await brain.hear(_text(await request.json()))
        return stage.reply()


def _text(body: dict[str, Any]) -> str:
    """Returns the words of what the widget sends: the customer's last message."""
    return str(body["messages"][-1]["text"])
