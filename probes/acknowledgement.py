"""Words that only ask for patience: somebody, or something, has taken notice, and nothing has been answered yet."""

from __future__ import annotations

WORDS = ("请稍等", "请稍候", "稍等", "one moment", "please wait", "hold on")
LONGEST, LONGEST_LATIN = 16, 40  # characters: what is longer says more than that


def is_acknowledgement(text: str | None) -> bool:
    """Says whether a message only asks for patience."""
    if text is None or len(text) > (LONGEST_LATIN if text.isascii() else LONGEST):
        return False
    return any(word in text.casefold() for word in WORDS)
