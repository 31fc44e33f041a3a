"""A PostgreSQL server of our own, for benchmarks and tests: data in a temporary folder, a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from scenarios.errors import ToolMissing

OWNER = "postgres"  # the server refuses to run as root


def binaries() -> Path:
    """Returns the folder of ``initdb`` and ``pg_ctl``.

    Raises:
        ToolMissing: PostgreSQL is not installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return found[-1].parent
    on_path = shutil.which("pg_ctl")
    if on_path is None:
        raise ToolMissing("PostgreSQL is missing: install the package postgresql (make test does, as root on Debian)")
    return Path(on_path).parent


class Postgres:
    """``with Postgres() as server: ...``; ``stop`` and ``start`` keep the data."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shopper-pg-"))
        self.port, self._made = _free_port(), 0
        self.url = f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Postgres:
        if os.getuid() == 0:
            entry = pwd.getpwnam(OWNER)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", self.folder / "data", "-U", OWNER, "-A", "trust", "--no-sync", "--encoding", "UTF8")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stops the server: ``fast`` in good order, ``immediate`` as a crash does."""
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-m", mode, "stop")

    def new_database(self) -> str:
        """Makes an empty database and returns its URL."""
        self._made += 1
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE made_{self._made}".encode())
        return f"{self.url.rpartition('/')[0]}/made_{self._made}"

    def cut_connections(self) -> int:
        """Breaks every connection to the server; returns how many there were."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchall()
        return len(cut)

    def _run(self, program: str, *arguments: object) -> None:
        owner: dict[str, Any] = {"user": OWNER, "group": OWNER} if os.getuid() == 0 else {}
        command = [str(binaries() / program), *map(str, arguments)]
        output = self.folder / "out" if program == "initdb" else subprocess.DEVNULL
        with contextlib.ExitStack() as stack:
            to = stack.enter_context(output.open("wb")) if isinstance(output, Path) else output
            subprocess.run(command, check=True, stdout=to, stderr=to, cwd=self.folder, timeout=60, **owner)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
