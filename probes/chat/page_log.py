"""The records of the observer in a page: what they say of the page itself, and which messages are new."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from probes.chat.chat_log import Act, Change, ChatLog, same
from probes.chat.redaction import redacted
from probes.chat.widget import Widget
from probes.session import Method
from probes.target import Chat

MAX_ITEMS = 5000
Document = tuple[int, float]  # frame, when it began
Item = tuple[Document, int]  # one of its items


class PageLog(ChatLog):
    """The log of a chat on a page. Times are session seconds."""

    def __init__(self, widget: Widget, chat: Chat, path: Path, settle_s: float) -> None:
        super().__init__(widget, chat, path, settle_s, "dom")
        self._widget = widget
        self._shown: dict[Item, tuple[str, str]] = {}  # all items so far: author, text
        self._past: dict[Document, list[tuple[str, str]]] = {}  # what a later document may show once more
        self._old: set[Item] = set()  # shown once more by a later document, or history from before we came
        self._opened = False
        self._paint: tuple[float, float, dict[str, Any]] | None = None
        self._sockets: dict[Document, int] = {}  # open ones
        self._cut: asyncio.TimerHandle | None = None

    def expect_echo(self, text: str, of: Act = "words") -> asyncio.Future[float]:
        """Returns a future that is set to the moment when the page shows ``text`` as ours."""
        self.paint()
        self._past = {document: [] for document in self._past}
        return super().expect_echo(text, of)

    def end(self, t: float, by: str, cause: str, *, method: Method, u: float = 0.0, harness: bool = False) -> None:
        """Ends the session once, with the page's largest paint told before."""
        self.paint()
        super().end(t, by, cause, method=method, u=u, harness=harness)

    def close(self) -> None:
        """Closes the transcript and lets ``events`` end."""
        if self._cut is not None:
            self._cut.cancel()
        super().close()

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

    def take_record(self, record: dict[str, Any], u: float, *, document: Document) -> None:
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
            case {"k": "stall", "ms": int(ms) | float(ms)}:
                self.emit("stall", t, "dom", u, seconds=round(ms / 1000, 3))
            case {"k": "socket", "open": bool(is_open)}:
                self._sockets[document] = max(0, self._sockets.get(document, 0) + (1 if is_open else -1))
                self._socket(record, t, u, is_open)
            case {"k": "seen", "what": str(what), "texts": list(texts)}:
                self._seen(what, [str(text) for text in texts], t, u)
            case {"k": "frame", "out": bool(out), "size": int(size)}:
                self.note("frame", t=t, out=out, size=size, via=record.get("via"))
            case {"k": "item", "id": int(number), "author": str(author), "text": str(text)}:
                wire = (record.get("wire"), record.get("wireEnd"))
                parts = [{str(k): redacted(str(v)) for k, v in part.items()} for part in record.get("parts") or ()]
                key = (document, number)
                if key not in self._shown and len(self._shown) >= MAX_ITEMS:
                    self.end(t, "far", f"the page shows more than {MAX_ITEMS} messages", method="harness")
                    return
                again = key not in self._shown and self._again(document, author, text)
                self._shown[key] = (author, same(text))
                if again or record.get("old") or key in self._old:
                    self._old.add(key)
                    self.note("again", t=t, author=author, text=text)
                else:
                    self.take(key, author, text, Change(t, u, *wire, parts))

    def navigated(self, t: float) -> None:
        """The page has been replaced by another of its own."""
        self.ready.clear()
        self.emit("navigated", t, "dom")

    def begun(self, document: Document) -> None:
        """A frame has a new document: whatever its former one held open is gone."""
        self._sockets = {other: n for other, n in self._sockets.items() if other[0] != document[0]}
        self._past = {other: past for other, past in self._past.items() if other[0] != document[0]}
        self._past[document] = [shown for key, shown in self._shown.items() if key[0] != document]

    def _again(self, document: Document, author: str, text: str) -> bool:
        """Whether a new document shows what an earlier one showed, in the same order, before anything is said in it."""
        past = self._past.get(document, [])
        known = (author, same(text))
        if known not in past:
            return False
        del past[: past.index(known) + 1]
        return True

    def _socket(self, record: dict[str, Any], t: float, u: float, is_open: bool) -> None:
        self.note("socket", t=t, open=is_open, code=record.get("code"))
        if is_open and self._cut is not None:
            self._cut.cancel()
            self._cut = None
            self.emit("reconnected", t, "wire", u)
        if is_open or any(self._sockets.values()) or not self._widget.ends_with_socket:
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
                self.over(t, u)
