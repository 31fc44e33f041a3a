"""SIP messages out of packets: UDP as they are, TCP put together again. What is encrypted stays unread."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

from probes.voice.wire.datagram import Datagram, Place

_START = re.compile(rb"(?:SIP/2\.0 [1-6]\d\d|[A-Z]{3,12} \S+ SIP/2\.0\r)")
_HEADER = re.compile(rb"^(call-id|i|cseq|content-length|l)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_LONG = {b"i": b"call-id", b"l": b"content-length"}
_LARGEST = 65536
_FLOWS = 64  # TCP connections kept in mind, the latest


@dataclass(frozen=True)
class Message:
    """One SIP message, when it was complete, and the packets that brought it."""

    t: float
    source: Place
    target: Place
    call_id: str
    method: str  # of the request, or of the request that a response answers
    number: int  # of CSeq
    code: int | None  # None: a request
    text: bytes
    datagrams: tuple[Datagram, ...]


class Messages:
    """Takes packets one by one, in order; gives whole messages."""

    def __init__(self) -> None:
        self._flows: OrderedDict[tuple[Place, Place], _Flow] = OrderedDict()

    def take(self, one: Datagram) -> list[Message]:
        """Returns the messages that ``one`` completes."""
        if one.protocol == "udp":
            message = read(one.payload, (one,)) if _START.match(one.payload) else None
            return [] if message is None else [message]
        way = (one.source, one.target)
        flow = self._flows.pop(way, None) or _Flow()
        self._flows[way] = flow
        if len(self._flows) > _FLOWS:
            self._flows.popitem(last=False)
        return flow.take(one)


class _Flow:
    """One direction of a TCP connection. Segments are taken as they come; a repeated one is left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._parts: list[Datagram] = []
        self._next: int | None = None

    def take(self, one: Datagram) -> list[Message]:
        header = (one.packet[0] & 15) * 4
        number = int.from_bytes(one.packet[header + 4 : header + 8])
        ahead = 0 if self._next is None else (number - self._next + (1 << 31)) % (1 << 32) - (1 << 31)
        if ahead < 0:
            return []  # sent again
        if ahead > 0:  # something is missing: begin anew
            self._rest, self._parts = b"", []
        self._next = (number + len(one.payload)) % (1 << 32)
        self._rest += one.payload
        self._parts.append(one)
        found = []
        while (message := self._first()) is not None:
            found.append(message)
            self._parts = [one] if self._rest else []
        return found

    def _first(self) -> Message | None:
        while (start := _START.search(self._rest)) is not None:
            self._rest = self._rest[start.start() :]
            head = self._rest.find(b"\r\n\r\n")
            if head < 0:
                break
            size = head + 4 + _length(self._rest[: head + 2])
            if size > _LARGEST:
                self._rest = self._rest[head:]
                continue
            if len(self._rest) < size:
                return None
            text, self._rest = self._rest[:size], self._rest[size:]
            message = read(text, tuple(self._parts))
            if message is not None:
                return message
        if len(self._rest) > _LARGEST or start is None:
            self._rest = self._rest[-256:]  # a start line may have begun
            self._parts = self._parts[-1:]
        return None


def read(text: bytes, datagrams: tuple[Datagram, ...]) -> Message | None:
    """Returns the message that ``text`` is, brought by ``datagrams``; None if it names no call."""
    found: dict[bytes, bytes] = {}
    for name, value in _HEADER.findall(text.partition(b"\r\n\r\n")[0]):
        found.setdefault(_LONG.get(name.lower(), name.lower()), value.strip())
    number, _, method = found.get(b"cseq", b"").partition(b" ")
    if b"call-id" not in found or not number.isdigit():
        return None
    last = datagrams[-1]
    code = int(text[8:11]) if text.startswith(b"SIP/2.0 ") else None
    name = method.strip() if code is not None else text.split(b" ", 1)[0]
    call_id = found[b"call-id"].decode("utf-8", "replace")
    return Message(
        last.t, last.source, last.target, call_id, name.decode("ascii", "replace"), int(number), code, text, datagrams
    )


def call_id(text: bytes) -> str | None:
    """Returns the Call-ID of a SIP message, or None if it has none."""
    match = re.search(rb"^(?:call-id|i)[ \t]*:[ \t]*([^\s]+)", text, re.IGNORECASE | re.MULTILINE)
    return None if match is None else match[1].decode("utf-8", "replace")


def _length(head: bytes) -> int:
    for name, value in _HEADER.findall(head):
        if _LONG.get(name.lower(), name.lower()) == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0
