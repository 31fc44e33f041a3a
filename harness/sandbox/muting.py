"""A call in which the centre sends no packets at all: not silence, nothing."""

from __future__ import annotations

from typing import Any

from probes.voice.leg import Leg
from probes.voice.pjsip.bridge import Bridge
from scenarios.errors import HarnessFault


class MutingBridge(Bridge):
    """A bridge that can keep a leg's mouth from its stream. What the far end says is heard all the same."""

    def __init__(self) -> None:
        super().__init__()
        self._muted: set[int] = set()

    def connect(self, leg: Leg, media: Any) -> None:
        """Joins a leg's stream to a port, one way only while the leg is muted."""
        super().connect(leg, media)
        if leg.id in self._muted:
            self._media[leg.id][1].stopTransmit(media)

    def disconnect(self, leg_id: int) -> None:
        """Parts a leg's stream from its port, and forgets that it was muted."""
        super().disconnect(leg_id)
        self._muted.discard(leg_id)

    def mute(self, leg_id: int, muted: bool) -> None:
        """Stops or resumes sending, from now or from when the leg gets its stream. Owner thread only."""
        if muted == (leg_id in self._muted):
            return
        self._muted ^= {leg_id}
        if leg_id in self._media:
            media, port = self._media[leg_id]
            if muted:
                port.stopTransmit(media)
            else:
                port.startTransmit(media)


async def mute(leg: Leg, muted: bool = True) -> None:
    """Stops sending packets on ``leg``, or resumes it.

    Raises:
        HarnessFault: its endpoint has no bridge that can do so, or the stack refused.
    """
    bridge = leg.endpoint.bridge
    if not isinstance(bridge, MutingBridge):
        raise HarnessFault("this endpoint cannot stop its packets")
    await leg.endpoint.do(lambda: bridge.mute(leg.id, muted))
