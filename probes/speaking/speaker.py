"""The voice of one caller or agent: recorded lines where there are any, synthesised ones otherwise."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from probes.hearing.wav import Pcm, read_wav, write_wav
from probes.speaking import espeak, provenance
from scenarios.errors import InputError
from scenarios.model import Lang

VOICES: dict[Lang, str] = {"zh": "cmn", "en": "en-us"}
PACE: dict[Lang, float] = {"zh": 1.5, "en": 1.1}  # the engine's words are not those of Chinese: natural speed for both
VARIANTS = ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m7")  # clear, and told apart by ear
_FORMAT = 2  # raise it when the same text and voice are to sound different: old cache files are then passed over
_LINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Voice:
    """How somebody speaks: an eSpeak variant (None: the engine's own speaker), words per minute, pitch 0 to 99."""

    variant: str | None = None
    wpm: int = 170
    pitch: int = 50

    @classmethod
    def draw(cls, seed: int | str, *, among: tuple[str, ...] = VARIANTS) -> Voice:
        """Draws a voice; the same seed gives the same voice.

        Args:
            seed: for example the persona's.
            among: the variants to draw from, so that callers and agents can be kept apart.
        """
        random = Random(f"voice:{seed}")
        return cls(random.choice(among), random.randint(155, 195), random.randint(40, 60))


DRAFT_VOICE = Voice("f3")


def synthesise(text: str, lang: Lang, voice: Voice) -> Pcm:
    """Says ``text`` with a synthetic voice, at the natural speed of ``lang``: samples at 8 kHz.

    Raises:
        HarnessFault: the text could not be said.
    """
    said = asdict(voice) | {"wpm": round(voice.wpm * PACE[lang])}
    return espeak.render(text, voice=VOICES[lang], **said)


class Speaker:
    """One speaker of one language.

    Safe to use from several threads and from several processes that share ``cache``: whoever renders a text first
    decides how it sounds, and everybody else plays the very same samples.
    """

    def __init__(self, lang: Lang, voice: Voice, cache: Path, recordings: Path | None = None) -> None:
        self.lang, self.voice, self.cache, self.recordings = lang, voice, cache, recordings

    def audio(self, text: str, line: str) -> Pcm:
        """Returns what is to be played for ``text``.

        Args:
            text: the words.
            line: their name, letters, digits, ``_`` and ``-``; ``<recordings>/<line>.wav`` stands in for synthesis,
                and without it ``<line>.draft.wav`` if it says the same: a synthetic voice, heard beforehand.

        Returns:
            Samples at 8 kHz, at most 30 ms of silence before and after.

        Raises:
            InputError: the line's name is not one, or its recording cannot be read, is silent, says something else than
                ``text``, or is a draft in a recording's place. No synthetic voice takes over: that wants consent.
            HarnessFault: the text could not be said.
        """
        if not _LINE.fullmatch(line):
            raise InputError(f"{line!r} cannot name a recording", cure="use letters, digits, _ and -")
        if self.recordings is not None:
            recorded = provenance.recorded_path(self.recordings, line)
            draft = provenance.draft_path(self.recordings, line)
            if recorded.exists():
                pcm = espeak.trim(read_wav(recorded))
                if not len(pcm):
                    raise InputError("this recording is silent", file=recorded)
                provenance.check(recorded, text)
                return pcm
            if draft.exists():
                sidecar = provenance.read_sidecar(draft)
                if sidecar is not None and provenance.says(sidecar, text):
                    return espeak.trim(read_wav(draft))
        kept = self.cache / f"{self._key(text)}.wav"
        if not kept.exists():
            write_wav(kept, synthesise(text, self.lang, self.voice), keep=True)
        return read_wav(kept)

    def _key(self, text: str) -> str:
        said = "\0".join((str(_FORMAT), self.lang, repr(self.voice), text))
        return hashlib.sha256(said.encode()).hexdigest()[:32]
