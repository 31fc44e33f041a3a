"""Recordings whose places in a call are known beforehand, told to the ear as if it had just recognised them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probes.hearing.wav import RATE, Pcm
from probes.session import Event

U_START, U_END = 0.01, 0.02  # standard uncertainty of a recording's edges, s


class Recorded:
    """Takes the place of :class:`probes.hearing.prompts.Prompts`. Times are session seconds."""

    def __init__(self, spans: Sequence[tuple[float, float, dict[str, Any]]], origin: float = 0.0) -> None:
        """Takes (start, end, data of the event) of every recording, in order and without overlap."""
        self._spans, self._now = list(spans), origin
        self._playing: tuple[float, float, dict[str, Any]] | None = None

    @property
    def playing_since(self) -> float | None:
        """Session time at which the recording that is being played began."""
        return None if self._playing is None else self._playing[0]

    @property
    def pending_since(self) -> float | None:
        """Nothing is ever pending: all is known."""
        return None

    def push(self, pcm: Pcm, *, speaking: bool) -> list[Event]:
        """Goes on by the length of ``pcm``; returns what begins and ends there."""
        self._now += len(pcm) / RATE
        events: list[Event] = []
        while True:
            if self._playing is not None and self._playing[1] <= self._now:
                events += self.finish()
            elif self._playing is None and self._spans and self._spans[0][0] <= self._now:
                self._playing = self._spans.pop(0)
                start, _, data = self._playing
                events.append(Event(kind="prompt", t=start, method="prompt", u=U_START, data=data))
            else:
                return events

    def finish(self) -> list[Event]:
        """Ends the recording that is being played."""
        if self._playing is None:
            return []
        (_, end, data), self._playing = self._playing, None
        return [Event(kind="prompt_end", t=min(end, self._now), method="prompt", u=U_END, data=data)]
