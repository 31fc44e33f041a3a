"""A chat over an interface as a :class:`probes.channel.Channel`: no browser, no page; shown is when it came.

The same scenario makes the same timeline as on a page: ``page_loaded`` is the connection, ``widget_ready`` that a
message will not be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import aiohttp

from probes.channel import Said
from probes.chat.api.desk import STAMP_U, Desk
from probes.chat.api.directline import DirectLineTransport
from probes.chat.api.interface import DirectLine, Interface, Rest, SocketIo, WebSocket, load_interface
from probes.chat.api.rest import RestTransport
from probes.chat.api.socketio import SocketIoTransport
from probes.chat.api.web import Web, fault
from probes.chat.api.websocket import WebSocketTransport
from probes.chat.chat_log import ChatLog
from probes.chat.redaction import redacted
from probes.clock import Anchor, Clock
from probes.session import Event
from probes.target import Chat
from scenarios.attachment import Attachment
from scenarios.errors import FarEndFault, HarnessFault, ProbeFault
from scenarios.model import ChannelKind, Lang

GIVE_UP_S = 5.0  # on any single step of closing


class Transport(Protocol):
    """How things travel. Faults are raised; what comes in goes to the desk."""

    async def open(self) -> None:
        """Connects; calls ``desk.up`` once a message would not be lost, here or in ``listen``."""

    async def listen(self) -> None:
        """Takes what comes in until the far end has ended the chat."""

    async def say(self) -> float:
        """Sends the text in the session's values; returns when it went out, in monotonic seconds."""

    async def bye(self) -> None:
        """Takes leave, if the profile says how."""

    async def close(self) -> None:
        """Frees everything."""


class ApiChannel:
    """One chat session over an interface."""

    kind: ChannelKind = "chat"

    def __init__(
        self,
        chat: Chat,
        *,
        folder: Path,
        clock: Clock,
        lang: Lang,
        profiles: Path | None = None,
        connector: aiohttp.BaseConnector | None = None,
        interface: Interface | None = None,
    ) -> None:
        """Makes the channel; nothing is opened yet.

        Args:
            chat: the entry point; its ``api`` names the profile.
            folder: where the evidence goes; made if missing.
            clock: ours.
            lang: of the session.
            profiles: where the profile is looked for: the target's folder.
            connector: connections shared by the sessions of this process; None makes some.
            interface: the profile, if it is known already.

        Raises:
            TargetError: the profile is wrong.
        """
        self._interface = interface or load_interface(chat.api or "", profiles)
        self._chat, self._folder, self._clock, self._lang = chat, folder, clock, lang
        self._connector = connector
        limits = self._interface.limits
        self._log = ChatLog(self._interface, chat, folder / "transcript.jsonl", limits.settle_s, "frame")
        self._web: Web | None = None
        self._desk: Desk | None = None
        self._transport: Transport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None
        self._messages = 0

    async def open(self, anchor: Anchor) -> None:
        """Connects, until a message would not be lost.

        Raises:
            FarEndFault: it cannot be reached, refuses, leads elsewhere, or does not become ready.
            HarnessFault: our request, our credentials or our network are at fault.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log.open(anchor, url=redacted(self._chat.url))
        addresses = self._interface.addresses(self._chat.url)
        limits = self._interface.limits
        self._web = web = Web(self._chat.url, addresses, limits, self._clock, self._connector, self._note)
        self._desk = desk = Desk(self._interface, self._log, web, anchor.monotonic)
        try:
            web.learn_secrets(self._interface.written)
            web.values |= {"session": str(uuid.uuid4()), "lang": self._lang, "number": 0}
            self._transport = transport = transport_of(self._interface, desk)
            start = desk.seconds(desk.now())
            await transport.open()
            self._log.emit("page_loaded", desk.seconds(desk.now()), "frame", STAMP_U, start=start)
            self._tasks.append(asyncio.create_task(self._listen(transport, desk)))
            if limits.idle_s is not None:
                self._tasks.append(asyncio.create_task(self._watch(desk, limits.idle_s)))
            async with asyncio.timeout(limits.ready_s):
                await desk.ready.wait()
            desk.demand()
        except TimeoutError as error:
            raise self._told(FarEndFault(f"the interface did not become ready within {limits.ready_s:g} s")) from error
        except ProbeFault as error:
            raise self._told(error) from error.__cause__
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._told(fault(error)) from error
        silent = {} if self._interface.may_greet else {"greets": False}
        self._log.emit("widget_ready", desk.seconds(desk.now()), "frame", STAMP_U, **silent)

    async def events(self) -> AsyncIterator[Event]:
        """Yields what comes, as it comes; ends after ``ended``."""
        while (event := await self._log.events.get()) is not None:
            yield event
        self._log.events.put_nowait(None)  # for whoever asks again

    async def say(self, text: str, *, line: str) -> Said:
        """Sends ``text`` and returns once it has gone out: accepted, or come back, where the interface says so.

        Raises:
            FarEndFault: it was not accepted, did not come back, or the chat is over.
            HarnessFault: our request or our network is at fault.
        """
        desk, transport = self._require()
        self._messages += 1
        now = self._clock.utc().isoformat(timespec="milliseconds")
        desk.web.values |= {
            "text": text,
            "line": line,
            "message": str(uuid.uuid4()),
            "number": self._messages,
            "now": now,
        }
        desk.last = desk.now()
        echo = self._log.expect_echo(text) if self._interface.echo else None
        seconds = self._interface.limits.echo_s
        try:
            t = desk.seconds(await transport.say())
            if echo is not None:
                async with asyncio.timeout(seconds):
                    await echo
        except TimeoutError as error:
            self._log.note("send_lost", line=line, text=text)
            raise FarEndFault(f"send lost: our message did not come back within {seconds:g} s") from error
        except ProbeFault as error:
            self._log.note("send_lost", line=line, text=text)
            raise self._told(error) from error.__cause__
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._told(fault(error)) from error
        finally:
            if echo is not None:
                self._log.forget_echo()
        self._log.note("said", t=t, line=line, text=text)
        return Said(t, t, "frame")

    async def press(self, digits: str) -> Said:
        """A chat has no keys.

        Raises:
            HarnessFault: always.
        """
        raise HarnessFault(f"a chat has no keys to press ({digits}); use 'say' in the target's to_human")

    async def attach(self, file: Attachment, *, line: str) -> Said:
        """An interface takes words.

        Raises:
            HarnessFault: always.
        """
        raise HarnessFault(f"this interface cannot send files ({file.name}); use a chat page that takes them")

    async def choose(self, text: str, *, line: str) -> Said | None:
        """Says what pressing the quick reply ``text`` says; None if none was ever offered.

        Raises:
            FarEndFault, HarnessFault: as :meth:`say` does.
        """
        desk, _ = self._require()
        value = desk.replies.get(text)
        return None if value is None else await self.say(value, line=line)

    async def close(self) -> None:
        """Takes leave and frees everything. Never raises; later calls wait for the first."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    def files(self) -> list[tuple[Path, str]]:
        """Returns the evidence files written, each with its kind."""
        path = self._folder / "transcript.jsonl"
        return [(path, "transcript")] if path.exists() else []

    def _require(self) -> tuple[Desk, Transport]:
        if self._desk is None or self._transport is None:
            raise HarnessFault("the chat has not been opened")
        self._desk.demand()
        if self._closing is not None:
            raise FarEndFault("the chat is over")
        return self._desk, self._transport

    def _told(self, error: ProbeFault) -> ProbeFault:
        """Returns a fault without secrets in its words, written down."""
        assert self._web is not None
        said = type(error)(self._web.scrub(str(error)))
        self._log.note("fault", text=str(said))
        return said

    def _note(self, what: str, /, **data: object) -> None:
        assert self._web is not None
        self._log.note(what, **self._web.scrub(data))

    async def _listen(self, transport: Transport, desk: Desk) -> None:
        try:
            await transport.listen()
        except asyncio.CancelledError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            desk.fail(fault(error))
        except Exception as error:  # whatever it is, the session must end
            desk.fail(error)

    async def _watch(self, desk: Desk, seconds: float) -> None:
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = desk.last + seconds - desk.now()
        desk.end("far", f"nothing came for {seconds:g} s")

    async def _close(self) -> None:
        if self._transport is not None:
            if not self._log.ended_cause:
                await self._quietly(self._transport.bye)
            if self._desk is not None:
                self._desk.end("us", "left")
            await self._quietly(self._transport.close)
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if self._web is not None:
            await self._quietly(self._web.close)
        if self._desk is not None:
            self._desk.end("us", "left")
        self._log.close()

    async def _quietly(self, step: object) -> None:
        assert callable(step)
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await step()
        except (ProbeFault, aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            self._note("closing", text=str(error) or type(error).__name__)


def transport_of(interface: Interface, desk: Desk) -> Transport:
    """Returns what carries the messages of an interface."""
    match interface.way:
        case WebSocket() as way:
            return WebSocketTransport(way, desk)
        case Rest() as way:
            return RestTransport(way, desk)
        case DirectLine() as way:
            return DirectLineTransport(way, desk)
        case SocketIo() as way:
            return SocketIoTransport(way, desk)
