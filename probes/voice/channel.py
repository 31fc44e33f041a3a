"""The voice channel: one telephone call, heard and spoken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from probes.channel import Said
from probes.clock import Anchor
from probes.hearing.ear import Ear
from probes.session import Event
from probes.speaking.speaker import Speaker
from probes.target import Line
from probes.voice.audio import Recording
from probes.voice.leg import Leg, Signal
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.trunk import Trunk
from scenarios.errors import FarEndFault

log = logging.getLogger(__name__)
SIGNAL_U = 0.005  # callback stamps: p95 below 5 ms with a busy process (docs/voice.md)
KEY_S = 0.32  # one key: 160 ms of tone and as much pause


class VoiceChannel:
    """Implements :class:`probes.channel.Channel` over one SIP call."""

    kind: Literal["voice"] = "voice"

    def __init__(
        self, line: Line, *, endpoint: Endpoint, trunk: Trunk, ear: Ear, speaker: Speaker, folder: Path
    ) -> None:
        self.line, self.endpoint, self.trunk = line, endpoint, trunk
        self.ear, self.speaker, self.folder = ear, speaker, folder
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._leg: Leg | None = None
        self._recording: Recording | None = None
        self._signals: asyncio.Task[None] | None = None
        self._closed = self._deaf = self._connected = False

    async def open(self, anchor: Anchor) -> None:
        """Dials. Returns when the INVITE has gone out; everything else comes as events."""
        self._origin = anchor.monotonic
        self._recording = Recording(self.folder / "call.wav", self._origin)
        self._leg = self.endpoint.leg(self.line.uri)  # known before it is dialled, so that it can always be hung up
        self._leg.listen(self._pump)
        await self.endpoint.dial(self._leg, self.trunk)
        self._signals = self._dialled(self._leg)

    async def events(self) -> AsyncIterator[Event]:
        """Yields what happens until the call has ended and the last of it is heard."""
        while (event := await self._events.get()) is not None:
            yield event

    async def say(self, text: str, *, line: str) -> Said:
        """Speaks ``text`` (or its recording) and returns when the last frame has gone out."""
        audio = await asyncio.to_thread(self.speaker.audio, text, line)
        leg = self._live()
        playing = leg.mouth.play(audio)
        ended = asyncio.create_task(leg.ended.wait())
        waited: set[asyncio.Future[Any]] = {playing.done, ended}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not playing.done.done():
            playing.stop()
            raise FarEndFault("the far end hung up while we spoke")
        start, end = playing.done.result()
        return Said(start - self._origin, end - self._origin, "callback")

    async def press(self, digits: str) -> Said:
        """Presses keys by RFC 4733 events or SIP INFO, as the trunk says."""
        at = await self._live().press(digits, self.trunk.dtmf) - self._origin
        return Said(at, at + KEY_S * len(digits), "callback")

    async def close(self) -> None:
        """Hangs up and writes the recording to its end."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._leg is not None:
                await self._leg.hang_up()
                if self._signals is None:  # we were stopped while it was being dialled
                    self._signals = self._dialled(self._leg)
            if self._signals is not None:
                async with asyncio.timeout(1):
                    await self._signals
        except (FarEndFault, TimeoutError):
            pass
        finally:
            self._pump()
            now = asyncio.get_running_loop().time()
            for event in [] if self._deaf else self.ear.finish(now - self._origin):
                self._put(event)
            if self._connected and self._leg is not None and not self._leg.packets:
                self._put(Event(kind="no_audio", t=now - self._origin, method="harness"))
            if self._recording is not None:
                self._recording.close(now)
            for at, seconds in self._leg.frames.stalls if self._leg is not None and self._leg.frames else []:
                self._put(Event(kind="stall", t=at - self._origin, method="harness", data={"seconds": seconds}))
            self._events.put_nowait(None)

    def files(self) -> list[tuple[Path, str]]:
        """Returns the recording."""
        return [] if self._recording is None else [(self._recording.path, "recording")]

    def _live(self) -> Leg:
        if self._leg is None or self._leg.ended.is_set():
            raise FarEndFault("the call has ended")
        return self._leg

    def _put(self, event: Event) -> None:
        self._events.put_nowait(event)

    def _dialled(self, leg: Leg) -> asyncio.Task[None] | None:
        """Tells that the INVITE went out, and follows what comes of it; None: it never did."""
        if leg.dialled is None:
            return None
        self._put(Event(kind="dialled", t=leg.dialled - self._origin, method="callback", u=SIGNAL_U))
        return asyncio.create_task(self._follow(leg))

    async def _follow(self, leg: Leg) -> None:
        while True:
            signal = await leg.signals.get()
            self._put_signal(signal)
            if signal.kind == "ended":
                return

    def _put_signal(self, signal: Signal) -> None:
        t = signal.t - self._origin
        if signal.kind == "ended":
            data: dict[str, Any] = {key: signal.data[key] for key in ("by", "code", "fault") if key in signal.data}
            data["cause"] = f"{signal.data['code']} {signal.data['reason']}"
            if signal.data.get("whose") in ("line", "unclear"):
                data["fault"] = signal.data["whose"]
            self._pump()  # what was heard before the end is told before the end
            self._put(Event(kind="ended", t=t, method="callback", u=SIGNAL_U, data=data))
        elif signal.kind != "media":
            self._connected = self._connected or signal.kind == "connected"
            self._put(Event(kind=signal.kind, t=t, method="callback", u=SIGNAL_U, data=signal.data))

    def _pump(self) -> None:
        """Takes the frames that have come in; a fault in there ends the session instead of leaving us deaf."""
        if self._deaf:
            return
        try:
            self._take_frames()
        except Exception as error:
            log.exception("hearing")
            self._deaf = True
            data = {"by": "us", "fault": "harness", "cause": f"hearing failed: {type(error).__name__}: {error}"}
            now = asyncio.get_running_loop().time() - self._origin
            self._put(Event(kind="ended", t=now, method="harness", data=data))

    def _take_frames(self) -> None:
        """Puts both sides onto the recording, and the far end's into the ear."""
        frames = self._leg.frames if self._leg is not None else None
        if frames is None or self._recording is None:
            return
        block, first = bytearray(), None
        while frames.heard:
            now, frame = frames.heard.popleft()
            start, placed = self._recording.far(now, frame)
            first = start if first is None else first
            block.extend(placed)
        while frames.spoken:
            self._recording.own(*frames.spoken.popleft())
        if first is not None:
            for event in self.ear.push(first, np.frombuffer(bytes(block), "<i2")):
                self._put(event)
