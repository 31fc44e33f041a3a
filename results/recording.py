"""A recording as a web page can carry it: one channel, 8 kHz, A-law: 8 kB a second, as the line had it."""

from __future__ import annotations

import struct
import wave
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import RunError

RATE = 8000


def _levels() -> NDArray[np.int32]:
    """The value of each A-law code (ITU-T G.711)."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    size = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int32)


_LEVELS = _levels()
_CODES = np.argsort(_LEVELS)
_EDGES = (_LEVELS[_CODES][1:] + _LEVELS[_CODES][:-1]) / 2


def alaw(pcm: NDArray[np.int16]) -> bytes:
    """Returns 16-bit samples as A-law codes, each the nearest one."""
    return _CODES[np.searchsorted(_EDGES, pcm, side="right")].astype(np.uint8).tobytes()


def mono(path: Path) -> NDArray[np.int16]:
    """Returns the sum of a recording's channels at 8 kHz, shape ``(n,)``.

    Raises:
        RunError: the file is missing or no 16-bit WAV.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise RunError(f"this recording cannot be read: {error}", file=path) from error
    if width != 2:
        raise RunError(f"this recording has {8 * width} bits, not 16", file=path)
    whole = len(data) // (2 * channels) * 2 * channels
    mixed = np.frombuffer(data[:whole], "<i2").reshape(-1, channels).sum(axis=1, dtype=np.float64)
    if rate != RATE:
        common = gcd(rate, RATE)
        from scipy.signal import resample_poly

        mixed = resample_poly(mixed, RATE // common, rate // common)
    samples: NDArray[np.int16] = np.clip(np.round(mixed), -32768, 32767).astype(np.int16)
    return samples


def web_wav(path: Path) -> bytes:
    """Returns the recording as an A-law WAV file, one channel, 8 kHz.

    Raises:
        RunError: the file is missing or no 16-bit WAV.
    """
    data = alaw(mono(path))
    fmt = struct.pack("<4sIHHIIHHH", b"fmt ", 18, 6, 1, RATE, RATE, 1, 8, 0)
    fact = struct.pack("<4sII", b"fact", 4, len(data))
    body = fmt + fact + struct.pack("<4sI", b"data", len(data)) + data + b"\0" * (len(data) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body
