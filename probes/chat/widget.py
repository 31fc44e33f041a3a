"""Widget profiles: how one kind of chat widget is opened, written into and read. Data, not code.

A profile is a YAML file; the shipped ones lie in ``probes/chat/widgets``. Selectors are CSS and reach into open shadow
roots. Everything is looked for in the page's main frame, or in its child frames where ``frame`` says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from probes.chat.notices import LONGEST, PROGRESS, Author, Notice, NoticeRule, Pattern, recognise
from scenarios.errors import TargetError
from scenarios.model import Strict
from scenarios.yaml_file import load

SHIPPED = Path(__file__).with_name("widgets")


class AuthorRule(Strict):
    """Who wrote a message: the first rule that fits decides."""

    who: Author
    css: str | None = Field(default=None, description="the message, or something inside it, matches this selector")
    starts: str | None = Field(default=None, description="the message's whole text starts so (hidden prefixes)")

    @model_validator(mode="after")
    def _one(self) -> AuthorRule:
        if (self.css is None) == (self.starts is None):
            raise ValueError("an author rule has exactly one of: css, starts")
        return self


class Messages(Strict):
    """Where the messages are."""

    list: str = Field(description="the container; what happens outside it is no message")
    item: str = Field(description="one message, counted from the container down")
    text: str | None = Field(default=None, description="the words inside an item; the whole item by default")
    drop: tuple[str, ...] = Field(default=(), description="parts of an item that are no words of the message")
    key: str | None = Field(default=None, description="an attribute that names a message for good, if there is one")
    card: str | None = Field(default=None, description="a card inside an item")
    ignore: tuple[Pattern, ...] = Field(default=PROGRESS, description="whole lines that are no words of the message")
    authors: tuple[AuthorRule, ...] = Field(min_length=1)


class Click(Strict):
    """What opens the widget where that stands outside the widget's own frame."""

    css: str
    frame: str | tuple[str, ...] = Field(default=(), description="the iframe it is in; none: the page itself")


def frames_of(frame: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Returns the iframes that lead to a place, from the page inwards."""
    return (frame,) if isinstance(frame, str) else frame or ()


class Widget(Strict):
    """One profile."""

    format: Literal[1]
    name: str
    frame: str | tuple[str, ...] | None = Field(
        default=None, description="the iframe the widget lives in; several, one in another, from the page inwards"
    )
    open: tuple[str | Click, ...] = Field(
        default=(), description="what to click, in order, once the page has loaded; a plain selector is in the frame"
    )
    ready: str = Field(description="shown and enabled when a message will not be lost")
    ready_socket: bool | Literal["if_any"] = Field(
        default=False, description="... and only once the page's WebSocket is open; 'if_any': if it has begun one"
    )
    ready_s: float = Field(default=20, gt=0, description="how long to wait for that after the page has loaded")
    input: str
    send: str = Field(default="Enter", description="'Enter', or the button to click")
    free: str | None = Field(
        default=None, description="shown while the widget takes a message; some take none while they answer"
    )
    messages: Messages
    typing: str | None = Field(default=None, description="shown while the far end is typing")
    attach: str | None = Field(default=None, description="the file input, or the button that opens the file chooser")
    attached: str | None = Field(
        default=None, description="a file that waits to be sent with 'send'; without it, choosing a file sends it"
    )
    choices: str | None = Field(default=None, description="quick replies that are offered outside the messages")
    survey: str | None = Field(default=None, description="asks how satisfied we are: seen, never filled")
    end: str | None = Field(default=None, description="shown once the chat is over")
    dismiss: tuple[str, ...] = Field(default=(), description="clicked away wherever it is in the way (banners)")
    notices: tuple[NoticeRule, ...] = ()
    agent_after_joined: bool = Field(
        default=False, description="the widget marks bot and human alike: after 'joined' it is the human"
    )
    ends_with_socket: bool = Field(default=True, description="the far end closing the WebSocket ends the chat")
    reconnect_s: float = Field(default=3, ge=0, description="... unless it was cut off and is open again by then")
    greets_s: float = Field(default=0, ge=0, description="wait so long for the greeting before anything is said")

    def notice(self, author: str, text: str) -> Notice | None:
        """Returns the notice that ``text`` is, if any; rules are tried in order."""
        return recognise(self.notices, author, text)

    def is_progress(self, line: str) -> bool:
        """Tells whether a line of a message is no words of it."""
        line = line.strip()
        return len(line) <= LONGEST and any(re.fullmatch(p, line, re.IGNORECASE) for p in self.messages.ignore)

    def observer_config(self) -> dict[str, Any]:
        """Returns what the observer in the page needs to know."""
        return {
            "list": self.messages.list,
            "item": self.messages.item,
            "text": self.messages.text,
            "drop": ", ".join(self.messages.drop) or None,
            "key": self.messages.key,
            "authors": [rule.model_dump() for rule in self.messages.authors],
            "card": self.messages.card,
            "typing": self.typing,
            "choices": self.choices,
            "survey": self.survey,
            "end": self.end,
            "ready": self.ready,
            "readySocket": self.ready_socket,
        }


def load_widget(name: str, folder: Path | None = None) -> Widget:
    """Loads a profile.

    Args:
        name: a shipped profile (``sandbox``), or a path ending in ``.yaml``.
        folder: where a relative path starts, usually the target file's folder.

    Raises:
        TargetError: there is no such profile, or it is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        return load((folder or Path()) / name, Widget, error=TargetError)
    shipped = {path.stem: path for path in SHIPPED.glob("*.yaml")}
    if name not in shipped:
        raise TargetError(
            f"unknown chat widget {name!r}",
            cure=f"use one of {', '.join(sorted(shipped))}, or write a profile and give its path ending in .yaml",
        )
    return load(shipped[name], Widget, error=TargetError)
