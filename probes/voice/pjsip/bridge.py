"""The audio bridge: a pooled port a leg, joined to the leg's stream both ways."""

from __future__ import annotations

import ctypes
import logging
import time
from typing import Any

import pjsua2 as pj

from probes.voice.audio import FRAME_BYTES, RATE, FrameLog, Mouth
from probes.voice.layout import content_of
from probes.voice.leg import Leg
from probes.voice.pjsip.callback import describe

SETTLE_S = 0.2  # after a port was disconnected the bridge may still call it for a tick
_KEPT: list[Port] = []  # of endpoints that have ended: a few hundred bytes each
log = logging.getLogger(__name__)


class Port(pj.AudioMediaPort):  # type: ignore[misc]
    """The bridge's window onto one leg. Its callbacks run on the media thread, 50 times a second."""

    frames: FrameLog | None = None  # of the class: a last tick may come when the object's own are gone already
    mouth: Mouth | None = None

    def __init__(self) -> None:
        pj.AudioMediaPort.__init__(self)
        self.out = pj.ByteVector(FRAME_BYTES)
        self.out_address = content_of(self.out)

    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        """Takes one heard frame."""
        frames = self.frames
        if frames is None or frames.deaf:
            return
        try:
            size = frame.size
            buffer = frame.buf
            frames.on_heard(time.monotonic(), ctypes.string_at(content_of(buffer), size) if size else b"")
        except BaseException as error:
            log.error("received frame: %s", describe(error))

    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        """Hands out one spoken frame."""
        try:
            now = time.monotonic()
            mouth, frames = self.mouth, self.frames
            audio = mouth.frame(now) if mouth is not None else None
            if audio is None:
                frame.type, frame.size = pj.PJMEDIA_FRAME_TYPE_NONE, 0
            else:
                ctypes.memmove(self.out_address, audio, FRAME_BYTES)
                frame.type, frame.buf, frame.size = pj.PJMEDIA_FRAME_TYPE_AUDIO, self.out, FRAME_BYTES
            if frames is not None:
                frames.on_spoken(now, audio)
        except BaseException as error:
            log.error("requested frame: %s", describe(error))


class Bridge:
    """All ports of the process. Owner thread only; ports are used again, and never freed from here."""

    def __init__(self) -> None:
        self._media: dict[int, tuple[Any, Port]] = {}
        self._ports: list[Port] = []
        self._free: list[tuple[float, Port]] = []

    def connect(self, leg: Leg, media: Any) -> None:
        """Joins a leg's stream to a port, both ways."""
        old = self._media.pop(leg.id, None)
        port = old[1] if old else self._take()
        port.frames, port.mouth = leg.frames, leg.mouth
        self._media[leg.id] = (media, port)
        if leg.frames is None or not leg.frames.deaf:
            media.startTransmit(port)
        port.startTransmit(media)

    def disconnect(self, leg_id: int) -> None:
        """Parts a leg's stream from its port, if it has one."""
        pair = self._media.pop(leg_id, None)
        if pair is None:
            return
        media, port = pair
        port.frames = port.mouth = None
        try:
            media.stopTransmit(port)
            port.stopTransmit(media)
        except pj.Error as error:
            log.debug("stopping media: %s", describe(error))
        self._free.append((time.monotonic() + SETTLE_S, port))

    def disconnect_all(self) -> None:
        """Parts every stream."""
        for leg_id in list(self._media):
            self.disconnect(leg_id)

    def clear(self) -> None:
        """Leaves the ports to the library, which ends its clock before it frees what the clock calls.

        A port that we free while the clock still has a tick to make (it may come seconds late on a busy machine) is
        memory of somebody else by then: a segmentation fault, now or in whatever is allocated next.
        """
        for port in self._ports:
            port.this.disown()
        _KEPT.extend(self._ports)
        self._free.clear()
        self._ports.clear()

    def _take(self) -> Port:
        if self._free and self._free[0][0] <= time.monotonic():
            return self._free.pop(0)[1]
        port = Port()
        form = pj.MediaFormatAudio()
        form.init(pj.PJMEDIA_FORMAT_PCM, RATE, 1, 20000, 16)
        port.createPort(f"leg{len(self._ports)}", form)
        self._ports.append(port)
        return port
