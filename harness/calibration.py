"""Calibration: what the probes found, held against the sandbox's truth log.

Calls are paired with the centre's by their Call-ID, chats (and calls whose INVITE shows none) by the instants both
sides log (dialling, keys, messages), never by what was found; the difference of every defined instant is listed. This
is the only reader of the truth log besides the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.sandbox.truth import Truth
from probes.session import Outcome, Session

Row = Mapping[str, Any]
INSTANTS = {"queue": "queue", "agent": "answer", "first_word": "first_word"}  # truth event -> instant
FARTHEST = 100.0  # of two that have nothing in common
FARTHEST_S = 5.0  # a pair whose common instants differ by more is no pair


@dataclass(frozen=True)
class Error:
    """One instant: seconds, probe minus truth; NaN if the probe did not find it."""

    attempt: str
    instant: str
    error_s: float


@dataclass(frozen=True)
class Pair:
    """A session and the centre's own record of it."""

    session: Session
    truth: Sequence[Row]

    def first(self, event: str) -> Row | None:
        """Returns the first truth row of that event."""
        return next((row for row in self.truth if row["event"] == event), None)

    @property
    def outcome(self) -> Outcome:
        """The outcome that the truth log demands."""
        events = {row["event"] for row in self.truth}
        if events & {"agent", "joined"}:
            return Outcome.ANSWERED
        if "callback" in events:
            return Outcome.CALLBACK
        if "dropped" in events:
            return Outcome.DROPPED
        if self.session.attempt.channel == "chat":
            return Outcome.LIMIT if "queue" in events else Outcome.IVR_SERVED
        if "queue" in events:
            return Outcome.LIMIT
        return Outcome.IVR_FAIL if "prompt" in events else Outcome.NET_FAIL


def pair(sessions: Iterable[Session], truth_log: Path) -> list[Pair]:
    """Pairs every session with the centre's record of it; one without a record gets an empty one."""
    found: list[Pair] = []
    sessions = list(sessions)
    rows = Truth.read(truth_log)
    for kind in ("voice", "chat"):
        group = [session for session in sessions if session.attempt.channel == kind]
        records: dict[str, list[Row]] = {}
        for row in rows:
            if (row["session"].startswith("chat")) == (kind == "chat"):
                records.setdefault(row["session"], []).append(row)
        names = list(records)
        cost = np.array([[_distance(session, records[name]) for name in names] for session in group])
        matched: dict[int, str] = {}
        if cost.size:
            for index, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[index, column] < FARTHEST_S:
                    matched[int(index)] = names[int(column)]
        found += [Pair(session, records.get(matched.get(index, ""), [])) for index, session in enumerate(group)]
    return found


def _distance(session: Session, truth: Sequence[Row]) -> float:
    ours_id, their_id = _call_id(session), next((row["call_id"] for row in truth if row.get("call_id")), None)
    if ours_id is not None and their_id is not None:
        return 0.0 if ours_id == their_id else FARTHEST
    ours, theirs = _marks(session), _their_marks(truth)
    differences = [abs(a - b) for kind in ours for a, b in zip(ours[kind], theirs.get(kind, []), strict=False)]
    unequal = sum(abs(len(ours[kind]) - len(theirs.get(kind, []))) for kind in ours)
    return min(FARTHEST, float(np.mean(differences or [FARTHEST])) + unequal)


def _call_id(session: Session) -> str | None:
    return next((event.data.get("call_id") for event in session.timeline if event.kind == "dialled"), None)


def _marks(session: Session) -> dict[str, list[float]]:
    names = {"dialled": "start", "pressed": "key", "said": "said"}
    marks: dict[str, list[float]] = {"start": [], "key": []} if session.attempt.channel == "voice" else {"said": []}
    for event in session.timeline:
        if names.get(event.kind) in marks:
            marks[names[event.kind]].append(session.anchor_monotonic + event.t)
    return marks


def _their_marks(truth: Sequence[Row]) -> dict[str, list[float]]:
    names = {"invite": "start", "key": "key", "user_message": "said", "user_file": "said"}
    marks: dict[str, list[float]] = {"start": [], "key": [], "said": []}
    for row in truth:
        if row["event"] in names:
            marks[names[row["event"]]].append(row["t_mono"])
    return marks


def instant_errors(pairs: Iterable[Pair]) -> list[Error]:
    """Lists the error of every instant that the truth log has (voice: queue, answer, first word; chat: joined too)."""
    errors = []
    for one in pairs:
        for event, name in INSTANTS.items():
            row = one.first("joined" if event == "agent" and one.session.attempt.channel == "chat" else event)
            if row is None:
                continue
            found = getattr(one.session.instants, name)
            t = float("nan") if found is None else one.session.anchor_monotonic + found.t - row["t_mono"]
            errors.append(Error(one.session.attempt.id, name, t))
    return errors


def reply_errors(pairs: Iterable[Pair]) -> list[Error]:
    """Lists the error of every reply of a chat: first token of the bot, and each message of the human."""
    errors = []
    for one in pairs:
        if one.session.attempt.channel != "chat":
            continue
        seen = [
            (event.data.get("text"), one.session.anchor_monotonic + event.t)
            for event in one.session.timeline
            if event.kind == "message"
        ]
        for row in one.truth:
            if row["event"] in ("bot_first_token", "agent_message"):
                near = [t - row["t_mono"] for text, t in seen if text == row["text"]]
                errors.append(Error(one.session.attempt.id, "reply", min(near, key=abs, default=float("nan"))))
    return errors


def describe(errors: Sequence[Error]) -> dict[str, float]:
    """Returns n, how many were not found, and p50, p95, max of the absolute error in seconds."""
    values = np.abs([error.error_s for error in errors if not np.isnan(error.error_s)])
    if not len(values):
        return {"n": len(errors), "missed": len(errors), "p50": np.nan, "p95": np.nan, "max": np.nan}
    p50, p95 = np.percentile(values, [50, 95])
    return {
        "n": len(errors), "missed": len(errors) - len(values), "p50": float(p50), "p95": float(p95),
        "max": float(values.max()),
    }  # fmt: skip
