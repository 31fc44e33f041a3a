"""A child process of a check: what may abort, aborts there; a check that times out takes its child with it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """How a child ended and what it said. ``code`` is negative if a signal ended it."""

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """Why it failed: the signal's name, and the last line it wrote to its standard error."""
        last = (self.err.strip().splitlines() or [""])[-1]
        if self.code >= 0:
            return last or f"exit code {self.code}"
        name = signal.Signals(-self.code).name
        return f"{name}: {last}" if last else name


async def run(*command: str) -> Ended:
    """Runs a command to its end. Cancelled, it kills the child.

    Raises:
        OSError: there is no such program.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
