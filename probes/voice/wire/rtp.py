"""What the RTP of one call and direction shows: its streams, what was lost, when it began, changed, stopped.

Times are in the clock of the datagrams. Nothing here decodes audio: ``placing.py`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from probes.session import Event, Record
from probes.voice.wire.rtp_media import Media, is_audio
from probes.voice.wire.rtp_packets import GAP_S, Packets, Stream, heard, streams

U_S = 0.0001  # standard error of a packet's time stamp
KEYS = "0123456789*#ABCD"
_JUMP_S = 1.0  # a larger step between two packets is a clock that was set, not jitter


class StreamFacts(Record):
    """One sender: an SSRC at an address."""

    ssrc: str  # hexadecimal
    address: str  # "192.0.2.1:4000"
    first: float  # time of its first and last packet
    last: float
    packets: int  # received, without duplicates
    expected: int
    lost: int
    reordered: int
    duplicates: int
    payload_types: dict[int, str]  # those seen, with their codecs ("?" if never agreed)
    packet_ms: float  # audio in one packet; 0 if only one came
    jitter_ms: float  # RFC 3550, mean over the packets
    jitter_max_ms: float


class Reception(Record):
    """All RTP of one call in one direction. With no packets every number is 0 and ``burst_ratio`` 1."""

    received: int = 0
    expected: int = 0
    lost: int = 0
    lost_share: float = 0.0  # of those expected
    burst_ratio: float = 1.0  # BurstR of ITU-T G.107: 1 is random loss, more is bursts
    reordered: int = 0
    duplicates: int = 0
    jitter_ms: float = 0.0  # mean, weighted by packets
    jitter_max_ms: float = 0.0
    packet_ms: float = 0.0  # of the longest stream
    codec: str | None = None  # that most packets had
    streams: list[StreamFacts] = Field(default_factory=list)


@dataclass(frozen=True)
class _Measured:
    facts: StreamFacts
    bursts: list[int]  # packets lost one after another
    codec: str | None


def _rate(codec: str | None) -> int:
    parts = (codec or "").split("/")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() and int(parts[1]) else 8000


def _jitter(late: NDArray[np.float64]) -> list[float]:
    """RFC 3550 6.4.1 over transit times in seconds, in the order of arrival."""
    steps = np.abs(np.diff(late))
    jitter, course = 0.0, []
    for step in steps[steps < _JUMP_S].tolist():
        jitter += (step - jitter) / 16
        course.append(jitter)
    return course


def _measure(rtp: Packets, one: Stream, codecs: dict[int, str]) -> _Measured:
    kinds, counts = np.unique(rtp.kind[one.at], return_counts=True)
    audio = [(int(n), codecs.get(int(k))) for k, n in zip(kinds, counts, strict=True) if is_audio(codecs.get(int(k)))]
    codec = max(audio, key=lambda pair: pair[0])[1] if audio else None
    rate = _rate(codec)
    sound = np.isin(rtp.kind[one.at], [k for k in kinds if is_audio(codecs.get(int(k)))])
    seq, ts, t = one.seq[sound], one.ts[sound], rtp.t[one.at][sound]
    course = _jitter(t - ts / rate)
    order = np.argsort(seq)
    frames = np.diff(ts[order])[np.diff(seq[order]) == 1]
    frame = float(np.median(frames)) / rate * 1000 if len(frames) else 0.0
    holes = np.diff(np.sort(one.seq)) - 1
    lost = int(holes.sum())
    facts = StreamFacts(
        ssrc=f"{one.ssrc:08x}",
        address=f"{one.source[0]}:{one.source[1]}",
        first=float(rtp.t[one.at[0]]),
        last=float(rtp.t[one.at[-1]]),
        packets=len(one.at),
        expected=len(one.at) + lost,
        lost=lost,
        reordered=int((one.seq < np.maximum.accumulate(one.seq)).sum()),
        duplicates=one.duplicates,
        payload_types={int(kind): codecs.get(int(kind), "?") for kind in kinds},
        packet_ms=frame,
        jitter_ms=1000 * float(np.mean(course)) if course else 0.0,
        jitter_max_ms=1000 * max(course, default=0.0),
    )
    return _Measured(facts, [int(hole) for hole in holes if hole], codec)


def reception(rtp: Packets, media: Media, direction: Literal["in", "out"] = "in") -> Reception:
    """Returns the facts of all packets of one direction."""
    measured = [_measure(rtp, one, media.codecs(direction)) for one in streams(rtp)]
    if not measured:
        return Reception()
    all_facts = [each.facts for each in measured]
    received, lost = sum(f.packets for f in all_facts), sum(f.lost for f in all_facts)
    share, bursts = lost / (received + lost), [burst for each in measured for burst in each.bursts]
    longest = max(measured, key=lambda each: each.facts.packets)
    return Reception(
        received=received,
        expected=received + lost,
        lost=lost,
        lost_share=share,
        burst_ratio=(1 - share) * sum(bursts) / len(bursts) if bursts else 1.0,
        reordered=sum(f.reordered for f in all_facts),
        duplicates=sum(f.duplicates for f in all_facts),
        jitter_ms=sum(f.jitter_ms * f.packets for f in all_facts) / received,
        jitter_max_ms=max(f.jitter_max_ms for f in all_facts),
        packet_ms=longest.facts.packet_ms,
        codec=longest.codec,
        streams=all_facts,
    )


def _event(kind: str, t: float, **data: object) -> Event:
    return Event(kind=kind, t=t, method="wire", u=U_S, data=data)


def _changes(rtp: Packets, senders: list[Stream]) -> list[Event]:
    """A new stream, or an older one that is heard again because the newest fell silent."""
    owner = heard(rtp, senders)
    rows = np.flatnonzero(owner >= 0)
    turns = np.flatnonzero(np.diff(owner[rows])) + 1
    found = []
    for turn in turns.tolist():
        old, new = int(owner[rows[turn - 1]]), int(owner[rows[turn]])
        if change := _difference(senders[old], senders[new]):
            t = float(rtp.t[rows[turn]])
            found.append(_event("stream_change", t, changed=change, before=_name(old), after=_name(new)))
    return found


def _name(number: int) -> str:
    return f"stream {number + 1}"


def _difference(old: Stream, new: Stream) -> str:
    """What tells two streams apart; the places themselves are in the pcap and no event needs them."""
    return " and ".join(
        word for word, differs in (("ssrc", old.ssrc != new.ssrc), ("address", old.source != new.source)) if differs
    )


def events(rtp: Packets, media: Media, direction: Literal["in", "out"] = "in") -> list[Event]:
    """Returns what happened to the RTP of one direction, in order of time.

    ``first_audio``: the first packet of sound. ``stream_change``: from then on another stream is heard; data
    ``changed`` (ssrc, address, ssrc and address), ``before`` and ``after`` (which stream in the order of appearance).
    ``rtp_gap``: no packet at all for more than 0.3 s; ``t`` is when the next was due, data ``seconds``.
    """
    if not len(rtp):
        return []
    codecs = media.codecs(direction)
    sound = np.isin(rtp.kind, [kind for kind in np.unique(rtp.kind) if is_audio(codecs.get(int(kind)))])
    found = [_event("first_audio", float(rtp.t[np.argmax(sound)]))] if sound.any() else []
    frame = media.ptime / 1000
    holes = np.diff(rtp.t) - frame
    found += [
        _event("rtp_gap", float(rtp.t[row]) + frame, seconds=round(float(holes[row]), 4))
        for row in np.flatnonzero(holes > GAP_S)
    ]
    return sorted(found + _changes(rtp, streams(rtp)), key=lambda event: event.t)


def keys(rtp: Packets, media: Media, direction: Literal["in", "out"] = "out") -> list[tuple[float, str]]:
    """Returns the keys that RFC 4733 packets carry, each with the time of its first packet; a flash is ``!``."""
    codecs = media.codecs(direction)
    kinds = [kind for kind, codec in codecs.items() if codec.startswith("TELEPHONE-EVENT/")]
    found: list[tuple[float, str]] = []
    seen: set[tuple[int, int, int]] = set()
    for row in np.flatnonzero(np.isin(rtp.kind, kinds)).tolist():
        payload = rtp.payloads[row]
        if len(payload) < 4 or payload[0] > 16:
            continue
        key = (int(rtp.ssrc[row]), int(rtp.ts[row]), payload[0])
        if key not in seen:
            seen.add(key)
            found.append((float(rtp.t[row]), (KEYS + "!")[payload[0]]))
    return found
