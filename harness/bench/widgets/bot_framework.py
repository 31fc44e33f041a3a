"""Bot Framework Web Chat (npm, software of other people) and a small Direct Line service behind it.

The page's widget talks to the service with its own directLineJS: REST to begin a conversation and to post, a WebSocket
to listen. Bot, queue and human speak through the one bot account, as they do in the wild. ``?lang=en`` behind the URL
makes it speak English.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSMsgType, web

from harness.bench.widgets.brain import Answers, Author, Brain
from harness.bench.widgets.npm import fetched
from harness.sandbox.truth import Truth

VERSION = "4.18.1"
SHA256 = "0a68ad0a64fc04d621197da10c3eec0f843e16f7d03f6bcbed29b47517cf9bff"
API = "/v3/directline"
SPEAKER = {"id": "bot", "role": "bot"}

PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Web Chat</title>
<link rel="icon" href="data:,"><style>html,body{height:100%;margin:0}#webchat{height:100%;width:480px}</style></head>
<body><div id="webchat" role="main"></div><script src="webchat.js"></script><script>
(async () => {
  const lang = new URLSearchParams(location.search).get("lang") ?? "zh";
  const response = await fetch("token?lang=" + lang, { method: "POST" });
  const { token } = await response.json();
  window.WebChat.renderWebChat({
    directLine: window.WebChat.createDirectLine({ token, domain: `${location.origin}/v3/directline` }),
    locale: lang === "zh" ? "zh-CN" : "en-US",
    styleOptions: { botAvatarInitials: "B", userAvatarInitials: "U", hideUploadButton: true },
  }, document.getElementById("webchat"));
})();
</script></body></html>"""


class Conversation:
    """One customer at the service; the stage of its brain."""

    def __init__(self, number: int, lang: str, truth: Truth, answers: Answers) -> None:
        self.id = f"conversation-{number:03d}"
        self._brain = Brain(self.id, self, truth, answers, lang)
        self._sent = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._counter = itertools.count()
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._streamed: dict[str, Any] = {}
        self._listening = asyncio.Event()
        self.talk = asyncio.create_task(self._talk())

    async def say(self, author: Author, text: str) -> None:
        """Shows a whole message."""
        await self.deliver({"type": "message", "from": SPEAKER, "text": text})

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Shows one more token the Bot Framework's way: typing that holds all so far, at last the whole message."""
        if first:
            self._streamed = {"streamType": "streaming", "streamSequence": 0}
        data = self._streamed
        if last:
            whole = {key: data[key] for key in ("streamId",) if key in data} | {"streamType": "final"}
            await self.deliver({"type": "message", "from": SPEAKER, "text": so_far, "channelData": whole})
            return
        data["streamSequence"] += 1
        number = await self.deliver({"type": "typing", "from": SPEAKER, "text": so_far, "channelData": dict(data)})
        data.setdefault("streamId", number)

    async def typing(self) -> None:
        """Shows that the human types."""
        await self.deliver({"type": "typing", "from": SPEAKER})

    async def deliver(self, activity: dict[str, Any]) -> str:
        """Sends one activity to the customer's widget and returns its id."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        about = {"id": f"{self.id}|{next(self._counter):07d}", "timestamp": stamp, "channelId": "directline"}
        activity = about | activity | {"conversation": {"id": self.id}}
        self._sent += 1
        for socket in list(self._sockets):
            await socket.send_str(json.dumps({"activities": [activity], "watermark": str(self._sent)}))
        return str(activity["id"])

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        """The widget's WebSocket."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        self._listening.set()
        async for frame in socket:
            if frame.type is WSMsgType.ERROR:
                break
        self._sockets.discard(socket)
        return socket

    async def hear(self, activity: dict[str, Any]) -> str:
        """Takes what the widget posted; Direct Line sends it back to the widget as well."""
        number = await self.deliver(activity)
        if activity.get("type") == "message":
            self._heard.put_nowait(str(activity.get("text", "")))
        return number

    async def _talk(self) -> None:
        await self._listening.wait()
        await self._brain.greet()
        while True:
            await self._brain.hear(await self._heard.get())


class BotFramework:
    """The page and the service on a free port of 127.0.0.1."""

    def __init__(self, truth: Truth, answers: Answers) -> None:
        self._truth, self._answers = truth, answers
        self._script = fetched("botframework-webchat", VERSION, "dist/webchat.js", SHA256)
        self._conversations: dict[str, Conversation] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Starts to listen and returns the page's URL."""
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/webchat.js", self._serve_script)
        app.router.add_post("/token", self._token)
        app.router.add_post(f"{API}/conversations", self._begin)
        app.router.add_post(f"{API}/tokens/refresh", self._token)
        app.router.add_get(f"{API}/conversations/{{id}}", self._resume)
        app.router.add_post(f"{API}/conversations/{{id}}/activities", self._post)
        app.router.add_get(f"{API}/conversations/{{id}}/stream", self._stream)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Ends every talk and stops listening."""
        for conversation in self._conversations.values():
            conversation.talk.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def _serve_script(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(self._script)

    async def _token(self, request: web.Request) -> web.Response:
        return web.json_response({"token": request.query.get("lang", "zh"), "expires_in": 1800})

    async def _begin(self, request: web.Request) -> web.Response:
        lang = request.headers.get("Authorization", "").removeprefix("Bearer ") or "zh"
        conversation = Conversation(len(self._conversations) + 1, lang, self._truth, self._answers)
        self._conversations[conversation.id] = conversation
        return web.json_response(self._handle(request, conversation), status=201)

    async def _resume(self, request: web.Request) -> web.Response:
        return web.json_response(self._handle(request, self._conversations[request.match_info["id"]]))

    def _handle(self, request: web.Request, conversation: Conversation) -> dict[str, Any]:
        stream = f"ws://{request.host}{API}/conversations/{conversation.id}/stream"
        return {"conversationId": conversation.id, "token": "local", "expires_in": 1800, "streamUrl": stream}

    async def _post(self, request: web.Request) -> web.Response:
        conversation = self._conversations[request.match_info["id"]]
        return web.json_response({"id": await conversation.hear(await request.json())})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        return await self._conversations[request.match_info["id"]].listen(request)
