"""The level of speech as a telephone engineer means it: over the time in which somebody speaks (ITU-T P.56, method B).

0 dBov is a square wave at full scale, so a sine at full scale has -3.01 dBov; dBm0 = dBov + 6.15 for A-law.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from probes.hearing.wav import RATE, Pcm

TELEPHONE_DBOV = -26.0  # about -20 dBm0
SILENT = float("-inf")
_FULL = 32768.0
_SMOOTHING_S, _HANGOVER_S, _MARGIN_DB = 0.03, 0.2, 15.9
_STEPS = 16  # thresholds from 2^-16 to 1/2 of full scale


def active_level(pcm: Pcm | NDArray[np.float64], rate: int = RATE) -> float:
    """Measures the active speech level; pauses longer than 0.2 s do not lower it.

    Args:
        pcm: samples re full scale 32768, shape ``(n,)``.
        rate: samples a second.

    Returns:
        dBov; ``-inf`` if nothing in it is loud enough to be activity (silence, or nothing at all).
    """
    sound = np.asarray(pcm, np.float64) / _FULL
    energy = float(np.sum(sound**2))
    if not len(sound) or energy <= 0:
        return SILENT
    keep = np.exp(-1 / (rate * _SMOOTHING_S))
    once = lfilter([1 - keep], [1, -keep], np.abs(sound))
    envelope = lfilter([1 - keep], [1, -keep], once)
    hangover = round(_HANGOVER_S * rate)
    lasting = maximum_filter1d(envelope, hangover + 1, mode="constant", origin=hangover // 2)
    thresholds = 2.0 ** np.arange(-_STEPS, 0)
    active = np.array([np.count_nonzero(lasting >= threshold) for threshold in thresholds])
    counted = active > 0
    if not counted.any():
        return SILENT
    levels = 10 * np.log10(energy / active[counted])
    over = levels - 20 * np.log10(thresholds[counted])  # falls as the threshold rises
    below = np.flatnonzero(over <= _MARGIN_DB)
    if not len(below):
        return float(levels[-1])
    first = int(below[0])
    if first == 0:
        return SILENT
    share = (over[first - 1] - _MARGIN_DB) / (over[first - 1] - over[first])
    return float(levels[first - 1] + share * (levels[first] - levels[first - 1]))
