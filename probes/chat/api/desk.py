"""Between a transport and the log of the chat: what came in becomes messages, notices, typing, and one end."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from probes.chat.api.interface import Interface, Read
from probes.chat.api.reading import ACTIVITIES, Item, document_of, items_of
from probes.chat.api.web import Broken, Web
from probes.chat.chat_log import Change, ChatLog
from probes.chat.notices import Notice
from probes.chat.redaction import redacted
from scenarios.errors import FarEndFault, HarnessFault, ProbeFault

MAX_REPLIES = 500
STAMP_U = 0.005  # standard uncertainty of a stamp at our end of the wire (make bench prints the measured error)


class Desk:
    """One session's. ``now`` and all times are monotonic seconds; the log has session seconds."""

    def __init__(self, interface: Interface, log: ChatLog, web: Web, origin: float) -> None:
        self.interface, self.log, self.web = interface, log, web
        self.ready = asyncio.Event()
        self.last = web.clock.monotonic()
        self._origin = origin
        self._read: Read | None = interface.read or (ACTIVITIES if interface.directline is not None else None)
        self._waits = self._read is not None and any(rule.kind == "ready" for rule in self._read.rules)
        self._texts: dict[str | int, str] = {}
        self._parts: dict[str | int, str] = {}
        self._count = itertools.count(1)
        self.replies: dict[str, str] = {}  # quick replies so far: label -> what pressing it says

    def seconds(self, t: float) -> float:
        """Returns session seconds."""
        return t - self._origin

    def now(self) -> float:
        """Returns monotonic seconds."""
        return self.web.clock.monotonic()

    def up(self) -> None:
        """The transport is open; ready too, unless the interface says so itself."""
        if not self._waits:
            self.ready.set()

    def frame(self, data: str | bytes, t: float) -> None:
        """Takes one frame, as the profile reads it; what cannot be read is noted and told."""
        try:
            text = data.decode() if isinstance(data, bytes) else data
            document = {"text": text} if self._read is None else document_of(text)
        except ValueError:
            self.garbled(len(data), t)
            return
        self.take(document, t)

    def garbled(self, size: int, t: float) -> None:
        """Something came that cannot be read."""
        self.last = t
        self.log.emit("garbled", self.seconds(t), "frame", STAMP_U, size=size)

    def take(self, document: Any, t: float) -> None:
        """Takes one document."""
        self.last = t
        document = self.web.scrub(document) if self.web.secrets else document
        if self._read is None:
            self._item(Item("message", text=document["text"]), t)
            return
        seen = False
        for item in items_of(document, self._read):
            seen = True
            self._item(item, t)
        if not seen:
            self.log.note("unread", t=self.seconds(t), frame=str(document)[:500])

    def end(self, by: str, cause: str, *, harness: bool = False) -> None:
        """Ends the chat, once."""
        self.log.end(self.seconds(self.now()), by, str(self.web.scrub(cause)), method="frame", harness=harness)
        self.ready.set()

    def fail(self, error: BaseException) -> None:
        """Ends the chat for a fault."""
        if isinstance(error, asyncio.CancelledError):
            return
        if isinstance(error, FarEndFault):
            self.end("network" if isinstance(error, Broken) else "far", str(error))
        elif isinstance(error, ProbeFault):
            self.end("us", str(error), harness=True)
        else:
            self.end("us", f"{type(error).__name__}: {error}", harness=True)

    def demand(self) -> None:
        """Goes on only while the chat lasts.

        Raises:
            FarEndFault: it is over.
            HarnessFault: it is over, and that was our doing.
        """
        if self.log.ended_cause:
            kind = HarnessFault if self.log.harness_failed else FarEndFault
            raise kind(f"the chat is over: {self.log.ended_cause}")

    def _item(self, item: Item, t: float) -> None:
        number = next(self._count)
        if number > self.interface.limits.max_messages:
            self.end("far", f"more than {self.interface.limits.max_messages} messages came")
            return
        at, name = self.seconds(t), f"#{number}" if item.id is None else item.id
        match item.kind:
            case "typing":
                self.log.emit("typing", at, "frame", STAMP_U, on=item.on)
            case "ready":
                self.ready.set()
            case "end":
                self.end("far", item.text[:200] or "the centre ended the chat")
            case "error":
                self.end("far", f"the interface reports a failure: {item.text[:200]}")
            case "notice":
                assert item.role is not None
                notice = Notice(role=item.role, position=item.position)
                self.log.take_notice(name, notice, item.author, item.text, Change(at, STAMP_U))
            case "done":
                self._parts.pop(name, None)
                self.log.finish(name)
            case "delta":
                self._parts[name] = self._parts.get(name, "") + item.text
                if len(self._parts[name]) > self.interface.limits.max_bytes:
                    self.end("far", f"a message is longer than {self.interface.limits.max_bytes} characters")
                elif self._parts[name].strip():
                    self._message(name, item, self._parts[name].strip(), at, whole=False)
            case _:
                self._message(name, item, item.text, at, whole=item.kind == "message")

    def _message(self, name: str | int, item: Item, text: str, at: float, *, whole: bool) -> None:
        shown = [{key: value for key, value in part.model_dump().items() if value} for part in item.parts]
        self.replies |= {part.text: part.value or part.text for part in item.parts if part.kind == "button"}
        for label in list(self.replies)[:-MAX_REPLIES]:
            del self.replies[label]
        looks = text + json.dumps(shown, sort_keys=True)
        if self._texts.get(name) == looks:
            if whole:
                self.log.finish(name)
            self.log.note("again", t=at, id=name)
            return
        self._texts[name] = looks
        told = [{key: redacted(value) for key, value in part.items() if key != "value"} for part in shown]
        self.log.take(name, item.author, text, Change(at, STAMP_U, at, at, told), whole=whole)
