"""One turn, seen as a row of drawn trees: our message, the answer, and what in the page is one message.

Pure functions: trees in, nodes and selectors out. The trees are those before we wrote and after it, oldest first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from probes.chat.learning.page import Node
from probes.chat.learning.selectors import Token, shared, tokens
from probes.chat.learning.vocabulary import LIST_CODES
from probes.chat.notices import PROGRESS

TEXT_TAGS = ("p", "span", "strong", "em", "b", "i", "a", "td", "code", "h1", "h2", "h3", "h4", "time", "small", "label")
SPARE = 60  # letters that a message may hold besides what was said: name, time, state
CLOSE = 0.3  # of what the best selector covers, another may leave out if it tells more messages apart


@dataclass(frozen=True)
class Seen:
    """What one turn showed."""

    echo: Node  # the smallest element that shows our words
    list: Node
    item: str  # a selector of one message, seen from the list
    rank: int  # how likely it is to hold
    ours: Node  # the message that is ours
    theirs: tuple[Node, ...]  # all other messages, in document order
    new: tuple[Node, ...]  # those of them that came after ours

    @property
    def members(self) -> tuple[Node, ...]:
        """All messages."""
        return (self.ours, *self.theirs)


def same(text: str) -> str:
    """Returns a text as it is compared."""
    return "".join(text.split()).casefold()


def read_turn(before: Node, shots: Sequence[Node], said: str, box: int) -> Seen | None:
    """Returns what the turn showed; None if our words are nowhere on the page.

    Args:
        before: the page before we wrote.
        shots: the page after it, oldest first.
        said: our words.
        box: id of the element they were written into.
    """
    echoes = find_echoes(before, shots, said, box)
    readings = [found for echo in echoes if (found := _around(before, shots[-1], echo, said, box)) is not None]
    readings.sort(key=lambda found: (-bool(found.new), -bool(found.theirs), -_listlike(found.list)))
    return readings[0] if readings else None


def find_echoes(before: Node, shots: Sequence[Node], said: str, box: int) -> list[Node]:
    """Returns the smallest elements of the last shot that show our words since we wrote, the first to appear first."""
    wanted = same(said)
    for exact in (True, False):
        old = {node.id for node in before.nodes() if _shows(node, wanted, exact=exact)}
        first: dict[int, int] = {}
        for number, shot in enumerate(shots):
            for node in _showing(shot, wanted, box, exact=exact):
                first.setdefault(node.id, number)
        found = [node for node in _showing(shots[-1], wanted, box, exact=exact) if node.id not in old] if shots else []
        if found:
            return sorted(found, key=lambda node: first[node.id])[:4]
    return []


def _shows(node: Node, wanted: str, *, exact: bool) -> bool:
    text = same(node.text)
    return text == wanted if exact else wanted in text


def _showing(shot: Node, wanted: str, box: int, *, exact: bool) -> list[Node]:
    found = []
    for node in shot.nodes():
        if (
            not node.drawn
            or not _shows(node, wanted, exact=exact)
            or _has(node, box)
            or box in {up.id for up in node.up()}
        ):
            continue
        if not any(isinstance(kid, Node) and kid.drawn and _shows(kid, wanted, exact=exact) for kid in node.kids):
            found.append(node)
    return found


def _has(node: Node, number: int) -> bool:
    return any(each.id == number for each in node.nodes())


def blocks(node: Node) -> list[Node]:
    """Returns the drawn elements that hold words directly, progress left out."""
    return [each for each in node.nodes() if each.drawn and each.own and not is_progress(each.own)]


def is_progress(text: str) -> bool:
    """Says whether these words only say that words are coming."""
    return any(re.fullmatch(pattern, text.strip(), re.IGNORECASE) for pattern in PROGRESS)


def _around(before: Node, last: Node, echo: Node, said: str, box: int) -> Seen | None:
    """Finds what a message is, starting from ours."""
    region = echo
    for place in echo.up():
        if _has(place, box):
            break
        region = place
    known = {each.text for each in blocks(before)}
    others = [each for each in blocks(region) if not _inside(each, echo)]
    if not [each for each in others if each.text not in known]:  # the box stands among the messages
        wider = [
            each
            for each in blocks(last)
            if not _inside(each, echo) and box not in (each.id, *(u.id for u in each.up()))
        ]
        if any(each.text not in known for each in wider):
            region, others = last, wider
    weights = {each.id: (1.0 if each.text not in known else 0.3) * min(len(each.own), 80) for each in others}
    candidates = _candidates(echo, region, others, weights, said)
    if not candidates:
        return _alone(echo, region, others, known)
    most = max(each.covers for each in candidates)
    good = [each for each in candidates if each.covers >= most - CLOSE]
    best = min(good, key=lambda each: (-len(each.members), each.token.rank >= 5, -each.level, each.token.rank))
    return _seen(echo, best.token.css, best.token.rank, best.ours, best.members, known, region)


@dataclass(frozen=True)
class _Candidate:
    token: Token
    level: int  # of how many elements away from our words
    ours: Node
    members: tuple[Node, ...]
    covers: float  # which share of the words around ours is in one of the messages


def _candidates(
    echo: Node, region: Node, others: Sequence[Node], weights: dict[int, float], said: str
) -> list[_Candidate]:
    found = []
    total = sum(weights.values()) or 1.0
    place, level = echo, 0
    while place is not region and place is not None:
        spare = len(same(place.text)) - len(same(said))
        if spare > SPARE:
            break
        choices = list(tokens_of(place))
        if place.tag not in TEXT_TAGS and place.tag != "div":
            choices.append(Token(place.tag, 5))
        for token in choices:
            members = [node for node in _tree_of(place, region) if token in tokens_of(node) or node.tag == token.css]
            members = [node for node in members if node.text and any(each.drawn for each in node.nodes())]
            inside = {node.id for node in members}
            nested = any(up.id in inside for node in members for up in node.up())
            textual = place.tag in TEXT_TAGS and level == 0 and place.parent is not region
            covered = sum(
                weights[each.id] for each in others if any(_inside(each, node) for node in members if node is not place)
            )
            mine = sum(weights[each.id] for each in others if _inside(each, place))
            if not nested and not (textual and len(members) > 1 and covered == 0):
                found.append(
                    _Candidate(token, level, place, tuple(members), (covered + mine) / total if others else 1.0)
                )
        if place.parent is None:
            break
        place, level = place.parent, level + 1
    told = [each for each in found if len(each.members) > 1 and each.ours.tag not in TEXT_TAGS]
    return told or ([each for each in found if each.level == 0 or each.covers > 0] if not others else [])


def _alone(echo: Node, region: Node, others: Sequence[Node], known: set[str]) -> Seen | None:
    """Ours and theirs have no name in common: each gets its own, or all children of their list are messages."""
    new = [each for each in others if each.text not in known] or list(others)
    if not new:
        return None
    main = max(new, key=lambda each: len(each.own))
    above = [echo, *echo.up()]
    shared = next((up for up in [main, *main.up()] if any(up is mine for mine in above)), None)
    if shared is None or shared is echo or shared is main:
        return None
    mine = next(node for node in above if node.parent is shared)
    other = next(node for node in [main, *main.up()] if node.parent is shared)
    a, b = next(iter(tokens_of(mine)), None), next(iter(tokens_of(other)), None)
    if a and b and max(a.rank, b.rank) < 5:
        css, rank = f"{a.css}, {b.css}", max(a.rank, b.rank)
        members = tuple(node for node in shared.light() if a in tokens_of(node) or b in tokens_of(node))
    else:
        css, rank = ":scope > *", 5
        members = tuple(kid for kid in shared.kids if isinstance(kid, Node) and kid.text)
    return _seen(echo, css, rank, mine, members, known, region, exactly=shared if rank == 5 else None)


def _seen(
    echo: Node, css: str, rank: int, ours: Node, members: Sequence[Node], known: set[str], region: Node,
    exactly: Node | None = None,
) -> Seen:  # fmt: skip
    theirs = tuple(node for node in members if node is not ours)
    new = tuple(node for node in theirs if any(each.text not in known for each in blocks(node)))
    return Seen(echo, exactly or _list_of(ours, members, region), css, rank, ours, theirs, new)


def _list_of(ours: Node, members: Sequence[Node], region: Node) -> Node:
    """The nearest element that holds all messages and looks like a list; else the nearest that holds them."""
    inside = [up for up in ours.same_tree() if all(_inside(node, up) for node in members)]
    if not inside:
        return ours.parent or ours
    allowed = [up for up in inside if _inside(up, region)] or inside[:1]
    return next((up for up in allowed if _listlike(up)), allowed[0])


def _listlike(node: Node) -> bool:
    names = f"{node.attrs.get('id', '')} {node.attrs.get('class', '')}"
    role = node.attrs.get("role") in ("log", "feed", "list")
    return role or "aria-live" in node.attrs or node.scrolls or bool(LIST_CODES.search(names))


def _inside(node: Node, place: Node) -> bool:
    return node is place or any(up is place for up in node.up())


def _tree_of(node: Node, region: Node) -> Iterable[Node]:
    """All nodes of the document or shadow tree that a node is in, as far as the region reaches."""
    top = node
    for up in node.same_tree():
        top = up
        if up is region:
            break
    return [top, *top.light()]


def tokens_of(node: Node) -> tuple[Token, ...]:
    """Returns the simple selectors of a node that others may share, the most likely to hold first."""
    attrs = tuple(
        (name, value) for name, value in node.attrs.items() if name not in ("id", "title", "alt", "placeholder")
    )
    return _tokens(node.tag, attrs)


@lru_cache(maxsize=20_000)
def _tokens(tag: str, attrs: tuple[tuple[str, str], ...]) -> tuple[Token, ...]:
    return tuple(token for token in tokens(tag, dict(attrs)) if "aria-label" not in token.css)


def item_in(held: Node, but: Collection[str] = ()) -> Token | None:
    """Returns what the messages that a list already holds have in common; None if it holds none.

    Args:
        held: the list.
        but: words that a selector of all messages may not hold, for they name an author.
    """
    rows = [node for node in held.light() if node.text and node.drawn]
    top = [node for node in rows if not any(_inside(node, other) for other in rows if other is not node)]
    while len(top) == 1 and not top[0].own and not tokens_of(top[0]):
        top = [kid for kid in top[0].kids if isinstance(kid, Node) and kid.text]
    good = (token for token in shared(tokens_of(node) for node in top) if token.rank < 5)
    best = next((token for token in good if not set(but) & set(re.split(r"[^a-z]+", token.css.lower()))), None)
    return best or (Token(top[0].tag, 5) if top and top[0].tag in ("li", "article") else None)


def members_of(held: Node, item: Token) -> list[Node]:
    """Returns the messages that a list holds."""
    found = [node for node in held.light() if item in tokens_of(node) or node.tag == item.css]
    return [node for node in found if node.text]
