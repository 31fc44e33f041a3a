"""Music on hold, made up from a seed: broken chords over a bass, as a telephone would play them."""

from __future__ import annotations

import numpy as np

from probes.hearing.wav import RATE, Pcm

_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # I vi IV V, semitones above the key
_PARTIALS = ((1, 1.0), (2, 0.5), (3, 0.28), (4, 0.12))


def hold_music(seconds: float, seed: int = 0, level_dbfs: float = -22.0) -> Pcm:
    """Makes music on hold; the same arguments give the same samples.

    Args:
        seconds: how long.
        seed: chooses key, tempo and melody.
        level_dbfs: RMS level re full scale 32768.

    Returns:
        Samples at 8 kHz, shape ``(round(seconds * 8000),)``.
    """
    random = np.random.default_rng(seed)
    key = 48 + int(random.integers(0, 8))
    beat = float(random.uniform(0.28, 0.42))
    sound = np.zeros(round(seconds * RATE) + 2 * RATE)
    for step in range(int(seconds / beat) + 1):
        chord = _CHORDS[step // 8 % 4]
        start = int(step * beat * RATE)
        if step % 4 == 0:
            _pluck(sound, start, key - 12 + chord[0], 4 * beat, 0.9)
            for tone in chord:
                _pluck(sound, start, key + tone, 4 * beat, 0.5)
        if random.random() < 0.8:
            _pluck(sound, start, key + 12 + chord[int(random.integers(3))], 1.5 * beat, 0.8)
    sound = sound[: round(seconds * RATE)]
    rms = np.sqrt(np.mean(sound**2)) if len(sound) else 1.0
    scaled = sound * (32768 * 10 ** (level_dbfs / 20) / max(rms, 1e-9))
    return np.clip(np.rint(scaled), -32000, 32000).astype(np.int16)


def _pluck(sound: np.typing.NDArray[np.float64], start: int, note: int, seconds: float, strength: float) -> None:
    """Adds one note (MIDI number) that swells within 10 ms and dies away."""
    time = np.arange(int(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((note - 69) / 12)
    shape = strength * np.minimum(time / 0.01, 1) * np.exp(-1.2 * time / seconds)
    shape *= np.minimum((seconds - time) / 0.01, 1)
    wave = sum(share * np.sin(2 * np.pi * frequency * partial * time) for partial, share in _PARTIALS)
    end = min(len(sound), start + len(time))
    if start < end:
        sound[start:end] += (shape * wave)[: end - start]
