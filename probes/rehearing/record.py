"""What one measuring pass found in one session, kept beside what the call itself found."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from probes.session import Event, Instants, Outcome, Record, Session
from probes.voice.quality import Quality
from probes.voice.wire.rtp import Reception

# What the measuring pass computes anew; everything else in a timeline is kept as the call wrote it.
ACOUSTIC = frozenset(
    {
        "prompt", "prompt_end", "tone", "tone_end", "music", "music_end", "line_open", "speech", "queue", "answer",
        "first_word", "clipping", "level", "dead_air", "one_way", "talk_over", "first_audio", "stream_change",
        "rtp_gap", "quality",
    }
)  # fmt: skip


class Judged(Record):
    """One stretch of live speech after the request, and the chance that a person spoke."""

    start: float
    end: float
    person: float
    signs: tuple[str, ...] = ()


class Hearing(Record):
    """One session as one measuring pass heard it. Times are session seconds."""

    format: Literal[1] = 1
    hearing: int = Field(description="version of the hearing: what is newer may find more")
    attempt: str
    source: Literal["packets", "recording"]
    source_sha256: str
    heard_with: int = Field(description="other calls that went the same way, in which a recording would have recurred")
    outcome: Outcome
    reason: str
    certain: bool = Field(description="False: a person must decide before it counts")
    review: list[str] = Field(default_factory=list)
    instants: Instants
    judged: list[Judged] = Field(default_factory=list)
    quality: Quality | None = None
    reception: Reception | None = None
    events: list[Event] = Field(default_factory=list)


def is_acoustic(event: Event) -> bool:
    """Whether the measuring pass finds events of this kind itself."""
    return event.kind in ACOUSTIC or (event.kind == "message" and event.method in ("voice", "prompt"))


def overlaid(session: Session, hearing: Hearing) -> Session:
    """Returns the session with the measuring pass's findings in place of the live ones."""
    kept = [event for event in session.timeline if not is_acoustic(event)]
    return session.model_copy(
        update={
            "outcome": hearing.outcome,
            "reason": hearing.reason,
            "certain": hearing.certain,
            "instants": hearing.instants,
            "review": [*(reason for reason in session.review if not _is_superseded(reason)), *hearing.review],
            "timeline": sorted([*kept, *hearing.events], key=lambda event: event.t),
        }
    )


def _is_superseded(reason: str) -> bool:
    """Whether the live pass's doubt is one that the measuring pass answers by itself."""
    return reason in (UNCERTAIN_HUMAN, NO_QUEUE_SIGN, LATE_SPEECH)


UNCERTAIN_HUMAN = "it is not certain that a human answered"
NO_QUEUE_SIGN = "no sign of the queue was heard: the wait counts from the request"
LATE_SPEECH = "speech began just before the end: a human may have answered"
