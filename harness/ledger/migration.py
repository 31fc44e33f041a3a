"""Brings the ledger's database up to date. Nothing is lost: an older SQLite file is copied beside itself first."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from harness.ledger.database import Database
from scenarios.errors import LedgerUnavailable, RunError

NEWEST = "0002"
FIRST = "0001"  # one table of attempts, as `shopper probe` wrote it before there were campaigns
_VERSIONS = Path(__file__).with_name("migrations")


def migrate(database: Database) -> None:
    """Brings the database to the newest form; does nothing, quickly, if it has it already.

    Raises:
        RunError: it was written by a newer version of this program.
        LedgerUnavailable: it cannot be reached or written.
    """
    with database.reading() as connection:
        version = _version(connection)
    if version == NEWEST:
        return
    if version is not None and version > NEWEST:
        cure = "install the newer version of this program"
        raise RunError(f"this ledger has form {version}; this program knows {NEWEST}", file=database.name, cure=cure)
    _copy(database, version)
    with database.transaction(alone=True) as connection:
        if (version := _version(connection)) != NEWEST:  # else another process was quicker
            _upgrade(connection, version)


def _version(connection: Connection) -> str | None:
    """Returns the form of the database; None if it is empty."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)
    return FIRST if "attempts" in tables else None


def _copy(database: Database, version: str | None) -> None:
    if version is None or database.file is None:
        return
    copy = Path(f"{database.file}.before-migration")
    part = Path(f"{copy}.{os.getpid()}")
    if copy.exists():
        return
    try:  # the backup takes along what is still in the write-ahead log
        with closing(sqlite3.connect(database.file)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
        part.replace(copy)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise LedgerUnavailable(f"the older ledger cannot be copied to {copy}: {error}") from error


def _upgrade(connection: Connection, version: str | None) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_VERSIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if version == FIRST and "alembic_version" not in inspect(connection).get_table_names():
        command.stamp(config, FIRST)
    command.upgrade(config, NEWEST)
