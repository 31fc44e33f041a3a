"""Sessions measured together: their evidence in, one :class:`probes.rehearing.record.Hearing` each out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.hearing.version import HEARING_VERSION
from probes.hearing.wav import RATE, Pcm
from probes.rehearing.evidence import Heard, has_sound, load
from probes.rehearing.measuring import Call, Measured, measure
from probes.rehearing.outcomes import measured_instants, reassess
from probes.rehearing.persons import Weighed, annotate, weigh
from probes.rehearing.record import Hearing, Judged, is_acoustic
from probes.session import Event, Instants, Session
from probes.target import Prompt
from probes.voice.quality import Quality
from probes.voice.sound_events import Packets, sound_events

TALKED_OVER_S = 0.4  # of both sides speaking: less is the polite overlap of every talk
TOGETHER = 120  # calls measured at once: more would find no more recordings, and fill the memory


@dataclass(frozen=True)
class Library:
    """The recordings that are known beforehand, and the hash of all of them."""

    prompts: tuple[tuple[Prompt, Pcm], ...] = ()

    @property
    def sha256(self) -> str:
        """Of the recordings and what the target says of each, wherever they lie."""
        digest = hashlib.sha256()
        for prompt, pcm in self.prompts:
            digest.update(prompt.model_dump_json(exclude={"audio"}).encode())
            digest.update(pcm.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Pass:
    """One measuring pass over the calls of a run. ``name`` says what went in: the same input has the same name."""

    name: str
    hearings: list[Hearing]


def rehear(
    sessions: Sequence[tuple[Session, Path]],
    library: Library,
    progress: Callable[[int, int], None] = lambda _a, _b: None,
) -> Pass:
    """Measures the calls of one target; chats, and calls of which no sound was kept, are left out.

    Args:
        sessions: each with the folder of its evidence.
        library: the recordings that the target lists.
        progress: told how much of how much is done.
    """
    calls = sorted((one for one in sessions if has_sound(*one)), key=lambda one: one[0].attempt.id)
    batches = [calls[first : first + TOGETHER] for first in range(0, len(calls), TOGETHER)]
    if len(batches) > 1 and len(batches[-1]) < TOGETHER // 2:
        batches[-2:] = [batches[-2] + batches[-1]]
    total, done = 2 * len(calls) + sum(map(len, batches)), 0
    digest = hashlib.sha256(f"{HEARING_VERSION}:{library.sha256}".encode())
    hearings: list[Hearing] = []

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    for batch in batches:
        heard = [load(session, folder) for session, folder in batch]
        for one in heard:
            digest.update(one.sha256.encode())
        measured = measure([_call(session, one) for (session, _), one in zip(batch, heard, strict=True)],
                           library.prompts, step)  # fmt: skip
        hearings += _hearings([session for session, _ in batch], heard, measured)
    return Pass(f"{HEARING_VERSION}-{digest.hexdigest()[:12]}", hearings)


def _call(session: Session, heard: Heard) -> Call:
    request = session.instants.request
    return Call(heard.far, spoken(session), None if request is None else request.t)


def spoken(session: Session) -> tuple[tuple[float, float], ...]:
    """Returns when we spoke ourselves."""
    return tuple(
        (event.t, float(event.data.get("end") or event.t)) for event in session.timeline if event.kind == "said"
    )


def _hearings(sessions: Sequence[Session], heard: Sequence[Heard], measured: Sequence[Measured]) -> list[Hearing]:
    timelines = [
        sorted(
            [*_kept(session), *one.events, *_worded(found.events, session), *_flaws(session, one, found)],
            key=lambda event: event.t,
        )
        for session, one, found in zip(sessions, heard, measured, strict=True)
    ]
    first: list[tuple[list[Weighed], Instants]] = []
    for session, timeline in zip(sessions, timelines, strict=True):
        weighed = weigh(timeline, _alike(session, sessions))
        first.append((weighed, measured_instants(annotate(timeline, weighed), weighed)))
    return [
        _hearing(session, one, timeline, weighed, instants, _alike(session, sessions))
        for session, one, timeline, (weighed, instants) in zip(sessions, heard, timelines, first, strict=True)
    ]


def _worded(events: Sequence[Event], session: Session) -> list[Event]:
    """Puts the words that were heard during the call into what was said at the same time."""
    known = [
        (event.t, float(event.data["end"]), event.data["text"])
        for event in session.timeline
        if event.kind == "message" and event.data.get("text") and event.data.get("end") is not None
    ]
    result = []
    for event in events:
        end = event.data.get("end")
        if event.kind == "message" and end is not None and not event.data.get("text"):
            fits = [(min(end, b) - max(event.t, a), text) for a, b, text in known]
            overlap, text = max(fits, default=(0.0, None))
            if overlap > 0.5 * (end - event.t):
                event = event.model_copy(update={"data": event.data | {"text": text}})
        result.append(event)
    return result


def _flaws(session: Session, heard: Heard, found: Measured) -> list[Event]:
    """What is wrong with the sound, and where the far end talked over us."""
    connected = session.instants.connected
    if connected is None:
        return []
    speech = [(e.t, float(e.data["end"])) for e in found.events if e.kind == "message" and e.data.get("end")]
    own = spoken(session)
    count = None if heard.reception is None else Packets(received=heard.reception.received)
    end = session.instants.end
    span = (connected.t, len(heard.far) / RATE if end is None else end.t)
    flaws = [] if heard.quality is None else [_rating(heard.quality, span[1])]
    flaws += sound_events(heard.far, heard.own, span, far_speech=speech, own_speech=own, packets=count)
    for start, until in own:
        over = [(max(start, a), min(until, b)) for a, b in speech if min(until, b) - max(start, a) > TALKED_OVER_S]
        flaws += [
            Event(kind="talk_over", t=a, method="voice", u=0.05, data={"seconds": round(b - a, 3)}) for a, b in over
        ]
    return flaws


def _rating(quality: Quality, t: float) -> Event:
    data = {"r": quality.r, "mos_cqe": quality.mos_cqe, "codec": quality.codec, "loss": round(quality.loss, 4)}
    return Event(kind="quality", t=t, method="wire", data=data | {"estimate": True})


def _kept(session: Session) -> list[Event]:
    return [event for event in session.timeline if not is_acoustic(event)]


def _alike(session: Session, sessions: Sequence[Session]) -> int:
    """Counts the other calls that got as far: to the same line, and asked for a human."""
    return sum(
        other.attempt.id != session.attempt.id
        and other.attempt.entry == session.attempt.entry
        and other.instants.request is not None
        for other in sessions
    )


def _hearing(
    session: Session,
    heard: Heard,
    timeline: Sequence[Event],
    weighed: Sequence[Weighed],
    instants: Instants,
    others: int,
) -> Hearing:
    annotated = annotate(timeline, weighed)
    outcome, reason, sure, review = reassess(session, annotated, instants, weighed)
    acoustic = [event for event in annotated if is_acoustic(event)]
    for name in ("queue", "answer", "first_word"):
        found = getattr(instants, name)
        if found is not None:
            data = {"confidence": found.confidence}
            acoustic.append(Event(kind=name, t=found.t, method=found.method, u=found.u, data=data))
    events = [_rounded(event) for event in sorted(acoustic, key=lambda event: event.t)]
    return Hearing(
        hearing=HEARING_VERSION,
        attempt=session.attempt.id,
        source=heard.source,
        source_sha256=heard.sha256,
        heard_with=others,
        outcome=outcome,
        reason=reason,
        certain=sure,
        review=review,
        instants=instants,
        quality=heard.quality,
        reception=heard.reception,
        judged=[Judged(start=w.start, end=w.end, person=round(w.person, 4), signs=w.signs) for w in weighed],
        events=events,
    )


def _rounded(event: Event) -> Event:
    """Microseconds are finer than any of our clocks."""
    return event.model_copy(update={"t": round(event.t, 6)}) if math.isfinite(event.t) else event
