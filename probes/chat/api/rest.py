"""Messages over HTTP: request and reply, polling, server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from probes.chat.api import sse
from probes.chat.api.desk import Desk
from probes.chat.api.interface import Poll, Request, Rest, Stream
from probes.chat.api.web import Broken, Gone
from scenarios.errors import FarEndFault

MOST_FAILURES = 3  # of polling, in a row
LONGEST_PAUSE_S = 60.0


class RestTransport:
    """Requests over shared connections."""

    def __init__(self, way: Rest, desk: Desk) -> None:
        self._way, self._desk, self._web = way, desk, desk.web
        self._replies: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def open(self) -> None:
        """Makes the requests that begin the conversation."""
        for request in self._way.start:
            answer = await self._web.ask(request)
            if request.messages:
                self._desk.take(answer.document(), answer.at)
        if self._way.stream is None:
            self._desk.up()

    async def listen(self) -> None:
        """Polls or listens to the stream; where replies come as answers there is nothing to wait for."""
        if self._way.poll is not None:
            await self._poll(self._way.poll)
        elif self._way.stream is not None:
            await self._stream(self._way.stream)
        else:
            await self._over.wait()

    async def say(self) -> float:
        """Sends the text; a reply in the answer is taken when it comes, however late."""
        sent: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._ask(self._way.say, sent))
        self._replies.add(task)
        if self._way.poll is not None or self._way.stream is not None:
            await task
            return sent.result()
        either: set[asyncio.Future[Any]] = {task, sent}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not sent.done():
            await task
            raise Broken("send lost: the request never went out")
        task.add_done_callback(self._replied)
        return sent.result()

    async def bye(self) -> None:
        """Makes the request that ends the conversation, once what was said has been answered."""
        if self._way.bye is not None:
            await self._web.ask(self._way.bye)

    async def close(self) -> None:
        """Gives up what is still under way."""
        for task in list(self._replies):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def _ask(self, request: Request, sent: asyncio.Future[float]) -> None:
        def take(event: sse.Sent) -> None:
            if event.data:
                self._desk.take(event.document(), self._desk.now())

        answer = await self._web.ask(request, sent=sent, on_event=take if request.messages else None)
        if not request.messages or answer.kind in (sse.EVENTS, *sse.LINES):
            return
        try:
            document = answer.document()
        except FarEndFault:
            if self._way.poll is None and self._way.stream is None:
                raise
            return  # "OK": what is said comes another way
        if document is not None:
            self._desk.take(document, answer.at)

    def _replied(self, task: asyncio.Task[None]) -> None:
        self._replies.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._desk.fail(error)

    async def _poll(self, poll: Poll) -> None:
        failures = 0
        while True:
            try:
                answer = await self._web.ask(poll)
                document = answer.document()
                if document is not None:
                    self._desk.take(document, answer.at)
                failures = 0
            except Gone:
                self._desk.end("far", "the interface no longer knows the conversation")
                return
            except FarEndFault as error:
                failures += 1
                self._desk.log.note("fault", text=self._web.scrub(str(error)), failures=failures)
                if failures >= MOST_FAILURES:
                    raise
            await asyncio.sleep(poll.every_s)

    async def _stream(self, stream: Stream) -> None:
        failures, pause, last = 0, stream.reconnect_s, None
        while True:
            try:
                extra = {"Accept": sse.EVENTS} | ({} if last is None else {"Last-Event-ID": last})
                async with self._web.begin(stream, endless=True, extra=extra) as response:
                    self._web.judge(response.status, stream)
                    if response.status == 204:
                        self._desk.end("far", "the interface ended the stream")
                        return
                    if response.content_type not in (sse.EVENTS, *sse.LINES):
                        raise FarEndFault(f"the interface's stream is {response.content_type}, not {sse.EVENTS}")
                    self._desk.up()
                    async for event in sse.events(response, self._web.limits.max_bytes):
                        failures, last = 0, event.id if event.id is not None else last
                        pause = event.retry_s if event.retry_s is not None else pause
                        if event.data:
                            self._desk.take(event.document(), self._desk.now())
                cause: FarEndFault = Broken("the stream ended")
            except Gone:
                self._desk.end("far", "the interface no longer knows the conversation")
                return
            except Broken as error:
                cause = error
            failures += 1
            if failures > stream.reconnects:
                raise cause
            self._desk.log.note("reconnect", number=failures, text=self._web.scrub(str(cause)))
            await asyncio.sleep(min(max(pause, 0.05), LONGEST_PAUSE_S))
