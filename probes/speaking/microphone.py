"""Recording from the microphone with ``arecord``, until Enter or until the time is up."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path

from scenarios.errors import ToolMissing

RATE = 48000
_GRACE_S = 5.0
_ELSE = "or record with any other program, and bring the file in with shopper speak import"


def arecord() -> str:
    """Returns the recorder's path.

    Raises:
        ToolMissing: it is not installed.
    """
    found = shutil.which("arecord")
    if found is None:
        raise ToolMissing(f"there is no arecord to record with: install alsa-utils, {_ELSE}")
    return found


def record(wav: Path, seconds: float, *, device: str | None = None) -> None:
    """Records to ``wav``: 48 kHz, mono, 16 bit. Enter ends it before its time where there is a terminal.

    Args:
        wav: where to.
        seconds: at most so long.
        device: ALSA's name of the microphone; None: the default one.

    Raises:
        ToolMissing: there is no recorder, or it finds no microphone.
    """
    command = [arecord(), "-q", "-t", "wav", "-f", "S16_LE", "-r", str(RATE), "-c", "1", "-d", f"{seconds:.0f}"]
    command += [] if device is None else ["-D", device]
    code, said, stopped = asyncio.run(_run([*command, str(wav)]))
    if (code != 0 and not stopped) or not wav.is_file() or wav.stat().st_size <= 44:
        reason = said.strip().splitlines()[-1] if said.strip() else f"it ended with {code}"
        raise ToolMissing(f"arecord records nothing: {reason}: plug in a microphone, name it with --device, {_ELSE}")


async def _run(command: list[str]) -> tuple[int | None, str, bool]:
    """Returns the exit code, what the recorder said, and whether it was ended by Enter."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    loop, enter = asyncio.get_running_loop(), asyncio.Event()
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if terminal:
        loop.add_reader(sys.stdin.fileno(), _entered, enter)
    done = asyncio.create_task(process.communicate())
    entered = asyncio.create_task(enter.wait())
    try:
        await asyncio.wait({done, entered}, return_when=asyncio.FIRST_COMPLETED)
        stopped = not done.done()
        if stopped:
            process.send_signal(signal.SIGINT)  # arecord then writes the header to its end
        async with asyncio.timeout(_GRACE_S):
            _, said = await done
        return process.returncode, said.decode(errors="replace"), stopped
    finally:
        entered.cancel()
        if terminal:
            loop.remove_reader(sys.stdin.fileno())
        if process.returncode is None:
            process.kill()
            await process.wait()


def _entered(enter: asyncio.Event) -> None:
    sys.stdin.readline()
    enter.set()
