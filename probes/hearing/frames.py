"""Overlapping frames cut from a stream of blocks of any length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.hearing.wav import Pcm


def cut(samples: NDArray[Any], window: int, hop: int) -> NDArray[Any]:
    """Returns all whole frames of ``samples``, shape ``(n, window)``, one every ``hop`` samples."""
    count = max(0, (len(samples) - window) // hop + 1)
    if not count:
        return np.zeros((0, window), samples.dtype)
    whole, item = np.ascontiguousarray(samples), samples.itemsize
    return np.ndarray((count, window), whole.dtype, whole, strides=(hop * item, item)).copy()


class Frames:
    """Cuts a stream into frames of ``window`` samples, one every ``hop`` samples, at least ``batch`` at a time."""

    def __init__(self, window: int, hop: int, batch: int = 1) -> None:
        self.window, self.hop, self.batch = window, hop, batch
        self.count = 0  # frames given out so far: the next frame starts at sample count * hop
        self._rest: Pcm = np.zeros(0, np.int16)

    def push(self, pcm: Pcm, *, all_of_it: bool = False) -> NDArray[np.int16]:
        """Takes the next samples; returns the frames they complete, shape ``(n, window)``, and counts them."""
        self._rest = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        ready = (len(self._rest) - self.window) // self.hop + 1
        if ready < (1 if all_of_it else self.batch):
            return np.zeros((0, self.window), np.int16)
        frames = cut(self._rest, self.window, self.hop)
        self._rest = self._rest[ready * self.hop :]
        self.count += ready
        return frames
