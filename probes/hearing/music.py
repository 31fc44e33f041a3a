"""Music: sound that goes on, is no call-progress tone, holds tones of some kind, and is not speech.

Half a second without spectral lines is the noise of the line. Music is what stands out above it.
A song with words counts as speech while somebody sings: known, and not solved here.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from probes.hearing.frames import cut
from probes.hearing.voice_activity import STEP, STEP_S, Step, VoiceActivity
from probes.hearing.wav import Pcm
from probes.session import Event

U_MUSIC = 0.02  # standard uncertainty of music's start, s
U_MUSIC_END = 0.1  # ... and of its end, which speech or a tone may hide

_SUSTAINED_S = 1.6
_SHARE = 0.85  # of the steps must sound
_LEVEL_DBFS = -48.0
_GAP_S = 0.5  # so much silence ends it
_BANDS = 8
_PEAKED = 1.9  # strongest line over mean, averaged over the bands: noise has 1.4 to 1.8, music at 10 dB SNR 2.0 to 7
_LOOK_STEPS = 16  # steps in which lines are looked for
_HANN = np.hanning(512).astype(np.float32)
_ABOVE_DB, _BELOW_DB = 1.5, 3.0  # of the line's noise: stands out; the noise is gone


class Music:
    """The music of one call."""

    def __init__(self, voice: VoiceActivity) -> None:
        self._voice = voice  # knows the energy
        self._steps: deque[bool] = deque(maxlen=round(_SUSTAINED_S / STEP_S))
        self._sound: Pcm = np.zeros(0, np.int16)
        self._levels: list[float] = []  # of the last steps that may be noise
        self._noise = -np.inf  # level of the line's noise, dBFS, as far as it is known
        self._began: float | None = None  # first step of the present run of sound
        self._last = 0.0  # last step that was not silent
        self.playing = False

    def push(self, pcm: Pcm, steps: list[Step], *, talk: bool, tone: bool, free_from: float) -> list[Event]:
        """Takes the next samples.

        Args:
            pcm: samples at 8 kHz.
            steps: what the voice detector made of them.
            talk: whether they belong to a known recording or to speech.
            tone: whether they hold a pure tone (which may be a note).
            free_from: session time at which the last recording, speech or tone ended: music began later.

        Returns:
            ``music`` or ``music_end``, if that is now certain.
        """
        self._sound = np.concatenate((self._sound, pcm))[-_LOOK_STEPS * STEP :]
        events: list[Event] = []
        for step in steps:
            if step.level < self._noise - _BELOW_DB:
                self._noise = -np.inf
            free = not talk and not tone and step.level > _LEVEL_DBFS and step.voice < 0.5
            self._levels = [*self._levels, step.level] if free else []
            stands_out = step.level > max(_LEVEL_DBFS, self._noise + _ABOVE_DB)
            sounds = free and stands_out
            self._steps.append(sounds)
            if stands_out:
                self._last = step.t
            if sounds:
                self._began = step.t if self._began is None else self._began
            elif talk:
                self._began = None
            elif self._began is not None and step.t - self._last > _GAP_S and not tone:
                events += self.stop(step.t)
        if len(self._levels) >= _LOOK_STEPS:
            levels, self._levels = self._levels[-_LOOK_STEPS:], []
            if not self._peaked():
                self._noise = float(np.mean(levels))
                events += self.stop(steps[-1].t)
        if not self.playing and self._began is not None and self._sustained():
            self.playing = True
            start = max(self._voice.onset(self._began), free_from)
            events.append(Event(kind="music", t=min(start, self._began), method="voice", u=U_MUSIC))
        return events

    def stop(self, t: float) -> list[Event]:
        """Nothing, or something else, is heard since ``t``: music that was playing ended there or before."""
        self._steps.clear()
        self._began = None
        if not self.playing:
            return []
        self.playing = False
        return [Event(kind="music_end", t=self._voice.hushed(t), method="voice", u=U_MUSIC_END)]

    def _sustained(self) -> bool:
        full = len(self._steps) == self._steps.maxlen
        return full and sum(self._steps) >= _SHARE * len(self._steps) and self._peaked()

    def _peaked(self) -> bool:
        """Whether the last half second has spectral lines, as music has and noise has not."""
        frames = cut(self._sound, len(_HANN), len(_HANN) // 4) * _HANN
        power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)[16:216] + 1e-3
        bands = power.reshape(_BANDS, -1)
        return float(np.mean(bands.max(axis=1) / bands.mean(axis=1))) > _PEAKED
