"""G.711: what a telephone line does to 16-bit samples (ITU-T G.711, A-law and mu-law), by table."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probes.hearing.wav import Pcm

Law = Literal["a", "mu"]


def _a_law() -> NDArray[np.int32]:
    code = np.arange(256) ^ 0x55
    step, segment = (code & 0x0F) << 4, (code & 0x70) >> 4
    value = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, value, -value).astype(np.int32)


def _mu_law() -> NDArray[np.int32]:
    code = ~np.arange(256) & 0xFF
    value = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -value, value).astype(np.int32)


def _nearest(values: NDArray[np.int32]) -> NDArray[np.uint8]:
    order = np.argsort(values, kind="stable")
    ordered, sample = values[order], np.arange(-32768, 32768)
    above = np.clip(np.searchsorted(ordered, sample), 1, 255)
    below = np.abs(ordered[above - 1] - sample) <= np.abs(ordered[above] - sample)
    nearest: NDArray[np.uint8] = order[above - below].astype(np.uint8)
    return nearest


_DECODE = {"a": _a_law(), "mu": _mu_law()}
_ENCODE = {law: _nearest(values) for law, values in _DECODE.items()}


def encode(pcm: Pcm, law: Law = "a") -> NDArray[np.uint8]:
    """Returns the G.711 bytes of ``pcm``, one per sample."""
    return _ENCODE[law][pcm.astype(np.int32) + 32768]


def decode(payload: NDArray[np.uint8], law: Law = "a") -> Pcm:
    """Returns the samples of G.711 bytes."""
    return _DECODE[law][payload].astype(np.int16)


def round_trip(pcm: Pcm, law: Law = "a") -> Pcm:
    """Returns ``pcm`` as the other side of a G.711 line hears it."""
    return decode(encode(pcm, law), law)
