"""Telephone lines that SIPp answers: a SIP stack that nobody here wrote, with its own verdict and its own log."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType

import psutil
import pytest

from probes.session import Session
from tests.shopper import write_yaml

SCENARIOS = Path(__file__).parent / "sipp"
FIRST, BLOCK, BLOCKS = 20000, 10, 1200  # below the ports that the system hands out by itself


class Line:
    """One telephone line: a SIPp that takes one call and exits. ``with Line(...) as line: ...; line.finish()``."""

    def __init__(self, folder: Path, scenario: str, *more: object, **described: object) -> None:
        if shutil.which("sipp") is None:
            pytest.fail("sipp is not installed: on Debian and Ubuntu it is in the package sip-tester", pytrace=False)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, (self.port, self._guard) = folder, ports()
        self.described = {"uri": f"sip:95001@127.0.0.1:{self.port}"} | described  # as a target describes it
        self._command = [
            "sipp", "-sf", str(SCENARIOS / scenario), "-m", "1", "-timeout", "70", "-timeout_error", "-nostdin",
            "-bind_local", "-i", "127.0.0.1", "-p", str(self.port), "-ci", "127.0.0.1",
            "-mi", "127.0.0.1", "-mp", str(self.port + 2),
            "-trace_logs", "-log_file", "log.txt", "-trace_stat", "-stf", "statistics.csv",
            "-trace_err", "-error_file", "errors.txt", *map(str, more),
        ]  # fmt: skip

    def __enter__(self) -> Line:
        with (self.folder / "screen.txt").open("wb") as screen:
            self._process = psutil.Popen(
                self._command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._guard.close()

    def fault(self) -> str:
        """Waits for SIPp to exit by itself, and returns what it complains of; empty: its own verdict is success."""
        try:
            if self._process.wait(10) == 0:
                return ""
        except psutil.TimeoutExpired:
            return "SIPp still waits for what its scenario says"
        errors = self.folder / "errors.txt"
        return errors.read_text() if errors.exists() else (self.folder / "screen.txt").read_text()

    def statistics(self) -> dict[str, str]:
        """Returns SIPp's last statistics, once it has exited."""
        with (self.folder / "statistics.csv").open() as file:
            return list(csv.DictReader(file, delimiter=";"))[-1]

    def finish(self) -> dict[str, str]:
        """Waits for SIPp to exit by itself, and returns its last statistics; its own verdict must be success."""
        fault = self.fault()
        assert not fault, fault
        return self.statistics()

    def happened(self, name: str, session: Session) -> float:
        """Returns when SIPp logged ``name``, in the time of ``session``."""
        rows = [line.split() for line in (self.folder / "log.txt").read_text().splitlines()]
        [(seconds, micros)] = [(row[1], row[2]) for row in rows if row and row[0] == name]
        return float(seconds) + float(micros) / 1e6 - session.anchor_utc.timestamp()


def ports() -> tuple[int, socket.socket]:
    """Returns the first of ten ports that are a line's own while the socket is open; SIPp takes several for media."""
    for step in range(BLOCKS):
        first = FIRST + (os.getpid() * 7 + step) % BLOCKS * BLOCK
        guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            guard.bind(("127.0.0.1", first + BLOCK - 1))
            return first, guard
        except OSError:
            guard.close()
    pytest.fail("no ports are free for SIPp", pytrace=False)


def target(folder: Path, trunks: dict[str, dict[str, object]] | None = None, /, **lines: Line) -> Path:
    """Writes the target file of ``lines``, and of the ``trunks`` that some of them name."""
    described = {name: line.described for name, line in lines.items()}
    return write_yaml(folder / "target.yaml", {"format": 1, "name": "SIPp", "trunks": trunks or {}, "lines": described})
