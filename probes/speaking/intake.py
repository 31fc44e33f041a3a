"""From a file somebody recorded to a line of a call: read, judged, trimmed, at telephone rate and level."""

from __future__ import annotations

import struct
import warnings
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.ndimage import binary_closing
from scipy.signal import butter, resample_poly, sosfiltfilt

from probes.hearing.wav import RATE, Pcm
from probes.speaking.level import TELEPHONE_DBOV, active_level
from scenarios.errors import InputError

SHORTEST_S, LONGEST_S = 0.3, 30.0
LONGEST_FILE_S = 300.0
QUIETEST_DBOV = -55.0
PEAK_DBFS = -3.0
LOWEST_DBOV = TELEPHONE_DBOV - 6  # what a single bang may cost; more is refused
_RATES = (8000, 48000)
_WIDTHS = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}
_RUMBLE_HZ = 100
_FRAME, _KEEP_S = 80, 0.02  # frames of 10 ms
_RUN, _GAP = 5, 15  # fewer frames that stand alone are a click; within so many of speech they belong to it
_TOP_RUN, _FULL_SCALE, _TOPS_FULL, _TOPS_LOWER = 3, 0.97, 3, 10

Sound = NDArray[np.float64]


def read_sound(path: Path) -> tuple[Sound, int]:
    """Reads a WAV file: PCM of 16, 24 or 32 bit, or floating point; one or two channels; 8 to 48 kHz.

    Returns:
        Samples re full scale 1, shape ``(n,)``, and how many of them make a second. Of two channels, the louder one.

    Raises:
        InputError: the file is missing, is no such WAV, or ends before its time.
    """
    cure = "save it as WAV: PCM of 16, 24 or 32 bit, one or two channels, 8 to 48 kHz"
    if not path.is_file():
        raise InputError("there is no such recording", file=path, cure="check the path")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=wavfile.WavFileWarning)
            warnings.filterwarnings("error", message="Reached EOF", category=wavfile.WavFileWarning)
            rate, data = wavfile.read(path)
    except wavfile.WavFileWarning:
        raise InputError("this WAV file ends before its time", file=path, cure="copy or record it again") from None
    except (ValueError, EOFError, OSError, IndexError, UnboundLocalError, struct.error) as error:
        raise InputError(f"this is no WAV file that can be read: {error}", file=path, cure=cure) from error
    full = _WIDTHS.get(str(data.dtype))
    if full is None or data.ndim > 2 or (data.ndim == 2 and data.shape[1] > 2):
        channels = 1 if data.ndim == 1 else data.shape[1]
        raise InputError(f"{channels} channel(s) of {data.dtype} samples", file=path, cure=cure)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise InputError(f"{rate} Hz", file=path, cure=cure)
    sound = data.astype(np.float64) / full
    if sound.ndim == 2:
        sound = sound[:, int(np.argmax(np.sum(sound**2, axis=0)))] if len(sound) else sound[:, 0]
    if not np.isfinite(sound).all():
        raise InputError("some samples are no numbers", file=path, cure=cure)
    return sound, int(rate)


def clipped(sound: Sound) -> int:
    """Counts flat tops: three or more samples on end that stay at the largest value of their sign.

    Args:
        sound: samples re full scale 1 as they were recorded, before any filter, shape ``(n,)``.

    Returns:
        How many there are; 0 where they are too few to be clipping (fewer than three that reach 97 % of full scale,
        fewer than ten below it, where they come from an amplifier before the converter).
    """
    if not len(sound):
        return 0
    tops = 0
    for side in (sound, -sound):
        peak = float(side.max())
        if peak <= 0:
            continue
        flat = side >= peak - min(2.0**-14, peak / 1000)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], flat.astype(np.int8), [0]))))
        tops += int(np.count_nonzero(edges[1::2] - edges[::2] >= _TOP_RUN))
    enough = _TOPS_FULL if np.abs(sound).max() >= _FULL_SCALE else _TOPS_LOWER
    return tops if tops >= enough else 0


def prepare(path: Path) -> Pcm:
    """Makes a line of a recorded file.

    Returns:
        Samples at 8 kHz, shape ``(n,)``: without rumble below 100 Hz, about 20 ms of silence before and after, active
        level -26 dBov (ITU-T P.56), peaks below -3 dBFS; where a peak does not allow that level, up to 6 dB less.

    Raises:
        InputError: the file cannot be read, or is clipped, silent, too short or too long; with the cure.
    """
    sound, rate = read_sound(path)
    if len(sound) > LONGEST_FILE_S * rate:
        raise InputError(
            f"this file lasts {len(sound) / rate:.0f} s", file=path, cure="cut out the one line that is to be spoken"
        )
    tops = clipped(sound)
    if tops:
        raise InputError(
            f"this recording is clipped: {tops} flat tops",
            file=path,
            cure="lower the microphone's gain and record it again; making a clipped file quieter does not help",
        )
    spoken = _speech(_telephone(sound, rate), path)
    seconds = len(spoken) / RATE
    if seconds < SHORTEST_S:
        raise InputError(
            f"only {seconds:.2f} s of speech are left without the silence around them",
            file=path,
            cure=f"record the whole line, at least {SHORTEST_S:g} s",
        )
    if seconds > LONGEST_S:
        raise InputError(
            f"this line lasts {seconds:.0f} s",
            file=path,
            cure=f"at most {LONGEST_S:g} s: record one line, not a script",
        )
    return levelled(spoken, path)


def levelled(spoken: Pcm | Sound, path: Path | None = None) -> Pcm:
    """Returns speech (re full scale 32768, 8 kHz) at telephone level.

    Raises:
        InputError: a peak stands so far above the rest that the speech would be left too quiet.
    """
    sound = np.asarray(spoken, np.float64)
    level, peak = active_level(sound), float(np.abs(sound).max(initial=0.0))
    if not np.isfinite(level) or peak <= 0:
        raise InputError("this recording is silent", file=path, cure="check the microphone and record it again")
    ceiling = 32768 * 10 ** (PEAK_DBFS / 20) - 1
    gain_db = min(TELEPHONE_DBOV - level, 20 * np.log10(ceiling / peak))
    if level + gain_db < LOWEST_DBOV:
        raise InputError(
            f"one bang stands {20 * np.log10(peak / 32768) - level:.0f} dB above the speech",
            file=path,
            cure="record it again without touching the microphone",
        )
    louder: Pcm = np.rint(sound * 10 ** (gain_db / 20)).astype(np.int16)
    return louder


def _telephone(sound: Sound, rate: int) -> Sound:
    """Returns the sound at 8 kHz re full scale 32768, without direct current and rumble."""
    if not len(sound):
        return sound
    shared = gcd(RATE, rate)
    heard: Sound = resample_poly(sound - sound.mean(), RATE // shared, rate // shared) * 32768
    sections = butter(2, _RUMBLE_HZ, "highpass", fs=RATE, output="sos")
    filtered: Sound = sosfiltfilt(sections, heard, padlen=min(len(heard) - 1, RATE // 10))
    return filtered


def _speech(sound: Sound, path: Path) -> Sound:
    """Cuts off what comes before and after the speech: silence, room noise, the click of a key.

    Raises:
        InputError: nothing in it is loud enough to be speech.
    """
    level = active_level(sound)
    if level < QUIETEST_DBOV:
        shown = f"{level:.0f} dBov" if np.isfinite(level) else "no speech in it"
        raise InputError(
            f"this recording is silent ({shown})",
            file=path,
            cure="check that the microphone is the right one, is not muted, and is near the mouth",
        )
    frames = np.pad(sound, (0, -len(sound) % _FRAME)).reshape(-1, _FRAME)
    loudness = np.sqrt(np.mean(frames**2, axis=1))
    speech = 32768 * 10 ** (level / 20)
    threshold = np.clip(2 * np.percentile(loudness, 10), speech * 10 ** (-35 / 20), speech * 10 ** (-15.9 / 20))
    closed = binary_closing(np.pad(loudness > threshold, _GAP), np.ones(_GAP, np.bool_))[_GAP:-_GAP]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], closed.astype(np.int8), [0]))))
    runs = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start >= _RUN]
    if not runs:
        return sound[:0]
    keep = int(_KEEP_S * RATE)
    return sound[max(0, int(runs[0][0]) * _FRAME - keep) : int(runs[-1][1]) * _FRAME + keep]
