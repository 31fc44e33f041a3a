"""What a bad line does to the centre's audio: noise, loss and jitter, packet by packet, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from probes.hearing.telephone import Law, decode, encode
from probes.hearing.wav import Pcm
from probes.voice.wire.rtp_packets import is_rtp
from scenarios.model import Strict

SPEECH_DBOV = -21.3  # active level (P.56) at which the sandbox's recordings and agents speak
VOICES = 8  # of a babble
_LAWS: dict[int, Law] = {0: "mu", 8: "a"}  # payload types of RFC 3551
_NEXT_S = 1e-6  # between packets that a late one before them has held up


class Impairment(Strict):
    """How bad the line is from the centre to the caller. The other way stays as it is."""

    snr_db: float | None = Field(default=None, ge=-20, le=60)  # noise so far below active speech; None: no noise
    noise: Literal["white", "babble"] = "white"
    loss: float = Field(default=0, ge=0, le=0.5)  # share of packets
    burst: float = Field(default=1, ge=1, le=50)  # packets lost in a row, on average; 1: each by itself
    jitter_ms: float = Field(default=0, ge=0, le=500)  # every packet is late by 0 to so many, all alike probable
    reorder: bool = False  # late packets may be overtaken


def babble_of(recordings: list[Pcm]) -> NDArray[np.float64]:
    """Returns one long voice for a babble, mean power 1, shape ``(n,)``.

    It is the recordings' speech backwards: pitch, spectrum and syllables of speech, and nothing that repeats a prompt.
    """
    backwards = np.concatenate([pcm[::-1].astype(np.float64) for pcm in recordings])
    voice: NDArray[np.float64] = backwards / np.sqrt(np.mean(backwards**2))
    return voice


@dataclass(frozen=True)
class _Sound:
    """Where in a packet its G.711 samples are."""

    start: int
    end: int
    law: Law


def _sound(packet: bytes) -> _Sound | None:
    """Finds the samples of an RTP packet; None if it carries a key, another codec, or is damaged."""
    law = _LAWS.get(packet[1] & 0x7F)
    start, end = 12 + 4 * (packet[0] & 15), len(packet)
    if packet[0] & 0x10 and end >= start + 4:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4])
    if packet[0] & 0x20:
        end -= packet[-1]
    return _Sound(start, end, law) if law is not None and start < end else None


class BadLine:
    """The line of one call. The same seed does the same to the same packets.

    Noise, loss and jitter are drawn apart: a line with one of them more is otherwise the same line.
    """

    def __init__(self, impairment: Impairment, seed: str, babble: NDArray[np.float64] | None = None) -> None:
        """Draws the line.

        Args:
            impairment: how bad it is.
            seed: the call's own.
            babble: from ``babble_of``; wanted where the noise is babble.
        """
        self.impairment = impairment
        self._loss, self._jitter = Random(f"{seed}:loss"), Random(f"{seed}:jitter")
        self._noise = np.random.default_rng(Random(f"{seed}:noise").getrandbits(64))
        snr = impairment.snr_db
        self._rms = None if snr is None else 32768 * 10 ** ((SPEECH_DBOV - snr) / 20)
        self._babble = babble if impairment.noise == "babble" else None
        if self._babble is not None:
            self._at = self._noise.integers(len(self._babble), size=(VOICES, 1))
        self._losing = self._loss.random() < impairment.loss
        self._sent = float("-inf")

    def take(self, packet: bytes, now: float) -> tuple[float, bytes] | None:
        """Returns when ``packet`` is to be sent and what is left of it, or None if it is lost.

        Args:
            packet: a datagram of the centre's; what is no RTP comes back as it is.
            now: when it came, seconds.
        """
        if not is_rtp(packet):
            return now, packet
        if self._lost():
            return None
        return self._late(now), self._noisy(packet)

    def _lost(self) -> bool:
        """Two states (Gilbert): everything is lost in one, nothing in the other; bursts are as long as asked."""
        share, burst = self.impairment.loss, self.impairment.burst
        chance = self._loss.random()
        if burst * (1 - share) <= 1:  # by chance alone runs are this long
            return chance < share
        lost = self._losing
        self._losing = chance >= 1 / burst if lost else chance < share / (burst * (1 - share))
        return lost

    def _late(self, now: float) -> float:
        if not self.impairment.jitter_ms:
            return now
        due = now + self._jitter.uniform(0, self.impairment.jitter_ms / 1000)
        if self.impairment.reorder:
            return due
        self._sent = max(due, self._sent + _NEXT_S)
        return self._sent

    def _noisy(self, packet: bytes) -> bytes:
        sound = _sound(packet) if self._rms is not None else None
        if sound is None or self._rms is None:
            return packet
        clean = decode(np.frombuffer(packet, np.uint8)[sound.start : sound.end], sound.law).astype(np.float64)
        mixed = np.clip(np.rint(clean + self._rms * self._stretch(len(clean))), -32768, 32767).astype(np.int16)
        return packet[: sound.start] + encode(mixed, sound.law).tobytes() + packet[sound.end :]

    def _stretch(self, samples: int) -> NDArray[np.float64]:
        """The next noise, mean power 1. Babble is many places of the same long voice at once."""
        if self._babble is None:
            return self._noise.standard_normal(samples)
        voices = self._babble[(self._at + np.arange(samples)) % len(self._babble)]
        self._at += samples
        mixed: NDArray[np.float64] = voices.sum(axis=0) / np.sqrt(VOICES)
        return mixed
