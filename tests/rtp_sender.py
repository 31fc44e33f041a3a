"""A sender of G.711 over RTP, in bytes: real packets with their times, spoilt the way networks and switches do it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from probes.hearing.telephone import encode
from probes.voice.wire.datagram import Datagram, Place
from probes.voice.wire.rtp_media import Media

OURS: Place = ("127.0.0.1", 40000)
FAR: Place = ("127.0.0.2", 30000)
MEDIA = Media(ours=(OURS,), theirs=(FAR,), heard={0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000",
                                                   101: "TELEPHONE-EVENT/8000"})  # fmt: skip


def datagram(t: float, payload: bytes, source: Place = FAR, target: Place = OURS) -> Datagram:
    return Datagram(float(t), source, target, "udp", payload, b"")


def rtp(seq: int, ts: int, audio: bytes, *, ssrc: int = 0x1234, kind: int = 8, marker: bool = False) -> bytes:
    head = struct.pack("!BBHII", 0x80, kind | marker << 7, seq % 65536, ts % 2**32, ssrc)
    return head + audio


@dataclass
class Sender:
    """Speaks ``pcm`` in packets; ``t`` is when the next leaves, ``ppm`` how much slower than ours its clock is."""

    t: float = 1.0
    seq: int = 0
    ts: int = 0
    ssrc: int = 0x1234
    source: Place = FAR
    kind: int = 8
    ptime: int = 20
    ppm: float = 0.0
    sent: list[Datagram] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.ptime * 8

    def speak(self, pcm: np.ndarray) -> Sender:
        """Sends whole packets of ``pcm``."""
        codes = encode(pcm, "a" if self.kind == 8 else "mu").tobytes()
        for at in range(0, len(codes) - self.size + 1, self.size):
            packet = rtp(self.seq, self.ts, codes[at : at + self.size], ssrc=self.ssrc, kind=self.kind)
            self.sent.append(datagram(self.t, packet, self.source))
            self.seq += 1
            self.silent(self.ptime / 1000)
        return self

    def silent(self, seconds: float, *, counts: bool = True) -> Sender:
        """Sends nothing; ``counts``: its time stamps go on."""
        self.t += seconds * (1 + self.ppm / 1e6)
        self.ts += round(seconds * 8000) if counts else 0
        return self


def delayed(sent: list[Datagram], most: float, seed: int = 1) -> list[Datagram]:
    """Returns packets delayed by up to ``most`` seconds each, in the order in which they come."""
    rng = np.random.default_rng(seed)
    late = [datagram(one.t + d, one.payload, one.source) for one, d in zip(sent, rng.uniform(0, most, len(sent)))]  # noqa: B905
    return sorted(late, key=lambda one: one.t)


def clicks(seconds: float, every: float = 1.0, seed: int = 3) -> np.ndarray:
    """Returns quiet noise with an impulse every so often, the first after half of that."""
    pcm = np.random.default_rng(seed).normal(0, 20, round(seconds * 8000))
    for at in np.arange(every / 2, seconds, every):
        pcm[round(at * 8000)] = 30000
    return pcm.astype(np.int16)


def onsets(pcm: np.ndarray, start: float = 0.0) -> np.ndarray:
    """Returns the seconds at which impulses are; a corrected clock may lengthen one, and then its peak counts."""
    loud = np.flatnonzero(pcm > 20000)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 80) + 1) if len(loud) else []
    return start + np.array([group[np.argmax(pcm[group])] for group in groups]) / 8000
