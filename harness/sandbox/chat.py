"""The sandbox bank's web chat: a page, a bot that streams its replies, a queue and a human.

As a process of its own::

    python -m harness.sandbox.chat --port-file PATH --truth PATH --seed 1 --lang zh

It writes ``{"url": ...}`` to the port file once it listens, and stops on SIGTERM or when its standard input closes.
``?fault=NAME`` behind the URL breaks the chat in a way a real centre may break: see :data:`FAULTS`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import threading
from pathlib import Path

from aiohttp import WSCloseCode, web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.sandbox.chat_room import ROOM_FAULTS, ChatRoom
from harness.sandbox.chat_words import Agents, words
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.truth import Truth
from scenarios.model import Lang

FOLDER = Path(__file__).parent
MAX_FRAME = 8_000_000  # bytes: a file of 5 MB in base64
PAGE_FAULTS = {
    "never_loads": "the server accepts the request and never answers",
    "error": "the page answers 503",
    "no_widget": "the page has no chat",
    "elsewhere": "the page leads to another host",
}
FAULTS = PAGE_FAULTS | ROOM_FAULTS


class ChatCentre:
    """The chat's web server on 127.0.0.1 with a free port."""

    def __init__(self, seed: int, lang: Lang, truth: Truth, *, pace: float = 1.0) -> None:
        """Makes the centre.

        Args:
            seed: draws the agents on duty, the waits and the wording, together with the session's number.
            lang: what the page speaks.
            truth: where every instant is written down.
            pace: factor on the waits and the humans' delays; below 1 the centre hurries (for tests).
        """
        self.seed, self.lang, self.truth, self.pace = seed, lang, truth, pace
        self.words = words(lang)
        self.agents = Agents(seed, lang)
        self.knowledge = Knowledge.load()
        self._opened = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._stopping = asyncio.Event()
        pages = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
        self._page = pages.get_template("chat_page.html")
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Starts to listen and returns the page's URL."""
        app = web.Application()
        app.router.add_get("/", self._serve_page)
        app.router.add_get("/{name:chat_page|worn_card}.{kind:js|css|svg}", self._serve_asset)
        app.router.add_get("/forms/{name}", self._serve_form)
        app.router.add_get("/chat", self._serve_chat)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{port}/"

    async def stop(self) -> None:
        """Ends every session and stops listening. Safe to call twice."""
        self._stopping.set()
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve_page(self, request: web.Request) -> web.StreamResponse:
        fault = request.query.get("fault", "")
        if fault not in FAULTS and fault:
            raise web.HTTPBadRequest(text=f"unknown fault; one of: {', '.join(FAULTS)}")
        if fault == "never_loads":
            await self._stopping.wait()
        if fault in ("never_loads", "error"):
            raise web.HTTPServiceUnavailable(text="503")
        if fault == "elsewhere":
            raise web.HTTPFound(f"http://localhost:{request.url.port}/")
        page = self._page.render(lang=self.lang, words=self.words.page, widget=fault != "no_widget")
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _serve_asset(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(FOLDER / f"{request.match_info['name']}.{request.match_info['kind']}")

    async def _serve_form(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text=self.words.page.note)

    async def _serve_chat(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=30, max_msg_size=MAX_FRAME)
        await socket.prepare(request)
        self._opened += 1
        self._sockets.add(socket)
        room = ChatRoom(self._opened, request, socket, self)
        try:
            await room.run()
        finally:
            self._sockets.discard(socket)
        return socket


def write_port_file(path: Path, content: dict[str, str]) -> None:
    """Writes the file in one step, so that a reader never sees half of it."""
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(json.dumps(content), encoding="utf-8")
    os.replace(beside, path)  # noqa: PTH105 -- os.replace is atomic by contract


async def serve(seed: int, lang: Lang, truth_path: Path, port_file: Path, *, pace: float = 1.0) -> None:
    """Runs a centre until SIGTERM or the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def watch_parent() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be held while the interpreter shuts down
            pass
        with contextlib.suppress(RuntimeError):  # we are stopping already
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch_parent, daemon=True).start()
    with Truth(truth_path) as truth:
        centre = ChatCentre(seed, lang, truth, pace=pace)
        write_port_file(port_file, {"url": await centre.start()})
        await stop.wait()
        await centre.stop()


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="python -m harness.sandbox.chat", description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lang", choices=("zh", "en"), default="zh")
    parser.add_argument("--pace", type=float, default=1.0, help="below 1 the centre hurries")
    options = parser.parse_args()
    asyncio.run(serve(options.seed, options.lang, options.truth, options.port_file, pace=options.pace))


if __name__ == "__main__":
    main()
