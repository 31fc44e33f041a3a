"""What the ledger holds, as plain data: campaigns, attempts, and what is claimed, counted and remembered of them.

An attempt is ``due`` -> ``claimed`` (committed to disk before anything is dialled) -> ``dialling`` -> ``ended`` with
exactly one outcome. It is claimed at most once. All instants are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scenarios.model import ChannelKind


class State(StrEnum):
    """Where an attempt stands."""

    DUE = "due"
    CLAIMED = "claimed"
    DIALLING = "dialling"
    ENDED = "ended"


class Wanted(StrEnum):
    """What a campaign is meant to do. ``stopped`` is for good; ``paused`` is lifted by resuming."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class NewAttempt:
    """What a row starts with."""

    id: str
    seq: int
    scenario: str  # as the plan names it: an id or a path
    channel: ChannelKind
    entry: str  # the target's line or chat
    address: str  # the very SIP URI or URL that will be dialled or opened
    seed: int
    due: datetime  # not before
    until: datetime | None = None  # not after: then it is MISSED; None: no limit
    stratum: str = ""
    session_s: float = 0.0  # the longest it may last: reserved against the ceilings while it runs
    replaces: str | None = None  # the attempt in whose place it stands; each attempt is replaced at most once
    trunk: str | None = None  # our own identity on the trunk that carries it, sip:USER@HOST


@dataclass(frozen=True)
class Attempt(NewAttempt):
    """One row."""

    campaign: str = ""
    state: State = State.DUE
    outcome: str | None = None
    reason: str = ""
    epoch: int | None = None  # the lease under which it was claimed
    claimed: datetime | None = None
    dialling: datetime | None = None
    ended: datetime | None = None
    connected: bool = False  # the far end answered: a 200 OK, or a page that was ready
    seconds: float = 0.0  # that it lasted
    cost: float = 0.0


@dataclass(frozen=True)
class NewCampaign:
    """One campaign. ``client`` is whose ceilings it shares with every other campaign of the ledger."""

    id: str
    name: str
    client: str
    plan_sha256: str
    created: datetime


@dataclass(frozen=True)
class Campaign(NewCampaign):
    """One campaign as it stands."""

    wanted: Wanted = Wanted.RUNNING
    why: str = ""  # why it is paused or stopped
    frozen: datetime | None = None  # its first attempt; from then on the plan's hash is fixed
    epoch: int = 0  # grows each time a runner takes it over
    runner: str = ""  # host/pid/start of who runs it
    beats: int = 0  # grows while the runner is alive


@dataclass(frozen=True)
class Consequences:
    """What an ending brings about, in the same transaction: a crash between the two would forget it."""

    halt: str | None = None  # pauses the whole campaign, for this reason
    pause: str | None = None  # pauses the attempt's entry, for this reason
    replacement: NewAttempt | None = None


NONE = Consequences()


@dataclass(frozen=True)
class Look:
    """A campaign at one moment, and what its due attempts ask for."""

    campaign: Campaign
    soonest: datetime | None  # when the first due attempt is due, those of paused entries included; None: none is left
    upcoming: datetime | None  # the first that is due later than now
    passed: bool  # some due attempt's ``until`` has passed


@dataclass(frozen=True)
class Standing:
    """How much of a campaign there is, for whoever adds to it."""

    attempts: int
    replacements: int
    due: list[datetime]  # of the attempts of one entry that have not begun


@dataclass(frozen=True)
class Lease:
    """The right to run a campaign, until another runner takes it over: the epoch then grows and this one is void."""

    campaign: str
    epoch: int
    runner: str


@dataclass(frozen=True)
class Price:
    """What one session costs, in the currency of the authorisation: per started minute, and per session."""

    per_minute: float = 0.0
    per_session: float = 0.0

    def of(self, seconds: float) -> float:
        """Returns the cost of a session of so many seconds; a started minute counts whole."""
        return self.per_session + self.per_minute * -(-max(0.0, seconds) // 60)


@dataclass(frozen=True)
class Ceilings:
    """What a claim must not exceed. None: no ceiling.

    ``at_once``, ``per_hour``, ``per_day``, ``minutes`` and ``money`` count every campaign of the same client in the
    ledger; ``per_channel`` counts this campaign; ``per_address`` and ``gap_s`` count every campaign that dials the
    same address, ``per_trunk`` every campaign that calls through the same trunk. LOST calls count as still running
    until ``session_s`` after their claim, since nobody has hung up at the centre's end; LOST chats do not. An hour is
    the last sixty minutes, a day the calendar day in ``utc_offset_s``.
    """

    at_once: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    minutes: float | None = None
    money: float | None = None
    per_channel: Mapping[ChannelKind, int] = field(default_factory=dict)
    per_address: Mapping[str, int] = field(default_factory=dict)
    per_trunk: Mapping[str, int] = field(default_factory=dict)
    gap_s: float = 0.0
    price: Mapping[ChannelKind, Price] = field(default_factory=dict)
    utc_offset_s: int = 8 * 3600


@dataclass(frozen=True)
class Claimed:
    """The attempt is ours to dial, once."""


@dataclass(frozen=True)
class Wait:
    """Not now: a ceiling is reached. Ask again at ``until`` or when an attempt ends, whichever is first."""

    until: datetime | None
    why: str


@dataclass(frozen=True)
class Spent:
    """Never: the minutes or the money of the authorisation are used up."""

    why: str


@dataclass(frozen=True)
class NotDue:
    """It is not due (ended, claimed before, or its campaign or entry is paused), or not ours to claim."""

    why: str


Claim = Claimed | Wait | Spent | NotDue


@dataclass(frozen=True)
class Pause:
    """An entry (or the whole campaign: entry None) that is not dialled until somebody lifts the pause."""

    entry: str | None
    since: datetime
    reason: str


@dataclass(frozen=True)
class Deviation:
    """A change of a frozen plan, and who signed for it."""

    at: datetime
    by: str
    reason: str
    old_sha256: str
    new_sha256: str


@dataclass(frozen=True)
class Note:
    """One line of a campaign's diary: a takeover, a pause, a clock step, the kill switch, a refusal."""

    at: datetime
    kind: str
    text: str
