"""The evidence of one call as it is heard again: both sides' sound in session time, and what the packets tell.

The packets are the better source: every sample lies where its RTP time stamp puts it. The recording serves where there
are none, or none that can be read (SRTP, other codecs, a call cut off before its pcap was whole).
"""

from __future__ import annotations

import hashlib
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from probes.hearing.wav import RATE, Pcm
from probes.session import Event, Session
from probes.voice.quality import Quality, estimate
from probes.voice.wire.pcap import read_pcap
from probes.voice.wire.placing import place
from probes.voice.wire.rtp import Reception, reception
from probes.voice.wire.rtp import events as rtp_events
from probes.voice.wire.rtp_media import media_of
from probes.voice.wire.rtp_packets import packets
from scenarios.errors import InputError

_PACKET = RATE // 50
_SHORTEST_HOLE, _LONGEST_HOLE = _PACKET // 2, 3 * _PACKET + 2  # a sample beside the hole may be zero by itself
RECORDING, PACKETS = "call.wav", "call.pcap"


@dataclass(frozen=True)
class Heard:
    """One call's sound, 8 kHz from session time 0. ``events`` are those that only the packets tell."""

    far: Pcm
    own: Pcm
    source: Literal["packets", "recording"]
    sha256: str
    quality: Quality | None = None
    reception: Reception | None = None
    events: Sequence[Event] = field(default=())


def has_sound(session: Session, folder: Path) -> bool:
    """Whether sound of this session was kept."""
    return session.attempt.channel == "voice" and (folder / RECORDING).exists()


def load(session: Session, folder: Path) -> Heard:
    """Reads the evidence of ``session`` from its folder.

    Raises:
        InputError: the recording, or the pcap, is missing or damaged.
    """
    far, own, content = _recording(folder / RECORDING)
    far = concealed(far)
    digest = hashlib.sha256(content)
    pcap = folder / PACKETS
    if not pcap.exists():
        return Heard(far, own, "recording", digest.hexdigest())
    digest.update(pcap.read_bytes())
    datagrams = read_pcap(pcap, session.anchor_utc)
    media = media_of(datagrams)
    if media is None:
        return Heard(far, own, "recording", digest.hexdigest())
    came, went = packets(datagrams, to=media.ours), packets(datagrams, of=media.ours)
    facts = reception(came, media)
    quality = None
    if facts.received and facts.codec is not None:
        codec = facts.codec.split("/")[0]
        quality = estimate(codec, loss=facts.lost_share, burst_ratio=facts.burst_ratio, jitter_ms=facts.jitter_ms)
    events = rtp_events(came, media)
    placed = place(came, media, until=len(far) / RATE)
    spoken = place(went, media, "out", until=len(own) / RATE)
    if placed is None or not facts.received:
        return Heard(far, own, "recording", digest.hexdigest(), quality, facts, events)
    return Heard(
        concealed(placed.pcm),
        own if spoken is None else spoken.pcm,
        "packets",
        digest.hexdigest(),
        quality,
        facts,
        events,
    )


def concealed(pcm: Pcm) -> Pcm:
    """Returns the sound with short holes, which lost packets leave, filled with what came before them.

    A tone of whole periods in 20 ms goes on as if nothing had happened. What is silent anyway stays silent.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (pcm == 0).astype(np.int8), [0]))))
    filled = pcm.copy()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        size = int(last - first)
        if _SHORTEST_HOLE <= size <= _LONGEST_HOLE and first >= _PACKET and last < len(pcm):
            filled[first:last] = np.resize(filled[first - _PACKET : first], size)
    return filled


def _recording(path: Path) -> tuple[Pcm, Pcm, bytes]:
    try:
        content = path.read_bytes()
        with wave.open(str(path), "rb") as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            frames = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise InputError(f"the recording cannot be read: {error}", file=path) from error
    if shape != (RATE, 2, 2):
        raise InputError(f"{shape[0]} Hz, {shape[1]} channel(s), {8 * shape[2]} bit: no recording of ours", file=path)
    both = np.frombuffer(frames[: len(frames) // 4 * 4], "<i2").reshape(-1, 2)
    return both[:, 0].astype(np.int16), both[:, 1].astype(np.int16), content
