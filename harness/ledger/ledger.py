"""The ledger: one database, any number of campaigns, each attempt claimed at most once and ended exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from harness.ledger import ceilings as limits
from harness.ledger import tables as t
from harness.ledger.database import Database
from harness.ledger.migration import migrate
from harness.ledger.rows import (
    NONE,
    Attempt,
    Campaign,
    Ceilings,
    Claim,
    Claimed,
    Consequences,
    Deviation,
    Lease,
    Look,
    NewAttempt,
    NewCampaign,
    NotDue,
    Note,
    Pause,
    Spent,
    Standing,
    State,
    Wait,
    Wanted,
)
from scenarios.errors import RunError

FOR_GOOD = (Wanted.STOPPED, Wanted.DONE)
UNDER_WAY = (State.CLAIMED, State.DIALLING)
R = TypeVar("R")


class Ledger:
    """SQLite by default; PostgreSQL by URL. Every method is one transaction, durable when it returns.

    Every method raises LedgerUnavailable when the database cannot be reached or written (stopped, disk full,
    read-only): nothing was changed, or the change is whole; ask again later. Times come in as arguments: the ledger
    has no clock of its own.
    """

    def __init__(self, url: str) -> None:
        """Opens the database and brings an older one up to date.

        Raises:
            RunError: no such kind of database, or it was written by a newer version.
            LedgerUnavailable: it cannot be reached.
        """
        self._database = Database(url)
        migrate(self._database)

    def close(self) -> None:
        """Lets go of the database."""
        self._database.close()

    # ---- campaigns

    def create(self, campaign: NewCampaign, attempts: Sequence[NewAttempt]) -> None:
        """Adds a campaign with its due attempts, whole or not at all. RunError if it, or an attempt, occurs twice."""
        with self._database.transaction() as connection:
            blank = {"wanted": Wanted.RUNNING, "why": "", "epoch": 0, "runner": "", "beats": 0}
            connection.execute(insert(t.campaigns), vars(campaign) | blank)
            _add(connection, campaign.id, campaign.client, attempts)
            connection.exec_driver_sql("ANALYZE attempts")  # else neither database knows which index to take

    def campaign(self, campaign: str) -> Campaign:
        """Returns one campaign. RunError if there is none."""
        with self._database.reading() as connection:
            return _campaign(connection, campaign)

    def campaigns(self) -> list[Campaign]:
        """Returns all campaigns, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(t.campaigns).order_by(t.campaigns.c.created, t.campaigns.c.id))
            return [_campaign_of(row._mapping) for row in rows]

    def want(self, campaign: str, wanted: Wanted, why: str, now: datetime) -> None:
        """Pauses, resumes, stops. Stopped and done are for good: RunError on an attempt to leave them."""
        with self._database.transaction() as connection:
            before = _campaign(connection, campaign)
            if before.wanted in FOR_GOOD and wanted is not before.wanted:
                raise RunError(f"the campaign {campaign} is {before.wanted} for good: {before.why}")
            connection.execute(_of(t.campaigns, campaign, "id").values(wanted=wanted, why=why))
            _note(connection, campaign, str(wanted), why, now)

    # ---- the lease

    def take(self, campaign: str, runner: str, *, over: Lease | None, now: datetime) -> Lease | None:
        """Takes the lease if it is free, or if it is still exactly ``over`` (a runner known to be dead).

        Returns None if somebody else holds it: look at ``campaign(...).runner`` and ``beats``.
        """
        c = t.campaigns.c
        change = update(t.campaigns).where(c.id == campaign, c.runner == ("" if over is None else over.runner))
        if over is not None:
            change = change.where(c.epoch == over.epoch)
        with self._database.transaction() as connection:
            if connection.execute(change.values(runner=runner, epoch=c.epoch + 1)).rowcount != 1:
                return None
            epoch = _campaign(connection, campaign).epoch
            _note(connection, campaign, "lease", f"{runner} took over" if over else f"{runner} began", now)
        return Lease(campaign, epoch, runner)

    def beat(self, lease: Lease) -> bool:
        """Says that the runner lives; False: the lease was taken over, stop."""
        with self._database.transaction() as connection:
            return connection.execute(_held(lease).values(beats=t.campaigns.c.beats + 1)).rowcount == 1

    def give_back(self, lease: Lease) -> None:
        """Frees the lease (the runner ends in good order)."""
        with self._database.transaction() as connection:
            connection.execute(_held(lease).values(runner=""))

    # ---- attempts

    def add(self, lease: Lease, attempts: Sequence[NewAttempt]) -> None:
        """Adds due attempts (replacements). RunError if one occurs, or is replaced, twice, or the lease is void."""
        with self._database.transaction() as connection:
            _add(connection, lease.campaign, _insist(connection, lease).client, attempts)

    def attempts(self, campaign: str) -> list[Attempt]:
        """Returns all attempts by seq."""
        return self._attempts(select(t.attempts).where(t.attempts.c.campaign == campaign).order_by(t.attempts.c.seq))

    def due(self, campaign: str, before: datetime, limit: int = 1000) -> list[Attempt]:
        """Returns due attempts with ``due <= before``, soonest first, without those of paused entries."""
        a, p = t.attempts.c, t.pauses.c
        paused = select(p.number).where(p.campaign == campaign, or_(p.entry.is_(None), p.entry == a.entry)).exists()
        wanted = select(t.attempts).where(a.campaign == campaign, a.state == State.DUE, a.due <= before, ~paused)
        return self._attempts(wanted.order_by(a.due, a.seq).limit(limit))

    def standing(self, campaign: str, entry: str) -> Standing:
        """Returns how many attempts and replacements there are, and when those of ``entry`` are due."""
        a = t.attempts.c
        counted = select(func.count(), func.count(a.replaces)).where(a.campaign == campaign)
        due = select(a.due).where(a.campaign == campaign, a.state == State.DUE, a.entry == entry)
        with self._database.reading() as connection:
            attempts, replacements = connection.execute(counted).one()
            return Standing(attempts, replacements, list(connection.scalars(due)))

    def look(self, campaign: str, now: datetime) -> Look:
        """Returns a campaign and what its due attempts ask for. RunError if there is none."""
        with self._database.reading() as connection:
            row = connection.execute(_LOOK, {"campaign": campaign, "now": now}).first()
        if row is None:
            raise _unknown(campaign)
        values = dict(row._mapping)
        soonest, upcoming, passed = (values.pop(name) for name in ("soonest", "upcoming", "passed"))
        return Look(_campaign_of(values), soonest, upcoming, bool(passed))

    def claim(self, lease: Lease, attempt: str, now: datetime, ceilings: Ceilings) -> Claim:
        """Claims a due attempt, atomically against every other runner and campaign of the ledger."""
        a = t.attempts.c
        with self._database.transaction(alone=True) as connection:
            campaign = _campaign(connection, lease.campaign)
            if campaign.epoch != lease.epoch:
                return NotDue(f"the lease was taken over by {campaign.runner or 'somebody'}")
            if campaign.wanted is not Wanted.RUNNING:
                return NotDue(f"the campaign is {campaign.wanted}: {campaign.why}")
            found = connection.execute(_ATTEMPT, {"campaign": lease.campaign, "attempt": attempt}).first()
            if found is None:
                return NotDue(f"there is no attempt {attempt}")
            row = _as_attempt(found)
            if row.state is not State.DUE:
                return NotDue(f"it is {row.state}")
            if row.due > now or (row.until is not None and row.until < now):
                return NotDue("this is not its time")
            for pause in _pauses(connection, lease.campaign):
                if pause.entry in (None, row.entry):
                    return NotDue(f"{pause.entry or 'the campaign'} is paused: {pause.reason}")
            ceiling = limits.reached(connection, row, campaign.client, now, ceilings)
            if isinstance(ceiling, Wait | Spent):
                return ceiling
            change = update(t.attempts).where(a.campaign == lease.campaign, a.id == attempt, a.state == State.DUE)
            busy = now + timedelta(seconds=row.session_s)
            connection.execute(change.values(state=State.CLAIMED, claimed=now, epoch=lease.epoch, busy_until=busy))
            if campaign.frozen is None:
                connection.execute(_of(t.campaigns, lease.campaign, "id").values(frozen=now))
        return Claimed()

    def dialling(self, lease: Lease, attempt: str, now: datetime) -> None:
        """Notes that the INVITE or page load is about to go out (a no-op if the attempt has ended already)."""
        a = t.attempts.c
        change = update(t.attempts).where(a.campaign == lease.campaign, a.id == attempt, a.state == State.CLAIMED)
        with self._database.transaction() as connection:
            connection.execute(change.values(state=State.DIALLING, dialling=now))

    def end(
        self,
        campaign: str,
        attempt: str,
        outcome: str,
        reason: str,
        now: datetime,
        *,
        connected: bool = False,
        seconds: float = 0.0,
        cost: float = 0.0,
        then: Consequences = NONE,
    ) -> bool:
        """Ends an attempt that has not ended, and brings about what follows; False if it had: the first stands."""
        a = t.attempts.c
        change = update(t.attempts).where(a.campaign == campaign, a.id == attempt, a.state != State.ENDED)
        values: dict[str, Any] = {
            "state": State.ENDED, "outcome": str(outcome), "reason": reason, "ended": now,
            "connected": connected, "seconds": seconds, "cost": cost,
        }  # fmt: skip
        # A lost call may stay up at the centre; a lost chat's connection went with its browser.
        lost = str(outcome) == "LOST"
        values["busy_until"] = case((a.channel == "voice", a.busy_until), else_=null()) if lost else None
        with self._database.transaction(alone=True) as connection:
            if connection.execute(change.values(**values)).rowcount != 1:
                return False
            whole = _campaign(connection, campaign)
            if seconds or cost:
                _spend(connection, whole.client, seconds, cost)
            if then.halt is not None and whole.wanted not in FOR_GOOD:
                connection.execute(_of(t.campaigns, campaign, "id").values(wanted=Wanted.PAUSED, why=then.halt))
                _note(connection, campaign, str(Wanted.PAUSED), then.halt, now)
            if then.pause is not None:
                entry = connection.scalar(select(a.entry).where(a.campaign == campaign, a.id == attempt))
                _pause(connection, campaign, entry, then.pause, now)
            if then.replacement is not None:
                _add(connection, campaign, whole.client, [then.replacement])
        return True

    def attempt(self, campaign: str, attempt: str) -> Attempt | None:
        """Returns one attempt, or None."""
        with self._database.reading() as connection:
            row = connection.execute(_ATTEMPT, {"campaign": campaign, "attempt": attempt}).first()
        return None if row is None else _as_attempt(row)

    def scenarios(self, campaign: str) -> list[str]:
        """Returns the scenarios of all its attempts, those of withdrawn ones too."""
        a = t.attempts.c
        with self._database.reading() as connection:
            return list(connection.scalars(select(a.scenario).where(a.campaign == campaign).distinct()))

    def miss(self, lease: Lease, now: datetime) -> list[Attempt]:
        """Ends every due attempt whose ``until`` has passed as MISSED and returns those."""
        a = t.attempts.c
        passed = (a.campaign == lease.campaign, a.state == State.DUE, a.due <= now, a.until < now)
        with self._database.transaction() as connection:
            _insist(connection, lease)
            rows = [_as_attempt(row) for row in connection.execute(select(t.attempts).where(*passed).order_by(a.seq))]
            if not rows:
                return []
            values: dict[str, Any] = {"state": State.ENDED, "outcome": "MISSED", "reason": "its window passed"}
            connection.execute(update(t.attempts).where(*passed).values(**values))
        return [replace(row, **values) for row in rows]

    def under_way(self, campaign: str) -> list[Attempt]:
        """Returns the attempts that are claimed or dialling."""
        a = t.attempts.c
        return self._attempts(select(t.attempts).where(a.campaign == campaign, a.state.in_(UNDER_WAY)).order_by(a.seq))

    def recent(self, campaign: str, entry: str, limit: int) -> list[str]:
        """Returns the outcomes of the entry's last ended attempts that were dialled, latest first."""
        a = t.attempts.c
        ended = (a.campaign == campaign, a.entry == entry, a.ended.is_not(None), a.claimed.is_not(None))
        latest = select(a.outcome).where(*ended, a.outcome != "BLOCKED").order_by(a.ended.desc(), a.seq.desc())
        with self._database.reading() as connection:
            return [str(outcome) for outcome in connection.scalars(latest.limit(limit))]

    # ---- pauses, deviations, diary

    def pause(self, campaign: str, entry: str | None, reason: str, now: datetime) -> None:
        """Pauses an entry, or all of them."""
        with self._database.transaction() as connection:
            _pause(connection, campaign, entry, reason, now)

    def lift(self, campaign: str, entry: str | None, by: str, now: datetime) -> None:
        """Lifts a pause; entry None lifts every pause of the campaign."""
        p = t.pauses.c
        lifted = delete(t.pauses).where(p.campaign == campaign)
        with self._database.transaction() as connection:
            connection.execute(lifted if entry is None else lifted.where(p.entry == entry))
            _note(connection, campaign, "resume", f"{entry or 'everything'}, by {by}", now)

    def pauses(self, campaign: str) -> list[Pause]:
        """Returns the pauses in force."""
        with self._database.reading() as connection:
            return _pauses(connection, campaign)

    def deviate(
        self, lease: Lease, deviation: Deviation, withdrawn: Sequence[str], why: str, new: Sequence[NewAttempt]
    ) -> None:
        """Records a signed change of the plan: withdraws due attempts, adds new ones, makes its hash the campaign's.

        A campaign that was done goes on with what is new; one that was stopped does not: RunError.
        """
        a = t.attempts.c
        values = {"state": State.ENDED, "outcome": "MISSED", "reason": why, "ended": deviation.at}
        with self._database.transaction() as connection:
            before = _insist(connection, lease)
            if before.wanted is Wanted.STOPPED:
                raise RunError(f"the campaign {lease.campaign} is stopped for good: {before.why}")
            for attempt in withdrawn:
                change = update(t.attempts).where(a.campaign == lease.campaign, a.id == attempt, a.state == State.DUE)
                connection.execute(change.values(**values))
            _add(connection, lease.campaign, before.client, new)
            now = {"plan_sha256": deviation.new_sha256, "wanted": before.wanted, "why": before.why}
            if before.wanted is Wanted.DONE and new:
                now |= {"wanted": Wanted.RUNNING, "why": ""}
            connection.execute(insert(t.deviations).values(campaign=lease.campaign, **vars(deviation)))
            connection.execute(_of(t.campaigns, lease.campaign, "id").values(**now))

    def deviations(self, campaign: str) -> list[Deviation]:
        """Returns the deviations in order."""
        return self._list(Deviation, t.deviations, campaign)

    def note(self, campaign: str, kind: str, text: str, now: datetime) -> None:
        """Writes a line into the diary."""
        with self._database.transaction() as connection:
            _note(connection, campaign, kind, text, now)

    def notes(self, campaign: str) -> list[Note]:
        """Returns the diary."""
        return self._list(Note, t.notes, campaign)

    def _attempts(self, wanted: Select[Any]) -> list[Attempt]:
        with self._database.reading() as connection:
            return [_as_attempt(row) for row in connection.execute(wanted)]

    def _list(self, kind: type[R], table: Any, campaign: str) -> list[R]:
        columns = [table.c[field.name] for field in fields(kind)]  # type: ignore[arg-type]
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).where(table.c.campaign == campaign).order_by(table.c.number))
            return [kind(**row._mapping) for row in rows]


# What each claim asks and each waking; the statements are made once, since making one costs as much as asking it.
_ID: BindParameter[str] = bindparam("campaign")
_NOW: BindParameter[datetime] = bindparam("now", type_=t.Moment)
_DUE = (t.attempts.c.campaign == _ID, t.attempts.c.state == State.DUE)
_CAMPAIGN = select(t.campaigns).where(t.campaigns.c.id == _ID)
_ATTEMPT = select(t.attempts).where(t.attempts.c.campaign == _ID, t.attempts.c.id == bindparam("attempt"))
_PAUSES = (
    select(t.pauses.c.entry, t.pauses.c.since, t.pauses.c.reason)
    .where(t.pauses.c.campaign == _ID)
    .order_by(t.pauses.c.number)
)
_LOOK = select(
    t.campaigns,
    select(func.min(t.attempts.c.due)).where(*_DUE).scalar_subquery().label("soonest"),
    select(func.min(t.attempts.c.due)).where(*_DUE, t.attempts.c.due > _NOW).scalar_subquery().label("upcoming"),
    exists().where(*_DUE, t.attempts.c.due <= _NOW, t.attempts.c.until < _NOW).label("passed"),
).where(t.campaigns.c.id == _ID)


def _of(table: Any, campaign: str, column: str) -> Any:
    return update(table).where(table.c[column] == campaign)


def _held(lease: Lease) -> Any:
    c = t.campaigns.c
    return update(t.campaigns).where(c.id == lease.campaign, c.epoch == lease.epoch)


def _campaign(connection: Connection, campaign: str) -> Campaign:
    row = connection.execute(_CAMPAIGN, {"campaign": campaign}).first()
    if row is None:
        raise _unknown(campaign)
    return _campaign_of(row._mapping)


def _unknown(campaign: str) -> RunError:
    return RunError(f"there is no campaign {campaign} in this ledger")


def _campaign_of(values: Mapping[Any, Any]) -> Campaign:
    return Campaign(**{**values, "wanted": Wanted(values["wanted"])})


def _as_attempt(row: Row[Any]) -> Attempt:
    values = dict(row._mapping)
    for name in ("busy_until", "client"):  # for the ceilings alone
        del values[name]
    return Attempt(**{**values, "state": State(values["state"])})


def _insist(connection: Connection, lease: Lease) -> Campaign:
    campaign = _campaign(connection, lease.campaign)
    if campaign.epoch != lease.epoch:
        raise RunError(f"the lease on {lease.campaign} was taken over by {campaign.runner or 'somebody'}")
    return campaign


def _add(connection: Connection, campaign: str, client: str, attempts: Sequence[NewAttempt]) -> None:
    blank = {"state": State.DUE, "reason": "", "connected": False, "seconds": 0.0, "cost": 0.0}
    blank |= {"campaign": campaign, "client": client}
    if attempts:
        try:
            connection.execute(insert(t.attempts), [vars(attempt) | blank for attempt in attempts])
        except IntegrityError as error:
            raise RunError(f"an attempt of {campaign} is in the ledger already, or replaced already") from error


def _pauses(connection: Connection, campaign: str) -> list[Pause]:
    return [Pause(*row) for row in connection.execute(_PAUSES, {"campaign": campaign})]


def _pause(connection: Connection, campaign: str, entry: str | None, reason: str, now: datetime) -> None:
    row = {"campaign": campaign, "entry": entry, "since": now, "reason": reason}
    connection.execute(insert(t.pauses).values(**row))
    _note(connection, campaign, "pause", f"{entry or 'everything'}: {reason}", now)


def _spend(connection: Connection, client: str, seconds: float, cost: float) -> None:
    s = t.spent.c
    more = update(t.spent).where(s.client == client).values(seconds=s.seconds + seconds, cost=s.cost + cost)
    if connection.execute(more).rowcount == 0:
        connection.execute(insert(t.spent).values(client=client, seconds=seconds, cost=cost))


def _note(connection: Connection, campaign: str, kind: str, text: str, now: datetime) -> None:
    connection.execute(insert(t.notes).values(campaign=campaign, at=now, kind=kind, text=text))
