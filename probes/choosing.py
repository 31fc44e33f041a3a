"""Quick replies: which of those that a chat offers a script means, and pressing it once it is offered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from probes.channel import Channel, Said
from probes.session import Event


@dataclass(frozen=True)
class Pressed:
    """A quick reply as the chat words it, and when it went out."""

    label: str
    said: Said


def offered(timeline: Sequence[Event], wanted: str, since: int = 0) -> str | None:
    """Returns the quick reply that says ``wanted``, as the chat words it.

    Those are meant that stand in a message, or beside the messages now. One with just these words comes first, then
    one that holds them; spaces and letter case do not matter.

    Args:
        timeline: all so far.
        wanted: the words of the script.
        since: how many events of the timeline have been looked at in vain.
    """
    labels: list[str] = []
    beside, told = True, set[object]()
    for index in range(len(timeline) - 1, -1, -1):
        event = timeline[index]
        if event.kind == "choices" and beside:
            beside = False  # an earlier set is gone
            labels += event.data["texts"] if index >= since else []
        elif event.kind == "message" and (event.data.get("id") is None or event.data["id"] not in told):
            told.add(event.data.get("id"))  # as it stands now
            if index < since:
                continue
            labels += [part["text"] for part in event.data.get("parts") or () if part.get("kind") == "button"]
    words = _squeeze(wanted)
    exact = [label for label in labels if _squeeze(label) == words]
    holding = dict.fromkeys(label for label in labels if words in _squeeze(label))
    return exact[0] if exact else next(iter(holding)) if len(holding) == 1 else None


async def press_offered(
    channel: Channel,
    timeline: Sequence[Event],
    wanted: str,
    *,
    line: str,
    until: Callable[[Callable[[], str | None], float], Awaitable[str | None]],
    left: Callable[[], float],
) -> Pressed | None:
    """Waits until a quick reply is offered and presses it; one that vanishes first may be offered again.

    Args:
        channel: where it is pressed.
        timeline: all so far; it grows.
        wanted: the words of the script.
        line: names the turn.
        until: waits for a label for so many seconds; None when there is none, or nobody any more to offer it.
        left: how many seconds are left.

    Returns:
        What was pressed, or None: it was not to be had in time.
    """
    seen = 0
    while (label := await until(partial(offered, timeline, wanted, seen), left())) is not None:
        seen = len(timeline)
        if (said := await channel.choose(label, line=line)) is not None:
            return Pressed(label, said)
    return None


def _squeeze(text: str) -> str:
    return "".join(text.split()).casefold()
