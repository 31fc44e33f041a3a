"""Who spoke: what the widget or interface says of it, then the centre's wordings, then the order of things.

| told by | confidence | when |
|---|---|---|
| role | 1.0 | the author is marked, and bot and human are marked differently |
| notice | 0.95 | bot and human look alike, and whether a human has joined was said |
| wording | 0.9 | the words fit one of the target's ``speakers`` |
| order | 0.85 | a human was told by words before, and nobody has said that he left |
| order | 0.8 | nobody is marked, and nobody has queued for a human yet |
| order | 0.5 | somebody speaks in the queue, and nothing tells that a human joined: nobody knows |

Below 0.9 the session needs review (``probes/probe.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probes.chat.notices import LONGEST, Author, NoticeRole, SpeakerRule

ToldBy = Literal["role", "notice", "wording", "order"]


@dataclass(frozen=True)
class Attribution:
    """Who spoke, how sure that is, and what told it."""

    speaker: Author
    confidence: float
    by: ToldBy


class Speakers:
    """Follows one chat: whose a message is may be asked as often as it changes, ``told`` takes it when it is whole."""

    def __init__(self, *, alike: bool, rules: Sequence[SpeakerRule]) -> None:
        """``alike``: bot and human are marked alike; ``rules``: the target's wordings."""
        self._alike, self._rules = alike, rules
        self._joined = self._queued = False
        self._bot = self._human = False  # has spoken; a human who left has not

    def noticed(self, role: NoticeRole) -> None:
        """Takes a notice of the centre."""
        self._queued = self._queued or role == "queue"
        self._joined = role == "joined" or (self._joined and role != "left")
        if role == "left":
            self._human = self._queued = False

    def of(self, author: str, text: str) -> Attribution:
        """Returns who said ``text``, which is marked as ``author``'s."""
        if author in ("user", "system", "agent") or (author == "bot" and not self._alike):
            return Attribution(author, 1.0, "role")  # type: ignore[arg-type]
        who = self._worded(text)
        if who is not None:
            return Attribution(who, 0.9, "wording")
        if self._joined:
            return Attribution("agent", 0.95, "notice")
        if self._human:
            return Attribution("agent", 0.85, "order")
        if self._queued:
            return Attribution("unknown", 0.5, "order")
        return Attribution("bot", 0.95, "notice") if author == "bot" else Attribution("bot", 0.8, "order")

    def _worded(self, text: str) -> Author | None:
        start = text[:LONGEST]
        return next((rule.who for rule in self._rules if re.search(rule.pattern, start, re.IGNORECASE)), None)

    def told(self, one: Attribution) -> tuple[str, ...]:
        """Takes who spoke a whole message; returns what shows a hand-off, if these are a human's first words after one.

        A human with whom the chat began took over from nobody.
        """
        self._bot = self._bot or one.speaker == "bot"
        if one.speaker != "agent" or self._human:
            return ()
        self._human = True
        signs = {
            "author": one.by == "role" and self._bot,
            "wording": one.by == "wording",
            "queue": self._queued,
            "joined": self._joined,
        }
        return tuple(name for name, there in signs.items() if there)
