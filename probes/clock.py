"""The one clock. Durations are monotonic seconds; instants are UTC.

Everything that waits does so on the running event loop, and the loop's own time is the monotonic clock, so a test that
runs the loop on virtual time waits thirty minutes in milliseconds (``tests/virtual_time.py``).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Anchor:
    """One moment on all clocks at once: what ties session seconds to UTC and to other logs of this machine."""

    monotonic: float
    utc: datetime


class Clock:
    """Seconds of the running event loop, and UTC."""

    def monotonic(self) -> float:
        """Returns monotonic seconds (of the event loop if one is running)."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    def utc(self) -> datetime:
        """Returns the wall clock as an aware UTC datetime."""
        return datetime.now(UTC)

    def anchor(self) -> Anchor:
        """Returns this moment on both clocks, read back to back."""
        return Anchor(self.monotonic(), self.utc())
