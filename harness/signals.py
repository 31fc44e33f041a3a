"""Ctrl-C, SIGTERM and a terminal that was closed: whatever runs is cancelled, and so hangs up before the process ends.

Python leaves SIGINT ignored where the shell ignored it (a job in the background), so both are taken explicitly.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Somebody asked the process to stop, and it has stopped in good order."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs ``work`` on a loop of its own until it is done.

    Raises:
        Interrupted: one of STOPPING came, and ``work`` has ended.
    """
    try:
        return asyncio.run(_run(work))
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise Interrupted from None


async def _run(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    for number in STOPPING:
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup: it is to outlive its terminal
        loop.add_signal_handler(number, task.cancel)
    return await task
