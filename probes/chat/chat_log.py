"""What a chat showed, put in order: messages settled, notices recognised, our own echo found, all written down.

Pages (``page_log.py``) and interfaces (``api/desk.py``) both hand over messages; what they come to is decided here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from probes.acknowledgement import is_acknowledgement
from probes.chat.notices import Notice, Profile, recognise
from probes.chat.speakers import Attribution, Speakers
from probes.clock import Anchor
from probes.session import Event, Method
from probes.target import Chat
from scenarios.errors import FarEndFault, HarnessFault

_encode = json.JSONEncoder(ensure_ascii=False).encode
Act = Literal["words", "file", "choice"]  # what we have sent
Key = tuple[Hashable, int]  # item, which part of it
MAX_FRAMES, MAX_TRANSCRIPT = 2_000_000, 20_000_000  # characters: of the transcript before frames are left out; in all
MAX_EVENTS = 5000  # of one session: every one of them is weighed against all others
MAX_TEXT = 8000  # characters of one message, as in observer.js
JOINED_PART = 1_000_000  # of an item in which a hand-off and the human's words stand together
COUNTER = re.compile(r"\d+([.,:]\d+)*\s*(s|ms|sec|秒|%|％)?")  # "0.4s": progress as long as it counts


@dataclass(frozen=True)
class Change:
    """One change of an item: when it was shown, when its first and last words came, what it holds besides words."""

    t: float
    u: float
    wire: float | None = None
    wire_end: float | None = None
    parts: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Bubble:
    """One message as far as it has been shown."""

    author: str  # as it is marked
    whose: Attribution  # fixed with its first word, unless later words say more
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


def same(text: str) -> str:
    """Returns what is left to compare: no spaces, no case."""
    return "".join(text.split()).casefold()


class ChatLog:
    """Turns messages into events and a transcript. Times are session seconds."""

    def __init__(self, profile: Profile, chat: Chat, path: Path, settle_s: float, method: Method) -> None:
        """``method``: how the stamps of messages are made."""
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.ready = asyncio.Event()  # the widget takes messages, or the session is over
        self.ended_cause = ""
        self.harness_failed = False
        self._profile, self._chat, self._path, self._settle_s, self._method = profile, chat, path, settle_s, method
        self._speakers = Speakers(alike=profile.agent_after_joined, rules=chat.speakers)
        self._events, self._ending = 0, False
        self._size, self._full = 0, False  # of the transcript, characters; frames are no longer listed
        self._file: IO[str] | None = None
        self._bubbles: dict[Key, Bubble] = {}
        self._notices: dict[Key, tuple[str, int | None]] = {}
        self._numbers: dict[Key, int] = {}
        self._echo: tuple[str, asyncio.Future[float]] | None = None
        self._echo_of: Act = "words"
        self._ours: set[Key] = set()
        self._asked = False
        self._idle = False
        self.greeted = asyncio.Event()  # a first message has settled, or the session is over

    def open(self, anchor: Anchor, **about: Any) -> None:
        """Starts the transcript."""
        self._file = self._path.open("w", encoding="utf-8")
        utc = anchor.utc.isoformat()
        self.note("transcript", format=1, widget=self._profile.name, anchor_utc=utc, **about)

    def note(self, what: str, /, *, t: float | None = None, **data: Any) -> None:
        """Writes one line into the transcript that is no event."""
        if self._file is not None:
            row = {"what": what} | ({} if t is None else {"t": round(t, 4)}) | data
            line = _encode(row) + "\n"
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
        self._events += 1
        if self._events > MAX_EVENTS and not self._ending:
            self.end(t, "far", f"more than {MAX_EVENTS} things happened", method="harness")
            return
        self.note("event", t=t, kind=kind, method=method, u=round(u, 4), **data)
        self.events.put_nowait(Event(kind=kind, t=t, method=method, u=u, data=data))

    def expect_echo(self, text: str, of: Act = "words") -> asyncio.Future[float]:
        """Returns a future that is set to the moment when the page shows ``text`` as ours.

        Of a file ``text`` is the name, of a quick reply its label: a page may show either in words of its own.
        """
        if self._echo is not None:
            raise HarnessFault("two messages were sent at the same time")
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._echo, self._echo_of = (same(text), future), of
        self._asked, self._idle = True, False
        return future

    def forget_echo(self) -> None:
        """Stops waiting for it."""
        if self._echo is not None:
            self._echo[1].cancel()
            self._echo = None

    def end(self, t: float, by: str, cause: str, *, method: Method, u: float = 0.0, harness: bool = False) -> None:
        """Ends the session once: hands on what has been shown, then ``ended``, then nothing more."""
        if self._ending:
            return
        self._ending = True
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
        for bubble in self._bubbles.values():
            if bubble.timer is not None:
                bubble.timer.cancel()
        self.events.put_nowait(None)
        if self._file is not None:
            self._file.close()
            self._file = None

    def take(self, item: Hashable, author: str, text: str, change: Change, *, whole: bool = False) -> None:
        """Takes one message as far as it has come; a whole one does not wait for further changes."""
        self._item((item, 0), author, text[:MAX_TEXT], change)
        if whole:
            self.finish(item)

    def finish(self, item: Hashable) -> None:
        """Hands on a message that the far end says is whole."""
        if (item, 0) in self._bubbles:
            self._settle((item, 0))

    def take_notice(self, item: Hashable, notice: Notice, author: str, text: str, change: Change) -> None:
        """Hands on what the far end itself says is a notice."""
        self._notice((item, 0), notice, text, author, change)

    def _item(self, key: Key, author: str, text: str, change: Change) -> None:
        t = change.t
        if key in self._ours or self._is_echo(author, text, change.parts):
            if key not in self._ours and self._echo is not None and not self._echo[1].done():
                self._echo[1].set_result(t)
            self._ours.add(key)
            self.note("ours", t=t, text=text, author=author)
            return
        if author == "user":
            self._ours.add(key)
            self.note("ours", t=t, text=text, unexpected=True)
            return
        lines = [line for line in text.split("\n") if not self._profile.is_progress(line)]
        text = "\n".join(lines)
        if not text and not change.parts:
            counting = self._bubbles.get(key)
            if counting is not None and counting.timer is not None and not counting.begun:
                counting.timer.cancel()  # what it counted was progress, too
                del self._bubbles[key]
            return
        found = {n: notice for n, line in enumerate(lines) if (notice := self._recognised(author, line))}
        whole = self._recognised(author, text) if not found else None
        if whole is not None:
            found, lines = {0: whole}, [text]
        if not found:
            self._notices.pop(key, None)  # what was a notice may become somebody's words
            self._grow(key, author, text, change)
            return
        for n, notice in found.items():
            self._notice((key[0], n), notice, text if len(found) == 1 else lines[n], author, change)
        joined = max((n for n, notice in found.items() if notice.role == "joined"), default=None)
        rest = [line for n, line in enumerate(lines) if joined is not None and n > joined and n not in found]
        if rest:  # queue, hand-off and the human's first words in one bubble
            self._grow((key[0], JOINED_PART), "agent", "\n".join(rest), change)

    def _notice(self, key: Key, notice: Notice, text: str, author: str, change: Change) -> None:
        if self._notices.get(key) == (notice.role, notice.position):
            return
        self._notices[key] = (notice.role, notice.position)
        shown = self._bubbles.pop((key[0], 0), None)  # it is no message any more
        if shown is not None and shown.timer is not None:
            shown.timer.cancel()
        self._speakers.noticed(notice.role)
        self._idle = self._idle or notice.role == "idle"
        if notice.role == "end":
            for other in list(self._bubbles):
                self._settle(other)
        t, u = change.t, change.u
        self.emit("notice", t, self._method, u, role=notice.role, text=text, position=notice.position, by=author)
        if notice.role == "end":
            self.over(t, u)

    def over(self, t: float, u: float) -> None:
        """The far end has ended the chat."""
        cause = "the centre ended the chat" + (" because we had said nothing" if self._idle else "")
        self.end(t, "far", cause, method=self._method, u=u)

    def _recognised(self, author: str, text: str) -> Notice | None:
        """Returns the notice that words are: the target knows its centre better than the profile its widget."""
        return recognise(self._chat.notices, author, text) or self._profile.notice(author, text)

    def _is_echo(self, author: str, text: str, parts: list[dict[str, str]]) -> bool:
        if self._echo is None or author not in ("user", "unknown"):
            return False
        wanted, found = self._echo[0], same(text)
        if self._echo_of == "words":
            return wanted == found or (author == "user" and wanted in found)
        if author == "user":
            return True  # nothing else of ours can have come
        if self._echo_of == "choice":
            return wanted == found
        shown = [found, *(same(part.get("text", "")) for part in parts)]
        own = any(part.get("url", "").startswith(("blob:", "data:")) for part in parts)  # the page has it from us
        return own or any(wanted in each for each in shown)

    def _grow(self, key: Key, author: str, text: str, change: Change) -> None:
        bubble = self._bubbles.get(key)
        t = change.t
        if bubble is None:
            number = self._numbers.setdefault(key, len(self._numbers) + 1)
            whose, asked = self._speakers.of(author, text), self._asked
            bubble = Bubble(author, whose, "", t, t, change.u, change.wire, number=number, unasked=not asked)
            self._bubbles[key] = bubble
        elif (text, change.parts) == (bubble.text, bubble.parts):
            return  # nothing but progress has changed
        if not bubble.begun and not COUNTER.fullmatch(text):
            bubble.begun = True
            if COUNTER.fullmatch(bubble.text):  # it only counted so far
                bubble.first, bubble.wire = t, change.wire
            data = {"id": bubble.number, "speaker": bubble.whose.speaker, "wire": bubble.wire}
            self.emit("first_token", bubble.first, self._method, change.u, **data)
        replaced = bubble.revision or not text.startswith(bubble.text)
        if replaced and is_acknowledgement(bubble.text) and not is_acknowledgement(text):
            bubble.first, bubble.wire = t, change.wire  # the answer stands where patience was asked for
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
        read = self._speakers.of(bubble.author, bubble.text)
        if read.by == "wording":
            bubble.whose = read
        whose, evidence = bubble.whose, self._speakers.told(bubble.whose)
        if evidence:
            sure = whose.confidence
            self.emit("handoff", bubble.first, self._method, bubble.u, evidence=list(evidence), confidence=sure)
        data: dict[str, Any] = {"id": bubble.number, "speaker": whose.speaker, "text": bubble.text, "role": None}
        data |= {"confidence": whose.confidence, "told_by": whose.by}
        data |= {"end": bubble.last, "wire": bubble.wire, "wire_end": bubble.wire_end, "revision": bubble.revision}
        data |= {"unasked": bubble.unasked, "parts": bubble.parts}
        bubble.revision += 1
        self.emit("message", bubble.first, self._method, bubble.u, **data)
        self.greeted.set()
