"""Telephone audio in memory and on disk: 8 kHz, mono, 16 bit."""

from __future__ import annotations

import os
import wave
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import InputError

RATE = 8000

Pcm: TypeAlias = NDArray[np.int16]


def read_wav(path: Path) -> Pcm:
    """Reads a recording.

    Args:
        path: a WAV file, 8 kHz, mono, 16 bit.

    Returns:
        Its samples, shape ``(n,)``.

    Raises:
        InputError: the file is missing, is no WAV, or has another rate, width or number of channels.
    """
    cure = "convert it to 8 kHz, mono, 16 bit PCM"
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            data = file.readframes(file.getnframes())
    except FileNotFoundError:
        raise InputError("there is no such recording", file=path) from None
    except (wave.Error, EOFError, OSError) as error:
        raise InputError(f"this is no WAV file that can be read: {error}", file=path, cure=cure) from error
    if shape != (RATE, 1, 2):
        raise InputError(f"{shape[0]} Hz, {shape[1]} channel(s), {8 * shape[2]} bit", file=path, cure=cure)
    return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)


def write_wav(path: Path, pcm: Pcm, *, keep: bool = False) -> None:
    """Writes a recording so that no reader ever sees half of it.

    Args:
        path: where to; the folder is made.
        pcm: samples at 8 kHz, shape ``(n,)``.
        keep: leave a file that is already there as it is (the first of several writers wins).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with wave.open(str(draft), "wb") as file:
            file.setparams((1, 2, RATE, len(pcm), "NONE", ""))
            file.writeframes(np.ascontiguousarray(pcm, dtype="<i2").tobytes())
        if not keep:
            draft.replace(path)
            return
        try:
            os.link(draft, path)  # fails if the file is there: that is the point
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not path.exists():
                draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
