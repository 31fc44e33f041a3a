"""What a chat page showed, put in order: messages settled, notices recognised, our own echo found, all written down."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from probes.chat.redaction import redacted
from probes.chat.widget import Notice, Widget
from probes.clock import Anchor
from probes.session import Event, Method
from scenarios.errors import FarEndFault, HarnessFault

Document = tuple[int, float]  # frame, when it began
Key = tuple[Document, int, int]  # document, item, which part of it
MAX_FRAMES, MAX_TRANSCRIPT = 2_000_000, 20_000_000  # characters: of the transcript before frames are left out; in all
JOINED_PART = 1_000_000  # of an item in which a hand-off and the human's words stand together
COUNTER = re.compile(r"\d+([.,:]\d+)*\s*(s|ms|sec|秒|%|％)?")  # "0.4s": progress as long as it counts


@dataclass(frozen=True)
class Change:
    """One change of an item: when it was shown, when its first and last words came, what it holds besides words."""

    t: float
    u: float
    wire: float | None
    wire_end: float | None
    parts: list[dict[str, str]]


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
    number: int = 0
    parts: list[dict[str, str]] = field(default_factory=list)
    unasked: bool = False
    begun: bool = False  # its first token has been handed on
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
        self._size, self._full = 0, False  # of the transcript, characters; frames are no longer listed
        self._file: IO[str] | None = None
        self._bubbles: dict[Key, Bubble] = {}
        self._notices: dict[Key, tuple[str, int | None]] = {}
        self._shown: dict[Key, tuple[str, str]] = {}  # all items so far: author, text
        self._past: dict[Document, list[tuple[str, str]]] = {}  # what a later document may show once more
        self._old: set[Key] = set()  # shown once more by a later document, or history from before we came
        self._numbers: dict[Key, int] = {}
        self._echo: tuple[str, asyncio.Future[float]] | None = None
        self._ours: set[Key] = set()
        self._opened = False
        self._paint: tuple[float, float, dict[str, Any]] | None = None
        self._joined = False
        self._asked = False
        self._idle = False
        self._sockets = 0
        self._cut: asyncio.TimerHandle | None = None
        self.greeted = asyncio.Event()  # a first message has settled, or the session is over

    def open(self, anchor: Anchor, **about: Any) -> None:
        """Starts the transcript."""
        self._file = self._path.open("w", encoding="utf-8")
        utc = anchor.utc.isoformat()
        self.note("transcript", format=1, widget=self._widget.name, anchor_utc=utc, **about)

    def note(self, what: str, /, *, t: float | None = None, **data: Any) -> None:
        """Writes one line into the transcript that is no event."""
        if self._file is not None:
            row = {"what": what} | ({} if t is None else {"t": round(t, 4)}) | data
            line = json.dumps(row, ensure_ascii=False) + "\n"
            if what == "frame" and self._size > MAX_FRAMES:
                if not self._full:
                    self._full = True
                    self.note("full", bytes=self._size, text="no more frames are listed")
                return
            self._size += len(line)
            if self._size > MAX_TRANSCRIPT and what not in ("transcript", "fault", "requests", "clock"):
                return  # a page that says so much says nothing
            self._file.write(line)
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
                self._socket(record, t, u, is_open)
            case {"k": "seen", "what": str(what), "texts": list(texts)}:
                self._seen(what, [str(text) for text in texts], t, u)
            case {"k": "frame", "out": bool(out), "size": int(size)}:
                self.note("frame", t=t, out=out, size=size, via=record.get("via"))
            case {"k": "item", "id": int(number), "author": str(author), "text": str(text)}:
                wire = (record.get("wire"), record.get("wireEnd"))
                parts = [{str(k): redacted(str(v)) for k, v in part.items()} for part in record.get("parts") or ()]
                key = (document, number, 0)
                again = key not in self._shown and self._again(document, author, text)
                self._shown[key] = (author, _same(text))
                if again or record.get("old") or key in self._old:
                    self._old.add(key)
                    self.note("again", t=t, author=author, text=text)
                else:
                    self._item(key, author, text, Change(t, u, *wire, parts))

    def expect_echo(self, text: str) -> asyncio.Future[float]:
        """Returns a future that is set to the moment when the page shows ``text`` as ours."""
        self.paint()
        if self._echo is not None:
            raise HarnessFault("two messages were sent at the same time")
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._echo = (_same(text), future)
        self._asked, self._idle = True, False
        self._past = {document: [] for document in self._past}
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
        self.greeted.set()
        if self._echo is not None and not self._echo[1].done():
            self._echo[1].set_exception((HarnessFault if harness else FarEndFault)(f"the chat ended: {cause}"))
        self.events.put_nowait(None)

    def close(self) -> None:
        """Closes the transcript and lets ``events`` end."""
        if self._cut is not None:
            self._cut.cancel()
        for bubble in self._bubbles.values():
            if bubble.timer is not None:
                bubble.timer.cancel()
        self.events.put_nowait(None)
        if self._file is not None:
            self._file.close()
            self._file = None

    def navigated(self, t: float) -> None:
        """The page has been replaced by another of its own: whatever it held open is gone."""
        self._sockets = 0
        self.ready.clear()
        self.emit("navigated", t, "dom")

    def _again(self, document: Document, author: str, text: str) -> bool:
        """Whether a new document shows what an earlier one showed, in the same order, before anything is said in it."""
        if document not in self._past:
            self._past[document] = [shown for key, shown in self._shown.items() if key[0] != document]
        past = self._past[document]
        known = (author, _same(text))
        if known not in past:
            return False
        del past[: past.index(known) + 1]
        return True

    def _socket(self, record: dict[str, Any], t: float, u: float, is_open: bool) -> None:
        self.note("socket", t=t, open=is_open, code=record.get("code"))
        self._sockets = max(0, self._sockets + (1 if is_open else -1))
        if is_open and self._cut is not None:
            self._cut.cancel()
            self._cut = None
            self.emit("reconnected", t, "wire", u)
        if is_open or self._sockets or not self._widget.ends_with_socket:
            return
        clean = record.get("clean") is True

        def over() -> None:
            self.end(t, "far" if clean else "network", "the connection was closed", method="wire", u=u)

        if clean and record.get("code") in (None, 1000, 1005):
            over()
        else:  # cut off, or told to come back: widgets try again
            self._cut = asyncio.get_running_loop().call_later(self._widget.reconnect_s, over)

    def _seen(self, what: str, texts: list[str], t: float, u: float) -> None:
        match what:
            case "choices":
                self.emit("choices", t, "dom", u, texts=texts)
            case "survey" if texts:
                self.emit("notice", t, "dom", u, role="survey", text="\n".join(texts), position=None, by="system")
            case "end" if texts:
                self._over(t, u)

    def _over(self, t: float, u: float) -> None:
        cause = "the centre ended the chat" + (" because we had said nothing" if self._idle else "")
        self.end(t, "far", cause, method="dom", u=u)

    def _item(self, key: Key, author: str, text: str, change: Change) -> None:
        t = change.t
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
        lines = [line for line in text.split("\n") if not self._widget.is_progress(line)]
        text = "\n".join(lines)
        if not text and not change.parts:
            counting = self._bubbles.get(key)
            if counting is not None and counting.timer is not None and not counting.begun:
                counting.timer.cancel()  # what it counted was progress, too
                del self._bubbles[key]
            return
        found = {n: notice for n, line in enumerate(lines) if (notice := self._widget.notice(author, line))}
        whole = self._widget.notice(author, text) if not found else None
        if whole is not None:
            found, lines = {0: whole}, [text]
        if not found:
            if key not in self._notices:
                self._grow(key, author, text, change)
            return
        shown = self._bubbles.pop(key, None)
        if shown is not None and shown.timer is not None:
            shown.timer.cancel()
        for n, notice in found.items():
            self._notice((*key[:2], n), notice, text if len(found) == 1 else lines[n], author, change)
        joined = max((n for n, notice in found.items() if notice.role == "joined"), default=None)
        rest = [line for n, line in enumerate(lines) if joined is not None and n > joined and n not in found]
        if rest:  # queue, hand-off and the human's first words in one bubble
            self._grow((*key[:2], JOINED_PART), "agent", "\n".join(rest), change)

    def _notice(self, key: Key, notice: Notice, text: str, author: str, change: Change) -> None:
        if self._notices.get(key) == (notice.role, notice.position):
            return
        self._notices[key] = (notice.role, notice.position)
        self._joined = notice.role == "joined" or (self._joined and notice.role != "left")
        self._idle = self._idle or notice.role == "idle"
        if notice.role == "end":
            for other in list(self._bubbles):
                self._settle(other)
        t, u = change.t, change.u
        self.emit("notice", t, "dom", u, role=notice.role, text=text, position=notice.position, by=author)
        if notice.role == "end":
            self._over(t, u)

    def _is_echo(self, author: str, text: str) -> bool:
        if self._echo is None or author not in ("user", "unknown"):
            return False
        wanted, found = self._echo[0], _same(text)
        return wanted == found or (author == "user" and wanted in found)

    def _grow(self, key: Key, author: str, text: str, change: Change) -> None:
        bubble = self._bubbles.get(key)
        t = change.t
        if bubble is None:
            speaker = "agent" if author == "bot" and self._joined and self._widget.agent_after_joined else author
            number = self._numbers.setdefault(key, len(self._numbers) + 1)
            bubble = Bubble(speaker, "", t, t, change.u, change.wire, number=number, unasked=not self._asked)
            self._bubbles[key] = bubble
        elif (text, change.parts) == (bubble.text, bubble.parts):
            return  # nothing but progress has changed
        if not bubble.begun and not COUNTER.fullmatch(text):
            bubble.begun = True
            if COUNTER.fullmatch(bubble.text):  # it only counted so far
                bubble.first, bubble.wire = t, change.wire
            data = {"id": bubble.number, "speaker": bubble.speaker, "wire": bubble.wire}
            self.emit("first_token", bubble.first, "dom", change.u, **data)
        bubble.text, bubble.last, bubble.wire_end, bubble.parts = text, t, change.wire_end, change.parts
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
        data: dict[str, Any] = {"id": bubble.number, "speaker": bubble.speaker, "text": bubble.text, "role": None}
        data |= {"end": bubble.last, "wire": bubble.wire, "wire_end": bubble.wire_end, "revision": bubble.revision}
        data |= {"unasked": bubble.unasked, "parts": bubble.parts}
        bubble.revision += 1
        self.emit("message", bubble.first, "dom", bubble.u, **data)
        self.greeted.set()
