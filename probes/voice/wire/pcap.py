"""A call's packets as a file that Wireshark opens: written as they come, read again into session time.

Nanosecond pcap, whole IPv4 packets (LINKTYPE_RAW). The time of a packet minus the session's ``anchor_utc`` is session
time. Secrets are zeros of the same length: the answer to a digest challenge and the keys of SRTP.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from probes.voice.wire.datagram import Datagram, Place, parse
from scenarios.errors import RunError

_MAGIC, _LINKTYPE_RAW, _LONGEST = 0xA1B23C4D, 101, 0x40000
_HEADER, _RECORD = struct.Struct("<IHHiIII"), struct.Struct("<IIII")
_SECRET = re.compile(
    rb'(?:(?<=[\s,;])response[ \t]*=[ \t]*"?|\binline:|(?<=authorization:)[ \t]*basic[ \t]+)([^\s",;|]*)', re.IGNORECASE
)
_REACH = 400  # bytes of a TCP stream in which a secret may have begun before this segment
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PcapWriter:
    """Writes packets as they come. What was written can be read even if the process is killed."""

    def __init__(self, path: Path, anchor_utc: datetime, anchor_monotonic: float) -> None:
        """Begins the file.

        Args:
            path: where; one that is there is replaced.
            anchor_utc: the session's start.
            anchor_monotonic: the same moment on the clock of the datagrams.

        Raises:
            OSError: it cannot be written.
        """
        self.path, self._start = path, anchor_monotonic
        self._anchor_ns = _nanoseconds(anchor_utc)
        self._before: dict[tuple[Place, Place], bytes] = {}
        self._file = path.open("wb")
        self._file.write(_HEADER.pack(_MAGIC, 2, 4, 0, 0, _LONGEST, _LINKTYPE_RAW))
        self._file.flush()

    def write(self, datagrams: Iterable[Datagram]) -> None:
        """Adds packets; ``t`` is monotonic.

        Raises:
            OSError: the disk is full or away.
        """
        block = bytearray()
        for one in datagrams:
            packet = self._masked(one)
            at = divmod(self._anchor_ns + round((one.t - self._start) * 1e9), 1_000_000_000)
            block += _RECORD.pack(*at, len(packet), len(packet))
            block += packet
        self._file.write(block)
        self._file.flush()

    def close(self) -> None:
        """Ends the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> PcapWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _masked(self, one: Datagram) -> bytes:
        if one.protocol == "udp":
            return one.packet if one.payload[0] & 0x80 else masked(one)  # RTP, or text
        way = (one.source, one.target)
        before = self._before.get(way, b"")
        self._before[way] = (before + one.payload)[-_REACH:]
        return masked(one, before)


def masked(one: Datagram, before: bytes = b"") -> bytes:
    """Returns the packet without its secrets.

    Args:
        one: a packet. The checksum of UDP becomes 0, "not computed", if anything changes; that of TCP is then wrong.
        before: what its TCP stream carried last; a secret may have begun there.
    """
    text = bytearray(before + one.payload)
    found = False
    for match in _SECRET.finditer(before + one.payload):
        start, end = match.span(1)
        if end > max(start, len(before)):
            text[start:end] = b"0" * (end - start)
            found = True
    if not found:
        return one.packet
    header = (one.packet[0] & 15) * 4
    body = header + (8 if one.protocol == "udp" else (one.packet[header + 12] >> 4) * 4)
    packet = bytearray(one.packet)
    packet[body : body + len(one.payload)] = text[len(before) :]
    if one.protocol == "udp":
        packet[header + 6 : header + 8] = b"\0\0"
    return bytes(packet)


def read_pcap(path: Path, anchor_utc: datetime) -> list[Datagram]:
    """Returns the UDP and TCP packets of a call's file; ``t`` is session time. A record that was cut off is left out.

    Raises:
        RunError: the file is missing, or it is no pcap of ours.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"the packets cannot be read: {error.strerror}", file=path) from error
    if len(content) < _HEADER.size:
        raise RunError("the packets cannot be read: the file is cut off in its first bytes", file=path)
    magic, _, _, _, _, _, link = _HEADER.unpack_from(content)
    if (magic, link) != (_MAGIC, _LINKTYPE_RAW):
        raise RunError(
            "the packets cannot be read: this is not the file that the call wrote",
            file=path,
            cure="put back the original; what another program saved again may be in another format",
        )
    anchor_ns, found, at = _nanoseconds(anchor_utc), [], _HEADER.size
    while at + _RECORD.size <= len(content):
        seconds, nanoseconds, size, _ = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        if size > _LONGEST or nanoseconds >= 1_000_000_000:
            raise RunError(f"the packets cannot be read: damaged at byte {at - _RECORD.size}", file=path)
        if at + size > len(content):
            break
        t = (seconds * 1_000_000_000 + nanoseconds - anchor_ns) / 1e9
        one = parse(t, content[at : at + size])
        if one is not None:
            found.append(one)
        at += size
    return found


def _nanoseconds(utc: datetime) -> int:
    return (utc - _EPOCH) // timedelta(microseconds=1) * 1000
