"""Which known recording is being played, since when and until when.

A recording played again is the same wave, whatever the gain and the line's coding; another rendering of the same words
is not, not even by the same synthesiser. So half a second of sound is looked up in the library, and each place it fits
is then followed from the recording's beginning, stretch by stretch, at one fixed alignment. Only a jitter buffer's
slip may move it. Two recordings that begin alike are both followed until one of them fails.

Events: ``prompt`` at the recording's first audible sample (data ``id``, ``role``, ``text``), ``prompt_end`` (the same
data, and ``complete``) at its last one, or where it was broken off.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from probes.hearing.library import PHASES, QUERY, Again, Library, Reference
from probes.hearing.lowband import LOW_RATE, Low, LowBand, likeness, likenesses
from probes.hearing.wav import RATE, Pcm
from probes.session import Event

U_PROMPT = 0.005  # standard uncertainty of a recording's start, s
U_PROMPT_END = 0.02  # ... of its end
U_BROKEN = 0.04  # ... and of the moment it is broken off

_STRETCH = LOW_RATE * 16 // 100  # samples compared at once: 160 ms
_EVERY, _LATER = LOW_RATE // 4, LOW_RATE // 2  # samples between two look-ups, first and after two seconds of speech
_KEPT = 6 * LOW_RATE
_LOOK_UP = 0.55  # least likeness of a look-up worth following
_SAME = 0.6  # least likeness of a stretch that is the recording's
_EXACT = 0.95  # ... that is aligned to the sample
_SLIPPED = 0.8  # ... when it had to be moved
_WORSE = 0.2  # a rival that fits so much worse on one stretch is the wrong one
_STEADY, _SLIP = 3, LOW_RATE * 45 // 1000  # how far a stretch may move: clock drift; two lost or doubled packets
_FAR = LOW_RATE * 8 // 10  # how far a stall of the line may move it
_GIVEN_UP = 8  # loud stretches in a row that do not fit: it was broken off
_CERTAIN_S, _PENDING_S = 0.75, 0.3  # loud seconds followed: enough to say so; enough to wait
_SHARE = 0.7  # of the loud stretches must fit


@dataclass
class _Trace:
    """One recording being followed. Positions and offsets are samples at 2 kHz."""

    index: int
    reference: Reference
    begun: int  # stream sample at which the recording's first sample was played
    offset: int  # the same, moved by slips since
    phase: int = 0  # samples at 8 kHz that it is later than that
    first_phase: int | None = None
    position: int = 0  # of the recording, compared so far
    fits: dict[int, float] = field(default_factory=dict)  # of each loud stretch, by its position
    missed: int = 0  # loud stretches in a row that did not fit
    good_until: int = 0  # position up to which it fitted

    @property
    def matched_s(self) -> float:
        return sum(fit >= _SAME for fit in self.fits.values()) * _STRETCH / LOW_RATE

    @property
    def steady(self) -> bool:
        good = sum(fit >= _SAME for fit in self.fits.values())
        return not self.missed and good >= _SHARE * len(self.fits)

    @property
    def over(self) -> bool:
        return self.position >= len(self.reference.low) - 1


def _among(index: int, begun: int, known: list[tuple[int, int]]) -> bool:
    return any(index == i and abs(begun - b) <= _STEADY for i, b in known)


def _loud(reference: Reference, part: slice) -> bool:
    return float(np.sqrt(np.mean(np.square(reference.low[part])))) > reference.voiced / 4


class Prompts:
    """The known recordings heard in one call. ``origin`` is the session time of the first sample."""

    def __init__(self, library: Library, origin: float = 0.0) -> None:
        self._library, self._origin = library, origin
        self._band = LowBand()
        self._low: Low = np.zeros(0, np.float32)
        self._first = 0  # stream index of _low[0]
        self._looked = 0  # stream sample of the last look-up
        self._speaking = 0  # samples since speech began
        self._free = 0  # stream sample before which no further recording can have begun
        self._last = -1  # the recording that ended there
        self._traces: list[_Trace] = []
        self._failed: list[tuple[int, int]] = []  # (recording, begun) lately given up
        self._playing: _Trace | None = None

    @property
    def playing_since(self) -> float | None:
        """Session time at which the recording that is being played began."""
        return None if self._playing is None else self._time(self._playing.begun)

    @property
    def pending_since(self) -> float | None:
        """Session time since when a recording may be playing that is not certain yet."""
        maybe = [trace.begun for trace in self._traces if trace.steady and trace.matched_s >= _PENDING_S]
        return self._time(min(maybe)) if maybe else None

    def push(self, pcm: Pcm, *, speaking: bool) -> list[Event]:
        """Takes the next samples.

        Args:
            pcm: samples at 8 kHz.
            speaking: whether anything like speech is being heard: only then is the library searched.

        Returns:
            What has become certain.
        """
        self._low = np.concatenate((self._low, self._band.push(pcm)))
        if len(self._low) > 2 * _KEPT:
            self._first += len(self._low) - _KEPT
            self._low = self._low[-_KEPT:]
        if not self._library.references:
            return []
        events: list[Event] = []
        if self._playing is not None:
            self._follow(self._playing)
            self._ended(events)
        if self._playing is None:
            self._speaking = self._speaking + len(pcm) * LOW_RATE // RATE if speaking else 0
            every = _EVERY if self._speaking < 2 * LOW_RATE else _LATER
            if speaking and self._end - self._looked >= every and len(self._low) >= QUERY:
                self._look_up()
            self._compete()
            self._decide(events)
        return events

    def finish(self) -> list[Event]:
        """Ends the call: a recording that is being played ends with it."""
        if self._playing is None:
            return []
        trace, self._playing = self._playing, None
        return [self._event("prompt_end", trace, self._end, U_BROKEN, complete=False)]

    @property
    def _end(self) -> int:
        return self._first + len(self._low)

    def _time(self, sample: int, phase: int | None = 0) -> float:
        return self._origin + sample / LOW_RATE + (phase or 0) / RATE

    def _look_up(self) -> None:
        self._looked = self._end
        start = self._end - QUERY
        for found in self._library.find(self._low[-QUERY:], _LOOK_UP):
            begun = start - found.position
            free = self._free if found.index == self._last else self._free - LOW_RATE * 35 // 100
            if begun < max(self._first, free) or _among(
                found.index, begun, [(trace.index, trace.begun) for trace in self._traces]
            ):
                continue
            # Where it does not fit from its beginning, the line may have slipped there: once more from here on.
            tries = sum(_among(found.index, begun, [failed]) for failed in self._failed)
            if tries < 2:
                position = max(0, found.position) if tries else 0
                reference = self._library.references[found.index]
                self._traces.append(_Trace(found.index, reference, begun, begun, position=position))

    def _compete(self) -> None:
        """Follows every trace, and drops those that fail or are beaten by a rival that began at the same time."""
        for trace in self._traces:
            self._follow(trace)
            if trace.missed >= 2 and trace.matched_s >= _PENDING_S:
                self._found_again(trace)
        kept = []
        for trace in self._traces:
            lost = trace.missed >= 2 or (len(trace.fits) >= 4 and not trace.steady) or self._beaten(trace)
            if lost or (trace.over and not self._enough(trace)):
                self._failed = [*self._failed[-15:], (trace.index, trace.begun)]
            else:
                kept.append(trace)
        self._traces = kept

    def _beaten(self, trace: _Trace) -> bool:
        for rival in self._traces:
            if rival is not trace and rival.steady and abs(rival.begun - trace.begun) < _SLIP:
                better = [rival.fits[at] - trace.fits[at] for at in trace.fits.keys() & rival.fits.keys()]
                if better and max(better) > _WORSE and sum(better) > 0:
                    return True
        return False

    def _enough(self, trace: _Trace) -> bool:
        return trace.matched_s >= _CERTAIN_S or (trace.over and trace.matched_s >= 0.4)

    def _decide(self, events: list[Event]) -> None:
        sure = [trace for trace in self._traces if trace.steady and self._enough(trace)]
        if not sure:
            return
        best = max(sure, key=lambda trace: (np.mean(list(trace.fits.values())), trace.matched_s))
        others = [trace for trace in self._traces if trace.index != best.index and trace.steady]
        rivals = [trace for trace in others if abs(trace.begun - best.begun) < _SLIP]
        if rivals and not best.over:
            return  # they begin alike: wait for the difference
        self._align(best)
        self._playing, self._traces, self._failed = best, [], []
        events.append(self._event("prompt", best, best.begun, U_PROMPT))
        self._ended(events)

    def _align(self, trace: _Trace) -> None:
        """Corrects the beginning of a trace that hit the wave one period of the voice too early or too late."""
        if trace.offset != trace.begun:
            return  # it has slipped since
        known = [phase[: trace.position] for phase in trace.reference.phases]
        fits = [self._fit(low, trace.begun, _SLIP) for low in known]
        phase = max(range(PHASES), key=lambda k: fits[k][0])
        trace.begun = trace.offset = trace.begun + fits[phase][1]
        trace.phase = trace.first_phase = phase

    def _follow(self, trace: _Trace) -> None:
        """Compares the recording with the stream as far as both go."""
        low = trace.reference.low
        while not trace.over:
            stretch = low[trace.position : trace.position + _STRETCH]
            if len(stretch) < _STRETCH // 2:
                trace.position = len(low)
                return
            start = trace.offset + trace.position
            if start + len(stretch) + _SLIP > self._end:
                return
            if float(np.sqrt(np.mean(stretch**2))) > trace.reference.voiced / 4:
                self._compare(trace, len(stretch), start)
            trace.position += len(stretch)

    def _compare(self, trace: _Trace, length: int, start: int) -> None:
        """Compares the next ``length`` samples with the stream at ``start``, moved as little as fits."""
        part = slice(trace.position, trace.position + length)
        phase = trace.phase
        first = max(0, start - _STEADY - self._first)
        known = np.stack([low[part] for low in trace.reference.phases])
        fits = likenesses(known, self._low[first : start + length + _STEADY - self._first])
        moves = fits.argmax(axis=1)
        if fits[phase, moves[phase]] < _EXACT:
            phase = max(range(PHASES), key=lambda other: (fits[other, moves[other]], other == trace.phase))
        best, moved = float(fits[phase, moves[phase]]), first + int(moves[phase]) + self._first - start
        if best < _SAME:
            fit, move = self._fit(trace.reference.phases[trace.phase][part], start, _SLIP)
            if fit >= _SLIPPED:
                best, moved = fit, move
        trace.fits[trace.position] = best
        trace.missed = 0 if best >= _SAME else trace.missed + 1
        if best >= _SAME:
            trace.offset, trace.phase, trace.good_until = trace.offset + moved, phase, trace.position + length
            if trace.first_phase is None:
                trace.begun, trace.first_phase = trace.offset, phase

    def _fit(self, stretch: Low, start: int, reach: int) -> tuple[float, int]:
        """Returns how well a stretch fits the stream at ``start`` give or take ``reach``, and by how much it moved."""
        first = max(0, start - reach - self._first)
        shifts = likeness(stretch, self._low[first : start + len(stretch) + reach - self._first])
        best = int(shifts.argmax())
        return float(shifts[best]), first + best + self._first - start

    def _ended(self, events: list[Event]) -> None:
        trace = self._playing
        if trace is None:
            return
        if trace.missed >= 2 and self._found_again(trace):
            return
        if trace.missed >= _GIVEN_UP or (trace.over and trace.missed):
            end, complete = trace.offset + self._broken(trace), False
        elif trace.over:
            end, complete = trace.offset + len(trace.reference.low), True
        else:
            return
        self._playing, self._looked, self._speaking = None, 0, 0
        self._free, self._last = end - LOW_RATE // 10, trace.index
        events.append(self._event("prompt_end", trace, end, U_PROMPT_END if complete else U_BROKEN, complete=complete))

    def _found_again(self, trace: _Trace) -> bool:
        """Looks for a recording that seems broken off a little earlier and later: the line slipped further than usual.

        A short piece is looked for, the newest first, because another slip may follow soon.
        """
        for back in range(_GIVEN_UP - 1):
            end = trace.position - back * _STRETCH
            part = slice(max(0, end - 2 * _STRETCH), end)
            if part.start < trace.good_until:
                return False  # what fitted before is no proof
            if not _loud(trace.reference, part):
                continue
            fits = [self._fit(low[part], trace.offset + part.start, _FAR) for low in trace.reference.phases]
            phase = max(range(PHASES), key=lambda k: fits[k][0])
            fit, moved = fits[phase]
            if fit >= _SLIPPED:
                trace.offset, trace.phase = trace.offset + moved, phase
                trace.missed, trace.good_until = 0, end
                return True
        return False

    def _broken(self, trace: _Trace) -> int:
        """Returns the position up to which a recording was played that was broken off: 20 ms by 20 ms."""
        step, position = LOW_RATE // 50, trace.good_until
        low = trace.reference.phases[trace.phase]
        while position + step <= len(low):
            start = trace.offset + position - self._first
            heard = self._low[start : start + step]
            if len(heard) < step or likeness(low[position : position + step], heard)[0] < _SAME:
                break
            position += step
        return position

    def _event(self, kind: str, trace: _Trace, sample: int, u: float, **more: bool) -> Event:
        prompt = trace.reference.prompt
        data: dict[str, object] = {"id": prompt.id, "role": prompt.role, "text": prompt.text, **more}
        if isinstance(prompt, Again):
            data["first"] = list(prompt.first)
        return Event(kind=kind, t=self._time(sample, trace.first_phase), method="prompt", u=u, data=data)
