"""From sessions to observations: one flat row each, ready for scoring."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC
from statistics import median
from typing import Any

import pandas as pd

from probes.acknowledgement import is_acknowledgement
from probes.session import Event, Instant, Outcome, Session
from scoring.observations import COLUMNS, FORMAT, validate

NAN = math.nan
AGAIN = {("prompt", "transfer"), ("notice", "joined")}
AGAIN_S = 0.5  # signs of the first answer itself may be stamped a little after it


def table(sessions: Iterable[Session]) -> pd.DataFrame:
    """Returns the validated table of observations of ``sessions``, one row each, in their order.

    Raises:
        RunError: two sessions answer to the same attempt.
    """
    rows = [to_row(session) for session in sessions]
    return validate(pd.DataFrame(rows, columns=[column.name for column in COLUMNS]))


def to_row(session: Session) -> dict[str, Any]:
    """Returns the observation of one session: the columns of :mod:`scoring.observations`, times in seconds."""
    at, answered = session.instants, session.outcome is Outcome.ANSWERED
    verdicts = [fact.verdict for fact in session.judgement.facts if fact.verdict != "na"]
    return {
        "run": session.attempt.run,
        "attempt": session.attempt.id,
        "scenario": session.attempt.scenario,
        "channel": session.attempt.channel,
        "entry": session.attempt.entry,
        "started_utc": session.anchor_utc.astimezone(UTC).isoformat(),
        "outcome": str(session.outcome),
        "reason": session.reason,
        "asked_human": at.request is not None,
        "queued": at.queue is not None,
        "answered": answered,
        "queue_limit_s": session.queue_limit_s,
        "setup_s": _setup(session),
        "t_request_s": _t(at.request),
        "t_queue_s": _t(at.queue),
        "t_answer_s": _t(at.answer),
        "t_first_word_s": _t(at.first_word),
        "t_end_s": _t(at.end),
        "wait_s": _between(at.queue, at.answer),
        "wait_u_s": math.hypot(at.queue.u, at.answer.u) if at.queue and at.answer else NAN,
        "wait_request_s": _between(at.request, at.answer),
        "wait_first_word_s": _between(at.queue, at.first_word),
        "in_queue_s": NAN if at.answer else _between(at.queue, at.end),
        "talk_s": _between(at.answer, at.end),
        "first_response_s": _first_response(session) if session.attempt.channel == "chat" else NAN,
        "handoff_s": _between(at.request, at.answer or at.first_word) if session.attempt.channel == "chat" else NAN,
        "reply_p50_s": _median(reply_times(session.timeline)),
        "substantive_p50_s": _median(reply_times(session.timeline, substantive=True)),
        "transfers": _transfers(session) if answered and at.answer else NAN,
        "resolution": session.judgement.resolution,
        "resolved_by": session.judgement.by,
        "facts_expected": float(len(verdicts)),
        "facts_right": float(verdicts.count("pass")),
        "facts_wrong": float(verdicts.count("fail")),
        "facts_unknown": float(verdicts.count("unknown")),
        "certain": session.certain,
        "needs_review": bool(session.review),
        "review": "; ".join(session.review),
        "format": FORMAT,
    }


def _seconds(value: float) -> float:
    """Microseconds are finer than any of our clocks; what is finer still is arithmetic, not measurement."""
    return round(value, 6)


def _t(instant: Instant | None) -> float:
    return NAN if instant is None else _seconds(instant.t)


def _between(start: Instant | None, end: Instant | None) -> float:
    return NAN if start is None or end is None else _seconds(end.t - start.t)


def _first(timeline: Iterable[Event], *kinds: str) -> Event | None:
    return min((event for event in timeline if event.kind in kinds), key=lambda event: event.t, default=None)


def _setup(session: Session) -> float:
    """Voice: INVITE to the first 18x or 200. Chat: navigation to a ready widget (our browser's start is not theirs)."""
    if session.attempt.channel == "chat":
        ready, loaded = _first(session.timeline, "widget_ready"), _first(session.timeline, "page_loaded")
        start = 0.0 if loaded is None else float(loaded.data.get("start", 0.0))
        return NAN if ready is None else _seconds(ready.t - start)
    dialled = _first(session.timeline, "dialled")
    sign = _first(session.timeline, "ringing", "early_media", "connected")
    return NAN if dialled is None or sign is None else _seconds(sign.t - dialled.t)


def _said_end(said: Event) -> float:
    return float(said.data.get("end") or said.t)


def _median(values: list[float]) -> float:
    return median(values) if values else NAN


def _starts(timeline: Iterable[Event], *, substantive: bool = False) -> list[Event]:
    """Where replies begin, by anyone but ourselves and the system: a message, or its first streamed token.

    A ``substantive`` one does not only ask for patience; it is known when it is whole.
    """
    ours, kinds = ("shopper", "system"), ("message",) if substantive else ("message", "first_token")
    found = (e for e in timeline if e.kind in kinds and e.data.get("speaker") not in ours)
    said = (e for e in found if not (substantive and is_acknowledgement(e.data.get("text"))))
    return sorted(said, key=lambda event: event.t)


def _first_response(session: Session) -> float:
    said = _first(session.timeline, "said")
    if said is None:
        return NAN
    end = _said_end(said)
    reply = next((event for event in _starts(session.timeline) if event.t >= end), None)
    return NAN if reply is None else _seconds(reply.t - end)


def reply_times(timeline: list[Event], *, substantive: bool = False) -> list[float]:
    """Returns, for each of our turns, seconds from the end of our words to the start of the reply.

    A turn without a reply before our next words gives none, and neither does a turn across which a human was asked
    for, queued for or joined: that is a wait, not a reply.
    """
    turns = sorted((event for event in timeline if event.kind == "said"), key=lambda event: event.t)
    marks = [event.t for event in timeline if event.kind in ("request", "queue", "answer")]
    starts, times = _starts(timeline, substantive=substantive), []
    for turn, until in zip(turns, [*(event.t for event in turns[1:]), math.inf], strict=False):
        end = _said_end(turn)
        reply = next((event.t for event in starts if end <= event.t < until), None)
        if reply is not None and not any(turn.t <= mark <= reply for mark in marks):
            times.append(_seconds(reply - end))
    return times


def _transfers(session: Session) -> float:
    """Times we were put through again after the first agent: a transfer announcement, or another human's joining."""
    answer = session.instants.answer
    since = math.inf if answer is None else answer.t + AGAIN_S
    return float(sum((e.kind, e.data.get("role")) in AGAIN for e in session.timeline if e.t > since))
