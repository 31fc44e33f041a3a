"""Fingerprints of sound: one 16-bit word every 20 ms, so that sound heard before can be looked up in an index.

A word says for each of 16 pairs of neighbouring bands between 200 and 2000 Hz whether their difference has grown in
the last 120 ms, in windows of half a second. Of two copies of a recording a tenth of the words are equal even with
noise 10 dB under the voice; of two renderings of the same sentence hardly any. Equal words alone prove nothing:
whoever finds some compares the waves (:mod:`probes.rehearing.repeats`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal import resample_poly

from probes.hearing.frames import cut
from probes.hearing.wav import RATE, Pcm

HOP = RATE // 50  # samples between two words
HOP_S = HOP / RATE
Words = NDArray[np.int32]  # one a hop; -1: nothing to be heard there

_THIN = 2  # every second sample is enough below 2 kHz
_WINDOW = 2048  # of those
_BANDS = 17
_LAG = 6  # hops
_EDGES_HZ = np.geomspace(200, 2000, _BANDS + 1)
_SILENT = 40.0  # RMS below which a window holds nothing to compare
_POSTINGS = 96  # of one word are kept: a word that is everywhere finds nothing
_BLOCK = 1024  # windows transformed at once


def _bands() -> NDArray[np.float32]:
    hz = np.arange(_WINDOW // 2 + 1) * (RATE / _THIN / _WINDOW)
    inside = (hz[:, None] >= _EDGES_HZ[:-1]) & (hz[:, None] < _EDGES_HZ[1:])
    return inside.astype(np.float32)


_SUM = _bands()
_SHAPE = np.hanning(_WINDOW).astype(np.float32)
_BITS = (1 << np.arange(_BANDS - 1)).astype(np.int32)


def words(pcm: Pcm) -> Words:
    """Returns the words of ``pcm``; word ``i`` belongs to the window that begins at sample ``i * HOP``."""
    frames = cut(resample_poly(pcm.astype(np.float32), 1, _THIN), _WINDOW, HOP // _THIN)
    if len(frames) <= _LAG:
        return np.full(len(frames), -1, np.int32)
    energy = np.empty((len(frames), _BANDS), np.float32)
    loud = np.empty(len(frames), bool)
    for first in range(0, len(frames), _BLOCK):
        part = frames[first : first + _BLOCK] * _SHAPE  # float32 throughout
        energy[first : first + len(part)] = np.square(np.abs(rfft(part, axis=1))) @ _SUM
        loud[first : first + len(part)] = np.sqrt(np.mean(part**2, axis=1)) > _SILENT
    level = np.log(energy + 1.0)
    slope = np.diff(level, axis=1)
    rising = (slope[_LAG:] - slope[:-_LAG]) > 0
    found = np.full(len(frames), -1, np.int32)
    found[_LAG:] = np.where(loud[_LAG:] & loud[:-_LAG], rising.astype(np.int32) @ _BITS, -1)
    return found


class Index:
    """Where each word occurs in a set of calls."""

    def __init__(self, calls: Sequence[Words]) -> None:
        whole = np.concatenate([*calls, np.zeros(0, np.int32)])
        owner = np.repeat(np.arange(len(calls), dtype=np.int32), [len(call) for call in calls])
        place = np.concatenate([*(np.arange(len(call), dtype=np.int32) for call in calls), np.zeros(0, np.int32)])
        heard = whole >= 0
        order = np.argsort(whole[heard], kind="stable")
        self._owner, self._place = owner[heard][order], place[heard][order]
        self._starts = np.searchsorted(whole[heard][order], np.arange(2**16 + 1))

    def lookup(self, query: Words) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Returns where the words of ``query`` occur: position in the query, call, and position in that call."""
        heard = np.flatnonzero(query >= 0).astype(np.int32)
        first, last = self._starts[query[heard]], self._starts[query[heard] + 1]
        count = np.minimum(last - first, _POSTINGS)
        at = np.repeat(heard, count)
        within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        # evenly among all the postings of a word, so that none of the calls is favoured
        step = np.repeat((last - first) / np.maximum(count, 1), count)
        posting = np.repeat(first, count) + (within * step).astype(np.int64)
        return at, self._owner[posting], self._place[posting]
