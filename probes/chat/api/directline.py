"""Bot Framework Direct Line 3.0: a conversation with a watermark, heard by WebSocket or by polling.

A connection that breaks is taken up again from the last watermark; activities that come twice are known by their id.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiohttp import ClientWebSocketResponse

from probes.chat.api import templates
from probes.chat.api.desk import Desk
from probes.chat.api.interface import DirectLine, Request
from probes.chat.api.reading import document_of
from probes.chat.api.web import Broken, Gone
from probes.chat.api.websocket import closing, connect, frames
from scenarios.errors import FarEndFault, ProbeFault

PAUSE_S = 1.0
PING_S = 20.0
LEAST_REFRESH_S = 10.0


class DirectLineTransport:
    """One conversation."""

    def __init__(self, way: DirectLine, desk: Desk) -> None:
        self._way, self._desk, self._web = way, desk, desk.web
        self._user = ""
        self._expires_s: float | None = None
        self._socket: ClientWebSocketResponse | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Gets a token, begins the conversation, and connects if the service offers a stream."""
        values = self._web.values
        if self._way.token is not None:
            await self._web.ask(self._way.token)
        elif self._way.secret_env is not None:
            values["token"] = templates.secret(self._way.secret_env)
            self._web.keep_secret(values["token"])
        self._user = str(templates.fill(self._way.user, values))
        began = self._request("POST", "/conversations", body={"user": {"id": self._user}})
        self._learn(self._document(await self._web.ask(began)))
        if "conversation" not in values:
            raise FarEndFault("the interface began no conversation")
        if self._way.stream and values.get("stream_url"):
            await self._connect()
        if self._expires_s is not None and "token" in values:
            self._refreshing = asyncio.create_task(self._refresh())
        self._desk.up()

    async def listen(self) -> None:
        """Takes activities until the conversation has ended."""
        if self._socket is None:
            await self._poll()
        else:
            await self._stream()

    async def say(self) -> float:
        """Posts the text; returns when the request went out, once it has been accepted."""
        activity = {
            "type": "message",
            "from": {"id": "${user}", "role": "user"},
            "text": "${text}",
            "locale": "${lang}",
        }
        sent: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        await self._web.ask(
            self._request("POST", "/conversations/${conversation}/activities", body=activity), sent=sent
        )
        return sent.result()

    async def bye(self) -> None:
        """Closing the window is all that a visitor does."""

    async def close(self) -> None:
        """Frees everything."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):
                await self._socket.close()

    def _request(self, method: str, path: str, body: Any = None) -> Request:
        self._web.values["user"] = self._user
        headers = {"Authorization": "Bearer ${token}"} if "token" in self._web.values else {}
        return Request.model_validate(
            {"method": method, "path": self._way.path.rstrip("/") + path, "headers": headers, "body": body}
        )

    def _document(self, answer: Any) -> dict[str, Any]:
        document = answer.document()
        if not isinstance(document, dict):
            raise FarEndFault("the interface's answer is not an object")
        return document

    def _learn(self, document: dict[str, Any]) -> None:
        """Keeps what the service says of the conversation."""
        names = {"conversationId": "conversation", "token": "token", "streamUrl": "stream_url"}
        for theirs, ours in names.items():
            if isinstance(document.get(theirs), str) and document[theirs]:
                self._web.values[ours] = document[theirs]
                if ours != "conversation":
                    self._web.keep_secret(document[theirs])  # the stream's address holds the token
        lasts = document.get("expires_in")
        if isinstance(lasts, int | float) and lasts > 0:
            self._expires_s = float(lasts)

    async def _refresh(self) -> None:
        assert self._expires_s is not None
        while True:
            await asyncio.sleep(max(LEAST_REFRESH_S, self._expires_s / 2))
            try:
                self._learn(self._document(await self._web.ask(self._request("POST", "/tokens/refresh"))))
            except ProbeFault as error:
                self._desk.log.note("fault", text=self._web.scrub(str(error)))

    async def _connect(self) -> None:
        self._socket = await connect(self._web, str(self._web.values["stream_url"]), ping_s=PING_S)
        self._desk.log.note("socket", open=True)

    async def _stream(self) -> None:
        failures = 0
        while True:
            assert self._socket is not None
            cause: FarEndFault = Broken("the connection broke")
            try:
                async for data, t in frames(self._socket, self._desk):
                    failures = 0
                    if data:  # an empty frame keeps the connection alive
                        self._frame(data, t)
                by, words = closing(self._socket)
                cause = FarEndFault(words) if by == "far" else Broken(words)
            except Broken as error:
                cause = error
            while True:
                self._desk.demand()
                failures += 1
                if failures > self._way.reconnects:
                    raise cause
                self._desk.log.note("reconnect", number=failures, watermark=self._web.values.get("watermark"))
                await asyncio.sleep(0 if failures == 1 else PAUSE_S)
                try:
                    path = "/conversations/${conversation}" + self._since()
                    self._learn(self._document(await self._web.ask(self._request("GET", path))))
                    await self._connect()
                    break
                except Gone:
                    self._desk.end("far", "the interface no longer knows the conversation")
                    return
                except FarEndFault as error:
                    cause = error

    def _since(self) -> str:
        return "?watermark=${watermark}" if self._web.values.get("watermark") is not None else ""

    async def _poll(self) -> None:
        failures = 0
        while True:
            try:
                path = "/conversations/${conversation}/activities" + self._since()
                answer = await self._web.ask(self._request("GET", path))
                self._take(self._document(answer), answer.at)
                failures = 0
            except Gone:
                self._desk.end("far", "the interface no longer knows the conversation")
                return
            except FarEndFault:
                failures += 1
                if failures > self._way.reconnects:
                    raise
            await asyncio.sleep(self._way.every_s)

    def _frame(self, data: str | bytes, t: float) -> None:
        try:
            document = document_of(data)
        except ValueError:
            document = None
        if isinstance(document, dict):
            self._take(document, t)
        else:
            self._desk.garbled(len(data), t)

    def _take(self, document: dict[str, Any], t: float) -> None:
        """Takes a set of activities: who is we is known by id, and a streamed message is one from its first part."""
        activities = document.get("activities")
        for activity in activities if isinstance(activities, list) else []:
            if not isinstance(activity, dict):
                continue
            sender = activity.get("from")
            sender = dict(sender) if isinstance(sender, dict) else {}
            ours = sender.get("id") == self._user
            activity["from"] = sender | {"role": "user" if ours else sender.get("role") or "bot"}
            extra = activity.get("channelData")
            if isinstance(extra, dict) and extra.get("streamType") in ("streaming", "final"):
                activity["id"] = extra.get("streamId") or activity.get("id")
        self._desk.take(document, t)
        if document.get("watermark") is not None:
            self._web.values["watermark"] = str(document["watermark"])
