"""Socket.IO, protocol 5 over Engine.IO 4: packets are text frames, ``4`` a message, ``42["event", ...]`` an event."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import ClientWebSocketResponse

from probes.chat.api import templates
from probes.chat.api.desk import Desk
from probes.chat.api.interface import Emit, SocketIo
from probes.chat.api.reading import document_of
from probes.chat.api.web import Broken
from probes.chat.api.websocket import closing, connect, frames, send
from scenarios.errors import FarEndFault

OPEN, CLOSE, PING, PONG, MESSAGE = "0", "1", "2", "3", "4"
CONNECT, DISCONNECT, EVENT, CONNECT_ERROR, BINARY_EVENT = "0", "1", "2", "4", "5"
_PACKET = re.compile(r"(?P<kind>[0-6])(?:\d+-)?(?:(?P<namespace>/[^,]*),)?(?P<ack>\d*)(?P<data>.*)", re.DOTALL)


class SocketIoTransport:
    """One namespace over one WebSocket; when either has gone, so has the chat."""

    def __init__(self, way: SocketIo, desk: Desk) -> None:
        self._way, self._desk, self._web = way, desk, desk.web
        self._socket: ClientWebSocketResponse | None = None
        self._silence_s = 60.0
        self._prefix = "" if way.namespace == "/" else way.namespace + ","

    async def open(self) -> None:
        """Connects; the namespace and what comes first follow when the server answers."""
        for request in self._way.before:
            await self._web.ask(request)
        headers = {name: str(templates.fill(value, self._web.values)) for name, value in self._way.headers.items()}
        url = self._web.address(self._way.path)
        url += ("&" if urlsplit(url).query else "?") + urlencode({"EIO": "4", "transport": "websocket"})
        self._socket = await connect(self._web, url, headers=headers)

    async def listen(self) -> None:
        """Takes packets until either side has ended it; the server's pings say whether it is alive."""
        assert self._socket is not None
        packets = frames(self._socket, self._desk)
        while True:
            try:
                async with asyncio.timeout(self._silence_s):
                    data, t = await anext(packets)
            except StopAsyncIteration:
                self._desk.end(*closing(self._socket))
                return
            except TimeoutError as error:
                raise Broken(f"the connection broke: no ping for {self._silence_s:g} s") from error
            if isinstance(data, str) and await self._packet(data, t):
                return

    async def say(self) -> float:
        """Sends the text."""
        return await self._emit(self._way.say)

    async def bye(self) -> None:
        """Sends what the profile ends with, and leaves the namespace."""
        if self._way.bye is not None:
            await self._emit(self._way.bye)
        await self._send(MESSAGE + DISCONNECT + self._prefix.rstrip(","))

    async def close(self) -> None:
        """Closes the socket."""
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):
                await self._socket.close()

    async def _packet(self, data: str, t: float) -> bool:
        """Takes one packet of Engine.IO; returns whether it was the last."""
        kind, rest = data[:1], data[1:]
        if kind == OPEN:
            self._hear_out(rest)
            auth = "" if self._way.auth is None else _json(templates.fill(self._way.auth, self._web.values))
            await self._send(MESSAGE + CONNECT + self._prefix + auth)
        elif kind == PING:
            await self._send(PONG + rest)
        elif kind == CLOSE:
            self._desk.end("far", "the connection was closed")
            return True
        elif kind == MESSAGE:
            return await self._message(rest, t)
        return False

    async def _message(self, data: str, t: float) -> bool:
        """Takes one packet of Socket.IO; returns whether it was the last."""
        packet = _PACKET.fullmatch(data)
        if packet is None:
            self._desk.garbled(len(data), t)
            return False
        if (packet["namespace"] or "/").split("?")[0] != self._way.namespace:
            return False
        match packet["kind"]:
            case "0":
                for emit in self._way.first:
                    await self._emit(emit)
                self._desk.up()
            case "1":
                self._desk.end("far", "the centre disconnected us")
                return True
            case "4":
                raise FarEndFault(
                    f"the interface lets us into no namespace {self._way.namespace}: {packet['data'][:200]}"
                )
            case "2" | "5":
                await self._event(packet, t)
        return False

    async def _event(self, packet: re.Match[str], t: float) -> None:
        try:
            name, *arguments = document_of(packet["data"])
        except (ValueError, TypeError):
            self._desk.garbled(len(packet["data"]), t)
            return
        if packet["ack"]:
            await self._send(MESSAGE + "3" + self._prefix + packet["ack"] + "[]")
        self._desk.take({"event": name, "args": arguments}, t)

    async def _emit(self, emit: Emit) -> float:
        event, *arguments = templates.fill((emit.event, *emit.args), self._web.values)
        return await self._send(MESSAGE + EVENT + self._prefix + _json([event, *arguments]))

    async def _send(self, packet: str) -> float:
        assert self._socket is not None
        return await send(self._socket, packet, self._desk)

    def _hear_out(self, handshake: str) -> None:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            said = document_of(handshake)
            self._silence_s = min(600.0, max(1.0, (float(said["pingInterval"]) + float(said["pingTimeout"])) / 1000))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
