"""The required and forbidden phrases (G…, F… of domain 5.0), and whether a text contains one of them.

The rules of the schemes give no wording: these patterns are this project's and the client's own service standard comes
first. A verdict from patterns is one of three: said, not said, and not to be judged from words alone.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, RootModel

from scenarios.model import Lang, Strict, Text
from scenarios.yaml_file import load

PHRASES_FILE = Path(__file__).with_name("phrases.yaml")
_SENTENCE_END = re.compile(r"[。！？；]+|[.!?;]+(?=\s|\Z)")


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as problem:
        raise ValueError(f"not a regular expression: {problem}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class Patterns(Strict):
    """Regular expressions in two languages; any one of them is enough."""

    zh: tuple[Pattern, ...] = ()
    en: tuple[Pattern, ...] = ()

    def first(self, text: str, lang: Lang) -> re.Match[str] | None:
        """Returns the first place at which one of the patterns is found."""
        patterns = _compiled(self.zh if lang == "zh" else self.en)
        found = (pattern.search(text) for pattern in patterns)
        return min((match for match in found if match), key=lambda match: match.start(), default=None)


@lru_cache(maxsize=1024)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in patterns)


class Phrase(Strict):
    """One required or forbidden phrase."""

    id: str = Field(pattern=r"^[GF][1-9][0-9]?$")
    name: Text
    critical: bool = False
    patterns: Patterns
    unless: Patterns = Patterns()
    absent: Literal["not_said", "unknown"]

    def said(self, text: str, lang: Lang) -> bool | None:
        """Says whether ``text``, what one speaker said at a stretch, contains the phrase; None when words cannot tell.

        An empty text contains nothing; whether a phrase is called for at all is for the caller to know.
        """
        lines = _SENTENCE_END.sub("\n", text)
        match = self.patterns.first(lines, lang)
        if match and not self.unless.first(lines[match.start() :], lang):
            return True
        return False if self.absent == "not_said" else None


class _Phrases(RootModel[tuple[Phrase, ...]]):
    """The whole file."""


@cache
def phrases() -> dict[str, Phrase]:
    """Returns all phrases by id."""
    return {phrase.id: phrase for phrase in load(PHRASES_FILE, _Phrases).root}


def said(phrase_id: str, text: str, lang: Lang) -> bool | None:
    """Says whether ``text`` contains the phrase, or None where that cannot be judged from words.

    Args:
        phrase_id: ``G1`` … ``G8`` or ``F1`` … ``F12``.
        text: what one speaker said at a stretch.
        lang: its language.

    Raises:
        KeyError: there is no such phrase (linting a script finds that first).
    """
    return phrases()[phrase_id].said(text, lang)
