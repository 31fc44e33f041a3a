"""What comes in, read by the rules of a profile: records in, what they mean out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from probes.chat import json_text
from probes.chat.api.interface import ItemKind, Read, Rule
from probes.chat.api.parts import Part, parts_of
from probes.chat.api.paths import find, first
from probes.chat.notices import Author, NoticeRole

DEEPEST = 100  # levels of a document
ACTIVITIES = Read(
    items="activities[*]",
    authors={"user": "user", "bot": "bot", "agent": "agent", "human": "agent", "system": "system"},
    rules=(
        Rule(
            when={"type": "message"},
            kind="message",
            id="id",
            text="text",
            author="from.role",
            shows={"button": "suggestedActions.actions", "attachment": "attachments"},
        ),
        Rule(
            when={"type": "typing", "channelData.streamType": "streaming"},
            kind="so_far",
            id="id",
            text="text",
            author="from.role",
        ),
        Rule(when={"type": "typing", "channelData.streamType": "*"}, kind="ignore"),
        Rule(when={"type": "typing"}, kind="typing"),
        Rule(when={"type": "endOfConversation"}, kind="end", text="code"),
        Rule(kind="ignore"),
    ),
)


@dataclass(frozen=True)
class Item:
    """One thing that the far end told us."""

    kind: ItemKind
    id: str | int | None = None
    text: str = ""
    author: Author = "bot"
    role: NoticeRole | None = None
    position: int | None = None
    on: bool = True
    parts: tuple[Part, ...] = ()


def document_of(data: str | bytes) -> Any:
    """Returns the JSON document in a frame.

    Raises:
        ValueError: it is none, or it is nested too deeply.
    """
    try:
        document = json_text.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    level = [document]
    for _ in range(DEEPEST):
        level = [each for inside in level for each in _inside(inside)]
        if not level:
            return document
    raise ValueError("nested too deeply")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def items_of(document: Any, read: Read) -> Iterator[Item]:
    """Yields what a document means, in its order; what no rule fits means nothing."""
    for record in find(document, read.items):
        rule = next((rule for rule in read.rules if _fits(record, rule)), None)
        if rule is not None and rule.kind != "ignore":
            item = _item(record, rule, read)
            if item is not None:
                yield item


def _fits(record: Any, rule: Rule) -> bool:
    for path, wanted in rule.when.items():
        found = [value for value in find(record, path) if value is not None]
        choices = wanted if isinstance(wanted, list | tuple) else [wanted]
        if not any(choice == "*" or _same(value, choice) for value in found for choice in choices):
            return False
    return True


def _same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)


def _item(record: Any, rule: Rule, read: Read) -> Item | None:
    text = "" if rule.text is None else "\n".join(_words(find(record, rule.text)))
    parts = tuple(parts_of(record, rule.shows))
    if rule.kind in ("message", "so_far") and not text.strip() and not parts:
        return None  # nothing yet
    name = first(record, rule.id)
    return Item(
        rule.kind,
        id=name if isinstance(name, str | int) else None if name is None else json.dumps(name, sort_keys=True),
        text=text if rule.kind == "delta" else text.strip(),
        author=_author(record, rule, read),
        role=rule.role,
        position=_number(first(record, rule.position)),
        parts=parts,
        on=first(record, rule.on) not in (False, 0, "", "false", "off", "stop", "paused"),
    )


def _author(record: Any, rule: Rule, read: Read) -> Author:
    if rule.who is not None or rule.author is None:
        return rule.who or "bot"
    word = first(record, rule.author)
    return read.authors.get(word if isinstance(word, str) else json.dumps(word), "unknown")


def _words(found: list[Any]) -> Iterator[str]:
    for value in found:
        if isinstance(value, list):
            yield from _words(value)
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield str(value)


def _number(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 9 else None
