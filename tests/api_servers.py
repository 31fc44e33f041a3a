"""Far ends with an interface instead of a page, on 127.0.0.1: real aiohttp and python-socketio servers on a thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from probes.channel import Said
from probes.chat.api.channel import ApiChannel
from probes.clock import Clock
from probes.session import Event
from probes.target import Chat
from tests.shopper import write_yaml

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """Runs an aiohttp application on a thread of its own; ``sent`` is its log, stamped just before each sending."""

    def __init__(self, *routes: tuple[str, str, Handler], app: web.Application | None = None) -> None:
        self.app = app or web.Application()
        for method, path, handler in routes:
            self.app.router.add_route(method, path, handler)
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> ApiServer:
        self._thread.start()
        assert self._up.wait(10), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        self._up.set()
        await self._stop.wait()
        await runner.cleanup()


class Log:
    """What a server sent, and when."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float]] = []

    def sending(self, text: str) -> str:
        self.rows.append((text, time.monotonic()))
        return text


class Talk:
    """What one channel saw of one chat."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start = 0.0
        self.said: list[Said] = []
        self.events: list[Event] = []
        self.fault: Exception | None = None

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    @property
    def words(self) -> list[tuple[str, str]]:
        return [(e.data["speaker"], e.data["text"]) for e in self.of("message")]

    @property
    def ended(self) -> tuple[str, str]:
        [event] = self.of("ended")
        return event.data["by"], event.data["cause"]

    @property
    def transcript(self) -> str:
        return (self.folder / "transcript.jsonl").read_text(encoding="utf-8")

    def rows(self, what: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.transcript.splitlines()]
        return [row for row in found if row["what"] == what]

    def late(self, log: Log) -> list[float]:
        """Returns how late each message that the server logged was stamped, in seconds."""
        shown = {e.data["text"]: self.start + e.t for e in self.events if e.kind in ("message", "notice")}
        return [shown[text] - t for text, t in log.rows if text in shown]


def talk(url: str, profile: dict[str, Any], folder: Path, *lines: str, after: int = 1, seconds: float = 20) -> Talk:
    """Holds one chat: each line is said once ``after`` more messages have come (0: at once), until it ends.

    The chat is left by us 0.3 s after the last line if nothing ends it before.
    """
    write_yaml(folder / "ours.yaml", {"format": 1, "name": "ours"} | profile)
    seen = Talk(folder)

    async def converse(channel: ApiChannel, clock: Clock) -> None:
        anchor = clock.anchor()
        seen.start = anchor.monotonic
        await channel.open(anchor)
        left = list(lines)

        async def speak() -> None:
            if left:
                text = left.pop(0)
                seen.said.append(await channel.say(text, line="line"))

        if after == 0:
            while left:
                await speak()
        count = 0
        async for event in channel.events():
            seen.events.append(event)
            if event.kind == "message" and event.data["speaker"] != "system" and event.data["revision"] == 0:
                count += 1
                if after and count % after == 0:
                    await speak()

    async def run() -> None:
        clock = Clock()
        channel = ApiChannel(Chat(url=url, api="ours.yaml"), folder=folder, clock=clock, lang="zh", profiles=folder)
        task = asyncio.create_task(converse(channel, clock))
        try:
            async with asyncio.timeout(seconds):
                await task
        except TimeoutError:
            pass
        except Exception as fault:
            seen.fault = fault
        finally:
            await channel.close()
            with contextlib.suppress(BaseException):
                async for event in channel.events():
                    seen.events.append(event)

    asyncio.run(run())
    return seen


@contextlib.contextmanager
def serving(*routes: tuple[str, str, Handler], app: web.Application | None = None) -> Iterator[str]:
    with ApiServer(*routes, app=app) as server:
        yield server.url
