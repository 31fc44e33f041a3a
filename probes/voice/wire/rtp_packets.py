"""RTP packets as columns, and as streams: one sender (SSRC and address), its numbers counted on past their wrap."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.voice.wire.datagram import Datagram, Place

_HEADER = np.dtype([("flags", "u1"), ("kind", "u1"), ("seq", ">u2"), ("ts", ">u4"), ("ssrc", ">u4")])
_DROPOUT = 3000  # RFC 3550 A.1: a longer jump of the sequence is a sender that started again
_AGREES_S = 1.0  # unless as much time went by as the time stamps say
GAP_S = 0.3
STRAY = 3  # fewer packets than these are no stream


@dataclass(frozen=True)
class Packets:
    """RTP packets in the order they came. Every array has shape ``(n,)``."""

    t: NDArray[np.float64]  # seconds
    ssrc: NDArray[np.int64]
    seq: NDArray[np.int64]  # 16 bits, as sent
    ts: NDArray[np.int64]  # 32 bits, as sent
    kind: NDArray[np.int64]  # payload type
    source: list[Place]
    payloads: list[bytes]  # without header, extension and padding

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True)
class Stream:
    """One sender's packets in the order they came, the first copy of each only."""

    ssrc: int
    source: Place
    at: NDArray[np.int64]  # rows of the Packets
    seq: NDArray[np.int64]  # counted on past 65535
    ts: NDArray[np.int64]  # counted on past 2**32
    duplicates: int


def is_rtp(payload: bytes) -> bool:
    """Whether a datagram on an RTP port is RTP: neither RTCP (RFC 5761) nor STUN nor a keep-alive."""
    return len(payload) >= 12 and payload[0] >> 6 == 2 and not 192 <= payload[1] <= 223


def body(payload: bytes) -> bytes:
    """Returns what an RTP packet carries; nothing if the packet is damaged."""
    flags, start, end = payload[0], 12 + 4 * (payload[0] & 15), len(payload)
    if flags & 0x10:
        if end < start + 4:
            return b""
        start += 4 + 4 * int.from_bytes(payload[start + 2 : start + 4])
    if flags & 0x20:
        end -= payload[-1]
    return payload[start:end] if start < end else b""


def packets(datagrams: Iterable[Datagram], *, to: Collection[Place] = (), of: Collection[Place] = ()) -> Packets:
    """Picks the RTP packets that were sent ``to`` one of these places, or that came ``of`` one of those."""
    kept = [
        one
        for one in datagrams
        if one.protocol == "udp" and (one.target in to or one.source in of) and is_rtp(one.payload)
    ]
    kept.sort(key=lambda one: one.t)
    head = np.frombuffer(b"".join(one.payload[:12] for one in kept), _HEADER)
    return Packets(
        t=np.array([one.t for one in kept], np.float64),
        ssrc=head["ssrc"].astype(np.int64),
        seq=head["seq"].astype(np.int64),
        ts=head["ts"].astype(np.int64),
        kind=(head["kind"] & 0x7F).astype(np.int64),
        source=[one.source for one in kept],
        payloads=[one.payload[12:] if one.payload[0] == 0x80 else body(one.payload) for one in kept],
    )


def counted(numbers: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Returns numbers of so many bits counted on past their wrap; each is the nearest to the one before it."""
    if not len(numbers):
        return numbers
    half, whole = 1 << (bits - 1), 1 << bits
    steps = (np.diff(numbers) + half) % whole - half
    return np.concatenate((numbers[:1], numbers[0] + np.cumsum(steps)))


def streams(rtp: Packets, rate: int = 8000) -> list[Stream]:
    """Divides packets by sender, in the order in which the senders were first heard.

    A sender whose sequence jumps by more than 3000, without the time for it, has started again: another stream.
    """
    found = []
    rows: dict[tuple[int, Place], list[int]] = {}
    for row, key in enumerate(zip(rtp.ssrc.tolist(), rtp.source, strict=True)):
        rows.setdefault(key, []).append(row)
    for (ssrc, source), mine in rows.items():
        at = np.array(mine, np.int64)
        seq, ts = counted(rtp.seq[at], 16), counted(rtp.ts[at], 32)
        jump, away = np.diff(seq), np.abs(np.diff(ts) / rate - np.diff(rtp.t[at]))
        again = (np.abs(jump) > _DROPOUT) & ~((jump > 0) & (away < _AGREES_S))
        for part in np.split(np.arange(len(at)), np.flatnonzero(again) + 1):
            _, first = np.unique(seq[part], return_index=True)
            keep = part[np.sort(first)]
            found.append(Stream(ssrc, source, at[keep], seq[keep], ts[keep], len(part) - len(keep)))
    return sorted(found, key=lambda stream: int(stream.at[0]))


def heard(rtp: Packets, senders: list[Stream]) -> NDArray[np.int64]:
    """Says whose each packet is that is heard, as a place in ``senders``; -1: none's, or a newer one goes on.

    Of two senders at once the newer is heard; it goes on as long as its packets are not more than 0.3 s apart.
    """
    owner = np.full(len(rtp), -1, np.int64)
    for number, one in enumerate(senders):
        if len(one.at) < STRAY:
            continue
        times = rtp.t[one.at]
        after = np.searchsorted(times, rtp.t)  # the first packet of this sender that came no earlier
        inside = (after > 0) & (after < len(times))
        steps = np.diff(times, prepend=times[0])
        goes_on = inside & (steps[np.minimum(after, len(times) - 1)] <= GAP_S)
        owner[goes_on] = -1
        owner[one.at] = number
    return owner
