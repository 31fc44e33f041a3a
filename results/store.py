"""The store: every attempt is a row from the start, and each row ends in exactly one outcome.

``due`` -> ``claimed`` (committed to disk before anything is dialled) -> ``ended``. A claim happens once: an attempt
that was claimed is never started again, whatever became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, String, create_engine, event, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from scenarios.errors import RunError


class _Base(DeclarativeBase):
    pass


class AttemptRow(_Base):
    """One attempt."""

    __tablename__ = "attempts"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    seq: Mapped[int] = mapped_column(unique=True)
    scenario: Mapped[str]
    channel: Mapped[str]
    entry: Mapped[str]
    seed: Mapped[int]
    state: Mapped[str] = mapped_column(default="due")
    outcome: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="")
    claimed_utc: Mapped[str | None]
    ended_utc: Mapped[str | None]


@dataclass(frozen=True)
class NewAttempt:
    """What a row starts with."""

    id: str
    seq: int
    scenario: str
    channel: str
    entry: str
    seed: int


class Store:
    """The attempts of one run in one database (SQLite by default; any SQLAlchemy URL)."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        try:
            _Base.metadata.create_all(self._engine)
        except SQLAlchemyError as error:
            raise RunError(f"the store cannot be opened: {error}", file=url) from error

    def add(self, attempts: Sequence[NewAttempt]) -> None:
        """Adds due attempts.

        Raises:
            RunError: an id or a sequence number occurs twice.
        """
        try:
            with Session(self._engine) as session, session.begin():
                session.add_all(AttemptRow(**vars(attempt)) for attempt in attempts)
        except IntegrityError as error:
            raise RunError(f"an attempt is in the store already: {error.orig}") from error

    def claim(self, attempt: str) -> bool:
        """Claims a due attempt; False if it is not due any more. Durable when it returns."""
        return self._move(attempt, "due", state="claimed", claimed_utc=_now())

    def end(self, attempt: str, outcome: str, reason: str) -> bool:
        """Ends an attempt that is due or claimed; False if it had ended before."""
        values = {"state": "ended", "outcome": outcome, "reason": reason, "ended_utc": _now()}
        return self._move(attempt, "claimed", **values) or self._move(attempt, "due", **values)

    def rows(self) -> list[AttemptRow]:
        """Returns all attempts in their order."""
        with Session(self._engine, expire_on_commit=False) as session:
            return list(session.scalars(select(AttemptRow).order_by(AttemptRow.seq)))

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()

    def _move(self, attempt: str, before: str, **values: Any) -> bool:
        change = update(AttemptRow).where(AttemptRow.id == attempt, AttemptRow.state == before).values(**values)
        with self._engine.begin() as connection:
            return connection.execute(change).rowcount == 1


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
