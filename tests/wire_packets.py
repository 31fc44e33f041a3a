"""IPv4 packets made by hand, and SIP messages to put into them."""

from __future__ import annotations

import socket
import struct

from probes.voice.wire.datagram import Datagram, Place, parse

US, FAR = ("127.0.0.1", 5070), ("127.0.0.2", 5060)
CALL = "abc@127.0.0.1"


def udp(t: float, source: Place, target: Place, payload: bytes) -> Datagram:
    head = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0xBEEF)
    return _ip(t, source, target, 17, head + payload)


def tcp(t: float, source: Place, target: Place, payload: bytes, number: int = 1000) -> Datagram:
    head = struct.pack("!HHIIBBHHH", source[1], target[1], number, 1, 5 << 4, 0x18, 8192, 0xBEEF, 0)
    return _ip(t, source, target, 6, head + payload)


def sip(first: str, number: int, method: str, *more: str, body: str = "", call: str = CALL) -> bytes:
    """Returns a message; ``first`` is its first line without the version of a request."""
    line = first if first.startswith("SIP/") else f"{first} SIP/2.0"
    head = [line, f"Call-ID: {call}", f"CSeq: {number} {method}", *more, f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def _ip(t: float, source: Place, target: Place, protocol: int, segment: bytes) -> Datagram:
    places = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, protocol, 0) + places + segment
    made = parse(t, packet)
    assert made is not None
    return made
