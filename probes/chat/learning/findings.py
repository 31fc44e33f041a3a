"""What was found, how sure it is, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from probes.chat.learning.selectors import WORST, Token
from scenarios.model import Text

Sure = Literal["proven", "likely", "guess"]
What = Literal["frame", "open", "ready", "input", "send", "list", "item", "text", "author", "typing"]

GENERATED_NAME = Text(
    zh="名称由工具生成，下次发布可能改变", en="by a generated name or a place, which the next release may change"
)


@dataclass(frozen=True)
class Finding:
    """One part of the widget."""

    what: What
    css: str
    sure: Sure
    why: tuple[Text, ...] = ()

    def weaker(self, token: Token) -> Finding:
        """Returns it as a guess if its selector is not likely to hold."""
        if token.rank < WORST or self.sure == "guess":
            return self
        return replace(self, sure="guess", why=(*self.why, GENERATED_NAME))


@dataclass(frozen=True)
class AuthorFinding:
    """Who wrote a message: by ``css``, or by how the text ``starts``."""

    who: str
    css: str | None
    starts: str | None
    sure: Sure
    why: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Click:
    """What opens the chat, and the iframes that it is in, from the page inwards."""

    css: str
    frames: tuple[str, ...]
    sure: Sure
    why: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Messages:
    """Where the messages are, and who wrote them."""

    list: Finding
    item: Finding
    text: Finding | None = None
    drop: tuple[str, ...] = ()
    authors: tuple[AuthorFinding, ...] = ()
    typing: Finding | None = None
    key: str | None = None  # an attribute that may name a message


@dataclass
class Learnt:
    """All that was found on a page."""

    url: str
    frames: tuple[str, ...] = ()  # iframes of the widget, from the page inwards
    clicks: tuple[Click, ...] = ()
    input: Finding | None = None
    ready: Finding | None = None
    ready_socket: bool = False
    greets: bool = False  # messages stood there before anything was said
    send: Finding | None = None
    button: str | None = None  # a send button that is not needed
    messages: Messages | None = None
    sent: str | None = None  # what was said
    answer: str | None = None
    proven: bool | None = None  # by a second session with the profile; None: not tried
    problems: list[Text] = field(default_factory=list)  # what could not be found
    notes: list[Text] = field(default_factory=list)  # what else there is to know

    @property
    def complete(self) -> bool:
        """Whether a profile can be made of it."""
        return self.input is not None and self.ready is not None and self.messages is not None


def joined(why: Sequence[Text], lang: Literal["zh", "en"]) -> str:
    """Returns reasons as one line."""
    return ("；" if lang == "zh" else "; ").join(each.in_(lang) for each in why)
