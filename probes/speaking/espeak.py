"""Speech synthesis for the sandbox and for drafts: eSpeak NG in this process, at telephone rate and level.

The engine keeps global state and is not reproducible to the sample between two calls, so it is guarded by one lock
and whoever needs the same recording twice keeps it (:mod:`probes.speaking.speaker`).
"""

from __future__ import annotations

import atexit
import ctypes
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from math import ceil, gcd
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from probes.hearing.wav import RATE, Pcm
from scenarios.errors import HarnessFault, ToolMissing

LEVEL_DBFS = -20.0  # RMS of the voiced parts, re full scale 32768
_SYNCHRONOUS, _NO_EXIT = 2, 0x8000
_CHARS_UTF8 = 1
_RATE_PARAMETER, _PITCH_PARAMETER = 1, 3
_LONGEST_DATA_PATH = 120  # the engine keeps its data path in a fixed buffer and falls back to a wrong one beyond it
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

_lock = threading.Lock()


class _Engine:
    """The one engine of this process. Callers hold ``_lock``."""

    def __init__(self) -> None:
        self.data = Path(espeakng_loader.get_data_path())
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise ToolMissing(f"the speech engine does not load: {error}; reinstall espeakng-loader") from error
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, _short(self.data), _NO_EXIT))
        if self.rate <= 0:
            raise ToolMissing(f"the speech engine finds no data in {self.data}; reinstall espeakng-loader")
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self._heard: list[NDArray[np.int16]] = []
        self._callback: Callable[..., int] = _CALLBACK(self._take)  # kept: the engine holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, text: str, name: str, wpm: int, pitch: int) -> NDArray[np.int16]:
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise HarnessFault(f"the speech engine has no voice {name!r}")
        self._library.espeak_SetParameter(_RATE_PARAMETER, wpm, 0)
        self._library.espeak_SetParameter(_PITCH_PARAMETER, pitch, 0)
        self._heard.clear()
        data = text.encode()
        if self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _CHARS_UTF8, None, None) != 0:
            raise HarnessFault("the speech engine could not say a sentence")
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.int16)


def _short(data: Path) -> bytes:
    """Returns the data path as the engine can hold it: through a link in the temporary folder if it is too long."""
    if len(bytes(data)) <= _LONGEST_DATA_PATH:
        return bytes(data)
    folder = Path(tempfile.mkdtemp(prefix="espeak-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = folder / "espeak-ng-data"
    link.symlink_to(data, target_is_directory=True)
    return bytes(link)


@cache
def _engine() -> _Engine:
    return _Engine()


def variants() -> list[str]:
    """Returns the names of the voice variants the installed engine has (``f2``, ``m3``, ...)."""
    return sorted(path.name for path in (Path(espeakng_loader.get_data_path()) / "voices" / "!v").iterdir())


def render(text: str, *, voice: str = "cmn", variant: str | None = None, wpm: int = 175, pitch: int = 50) -> Pcm:
    """Says ``text``.

    Args:
        text: plain text.
        voice: the engine's language voice: ``cmn`` or ``en-us``.
        variant: another speaker of the same language, one of :func:`variants`.
        wpm: speed, words per minute (80 to 450).
        pitch: 0 to 99; 50 is the speaker's own.

    Returns:
        Samples at 8 kHz, about -20 dBFS RMS over the voiced parts, at most 30 ms of silence before and after.
        Two calls with the same arguments differ by a few samples.

    Raises:
        HarnessFault: the voice or variant does not exist, or nothing could be said.
        ToolMissing: the engine or its data is not installed.
    """
    if variant is not None and variant not in variants():  # the engine itself would silently take its default
        raise HarnessFault(f"the speech engine has no variant {variant!r}")
    with _lock:
        engine = _engine()
        raw = engine.speak(text, voice if variant is None else f"{voice}+{variant}", wpm, pitch)
    spoken = trim(_levelled(_resampled(raw, engine.rate)))
    if not len(spoken):
        raise HarnessFault(f"the speech engine found nothing to say in {text!r}")
    return spoken


@cache
def _kernel(up: int, down: int, half: int = 16) -> tuple[NDArray[np.float32], int]:
    """Windowed-sinc filters, one per output phase: shape ``(up, taps)``, and how far they reach back."""
    cut = min(1.0, up / down) * 0.94  # of the input's Nyquist: the last 6 % are the transition band
    reach = ceil(half * max(1.0, down / up))
    offset = np.arange(-reach + 1, reach + 1)[None, :] - (np.arange(up) / up)[:, None]
    window = np.cos(np.pi / 2 * np.clip(offset / reach, -1, 1)) ** 2
    taps = cut * np.sinc(cut * offset) * window
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32), reach - 1


def _resampled(raw: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    if not len(raw):
        return np.zeros(0, np.float32)
    up, down = RATE // gcd(RATE, rate), rate // gcd(RATE, rate)
    filters, back = _kernel(up, down)
    position = np.arange(len(raw) * up // down) * down
    padded = np.pad(raw.astype(np.float32), (back, filters.shape[1]))
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])
    sound: NDArray[np.float32] = np.einsum("nt,nt->n", windows[position // up], filters[position % up])
    return sound


def _frame_rms(pcm: NDArray[Any], size: int = 40) -> NDArray[np.float64]:
    whole = np.pad(pcm.astype(np.float64), (0, -len(pcm) % size)).reshape(-1, size)
    rms: NDArray[np.float64] = np.sqrt(np.mean(whole**2, axis=1))
    return rms


def _levelled(sound: NDArray[np.float32]) -> Pcm:
    rms = _frame_rms(sound, 160)
    if not len(rms) or rms.max() < 1:
        return np.zeros(0, np.int16)
    voiced = rms[rms > rms.max() / 10]
    gain = 32768 * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(voiced**2))
    gain = min(gain, 30000 / np.abs(sound).max())
    levelled: Pcm = np.rint(sound * gain).astype(np.int16)
    return levelled


def trim(pcm: Pcm, keep_s: float = 0.02) -> Pcm:
    """Returns ``pcm`` without the silence before and after it, but for ``keep_s`` seconds of each."""
    rms = _frame_rms(pcm)
    loud = np.flatnonzero(rms > max(8.0, rms.max(initial=0.0) / 60))
    if not len(loud):
        return pcm[:0]
    keep = int(keep_s * RATE)
    return pcm[max(0, loud[0] * 40 - keep) : loud[-1] * 40 + 40 + keep]
