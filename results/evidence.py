"""What lies in a session's folder, against what its ``session.json`` says should lie there."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from probes.session import Evidence, Outcome, Session
from results.run_folder import NAME, RunFolder
from scenarios.errors import EvidenceDamaged

SESSION = "session.json"
DERIVED = re.compile(r"hearing-[A-Za-z0-9._-]+\.json")  # made from the evidence, and can be made again
Stamp = tuple[int, str]  # size in bytes, SHA-256 in hex


def stamp(file: BinaryIO) -> Stamp:
    """Returns size and SHA-256 of what is left to read of a file."""
    digest, size = hashlib.sha256(), 0
    while block := file.read(1 << 20):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()


def stamp_of(path: Path) -> Stamp | None:
    """Returns size and SHA-256 of a local file; None if there is no such file.

    Raises:
        EvidenceDamaged: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return stamp(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvidenceDamaged(f"{path}: cannot be read: {error.strerror}") from error


def parse(content: bytes, attempt: str, place: str) -> Session:
    """Reads a ``session.json``.

    Raises:
        EvidenceDamaged: it is cut off or damaged, belongs to another attempt, or names files outside its folder.
    """
    try:
        session = Session.model_validate_json(content)
    except ValidationError as error:
        raise EvidenceDamaged(f"{place}: {SESSION} is damaged: {error.errors()[0]['msg']}") from error
    if session.attempt.id != attempt:
        raise EvidenceDamaged(f"{place}: {SESSION} belongs to attempt {session.attempt.id!r}")
    for item in session.evidence:
        if not NAME.fullmatch(item.name) or item.name == SESSION:
            raise EvidenceDamaged(f"{place}: {item.name!r} cannot name a file of the session")
    return session


def difference(item: Evidence, found: Stamp | None) -> str | None:
    """Says in what a file is not what its session says; None if it is."""
    if found is None:
        return f"{item.name} is missing"
    if found[0] != item.bytes:
        return f"{item.name} has {found[0]} bytes instead of {item.bytes}"
    return None if found[1] == item.sha256 else f"{item.name} was changed: its SHA-256 is another"


def check(folder: RunFolder) -> list[str]:
    """Compares every session's evidence with the files in a run folder.

    Returns:
        One sentence for each file that is missing, changed or not in the session's list, and for each session that is
        not there or cannot be read; empty means whole.
    """
    problems = []
    for home in sorted(path for path in folder.sessions_dir.iterdir() if path.is_dir() and NAME.fullmatch(path.name)):
        try:
            session = parse((home / SESSION).read_bytes(), home.name, home.name)
            found = [difference(item, stamp_of(home / item.name)) for item in session.evidence]
        except EvidenceDamaged as error:
            problems.append(str(error))
            continue
        except FileNotFoundError:
            problems.append(f"{home.name}: {SESSION} is missing: the attempt is under way, or its worker died")
            continue
        except OSError as error:
            problems.append(f"{home.name}: {SESSION} cannot be read: {error.strerror}")
            continue
        problems += [f"{home.name}: {sentence}" for sentence in found if sentence is not None]
        if session.outcome is Outcome.LOST:
            continue  # its worker died: nobody vouches for what it left behind
        extra = {path.name for path in home.iterdir()} - {item.name for item in session.evidence} - {SESSION}
        extra = {name for name in extra if not DERIVED.fullmatch(name)}
        problems += [f"{home.name}: {name} is not in the session's list of evidence" for name in sorted(extra)]
    return problems
