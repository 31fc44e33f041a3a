"""The outcome of a call as the measuring pass sees it: pure functions of the measured timeline and the live session."""

from __future__ import annotations

from collections.abc import Sequence

from probes.instants import GREETING_DELAY_U, OPEN_BEFORE_WORD_S, SILENT_AGENT_S, find
from probes.rehearing.persons import Weighed
from probes.rehearing.record import NO_QUEUE_SIGN, UNCERTAIN_HUMAN
from probes.session import CERTAIN, Event, Instant, Instants, Outcome, Session

_KEPT = frozenset({Outcome.INVALID, Outcome.LOST, Outcome.BLOCKED, Outcome.MISSED, Outcome.NET_FAIL})
_LAST_S = 10.0  # the words of a recording so close to the end decide what the end was
_MARKS = frozenset({"music_end", "tone_end", "prompt_end", "line_open", "connected"})

WORDS_UNKNOWN = "a recording that nobody has transcribed ended the wait: its words may make it a call-back or a closing"
TOO_EARLY = "we took a recording for a person and hung up"


def measured_instants(timeline: Sequence[Event], weighed: Sequence[Weighed]) -> Instants:
    """Finds the instants; the answer carries the chance that it was a person's, and its interval."""
    found = find(timeline)
    if found.answer is None or found.first_word is None:
        return found
    word = found.first_word
    chance = next((one.person for one in weighed if one.start == word.t), word.confidence)
    low, high = _interval(found.answer, word, timeline)
    answer = found.answer.model_copy(
        update={"confidence": round(min(found.answer.confidence, chance), 4), "low": low, "high": high}
    )
    said = {"confidence": round(chance, 4), "low": word.t - 2 * word.u, "high": word.t + 2 * word.u}
    return found.model_copy(update={"answer": answer, "first_word": word.model_copy(update=said)})


def _interval(answer: Instant, word: Instant, timeline: Sequence[Event]) -> tuple[float, float]:
    """Returns where the agent may have been connected: not before the last sound of the queue, not after the word.

    Where nothing marks the moment, an agent may have been silent all the time since that sound, unless the line was.
    """
    before = [event.t for event in timeline if event.kind in _MARKS and event.t <= answer.t]
    if answer.u >= GREETING_DELAY_U and answer.method == word.method:
        last = max((t for t in before if t > word.t - SILENT_AGENT_S), default=None)
        steps = (event.t for event in timeline if event.kind == "line_open")
        if last is not None and not any(last < t <= word.t + OPEN_BEFORE_WORD_S for t in steps):
            return last, max(answer.t, word.t)
    low = max([answer.t - 2 * answer.u, *(t for t in before if t > answer.t - 2 * answer.u)])
    return min(low, answer.t), max(answer.t, min(word.t, answer.t + 2 * answer.u))


def certain(weighed: Sequence[Weighed]) -> bool:
    """Whether it is sure enough that somebody answered, or that nobody did."""
    persons = [one.person for one in weighed if one.person >= 0.5]
    if persons:
        return persons[0] >= CERTAIN
    return all(one.person <= 1 - CERTAIN for one in weighed)


def reassess(
    session: Session, timeline: Sequence[Event], instants: Instants, weighed: Sequence[Weighed]
) -> tuple[Outcome, str, bool, list[str]]:
    """Returns outcome, reason, whether it is certain, and what a person should look at."""
    if session.outcome in _KEPT:
        return session.outcome, session.reason, True, []
    sure, review = certain(weighed), []
    outcome, reason = _outcome(session, timeline, instants)
    if not sure:
        best = max((one.person for one in weighed), default=0.0)
        review.append(f"{UNCERTAIN_HUMAN} ({best:.0%})")
    if instants.queue is not None and instants.queue.method == "harness":
        review.append(NO_QUEUE_SIGN)
    if outcome is Outcome.INVALID:
        review.append(TOO_EARLY)
    elif outcome is Outcome.DROPPED and _ended_by_unknown_words(timeline):
        review.append(WORDS_UNKNOWN)
    return outcome, reason, sure, review


def _outcome(session: Session, timeline: Sequence[Event], instants: Instants) -> tuple[Outcome, str]:
    if instants.answer is not None:
        return Outcome.ANSWERED, session.reason if session.outcome is Outcome.ANSWERED else ""
    request = instants.request
    if request is None:
        return session.outcome, session.reason
    roles = [e.data.get("role") for e in timeline if e.kind == "prompt" and e.t > request.t]
    if "callback" in roles:
        return Outcome.CALLBACK, "a call-back was offered instead of a human; none was ordered"
    queued = instants.queue is not None
    if "closed" in roles:
        return Outcome.DROPPED if queued else Outcome.IVR_FAIL, "told to call again later"
    ended = next((event for event in timeline if event.kind == "ended"), None)
    by_us = ended is None or ended.data.get("by") == "us"
    cause = "" if ended is None else str(ended.data.get("cause", ""))
    if session.outcome is Outcome.CALLBACK:
        return session.outcome, session.reason
    if session.outcome is Outcome.LIMIT and queued:
        return session.outcome, session.reason
    if by_us and session.outcome is Outcome.ANSWERED:
        return Outcome.INVALID, TOO_EARLY
    if queued and not by_us:
        return Outcome.DROPPED, f"released in the queue ({cause})"
    if not queued and session.outcome in (Outcome.DROPPED, Outcome.LIMIT, Outcome.ANSWERED):
        return Outcome.IVR_FAIL, session.reason or f"no queue was heard after a human was asked for ({cause})"
    return session.outcome, session.reason


def _ended_by_unknown_words(timeline: Sequence[Event]) -> bool:
    end = max((event.t for event in timeline), default=0.0)
    last = [
        event
        for event in timeline
        if event.kind in ("prompt", "speech") and event.t > end - _LAST_S - 5 and not event.data.get("text")
    ]
    return bool(last)
