"""Bursts of pure tone: a 40 ms window every 20 ms, projected onto each frequency or pair of frequencies of interest.

A frame is tonal when most of its power lies in one such subspace, which no speech and hardly any music does. An edge
is where the amplitude passes half of the burst's own: with a symmetric window that is the true edge.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probes.hearing.frames import Frames
from probes.hearing.wav import RATE, Pcm

_WINDOW, _HOP = 320, 160
_LABELS = ("450", "400", "440+480", "480+620", "400+450")  # "450" stands for 450 +- 25 Hz
_SINGLE = 2  # the first two labels are single frequencies
_SUBSPACES = ("425", "450", "475", "400", *_LABELS[_SINGLE:])
_PURITY = 0.45  # least share of a frame's power in its tone
_FLOOR_DBFS = -48.0
_PAIR_GAIN = 0.08  # a pair must explain so much more than the best single frequency
_SHORTEST = 0.12
_TIME = np.arange(_WINDOW) / RATE
_HANN = np.hanning(_WINDOW).astype(np.float32)
_SCALE = float(_HANN @ _HANN) * 32768.0**2
_NOTHING = np.zeros(len(_LABELS), np.float32)


def _subspace(label: str) -> NDArray[np.float64]:
    waves = [wave(2 * np.pi * float(hz) * _TIME) * _HANN for hz in label.split("+") for wave in (np.cos, np.sin)]
    return np.stack(waves, axis=1)


_BASIS = [np.linalg.qr(_subspace(label))[0] for label in _SUBSPACES]
_PROJECT = np.concatenate(_BASIS, axis=1).astype(np.float32)  # (window, sum of dimensions)
_FIRST = np.cumsum([0] + [basis.shape[1] for basis in _BASIS])[:-1]
_PARTS = np.concatenate([np.linalg.pinv(_subspace(label)) for label in _LABELS[_SINGLE:]]).T.astype(np.float32)


@dataclass(frozen=True)
class Burst:
    """One burst of one tone; times in session seconds."""

    label: str
    start: float
    end: float
    clean: bool  # very pure, and level

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


class _Frame(NamedTuple):
    t: float  # of its middle
    label: int  # index in _LABELS, or -1
    purity: float
    level: float  # dBFS
    power: NDArray[np.float32]  # per label


@dataclass
class _Open:
    label: int
    start: float
    frames: list[_Frame]


class Bursts:
    """Finds the bursts of a stream. ``origin`` is the session time of the first sample."""

    def __init__(self, origin: float = 0.0) -> None:
        self._origin = origin
        self._frames = Frames(_WINDOW, _HOP, batch=8)
        self._past: deque[_Frame] = deque(maxlen=64)
        self.open: _Open | None = None

    @property
    def now(self) -> float:
        """Session time of the middle of the last frame."""
        return self._past[-1].t if self._past else self._origin

    def push(self, pcm: Pcm) -> list[Burst]:
        """Takes the next samples; returns the bursts that have ended."""
        first = self._frames.count
        return self._hear(self._analyse(self._frames.push(pcm), first))

    def quiet_after(self, burst: Burst) -> bool:
        """Whether silence followed a burst that has ended less than a second ago."""
        after = [frame.level for frame in self._past if frame.t > burst.end + 0.04]
        within = [frame.level for frame in self._past if burst.start < frame.t < burst.end]
        return bool(after and within) and max(after) < max(within) - 15

    def finish(self) -> list[Burst]:
        """Ends the stream; returns the bursts that have ended with it."""
        first = self._frames.count
        found = self._hear(self._analyse(self._frames.push(np.zeros(0, np.int16), all_of_it=True), first))
        burst = None if self.open is None else self._close(self.open)
        self.open = None
        return found if burst is None else [*found, burst]

    def _hear(self, frames: list[_Frame]) -> list[Burst]:
        found: list[Burst] = []
        if self.open is None and not any(frame.label >= 0 for frame in frames):
            last = [frame.label for frame in list(self._past)[-4:]]
            if max(last, default=-1) < 0:
                self._past.extend(frames)
                return found  # nothing to vote on
        for frame in frames:
            self._past.append(frame)
            vote = self._vote()
            if self.open is not None and vote != self.open.label:
                burst = self._close(self.open)
                self.open = None
                if burst is not None:
                    found.append(burst)
            if self.open is None and vote >= 0:
                self.open = self._begin(vote)
            elif self.open is not None:
                self.open.frames.append(frame)
        return found

    def _analyse(self, frames: NDArray[np.int16], first: int) -> list[_Frame]:
        if not len(frames):
            return []
        shaped = frames * _HANN
        total = np.einsum("nt,nt->n", shaped, shaped)
        level = 10 * np.log10(total / _SCALE + 1e-12)
        levels = level.tolist()
        if max(levels) < _FLOOR_DBFS:
            return [_Frame(self._middle(first + i), -1, 0.0, quiet, _NOTHING) for i, quiet in enumerate(levels)]
        waves = shaped @ _PROJECT
        waves *= waves
        every = np.add.reduceat(waves, _FIRST, axis=1)
        power = every[:, 2:]
        np.maximum(power[:, 0], every[:, 0], out=power[:, 0])
        np.maximum(power[:, 0], every[:, 1], out=power[:, 0])
        share = power / (total[:, None] + 1e3)
        purest = share.max(axis=1)
        if purest.max() <= _PURITY:
            best, purity = np.full(len(frames), -1), purest
        else:
            parts = ((shaped @ _PARTS) ** 2).reshape(len(frames), -1, 2, 2).sum(axis=3)  # (n, pairs, member)
            share[:, _SINGLE:][parts.min(axis=2) < 0.15 * parts.max(axis=2)] = 0  # both members must be there
            single, pair = share[:, :_SINGLE].argmax(axis=1), share[:, _SINGLE:].argmax(axis=1) + _SINGLE
            row = np.arange(len(frames))
            best = np.where(share[row, pair] > share[row, single] + _PAIR_GAIN, pair, single)
            purity = share[row, best]
            best = np.where((purity > _PURITY) & (level > _FLOOR_DBFS), best, -1)
        return [
            _Frame(self._middle(first + i), label, pure, loud, power[i])
            for i, (label, pure, loud) in enumerate(zip(best.tolist(), purity.tolist(), levels, strict=True))
        ]

    def _middle(self, index: int) -> float:
        return self._origin + (index * _HOP + _WINDOW / 2) / RATE

    def _vote(self) -> int:
        """The label of at least three of the last five frames, or -1."""
        last = [self._past[-index].label for index in range(1, min(5, len(self._past)) + 1)]
        return next((label for label in last[:3] if label >= 0 and last.count(label) >= 3), -1)

    def _begin(self, label: int) -> _Open:
        past = list(self._past)[-16:]
        amplitude = [float(np.sqrt(frame.power[label])) for frame in past]
        half = max(amplitude[-5:]) / 2
        pure = 0.6 * max(frame.purity for frame in past[-3:])
        index = len(past) - 1
        while index > 0 and amplitude[index - 1] >= half and past[index - 1].purity > pure:
            index -= 1
        start = past[index].t
        if index > 0 and amplitude[index - 1] < half:
            start -= _HOP / RATE * (amplitude[index] - half) / (amplitude[index] - amplitude[index - 1])
        return _Open(label, start, [frame for frame in past[index:] if frame.label == label])

    def _close(self, burst: _Open) -> Burst | None:
        tonal = [frame for frame in burst.frames if frame.label == burst.label]
        core = tonal[2:-2] if len(tonal) > 6 else tonal
        if not core:
            return None
        half = float(np.sqrt(np.median([frame.power[burst.label] for frame in core]))) / 2
        frames = burst.frames + [frame for frame in self._past if frame.t > burst.frames[-1].t]
        end = frames[-1].t
        for this, after in reversed(list(pairwise(frames))):
            high, low = float(np.sqrt(this.power[burst.label])), float(np.sqrt(after.power[burst.label]))
            if high >= half > low:
                end = this.t + _HOP / RATE * (high - half) / (high - low)
                break
        purity = float(np.mean([frame.purity for frame in core]))
        spread = float(np.std([frame.level for frame in core]))
        pair = burst.label >= _SINGLE  # two frequencies beat
        if end - burst.start < _SHORTEST or spread > (3.0 if pair else 1.0 if purity > 0.85 else 2.0):
            return None
        return Burst(_LABELS[burst.label], burst.start, end, purity > 0.85 and (pair or spread < 0.7))
