"""A page with Bot Framework Web Chat (npm, software of other people) and a small Direct Line service behind it.

All of it is on 127.0.0.1. The page's widget talks to the service with its own directLineJS: REST to begin a
conversation and to post, a WebSocket to listen. Behind it a bot that streams its answers, a queue and an agent, who
speak through the one bot account, as they do in the wild.

Fixture ``webchat_server`` yields a running :class:`WebChatServer`; its ``url`` is the page, ``truth()`` what was sent.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from harness.bench.widgets.bot_framework import API, SHA256, VERSION
from harness.bench.widgets.npm import fetched
from harness.sandbox.knowledge import Knowledge

PAGE = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>Web Chat</title>
<link rel="icon" href="data:,"><style>html,body{height:100%;margin:0}#webchat{height:100%;width:480px}</style></head>
<body><div id="webchat" role="main"></div><script src="webchat.js"></script><script>
(async () => {
  const response = await fetch("token", { method: "POST" });
  const { token } = await response.json();
  window.WebChat.renderWebChat({
    directLine: window.WebChat.createDirectLine({ token, domain: `${location.origin}/v3/directline` }),
    locale: "zh-CN",
    styleOptions: { botAvatarInitials: "B", userAvatarInitials: "U" },
  }, document.getElementById("webchat"));
})();
</script></body></html>"""

PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
CARD = {
    "title": "换卡进度",
    "text": "寄出后有短信通知",
    "buttons": [{"type": "openUrl", "title": "换卡申请", "value": "https://forms.example.com/new-card"}],
}
SHOWN: dict[str, dict[str, Any]] = {  # what the bot answers to: a file without words, and a quick reply
    "": {
        "text": "照片收到了，您想怎么领新卡？",
        "suggestedActions": {
            "actions": [{"type": "imBack", "title": name, "value": name} for name in ("邮寄到家", "网点领取")]
        },
    },
    "邮寄到家": {
        "text": "好的，请看卡片。",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.hero", "content": CARD},
            {"contentType": "image/gif", "contentUrl": PICTURE, "name": "磨损的示意图"},
        ],
    },
}


class Conversation:
    """One customer at the service."""

    def __init__(self, number: int, server: WebChatServer) -> None:
        self.id = f"conversation-{number}"
        self._server = server
        self._sent: list[dict[str, Any]] = []
        self._sockets: set[web.WebSocketResponse] = set()
        self._counter = itertools.count()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.talk = asyncio.create_task(self._talk())
        self.listening = asyncio.Event()

    async def deliver(self, activity: dict[str, Any], event: str | None = None) -> str:
        """Sends one activity to the customer's widget."""
        activity = {
            "id": f"{self.id}|{next(self._counter):07d}",
            "timestamp": _utc(),
            "channelId": "directline",
        } | activity
        activity["conversation"] = {"id": self.id}
        self._sent.append(activity)
        if event:
            row = {"t_mono": time.monotonic(), "session": self.id, "event": event, "text": activity.get("text")}
            self._server.log.append(row)
        for socket in list(self._sockets):
            await socket.send_str(json.dumps({"activities": [activity], "watermark": str(len(self._sent))}))
        return str(activity["id"])

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        """The widget's WebSocket."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        self.listening.set()
        async for frame in socket:
            if frame.type is WSMsgType.ERROR:
                break
        self._sockets.discard(socket)
        return socket

    async def hear(self, activity: dict[str, Any]) -> str:
        """Takes what the widget posted; Direct Line sends it back to the widget as well."""
        number = await self.deliver(activity, "user_message" if activity.get("type") == "message" else None)
        if activity.get("type") == "message":
            self.heard.put_nowait(str(activity.get("text", "")))
        return number

    async def _talk(self) -> None:
        await self.listening.wait()
        await self._say("您好，我是智能助手。需要真人服务请回复“转人工”。", "bot")
        while "人工" not in (text := await self.heard.get()):
            if text in SHOWN:
                await self.deliver({"type": "message", "from": {"id": "bot", "role": "bot"}} | SHOWN[text], "bot")
                continue
            await self._stream(self._server.knowledge.answer(None, text, "zh") or "抱歉，我没有听懂。")
        await self._say("正在为您转接人工客服。", "bot")
        for ahead in (2, 1):
            await self._say(f"人工客服繁忙，前面还有{ahead}位，请稍候。", "queue")
            await asyncio.sleep(0.5)
        await self._say("客服代表1001号已为您接入。", "joined")
        await self._agent("您好，工号1001为您服务，请问有什么可以帮您？")
        while not re.search("再见|谢谢", text := await self.heard.get()):
            await self._agent(self._server.knowledge.answer(None, text, "zh") or "请您说得再具体一些好吗？")
        await self._agent("感谢您的咨询，再见！")
        await self._say("本次会话已结束。", "end")

    async def _say(self, text: str, event: str) -> None:
        await self.deliver({"type": "message", "from": {"id": "bot", "role": "bot"}, "text": text}, event)

    async def _agent(self, text: str) -> None:
        await self.deliver({"type": "typing", "from": {"id": "bot", "role": "bot"}})
        await asyncio.sleep(0.4)
        await self._say(text, "agent")

    async def _stream(self, text: str) -> None:
        """Streams ``text`` the Bot Framework's way: typing activities that hold all so far, then the whole message."""
        stream: dict[str, Any] = {"streamType": "streaming"}
        speaker = {"id": "bot", "role": "bot"}
        for number, end in enumerate(range(4, len(text), 4), start=1):
            stream["streamSequence"] = number
            activity = {"type": "typing", "from": speaker, "text": text[:end], "channelData": dict(stream)}
            got = await self.deliver(activity, "bot_first_token" if number == 1 else None)
            stream.setdefault("streamId", got)
            await asyncio.sleep(0.04)
        stream.pop("streamSequence", None)
        await self.deliver(
            {"type": "message", "from": speaker, "text": text, "channelData": stream | {"streamType": "final"}}, "bot"
        )


class WebChatServer:
    """The page and the service, on a thread of their own."""

    def __init__(self) -> None:
        self.url = ""
        self.log: list[dict[str, Any]] = []
        self.uploads: list[tuple[str, str, bytes]] = []  # name, media type, content
        self.knowledge = Knowledge.load()
        self._bundle = fetched("botframework-webchat", VERSION, "dist/webchat.js", SHA256)
        self._conversations: dict[str, Conversation] = {}
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    def __enter__(self) -> WebChatServer:
        self._thread.start()
        assert self._listening.wait(20), "the Web Chat server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def truth(self) -> list[dict[str, Any]]:
        """Returns what was sent, stamped with CLOCK_MONOTONIC just before."""
        return list(self.log)

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/webchat.js", self._script)
        app.router.add_post("/token", self._token)
        app.router.add_post(f"{API}/conversations", self._begin)
        app.router.add_post(f"{API}/tokens/refresh", self._token)
        app.router.add_get(f"{API}/conversations/{{id}}", self._resume)
        app.router.add_post(f"{API}/conversations/{{id}}/activities", self._post)
        app.router.add_post(f"{API}/conversations/{{id}}/upload", self._upload)
        app.router.add_get(f"{API}/conversations/{{id}}/stream", self._stream)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        self._listening.set()
        await self._stop.wait()
        for conversation in self._conversations.values():
            conversation.talk.cancel()
        await runner.cleanup()

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def _script(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(self._bundle)

    async def _token(self, _: web.Request) -> web.Response:
        return web.json_response({"token": "local", "expires_in": 1800})

    async def _begin(self, request: web.Request) -> web.Response:
        conversation = Conversation(len(self._conversations) + 1, self)
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

    async def _upload(self, request: web.Request) -> web.Response:
        """Takes a message with files: a form of the activity and of each file."""
        conversation, activity, files = self._conversations[request.match_info["id"]], {}, []
        for field in (await request.post()).values():
            assert isinstance(field, web.FileField)
            content = field.file.read()
            if field.content_type == "application/vnd.microsoft.activity":
                activity = json.loads(content)
                continue
            self.uploads.append((field.filename, field.content_type, content))
            url = f"data:{field.content_type};base64,{base64.b64encode(content).decode()}"
            files.append({"contentType": field.content_type, "contentUrl": url, "name": field.filename})
        return web.json_response({"id": await conversation.hear(activity | {"attachments": files})})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        return await self._conversations[request.match_info["id"]].listen(request)


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def webchat_server() -> Iterator[WebChatServer]:
    """A running page with Bot Framework Web Chat on it."""
    with WebChatServer() as server:
        yield server
