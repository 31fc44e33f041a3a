"""G.711 audio from packets into time: file time is call time, whatever the network and the sender did.

Each packet goes where its RTP time stamp says; ``rtp_clock.py`` says how a sender's time stamps map onto the call's
clock. A first sample is placed at the instant at which its packet would have come without delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probes.hearing.telephone import Law, decode
from probes.hearing.wav import Pcm
from probes.voice.wire.rtp_clock import QUIET, RATE, STEP_S, envelope, follow, split
from probes.voice.wire.rtp_media import Media, is_audio, law_of
from probes.voice.wire.rtp_packets import Packets, Stream, heard, streams

HOLE_S = 0.3
SLIP = 16  # samples: a hole so short is a correction of the clock, and is bridged
LONGEST = 1600  # samples in one packet


@dataclass(frozen=True)
class Placed:
    """Audio from time 0 of the datagrams' clock; where nothing came it is zero. Spans are seconds."""

    pcm: Pcm
    gaps: list[tuple[float, float]]  # audio that was sent and did not come
    holes: list[tuple[float, float]]  # more than 0.3 s without any audio, from 0 on


@dataclass(frozen=True)
class _Piece:
    """Packets of one stream under one mapping, in the order of their time stamps."""

    start: NDArray[np.int64]  # sample at which each begins
    size: NDArray[np.int64]
    pcm: Pcm  # all of them in a row
    gaps: list[tuple[int, int]]  # samples


def unreadable(rtp: Packets, media: Media, direction: Literal["in", "out"] = "in") -> int:
    """Returns how many packets carry sound that is no G.711, or is encrypted."""
    codecs = media.codecs(direction)
    odd = [
        kind
        for kind in map(int, np.unique(rtp.kind))
        if is_audio(codecs.get(kind)) and (media.secure or law_of(codecs.get(kind, "")) is None)
    ]
    return int(np.isin(rtp.kind, odd).sum())


def place(
    rtp: Packets, media: Media, direction: Literal["in", "out"] = "in", *, until: float | None = None
) -> Placed | None:
    """Places all audio of one direction.

    Args:
        rtp: the packets of that direction, in session time.
        media: what was agreed.
        direction: whose payload types count.
        until: the file ends here; None: with the last sample.

    Returns:
        The audio; None if it cannot be read: SRTP, or a tenth of the packets and more are of another codec.
    """
    if media.secure or unreadable(rtp, media, direction) * 10 > len(rtp):
        return None
    laws = {kind: law for kind, codec in media.codecs(direction).items() if (law := law_of(codec)) is not None}
    senders = streams(rtp)
    owner = heard(rtp, senders)
    pieces = [piece for number, one in enumerate(senders) for piece in _pieces(rtp, one, laws, owner[one.at] == number)]
    ends = [int((piece.start + piece.size).max()) for piece in pieces]
    total = max(ends, default=0) if until is None else max(0, round(until * RATE))
    pcm, there = np.zeros(total, np.int16), np.zeros(total, np.bool_)
    for piece in pieces:
        _paint(pcm, there, piece)
    gaps = sorted(span for piece in pieces for span in piece.gaps)
    return Placed(
        pcm=pcm,
        gaps=[(a / RATE, b / RATE) for a, b in gaps if a < total and not there[a:b].all()],
        holes=[(a / RATE, b / RATE) for a, b in _empty(there) if b - a > HOLE_S * RATE],
    )


def _pieces(rtp: Packets, one: Stream, laws: dict[int, Law], wanted: NDArray[np.bool_]) -> list[_Piece]:
    order = np.argsort(one.seq, kind="stable")
    at, seq, ts = one.at[order], one.seq[order], one.ts[order]
    size = np.array([len(rtp.payloads[row]) for row in at.tolist()], np.int64)
    sound = np.isin(rtp.kind[at], list(laws)) & (size > 0) & (size <= LONGEST)
    missing = (np.diff(seq, prepend=seq[0]) > 1)[sound]  # packets before this one did not come
    chosen = wanted[order][sound]
    at, ts, size = at[sound], ts[sound], size[sound]
    if not len(at):
        return []
    found = []
    for part in split(rtp.t[at], ts):
        late = rtp.t[at[part]] - ts[part] / RATE
        least = envelope(rtp.t[at[part]], late)
        keep = late > least - STEP_S  # none comes before it was sent
        keep &= chosen[part]
        rows = np.flatnonzero(keep) + part.start
        if len(rows):
            pcm = _decoded(rtp, at[rows], laws)
            start = _starts(ts[rows], least[keep], size[rows], pcm)
            found.append(_Piece(start, size[rows], pcm, _gaps(start, size[rows], missing[rows])))
    return found


def _decoded(rtp: Packets, rows: NDArray[np.int64], laws: dict[int, Law]) -> Pcm:
    """Decodes packets in one go; a stream that changes its law does so in stretches."""
    kinds = rtp.kind[rows]
    parts = [
        decode(
            np.frombuffer(b"".join(rtp.payloads[row] for row in part.tolist()), np.uint8), laws[int(rtp.kind[part[0]])]
        )
        for part in np.split(rows, np.flatnonzero(np.diff(kinds)) + 1)
    ]
    return np.concatenate(parts)


def _starts(ts: NDArray[np.int64], wanted: NDArray[np.float64], size: NDArray[np.int64], pcm: Pcm) -> NDArray[np.int64]:
    """Returns the sample at which each packet begins: contiguous ones stay so, but for corrections."""
    peaks = np.maximum.reduceat(np.abs(pcm.astype(np.int32)), np.concatenate(([0], np.cumsum(size)[:-1])))
    alone = np.concatenate(([True], np.diff(ts) > size[:-1]))
    mapping = np.empty(len(ts))
    now, since = float(wanted[0]), 0
    for row, (want, free, stamp) in enumerate(
        zip(wanted.tolist(), (alone | (peaks < QUIET)).tolist(), ts.tolist(), strict=True)
    ):
        if (new := follow(now, want, free=free, since=(stamp - since) / RATE)) != now:
            now, since = new, stamp
        mapping[row] = now
    return np.round(mapping * RATE).astype(np.int64) + ts


def _gaps(start: NDArray[np.int64], size: NDArray[np.int64], missing: NDArray[np.bool_]) -> list[tuple[int, int]]:
    ends = start + size
    rows = np.flatnonzero(missing[1:] & (start[1:] > ends[:-1]))
    return [(int(ends[row]), int(start[row + 1])) for row in rows.tolist()]


def _paint(pcm: Pcm, there: NDArray[np.bool_], piece: _Piece) -> None:
    """Copies runs of contiguous packets; what a correction tears open is bridged by a straight line."""
    offsets = np.concatenate(([0], np.cumsum(piece.size)))
    runs = np.flatnonzero(piece.start[1:] != (piece.start + piece.size)[:-1]) + 1
    last = -1
    for a, b in zip([0, *runs.tolist()], [*runs.tolist(), len(piece.start)], strict=True):
        start, source = int(piece.start[a]), piece.pcm[offsets[a] : offsets[b]]
        if last > 0 and 0 < start - last <= SLIP and last < len(pcm):
            line = np.linspace(pcm[last - 1], source[0], start - last + 2)[1:-1]
            pcm[last:start] = line[: len(pcm) - last]
            there[last:start] = True
        cut = max(0, -start)
        end = min(start + len(source), len(pcm))
        if end > start + cut:
            pcm[start + cut : end] = source[cut : end - start]
            there[start + cut : end] = True
        last = start + len(source)


def _empty(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([True], there, [True])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
