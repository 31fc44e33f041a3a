"""The second form: any number of campaigns, with due times, leases, pauses, deviations and a diary.

What the first form held becomes one campaign called ``imported``.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_START = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """Makes the tables and carries the attempts over."""
    connection = op.get_bind()
    op.rename_table("attempts", "attempts_of_0001")
    old = connection.execute(sa.text("SELECT * FROM attempts_of_0001 ORDER BY seq")).mappings().fetchall()
    _make()
    if old:
        _carry_over(connection, [dict(row) for row in old])
    op.drop_table("attempts_of_0001")


def _make() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("plan_sha256", sa.String, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("wanted", sa.String, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("frozen", sa.BigInteger),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("runner", sa.Text, nullable=False),
        sa.Column("beats", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("campaign", sa.String, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("scenario", sa.Text, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("entry", sa.String, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("stratum", sa.Text, nullable=False),
        sa.Column("session_s", sa.Float, nullable=False),
        sa.Column("replaces", sa.String),
        sa.Column("trunk", sa.Text),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("outcome", sa.String),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer),
        sa.Column("claimed", sa.BigInteger),
        sa.Column("dialling", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
        sa.Column("connected", sa.Boolean, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("cost", sa.Float, nullable=False),
        sa.Column("busy_until", sa.BigInteger),
        sa.UniqueConstraint("campaign", "seq", name="one_seq"),
        sa.UniqueConstraint("campaign", "replaces", name="replaced_once"),
    )
    op.create_index("attempts_due", "attempts", ["campaign", "state", "due", "seq"])
    busy = sa.text("busy_until IS NOT NULL")
    op.create_index("attempts_busy", "attempts", ["busy_until"], sqlite_where=busy, postgresql_where=busy)
    op.create_index("attempts_address", "attempts", ["address", "claimed"])
    op.create_index("attempts_client", "attempts", ["client", "claimed"])
    op.create_index("attempts_entry", "attempts", ["campaign", "entry", "ended"])
    op.create_table(
        "spent",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("cost", sa.Float, nullable=False),
    )
    op.create_table(
        "pauses",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("campaign", sa.String, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
        sa.Column("entry", sa.String),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "deviations",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("campaign", sa.String, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("old_sha256", sa.String, nullable=False),
        sa.Column("new_sha256", sa.String, nullable=False),
    )
    op.create_table(
        "notes",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("campaign", sa.String, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )


def _carry_over(connection: sa.Connection, old: list[dict[str, object]]) -> None:
    starts = [moment for row in old if (moment := _moment(row["claimed_utc"])) is not None]
    begun = min(starts, default=0)
    metadata = sa.MetaData()
    campaigns = sa.Table("campaigns", metadata, autoload_with=connection)
    attempts = sa.Table("attempts", metadata, autoload_with=connection)
    connection.execute(
        campaigns.insert().values(
            id="imported",
            name="imported",
            client="localhost",
            plan_sha256="",
            created=begun,
            wanted="running",
            why="",
            frozen=begun if starts else None,
            epoch=0,
            runner="",
            beats=0,
        )
    )
    rows = [
        {
            "campaign": "imported",
            "id": row["id"],
            "client": "localhost",
            "seq": row["seq"],
            "scenario": row["scenario"],
            "channel": row["channel"],
            "entry": row["entry"],
            "address": "",
            "seed": row["seed"],
            "due": begun,
            "until": None,
            "stratum": "",
            "session_s": 0.0,
            "replaces": None,
            "trunk": None,
            "state": row["state"],
            "outcome": row["outcome"],
            "reason": row["reason"],
            "epoch": None if row["claimed_utc"] is None else 0,
            "claimed": _moment(row["claimed_utc"]),
            "dialling": None,
            "ended": _moment(row["ended_utc"]),
            "connected": False,
            "seconds": 0.0,
            "cost": 0.0,
            "busy_until": None,
        }
        for row in old
    ]
    connection.execute(attempts.insert(), rows)


def _moment(text: object) -> int | None:
    return None if text is None else (datetime.fromisoformat(str(text)) - _START) // timedelta(microseconds=1)
