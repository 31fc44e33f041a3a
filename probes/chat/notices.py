"""What widgets and interfaces share: who speaks in a chat, and the wordings by which a centre says where we are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator

from scenarios.model import Strict

LONGEST = 500  # characters of a notice, and of what tells a speaker: a pattern is not tried on more

Author = Literal["user", "bot", "agent", "system", "unknown"]
NoticeRole = Literal["queue", "joined", "left", "callback", "closed", "end", "idle", "survey"]


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]

# Words that only say that words are coming. A number that counts is told by its counting, not by its looks.
PROGRESS = (
    r"(loading|thinking|typing|is typing|loading content|please wait while .{0,30}loads?)\s*(…|\.{1,6})?",
    r"(对方)?(正在输入|正在思考|思考中|加载中|正在加载)(中|内容)?\s*(…+|\.{1,6}|。{1,6})?",
    r"[.…·•●\s]+",
)

# Who came is a machine: no hand-off, whatever the pattern of ``joined`` says, unless a human is named beside it.
_MACHINE = re.compile(
    r"智能|机器人|虚拟|小助手|AI ?(客服|助手|助理)|chat ?bot|\b(ro)?bots?\b|virtual|\bAI\b", re.IGNORECASE
)
_HUMAN = re.compile(
    r"人工|真人|坐席|座席|专员|代表|工号|\d+ ?号|\bhuman|live agent|representative|advis[eo]r|colleague", re.IGNORECASE
)


class NoticeRule(Strict):
    """A wording by which the centre says where we are. A group named ``position`` is our place in the queue."""

    role: NoticeRole
    pattern: Pattern
    by: tuple[Author, ...] = ("system", "bot", "unknown")


class SpeakerRule(Strict):
    """A wording by which the centre shows who speaks, where its widget does not."""

    who: Literal["bot", "agent", "system"]
    pattern: Pattern


class Notice(Strict):
    """A notice that was recognised."""

    role: NoticeRole
    position: int | None = None


def recognise(rules: Iterable[NoticeRule], author: str, text: str) -> Notice | None:
    """Returns the notice that ``text`` is, if any; rules are tried in order."""
    text = text[:LONGEST]
    for rule in rules:
        if author not in rule.by or (rule.role == "joined" and _MACHINE.search(text) and not _HUMAN.search(text)):
            continue
        found = re.search(rule.pattern, text, re.IGNORECASE)
        if found:
            position = found.groupdict().get("position") or ""
            return Notice(role=rule.role, position=int(position) if re.fullmatch(r"\d{1,9}", position) else None)
    return None


class Profile(Protocol):
    """What the log of a chat must know of its widget or interface."""

    @property
    def name(self) -> str:
        """How the transcript calls it."""

    @property
    def agent_after_joined(self) -> bool:
        """Whether bot and human look alike, so that after ``joined`` it is the human."""

    def notice(self, author: str, text: str) -> Notice | None:
        """Returns the notice that a message is, if any."""

    def is_progress(self, line: str) -> bool:
        """Tells whether a line of a message is no words of it."""
