"""Finds the defined instants in a timeline: request, queue entry, agent connected, first word (domain 2.1).

``find`` is a pure function of the events, so what was decided during the call can be computed again from the record,
and a better rule can be applied to old sessions. The same rules serve voice and chat.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probes.acknowledgement import is_acknowledgement
from probes.session import Event, Instant, Instants

# A recording, a tone or a notice that says "you are in the queue now" once a human has been asked for.
QUEUE_PROMPTS = frozenset({"transfer", "queue"})
# When nothing marks the moment of connection itself, the agent is taken to have been connected this long before the
# first word. The sandbox's calibration (make bench) shows the error that is left; a target may differ.
GREETING_DELAY_S = 0.5
GREETING_DELAY_U = 0.3
# A mark of connection counts if the first word follows it this closely.
MARK_TO_WORD_S = 2.5
SILENT_AGENT_S = 15.0  # an agent may be connected for so long before saying a word
MARKS = frozenset({"connected", "line_open", "tone", "tone_end", "prompt", "prompt_end", "music", "music_end"})
OPEN_BEFORE_WORD_S = 0.15  # closer than this, the "open line" is the word itself
ON_HOLD_S = 2.0  # music, ringing or a recording of the queue that begins so soon after speech makes it an announcement
CHAT = frozenset({"dom", "frame"})  # how a chat's messages are stamped
EARLY = 0.1  # stamps of different methods may disagree by so much


def find(timeline: Sequence[Event]) -> Instants:
    """Returns the instants that ``timeline`` supports; those it does not are None."""
    request = _first(event for event in timeline if event.kind == "request")
    connected = _first(event for event in timeline if event.kind == "connected")
    ended = _first(event for event in timeline if event.kind == "ended")
    found = Instants(request=request, connected=connected, end=ended)
    if request is None:
        return found
    found.first_word, found.answer = _answer(timeline, request.t)
    found.queue = _queue(timeline, request.t, found.answer)
    unsigned = found.queue is not None and found.queue.method == "harness"
    if unsigned and found.answer is not None and found.answer.method not in CHAT:
        # Unknown speech and nothing that said "queue" before it: as likely a recording that nobody has listed.
        found.answer = found.answer.model_copy(update={"confidence": 0.5})
    return found


def may_change(event: Event) -> bool:
    """Whether ``find`` may find something else with this event than without it; most of what a chat says it cannot."""
    if event.method in CHAT and event.kind in ("message", "first_token"):
        return event.data.get("speaker") == "agent"
    return event.kind != "typing" and (event.method not in CHAT or event.kind != "said")


def _first(events: Iterable[Event]) -> Instant | None:
    event = min(events, key=lambda event: event.t, default=None)
    if event is None:
        return None
    sure = event.data.get("confidence") if event.method in CHAT else None
    return Instant(t=event.t, method=event.method, u=event.u, confidence=1.0 if sure is None else float(sure))


def is_announcement(speech: Event, timeline: Sequence[Event]) -> bool:
    """Whether what puts us on hold begins right after ``speech``, and we have said nothing: then it was no person."""
    end = next((e.data.get("end") for e in timeline if e.kind == "message" and e.t == speech.t), None)
    if end is None:
        return False
    said = min((event.t for event in timeline if event.kind == "said" and event.t > speech.t), default=float("inf"))
    return any(
        event.kind != "speech"
        and end - 0.5 <= event.t <= min(end + ON_HOLD_S, said)
        and _is_queue_sign(event, timeline)
        for event in timeline
    )


def _is_queue_sign(event: Event, timeline: Sequence[Event]) -> bool:
    match event.kind:
        case "prompt":
            return event.data.get("role") in QUEUE_PROMPTS
        case "notice":
            return event.data.get("role") == "queue"
        case "tone":
            return event.data.get("name") == "ringback"
        case "speech":
            if "person" in event.data:
                return bool(event.data.get("announces"))
            return is_announcement(event, timeline)
        case "music" | "ringing":
            return True
    return False


def _queue(timeline: Sequence[Event], request: float, answer: Instant | None) -> Instant | None:
    until = float("inf") if answer is None else answer.t + EARLY
    sign = _first(e for e in timeline if _is_queue_sign(e, timeline) and request - EARLY <= e.t <= until)
    if sign is not None:
        return sign.model_copy(update={"t": max(sign.t, request)})
    if answer is None:
        return None
    # Put through without a sound: the wait began when the human was asked for.
    return Instant(t=request, method="harness", u=1.0, confidence=0.5)


def _answer(timeline: Sequence[Event], request: float) -> tuple[Instant | None, Instant | None]:
    """Returns (first word, answer)."""
    joined = _first(e for e in timeline if e.kind == "notice" and e.data.get("role") == "joined" and e.t >= request)
    live = [e for e in timeline if e.t >= request - EARLY and _is_live(e, timeline)]
    words = [e for e in live if e.kind == "speech" or not is_acknowledgement(e.data.get("text"))]
    if joined is not None:
        return _first(e for e in words if e.t >= joined.t - EARLY), joined
    spoken = _first(live)
    if spoken is None:
        return None, None
    return _first(words), _connection(timeline, spoken, request)


def _is_live(event: Event, timeline: Sequence[Event]) -> bool:
    """Speech counts unless it was judged no person's, or a recording was recognised later that covers its onset."""
    if event.kind == "speech":
        if "person" in event.data:
            return float(event.data["person"]) >= 0.5
        covered = any(start - 0.3 <= event.t < end for start, end in _recordings(timeline))
        return not covered and not is_announcement(event, timeline)
    return event.kind == "message" and event.method in CHAT and event.data.get("speaker") == "agent"


def _recordings(timeline: Sequence[Event]) -> list[tuple[float, float]]:
    """Returns (start, end) of every known recording; one that still plays has not ended."""
    spans: list[tuple[float, float]] = []
    for event in sorted(timeline, key=lambda event: event.t):
        if event.kind in ("prompt", "prompt_end", "tone", "music") and spans and spans[-1][1] == float("inf"):
            spans[-1] = (spans[-1][0], event.t)
        if event.kind == "prompt":
            spans.append((event.t, float("inf")))
    # What was said again in the same waves was a recording the first time, too.
    again = [event.data["first"] for event in timeline if event.kind == "prompt" and "first" in event.data]
    return spans + [(float(start), float(end)) for start, end in again]


def _silent_agent(timeline: Sequence[Event], word: Instant, request: float) -> Instant | None:
    """Returns when the line opened on which nothing but its noise was heard until the word: an agent who waited."""
    marks = [e for e in timeline if e.kind in MARKS and request - EARLY <= e.t < word.t - OPEN_BEFORE_WORD_S]
    last = max((e for e in marks if e.kind != "line_open"), key=lambda event: event.t, default=None)
    since = request if last is None else last.t
    opened = min(
        (e for e in marks if e.kind == "line_open" and e.t >= since - EARLY and word.t - e.t < SILENT_AGENT_S),
        key=lambda event: event.t,
        default=None,
    )
    if opened is None and last is not None and _broke_off(last, word, timeline):
        opened = last
    if opened is None:
        return None
    confidence = 0.95 if word.t - opened.t < MARK_TO_WORD_S else 0.8
    return Instant(t=opened.t, method=opened.method, u=max(opened.u, 0.05), confidence=confidence)


def _broke_off(last: Event, word: Instant, timeline: Sequence[Event]) -> bool:
    """Whether ``last`` is the end of a ringing that broke off in mid-tone, where an open line followed at once.

    Then no silence lies between, and the line's noise has no step of its own. It was there, though, on a line whose
    silences are digital ones: after such a silence the word itself would have been a step.
    """
    steps = [e.t for e in timeline if e.kind == "line_open"]
    digital = any(t <= last.t for t in steps)
    silent = any(last.t < t <= word.t + MARK_TO_WORD_S for t in steps)
    return _ends_there(last, word) and word.t - last.t < SILENT_AGENT_S and digital and not silent


def _ends_there(mark: Event, word: Instant) -> bool:
    """Whether a tone ended where its last sound did; one that pauses may have gone on up to its ``latest``."""
    return mark.kind == "tone_end" and float(mark.data.get("latest", word.t)) - mark.t < EARLY


def _connection(timeline: Sequence[Event], word: Instant, request: float) -> Instant:
    """Returns when the agent was connected, given the first word: by a mark close before it, else by calibration."""
    guess = Instant(t=max(request, word.t - GREETING_DELAY_S), method=word.method, u=GREETING_DELAY_U, confidence=0.8)
    if word.method in CHAT:
        return word.model_copy()
    near = [
        e
        for e in timeline
        if e.kind in MARKS
        and (e.kind != "line_open" or e.t < word.t - OPEN_BEFORE_WORD_S)
        and max(request, word.t - MARK_TO_WORD_S) - EARLY <= e.t <= word.t + EARLY
    ]
    announced = [e for e in near if e.kind == "prompt" and e.data.get("role") == "agent_id"]
    last = max(near, key=lambda e: (e.t, e.kind in ("tone", "prompt", "music")), default=None)
    mark = announced[-1] if announced else last
    silent = _silent_agent(timeline, word, request) if mark is None or mark.kind == "line_open" else None
    if silent is not None or mark is None:
        return silent or guess
    latest = float(mark.data.get("latest", word.t))  # a tone that paused may have ended anywhere up to here
    exact = mark.kind in ("connected", "line_open", "music_end") or _ends_there(mark, word)
    if announced or exact:
        return Instant(t=min(mark.t, word.t), method=mark.method, u=max(mark.u, 0.05), confidence=0.95)
    # A tone or a recording that ended on its own only bounds the moment.
    return guess.model_copy(update={"t": min(word.t, latest, max(guess.t, mark.t))})
