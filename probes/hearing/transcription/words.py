"""What every transcriber gives: words with their times, and whether there may be more of them.

"Nothing was said" and "what was said is not known" are two answers: the first is a transcript without words that is
``complete``, the second one that is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from probes.hearing.wav import Pcm


@dataclass(frozen=True)
class Word:
    """A stretch of speech and its text: a Chinese character, a word, or a whole known phrase.

    ``start`` and ``end`` are session seconds. ``confidence`` is the model's own figure in 0..1, which nobody has
    calibrated; None where the backend gives none.
    """

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Transcript:
    """The words of one stretch of audio, in the order of their times.

    ``complete`` False: there is, or may be, speech in it that ``words`` does not hold. What words do *not* occur can
    only be said of a complete transcript.
    """

    words: tuple[Word, ...]
    complete: bool
    backend: str

    def text(self) -> str:
        """Returns the words as one text: a space only between two that are written in letters or digits."""
        text = ""
        for word in self.words:
            latin = text[-1:].isascii() and word.text[:1].isascii() and text and word.text[:1].isalnum()
            text += f" {word.text}" if latin else word.text
        return text


class Transcriber(Protocol):
    """One backend, ready to work. It keeps nothing from call to call: the same audio gives the same words."""

    def transcribe(self, pcm: Pcm, start: float) -> Transcript:
        """Transcribes one stretch of audio.

        Args:
            pcm: samples at 8 kHz, shape ``(n,)``: an utterance or a whole call.
            start: session time of its first sample.
        """
        ...


class Deaf:
    """The backend ``none``: it never knows."""

    def transcribe(self, pcm: Pcm, start: float) -> Transcript:
        """Returns no words; complete only if there was not one sample to hear."""
        del start
        return Transcript((), complete=not len(pcm), backend="none")
