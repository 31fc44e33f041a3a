"""Sessions with a page of known truth: with a hand-off, one refused, the bot alone; and what was found wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.bench.chat import Visit
from harness.bench.widgets.control import Controlled, Write, written
from probes.acknowledgement import is_acknowledgement
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.instants import find
from probes.session import Event, Instants
from scenarios.model import Lang

Kind = Literal["hand-off", "refused", "bot"]
Row = dict[str, Any]
# Whose message is awaited before each line is said. The first line names the session in the truth.
ERRANDS: dict[Lang, dict[Kind, tuple[tuple[str, str], ...]]] = {
    "zh": {
        "hand-off": (
            ("bot", "第{n}位：手机银行一天最多能转多少？"),
            ("bot", "转人工"),
            ("agent", "转到别的银行多久到账？"),
            ("agent", "谢谢，再见"),
        ),
        "refused": (("bot", "第{n}位：手机银行一天最多能转多少？"), ("bot", "夜间转人工")),
        "bot": (
            ("bot", "第{n}位：手机银行一天最多能转多少？"),
            ("bot", "转到别的银行多久到账？"),
            ("bot", "谢谢，再见"),
        ),
    },
    "en": {
        "hand-off": (
            ("bot", "Customer {n}: what is the daily transfer limit?"),
            ("bot", "I would like to talk to a human"),
            ("agent", "How long does a transfer to another bank take to arrive?"),
            ("agent", "Thank you, goodbye"),
        ),
        "refused": (
            ("bot", "Customer {n}: what is the daily transfer limit?"),
            ("bot", "I would like to talk to a human tonight"),
        ),
        "bot": (
            ("bot", "Customer {n}: what is the daily transfer limit?"),
            ("bot", "How long does a transfer to another bank take to arrive?"),
            ("bot", "Thank you, goodbye"),
        ),
    },
}
# Truth event -> who is to be found, whether as message or notice.
FOUND = {
    "intro": "bot",
    "bot_message": "bot",
    "bot_first_token": "bot",
    "agent_message": "agent",
    "position": "queue",
    "joined": "joined",
    "refused": "closed",
    "end": "end",
}
APART_S = 0.4  # sessions that are held at once begin so far apart: a harness opens pages one after another, too


@dataclass
class Findings:
    """What was wrong with one session, and how late its stamps were (s)."""

    turns: int = 0
    attribution: list[str] = field(default_factory=list)
    hand_off: list[str] = field(default_factory=list)
    error: list[float] = field(default_factory=list)  # shown by our stamp minus written by the page
    late: list[float] = field(default_factory=list)  # shown minus sent: delivery and the widget's drawing included
    wire: list[float] = field(default_factory=list)  # arrived minus sent
    unwritten: int = 0  # turns whose write the control did not see


async def hold(
    channel: ChatChannel,
    clock: Clock,
    kind: Kind,
    number: int,
    *,
    lang: Lang = "zh",
    control: Controlled | None = None,
    opened: asyncio.Barrier | None = None,
) -> tuple[Visit, list[Write]]:
    """Holds one session and closes the channel; with ``opened``, all begin when all are open.

    Returns:
        What was seen, and what the ``control`` saw the page write.
    """
    anchor = clock.anchor()
    seen = Visit(start=anchor.monotonic)
    lines = list(ERRANDS[lang][kind])
    writes: list[Write] = []
    try:
        try:
            await channel.open(anchor)
        finally:
            if opened is not None:
                await opened.wait()
                await opened.wait()  # in between the memory is measured
                await asyncio.sleep(number % opened.parties * APART_S)
        async with asyncio.timeout(90):
            async for event in channel.events():
                seen.events.append(event)
                if event.kind == "message" and lines and calls_for(event, lines[0][0]):
                    text = lines.pop(0)[1].format(n=number)
                    seen.said.append((text, await channel.say(text, line=f"line-{len(lines)}")))
                elif event.kind == "notice" and event.data["role"] == "end":
                    break
        if control is not None:
            writes = await control.writes()
    finally:
        await channel.close()
    async for event in channel.events():
        seen.events.append(event)
    return seen, writes


def calls_for(event: Event, who: str) -> bool:
    """Whether a message is what we waited for: not one handed on again, no "one moment please"."""
    first = event.data["speaker"] == who and event.data["revision"] == 0
    return first and not (who == "agent" and is_acknowledgement(event.data["text"]))


def examine(kind: Kind, seen: Visit, writes: Sequence[Write], truth: Sequence[Row]) -> Findings:
    """Holds a session against the truth log of its page and the ``writes`` of the control, if there was one."""
    found = Findings()
    opening = seen.said[0][0] if seen.said else ""
    names = [row["session"] for row in truth if row["event"] == "user_message" and row["text"] == opening]
    rows = [row for row in truth if names and row["session"] == names[0]]
    if not rows:
        found.attribution.append("the page never got our first message")
        return found
    _who(seen, rows, found)
    _times(seen, rows, writes, found)
    _handed_off(kind, seen, rows, found)
    return found


def _settled(seen: Visit) -> Iterator[Event]:
    """Yields each message as it was handed on last, and each notice."""
    messages = {event.data["id"]: event for event in seen.events if event.kind == "message"}
    yield from messages.values()
    yield from (event for event in seen.events if event.kind == "notice")


def _name(event: Event) -> tuple[str, str, int | None]:
    return event.data["speaker" if event.kind == "message" else "role"], event.data["text"], event.data.get("position")


def _who(seen: Visit, rows: Sequence[Row], found: Findings) -> None:
    wanted = Counter((FOUND[row["event"]], row["text"], row.get("position")) for row in rows if row["event"] in FOUND)
    heard = Counter(row["text"] for row in rows if row["event"] == "user_message")
    shown = Counter(_name(event) for event in _settled(seen))
    said = Counter(text for text, _ in seen.said)
    found.turns = wanted.total() + heard.total()
    found.attribution += [f"not found: {name}" for name in (wanted - shown).elements()]
    found.attribution += [f"found, never sent: {name}" for name in (shown - wanted).elements()]
    found.attribution += [f"said, never heard: {text}" for text in (said - heard).elements()]


def _times(seen: Visit, rows: Sequence[Row], writes: Sequence[Write], found: Findings) -> None:
    shown: dict[tuple[str, str], list[Event]] = {}
    for event in sorted(_settled(seen), key=lambda event: event.t):
        shown.setdefault(_name(event)[:2], []).append(event)
    said = ""
    for row in rows:
        if row["event"] == "user_message":
            said = row["text"]
        first, last = (row["event"] == f"bot_{which}_token" for which in ("first", "last"))
        events = shown.get((FOUND.get("bot_message" if last else row["event"], ""), row.get("text", "")))
        if not events or row["event"] == "intro":
            continue
        event = events[0] if first else events.pop(0)
        at = seen.start + (event.data["end"] if last else event.t)
        found.late.append(at - row["t_mono"])
        wire = event.data.get("wire_end" if last else "wire")
        if wire is not None:
            found.wire.append(seen.start + wire - row["t_mono"])
        wrote = written(writes, row["text"], row["t_mono"] - 0.002, said, begun=first)
        if wrote is None:
            found.unwritten += 1
        else:
            found.error.append(at - wrote)


def _handed_off(kind: Kind, seen: Visit, rows: Sequence[Row], found: Findings) -> None:
    """Looks for the human from when we asked for one; of a bot alone, from our first words."""
    asked = seen.said[1 if kind != "bot" and len(seen.said) > 1 else 0][1].start
    request = Event(kind="request", t=asked, method="dom", u=0.0, data={})
    instants = find(sorted([*seen.events, request], key=lambda event: event.t))
    told = [event.data["evidence"] for event in seen.events if event.kind == "handoff"]
    if len(told) != (kind == "hand-off") or (instants.answer is not None) != (kind == "hand-off"):
        found.hand_off.append(f"{kind}: {told}, {instants.answer}")
    elif kind == "hand-off":
        found.hand_off += _misplaced(seen, rows, instants)


def _misplaced(seen: Visit, rows: Sequence[Row], instants: Instants) -> list[str]:
    """Tells which of the human's instants are another event's; "one moment please" is no first word."""
    words = [row["text"] for row in rows if row["event"] == "agent_message" and not is_acknowledgement(row["text"])]
    joined = [row["text"] for row in rows if row["event"] == "joined"]
    shown = {event.data["text"]: event.t for event in reversed(list(_settled(seen)))}
    places = (("connected", instants.answer, joined[0]), ("first word", instants.first_word, words[0]))
    return [f"{name}: {one}" for name, one, text in places if one is None or one.t != shown.get(text)]
