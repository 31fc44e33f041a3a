"""Server-sent events (and JSON lines): an answer read as it comes, one event at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from probes.chat.api.reading import document_of
from scenarios.errors import FarEndFault

EVENTS, LINES = "text/event-stream", frozenset({"application/x-ndjson", "application/jsonl", "application/ndjson"})


@dataclass(frozen=True)
class Sent:
    """One event."""

    data: str
    name: str = ""
    id: str | None = None
    retry_s: float | None = None

    def document(self) -> Any:
        """Returns its JSON, with the event's name as ``event``; other data becomes ``{event, data}``."""
        try:
            document = document_of(self.data)
        except ValueError:
            return {"event": self.name, "data": self.data}
        if isinstance(document, dict):
            return {"event": self.name} | document
        return document


async def lines(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[str]:
    """Yields the lines of an answer as they come, whatever ends them.

    Raises:
        FarEndFault: a line is longer than ``most`` bytes.
    """
    kept, size, after_return = list[bytes](), 0, False  # of the line that has not ended
    async for part in response.content.iter_any():
        if after_return and part.startswith(b"\n"):  # the second half of a CRLF that was cut in two
            part = part[1:]
        after_return = part.endswith(b"\r")
        for piece in part.replace(b"\r\n", b"\n").replace(b"\r", b"\n").splitlines(keepends=True):
            kept.append(piece.removesuffix(b"\n"))
            size += len(piece)
            if piece.endswith(b"\n"):
                yield b"".join(kept).decode("utf-8", "replace")
                kept, size = [], 0
            elif size > most:
                response.close()
                raise FarEndFault(f"an event is larger than {most} bytes")
    if size:
        yield b"".join(kept).decode("utf-8", "replace")


async def events(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[Sent]:
    """Yields the events of an answer (JSON lines: each line is one).

    Raises:
        FarEndFault: an event is larger than ``most`` bytes.
    """
    if response.content_type in LINES:
        async for line in lines(response, most):
            if line.strip():
                yield Sent(line)
        return
    data: list[str] = []
    name, last, retry, size, begun = "", None, None, 0, False
    async for line in lines(response, most):
        text = line if begun else line.removeprefix("\ufeff")
        begun = True
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if not text:
            if data or retry is not None:
                yield Sent("\n".join(data), name, last, retry)
            data, name, retry, size = [], "", None, 0
        elif field == "data":
            data.append(value)
            size += len(value) + 1
            if size > most:
                response.close()
                raise FarEndFault(f"an event is larger than {most} bytes")
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            last = value
        elif field == "retry" and value.isdecimal() and len(value) < 9:
            retry = int(value) / 1000
