"""What one attempt leaves behind: a session with its outcome, its timeline and its evidence.

Times are seconds since the session's start (``t``), on the monotonic clock; ``anchor_utc`` and ``anchor_monotonic``
say when that start was on the other clocks. Every event names the ``method`` by which its instant was found and the
standard uncertainty ``u`` in seconds.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.model import ChannelKind, Lang

Method = Literal["wire", "callback", "tone", "voice", "prompt", "asr", "dom", "frame", "manual", "harness"]
Speaker = Literal["shopper", "ivr", "bot", "agent", "system", "unknown"]
Verdict = Literal["pass", "fail", "unknown", "na"]
CERTAIN = 0.9  # from here on it is certain; a session between this and 1 - CERTAIN needs somebody to decide


class Outcome(StrEnum):
    """How an attempt ended: exactly one of these (domain 2.1; a bot counts as the IVR of a chat)."""

    ANSWERED = "ANSWERED"  # a human came
    LIMIT = "LIMIT"  # we hung up in the queue at the declared limit: the wait is censored there
    DROPPED = "DROPPED"  # the centre let go of us in the queue
    CALLBACK = "CALLBACK"  # a call-back or a message was offered instead of a human
    IVR_SERVED = "IVR_SERVED"  # the goal was met without a human, by design
    IVR_FAIL = "IVR_FAIL"  # the menu or bot was reached, a human (or the goal) was not
    NET_FAIL = "NET_FAIL"  # refused, busy, unreachable or unanswered before any menu
    BLOCKED = "BLOCKED"  # refused by our own policy: nothing was dialled
    MISSED = "MISSED"  # its window passed
    INVALID = "INVALID"  # our own fault: counts for nobody
    LOST = "LOST"  # a crash: unknown, and never redialled


class Record(BaseModel):
    """Unknown keys are refused on reading, so a damaged or newer file is noticed."""

    model_config = ConfigDict(extra="forbid")


class Event(Record):
    """One thing that happened, and how well its instant is known.

    Kinds from every channel: ``message`` (the far end said something and paused: data ``speaker``, ``text`` or null,
    ``end``, ``role``), ``ended`` (data ``by``: far|us|network, ``cause``).
    Kinds from voice: ``dialled``, ``ringing``, ``early_media``, ``connected``, ``prompt``/``prompt_end`` (a known
    recording: data ``id``, ``role``, ``text``), ``tone``/``tone_end`` (data ``name``), ``music``/``music_end``,
    ``line_open`` (noise after digital silence), ``speech`` (live speech that is no known recording: ``t`` is its
    onset), ``stall`` (this machine's audio clock stood still for data ``seconds``; in a chat, the page's thread),
    ``no_audio`` (not one packet of audio came), ``redirect`` and ``refer`` (the far end wanted us to call data ``to``
    instead: never done).
    Kinds from the measuring pass, estimates all: ``quality``, ``level``, ``clipping``, ``dead_air``, ``one_way``,
    ``talk_over``.
    Kinds that only the packets tell: ``first_audio`` (the far end's first packet of sound), ``stream_change`` (another
    sender is heard from then on: data ``changed``: ssrc, address, ssrc and address; ``before``, ``after``), ``rtp_gap``
    (no packet for data ``seconds``; ``t`` is when the next was due), ``capture_loss`` (data ``packets``: this process's
    that the kernel could not hand over), ``no_capture`` (data ``why``: instants are those of callbacks).
    Kinds from chat: ``page_loaded``, ``largest_paint``, ``widget_ready``, ``opened``, ``first_token``, ``typing``,
    ``notice`` (data ``role``: queue|joined|left|callback|closed|end|idle|survey, ``text``, ``position``), ``choices``
    (quick replies: data ``texts``), ``reconnected``, ``navigated``, ``navigation_blocked`` (data ``host``), ``dialog``
    (data ``type``, ``text``), ``garbled`` (an interface sent data ``size`` bytes that cannot be read), ``handoff`` (a
    human's first words after a bot or a queue: data ``evidence``: author, joined, queue, wording; ``confidence``). A
    chat's ``message`` also has ``confidence`` and ``told_by`` (how sure it is who spoke, and by what: role, notice,
    wording, order), ``wire`` and ``wire_end``, ``unasked`` and ``parts``.
    Kinds written by the conversation: ``said`` (a file, too: data ``file``; a quick reply, too: data ``chosen``),
    ``pressed``, ``request``, ``queue``, ``answer``, ``first_word``; and, each of which ends the session at once (data
    ``text``: the words that show it): ``objection`` (to being tested or called), ``wrong_party`` (somebody else's line;
    ``text`` is empty where a line with known recordings spoke and played none of them), ``detected`` (asks whether we
    are a tester or a machine).
    """

    kind: str
    t: float
    method: Method
    u: float = 0.0
    data: dict[str, Any] = Field(default_factory=dict)


class Instant(Record):
    """One of the defined instants of domain 2.1."""

    t: float
    method: Method
    u: float
    confidence: float = 1.0
    low: float | None = None  # it lies between these, if that is known
    high: float | None = None


class Instants(Record):
    """The instants every wait is computed from (domain 2.1). ``connected`` (200 OK) is none of the others."""

    request: Instant | None = None
    queue: Instant | None = None
    answer: Instant | None = None
    first_word: Instant | None = None
    connected: Instant | None = None
    end: Instant | None = None


class FactVerdict(Record):
    """Whether one expected fact was in the answer."""

    key: str
    verdict: Verdict
    critical: bool = False
    reason: str = ""


class PhraseVerdict(Record):
    """Whether one required or forbidden phrase (G…, F…) was said."""

    id: str
    verdict: Verdict
    reason: str = ""


class Judgement(Record):
    """Whether the errand was done. ``unknown`` is never a pass."""

    resolution: Literal["resolved", "not_resolved", "unknown"] = "unknown"
    by: Literal["ivr", "bot", "agent", "none"] = "none"
    facts: list[FactVerdict] = Field(default_factory=list)
    phrases: list[PhraseVerdict] = Field(default_factory=list)


class Evidence(Record):
    """One file of the session, relative to the session's folder."""

    name: str
    kind: Literal["recording", "pcap", "transcript", "screenshot", "trace", "har", "video", "log"]
    sha256: str
    bytes: int


class AttemptKey(Record):
    """Which row of the ledger this session answers to."""

    run: str
    id: str
    scenario: str
    channel: ChannelKind
    entry: str  # the target's line or chat entry
    seed: int


class Session(Record):
    """All of what happened on one attempt."""

    format: Literal[1] = 1
    attempt: AttemptKey
    lang: Lang
    scenario_version: int
    scenario_sha256: str
    persona: dict[str, str] = Field(default_factory=dict)
    anchor_utc: datetime
    anchor_monotonic: float
    outcome: Outcome
    reason: str = ""
    certain: bool = True  # False: a person must decide what it was before it counts
    queue_limit_s: float
    instants: Instants = Field(default_factory=Instants)
    judgement: Judgement = Field(default_factory=Judgement)
    review: list[str] = Field(default_factory=list)
    timeline: list[Event] = Field(default_factory=list)
    evidence: list[Evidence] = Field(default_factory=list)
    harness_version: str
