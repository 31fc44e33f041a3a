"""What a chat showed besides words: cards, links and images, and whether one of them is what the client confirmed.

A wording is looked for in the words of a card, in the words and the address of a link, in the description (alt) and the
address of an image. One that is itself an address is more than a piece of text: a link leads there only if its host is
that host, or one under it, and its path begins so. ``*`` is any wording: whichever card, link or image it is will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from scenarios.model import FactForm

Part = Mapping[str, str]
"""One part of a message as the channel tells it: ``kind``, ``text``, and where it has one, ``url``."""

ANY = "*"
KINDS: dict[FactForm, tuple[str, ...]] = {"words": (), "link": ("link", "file"), "card": ("card",), "image": ("image",)}
_WRITTEN_OUT = re.compile(r"(?i:https?)://[^\s<>\"'()\[\]{}\u0080-\U0010ffff]+")
_ADDRESS = re.compile(
    r"https?://[!-~]+|([a-z0-9-]+\.)+[a-z]{2,}(:\d+)?(/[!-~]*)?|(\d+\.){3}\d+(:\d+)?(/[!-~]*)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Shown:
    """One card, link or image."""

    text: str
    url: str = ""

    def __str__(self) -> str:
        words = " ".join(self.text.split())
        return " ".join(each for each in (f"“{words}”" if words else "", self.url[:200]) if each) or "no words"

    def says(self, wording: str) -> bool:
        """Tells whether it says ``wording``, or leads there if that is an address."""
        if wording.strip() == ANY:
            return True
        if self.url and _ADDRESS.fullmatch(wording.strip()):
            return _leads(self.url, wording.strip())  # whatever its words pretend
        return _has(self.text, wording) or _has(unquote(self.url), wording)


def shown_in(form: FactForm, text: str | None, parts: Sequence[Part]) -> Iterator[Shown]:
    """Yields what one message showed of a form. An address written out in its words is a link as well."""
    addresses = set()
    for part in parts:
        if part.get("kind") in KINDS[form]:
            url = part.get("url", "")
            addresses.add(url)
            yield Shown(part.get("text", ""), url if url.startswith(("http:", "https:")) else "")
    if form == "link":
        for address in _WRITTEN_OUT.findall(text or ""):
            if (address := address.rstrip(".,;:!?")) not in addresses:
                yield Shown("", address)


def _has(text: str, wording: str) -> bool:
    return "".join(wording.split()).casefold() in "".join(text.split()).casefold()


def _leads(url: str, wanted: str) -> bool:
    there = _split(wanted if "://" in wanted else f"//{wanted}")
    here = _split(url)
    if there is None or here is None or not here.hostname or not there.hostname:
        return False
    if there.scheme not in ("", here.scheme) or (there.port is not None and there.port != here.port):
        return False
    same = here.hostname == there.hostname or here.hostname.endswith(f".{there.hostname}")
    rest = here.path + (f"?{here.query}" if here.query else "")
    return same and rest.startswith(there.path + (f"?{there.query}" if there.query else ""))


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
