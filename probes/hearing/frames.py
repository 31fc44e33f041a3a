"""Overlapping frames cut from a stream of blocks of any length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.hearing.wav import Pcm


class Frames:
    """Cuts a stream into frames of ``window`` samples, one every ``hop`` samples."""

    def __init__(self, window: int, hop: int) -> None:
        self.window, self.hop = window, hop
        self.count = 0  # frames given out so far: the next frame starts at sample count * hop
        self._rest: Pcm = np.zeros(0, np.int16)

    def push(self, pcm: Pcm) -> NDArray[np.int16]:
        """Takes the next samples; returns the frames they complete, shape ``(n, window)``, and counts them."""
        self._rest = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        ready = max(0, (len(self._rest) - self.window) // self.hop + 1)
        if not ready:
            return np.zeros((0, self.window), np.int16)
        frames: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(self._rest, self.window)[:: self.hop][:ready]
        self._rest = self._rest[ready * self.hop :]
        self.count += ready
        return frames
