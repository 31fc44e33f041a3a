"""The probe: one attempt in, one session out, whatever goes wrong in between."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from probes.acknowledgement import is_acknowledgement
from probes.channel import Channel
from probes.clock import Anchor, Clock
from probes.conversation import Conversation, State
from probes.ending import Told
from probes.equipment import Equipment
from probes.judging import judge
from probes.session import CERTAIN, AttemptKey, Evidence, Judgement, Outcome, Session
from probes.target import Target
from scenarios.attachment import Attachment
from scenarios.errors import FarEndFault, ShopperError
from scenarios.model import Lang, Limits, Scenario
from scenarios.persona import draw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assignment:
    """All that one attempt needs; plain data, so that it can travel to another machine."""

    attempt: AttemptKey
    scenario: Scenario
    scenario_sha256: str
    target: Target
    target_folder: Path
    limits: Limits
    lang: Lang
    folder: Path
    version: str
    switches: tuple[Path, ...] = ()  # kill switches: nothing is dialled, and we hang up, once one of them is there
    evidence: str | None = None  # where the session's files are copied to, besides its folder
    not_after: datetime | None = None  # it is not begun later: the policy was asked at its claim
    attachments: dict[str, Attachment] = field(default_factory=dict)  # the files that the script sends


async def run(job: Assignment, equipment: Equipment, on_state: Callable[[State], None] = lambda _s: None) -> Session:
    """Carries out one attempt. To end it before its time, cancel the task with the reason as its message: we hang up.

    Returns:
        The session, always: our own faults come back as INVALID with the reason, and so does an end before its time.
    """
    clock = Clock()
    anchor = clock.anchor()
    session = _blank(job, anchor)
    channel: Channel | None = None
    conversation: Conversation | None = None
    try:
        channel = await equipment.channel(job.attempt, job.target, job.target_folder, job.folder, job.lang)
        entry = (job.target.lines | job.target.chats)[job.attempt.entry]
        conversation = Conversation(
            channel,
            job.scenario,
            lang=job.lang,
            limits=job.limits,
            to_human=entry.to_human,
            prompts_known=bool(job.target.prompts),
            clock=clock,
            on_state=on_state,
            attachments=job.attachments,
        )
        _fill(session, job, await conversation.run(anchor))
    except asyncio.CancelledError as stop:
        session.reason = f"{stop.args[0] if stop.args else 'the probe was stopped'}; we hung up"
        if conversation is not None:
            session.timeline, session.instants = conversation.timeline, conversation.instants
    except ShopperError as error:
        session.reason = str(error)
        session.outcome = Outcome.NET_FAIL if isinstance(error, FarEndFault) else Outcome.INVALID
    except Exception as error:
        log.exception("attempt %s", job.attempt.id)
        session.outcome = Outcome.INVALID
        session.reason = f"harness: {type(error).__name__}: {error}"
    for path, kind in channel.files() if channel is not None else []:
        try:
            session.evidence.append(_evidence(path, kind))
        except OSError as error:
            session.review.append(f"evidence {path.name} cannot be read: {error.strerror}")
    return session


def without_probing(job: Assignment, outcome: Outcome, reason: str) -> Session:
    """Returns the session of an attempt that was never carried out, or whose end nobody saw (LOST, BLOCKED, ...)."""
    session = _blank(job, Clock().anchor())
    session.outcome, session.reason = outcome, reason
    return session


def _blank(job: Assignment, anchor: Anchor) -> Session:
    return Session(
        attempt=job.attempt,
        lang=job.lang,
        scenario_version=job.scenario.version,
        scenario_sha256=job.scenario_sha256,
        persona=draw(job.scenario.persona, job.lang, job.attempt.seed),
        anchor_utc=anchor.utc,
        anchor_monotonic=anchor.monotonic,
        outcome=Outcome.INVALID,
        queue_limit_s=job.limits.queue_s,
        harness_version=job.version,
    )


def _fill(session: Session, job: Assignment, told: Told) -> None:
    session.outcome, session.reason = told.outcome, told.reason
    session.timeline, session.instants = told.timeline, told.instants
    by: Literal["ivr", "bot", "agent", "none"] = "none"
    if told.outcome is Outcome.ANSWERED:
        by = "agent"
    elif told.turns:
        by = "ivr" if job.attempt.channel == "voice" else "bot"
    answers = job.target.facts.get(job.scenario.id, {})
    session.judgement = judge(job.scenario, job.lang, told.turns, told.heard, answers, by)
    session.review = told.review + _doubts(session, told)
    if _is_anonymous(session):
        session.certain = False
        session.review.append("it is not certain who spoke after a human had been asked for")
    if session.outcome is Outcome.IVR_SERVED and session.judgement.resolution == "not_resolved":
        session.outcome, session.reason = Outcome.IVR_FAIL, "served without a human, but the errand was not done"


def _is_anonymous(session: Session) -> bool:
    """Whether a chat's outcome rests on somebody of whom it is not sure enough who he was.

    Where no queue was seen, that may be whoever is taken for the bot only because nobody is marked.
    """
    request, answer, queue = session.instants.request, session.instants.answer, session.instants.queue
    if session.attempt.channel != "chat" or request is None:
        return False
    if answer is not None:
        return answer.confidence < CERTAIN
    return any(
        event.kind == "message"
        and event.t >= request.t
        and event.data.get("confidence", 1.0) < CERTAIN
        and (queue is None or event.data["speaker"] == "unknown")
        and not is_acknowledgement(event.data.get("text"))
        for event in session.timeline
    )


def _doubts(session: Session, told: Told) -> list[str]:
    """Why a person must look before this session counts."""
    doubts = []
    judgement: Judgement = session.judgement
    if any(reply.text is None for reply in told.heard) and told.turns:
        doubts.append("speech was heard that nobody has transcribed")
    elif judgement.resolution == "unknown" and told.turns:
        doubts.append("the resolution is unknown")
    stalls = [event.data["seconds"] for event in session.timeline if event.kind == "stall"]
    if stalls:
        how = f"stood still {len(stalls)} times, up to {max(stalls):.2f} s"
        if session.attempt.channel == "voice":
            doubts.append(f"this machine was too busy: the audio clock {how}")
        else:
            doubts.append(f"the page {how}: it or this machine was too busy")
    answer = session.instants.answer
    if answer is not None and answer.confidence < 0.7:
        doubts.append("it is not certain that a human answered")
    queue = session.instants.queue
    if queue is not None and queue.confidence < 0.7:
        doubts.append("no sign of the queue was heard: the wait counts from the request")
    return doubts


def _evidence(path: Path, kind: str) -> Evidence:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Evidence.model_validate({"name": path.name, "kind": kind, "sha256": digest, "bytes": len(content)})
