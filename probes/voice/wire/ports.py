"""Ports: a block that is one process's own: its audio goes by them, so its capture need not read anyone else's."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

SIZE = 32  # four calls at once, two ports each, and as many again that are still being closed
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL = (49152, 65535)  # where the system does not say


class PortBlock:
    """An aligned block of UDP ports. It is held by a socket on its last port, so it is free again after a crash."""

    def __init__(self, first: int, guard: socket.socket) -> None:
        self.first, self._guard = first, guard

    @property
    def ports(self) -> range:
        """Returns the ports for audio: all but the pair that guards the block."""
        return range(self.first, self.first + SIZE - 2)

    def close(self) -> None:
        """Gives the block back."""
        self._guard.close()


def reserve(start: int | None = None) -> PortBlock | None:
    """Returns a block that no process of this machine has reserved, or None if every one is taken.

    Args:
        start: where to begin looking; processes begin at different places by themselves.
    """
    low, high = system_range()
    lowest = -(-low // SIZE) * SIZE
    blocks = (high + 1 - lowest) // SIZE
    begin = os.getpid() * 7 if start is None else start
    for step in range(blocks):
        first = lowest + (begin + step) % blocks * SIZE
        guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            guard.bind(("127.0.0.1", first + SIZE - 1))
        except OSError as error:
            guard.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            continue
        return PortBlock(first, guard)
    return None


def port_of(uri: str) -> int:
    """Returns the port of a SIP URI or of HOST:PORT; 5060 if it names none."""
    rest = uri.split(":", 1)[-1] if uri.startswith(("sip:", "sips:")) else uri
    try:
        return urlsplit(f"//{rest.split(';')[0].rsplit('@', 1)[-1]}").port or 5060
    except ValueError:
        return 5060


def system_range() -> tuple[int, int]:
    """Returns the first and last port that the system gives out by itself: firewalls let those through already."""
    try:
        low, high = map(int, _RANGE.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return _USUAL
    return low, high
