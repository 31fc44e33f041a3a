"""When the line opens: the faint noise of a room or a headset where there was digital silence before.

Ringing that pauses and music that has stopped are silence without any noise. An open line never is. The step from one
to the other is the moment at which somebody was connected, heard before they speak.
"""

from __future__ import annotations

import numpy as np

from probes.hearing.wav import RATE, Pcm
from probes.session import Event

U_OPEN = 0.02  # standard uncertainty, s: one frame

_FRAME = RATE // 50
_DEAD = 3.0  # AC level (RMS) below which a frame holds nothing, not even noise
_MEAN = np.full(_FRAME, 1 / _FRAME)
_QUIET_FRAMES = 10  # dead frames before the step
_OPEN_FRAMES = 8  # frames after it that are not dead


class LineNoise:
    """Hears one call. ``origin`` is the session time of the first sample."""

    def __init__(self, origin: float = 0.0) -> None:
        self._origin = origin
        self._rest: Pcm = np.zeros(0, np.int16)
        self._frames = 0
        self._dead = 0  # dead frames in a row, up to the last one that was
        self._open = 0  # frames in a row since that are not dead

    def push(self, pcm: Pcm) -> list[Event]:
        """Takes the next samples; returns ``line_open`` once it is certain, stamped at the step."""
        heard = np.concatenate((self._rest, pcm))
        count = len(heard) // _FRAME
        self._rest = heard[count * _FRAME :]
        frames = heard[: count * _FRAME].reshape(count, _FRAME).astype(np.float64)
        powers = np.einsum("nt,nt->n", frames, frames) / _FRAME - (frames @ _MEAN) ** 2
        events = []
        for power in powers.tolist():
            self._frames += 1
            if power < _DEAD**2:
                self._dead = 1 if self._open else self._dead + 1
                self._open = 0
                continue
            self._open += 1
            if self._open == _OPEN_FRAMES and self._dead >= _QUIET_FRAMES:
                t = self._origin + (self._frames - _OPEN_FRAMES) * _FRAME / RATE
                events.append(Event(kind="line_open", t=t, method="voice", u=U_OPEN))
        return events
