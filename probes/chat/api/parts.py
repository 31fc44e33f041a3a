"""What a record shows besides words: quick replies, links, files, images, cards; found by the paths of a profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from probes.chat.api.paths import find
from scenarios.model import Strict

PartKind = Literal["button", "link", "file", "image", "card", "attachment"]
LABELS = ("title", "label", "text", "name", "alt", "altText")
ADDRESSES = ("url", "contentUrl", "href", "link", "value")
MAX_PARTS, LONGEST = 50, 500


class Part(Strict):
    """One of them. ``value`` is what pressing a button says, where that is not its label."""

    kind: str
    text: str = ""
    url: str = ""
    value: str = ""


def parts_of(record: Any, shows: Mapping[PartKind, str]) -> list[Part]:
    """Returns what ``record`` shows.

    Args:
        record: JSON.
        shows: kind -> path of each; an ``attachment`` says by its content type which kind it is.
    """
    found = [part for kind, path in shows.items() for value in find(record, path) for part in _parts(kind, value)]
    return [part for part in found if part.text or part.url or part.kind == "card"][:MAX_PARTS]


def _parts(kind: str, value: Any) -> Iterator[Part]:
    if isinstance(value, list):
        for each in value:
            yield from _parts(kind, each)
    elif isinstance(value, str) and value.strip():
        address = kind != "button" and value.startswith(("http://", "https://"))
        yield Part(kind=kind, **{"url" if address else "text": value.strip()[:LONGEST]})
    elif isinstance(value, Mapping):
        yield from _described(_kind_of(value) if kind == "attachment" else kind, value)


def _described(kind: str, value: Mapping[str, Any]) -> Iterator[Part]:
    content = value.get("content")
    if kind == "card":
        inside = content if isinstance(content, Mapping) else value
        yield Part(kind=kind, text="\n".join(_words(inside))[:LONGEST])
        buttons = inside.get("buttons")
        for button in buttons if isinstance(buttons, list) else ():
            if isinstance(button, Mapping):
                yield from _described("link" if button.get("type") == "openUrl" else "button", button)
        return
    text = next((value[key] for key in LABELS if isinstance(value.get(key), str) and value[key].strip()), "")
    url = next((value[key] for key in ADDRESSES if str(value.get(key)).startswith(("http://", "https://"))), "")
    said = value.get("value") if kind == "button" else None
    yield Part(
        kind=kind,
        text=text.strip()[:LONGEST],
        url="" if kind == "button" else url[:LONGEST],
        value=said if isinstance(said, str) and said != text else "",
    )


def _kind_of(value: Mapping[str, Any]) -> str:
    media = str(value.get("contentType") or value.get("mimeType") or value.get("type") or "")
    return "image" if media.startswith("image") else "card" if ".card." in media else "file"


def _words(value: Any) -> Iterator[str]:
    """Yields the words of a card, in their order; buttons, addresses and types are none."""
    if isinstance(value, Mapping):
        for key, inside in value.items():
            if key in ("title", "subtitle", "text", "label", "value", "facts", "body", "items", "columns", "content"):
                yield from [inside] if isinstance(inside, str) else _words(inside)
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
