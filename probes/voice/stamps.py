"""When a call's signalling happened: on the wire where its packets are captured, else in the library's callbacks."""

from __future__ import annotations

from typing import Any, Literal

from probes.session import Event, Method
from probes.voice.leg import Signal
from probes.voice.wire.rtp import U_S
from probes.voice.wire.tap import PATIENCE_S, CallTap

SIGNAL_U = 0.005  # callback stamps: p95 below 5 ms with a busy process (docs/voice.md)
_CAUSE_S = 0.001  # a callback comes after its packet, but the two clocks are read apart


class Stamps:
    """Stamps one call. Times are session seconds; ``call`` None: nothing is captured."""

    def __init__(self, origin: float, call: CallTap | None) -> None:
        """Takes the session's start on the monotonic clock."""
        self._origin, self._call = origin, call
        self._pressed = 0

    async def dialled(self, t: float, call_id: str | None) -> Event:
        """Returns the event of the INVITE that was handed to the stack at ``t`` (monotonic), with its Call-ID."""
        call = self._call
        found = None if call is None else await call.wait(lambda: call.ladder.invite)
        if found is None:
            self._call = None  # what shows no INVITE will show no answer: nobody waits for it again
        return self._event("dialled", found, t, {} if call_id is None else {"call_id": call_id})

    async def signal(self, signal: Signal, data: dict[str, Any]) -> Event:
        """Returns the event of a signal, with ``data``."""
        call = self._call
        found = None if call is None else await call.wait(lambda: _instant(call, signal))
        return self._event(signal.kind, found, signal.t, data)

    async def pressed(self, digits: str, how: Literal["rfc4733", "info"], t: float) -> tuple[float, Method]:
        """Returns when the first of ``digits`` went out that were handed to the stack at ``t`` (monotonic)."""
        number, call = self._pressed, self._call
        self._pressed += len(digits)
        found = None
        if call is not None:
            found = await call.wait(lambda: _key(call, how, number, t - PATIENCE_S))
        return (t - self._origin, "callback") if found is None else (found - self._origin, "wire")

    def _event(self, kind: str, found: float | None, t: float, data: dict[str, Any]) -> Event:
        if found is None:
            return Event(kind=kind, t=t - self._origin, method="callback", u=SIGNAL_U, data=data)
        return Event(kind=kind, t=found - self._origin, method="wire", u=U_S, data=data)


def _instant(call: CallTap, signal: Signal) -> float | None:
    """Returns the instant of the packet that a signal tells of, if it has come."""
    ladder, until = call.ladder, signal.t + _CAUSE_S
    match signal.kind:
        case "ringing" | "early_media" | "connected" | "refer":
            return ladder.instant(signal.kind, ours=False, before=until)
        case "redirect":
            return ladder.instant("refused", ours=False, before=until)
        case "ended" if signal.data.get("by") == "us":
            found = ladder.instant("bye", ours=True)
            return ladder.instant("cancel", ours=True) if found is None else found
        case "ended":
            found = ladder.instant("bye", ours=False)
            return found if found is not None or ladder.refused is None else ladder.refused.t
    return None


def _key(call: CallTap, how: Literal["rfc4733", "info"], number: int, since: float) -> float | None:
    """Returns when our key went out that ``number`` others went before."""
    if how == "info":
        instants = [step.t for step in call.ladder.all("info") if step.ours]
    else:
        instants = [] if call.watch is None else [t for t, _ in call.watch.keys]
    found = instants[number] if number < len(instants) else None
    return found if found is None or found >= since else None
