"""The ledger when several processes use it at once, when they die, and when its disk or its server fails."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from setuptools import find_packages
from sqlalchemy import create_engine, inspect

from harness.bench.postgres import Postgres
from harness.ledger import migration
from harness.ledger.database import Database
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Lease, State
from harness.ledger.tables import metadata
from scenarios.errors import LedgerUnavailable, RunError
from tests.ledger_rows import T0, after, attempt, begin, claims
from tests.small_disk import fill_up, read_only, small_disk

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return request.getfixturevalue("server").new_database()


def processes(url: str, campaigns: list[str], at_most: int = 1000, die_after: int = -1) -> list[subprocess.Popen[str]]:
    """Starts one process a campaign and waits until all are ready to begin."""
    command = [sys.executable, "-m", "tests.ledger_process", url]
    started = [
        subprocess.Popen(
            [*command, name, str(at_most), str(die_after)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name in campaigns
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def said(process: subprocess.Popen[str]) -> list[str]:
    """Lets it go (if it has not been yet) and returns what it claimed."""
    return process.communicate("\n", timeout=60)[0].split()


def together(started: list[subprocess.Popen[str]]) -> list[list[str]]:
    """Lets them all go at once and returns what each claimed."""
    with ThreadPoolExecutor(len(started)) as pool:
        claimed = list(pool.map(said, started))
    assert [process.returncode for process in started] == [0] * len(started)
    return claimed


def test_two_processes_never_claim_the_same_attempt(url: str) -> None:
    ledger = Ledger(url)
    ids = [f"a{number:04d}" for number in range(1, 201)]
    begin(ledger, [attempt(number) for number in range(1, 201)])
    first, second = together(processes(url, ["c1", "c1"], at_most=120))  # so both have to do a part
    assert sorted(first + second) == ids  # each exactly once
    assert {row.outcome for row in ledger.attempts("c1")} == {"RESOLVED"}
    ledger.close()


def test_two_campaigns_at_once_on_one_ledger(url: str) -> None:
    ledger = Ledger(url)
    for name in ("c1", "c2"):
        begin(ledger, [attempt(number) for number in range(1, 101)], name)
    first, second = together(processes(url, ["c1", "c2"]))
    assert len(first) == len(second) == 100
    for name in ("c1", "c2"):
        assert {(row.state, row.outcome) for row in ledger.attempts(name)} == {(State.ENDED, "RESOLVED")}
    ledger.close()


def test_a_process_killed_in_the_middle_of_a_claim_has_claimed_nothing(url: str) -> None:
    ledger = Ledger(url)
    lease = begin(ledger, [attempt(number) for number in range(1, 31)])
    (process,) = processes(url, ["c1"], die_after=7)
    done = said(process)
    assert process.returncode == -9
    assert len(done) == 7
    assert ledger.under_way("c1") == []  # its eighth claim was not committed, so nothing was dialled for it
    assert {row.id for row in ledger.due("c1", T0)} == {f"a{n:04d}" for n in range(1, 31)} - set(done)
    assert claims(ledger, Lease("c1", lease.epoch, "tester"), 8)  # and nobody is locked out
    ledger.close()


def test_many_open_a_new_ledger_at_once(url: str) -> None:
    code = "import sys; from harness.ledger.ledger import Ledger; Ledger(sys.argv[1]).close()"
    opening = [subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT) for _ in range(4)]
    assert [process.wait(timeout=60) for process in opening] == [0, 0, 0, 0]
    Ledger(url).close()


def test_the_tables_are_those_the_migrations_make(url: str) -> None:
    Ledger(url).close()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    found = inspect(engine)
    assert set(found.get_table_names()) == {*metadata.tables, "alembic_version"}
    for name, table in metadata.tables.items():
        made = {column["name"]: column["nullable"] for column in found.get_columns(name)}
        assert made == {column.name: column.nullable for column in table.columns}, name
        indexes = {index["name"] for index in found.get_indexes(name) if not index.get("duplicates_constraint")}
        assert indexes == {index.name for index in table.indexes}, name
        unique = {constraint["name"] for constraint in found.get_unique_constraints(name)}
        assert unique == {c.name for c in table.constraints if c.name and "PRIMARY" not in str(c.name)}, name
        assert found.get_pk_constraint(name)["constrained_columns"] == [c.name for c in table.primary_key], name
    engine.dispose()


def test_a_newer_ledger_is_left_alone(url: str) -> None:
    Ledger(url).close()
    database = Database(url)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(RunError, match="has form 0099; this program knows") as caught:
        Ledger(url)
    assert "install the newer version" in str(caught.value)
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0099"
    database.close()


OLD = """
CREATE TABLE attempts (
    id VARCHAR NOT NULL PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, scenario VARCHAR NOT NULL, channel VARCHAR NOT NULL,
    entry VARCHAR NOT NULL, seed INTEGER NOT NULL, state VARCHAR NOT NULL, outcome VARCHAR, reason VARCHAR NOT NULL,
    claimed_utc VARCHAR, ended_utc VARCHAR);
INSERT INTO attempts VALUES
    ('a001', 1, 'S01', 'voice', 'main', 11, 'ended', 'RESOLVED', '', '2026-11-20T02:00:00.000001+00:00',
     '2026-11-20T02:01:00+00:00'),
    ('a002', 2, 'S02', 'chat', 'web', 12, 'claimed', NULL, '', '2026-11-20T02:02:00+00:00', NULL),
    ('a003', 3, 'S01', 'voice', 'main', 13, 'due', NULL, '', NULL, NULL);
"""


def test_the_ledger_of_an_older_version_is_carried_over_whole(tmp_path: Path) -> None:
    file = tmp_path / "attempts.sqlite"
    with closing(sqlite3.connect(file)) as old:
        old.execute("PRAGMA journal_mode=WAL")
        old.executescript(OLD)  # part of it stays in the write-ahead log while this connection is open
        ledger = Ledger(f"sqlite:///{file}")
    rows = ledger.attempts("imported")
    assert [(row.id, row.state, row.outcome, row.seed) for row in rows] == [
        ("a001", State.ENDED, "RESOLVED", 11),
        ("a002", State.CLAIMED, None, 12),
        ("a003", State.DUE, None, 13),
    ]
    assert str(rows[0].claimed) == "2026-11-20 02:00:00.000001+00:00"
    lease = ledger.take("imported", "tester", over=None, now=T0)
    assert lease is not None
    assert not claims(ledger, lease, 2)  # what had been claimed is not claimed again
    ledger.close()
    with closing(sqlite3.connect(f"{file}.before-migration")) as copy:
        assert copy.execute("SELECT count(*) FROM attempts WHERE claimed_utc IS NOT NULL").fetchone() == (2,)
    assert [path.name for path in tmp_path.iterdir() if "before" in path.name] == ["attempts.sqlite.before-migration"]


def test_an_older_ledger_on_a_full_disk_is_left_as_it_is(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1024) as disk:
        file = disk / "attempts.sqlite"
        with closing(sqlite3.connect(file)) as old:
            old.executescript(OLD)
        before = file.read_bytes()
        ballast = fill_up(disk)
        with pytest.raises(LedgerUnavailable, match="full"):
            Ledger(f"sqlite:///{file}")
        assert file.read_bytes() == before
        ballast.unlink()
        ledger = Ledger(f"sqlite:///{file}")
        assert len(ledger.attempts("imported")) == 3
        ledger.close()


def test_a_migration_that_breaks_off_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "attempts.sqlite"
    with closing(sqlite3.connect(file)) as old:
        old.executescript(OLD.replace("'2026-11-20T02:02:00+00:00'", "'the day before yesterday'"))
    with pytest.raises(ValueError, match="the day before yesterday"):
        Ledger(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as old:
        assert old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("attempts",)]
        assert old.execute("SELECT count(*) FROM attempts").fetchone() == (3,)


def test_a_full_disk_loses_nothing_and_passes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2048) as disk:
        ledger = Ledger(f"sqlite:///{disk / 'ledger.sqlite'}")
        lease = begin(ledger, [attempt(number) for number in range(1, 101)])
        done = 0
        ballast = fill_up(disk)
        refused = ""
        while not refused:
            try:
                done += claims(ledger, lease, done + 1)
            except LedgerUnavailable as error:
                refused = str(error)
        assert "full" in refused
        assert [row.id for row in ledger.under_way("c1")] == [f"a{n:04d}" for n in range(1, done + 1)]
        ballast.unlink()
        assert claims(ledger, lease, done + 1)  # the one that failed was not claimed
        assert ledger.end("c1", f"a{done + 1:04d}", "RESOLVED", "", after(1))
        ledger.close()


def test_a_disk_that_became_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2048) as disk:
        url = f"sqlite:///{disk / 'ledger.sqlite'}"
        ledger = Ledger(url)
        lease = begin(ledger, [attempt(1), attempt(2)])
        assert claims(ledger, lease, 1)
        ledger.close()
        read_only(disk, True)
        try:
            with pytest.raises(LedgerUnavailable, match="cannot be used now"):
                claims(Ledger(url), lease, 2)
        finally:
            read_only(disk, False)
        ledger = Ledger(url)
        assert [row.state for row in ledger.attempts("c1")] == [State.CLAIMED, State.DUE]
        assert claims(ledger, lease, 2)
        ledger.close()


def test_a_folder_that_is_not_there_and_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="unable to open"):
        Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.sqlite'}")
    text = tmp_path / "notes.txt"
    text.write_text("not a database " * 100)
    with pytest.raises(LedgerUnavailable, match="not a database"):
        Ledger(f"sqlite:///{text}")
    assert text.read_text() == "not a database " * 100


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_stops_and_starts_again(server: Postgres, mode: str) -> None:
    ledger = Ledger(server.new_database())
    lease = begin(ledger, [attempt(1), attempt(2)])
    assert claims(ledger, lease, 1)
    server.stop(mode)
    try:
        for use in (lambda: claims(ledger, lease, 2), lambda: ledger.attempts("c1"), lambda: ledger.beat(lease)):
            with pytest.raises(LedgerUnavailable, match="cannot be used now"):
                use()
    finally:
        server.start()
    assert [row.state for row in ledger.attempts("c1")] == [State.CLAIMED, State.DUE]  # the claim was on the disk
    assert claims(ledger, lease, 2)
    ledger.close()


def test_connections_that_are_cut_are_made_again(server: Postgres) -> None:
    ledger = Ledger(server.new_database())
    lease = begin(ledger, [attempt(1)])
    assert server.cut_connections() >= 1
    assert claims(ledger, lease, 1)
    ledger.close()


def test_no_password_is_ever_shown(tmp_path: Path, server: Postgres) -> None:
    closed = re.sub(r"://.*@", "://postgres:s3cr3t@", server.url).replace(str(server.port), "1")
    for url in (closed, "mysql://u:s3cr3t@host/db", "postgresql://u:s3cr3t@[bad/db", "u:s3cr3t@host"):
        with pytest.raises((LedgerUnavailable, RunError)) as caught:
            Ledger(url)
        shown = "".join(str(error) for error in (caught.value, caught.value.__cause__) if error is caught.value)
        assert "s3cr3t" not in shown, url


def test_the_migrations_are_part_of_what_is_installed() -> None:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert "harness.ledger.migrations.versions" in find_packages(str(ROOT), include=included)
    versions = (ROOT / "harness/ledger/migrations/versions").glob("rev_*.py")
    assert max(path.stem[-4:] for path in versions) == migration.NEWEST
