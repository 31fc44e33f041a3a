"""Runs the ``shopper`` command as a user does: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from probes.session import Session
from results.run_folder import RunFolder

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def folder(self) -> RunFolder:
        return RunFolder.open(Path(self.document["folder"]))

    @property
    def sessions(self) -> dict[str, Session]:
        return {session.attempt.entry: session for session in self.folder.sessions()}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "harness", *map(str, arguments)]


def shopper(*arguments: object, timeout: float = 200) -> Ran:
    done = subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def write_yaml(path: Path, document: object) -> Path:
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    return path


def plan(path: Path, *attempts: tuple[str, str, str, int], **limits: float) -> Path:
    rows = [dict(zip(("scenario", "channel", "entry", "count"), row, strict=True)) for row in attempts]
    return write_yaml(path, {"format": 1, "name": "test", "seed": 7, "limits": limits, "attempts": rows})
