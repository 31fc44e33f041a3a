"""A packet that two interfaces show: a bond and its card, a VLAN and its card, a bridge and its port."""

from __future__ import annotations

_KEPT_S = 0.02  # interfaces show the same packet microseconds apart; whoever sends one again waits longer


class Copies:
    """Knows packets that another interface has shown just now, byte for byte."""

    def __init__(self) -> None:
        self._new: dict[bytes, int] = {}  # packet: interface that showed it first
        self._old: dict[bytes, int] = {}
        self._since = 0.0

    def again(self, t: float, interface: int, packet: bytes) -> bool:
        """Returns whether another interface than ``interface`` showed the packet shortly before ``t``, in seconds.

        What one interface shows twice did come twice. A packet is remembered for 20 ms, or a little longer.
        """
        if not 0 <= t - self._since < _KEPT_S:
            self._old = self._new if 0 <= t - self._since < 2 * _KEPT_S else {}
            self._new, self._since = {}, t
        first = self._new.get(packet)
        if first is None:
            first = self._old.get(packet, interface)
            self._new[packet] = first
        return first != interface
