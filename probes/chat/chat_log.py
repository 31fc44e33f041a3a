"""What a chat page showed, put in order: messages settled, notices recognised, our own echo found, all written down."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from probes.chat.widget import Widget
from probes.clock import Anchor
from probes.session import Event, Method
from scenarios.errors import FarEndFault, HarnessFault

Document = tuple[int, float]  # frame, when it began
Wire = tuple[float | None, float | None]  # when its first and last words arrived
Key = tuple[Document, int]  # document, message


@dataclass
class Bubble:
    """One message as far as it has been shown."""

    speaker: str
    text: str
    first: float
    last: float
    u: float
    wire: float | None
    wire_end: float | None = None
    timer: asyncio.TimerHandle | None = None
    revision: int = 0


def _same(text: str) -> str:
    return "".join(text.split()).casefold()


class ChatLog:
    """Turns the observer's records into events and a transcript. Times are session seconds."""

    def __init__(self, widget: Widget, path: Path, settle_s: float) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.ready = asyncio.Event()  # the widget takes messages, or the session is over
        self.ended_cause = ""
        self.harness_failed = False
        self._widget, self._path, self._settle_s = widget, path, settle_s
        self._file: IO[str] | None = None
        self._bubbles: dict[Key, Bubble] = {}
        self._notices: dict[Key, tuple[str, int | None]] = {}
        self._echo: tuple[str, asyncio.Future[float]] | None = None
        self._ours: set[Key] = set()
        self._opened = False
        self._paint: tuple[float, float, dict[str, Any]] | None = None
        self._joined = False

    def open(self, anchor: Anchor, **about: Any) -> None:
        """Starts the transcript."""
        self._file = self._path.open("w", encoding="utf-8")
        utc = anchor.utc.isoformat()
        self.note("transcript", format=1, widget=self._widget.name, anchor_utc=utc, **about)

    def note(self, what: str, /, *, t: float | None = None, **data: Any) -> None:
        """Writes one line into the transcript that is no event."""
        if self._file is not None:
            row = {"what": what} | ({} if t is None else {"t": round(t, 4)}) | data
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._file.flush()

    def emit(self, kind: str, t: float, method: Method, u: float = 0.0, **data: Any) -> None:
        """Hands on one event, and writes it down. Nothing follows ``ended``."""
        if self.ended_cause:
            return
        self.note("event", t=t, kind=kind, method=method, u=round(u, 4), **data)
        self.events.put_nowait(Event(kind=kind, t=t, method=method, u=u, data=data))

    def take_page(self, record: dict[str, Any], u: float, *, start: float) -> None:
        """Takes one record about the page itself, times in session seconds; ``start`` is when it began to load."""
        match record:
            case {"k": "load", "t": float(t)}:
                more = {key: record[key] for key in ("response", "dom") if record.get(key)}
                self.emit("page_loaded", t, "dom", u, start=start, **more)
            case {"k": "paint", "t": float(t), "size": int(size)}:
                self._paint = (t, u, {"start": start, "size": size})

    def paint(self) -> None:
        """Hands on the largest paint (LCP), once: after our first input no larger one counts."""
        if self._paint is not None:
            t, u, data = self._paint
            self._paint = None
            self.emit("largest_paint", t, "dom", u, **data)

    def take(self, record: dict[str, Any], u: float, *, document: Document) -> None:
        """Takes one record of the observer, times in session seconds."""
        t = float(record["t"])
        match record:
            case {"k": "ready"}:
                self.emit("widget_ready", t, "dom", u)
                self.ready.set()
            case {"k": "click"} if not self._opened and self._widget.open:
                self._opened = True
                self.emit("opened", t, "dom", u)
            case {"k": "typing", "on": bool(on)}:
                self.emit("typing", t, "dom", u, on=on)
            case {"k": "socket", "open": bool(is_open)}:
                self.note("socket", t=t, open=is_open)
                if not is_open and self._widget.ends_with_socket:
                    clean = record.get("clean") is True
                    self.end(t, "far" if clean else "network", "the connection was closed", method="wire", u=u)
            case {"k": "frame", "out": bool(out), "size": int(size)}:
                self.note("frame", t=t, out=out, size=size, via=record.get("via"))
            case {"k": "item", "id": int(number), "author": str(author), "text": str(text)}:
                self._item((document, number), author, text, t, u, (record.get("wire"), record.get("wireEnd")))

    def expect_echo(self, text: str) -> asyncio.Future[float]:
        """Returns a future that is set to the moment when the page shows ``text`` as ours."""
        self.paint()
        if self._echo is not None:
            raise HarnessFault("two messages were sent at the same time")
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._echo = (_same(text), future)
        return future

    def forget_echo(self) -> None:
        """Stops waiting for it."""
        if self._echo is not None:
            self._echo[1].cancel()
            self._echo = None

    def end(self, t: float, by: str, cause: str, *, method: Method, u: float = 0.0, harness: bool = False) -> None:
        """Ends the session once: hands on what has been shown, then ``ended``, then nothing more."""
        if self.ended_cause:
            return
        self.paint()
        for key in list(self._bubbles):
            self._settle(key)
        self.emit("ended", t, method, u, by=by, cause=cause, **({"fault": "harness"} if harness else {}))
        self.ended_cause, self.harness_failed = cause, harness
        self.ready.set()
        if self._echo is not None and not self._echo[1].done():
            self._echo[1].set_exception((HarnessFault if harness else FarEndFault)(f"the chat ended: {cause}"))
        self.events.put_nowait(None)

    def close(self) -> None:
        """Closes the transcript and lets ``events`` end."""
        for bubble in self._bubbles.values():
            if bubble.timer is not None:
                bubble.timer.cancel()
        self.events.put_nowait(None)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _item(self, key: Key, author: str, text: str, t: float, u: float, wire: Wire) -> None:
        if key in self._ours or self._is_echo(author, text):
            if key not in self._ours and self._echo is not None and not self._echo[1].done():
                self._echo[1].set_result(t)
            self._ours.add(key)
            self.note("ours", t=t, text=text)
            return
        if author == "user":
            self._ours.add(key)
            self.note("ours", t=t, text=text, unexpected=True)
            return
        notice = self._widget.notice(author, text)
        if notice is None:
            if key not in self._notices:
                self._grow(key, author, text, t, u, wire)
            return
        if self._notices.get(key) == (notice.role, notice.position):
            return
        self._notices[key] = (notice.role, notice.position)
        shown = self._bubbles.pop(key, None)
        if shown is not None and shown.timer is not None:
            shown.timer.cancel()
        self._joined = notice.role == "joined" or (self._joined and notice.role != "left")
        if notice.role == "end":
            for other in list(self._bubbles):
                self._settle(other)
        self.emit("notice", t, "dom", u, role=notice.role, text=text, position=notice.position, by=author)
        if notice.role == "end":
            self.end(t, "far", "the centre ended the chat", method="dom", u=u)

    def _is_echo(self, author: str, text: str) -> bool:
        if self._echo is None or author not in ("user", "unknown"):
            return False
        wanted, found = self._echo[0], _same(text)
        return wanted == found or (author == "user" and wanted in found)

    def _grow(self, key: Key, author: str, text: str, t: float, u: float, wire: Wire) -> None:
        bubble = self._bubbles.get(key)
        if bubble is None:
            speaker = "agent" if author == "bot" and self._joined and self._widget.agent_after_joined else author
            bubble = self._bubbles[key] = Bubble(speaker, text, t, t, u, wire[0])
            self.emit("first_token", t, "dom", u, id=key[1], speaker=speaker, wire=wire[0])
        bubble.text, bubble.last, bubble.wire_end = text, t, wire[1]
        if bubble.timer is not None:
            bubble.timer.cancel()
        bubble.timer = asyncio.get_running_loop().call_later(self._settle_s, self._settle, key)

    def _settle(self, key: Key) -> None:
        """Hands on a message that has stopped changing. If it changes later, it is handed on again, revised."""
        bubble = self._bubbles[key]
        if bubble.timer is None:
            return
        bubble.timer.cancel()
        bubble.timer = None
        data: dict[str, Any] = {"id": key[1], "speaker": bubble.speaker, "text": bubble.text, "role": None}
        data |= {"end": bubble.last, "wire": bubble.wire, "wire_end": bubble.wire_end, "revision": bubble.revision}
        bubble.revision += 1
        self.emit("message", bubble.first, "dom", bubble.u, **data)
