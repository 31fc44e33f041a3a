"""The kill switch: a file. While it exists nothing is dialled, and whatever is up is hung up within a second.

There is one for everything on this machine (``everywhere``), and one in the folder of each run. Runners and workers
look for them five times a second, so pulling one needs no process to be told; ``touch`` will do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LOOK_S = 0.2
NAME = "STOP"


@dataclass(frozen=True)
class Pulled:
    """Who pulled which switch, and why."""

    path: Path
    by: str
    reason: str

    def __str__(self) -> str:
        said = f": {self.reason}" if self.reason else ""
        return f"the kill switch {self.path} was pulled{f' by {self.by}' if self.by else ''}{said}"


def everywhere() -> Path:
    """Returns the switch for everything that this user runs on this machine; SHOPPER_STOP_FILE names another."""
    named = os.environ.get("SHOPPER_STOP_FILE")
    if named:
        return Path(named)
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "contact-centre-shopper" / NAME


def pull(path: Path, *, by: str, reason: str) -> None:
    """Makes the switch's file. A switch that was pulled before stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
        json.dump({"by": by, "reason": reason, "at": datetime.now(UTC).isoformat()}, file, ensure_ascii=False)


def release(path: Path) -> bool:
    """Removes the switch's file; says whether there was one."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def pulled(paths: Iterable[Path]) -> Pulled | None:
    """Returns the first switch that is pulled, or None. A switch that cannot be looked at counts as pulled."""
    for path in paths:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return Pulled(path, "", f"it cannot be looked at ({error.strerror}), so it counts as pulled")
        return _read(path)
    return None


async def wait(paths: Iterable[Path]) -> Pulled:
    """Returns when one of the switches is pulled; never, if there is none to look at."""
    paths = tuple(paths)
    if not paths:
        await asyncio.Event().wait()
    while (switch := pulled(paths)) is None:  # noqa: ASYNC110 - the event is a file that anybody may make
        await asyncio.sleep(LOOK_S)
    return switch


def _read(path: Path) -> Pulled:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Pulled(path, str(said.get("by", "")), str(said.get("reason", "")))
    except (OSError, ValueError, AttributeError):  # made by hand, or half written
        return Pulled(path, "", "")
