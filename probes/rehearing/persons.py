"""Was it a person? For every stretch of live speech the chance that somebody spoke, from all the signs there are.

Speech that matches no recording may still be one that was heard once only. So the signs are weighed: each adds to or
takes from the logarithm of the odds, and what stays between the bounds is for a person to decide.

The weights are stated, not learnt: with the calls of the sandbox no more than their order matters. ``weigh`` says for
every stretch which signs there were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from probes.session import Event

OTHERS_WEIGHT, OTHERS_MOST = 0.6, 5  # each other call in which such a recording would have been heard again
RINGBACK_ENDED = 1.5
LINE_OPENED = 1.0
STREAM_CHANGED = 1.0
MUSIC_ENDED = 0.5
ANSWERED_US, ANSWERED_MOST = 1.5, 2  # we spoke, and live speech followed, each time
GREETED = 2.0  # its words are those of somebody who picks up
QUEUED = -4.0  # its words put us on hold
WENT_ON_WAITING = -4.0  # music, ringing or a recording of the queue follows at once, and nobody had answered us
HUNG_UP = -2.0  # the far end ended the call right after it, and nobody had answered us
IGNORED_US = -2.0  # we spoke, and nothing came
CLINGS = -3.0  # a scrap of sound right behind a recording: its end, which noise or loss kept from being recognised

BEFORE_S = 2.5  # so long before the word a mark counts
FOLLOWS_S = 2.0  # so soon after the words something else begins
REPLY_S = 8.0  # so soon a person replies
CLINGS_S, CLINGING_S = 0.8, 0.4  # how long a scrap may be, and how soon it follows
_OVERLAP_S = 0.15
MENUS = ("menu", "invalid", "welcome")
_GREETINGS = (
    "为您服务", "请讲", "可以帮您", "可以帮到您", "需要办理", "您贵姓", "怎么称呼",
    "may i help", "can i help", "can i do for you", "how can we help", "speaking",
)  # fmt: skip
_ON_HOLD = (
    "正忙", "全忙", "请稍候", "请稍后", "耐心等待", "排队", "前面还有", "正在为您转接", "请不要挂机", "请勿挂机",
    "稍后再拨",
    "please hold", "stay on the line", "agents are busy", "putting you through", "transferring you", "call again later",
    "number one in", "in the queue",
)  # fmt: skip


@dataclass(frozen=True)
class Weighed:
    """One stretch of live speech: ``person`` is the chance that somebody spoke, ``signs`` what it rests on.

    ``announces`` says that it is no person's and that what follows it at once is the queue, not a menu.
    """

    start: float
    end: float
    person: float
    signs: tuple[str, ...]
    announces: bool = False


def weigh(timeline: Sequence[Event], others: int) -> list[Weighed]:
    """Weighs every stretch of live speech after a human was asked for.

    Args:
        timeline: measured events, and those of the signalling and of our own words.
        others: how many other calls went the same way: in which a recording heard here would have been heard as well.
    """
    request = min((event.t for event in timeline if event.kind == "request"), default=math.inf)
    found = []
    for event in timeline:
        if event.kind != "speech" or event.t < request - 0.1:
            continue
        end = _end(event, timeline)
        waiting = _next_waiting(end, timeline)
        signs = _signs(event.t, end, waiting, timeline, others)
        person = 1 / (1 + math.exp(-sum(weight for _, weight in signs)))
        soon = waiting is not None and waiting.t <= end + FOLLOWS_S
        announces = person < 0.5 and soon and waiting is not None and waiting.data.get("role") not in MENUS
        found.append(Weighed(event.t, end, person, tuple(name for name, _ in signs), announces))
    return found


def annotate(timeline: Sequence[Event], weighed: Sequence[Weighed]) -> list[Event]:
    """Returns the timeline with what was found put into its ``speech`` events: ``person``, ``signs``, ``announces``."""
    by_start = {one.start: one for one in weighed}
    return [
        event.model_copy(update={"data": event.data | _data(by_start[event.t])})
        if event.kind == "speech" and event.t in by_start
        else event
        for event in timeline
    ]


def _data(one: Weighed) -> dict[str, object]:
    return {"person": round(one.person, 4), "signs": list(one.signs), "announces": one.announces}


def _end(speech: Event, timeline: Sequence[Event]) -> float:
    ends = [
        e.data["end"] for e in timeline if e.kind == "message" and e.t == speech.t and e.data.get("end") is not None
    ]
    return float(ends[0]) if ends else speech.t + 1.0


def _next_waiting(end: float, timeline: Sequence[Event]) -> Event | None:
    after = [event for event in timeline if _is_waiting(event) and event.t >= end - 0.5]
    return min(after, key=lambda event: event.t, default=None)


def _signs(
    start: float, end: float, waiting: Event | None, timeline: Sequence[Event], others: int
) -> list[tuple[str, float]]:
    signs = [("other-calls", OTHERS_WEIGHT * min(others, OTHERS_MOST))] if others else []
    before = [event for event in timeline if start - BEFORE_S <= event.t <= start + _OVERLAP_S]
    for name, weight, shown in (
        ("ringback-ended", RINGBACK_ENDED, any(_is_ringback_end(event) for event in before)),
        (
            "line-opened",
            LINE_OPENED,
            any(_is_open_line(event, timeline) and event.t < start - _OVERLAP_S for event in before),
        ),
        ("stream-changed", STREAM_CHANGED, any(event.kind == "stream_change" for event in before)),
        ("music-ended", MUSIC_ENDED, any(event.kind == "music_end" for event in before)),
    ):
        if shown:
            signs.append((name, weight))
    if end - start < CLINGS_S and any(
        event.kind == "prompt_end" and -0.1 < start - event.t < CLINGING_S for event in timeline
    ):
        signs.append(("clings-to-a-recording", CLINGS))
    until = math.inf if waiting is None else waiting.t
    text = next((str(e.data.get("text") or "") for e in timeline if e.kind == "message" and e.t == start), "").lower()
    if any(words in text for words in _ON_HOLD):
        signs.append(("words-of-the-queue", QUEUED))
    elif any(words in text for words in _GREETINGS):
        signs.append(("words-of-a-greeting", GREETED))
    replies, ignored = _exchanges(start, until, timeline)
    signs += [("answered-us", ANSWERED_US)] * min(replies, ANSWERED_MOST)
    if not replies:
        if until <= end + FOLLOWS_S:
            signs.append(("went-on-waiting", WENT_ON_WAITING))
        elif any(e.kind == "ended" and e.data.get("by") == "far" and e.t <= end + FOLLOWS_S for e in timeline):
            signs.append(("hung-up", HUNG_UP))
        if ignored:
            signs.append(("ignored-us", IGNORED_US))
    return signs


def _exchanges(start: float, until: float, timeline: Sequence[Event]) -> tuple[int, int]:
    """Returns how often live speech followed our words between ``start`` and ``until``, and how often nothing did."""
    ended = max((event.t for event in timeline), default=0.0)
    replies = ignored = 0
    for said in timeline:
        if said.kind != "said" or not start <= said.t < until:
            continue
        over = float(said.data.get("end") or said.t)
        spoken = [e.t for e in timeline if e.kind == "speech" and over - 0.3 < e.t <= over + REPLY_S]
        if spoken and min(spoken) < until:
            replies += 1
        elif min(ended, until) > over + REPLY_S / 2:
            ignored += 1
    return replies, ignored


def _is_open_line(event: Event, timeline: Sequence[Event]) -> bool:
    """Whether noise began there and nothing else: a recording, music or a tone ends the silence as well."""
    return event.kind == "line_open" and not any(
        other.kind in ("prompt", "music", "tone") and abs(other.t - event.t) < 0.2 for other in timeline
    )


def _is_ringback_end(event: Event) -> bool:
    return event.kind == "tone_end" and event.data.get("name") == "ringback"


def _is_waiting(event: Event) -> bool:
    if event.kind == "prompt":
        return event.data.get("role") in (*MENUS, "queue", "transfer", "closed", "callback")
    return event.kind == "music" or (event.kind == "tone" and event.data.get("name") == "ringback")
