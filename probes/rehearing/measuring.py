"""What was heard in a set of calls to one centre, measured together: recordings first, then each call by itself.

Deterministic: the same recordings, pcaps and library give the same events to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from probes.hearing.ear import Ear
from probes.hearing.tones import Tones
from probes.hearing.voice_activity import Recalled, Step, listen
from probes.hearing.wav import RATE, Pcm
from probes.rehearing.fingerprints import Index
from probes.rehearing.recorded import Recorded
from probes.rehearing.recordings import Piece, pieces, with_roles
from probes.rehearing.repeats import Heard, Repeat, find_known, find_repeats
from probes.session import Event
from probes.target import Prompt

_WORDS_S = 1.0  # a shorter live voice between recordings is a scrap of one: the number in "you are number three"
_ABREAST = 16  # calls about which the voice network is asked together
_BLOCK = RATE  # samples at a time
_KNOWN_S, _KNOWN_SHARE = 0.6, 0.5  # of a library recording that must be heard
_TOGETHER_S = 0.05  # two finds of one recording that begin so close are one


@dataclass(frozen=True)
class Call:
    """One call as it is measured. Times in session seconds."""

    far: Pcm  # the far end, 8 kHz, from session time 0
    own: tuple[tuple[float, float], ...] = ()  # in which we spoke
    request: float | None = None  # when a human was asked for


@dataclass(frozen=True)
class Measured:
    """What was heard in one call."""

    events: list[Event]
    recordings: list[Piece]
    steps: list[Step]


def measure(
    calls: Sequence[Call], library: Sequence[tuple[Prompt, Pcm]], progress: Callable[[], None] = lambda: None
) -> list[Measured]:
    """Measures calls to one centre.

    Args:
        calls: of one target; those of all its lines, because they share recordings.
        library: the recordings that the target lists.
        progress: called three times a call.
    """
    steps: list[list[Step]] = []
    for first in range(0, len(calls), _ABREAST):
        steps += listen([call.far for call in calls[first : first + _ABREAST]])
    heard = []
    for call in calls:
        heard.append(Heard.of(call.far, _tones(call.far)))
        progress()
    known = [Heard.of(pcm) for _, pcm in library]
    index = Index([one.words for one in known])
    shared = find_repeats(heard)
    found = []
    for number, call in enumerate(calls):
        listed = _listed(find_known(heard[number], known, index), library)
        free = [part for repeat in shared[number] for part in _outside(repeat, listed)]
        mine = listed + pieces(call.far, free, steps[number], call.own)
        found.append(_apart(sorted(mine, key=lambda piece: piece.start)))
        progress()
    events = []
    for call, mine, voice in zip(calls, found, steps, strict=True):
        events.append(_listen(call, mine, voice, library))
        progress()
    live = [[said for said in _utterances(heard_) if said[1] - said[0] >= _WORDS_S] for heard_ in events]
    named = with_roles(found, [call.request for call in calls], live, [len(call.far) / RATE for call in calls])
    return [
        Measured([_named(event, mine) for event in heard_], mine, mine_steps)
        for heard_, mine, mine_steps in zip(events, named, steps, strict=True)
    ]


def _utterances(events: Sequence[Event]) -> list[tuple[float, float]]:
    said = [event for event in events if event.kind == "message" and event.data.get("speaker") == "agent"]
    return [(event.t, float(event.data["end"])) for event in said if event.data.get("end") is not None]


def _tones(far: Pcm) -> list[tuple[float, float]]:
    tones, events = Tones(), []
    for first in range(0, len(far), _BLOCK):
        events += tones.push(far[first : first + _BLOCK])
    events += tones.finish()
    edges = [event.t for event in events]
    return list(zip(edges[::2], edges[1::2], strict=False))


def _listed(repeats: Sequence[Repeat], library: Sequence[tuple[Prompt, Pcm]]) -> list[Piece]:
    """Returns the library's recordings that were heard; where two claim the same time, the one that explains more."""
    claims: list[tuple[float, Piece]] = []
    joined: dict[tuple[int, int], list[Repeat]] = {}
    for repeat in repeats:
        key = next(
            (k for k in joined if k[0] == repeat.other and abs(k[1] / 1000 + repeat.shift) < _TOGETHER_S),
            (repeat.other, round(-repeat.shift * 1000)),
        )
        joined.setdefault(key, []).append(repeat)
    for (number, _), parts in joined.items():
        first, last = _audible(library[number][1])
        matched = sum(part.end - part.start for part in parts)
        if matched < min(_KNOWN_S, _KNOWN_SHARE * (last - first)):
            continue
        start = max(0.0, first - parts[0].shift)
        whole = last - parts[-1].shift
        end = max(part.end for part in parts)
        complete = end > whole - 0.3
        prompt = library[number][0]
        piece = Piece(start, whole if complete else end, True, prompt=number, role=prompt.role, whole=complete)
        claims.append((matched * max(part.likeness for part in parts), piece))
    taken: list[Piece] = []
    for _, piece in sorted(claims, key=lambda claim: -claim[0]):
        if all(min(piece.end, other.end) - max(piece.start, other.start) < 0.3 for other in taken):
            taken.append(piece)
    return taken


def _audible(pcm: Pcm) -> tuple[float, float]:
    size = np.abs(pcm.astype(np.int32))
    loud = np.flatnonzero(size > max(30, int(size.max(initial=0)) // 100))
    return (int(loud[0]) / RATE, (int(loud[-1]) + 1) / RATE) if len(loud) else (0.0, len(pcm) / RATE)


def _outside(repeat: Repeat, listed: Sequence[Piece]) -> list[Repeat]:
    """Returns what of ``repeat`` no listed recording explains."""
    parts = [repeat]
    for piece in listed:
        rest = []
        for part in parts:
            if piece.end <= part.start or piece.start >= part.end:
                rest.append(part)
                continue
            rest += [replace(part, end=piece.start)] if piece.start - part.start > 0.2 else []
            rest += [replace(part, start=piece.end)] if part.end - piece.end > 0.2 else []
        parts = rest
    return parts


def _apart(found: Sequence[Piece]) -> list[Piece]:
    """Lets no piece begin before the one before it has ended."""
    result: list[Piece] = []
    for piece in found:
        if result and piece.start < result[-1].end:
            if piece.end <= result[-1].end + 0.1:
                continue
            piece = replace(piece, start=result[-1].end)
        result.append(piece)
    return result


def _listen(
    call: Call, found: Sequence[Piece], steps: Sequence[Step], library: Sequence[tuple[Prompt, Pcm]]
) -> list[Event]:
    spans = [(piece.start, piece.end, _data(piece, number, library)) for number, piece in enumerate(found)]
    recorded = Recorded([span for span, piece in zip(spans, found, strict=True) if piece.voiced])
    ear = Ear([], recorded=recorded, voice=Recalled(steps))
    events: list[Event] = []
    for first in range(0, len(call.far), _BLOCK):
        events += ear.push(first / RATE, call.far[first : first + _BLOCK])
    events += ear.finish(len(call.far) / RATE)
    return _with_music(events, [piece for piece in found if not piece.voiced])


def _data(piece: Piece, number: int, library: Sequence[tuple[Prompt, Pcm]]) -> dict[str, Any]:
    if piece.prompt is None:
        return {"id": None, "role": None, "text": "", "piece": number, "complete": True}
    prompt = library[piece.prompt][0]
    return {"id": prompt.id, "role": prompt.role, "text": prompt.text, "piece": number, "complete": piece.whole}


def _with_music(events: list[Event], played: Sequence[Piece]) -> list[Event]:
    """Adds the music that several calls hold; speech within it is its vocals."""
    spans: list[tuple[float, float, float]] = []
    begun: Event | None = None
    for event in events:
        if event.kind == "music":
            begun = event
        elif event.kind == "music_end" and begun is not None:
            spans.append((begun.t, event.t, event.u))
            begun = None
    joined: list[tuple[float, float, float]] = []
    for start, end, u in sorted([*spans, *((p.start, p.end, 0.03) for p in played)]):
        if joined and start <= joined[-1][1] + 0.3:
            last = joined[-1]
            joined[-1] = (last[0], max(last[1], end), u if end > last[1] else last[2])
        else:
            joined.append((start, end, u))
    kept = [
        event
        for event in events
        if event.kind not in ("music", "music_end")
        and not (
            (event.kind == "speech" or (event.kind == "message" and event.data.get("speaker") == "agent"))
            and any(piece.start - 0.2 <= event.t < piece.end - 0.1 for piece in played)
        )
    ]
    for start, end, u in joined:
        kept.append(Event(kind="music", t=start, method="voice", u=0.02))
        kept.append(Event(kind="music_end", t=end, method="voice", u=u))
    return sorted(kept, key=lambda event: event.t)


def _named(event: Event, found: Sequence[Piece]) -> Event:
    """Puts in what the recording turned out to be."""
    if event.kind == "message" and event.data.get("speaker") == "ivr":
        role = next((piece.role for piece in found if piece.voiced and piece.start == event.t), event.data.get("role"))
        return event.model_copy(update={"data": event.data | {"role": role}})
    number = event.data.get("piece")
    if number is None:
        return event
    piece = found[number]
    data = {key: value for key, value in event.data.items() if key != "piece"} | {"role": piece.role}
    if piece.prompt is None:
        data |= {"id": f"heard-{number}", "calls": len(set(piece.calls))}
    return event.model_copy(update={"data": data})
