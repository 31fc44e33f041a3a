"""A call in which the centre sends no packets at all: not silence, nothing. What the caller says is heard all the same.

The wheel offers no way to pause a stream, so the library's own function is called by its name.
"""

from __future__ import annotations

import ctypes
from typing import Any

from probes.voice.leg import Leg
from probes.voice.pjsip.call import Call
from probes.voice.pjsip.callback import guard
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.pjsip.library import SHARED_OBJECT

_OUTWARDS = 1  # PJMEDIA_DIR_ENCODING
_native = ctypes.CDLL(SHARED_OBJECT)


class MutingCall(Call):
    """An incoming call whose stream can be paused. Lives and dies on the owner thread."""

    stream: int | None = None
    muted = False

    @guard
    def onStreamCreated(self, _now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Keeps where the stream is; it has sent nothing yet."""
        self.stream = int(prm.stream)
        if self.muted:
            self.mute(True)

    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Forgets the stream."""
        self.stream = None
        super().onStreamDestroyed(prm)

    def mute(self, muted: bool) -> None:
        """Stops or resumes sending, now or as soon as there is a stream."""
        self.muted = muted
        if self.stream is not None:
            change = _native.pjmedia_stream_pause if muted else _native.pjmedia_stream_resume
            change(ctypes.c_void_p(self.stream), _OUTWARDS)


class MutingEndpoint(Endpoint):
    """An endpoint whose incoming calls can be muted."""

    answering = MutingCall


async def mute(leg: Leg, muted: bool = True) -> None:
    """Stops sending packets on an incoming ``leg``, or resumes it.

    Raises:
        FarEndFault: the call has ended.
    """
    await leg.endpoint.on_call(leg, lambda call: call.mute(muted))
