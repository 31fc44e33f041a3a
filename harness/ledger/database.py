"""The database behind the ledger: how it is opened, how a transaction begins, and what its errors mean.

SQLite: write-ahead log, ``synchronous=FULL`` (a commit is on the disk when it returns), and every transaction that
may write takes the write lock when it begins, so that two processes never find the ground changed under them; one
that only reads sees the ledger as it was when it began, and waits for nobody. PostgreSQL: a commit is
on the disk when it returns unless its owner has turned that off; here it is turned on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from scenarios.errors import LedgerUnavailable, RunError

WAIT_MS = 10_000  # for another process's transaction
CONNECT_S = 3  # for a PostgreSQL server to answer
SILENCE_MS = 10_000  # of a PostgreSQL server or the network to it, or of whoever holds a lock: then it is unavailable
ONE_AT_A_TIME = 7_214_001  # the advisory lock of whoever claims or migrates


class Database:
    """One open database."""

    def __init__(self, url: str) -> None:
        """Opens nothing yet.

        Raises:
            RunError: no such kind of database.
        """
        try:
            address = make_url(url)
            if address.drivername in ("postgresql", "postgres"):
                address = address.set(drivername="postgresql+psycopg")
            kind = address.get_backend_name()
            if kind not in ("sqlite", "postgresql"):
                raise RunError(
                    f"a ledger cannot be kept in {kind}", cure="use sqlite:///FILE or postgresql://HOST/NAME"
                )
            self.file = address.database if kind == "sqlite" else None
            self.name = address.render_as_string(hide_password=True)
            self.engine: Engine = create_engine(address, **_options(kind))
            self._reader = self.engine.execution_options(reading=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            cure = "use sqlite:///FILE or postgresql://HOST/NAME"
            raise RunError(f"no ledger has the address {url.split('@')[-1]!r}", cure=cure) from error
        if kind == "sqlite":
            event.listen(self.engine, "connect", _sqlite)
            event.listen(self.engine, "begin", _begin)

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[Connection]:
        """One transaction, committed when the block ends. ``alone``: no other such transaction runs meanwhile.

        Raises:
            LedgerUnavailable: the database cannot be reached or written.
            RunError: a row is there already.
        """
        with self._telling(), self.engine.begin() as connection:
            if alone and self.file is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that only reads.

        Raises:
            LedgerUnavailable: the database cannot be reached.
        """
        with self._telling(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise RunError(f"the ledger holds that already: {_first_line(error)}") from error
        except (DBAPIError, OSError) as error:
            raise LedgerUnavailable(f"the ledger {self.name} cannot be used now: {_first_line(error)}") from error
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger {self.name}: {_first_line(error)}") from error

    def close(self) -> None:
        """Lets go of every connection."""
        self.engine.dispose()


# The server lets go of a client that vanished in the middle of a transaction: others wait for its locks.
_POSTGRESQL = {
    "synchronous_commit": "on",
    "plan_cache_mode": "force_custom_plan",
    "lock_timeout": SILENCE_MS,
    "statement_timeout": 3 * SILENCE_MS,
    "idle_in_transaction_session_timeout": SILENCE_MS,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
}


def _options(kind: str) -> dict[str, Any]:
    if kind == "sqlite":
        return {"connect_args": {"timeout": WAIT_MS / 1000}}
    return {
        "pool_pre_ping": True,
        # A plan made once for any moment reads all rows: what is due by now are few, and only the value says so.
        "connect_args": {
            "connect_timeout": CONNECT_S,
            "tcp_user_timeout": SILENCE_MS,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": " ".join(f"-c {key}={value}" for key, value in _POSTGRESQL.items()),
        },
    }


def _sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().split("\n")[0]
