"""The ear: 8 kHz audio of the far end in, events out.

One :class:`Ear` per call. Its ``push`` is synchronous. Every event is stamped with the session time at which the thing
happened, which is earlier than the moment it became certain; ``u`` is the standard error measured on synthesised calls
(``harness/bench/hearing.py``).

Live calls of one process are heard by its :class:`Ears`, all together five times a second: the voice network is asked
once for all of them. The events are the same to the last bit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from probes.hearing.library import Again, Library
from probes.hearing.line import LineNoise
from probes.hearing.music import Music
from probes.hearing.prompts import Prompts
from probes.hearing.tones import Tones
from probes.hearing.turns import EarSettings, Turns
from probes.hearing.voice_activity import Step, VoiceActivity, ask
from probes.hearing.wav import RATE, Pcm
from probes.session import Event
from probes.target import Prompt

__all__ = ["Ear", "EarSettings", "Ears", "Hears", "Listening"]

_CHUNK = 1536  # samples worked on at once: six steps of the voice detector
_MEMORY = 30 * RATE  # samples of the past that are kept
_NEWEST_MOST = 50  # pieces that are put to it at once: 10 s
_WORTH_KEEPING = RATE  # a shorter utterance is not looked for again
_PAUSE_FRAMES = 5  # of 20 ms
_SENTENCES_MOST = 4  # of one utterance
_KEPT_MOST = 40
_TOLERATED_S = 0.04  # blocks may come so much early or late without a gap being meant
_TOGETHER_S = 0.19  # what comes in so long is heard together: one piece of each call


class Recognises(Protocol):
    """What tells recordings: :class:`probes.hearing.prompts.Prompts`, or one that knows them beforehand."""

    @property
    def playing_since(self) -> float | None:
        """Session time at which the recording that is being played began."""

    @property
    def pending_since(self) -> float | None:
        """Session time since when a recording may be playing that is not certain yet."""

    def push(self, pcm: Pcm, *, speaking: bool) -> list[Event]:
        """Takes the next samples; returns ``prompt`` and ``prompt_end`` events."""

    def finish(self) -> list[Event]:
        """Ends the call."""


class Hears(Protocol):
    """What hears one call: an :class:`Ear`, or whoever stands where it does."""

    def push(self, t: float, pcm: Pcm) -> list[Event]:
        """Hears the next block, which begins at session time ``t``."""

    def finish(self, t: float) -> list[Event]:
        """Ends the call at session time ``t``."""


class Ear:
    """Hears one call."""

    def __init__(
        self,
        prompts: list[tuple[Prompt, Pcm]] | Library,
        settings: EarSettings | None = None,
        *,
        recorded: Recognises | None = None,
        voice: VoiceActivity | None = None,
    ) -> None:
        """Takes the recordings to be recognised; or ``recorded``, which knows already where they are.

        ``voice`` may know already where voice is.

        What is said in the call and is no known recording joins the library given: said again in the same waves, it
        was one all the time.
        """
        self._library = prompts if isinstance(prompts, Library) else Library(prompts)
        self._recorded, self._known_voice = recorded, voice
        self._memory: Pcm = np.zeros(0, np.int16)  # of what was heard, but for the newest
        self._newest: list[Pcm] = []
        self._kept = 0  # utterances that joined the library
        self._settings = settings or EarSettings()
        self._rest: Pcm = np.zeros(0, np.int16)
        self._origin: float | None = None
        self._taken = 0  # samples since the origin

    def push(self, t: float, pcm: Pcm) -> list[Event]:
        """Hears the next block.

        Args:
            t: session time of its first sample. More than 40 ms after the end of the last block means that silence
                was not delivered, and it is filled in; more than 40 ms before it, that samples come twice, and they
                are dropped.
            pcm: samples at 8 kHz; any length, 20 to 100 ms are usual.

        Returns:
            What has become certain, in the order it did.
        """
        self.take(t, pcm)
        events: list[Event] = []
        while self.prepare():
            ask([self.voice])
            events += self.complete()
        return events

    def take(self, t: float, pcm: Pcm) -> None:
        """Takes a block as :meth:`push` does, to be heard by :meth:`prepare` and :meth:`complete`."""
        if self._origin is None:
            self._start(t)
        assert self._origin is not None
        gap = t - (self._origin + self._taken / RATE)
        if gap > _TOLERATED_S:
            pcm = np.concatenate((np.zeros(round(gap * RATE), np.int16), pcm))
        elif gap < -_TOLERATED_S:
            pcm = pcm[round(-gap * RATE) :]
        self._taken += len(pcm)
        self._rest = np.concatenate((self._rest, pcm))

    @property
    def speaking(self) -> bool:
        """Whether a voice is being heard, and no music with it."""
        return self._origin is not None and self._turns.speaking and not self._music.playing

    def sound(self, start: float, end: float) -> Pcm:
        """Returns what was heard between two session times, as far as it is remembered (the last 30 s)."""
        if self._origin is None:
            return self._memory
        memory = self._remembered()
        begins = self._origin + (self._heard - len(memory)) / RATE
        return memory[max(0, round((start - 0.1 - begins) * RATE)) : max(0, round((end + 0.1 - begins) * RATE))]

    def prepare(self, *, all_of_it: bool = False) -> bool:
        """Begins with the next 0.19 s (``all_of_it``: with what is left, however short); False: not so much has come.

        The voice detector must be asked before :meth:`complete`: :func:`ask`, with its :attr:`voice`.
        """
        if not all_of_it and len(self._rest) < _CHUNK:
            return False
        self._chunk, self._rest = self._rest[:_CHUNK], self._rest[_CHUNK:]
        self._certain = self._line.push(self._chunk) + self._tonal(self._tones.push(self._chunk))
        self.voice.prepare(self._chunk)
        return True

    def complete(self) -> list[Event]:
        """Ends what :meth:`prepare` began; returns what has become certain."""
        return self._certain + self._hear(self._chunk, self.voice.finish())

    def finish(self, t: float) -> list[Event]:
        """Ends the call at session time ``t``; returns what was still open."""
        if self._origin is None:
            return []
        events = self.push(t, np.zeros(0, np.int16))
        self.prepare(all_of_it=True)
        ask([self.voice])
        events += self.complete()
        events += self._tones.finish()
        for event in self._prompts.finish():
            self._turns.prompt_end(event)
            events.append(event)
        return events + self._turns.report(t, None, final=True) + self._music.stop(t)

    def _start(self, t: float) -> None:
        self._origin = t
        self._tones = Tones(t)
        self.voice = self._known_voice or VoiceActivity(t)
        self._line = LineNoise(t)
        self._prompts: Recognises = self._recorded or Prompts(self._library, t)
        self._music = Music(self.voice)
        self._turns = Turns(self._settings, self.voice)
        self._tone_end = t
        self._heard = 0
        self._said: float | None = None  # onset of what is being said, as told to the tones

    def _hear(self, pcm: Pcm, steps: list[Step]) -> list[Event]:
        events: list[Event] = []
        self._turns.hear(steps, over_music=self._music.playing)
        for event in self._prompts.push(pcm, speaking=self._turns.speaking):
            if event.kind == "prompt":
                self._turns.prompt(event)
                events += self._tonal(self._tones.interrupted(event.t)) + self._music.stop(event.t)
            else:
                self._turns.prompt_end(event)
            events.append(event)
        if self._turns.began != self._said:
            self._said = self._turns.began
            if self._said is not None:
                events += self._tonal(self._tones.interrupted(self._said))
        live = self._turns.live_since
        if live is not None and self._music.playing and self._prompts.pending_since is None:
            events += self._music.stop(live)
        talk = self._prompts.playing_since is not None or (live is not None and self._turns.speaking)
        free_from = max(self._turns.last_end, self._tone_end)
        music = self._music.push(pcm, steps, talk=talk, tone=self._tones.sounding, free_from=free_from)
        for event in music:
            if event.kind == "music":
                events += self._tonal(self._tones.interrupted(event.t, music=True))
            events.append(event)
        said = self._turns.report(self.voice.now, self._prompts.pending_since)
        if self._recorded is None:
            self._remember(pcm, said)
        return events + said

    def _remember(self, pcm: Pcm, said: list[Event]) -> None:
        """Keeps what was said, to know it if it comes again."""
        assert self._origin is not None
        self._heard += len(pcm)
        self._newest.append(pcm)
        if not said and len(self._newest) < _NEWEST_MOST:
            return
        memory = self._remembered()
        begins = self._origin + (self._heard - len(memory)) / RATE
        for event in said:
            end = event.data.get("end")
            if event.kind != "message" or event.data["speaker"] != "agent" or end is None:
                continue
            first, last = round((event.t - 0.05 - begins) * RATE), round((end + 0.05 - begins) * RATE)
            if first < 0:
                continue
            for start in _sentences(memory[first:last]):
                if self._kept < _KEPT_MOST:
                    self._kept += 1
                    again = Again(f"again-{self._kept}", (event.t + max(0.0, start / RATE - 0.05), end))
                    self._library.add(again, memory[first + start : last])

    def _remembered(self) -> Pcm:
        """Returns the last 30 s of what was heard."""
        self._memory = np.concatenate((self._memory, *self._newest))[-_MEMORY:]
        self._newest = []
        return self._memory

    def _tonal(self, heard: list[Event]) -> list[Event]:
        """A tone ends the music; once it is over, music may begin."""
        events: list[Event] = []
        for event in heard:
            if event.kind == "tone":
                events += self._music.stop(event.t)
            else:
                self._tone_end = event.t
            events.append(event)
        return events


@dataclass(eq=False)
class Listening:
    """One live call's ear, and who is told what it heard, or that it cannot hear any more."""

    ear: Hears
    told: Callable[[list[Event]], None]
    failed: Callable[[Exception], None]


class Ears:
    """The ears of one process. Event loop only."""

    _by_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Ears]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._waiting: dict[Listening, Ear] = {}  # whose sound has not been heard yet, in the order it came
        self._due: asyncio.TimerHandle | None = None

    @classmethod
    def here(cls) -> Ears:
        """Returns those of the running event loop."""
        return cls._by_loop.setdefault(asyncio.get_running_loop(), cls())

    def hear(self, one: Listening, t: float, pcm: Pcm) -> None:
        """Takes the next block of a call, as :meth:`Ear.push` does; what is in it is told 0.2 s later at most."""
        ear = one.ear
        if not isinstance(ear, Ear):
            _tell(one, ear.push, t, pcm)
        elif _works(one, ear.take, t, pcm):
            self._waiting[one] = ear
            if self._due is None:
                self._due = asyncio.get_running_loop().call_later(_TOGETHER_S, self.now)

    def now(self) -> None:
        """Hears at once all that has come of all calls."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        waiting, self._waiting = self._waiting, {}
        while waiting := {one: ear for one, ear in waiting.items() if _works(one, ear.prepare)}:
            try:
                ask([ear.voice for ear in waiting.values()])
            except Exception as error:
                for one in waiting:
                    one.failed(error)
                return
            waiting = {one: ear for one, ear in waiting.items() if _tell(one, ear.complete)}

    def finish(self, one: Listening, t: float) -> None:
        """Ends a call at session time ``t``: tells what was still open in it."""
        self._waiting.pop(one, None)
        _tell(one, one.ear.finish, t)


def _works(one: Listening, does: Callable[..., bool | None], *given: Any) -> bool:
    """Does something for one call; says whether to go on with it. Its fault is nobody else's."""
    try:
        return does(*given) is not False
    except Exception as error:
        one.failed(error)
        return False


def _tell(one: Listening, hears: Callable[..., list[Event]], *given: Any) -> bool:
    """Tells what one call's ear hears; says whether it could."""
    return _works(one, lambda: one.told(hears(*given)))


def _sentences(said: Pcm) -> list[int]:
    """Returns where in an utterance something may begin that comes again later: at its start, and after its pauses."""
    size = RATE // 50
    whole = said[: len(said) // size * size].astype(np.float32).reshape(-1, size)
    if len(said) < _WORTH_KEEPING or not len(whole):
        return []
    level = np.sqrt(np.mean(whole**2, axis=1))
    quiet, starts = level < level.max() / 30, [0]
    for frame in np.flatnonzero(quiet[:-1] & ~quiet[1:]) + 1:
        paused = frame >= _PAUSE_FRAMES and bool(quiet[frame - _PAUSE_FRAMES : frame].all())
        start = int(frame - 1) * size
        if paused and start - starts[-1] >= _WORTH_KEEPING and len(said) - start >= _WORTH_KEEPING:
            starts.append(start)
    return starts[:_SENTENCES_MOST]
