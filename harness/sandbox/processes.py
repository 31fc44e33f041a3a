"""Child processes of the sandbox: how one ends when its parent does, and how the parent waits for its port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from scenarios.errors import HarnessFault

ROOT = Path(__file__).parents[2]


async def interrupted() -> None:
    """Waits for SIGTERM or SIGINT."""
    await _signalled().wait()


def _signalled() -> asyncio.Event:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    return end


async def stopped() -> None:
    """Waits for SIGTERM, SIGINT, or the end of stdin: a parent that dies takes the sandbox with it."""
    loop = asyncio.get_running_loop()
    end = _signalled()

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            end.set()

    loop.add_reader(sys.stdin.fileno(), readable)
    await end.wait()


class Child:
    """One ``python -m MODULE`` of ours. Its stdin is the leash: it ends when we close it, or die."""

    def __init__(
        self, module: str, port_file: Path, arguments: list[str], log: Path, python: Path = Path(sys.executable)
    ) -> None:
        """Makes it; nothing is started yet. ``python`` may be that of another environment, which finds us here."""
        self.module, self.port_file, self.arguments, self.log, self.python = module, port_file, arguments, log, python
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, patience: float = 30) -> dict[str, Any]:
        """Starts it and returns what it wrote to its port file.

        Raises:
            HarnessFault: it ended, or said nothing within ``patience`` seconds.
        """
        self.port_file.unlink(missing_ok=True)  # an earlier sandbox's, in the same folder
        environment = None if self.python == Path(sys.executable) else os.environ | {"PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                str(self.python), "-m", self.module, "--port-file", str(self.port_file), *self.arguments,
                stdin=asyncio.subprocess.PIPE, stdout=out, stderr=out, start_new_session=True, env=environment,
            )  # fmt: skip
        ended = asyncio.create_task(self.process.wait())
        try:
            async with asyncio.timeout(patience):
                while not self.port_file.exists():
                    # A file has no event to await; the child's end is one, so wait for that a little at a time.
                    await asyncio.wait({ended}, timeout=0.05)
                    if ended.done():
                        raise HarnessFault(f"{self.module} ended with {ended.result()}; see {self.log}")
        except TimeoutError:
            await self.stop()
            raise HarnessFault(f"{self.module} did not listen within {patience:g} s; see {self.log}") from None
        found: dict[str, Any] = json.loads(self.port_file.read_text())
        return found

    async def stop(self) -> None:
        """Closes its stdin and waits; kills it if it does not go."""
        if self.process is None or self.process.returncode is not None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(8):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
