"""Music: sound that goes on, is no call-progress tone, holds tones of some kind, and is not speech.

A song with words counts as speech while somebody sings: known, and not solved here.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from probes.hearing.frames import cut
from probes.hearing.voice_activity import STEP_S, Step, VoiceActivity
from probes.hearing.wav import RATE, Pcm
from probes.session import Event

U_MUSIC = 0.02  # standard uncertainty of music's start, s
U_MUSIC_END = 0.1  # ... and of its end, which speech or a tone may hide

_SUSTAINED_S = 1.6
_SHARE = 0.85  # of the steps must sound
_LEVEL_DBFS = -48.0
_GAP_S = 0.5  # so much silence ends it
_BANDS = 8
_PEAKED = 1.8  # strongest line over mean, averaged over the bands: noise has about 1.4


class Music:
    """The music of one call."""

    def __init__(self, voice: VoiceActivity) -> None:
        self._voice = voice  # knows the energy
        self._steps: deque[bool] = deque(maxlen=round(_SUSTAINED_S / STEP_S))
        self._sound: Pcm = np.zeros(0, np.int16)
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
        self._sound = np.concatenate((self._sound, pcm))[-RATE:]
        events: list[Event] = []
        for step in steps:
            sounds = not talk and not tone and step.level > _LEVEL_DBFS and step.voice < 0.5
            self._steps.append(sounds)
            if step.level > _LEVEL_DBFS:
                self._last = step.t
            if sounds:
                self._began = step.t if self._began is None else self._began
            elif talk:
                self._began = None
            elif self._began is not None and step.t - self._last > _GAP_S and not tone:
                events += self.stop(step.t)
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
        """Whether the last second has spectral lines, as music has and noise has not."""
        size = 512
        frames = cut(self._sound, size, size // 4) * np.hanning(size)
        power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)[16:216] + 1e-3
        bands = power.reshape(_BANDS, -1)
        return float(np.mean(bands.max(axis=1) / bands.mean(axis=1))) > _PEAKED
