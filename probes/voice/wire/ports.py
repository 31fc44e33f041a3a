"""A block of ports that is one process's own: its audio goes by them, so its capture need not read anyone else's."""

from __future__ import annotations

import errno
import os
import socket

SIZE = 32  # four calls at once, two ports each, and as many again that are still being closed
FIRST, END = 20000, 32768  # below the ports that the system gives out by itself


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
    blocks = (END - FIRST) // SIZE
    begin = os.getpid() * 7 if start is None else start
    for step in range(blocks):
        first = FIRST + (begin + step) % blocks * SIZE
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
