"""Call-progress tones, heard as they come: which tone, since when, until when.

Frequencies and cadences: mainland China GB/T 3380 (450 Hz), and those of Europe (425 Hz), North America (440+480,
480+620 Hz) and the United Kingdom (400+450, 400 Hz). :mod:`probes.hearing.bursts` finds the bursts; here they become
tones by their lengths and pauses.

Events: ``tone`` (data ``name``: ringback | busy | congestion; ``hz``; ``cut_off``: the first burst was broken off, so
that only its frequency and the silence around it speak for ringback) at the start of its first burst; ``tone_end``
(data ``name``, ``latest``) at the end of its last burst. The centre may have stopped ringing anywhere between that
and ``latest``: the moment the next burst was due, or speech or music began.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from probes.hearing.bursts import Burst, Bursts
from probes.hearing.wav import Pcm
from probes.session import Event

U_TONE = 0.01  # standard uncertainty of the edges of a burst, s


@dataclass(frozen=True)
class Cadence:
    """One tone: its frequencies, the (on, off) pairs it repeats, and how many bursts make it certain."""

    name: str
    labels: tuple[str, ...]
    pattern: tuple[tuple[float, float], ...]
    need: int

    def misfit(self, bursts: list[Burst]) -> float | None:
        """Returns how far the last bursts are from the cadence (0 exact, 1 at the tolerance), or None beyond it."""
        if len(bursts) < self.need:
            return None
        last = bursts[-self.need :]
        worst = 0.0
        for index, burst in enumerate(last):
            on, off = self.pattern[index % len(self.pattern)]
            if burst.label not in self.labels:
                return None
            worst = max(worst, abs(burst.length - on) / _tolerance(on))
            if index + 1 < len(last):
                worst = max(worst, abs(last[index + 1].start - burst.end - off) / _tolerance(off))
        return worst if worst <= 1 else None


def _tolerance(seconds: float) -> float:
    return 0.1 * seconds + 0.03


CADENCES = (
    Cadence("ringback", ("450",), ((1.0, 4.0),), 1),
    Cadence("ringback", ("440+480",), ((2.0, 4.0),), 1),
    Cadence("ringback", ("400+450",), ((0.4, 0.2), (0.4, 2.0)), 2),
    Cadence("busy", ("450",), ((0.35, 0.35),), 2),
    Cadence("busy", ("450",), ((0.5, 0.5),), 2),
    Cadence("busy", ("400",), ((0.375, 0.375),), 2),
    Cadence("busy", ("480+620",), ((0.5, 0.5),), 2),
    Cadence("congestion", ("450",), ((0.7, 0.7),), 2),
    Cadence("congestion", ("400",), ((0.4, 0.35), (0.225, 0.525)), 2),
    Cadence("congestion", ("450", "480+620"), ((0.25, 0.25),), 2),
)
_RING_LABELS = frozenset(label for cadence in CADENCES if cadence.name == "ringback" for label in cadence.labels)


@dataclass
class _Tone:
    """The tone that is on."""

    cadence: Cadence
    last: Burst
    phase: int  # which pair of the pattern the last burst was

    @property
    def due(self) -> float:
        return self.last.end + self.cadence.pattern[self.phase][1]


class Tones:
    """The tones of one call. ``origin`` is the session time of the first sample."""

    def __init__(self, origin: float = 0.0) -> None:
        self._bursts = Bursts(origin)
        self._recent: deque[Burst] = deque(maxlen=4)
        self._tone: _Tone | None = None

    @property
    def sounding(self) -> bool:
        """Whether a burst is being heard right now."""
        return self._bursts.open is not None

    def push(self, pcm: Pcm) -> list[Event]:
        """Takes the next samples; returns what has become certain."""
        events: list[Event] = []
        for burst in self._bursts.push(pcm):
            self._heard(burst, events)
        self._missed(events)
        return events

    def interrupted(self, t: float, *, music: bool = False) -> list[Event]:
        """Speech (or music) began at ``t``: a ringing that pauses has ended, and a lone burst before speech was one."""
        events: list[Event] = []
        if self._bursts.open is None:
            if self._tone is not None:
                self._end(events, min(t, self._tone.due))
            elif self._recent and self._recent[-1].end > t - 0.9 and not music:
                self._lone(self._recent[-1], events)
        return events

    def finish(self) -> list[Event]:
        """Ends the call: a tone that is still on ends with its last burst."""
        events: list[Event] = []
        for burst in self._bursts.finish():
            self._heard(burst, events)
        if self._tone is not None:
            self._end(events, min(self._bursts.now, self._tone.due))
        return events

    def _heard(self, burst: Burst, events: list[Event]) -> None:
        self._recent.append(burst)
        if self._tone is not None:
            cadence, phase = self._tone.cadence, (self._tone.phase + 1) % len(self._tone.cadence.pattern)
            if burst.label in cadence.labels:
                off = cadence.pattern[self._tone.phase][1]
                if burst.start < self._tone.due - _tolerance(off) and not burst.clean:
                    self._recent.pop()  # too early, and not pure: a voice on that note
                    return
                on = cadence.pattern[phase][0]
                cut = burst.length < on - _tolerance(on)
                self._tone.last, self._tone.phase = burst, phase
                if cut:
                    self._end(events, burst.end)
                return
            self._end(events, min(burst.start, self._tone.due))
        fits = [(misfit, c) for c in CADENCES if (misfit := c.misfit(list(self._recent))) is not None]
        if fits:
            cadence = min(fits, key=lambda fit: fit[0])[1]
            self._begin(cadence, self._recent[-cadence.need], burst, events)

    def _begin(
        self, cadence: Cadence, first: Burst, last: Burst, events: list[Event], *, cut_off: bool = False
    ) -> None:
        self._tone = _Tone(cadence, last, (cadence.need - 1) % len(cadence.pattern))
        data = {"name": cadence.name, "hz": first.label, "cut_off": cut_off}
        events.append(Event(kind="tone", t=first.start, method="tone", u=U_TONE, data=data))

    def _end(self, events: list[Event], latest: float) -> None:
        assert self._tone is not None
        end, name = self._tone.last.end, self._tone.cadence.name
        data = {"name": name, "latest": max(end, latest)}
        events.append(Event(kind="tone_end", t=end, method="tone", u=U_TONE, data=data))
        self._tone = None
        self._recent.clear()

    def _missed(self, events: list[Event]) -> None:
        """The next burst fails to come."""
        if self._bursts.open is not None:
            return
        now = self._bursts.now
        if self._tone is not None:
            off = self._tone.cadence.pattern[self._tone.phase][1]
            if now > self._tone.due + _tolerance(off) + 0.1:
                self._end(events, self._tone.due)
        elif self._recent and now > self._recent[-1].end + 0.9:
            if self._bursts.quiet_after(self._recent[-1]):
                self._lone(self._recent[-1], events)
            self._recent.clear()

    def _lone(self, burst: Burst, events: list[Event]) -> None:
        """A single clean burst that nothing like it followed: a ringing answered in its first burst."""
        alone = len(self._recent) == 1 and burst.label in _RING_LABELS
        longest = (
            next(c.pattern[0][0] for c in CADENCES if c.name == "ringback" and burst.label in c.labels) if alone else 0
        )
        if alone and burst.clean and 0.2 <= burst.length <= longest:
            cadence = next(c for c in CADENCES if c.name == "ringback" and burst.label in c.labels)
            self._begin(cadence, burst, burst, events, cut_off=True)
            self._end(events, burst.end)
