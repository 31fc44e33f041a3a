"""How a conversation ends: what stopped it, and which outcome that comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from probes.judging import Reply, Turn
from probes.session import Event, Instants, Outcome
from probes.target import ReachStep
from scenarios.model import ChannelKind, Limits, Scenario

AT_ONCE_S = 1.5


@dataclass
class Told:
    """What the conversation found out."""

    outcome: Outcome
    reason: str
    timeline: list[Event]
    instants: Instants
    turns: list[Turn]
    heard: list[Reply]
    review: list[str] = field(default_factory=list)


class Stop(Exception):
    """The conversation is over; ``outcome`` None means: as the instants say."""

    def __init__(self, reason: str, outcome: Outcome | None = None) -> None:
        self.reason, self.outcome = reason, outcome


def not_connected(ended: Mapping[str, Any]) -> tuple[Stop, list[str]]:
    """What a refusal before any menu comes to, and the doubts; what our own trunk refuses is never the centre's."""
    cause, fault = ended.get("cause", "ended"), ended.get("fault")
    if fault == "line":
        return Stop(f"our own line did not carry the call: {cause}", Outcome.INVALID), []
    doubts = [f"it cannot be told whether our own trunk or the centre said {cause}"] if fault == "unclear" else []
    return Stop(f"not connected: {cause}", Outcome.NET_FAIL), doubts


def gone_at_once(timeline: Sequence[Event]) -> bool:
    """Whether the far end answered and left again before anything was heard: no fault of our own ears."""
    connected = next((event.t for event in timeline if event.kind == "connected"), None)
    ended = next((event for event in timeline if event.kind == "ended"), None)
    if connected is None or ended is None or ended.data.get("by") != "far" or ended.t - connected > AT_ONCE_S:
        return False
    return not any(event.kind in ("prompt", "music", "speech", "message", "tone") for event in timeline)


def is_strange(timeline: Sequence[Event], outcome: Outcome, way: Sequence[ReachStep], prompts_known: bool) -> bool:
    """Says whether a line that plays known recordings before it puts anyone through played none, but spoke."""
    if not prompts_known or not way:
        return False
    kinds = {event.kind for event in timeline}
    spoke = outcome is Outcome.ANSWERED or (outcome is Outcome.IVR_FAIL and "speech" in kinds)
    return spoke and not kinds & {"prompt", "wrong_party"}


def left_waiting(ended: Event | None, limits: Limits, *, in_queue: bool) -> Stop:
    """What it comes to when nobody answered: the far end has left, or a limit of the plan is reached."""
    if ended is not None:
        cause = ended.data.get("cause", "")
        if in_queue:
            return Stop(f"released in the queue ({cause})", Outcome.DROPPED)
        return Stop(f"hung up after a human was asked for ({cause})", Outcome.IVR_FAIL)
    if in_queue:
        return Stop(f"waited {limits.queue_s:g} s in the queue", Outcome.LIMIT)
    return Stop(f"no queue within {limits.menu_s:g} s of asking for a human", Outcome.IVR_FAIL)


def asked_all(scenario: Scenario, kind: ChannelKind, turns: Sequence[Turn]) -> bool:
    """Whether every question of the script was put."""
    asks = [step.ask for step in scenario.steps_on(kind) if step.ask is not None]
    return len([turn for turn in turns if turn.ask not in ("dtmf", "farewell")]) >= len(asks)


def outcome_of(stop: Stop, instants: Instants, ended: Event | None, *, reached: bool, asked_all: bool) -> Outcome:
    """Returns the outcome of a conversation that ``stop`` ended."""
    if stop.outcome is Outcome.INVALID:
        return Outcome.INVALID
    if instants.answer is not None:
        return Outcome.ANSWERED
    if stop.outcome is not None:
        return stop.outcome
    if instants.queue is not None:
        return Outcome.DROPPED if ended and ended.data.get("by") != "us" else Outcome.LIMIT
    if instants.request is not None or stop.reason or not asked_all:
        return Outcome.IVR_FAIL if reached else Outcome.NET_FAIL
    return Outcome.IVR_SERVED  # by design no human was asked for; the judgement may still say otherwise
