"""How a campaign stands: one value that is read from the ledger, and the terminal's and the program's view of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from harness import lease
from harness.flow import flow
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Attempt, Campaign, Ceilings, Deviation, Note, Pause, Price, State, Wanted
from probes.session import Session
from results.flow_table import FlowTable
from results.observe import table
from results.redaction import Mask
from results.run_folder import PlanChange, RunFolder
from results.scored import standings
from scoring.observations import OUTCOMES
from scoring.scheme import SCHEME, load_scheme

FORMAT = 1
NEXT, LAST, NOTES = 5, 10, 5
MASK = Mask({})


@dataclass(frozen=True)
class Entry:
    """What came of one line or chat so far. ``seconds`` and ``cost`` are sums over the ended attempts."""

    name: str
    channel: str
    planned: int
    left: int  # due, now or later
    under_way: int
    outcomes: dict[str, int]
    seconds: float
    cost: float


@dataclass(frozen=True)
class Usage:
    """How much of a ceiling of the authorisation is used, in its own unit (attempts, minutes, money)."""

    name: str
    used: float
    ceiling: float


@dataclass(frozen=True)
class Status:
    """One campaign at ``now``. ``alive``: whether its runner lives; None if it runs on another machine."""

    now: datetime
    campaign: Campaign
    alive: bool | None
    flow: FlowTable
    entries: tuple[Entry, ...]
    under_way: tuple[Attempt, ...]
    last: tuple[Attempt, ...]  # ended, the latest first
    next: tuple[Attempt, ...]  # due, the soonest first; paused ones too
    usage: tuple[Usage, ...]
    pauses: tuple[Pause, ...]
    deviations: tuple[Deviation, ...]
    notes: tuple[Note, ...]  # the latest last


def status(
    ledger: Ledger,
    campaign: str,
    now: datetime,
    sessions: Iterable[Session] = (),
    ceilings: Ceilings | None = None,
) -> Status:
    """Reads how a campaign stands; changes nothing. Agents' names and numbers in what was said are masked.

    Args:
        ledger: where it is.
        campaign: its id.
        now: this instant, aware.
        sessions: those that are on disk; without its session an attempt counts as not scored yet.
        ceilings: of its authorisation, to say how much of them is used; None: not said.

    Raises:
        RunError: there is no such campaign.
        LedgerUnavailable: the ledger cannot be read now.
    """
    found = ledger.campaign(campaign)
    rows = ledger.attempts(campaign)
    pauses = ledger.pauses(campaign)
    held = [*pauses, Pause(None, now, found.why)] if found.wanted is Wanted.PAUSED else pauses
    scored = standings(table(sessions), load_scheme(SCHEME))
    due = sorted((row for row in rows if row.state is State.DUE), key=lambda row: (row.due, row.seq))
    ended = sorted((row for row in rows if row.ended is not None), key=lambda row: (row.ended, row.seq), reverse=True)
    return Status(
        now=now,
        campaign=replace(found, why=MASK(found.why)),
        alive=lease.lives(found.runner) if found.runner else False,
        flow=flow(rows, scored, now, held),
        entries=tuple(_entries(rows)),
        under_way=tuple(row for row in rows if row.state in (State.CLAIMED, State.DIALLING)),
        last=tuple(replace(row, reason=MASK(row.reason)) for row in ended[:LAST]),
        next=tuple(due[:NEXT]),
        usage=() if ceilings is None else tuple(_usage(_of_client(ledger, found, rows), ceilings, now)),
        pauses=tuple(replace(pause, reason=MASK(pause.reason)) for pause in pauses),
        deviations=tuple(ledger.deviations(campaign)),
        notes=tuple(replace(note, text=MASK(note.text)) for note in ledger.notes(campaign)[-NOTES:]),
    )


def _entries(rows: Sequence[Attempt]) -> Iterable[Entry]:
    for name, channel in dict.fromkeys((row.entry, row.channel) for row in rows):
        own = [row for row in rows if (row.entry, row.channel) == (name, channel)]
        states = Counter(row.state for row in own)
        outcomes = Counter(row.outcome for row in own if row.outcome is not None)
        yield Entry(
            name=name,
            channel=channel,
            planned=len(own),
            left=states[State.DUE],
            under_way=states[State.CLAIMED] + states[State.DIALLING],
            outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES if outcomes[outcome]},
            seconds=sum(row.seconds for row in own),
            cost=sum(row.cost for row in own),
        )


def _of_client(ledger: Ledger, campaign: Campaign, rows: list[Attempt]) -> list[Attempt]:
    """Returns the attempts of every campaign that shares the client's ceilings."""
    others = [c.id for c in ledger.campaigns() if c.client == campaign.client and c.id != campaign.id]
    return rows + [row for other in others for row in ledger.attempts(other)]


def _usage(rows: Sequence[Attempt], ceilings: Ceilings, now: datetime) -> Iterable[Usage]:
    """Counts as a claim does (harness.ledger.ceilings): what is under way with the longest it may last."""
    zone = timezone(timedelta(seconds=ceilings.utc_offset_s))
    claimed = [(row, row.claimed) for row in rows if row.claimed is not None]
    today = now.astimezone(zone).date()
    used = {
        "at_once": sum(_busy(row, at, now) for row, at in claimed),
        "per_hour": sum(at > now - timedelta(hours=1) for _, at in claimed),
        "per_day": sum(at.astimezone(zone).date() == today for _, at in claimed),
        "minutes": sum(row.seconds if row.state is State.ENDED else row.session_s for row, _ in claimed) / 60,
        "money": sum(
            row.cost if row.state is State.ENDED else ceilings.price.get(row.channel, Price()).of(row.session_s)
            for row, _ in claimed
        ),
    }
    for name, amount in used.items():
        ceiling = getattr(ceilings, name)
        if ceiling is not None:
            yield Usage(name, float(amount), float(ceiling))


def _busy(row: Attempt, claimed: datetime, now: datetime) -> bool:
    """Says whether an attempt may still be up: it has not ended, or was lost and might go on without us."""
    if row.state is not State.ENDED:
        return True
    return row.outcome == "LOST" and now < claimed + timedelta(seconds=row.session_s)


def record(status: Status, folder: RunFolder) -> None:
    """Writes the flow table and the deviations into a run's folder, for its report.

    Raises:
        RunError: the run has no run.json.
    """
    changes = tuple(PlanChange(**vars(deviation)) for deviation in status.deviations)
    folder.write_flow(status.flow)
    folder.write_info(folder.info().model_copy(update={"deviations": changes}))


def document(status: Status) -> dict[str, Any]:
    """Returns the status as one JSON document (docs/json.md); instants are ISO 8601 in UTC."""
    campaign = asdict(status.campaign)
    host, _, pid, *_ = (campaign.pop("runner") or "  ").split(" ")
    shown = {
        "format": FORMAT,
        "at": status.now,
        "campaign": {
            key: campaign[key] for key in ("id", "name", "client", "wanted", "why", "created", "frozen", "plan_sha256")
        },
        "runner": {"host": host, "pid": int(pid), "alive": status.alive} if pid else None,
        "flow": status.flow.model_dump(),
        "by_outcome": dict(_by_outcome(status)),
        "by_entry": [asdict(entry) for entry in status.entries],
        "under_way": [
            {"attempt": row.id, "entry": row.entry, "state": row.state, "seconds": seconds_up(row, status.now)}
            for row in status.under_way
        ],
        "last_ended": [
            {
                "attempt": row.id,
                "entry": row.entry,
                "outcome": row.outcome,
                "reason": row.reason,
                "ended": row.ended,
            }
            for row in status.last
        ],
        "next_due": [
            {"attempt": row.id, "entry": row.entry, "due": row.due, "until": row.until} for row in status.next
        ],
        "ceilings": [asdict(usage) for usage in status.usage],
        "pauses": [asdict(pause) for pause in status.pauses],
        "deviations": [asdict(deviation) for deviation in status.deviations],
        "notes": [asdict(note) for note in status.notes],
    }

    return {key: _plain(value) for key, value in shown.items()}


def _by_outcome(status: Status) -> Iterable[tuple[str, int]]:
    for outcome in OUTCOMES:
        if n := sum(entry.outcomes.get(outcome, 0) for entry in status.entries):
            yield outcome, n


def seconds_up(row: Attempt, now: datetime) -> float:
    """Returns for how long an attempt has been under way."""
    return 0.0 if row.claimed is None else max(0.0, (now - row.claimed).total_seconds())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, str) else value
