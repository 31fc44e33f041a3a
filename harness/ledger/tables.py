"""The tables of the ledger. Instants are whole microseconds since 1970 in UTC: they sort alike in every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware datetime in, the same in UTC out; microseconds in between."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Returns microseconds since 1970."""
        return None if value is None else (value - _START) // timedelta(microseconds=1)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Returns the moment in UTC."""
        return None if value is None else _START + timedelta(microseconds=int(value))


metadata = MetaData()
BUSY = text("busy_until IS NOT NULL")  # the few that are under way, or lost

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("plan_sha256", String, nullable=False),
    Column("created", Moment, nullable=False),
    Column("wanted", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("frozen", Moment),
    Column("epoch", Integer, nullable=False),
    Column("runner", Text, nullable=False),
    Column("beats", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("campaign", String, ForeignKey("campaigns.id"), primary_key=True),
    Column("id", String, primary_key=True),
    Column(
        "client", Text, nullable=False
    ),  # its campaign's: the ceilings of all of a client's campaigns are asked often
    Column("seq", Integer, nullable=False),
    Column("scenario", Text, nullable=False),
    Column("channel", String, nullable=False),
    Column("entry", String, nullable=False),
    Column("address", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("due", Moment, nullable=False),
    Column("until", Moment),
    Column("stratum", Text, nullable=False),
    Column("session_s", Float, nullable=False),
    Column("replaces", String),
    Column("trunk", Text),
    Column("state", String, nullable=False),
    Column("outcome", String),
    Column("reason", Text, nullable=False),
    Column("epoch", Integer),
    Column("claimed", Moment),
    Column("dialling", Moment),
    Column("ended", Moment),
    Column("connected", Boolean, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("cost", Float, nullable=False),
    Column("busy_until", Moment),  # while under way; a LOST attempt keeps it: its call may still be up
    UniqueConstraint("campaign", "seq", name="one_seq"),
    UniqueConstraint("campaign", "replaces", name="replaced_once"),
    Index("attempts_due", "campaign", "state", "due", "seq"),
    Index("attempts_busy", "busy_until", sqlite_where=BUSY, postgresql_where=BUSY),
    Index("attempts_address", "address", "claimed"),
    Index("attempts_client", "client", "claimed"),
    Index("attempts_entry", "campaign", "entry", "ended"),
)

spent = Table(  # what the sessions that have ended took, of all campaigns of a client
    "spent",
    metadata,
    Column("client", Text, primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("cost", Float, nullable=False),
)

pauses = Table(
    "pauses",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("campaign", String, ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("entry", String),
    Column("since", Moment, nullable=False),
    Column("reason", Text, nullable=False),
)

deviations = Table(
    "deviations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("campaign", String, ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("old_sha256", String, nullable=False),
    Column("new_sha256", String, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("campaign", String, ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
)
