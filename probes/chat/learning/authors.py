"""Whose message is whose, which part of it is its words, and what shows that somebody types. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from probes.chat.learning.findings import AuthorFinding, Finding, Sure
from probes.chat.learning.page import Node
from probes.chat.learning.selectors import Token, shared
from probes.chat.learning.talk import TEXT_TAGS, Seen, blocks, is_progress, same, tokens_of
from probes.chat.learning.vocabulary import AGENT, ASIDE, BOT, SYSTEM, TYPING, US
from scenarios.model import Text

DEPTH = 40  # elements of a message that are looked at
DIFFERS = Text(zh="只有我们的消息带有它", en="only our message has it")
DIFFERS_THEM = Text(zh="只有对方的消息带有它", en="only their message has it")
NAMED = Text(zh="名称说明了作者", en="its name says who wrote it")
ANALOGY = Text(zh="由上面的规则类推，未见过", en="by analogy with the rules above; not seen")
REST = Text(zh="除我们的消息以外，其余都算作它", en="whatever is not ours counts as it")


def names_in(css: str) -> frozenset[str]:
    """Returns the words that a selector is made of."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", css)
    return frozenset(re.split(r"[^a-z]+", split.lower())) - {"", "data", "class", "role", "author", "message"}


def authors(seen: Seen) -> list[AuthorFinding]:
    """Returns the rules that tell the authors apart, in the order in which they are to be tried."""
    others = [_inner(node, seen) for node in seen.theirs]
    mine = _inner(seen.ours, seen)
    foreign = {css for each in others for css in each}
    user = _choose([each for css, each in mine.items() if css not in foreign], US)
    rules: list[AuthorFinding] = []
    if user is not None and seen.theirs:
        named = bool(names_in(user.css) & US)
        sure: Sure = "likely" if user.rank < 5 and (named or len(seen.theirs) > 1) else "guess"
        rules.append(AuthorFinding("user", user.css, None, sure, (DIFFERS, NAMED) if named else (DIFFERS,)))
    elif (prefix := _prefix(seen)) is not None:
        why = Text(zh="只有我们的消息以此开头", en="only our message starts so")
        rules.append(AuthorFinding("user", None, prefix, "likely", (why,)))
    return rules + _theirs(seen, others, mine) if rules else unknown()


def still(members: Sequence[Node]) -> list[AuthorFinding]:
    """Returns the rules for messages that stood there before anything was said: nobody knows what ours look like."""
    common = shared([token for inner in [node, *node.light()] for token in tokens_of(inner)] for node in members)
    named = next((token for token in common if names_in(token.css) & BOT and not names_in(token.css) & US), None)
    greeting = [AuthorFinding("bot", named.css, None, "guess", (NAMED,))] if named else []
    why = Text(zh="未发送消息，其余作者未知", en="nothing was sent: who else writes is not known")
    return [*greeting, AuthorFinding("unknown", "*", None, "guess", (why,))]


def unknown() -> list[AuthorFinding]:
    """Returns the rule for messages that nothing tells apart."""
    why = Text(
        zh="看不出消息由谁所写，本方消息凭原话认出", en="nothing tells authors apart; ours is known by its words"
    )
    return [AuthorFinding("unknown", "*", None, "guess", (why,))]


def _theirs(
    seen: Seen, others: Sequence[dict[str, tuple[int, Token]]], mine: dict[str, tuple[int, Token]]
) -> list[AuthorFinding]:
    groups: dict[str, list[dict[str, tuple[int, Token]]]] = {}
    for each in others:
        groups.setdefault(_who([token for css, (_, token) in each.items() if css not in mine]), []).append(each)
    rules = []
    for who, names in (("system", SYSTEM), ("agent", AGENT), ("bot", BOT)):
        if who not in groups:
            continue
        rest = {css for other, members in groups.items() if other != who for each in members for css in each} | set(
            mine
        )
        common = shared([token for _, token in each.values()] for each in groups[who])
        levels = groups[who][0]
        found = _choose([(levels[token.css][0], token) for token in common if token.css not in rest], names)
        if found is None or not names_in(found.css) & names:  # what has no name may be a matter of chance
            rules.append(AuthorFinding(who, seen.item if seen.item != ":scope > *" else "*", None, "guess", (REST,)))
            continue
        sure: Sure = "likely" if found.rank < 5 else "guess"
        rules.append(AuthorFinding(who, found.css, None, sure, (DIFFERS_THEM, NAMED)))
    return _by_analogy(rules) + rules


def _by_analogy(rules: Sequence[AuthorFinding]) -> list[AuthorFinding]:
    """Rules for the authors that have not spoken, where those that have are told by one word."""
    bot = next((rule.css for rule in rules if rule.who == "bot" and rule.css), None)
    known = {rule.who for rule in rules}
    word = next(
        (w for w in ("bot", "assistant", "ai") if bot and re.search(rf"(?<![a-zA-Z]){w}(?![a-zA-Z])", bot)), None
    )
    if bot is None or word is None:
        return []
    put = {"agent": "agent", "system": "system"}
    return [
        AuthorFinding(who, re.sub(rf"(?<![a-zA-Z]){word}(?![a-zA-Z])", name, bot), None, "guess", (ANALOGY,))
        for who, name in put.items()
        if who not in known
    ]


def _who(names: Iterable[Token]) -> str:
    words = frozenset[str]().union(*(names_in(token.css) for token in names))
    return (
        "system"
        if words & SYSTEM and not words & (BOT | AGENT)
        else "agent"
        if words & AGENT and not words & BOT
        else "bot"
    )


def _inner(item: Node, seen: Seen) -> dict[str, tuple[int, Token]]:
    """The selectors of an item, of what is in it and around it within the list, each with its level."""
    found: dict[str, tuple[int, Token]] = {}
    for token in tokens_of(item):
        found.setdefault(token.css, (0, token))
    for number, node in enumerate(item.light()):
        if number >= DEPTH:
            break
        for token in tokens_of(node):
            found.setdefault(token.css, (1 + number, token))
    for up in item.same_tree():
        if up is seen.list:
            break
        for token in tokens_of(up):
            css = f"{token.css} {seen.item}"
            if "," not in seen.item and ":scope" not in seen.item:
                found.setdefault(css, (2, Token(css, token.rank)))
    return found


def _choose(found: Iterable[tuple[int, Token]], names: set[str]) -> Token | None:
    """The best selector: one whose name says it, then one of the message itself, then the most likely to hold."""
    ordered = sorted(
        found, key=lambda each: (not names_in(each[1].css) & names, each[1].rank >= 5, each[0], each[1].rank)
    )
    return ordered[0][1] if ordered else None


def _raw(node: Node) -> str:
    """All text in it as the page's own textContent has it, or nearly."""
    return " ".join(
        "".join(kid if isinstance(kid, str) else f"{_raw(kid)} " for kid in node.kids[node.shadowed :]).split()
    )


def _prefix(seen: Seen) -> str | None:
    text, wanted = _raw(seen.ours), " ".join(seen.echo.text.split())
    place = text.find(wanted)
    prefix = text[:place].strip() if place > 0 else ""
    first = prefix.split(" ")[0] if seen.theirs else ""
    for start in dict.fromkeys((prefix, first)):
        if len(start) >= 2 and not any(_raw(node).startswith(start) for node in seen.theirs):
            return start
    return None


def words(seen: Seen, said: str) -> tuple[Finding | None, tuple[str, ...]]:
    """Returns where in a message its words are, and which parts of it are no words; nothing where it is all words."""
    wanted = same(said)
    asides = _asides(seen)
    if same(seen.ours.text) == wanted and not asides:
        return None, ()
    exact = Text(zh="正好包含原话", en="it holds just the words")
    common = [(token, [_covered(node, token.css) for node in seen.members]) for token in _shared_parts(seen)]
    for token, held in sorted(common, key=lambda each: sum(map(len, each[1]))):  # the closest around the words
        if (
            token.rank < 5
            and same(held[0]) == wanted
            and all(_main(node) in same(text) for node, text in zip(seen.members, held, strict=True))
        ):
            return Finding("text", token.css, "likely", (exact,)), ()
    drop = tuple(dict.fromkeys(_drop(node) for node in asides))
    return None, tuple(css for css in drop if css)


def _shared_parts(seen: Seen) -> list[Token]:
    return shared(_parts(node) for node in seen.members)


def _parts(item: Node) -> list[Token]:
    return [token for node in item.light() if node.text for token in tokens_of(node)]


def _covered(item: Node, css: str) -> str:
    places = [node for node in item.light() if any(token.css == css for token in tokens_of(node))]
    return " ".join(node.text for node in places if not any(up in places for up in node.up()))


def _main(item: Node) -> str:
    """The longest piece of a message that is no name and no time."""
    held = [each for each in blocks(item) if not _is_aside(each)]
    return same(max((each.own for each in held), key=len, default=""))


def _is_aside(node: Node) -> bool:
    names = f"{node.attrs.get('id', '')} {node.attrs.get('class', '')}"
    return (
        node.tag == "time"
        or not node.drawn
        or bool(ASIDE.search(names))
        or bool(re.fullmatch(r"[\d:：.\-/\s]+(am|pm)?", node.own, re.I))
    )


def _asides(seen: Seen) -> list[Node]:
    """Parts of messages that hold words nobody said: in ours all but our words, in theirs what looks like those."""
    ours = [each for each in seen.ours.nodes() if each.own and not any(n is seen.echo for n in (each, *each.up()))]
    theirs = [
        each for item in seen.theirs for each in item.nodes() if each is not item and each.own and _is_aside(each)
    ]
    return [each for each in ours if each is not seen.ours and each is not seen.echo] + theirs


def _drop(node: Node) -> str | None:
    for token in tokens_of(node):
        if token.rank < 5 or token.css in (".hidden",):
            return token.css
    return node.tag if node.tag in ("time", "small", "label", "header", "footer") else None


def typing(before: Node, shots: Sequence[Node], seen: Seen | None) -> Finding | None:
    """Returns what was shown between our message and the answer only, and says by its name that somebody types."""
    if not shots:
        return None
    still = {node.id for shot in (before, shots[-1]) for node in shot.nodes() if node.drawn}
    always = {
        token.css for shot in (before, shots[-1]) for node in shot.nodes() if node.drawn for token in tokens_of(node)
    }
    always |= {f"#{node.attrs.get('id')}" for shot in (before, shots[-1]) for node in shot.nodes() if node.drawn}
    best: list[tuple[bool, int, str]] = []
    for shot in shots[:-1]:
        for node in shot.nodes():
            if node.id in still or not node.drawn or node.tag in TEXT_TAGS:
                continue
            says = bool(node.text) and is_progress(node.text)
            for token in [*tokens_of(node), *_id_token(node)]:
                named = bool(TYPING.search(token.css))
                if token.css not in always and (named or says) and token.rank < 5:
                    best.append((not named, token.rank, token.css))
    if not best:
        return None
    named, _, css = min(best)
    why = Text(zh="只在等待回答时出现", en="shown only while the answer was awaited")
    return Finding("typing", css, "guess" if named else "likely", (why,))


def _id_token(node: Node) -> list[Token]:
    name = node.attrs.get("id", "")
    return [Token(f"#{name}", 1)] if re.fullmatch(r"[A-Za-z][A-Za-z_-]*", name) else []


def key(seen: Seen) -> str | None:
    """Returns an attribute that each message has with a value of its own, if its name says that it is an id."""
    held = [node.attrs for node in seen.members]
    for name in held[0]:
        values = {attrs.get(name) for attrs in held}
        if (
            re.search(r"(^|-)(id|key|uuid|mid)$|(message|msg)-?id", name)
            and None not in values
            and len(values) == len(held) > 1
        ):
            return name
    return None
