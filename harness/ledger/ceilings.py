"""What a claim must not exceed, asked inside the transaction that claims."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, func, or_, select

from harness.ledger.rows import Attempt, Ceilings, Price, Spent, State, Wait
from harness.ledger.tables import Moment, spent
from harness.ledger.tables import attempts as a

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)  # the ledger's; a start just an hour ago counts no more

# The statements are made once: making one costs as much as asking it.
_CLIENT: BindParameter[str] = bindparam("client")
_ADDRESS: BindParameter[str] = bindparam("address")
_SINCE: BindParameter[datetime] = bindparam("since", type_=Moment)
_NOW: BindParameter[datetime] = bindparam("now", type_=Moment)
_MOST: BindParameter[int] = bindparam("most")
_FREE: BindParameter[datetime] = bindparam("free", type_=Moment)
_CAMPAIGN: BindParameter[str] = bindparam("campaign")
GRACE = timedelta(minutes=5)  # of another campaign's attempt whose runner may be dead: its session cannot last so long
_BUSY = select(
    a.c.campaign, a.c.client, a.c.channel, a.c.address, a.c.trunk, a.c.state, a.c.busy_until, a.c.session_s
).where(
    a.c.busy_until.is_not(None),
    or_(
        a.c.busy_until > _NOW,
        and_(a.c.state != State.ENDED, or_(a.c.campaign == _CAMPAIGN, a.c.busy_until > _FREE)),
    ),
)
_LAST_START = select(func.max(a.c.claimed)).where(a.c.address == _ADDRESS)
_STARTS = select(a.c.claimed).where(a.c.client == _CLIENT, a.c.claimed >= _SINCE)
_COUNT = select(func.count()).select_from(_STARTS.subquery())
_OLDEST = _STARTS.order_by(a.c.claimed).offset(_MOST).limit(1)
_SPENT = select(spent.c.seconds, spent.c.cost).where(spent.c.client == _CLIENT)


def reached(
    connection: Connection, attempt: Attempt, client: str, now: datetime, limits: Ceilings
) -> Wait | Spent | None:
    """Returns the ceiling that ``attempt`` would exceed if it were claimed at ``now``, or None."""
    busy = connection.execute(_BUSY, {"now": now, "free": now - GRACE, "campaign": attempt.campaign}).fetchall()
    return (
        _at_once(busy, attempt, client, limits)
        or _gap(connection, attempt, now, limits)
        or _starts(connection, client, now, limits)
        or _budget(connection, busy, attempt, client, limits)
    )


def _at_once(busy: Sequence[Row[*tuple[Any, ...]]], attempt: Attempt, client: str, limits: Ceilings) -> Wait | None:
    for most, rows, what in (
        (limits.per_address.get(attempt.address), [r for r in busy if r.address == attempt.address], attempt.address),
        (limits.per_trunk.get(attempt.trunk or ""), [r for r in busy if r.trunk == attempt.trunk], attempt.trunk),
        (
            limits.per_channel.get(attempt.channel),
            [r for r in busy if (r.campaign, r.channel) == (attempt.campaign, attempt.channel)],
            f"{attempt.channel} sessions",
        ),
        (limits.at_once, [r for r in busy if r.client == client], f"sessions for {client}"),
    ):
        if most is not None and len(rows) >= most:
            return Wait(_lost_until(rows), f"{len(rows)} of {most} at once: {what}")
    return None


def _lost_until(rows: Sequence[Row[*tuple[Any, ...]]]) -> datetime | None:
    """Returns when the first place of a LOST attempt becomes free; None if only an ending frees one."""
    return min((row.busy_until for row in rows if row.state == State.ENDED), default=None)


def _gap(connection: Connection, attempt: Attempt, now: datetime, limits: Ceilings) -> Wait | None:
    if limits.gap_s <= 0:
        return None
    last: datetime | None = connection.scalar(_LAST_START, {"address": attempt.address})
    if last is None:
        return None
    free = last + timedelta(seconds=limits.gap_s)
    return Wait(free, f"less than {limits.gap_s:g} s since the last start on {attempt.address}") if free > now else None


def _starts(connection: Connection, client: str, now: datetime, limits: Ceilings) -> Wait | None:
    zone = timezone(timedelta(seconds=limits.utc_offset_s))
    midnight = datetime.combine(now.astimezone(zone).date(), time.min, zone).astimezone(UTC)
    for most, since, window in ((limits.per_hour, now - HOUR + TICK, "hour"), (limits.per_day, midnight, "day")):
        if most is None:
            continue
        inside = {"client": client, "since": since}
        count = connection.scalar(_COUNT, inside) or 0
        if count < most:
            continue
        if window == "day":
            return Wait(midnight + timedelta(days=1), f"{count} of {most} a day for {client}")
        oldest = connection.scalar(_OLDEST, inside | {"most": max(0, count - most)}) if most else None
        return Wait(None if oldest is None else oldest + HOUR, f"{count} of {most} an hour for {client}")
    return None


def _budget(
    connection: Connection, busy: Sequence[Row[*tuple[Any, ...]]], attempt: Attempt, client: str, limits: Ceilings
) -> Wait | Spent | None:
    if limits.minutes is None and limits.money is None:
        return None
    gone = connection.execute(_SPENT, {"client": client}).first()
    seconds, cost = (gone.seconds, gone.cost) if gone is not None else (0.0, 0.0)
    busy = [row for row in busy if row.client == client and row.state != State.ENDED]

    def price(channel: str, length: float) -> float:
        return limits.price.get(channel, Price()).of(length)  # type: ignore[call-overload,no-any-return]

    for most, used, reserved, this, unit in (
        (limits.minutes, seconds / 60, sum(r.session_s for r in busy) / 60, attempt.session_s / 60, "minutes"),
        (
            limits.money,
            cost,
            sum(price(r.channel, r.session_s) for r in busy),
            price(attempt.channel, attempt.session_s),
            "money",
        ),
    ):
        if most is None or used + reserved + this <= most:
            continue
        need = f"{used:.1f} of {most:g} used, {reserved:.1f} under way, {this:.1f} more"
        why = f"the {unit} of {client} do not suffice: {need}"
        return Wait(None, why) if used + this <= most else Spent(why)
    return None
