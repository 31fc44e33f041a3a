"""Is there speech that no word accounts for? Then a transcript is not complete."""

from __future__ import annotations

from collections.abc import Iterable

from probes.hearing.transcription.words import Word
from probes.hearing.voice_activity import STEP_S, VoiceActivity
from probes.hearing.wav import Pcm

_VOICE = 0.5  # probability of speech of a step that counts as speech
_GAP_S = 0.2  # pauses so short are part of the speech
_LEAST_S = 0.3  # speech left over that is shorter says nothing


def speech(pcm: Pcm, start: float) -> list[tuple[float, float]]:
    """Returns where anybody, live or recorded, speaks in ``pcm``: begin and end in session seconds.

    Args:
        pcm: samples at 8 kHz.
        start: session time of the first.
    """
    stretches: list[tuple[float, float]] = []
    for step in VoiceActivity(start).push(pcm):
        if step.voice < _VOICE:
            continue
        if stretches and step.t - stretches[-1][1] <= _GAP_S:
            stretches[-1] = (stretches[-1][0], step.t + STEP_S)
        else:
            stretches.append((step.t, step.t + STEP_S))
    return stretches


def accounted_for(stretches: Iterable[tuple[float, float]], words: Iterable[Word], slack: float) -> bool:
    """Says whether no 0.3 s of speech lie outside all words.

    Args:
        stretches: begin and end of each, in seconds.
        words: what was heard.
        slack: seconds by which a word may be misplaced.
    """
    taken = sorted((word.start - slack, word.end + slack) for word in words)
    for begin, end in stretches:
        at = begin
        for first, last in taken:
            if min(first, end) - at >= _LEAST_S:
                return False
            at = max(at, min(last, end))
        if end - at >= _LEAST_S:
            return False
    return True
