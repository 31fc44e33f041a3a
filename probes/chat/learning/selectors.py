"""Selectors that are likely to hold: by what the page's makers wrote on purpose, before what a tool has generated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from probes.chat.learning.page import Step

GENERATED = re.compile(
    r"(^|-)(css|sc|jss|tss|svelte|emotion|styled|glamor)-?[\w-]*\d[\w-]*$|^sc-[A-Za-z]{5,}$|^(css|sc|jss)-\w+$|"
    r"^(?=[A-Za-z_-]*\d+[A-Za-z])[\w-]{5,}$(?<!\d)|^[a-z]{1,3}\d[a-z\d]{3,}$|^_?[a-f0-9]{6,}$|[0-9a-f]{8}-[0-9a-f]{4}|[:«]"
)
MODULE = re.compile(r"^(?P<stem>[A-Za-z][A-Za-z-]*(?:_[A-Za-z-]+)*?_{1,2})(?=\w*[\dA-Z])[A-Za-z0-9+-]{5,}(_\d+)?$|"
                    r"^(?P<inner>_[A-Za-z-]+_)[a-z0-9]{5,}(_\d+)?$")  # fmt: skip
STATE = re.compile(
    r"^(is-|has-)?(active|open(ed)?|close[d]?|show(n)?|visible|hidden|focus(ed)?|hover|last|first|new|unread|loading|"
    r"disabled|selected|ready|pulse|expanded|collapsed|in|out)$|(fade|enter|leave|anim|transition)",
    re.IGNORECASE,
)
UTILITY = re.compile(
    r"^-?([pm][trblxy]?|w|h|z|top|left|right|bottom|min|max|gap|text|bg|border|rounded|items|justify|font|leading|"
    r"shadow|space|self|order|flex|grid|col|overflow|opacity|cursor|duration|d)-[\w./[\]%-]+$|"
    r"^(flex|grid|block|inline|inline-block|relative|absolute|fixed|static|container|clearfix|clear|left|right)$"
)
VALUE_OK = re.compile(r"^[A-Za-z][A-Za-z_-]{0,40}$")
LABELS = ("name", "aria-label", "placeholder", "data-placeholder", "title", "alt")
TESTED = re.compile(r"^data-(test|qa|cy|e2e|hook|automation)")
UNSAFE = re.compile(
    r"id$|-id-|key|time|date|index|seq|count|uuid|src|url|text|value|content|state|status|style", re.IGNORECASE
)


@dataclass(frozen=True)
class Token:
    """One simple selector, and how likely it is to hold: 0 is best, from ``WORST`` on it is a guess."""

    css: str
    rank: int


WORST = 6


def escape(name: str) -> str:
    """Returns a name as it is written in a selector."""
    text = re.sub(r"([^\w-])", r"\\\1", name)
    return re.sub(r"^(-?)(\d)", lambda found: f"{found[1]}\\3{found[2]} ", text)


def quoted(value: str) -> str:
    """Returns a value as it is written in an attribute selector."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tokens(tag: str, attrs: dict[str, str]) -> list[Token]:
    """Returns the simple selectors of one element, the most likely to hold first; no bare tag of HTML."""
    found = [Token(tag, 2)] if "-" in tag else []  # a custom element's name is the work of its makers
    for name, value in attrs.items():
        if TESTED.match(name) and value and not GENERATED.search(value):
            found.append(Token(f"[{name}={quoted(value)}]", 0))
        elif name == "id" and value and not unstable_id(value):
            found.append(Token(f"#{escape(value)}", 1))
        elif name.startswith("data-") and not GENERATED.search(name):
            if VALUE_OK.match(value) and not STATE.search(value) and not UNSAFE.search(name):
                found.append(Token(f"[{name}={quoted(value)}]", 1))
            found.append(Token(f"[{name}]", 4))
        elif name == "role" and VALUE_OK.match(value):
            found.append(Token(f'[role="{value}"]', 3))
        elif name in LABELS and value and len(value) <= 60 and "\n" not in value:
            found.append(Token(f"{tag}[{name}={quoted(value)}]", 2 if name == "name" else 4))
        elif name == "href" and tag == "a" and len(value) <= 80 and not re.match(r"#|javascript:", value):
            found.append(Token(f"a[href={quoted(value)}]", 4))
        elif name == "class":
            found += [token for word in value.split() if (token := class_token(word))]
    return sorted(found, key=lambda token: token.rank)


def class_token(word: str) -> Token:
    """Returns the selector of one class name."""
    if (module := MODULE.match(word)) is not None:
        return Token(f'[class*="{module["stem"] or module["inner"]}"]', 4)
    if GENERATED.search(word):
        return Token(f".{escape(word)}", WORST)
    return Token(f".{escape(word)}", 5 if STATE.search(word) or UTILITY.match(word) else 3)


def unstable_id(value: str) -> bool:
    """Says whether an id looks as if it were another one next time."""
    return bool(re.search(r"\d{3,}|\s", value) or GENERATED.search(value))


def for_one(path: Sequence[Step]) -> list[Token]:
    """Returns selectors that could name one element and no other, the most likely to hold first.

    The last one names its place among its siblings all the way down.
    """
    own = tokens(path[0].tag, path[0].attrs)
    tag = path[0].tag
    found = list(own)
    classes = [token for token in own if token.css.startswith(".") and token.rank < 5]
    found += [Token(a.css + b.css, max(a.rank, b.rank)) for a, b in combinations(classes[:4], 2)]
    found += [Token(f"{tag}{token.css}", token.rank) for token in own if token.css[0] in ".[" and token.rank <= 4]
    found.append(Token(tag, 4))
    above = [token for step in path[1:] for token in tokens(step.tag, step.attrs)[:3] if token.rank < 5]
    for token in above[:12]:
        for mine in [*own[:3], Token(tag, 4)]:
            if mine.rank < 5:
                found.append(Token(f"{token.css} {mine.css}", max(token.rank, mine.rank, 3)))
    found.append(Token(_place(path), WORST + 1))
    best: dict[str, Token] = {}
    for token in sorted(found, key=lambda token: token.rank):
        best.setdefault(token.css, token)
    return list(best.values())


def within_host(path: Sequence[Step], hosts: Sequence[Step], *, piercing: bool) -> list[Token]:
    """Returns selectors of an element by the host of the shadow tree that it is in.

    Args:
        path: of the element.
        hosts: of the shadow trees around it, from the inside.
        piercing: for an engine whose descendants reach into shadow trees, as Playwright's do; otherwise for a query
            within the tree itself.
    """
    own = [*tokens(path[0].tag, path[0].attrs)[:4], Token(path[0].tag, 4)]
    found = []
    for host in hosts if piercing else hosts[:1]:
        for outer in tokens(host.tag, host.attrs)[:3]:
            compound = (
                outer.css if outer.css == host.tag else f"{host.tag}{outer.css}" if outer.css[0] in ".#[" else outer.css
            )
            for token in own:
                css = f"{compound} {token.css}" if piercing else f":host({compound}) {token.css}"
                found.append(Token(css, max(outer.rank, token.rank, 3)))
    return sorted(found, key=lambda token: token.rank)


def _place(path: Sequence[Step]) -> str:
    """Returns the way down from the nearest element with a good id."""
    steps: list[str] = []
    for step in path:
        name = step.attrs.get("id", "")
        if name and not unstable_id(name):
            return " > ".join([f"#{escape(name)}", *reversed(steps)])
        steps.append(f"{step.tag}:nth-of-type({step.nth})" if step.tag not in ("html", "body") else step.tag)
    return " > ".join(reversed(steps))


def shared(ones: Iterable[Iterable[Token]]) -> list[Token]:
    """Returns the tokens that all have, the most likely to hold first."""
    sets = [{token.css: token for token in each} for each in ones]
    if not sets:
        return []
    common = set.intersection(*(set(each) for each in sets))
    return sorted((token for css, token in sets[0].items() if css in common), key=lambda token: token.rank)
