"""Messages over one WebSocket, and what every WebSocket of an interface has in common."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType

from probes.chat.api import templates
from probes.chat.api.desk import Desk
from probes.chat.api.interface import WebSocket
from probes.chat.api.web import Broken, Web, fault
from scenarios.errors import FarEndFault

SEND_S = 10.0  # a peer that takes nothing for so long has gone
CLOSE_S = 2.0


async def connect(
    web: Web, url: str, *, headers: Mapping[str, str] | None = None, protocols: Sequence[str] = (),
    ping_s: float | None = None,
) -> ClientWebSocketResponse:  # fmt: skip
    """Opens a WebSocket at an address that may begin with ``http``.

    Raises:
        FarEndFault: it leads elsewhere, cannot be reached, or opens none.
        HarnessFault: we are not let in.
    """
    web.permitted(url)
    url = "ws" + url.removeprefix("ws").removeprefix("http")
    try:
        async with asyncio.timeout(web.limits.request_s):
            return await web.session.ws_connect(
                url, headers=headers, protocols=protocols, heartbeat=ping_s, max_msg_size=web.limits.max_bytes,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )  # fmt: skip
    except TimeoutError as error:
        raise FarEndFault(f"the interface opened no WebSocket within {web.limits.request_s:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise fault(error) from error


async def frames(socket: ClientWebSocketResponse, desk: Desk) -> AsyncIterator[tuple[str | bytes, float]]:
    """Yields each frame and when it came, until the far end has closed.

    Raises:
        FarEndFault: a frame is larger than permitted.
    """
    while True:
        message = await socket.receive()
        t = desk.now()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            yield message.data, t
        elif message.type is WSMsgType.ERROR:
            error = message.data
            if isinstance(error, aiohttp.WebSocketError) and error.code == WSCloseCode.MESSAGE_TOO_BIG:
                raise FarEndFault(f"a frame is larger than {desk.interface.limits.max_bytes} bytes")
            if isinstance(error, aiohttp.WebSocketError):
                raise FarEndFault(f"the interface sent what is no WebSocket frame ({error})")
            raise Broken("the connection broke: no answer to a ping, or the line was cut")
        elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
            return


def closing(socket: ClientWebSocketResponse) -> tuple[str, str]:
    """Returns by whom a WebSocket was closed, and what to say of it."""
    code = socket.close_code
    if code in (None, WSCloseCode.ABNORMAL_CLOSURE):
        return "network", "the connection broke"
    return "far", "the connection was closed" if code in (1000, 1001, 1005) else f"the connection was closed ({code})"


async def send(socket: ClientWebSocketResponse, data: str, desk: Desk) -> float:
    """Sends one text frame and returns when it went out.

    Raises:
        Broken: the peer has gone, or takes nothing.
    """
    t = desk.now()
    try:
        async with asyncio.timeout(SEND_S):
            await socket.send_str(data)
    except TimeoutError as error:
        raise Broken(f"send lost: the interface took nothing for {SEND_S:g} s") from error
    except (ConnectionError, RuntimeError, aiohttp.ClientError) as error:
        raise Broken("send lost: the connection is closed") from error
    return t


def frame_of(template: Any, values: Mapping[str, Any]) -> str:
    """Returns the frame that a template makes: text as it is, all else as JSON."""
    filled = templates.fill(template, values)
    return filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False)


class WebSocketTransport:
    """One WebSocket; when it has gone, so has the chat."""

    def __init__(self, way: WebSocket, desk: Desk) -> None:
        self._way, self._desk, self._web = way, desk, desk.web
        self._socket: ClientWebSocketResponse | None = None

    async def open(self) -> None:
        """Connects and sends what comes first."""
        for request in self._way.before:
            await self._web.ask(request)
        headers = {name: str(templates.fill(value, self._web.values)) for name, value in self._way.headers.items()}
        url = self._web.address(self._way.path)
        self._socket = await connect(
            self._web, url, headers=headers, protocols=self._way.protocols, ping_s=self._way.ping_s
        )
        self._desk.log.note("socket", open=True, path=self._web.scrub(urlsplit(url).path))
        for template in self._way.first:
            await send(self._socket, frame_of(template, self._web.values), self._desk)
        self._desk.up()

    async def listen(self) -> None:
        """Takes frames until it is closed."""
        assert self._socket is not None
        async for data, t in frames(self._socket, self._desk):
            self._desk.frame(data, t)
        self._desk.end(*closing(self._socket))

    async def say(self) -> float:
        """Sends the text."""
        assert self._socket is not None
        return await send(self._socket, frame_of(self._way.say, self._web.values), self._desk)

    async def bye(self) -> None:
        """Sends what the profile ends with."""
        if self._way.bye is not None and self._socket is not None:
            await send(self._socket, frame_of(self._way.bye, self._web.values), self._desk)

    async def close(self) -> None:
        """Closes the socket."""
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):
                await self._socket.close()
