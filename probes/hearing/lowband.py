"""The band below 900 Hz at 2 kHz: where a recording is compared with itself, wave by wave."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from probes.hearing.frames import cut
from probes.hearing.wav import RATE, Pcm

LOW_RATE = 2000
_STEP = RATE // LOW_RATE

Low: TypeAlias = NDArray[np.float32]


def _filter(taps: int = 64, upper: float = 900.0, lower: float = 120.0) -> Low:
    time = np.arange(taps) - (taps - 1) / 2
    low_pass = [2 * edge / RATE * np.sinc(2 * edge / RATE * time) for edge in (upper, lower)]
    taper: Low = ((low_pass[0] - low_pass[1]) * np.hamming(taps)).astype(np.float32)
    return taper


_FILTER = _filter()


class LowBand:
    """Filters and thins a stream. Every stream is delayed alike, so two of them compare as they are."""

    def __init__(self) -> None:
        self._rest: Low = np.zeros(len(_FILTER) - 1, np.float32)

    def push(self, pcm: Pcm) -> Low:
        """Takes samples at 8 kHz; returns the samples at 2 kHz they complete."""
        held = np.concatenate((self._rest, pcm.astype(np.float32)))
        ready = (len(held) - len(_FILTER)) // _STEP + 1
        if ready <= 0:
            self._rest = held
            return held[:0]
        used = ready * _STEP
        thinned: Low = cut(held[: used - _STEP + len(_FILTER)], len(_FILTER), _STEP) @ _FILTER
        self._rest = held[used:]
        return thinned


def likeness(heard: Low, known: Low) -> NDArray[np.float64]:
    """Correlates ``heard`` (n samples) with ``known`` (n + k samples): one value in -1..1 for each of k + 1 shifts."""
    values: NDArray[np.float64] = likenesses(heard[None], known)[0]
    return values


def likenesses(several: Low, known: Low) -> NDArray[np.float64]:
    """Correlates each row of ``several`` (m, n) with ``known`` (n + k samples): values in -1..1 of shape (m, k + 1)."""
    size = several.shape[1]
    dot = np.stack([np.correlate(known, heard, "valid") for heard in several]).astype(np.float64)
    power = np.square(known, dtype=np.float64)
    under = np.empty(dot.shape[1])
    under[0] = power[:size].sum()
    np.subtract(power[size:], power[: len(under) - 1], out=under[1:])
    np.cumsum(under, out=under)
    np.maximum(under, 0, out=under)
    scale = np.sqrt(np.einsum("mn,mn->m", several, several)[:, None] * under)
    scale += 1.0
    dot /= scale
    return dot
