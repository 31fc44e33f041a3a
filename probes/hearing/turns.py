"""Who says what and when: known recordings and live speech, put together into utterances and turns.

Speech counts as live when it is no known recording. A recording is recognised only about a second after it began, so
speech is held back until it has lasted long enough, or is over. A turn ends with a pause; what was said in it is then
reported message by message.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from probes.hearing.voice_activity import STEP_S, Step, VoiceActivity
from probes.session import Event

U_ONSET = 0.04  # standard uncertainty of a speech onset, s

_HANGOVER_S = 0.15  # the network still says yes for so long after the last sound
_RUN, _RUN_OF = 3, 5  # so many of the last steps must be speech for it to have begun
_STRICT_RUN, _STRICT_OF = 9, 12  # ... over music


@dataclass(frozen=True)
class EarSettings:
    """When speech counts. All in seconds.

    ``pause_s`` of silence ends a turn; live speech is reported after ``speech_s`` of voice, or when an utterance of at
    least ``short_s`` is over.
    """

    pause_s: float = 0.9
    speech_s: float = 1.5
    short_s: float = 0.4


@dataclass
class _Utterance:
    """Live speech, or a recording. ``end`` is None while it goes on."""

    start: float
    end: float | None = None
    prompt: dict[str, Any] | None = None
    voiced: list[float] = field(default_factory=list)  # times of its steps of speech
    reported: bool = False

    @property
    def voiced_s(self) -> float:
        return len(self.voiced) * STEP_S


class Turns:
    """The speech of one call."""

    def __init__(self, settings: EarSettings, voice: VoiceActivity) -> None:
        self._settings, self._voice = settings, voice
        self._steps: deque[Step] = deque(maxlen=round(3.0 / STEP_S))
        self._live: _Utterance | None = None
        self._prompt: _Utterance | None = None
        self._done: list[_Utterance] = []  # of this turn, closed
        self._last_prompt_end = -1e9

    @property
    def speaking(self) -> bool:
        """Whether speech is heard now: worth searching for a recording."""
        recent = list(self._steps)[-6:]
        return sum(step.voice >= 0.5 for step in recent) >= 2

    @property
    def live_since(self) -> float | None:
        """Onset of the live speech that goes on, if it has lasted for 0.5 s: enough to say that music has ended."""
        if self._live is None or self._live.voiced_s < 0.5:
            return None
        return self._live.start

    @property
    def began(self) -> float | None:
        """Onset of whatever is being said."""
        said = self._prompt or self._live
        return None if said is None else said.start

    @property
    def last_end(self) -> float:
        """When the last speech ended (long ago, if nothing was said)."""
        ends = [u.end for u in self._done if u.end is not None]
        if self._live is not None and self._live.voiced:
            ends.append(self._live.voiced[-1] + STEP_S)
        return max([*ends, self._last_prompt_end])

    def hear(self, steps: list[Step], *, over_music: bool) -> None:
        """Takes the voice detector's next steps."""
        for step in steps:
            self._steps.append(step)
            if self._prompt is None and step.t >= self._last_prompt_end + _HANGOVER_S:
                self._live_step(step, over_music=over_music)

    def prompt(self, event: Event) -> None:
        """A known recording began at ``event.t``: what was taken for speech since then was that."""
        start = event.t - 0.3
        if self._live is not None:
            self._live.voiced = [t for t in self._live.voiced if t < start]
            self._close_live()
        self._prompt = _Utterance(event.t, prompt=event.data)

    def prompt_end(self, event: Event) -> None:
        """The recording ended at ``event.t``; what was heard since is looked at again."""
        if self._prompt is not None:
            self._prompt.end = event.t
            self._done.append(self._prompt)
        self._prompt, self._last_prompt_end = None, event.t
        heard, self._steps = list(self._steps), deque(maxlen=self._steps.maxlen)
        for step in heard:
            self._steps.append(step)
            if step.t >= event.t + _HANGOVER_S:
                self._live_step(step, over_music=False)

    def report(self, now: float, pending_since: float | None, *, final: bool = False) -> list[Event]:
        """Returns the ``speech`` and ``message`` events that are now certain.

        Args:
            now: session time.
            pending_since: since when a recording may be playing that is not certain yet.
            final: the call is over: nothing more will come.
        """
        events: list[Event] = []
        live = self._live
        paused = final or now - self.last_end >= self._settings.pause_s
        if pending_since is not None and not final:
            return events
        if live is not None:
            long = live.voiced_s >= self._settings.speech_s
            if not live.reported and (long or (paused and live.voiced_s >= self._settings.short_s)):
                live.reported = True
                events.append(Event(kind="speech", t=live.start, method="voice", u=U_ONSET))
            if paused:
                self._close_live()
        if paused and self._prompt is None:
            events += [self._message(utterance) for utterance in self._done]
            self._done = []
        return events

    def _live_step(self, step: Step, *, over_music: bool) -> None:
        if step.voice < 0.5:
            return
        if self._live is not None:
            self._live.voiced.append(step.t)
            return
        run, of = (_STRICT_RUN, _STRICT_OF) if over_music else (_RUN, _RUN_OF)
        free = self._last_prompt_end + _HANGOVER_S
        recent = [s.t for s in list(self._steps)[-of:] if s.voice >= 0.5 and s.t >= free]
        if len(recent) >= run:
            onset = self._voice.onset(recent[0])
            self._live = _Utterance(max(onset, self._last_prompt_end), voiced=recent)

    def _close_live(self) -> None:
        live, self._live = self._live, None
        if live is not None and live.voiced and live.voiced_s >= self._settings.short_s:
            live.end = self._voice.offset(live.voiced[-1])
            self._done.append(live)

    def _message(self, said: _Utterance) -> Event:
        prompt = said.prompt or {}
        data = {
            "speaker": "agent" if said.prompt is None else "ivr",
            "text": prompt.get("text") or None,
            "role": prompt.get("role"),
            **({"first": prompt["first"]} if "first" in prompt else {}),
            "end": said.end,
        }
        return Event(
            kind="message", t=said.start, method="voice" if said.prompt is None else "prompt", u=U_ONSET, data=data
        )
