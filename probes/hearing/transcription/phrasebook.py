"""The backend ``phrasebook``: recordings whose text is known, found again by their own wave.

It serves for menus and for bots that speak from files. A synthesiser that renders the same words anew is not
recognised, nor is a person. A phrase is one word of the transcript, with the times of its first and last audible
sample. Of one that was broken off nobody knows how much was heard, so none of it is given and the transcript is not
complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from probes.hearing.library import Library
from probes.hearing.prompts import Prompts
from probes.hearing.transcription.coverage import accounted_for, speech
from probes.hearing.transcription.words import Transcript, Word
from probes.hearing.wav import RATE, Pcm, read_wav
from probes.session import Event
from probes.target import Prompt
from scenarios.errors import InputError, TargetError
from scenarios.model import Strict
from scenarios.yaml_file import load_with_hash

NAME = "phrasebook.yaml"
_BLOCK = 640  # samples looked at once
_SLACK_S = 0.15  # a voice is noticed a little earlier and later than a recording is audible
_TAIL = RATE // 4  # silence after the audio, so that a recording's last stretch is compared too


class Phrase(Strict):
    """One reference recording."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    audio: str = Field(description="WAV, 8 kHz mono 16 bit, relative to phrasebook.yaml")


class Phrasebook(Strict):
    """The file ``phrasebook.yaml``."""

    format: Literal[1]
    phrases: tuple[Phrase, ...]


def read_phrases(folder: Path) -> list[tuple[Prompt, Pcm]]:
    """Reads ``phrasebook.yaml`` in ``folder`` and its recordings.

    Raises:
        TargetError: the first mistake, with its place in ``phrasebook.yaml``: a key or value, an id given twice, a
            recording that is missing, silent, or not 8 kHz mono 16-bit WAV.
    """
    loaded = load_with_hash(folder / NAME, Phrasebook, TargetError)
    if not loaded.model.phrases:
        line = loaded.place("phrases").line
        raise TargetError("there is no phrase in it", file=loaded.path, line=line, cure="add one under phrases")
    phrases: list[tuple[Prompt, Pcm]] = []
    for index, phrase in enumerate(loaded.model.phrases):
        key, message, cure = "", "", None
        pcm = None
        try:
            pcm = read_wav(folder / phrase.audio)
        except InputError as problem:
            key, cure = "audio", problem.cure or "save it there, or correct the name"
            message = f"the audio of phrase '{phrase.id}': {problem.message}: {folder / phrase.audio}"
        if any(phrase.id == known.id for known, _ in phrases):
            key, message, cure = "id", f"phrase '{phrase.id}' occurs twice", "give each phrase its own id"
        elif pcm is not None and not (abs(pcm.astype(int)) > 300).any():
            key, message, cure = "audio", f"the audio of phrase '{phrase.id}' is silent", "record it again"
        if key:
            place = loaded.place("phrases", index, key)
            raise TargetError(message, file=loaded.path, line=place.line, column=place.column, cure=cure)
        assert pcm is not None
        phrases.append((Prompt(id=phrase.id, role="info", text=phrase.text, audio=phrase.audio), pcm))
    return phrases


class PhrasebookTranscriber:
    """Finds known recordings."""

    def __init__(self, phrases: Iterable[tuple[Prompt, Pcm]]) -> None:
        """Takes recordings and their texts; those without a text are recognised, and give no word."""
        self._library = Library(list(phrases))

    def transcribe(self, pcm: Pcm, start: float) -> Transcript:
        """Finds the phrases in ``pcm``; incomplete if one was broken off, has no text, or other speech was heard."""
        words, whole = [], True
        for first, last in _played(self._hear(pcm, start)):
            if last.data["complete"] and last.data["text"]:
                words.append(Word(last.data["text"], first.t, min(last.t, start + len(pcm) / RATE)))
            else:
                whole = False
        complete = whole and accounted_for(speech(pcm, start), words, _SLACK_S)
        return Transcript(tuple(words), complete, "phrasebook")

    def _hear(self, pcm: Pcm, start: float) -> list[Event]:
        prompts = Prompts(self._library, start)
        longer = np.concatenate((pcm, np.zeros(_TAIL, np.int16)))
        events: list[Event] = []
        for first in range(0, len(longer), _BLOCK):
            events += prompts.push(longer[first : first + _BLOCK], speaking=True)
        return events + prompts.finish()


def _played(events: list[Event]) -> Iterator[tuple[Event, Event]]:
    """Yields the beginning and the end of each recording."""
    begun: Event | None = None
    for event in events:
        if event.kind == "prompt":
            begun = event
        elif begun is not None:
            yield begun, event
            begun = None
