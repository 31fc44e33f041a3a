"""One packet as the wire had it: when, from where, to where, what."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Literal, TypeAlias

Place: TypeAlias = tuple[str, int]  # IPv4 address and port

_UDP, _TCP = 17, 6


@dataclass(frozen=True)
class Datagram:
    """One UDP datagram, or one TCP segment that carries data.

    ``t`` is seconds on the clock of whoever made it: CLOCK_MONOTONIC while capturing, session time once it is read
    from a pcap.
    """

    t: float
    source: Place
    target: Place
    protocol: Literal["udp", "tcp"]
    payload: bytes
    packet: bytes  # the whole IPv4 packet


def parse(t: float, packet: bytes) -> Datagram | None:
    """Returns what an IPv4 packet carries; None if it is no UDP or TCP, a later fragment, cut short, or empty."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header, length = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
    fragment = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
    if fragment or not header + 8 <= len(packet) or length > len(packet):
        return None
    source_port, target_port = struct.unpack_from("!HH", packet, header)
    protocol: Literal["udp", "tcp"]
    if packet[9] == _UDP:
        protocol, body = "udp", header + 8
    elif packet[9] == _TCP and header + 20 <= length:
        protocol, body = "tcp", header + (packet[header + 12] >> 4) * 4
    else:
        return None
    payload = packet[body : length or None]
    if not payload:
        return None
    source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return Datagram(t, (source, source_port), (target, target_port), protocol, payload, packet)
