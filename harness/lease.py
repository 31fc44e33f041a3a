"""The lease: one runner a campaign. A dead runner's lease is taken over, and its claims are settled, not repeated."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import datetime
from pathlib import Path

import psutil

from harness.ledger.ledger import Ledger
from harness.ledger.rows import Campaign, Lease
from probes.clock import Clock
from scenarios.errors import RunError

BEAT_S = 10.0  # between two signs of life of a runner
SILENT_BEATS = 3  # a runner elsewhere that has not given so many signs of life is dead


def runner(*, elsewhere: bool = False) -> str:
    """Returns the name of this process: host, boot, pid and start; and whether its workers live on without it."""
    return f"{socket.gethostname()} {_boot()} {os.getpid()} {_started(os.getpid())}{' elsewhere' if elsewhere else ''}"


def lives(name: str) -> bool | None:
    """Says whether the runner ``name`` is alive; None if it runs on another machine and cannot be looked at."""
    host, boot, pid, started, *_ = name.split(" ")
    if host != socket.gethostname():
        return None
    if boot != _boot():
        return False
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE and _started(int(pid)) == started
    except (psutil.Error, OSError):
        return False


async def take(ledger: Ledger, campaign: str, name: str, clock: Clock, *, beat_s: float = BEAT_S) -> Lease:
    """Takes the lease of a campaign, from a dead runner if need be.

    Raises:
        RunError: another runner holds it and is alive.
    """
    holder = ledger.campaign(campaign)
    if not holder.runner:
        lease = ledger.take(campaign, name, over=None, now=clock.utc())
    else:
        if await _alive(ledger, holder, beat_s):
            raise _busy(holder)
        lease = ledger.take(campaign, name, over=Lease(campaign, holder.epoch, holder.runner), now=clock.utc())
    if lease is None:
        raise _busy(ledger.campaign(campaign))
    return lease


async def wait_and_take(ledger: Ledger, campaign: str, name: str, clock: Clock, *, seconds: float = 30.0) -> Lease:
    """Takes the lease once whoever holds it has let go, as a runner does that was told to stop.

    Raises:
        RunError: it still held it after so many seconds.
    """
    until = clock.monotonic() + seconds
    while True:
        try:
            return await take(ledger, campaign, name, clock)
        except RunError:
            if clock.monotonic() > until:
                raise
        await asyncio.sleep(0.2)


def outlives(holder: str) -> bool:
    """Says whether the workers of a dead runner may still be at work: they belonged to a scheduler elsewhere."""
    return holder.endswith(" elsewhere")


async def _alive(ledger: Ledger, holder: Campaign, beat_s: float) -> bool:
    known = lives(holder.runner)
    if known is not None:
        return known
    await asyncio.sleep(SILENT_BEATS * beat_s)  # by our own monotonic clock: whose wall clock is right does not matter
    now = ledger.campaign(holder.id)
    return (now.epoch, now.beats) != (holder.epoch, holder.beats)


def _busy(holder: Campaign) -> RunError:
    host, _, pid, *_ = (holder.runner or "? ? ?").split(" ")
    return RunError(
        f"the campaign {holder.id} is being run already, on {host} by process {pid}",
        cure="let that one go on, or end it first (Ctrl-C, or systemctl stop)",
    )


def _started(pid: int) -> str:
    """Returns when a process was started, in a form that does not change when the wall clock is set."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]  # clock ticks
    except FileNotFoundError:
        return f"{psutil.Process(pid).create_time():.2f}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{datetime.fromtimestamp(psutil.boot_time()):%Y%m%dT%H%M}"  # noqa: DTZ006 - a name, no instant
