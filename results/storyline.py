"""One session as the report shows it: phases and marks on a bar, the conversation as bubbles, the events in a list."""

from __future__ import annotations

from dataclasses import dataclass, field

from probes.session import Event, Instant, Session
from results import words
from results.reasons import in_words
from results.redaction import Mask
from scenarios.model import Lang

FOUND = ("request", "queue", "answer", "first_word")
SHOWN = (
    "role",
    "id",
    "digits",
    "turn",
    "position",
    "by",
    "cause",
    "text",
    "why",
    "changed",
    "side",
    "dbov",
    "verdict",
    "unheard",
    "sound",
    "seconds",
    "r",
    "mos_cqe",
    "codec",
)  # of an event's data; nothing else is


@dataclass(frozen=True)
class Phase:
    """A stretch of the bar, in percent of its length."""

    name: str
    title: str
    left: float
    width: float


@dataclass(frozen=True)
class Mark:
    """One defined instant: where on the bar, when, and how well it is known."""

    name: str
    title: str
    left: float
    t: float
    text: str


@dataclass(frozen=True)
class Bubble:
    """One thing that was said."""

    speaker: str
    title: str
    t: float
    text: str
    understood: bool = True


@dataclass(frozen=True)
class Row:
    """One event."""

    t: float
    title: str
    method: str
    u: float
    text: str


@dataclass
class Story:
    """A session, ready to be shown; nothing in it names a person."""

    attempt: str
    scenario: str
    entry: str
    channel: str
    started: str
    outcome: str
    outcome_title: str
    reason: str
    resolution: str
    resolution_title: str
    wait: str
    duration: float
    phases: list[Phase]
    marks: list[Mark]
    bubbles: list[Bubble]
    events: list[Row]
    review: list[str]
    evidence: list[tuple[str, str]]
    audio: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)


def tell(session: Session, lang: Lang, scale: float) -> Story:
    """Returns the story of ``session``; the bar is ``scale`` seconds long."""
    names = (event.data.get(key) for event in session.timeline for key in ("agent", "agent_name"))
    mask = Mask(session.persona, [name for name in names if isinstance(name, str)])
    at = session.instants
    wait = "–" if at.queue is None or at.answer is None else f"{words.seconds(at.answer.t - at.queue.t)} s"
    return Story(
        attempt=session.attempt.id,
        scenario=session.attempt.scenario,
        entry=session.attempt.entry,
        channel=session.attempt.channel,
        started=session.anchor_utc.strftime("%m-%d %H:%M:%S"),
        outcome=str(session.outcome),
        outcome_title=words.OUTCOMES[session.outcome].in_(lang),
        reason=mask(in_words(session.reason, lang)),
        resolution=session.judgement.resolution,
        resolution_title=words.RESOLUTIONS[session.judgement.resolution].in_(lang),
        wait=wait,
        duration=end_of(session),
        phases=_phases(session, lang, scale),
        marks=_marks(session, lang, scale),
        bubbles=[
            bubble
            for event in _ordered(session)
            for bubble in [_bubble(event, mask, lang)]
            if bubble is not None
        ],
        events=[
            _row(event, mask, lang) for event in _ordered(session)
        ],
        review=[mask(in_words(reason, lang)) for reason in session.review],
        evidence=[(item.name, item.sha256) for item in session.evidence],
    )  # fmt: skip


def end_of(session: Session) -> float:
    """Returns when the session ended, in seconds since its start."""
    last = max((event.t for event in session.timeline), default=0.0)
    return max(last, session.instants.end.t if session.instants.end else 0.0)


def _ordered(session: Session) -> list[Event]:
    return sorted(session.timeline, key=lambda event: event.t)


def _phases(session: Session, lang: Lang, scale: float) -> list[Phase]:
    at, end = session.instants, end_of(session)
    inside = [e.t for e in session.timeline if e.kind in ("connected", "early_media", "prompt", "widget_ready")]
    starts: list[tuple[str, float | None]] = [
        ("ringing", 0.0),
        ("menu", min(inside, default=None)),
        ("queue", at.queue.t if at.queue else None),
        ("talking", at.answer.t if at.answer else None),
    ]
    known = [(name, min(t, end)) for name, t in starts if t is not None]
    phases = []
    for index, (name, start) in enumerate(known):
        stop = max(start, known[index + 1][1] if index + 1 < len(known) else end)
        title = f"{words.label('phase_' + name, lang)} {words.seconds(stop - start)} s"
        if stop > start:
            phases.append(Phase(name, title, _share(start, scale), _share(stop - start, scale)))
    return phases


def _marks(session: Session, lang: Lang, scale: float) -> list[Mark]:
    marks = []
    for name in FOUND:
        instant: Instant | None = getattr(session.instants, name)
        if instant is not None:
            method = words.METHODS[instant.method].in_(lang)
            known = f"{instant.t:.3f} s ± {2 * instant.u:.3f} ({method}, {instant.confidence:.0%})"
            title = words.label(f"t_{name}", lang)
            marks.append(Mark(name, title, _share(instant.t, scale), instant.t, known))
    return marks


def _share(seconds: float, scale: float) -> float:
    return round(100 * seconds / scale, 3) if scale else 0.0


def _bubble(event: Event, mask: Mask, lang: Lang) -> Bubble | None:
    if event.kind == "said":
        return Bubble("shopper", words.SPEAKERS["shopper"].in_(lang), event.t, mask(str(event.data.get("text", ""))))
    if event.kind == "pressed":
        text = f"⌨ {event.data.get('digits', '')}"
        return Bubble("shopper", words.SPEAKERS["shopper"].in_(lang), event.t, text)
    if event.kind not in ("message", "notice"):
        return None
    speaker = str(event.data.get("speaker", "system")) if event.kind == "message" else "system"
    title = words.SPEAKERS.get(speaker, words.SPEAKERS["unknown"]).in_(lang)
    said = event.data.get("text")
    if said is None:
        return Bubble(speaker, title, event.t, words.label("not_understood", lang), understood=False)
    lines = [str(said)] if said else []
    for part in event.data.get("parts") or ():  # what a chat shows besides words
        kind = words.PARTS.get(part.get("kind"))
        if kind is not None:
            lines.append(f"[{kind.in_(lang)}] {part.get('text') or part.get('url', '')}")
    return Bubble(speaker, title, event.t, mask("\n".join(lines)))


def _row(event: Event, mask: Mask, lang: Lang) -> Row:
    kind, method = words.EVENTS.get(event.kind), words.METHODS[event.method]
    return Row(event.t, kind.in_(lang) if kind else event.kind, method.in_(lang), event.u, _text(event, mask))


def _text(event: Event, mask: Mask) -> str:
    keys = (*SHOWN, "name") if event.kind.startswith("tone") else SHOWN
    values = [(key, event.data.get(key)) for key in keys]
    return mask(" · ".join(str(value) for _, value in values if value not in (None, "")))
