"""Speech or not, every 32 ms: Silero at 8 kHz, helped by the energy.

The network carries its state along, which makes it late after music; so the state is cleared whenever the sound falls
well below what it was and nobody has spoken lately. In silence the network is not asked at all. The start of speech is
then found by walking back along the energy from where the network first said yes.

Many calls are cheaper together than one by one: :meth:`VoiceActivity.prepare` each, :func:`ask` for all of them, then
:meth:`VoiceActivity.finish` each. The results are the same to the last bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from probes.hearing.frames import Frames
from probes.hearing.voice_network import CONTEXT, STEP, UNITS, Floats, voice_network
from probes.hearing.wav import RATE, Pcm

__all__ = ["STEP", "STEP_S", "Step", "VoiceActivity", "ask"]

STEP_S = STEP / RATE
_SILENCE_DBFS, _SILENT_STEPS = -58.0, 8
_DROP_DB, _DROP_STEPS = 10.0, 3
_MEMORY = 47  # steps: 1.5 s
_FINE = 64  # samples: 8 ms
_FINE_S = _FINE / RATE
_FINE_KEPT = 640  # 5 s
_AT_ONCE = 64 * STEP  # samples: more need more memory and are no cheaper


class Step(NamedTuple):
    """One step: session time of its first sample, probability of speech, level in dBFS."""

    t: float
    voice: float
    level: float


@dataclass
class _Question:
    """Steps of one call that wait for the network."""

    levels: list[float] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)  # steps that are not silent
    cleared: set[int] = field(default_factory=set)  # places in ``asked`` before which the state is cleared
    dropped: set[int] = field(default_factory=set)  # ... if nobody has spoken lately
    sound: Floats = field(default_factory=lambda: np.zeros((0, CONTEXT + STEP), np.float32))  # of the steps asked about
    voices: list[float] = field(default_factory=list)  # the answers


class VoiceActivity:
    """Speech in one call. ``origin`` is the session time of the first sample."""

    def __init__(self, origin: float = 0.0) -> None:
        self._origin = origin
        self._frames = Frames(CONTEXT + STEP, STEP)
        self._frames.push(np.zeros(CONTEXT, np.int16))
        self._voices: deque[float] = deque(maxlen=_MEMORY)
        self._levels: list[float] = []  # of the last steps
        self._fine = np.zeros(0, np.float32)  # levels of the last 5 s, 8 ms each
        self._low_steps = self._silent_steps = 0
        self._memory = np.zeros((2, 1, UNITS), np.float32)  # the network's: its output, and what it carries on
        self._question = _Question()

    @property
    def now(self) -> float:
        """Session time up to which was listened."""
        return self._origin + self._frames.count * STEP_S

    def push(self, pcm: Pcm) -> list[Step]:
        """Takes the next samples; returns the steps they complete."""
        steps = []
        for start in range(0, len(pcm), _AT_ONCE):
            self.prepare(pcm[start : start + _AT_ONCE])
            ask([self])
            steps += self.finish()
        return steps

    def prepare(self, pcm: Pcm) -> None:
        """Takes the next samples; what they complete is returned by :meth:`finish`, after :func:`ask`."""
        frames = self._frames.push(pcm)
        if not len(frames):
            return
        sound = frames.astype(np.float32)
        sound *= 1 / 32768
        parts = sound[:, CONTEXT:].reshape(-1, _FINE)
        power = np.einsum("nt,nt->n", parts, parts) / _FINE
        self._fine = np.concatenate((self._fine, 10 * np.log10(power + 1e-10)))[-_FINE_KEPT:]
        levels = 10 * np.log10(power.reshape(len(sound), -1).sum(axis=1) * (_FINE / STEP) + 1e-10)
        self._question = self._sort(levels.tolist())
        self._question.sound = sound[self._question.asked]

    def _sort(self, levels: list[float]) -> _Question:
        """Finds out which steps the network must be asked about, and before which its state may have to be cleared."""
        past = self._levels + levels
        old = len(self._levels)
        self._levels = past[-_MEMORY:]
        question = _Question(levels)
        for index, level in enumerate(levels):
            self._silent_steps = self._silent_steps + 1 if level < _SILENCE_DBFS else 0
            if self._silent_steps > _SILENT_STEPS:
                if self._silent_steps == _SILENT_STEPS + 1:
                    question.cleared.add(len(question.asked))
                continue
            loudest = max(past[max(0, old + index - _MEMORY) : old + index], default=level)
            self._low_steps = self._low_steps + 1 if level < loudest - _DROP_DB else 0
            if self._low_steps == _DROP_STEPS:
                question.dropped.add(len(question.asked))
            question.asked.append(index)
        return question

    def finish(self) -> list[Step]:
        """Returns the steps that :func:`ask` has answered."""
        question, self._question = self._question, _Question()
        voices = dict(zip(question.asked, question.voices, strict=True))
        first = self._frames.count - len(question.levels)
        steps = [
            Step(self._origin + (first + index) * STEP_S, voices.get(index, 0.0), level)
            for index, level in enumerate(question.levels)
        ]
        self._voices.extend(step.voice for step in steps)
        return steps

    def _hushed(self, place: int, voices: list[float]) -> bool:
        """Whether nobody has spoken lately, before the step asked about at ``place``; ``voices``: those before it."""
        question = self._question
        here = [0.0] * question.asked[place]
        for index, voice in zip(question.asked, voices, strict=False):
            here[index] = voice
        return max([*self._voices, *here][-_MEMORY:], default=0.0) < 0.5

    def onset(self, t: float) -> float:
        """Returns when the speech that the network noticed in the step at ``t`` began.

        From the loudest moment near ``t`` back to the last rise out of what was there before, at most 0.35 s.
        """
        fine = self._fine.tolist()
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
        fine = self._fine.tolist()
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
        fine = self._fine.tolist()
        begin = self.now - len(fine) * _FINE_S
        first = max(0, int((t - begin - 0.5) / _FINE_S))
        last = min(len(fine), int((t - begin + STEP_S + 0.15) / _FINE_S))
        if first >= last:
            return t + STEP_S
        part = np.array(fine[first:last])
        loud = np.flatnonzero(part > max(part.max() - 30.0, float(np.percentile(fine, 5)) + 8.0))
        return begin + (first + int(loud[-1]) + 1) * _FINE_S if len(loud) else t + STEP_S


class Recalled(VoiceActivity):
    """Voice activity that was found before, told again: everything but the network's work."""

    def __init__(self, steps: Sequence[Step], origin: float = 0.0) -> None:
        """Takes the steps that :meth:`VoiceActivity.push` gave for the same sound."""
        super().__init__(origin)
        self._known = steps

    def prepare(self, pcm: Pcm) -> None:
        """Takes the next samples; nobody needs to be asked about them."""
        super().prepare(pcm)
        question = self._question
        first = self._frames.count - len(question.levels)
        question.voices = [self._known[first + index].voice for index in question.asked]


def listen(calls: Sequence[Pcm]) -> list[list[Step]]:
    """Returns the voice activity of whole calls, from time 0; the network is asked about all of them together."""
    ears: list[VoiceActivity] = [VoiceActivity() for _ in calls]
    steps: list[list[Step]] = [[] for _ in calls]
    for start in range(0, max(map(len, calls), default=0), _AT_ONCE):
        hearing = [(ear, call, heard) for ear, call, heard in zip(ears, calls, steps, strict=True) if start < len(call)]
        for ear, call, _ in hearing:
            ear.prepare(call[start : start + _AT_ONCE])
        ask([ear for ear, _, _ in hearing])
        for ear, _, heard in hearing:
            heard += ear.finish()
    return steps


def ask(calls: Sequence[VoiceActivity]) -> None:
    """Asks the network about everything that ``calls`` have prepared, one step of all of them at a time."""
    waiting = []
    for call in calls:
        if call._question.asked and not call._question.voices:
            waiting.append(call)
        elif call._question.cleared:
            call._memory[:] = 0
    if not waiting:
        return
    network = voice_network()
    waiting.sort(key=lambda call: -len(call._question.asked))
    counts = [len(call._question.asked) for call in waiting]
    abreast = [sum(count > place for count in counts) for place in range(counts[0])]
    firsts = np.cumsum([0, *counts[:-1]])
    order = np.concatenate([firsts[:many] + place for place, many in enumerate(abreast)])
    seen = network.look(np.concatenate([call._question.sound for call in waiting])[order])
    memory, carried = np.stack([call._memory for call in waiting], axis=1)
    past = np.zeros((counts[0], len(waiting), 1, UNITS), np.float32)
    begin = 0
    for place, many in enumerate(abreast):
        for row, call in enumerate(waiting[:many]):
            question = call._question
            if place in question.cleared or (
                place in question.dropped and call._hushed(place, network.judge(past[:place, row]))
            ):
                memory[row] = carried[row] = 0
        network.remember(seen[begin : begin + many], memory[:many], carried[:many])
        past[place, :many] = memory[:many]
        begin += many
    for row, call in enumerate(waiting):
        question, count = call._question, counts[row]
        question.voices = network.judge(past[:count, row])
        call._memory = np.stack((memory[row], carried[row])) * (count not in question.cleared)
