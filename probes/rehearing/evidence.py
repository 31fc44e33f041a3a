"""The evidence of one call as it is heard again: the far end's sound in session time, and what the packets tell."""

from __future__ import annotations

import hashlib
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from probes.hearing.wav import RATE, Pcm
from probes.session import Event, Session
from scenarios.errors import InputError

RECORDING = "call.wav"


@dataclass(frozen=True)
class Heard:
    """One call's sound. ``events`` are those that only the packets tell."""

    far: Pcm  # 8 kHz, from session time 0
    source: Literal["packets", "recording"]
    sha256: str
    own: Pcm | None = None
    events: Sequence[Event] = field(default=())


def load(session: Session, folder: Path) -> Heard:
    """Reads the evidence of ``session`` from its folder.

    Raises:
        InputError: the recording is missing or damaged.
    """
    path = folder / RECORDING
    try:
        content = path.read_bytes()
        with wave.open(str(path), "rb") as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            frames = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise InputError(f"the recording cannot be read: {error}", file=path) from error
    if shape != (RATE, 2, 2):
        raise InputError(f"{shape[0]} Hz, {shape[1]} channel(s), {8 * shape[2]} bit: no recording of ours", file=path)
    both = np.frombuffer(frames[: len(frames) // 4 * 4], "<i2").reshape(-1, 2)
    far, own = both[:, 0].astype(np.int16), both[:, 1].astype(np.int16)
    return Heard(far, "recording", hashlib.sha256(content).hexdigest(), own)
