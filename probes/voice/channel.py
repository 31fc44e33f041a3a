"""The voice channel: one telephone call, heard and spoken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from probes.channel import Said
from probes.clock import Anchor
from probes.hearing.ear import Ear, Ears, Listening
from probes.hearing.transcription.words import Transcriber
from probes.hearing.wav import Pcm
from probes.session import Event
from probes.speaking.speaker import Speaker
from probes.target import Line
from probes.voice.audio import Recording
from probes.voice.leg import Leg, Signal
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.stamps import Stamps
from probes.voice.trunk import Trunk
from probes.voice.wire.rtp_live import DELAY_S
from probes.voice.wire.tap import CallTap
from scenarios.attachment import Attachment
from scenarios.errors import FarEndFault, HarnessFault

log = logging.getLogger(__name__)
PATIENCE_S = 8.0  # a far end that never pauses is talked over in the end, which is told
KEY_S = 0.32  # one key: 160 ms of tone and as much pause
BY_TABLE = frozenset({"PCMA", "PCMU"})  # codecs whose packets are heard without the library


class VoiceChannel:
    """Implements :class:`probes.channel.Channel` over one SIP call."""

    kind: Literal["voice"] = "voice"

    def __init__(
        self,
        line: Line,
        *,
        endpoint: Endpoint,
        trunk: Trunk,
        ear: Ear,
        speaker: Speaker,
        folder: Path,
        transcriber: Transcriber | None = None,
    ) -> None:
        self.line, self.endpoint, self.trunk = line, endpoint, trunk
        self.ear, self.speaker, self.folder, self.transcriber = ear, speaker, folder, transcriber
        self._ears, self._listening = Ears.here(), Listening(ear, self._told, self._failed)
        self._events: asyncio.Queue[Event | asyncio.Task[Event] | None] = asyncio.Queue()
        self._heard = asyncio.Event()  # something more was heard
        self._leg: Leg | None = None
        self._recording: Recording | None = None
        self._signals: asyncio.Task[None] | None = None
        self._call: CallTap | None = None
        self._missing: str | None = None  # why no packets are captured
        self._from_packets = self._audible = False
        self._unseen = 0
        self._closed = self._deaf = self._connected = False

    async def open(self, anchor: Anchor) -> None:
        """Dials. Returns when the INVITE has gone out; everything else comes as events."""
        self._origin = anchor.monotonic
        self._recording = Recording(self.folder / "call.wav", self._origin)
        self._leg = self.endpoint.leg(self.line.uri)  # known before it is dialled, so that it can always be hung up
        self._leg.listen(self._pump)
        self._follow_wire(anchor)
        await self.endpoint.dial(self._leg, self.trunk)
        self._signals = self._dialled(self._leg)

    async def events(self) -> AsyncIterator[Event]:
        """Yields what happens until the call has ended and the last of it is heard."""
        while (event := await self._events.get()) is not None:
            yield event if isinstance(event, Event) else await event

    async def say(self, text: str, *, line: str) -> Said:
        """Speaks ``text`` (or its recording) and returns when the last frame has gone out."""
        audio = await asyncio.to_thread(self.speaker.audio, text, line)
        if not self.line.barge_in:
            await self._their_pause()
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
        handed = await self._live().press(digits, self.trunk.dtmf)
        at, method = await self._stamps.pressed(digits, self.trunk.dtmf, handed)
        return Said(at, at + KEY_S * len(digits), method)

    async def attach(self, file: Attachment, *, line: str) -> Said:
        """A telephone carries no files.

        Raises:
            HarnessFault: always.
        """
        raise HarnessFault(f"no file can be sent on the telephone ({file.name}); put on: [chat] to the step")

    async def choose(self, text: str, *, line: str) -> Said | None:
        """A telephone has no quick replies.

        Raises:
            HarnessFault: always.
        """
        raise HarnessFault(f"there are no quick replies on the telephone ({text}); put on: [chat] to the step")

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
            self._leave_wire(now - self._origin)
            if not self._deaf:
                self._ears.finish(self._listening, now - self._origin)
            if self._connected and self._leg is not None and not (self._leg.packets and self._heard_packets()):
                self._put(Event(kind="no_audio", t=now - self._origin, method="harness"))
            if self._recording is not None:
                self._recording.close(now)
            for at, seconds in self._leg.frames.stalls if self._leg is not None and self._leg.frames else []:
                self._put(Event(kind="stall", t=at - self._origin, method="harness", data={"seconds": seconds}))
            self._events.put_nowait(None)

    def files(self) -> list[tuple[Path, str]]:
        """Returns the recording, and the packets if they were captured."""
        found = [] if self._recording is None else [(self._recording.path, "recording")]
        return found if self._call is None else [*found, (self._call.path, "pcap")]

    def _live(self) -> Leg:
        if self._leg is None or self._leg.ended.is_set():
            raise FarEndFault("the call has ended")
        return self._leg

    def _heard_packets(self) -> bool:
        """False: the library had audio, and the packets that this call was to be heard by were not to be seen."""
        return not self._from_packets or (
            self._call is not None and self._call.watch is not None and self._call.watch.heard > 0
        )

    async def _their_pause(self) -> None:
        """Waits until the far end pauses: nobody understands who talks over them. Its patience ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self.ear.speaking and not self._live().ended.is_set():
                    self._heard.clear()
                    await self._heard.wait()

    def _put(self, event: Event) -> None:
        if self.transcriber is None or event.kind != "message" or event.data.get("text"):
            self._events.put_nowait(event)
        else:
            self._events.put_nowait(asyncio.create_task(self._worded(self.transcriber, event)))

    async def _worded(self, transcriber: Transcriber, event: Event) -> Event:
        """Puts the words into a message. What was heard in part only stays unknown; its words are kept apart."""
        sound = self.ear.sound(event.t, float(event.data.get("end") or event.t))
        try:
            heard = await asyncio.to_thread(transcriber.transcribe, sound, event.t)
        except Exception:
            log.exception("transcription")
            return event
        words = [[word.text, round(word.start, 3), round(word.end, 3)] for word in heard.words]
        more = {"words": words, "by": heard.backend} | ({"text": heard.text() or None} if heard.complete else {})
        return event.model_copy(update={"data": event.data | more})

    def _dialled(self, leg: Leg) -> asyncio.Task[None] | None:
        """Tells that the INVITE went out, and follows what comes of it; None: it never did."""
        if leg.dialled is None:
            return None
        if self._call is not None and self.endpoint.wire is not None and leg.call_id is not None:
            self.endpoint.wire.follow(self._call, leg.call_id)
        return asyncio.create_task(self._follow(leg))

    def _follow_wire(self, anchor: Anchor) -> None:
        """Has the call's packets kept, or says why they are not."""
        wire = self.endpoint.wire
        missing = "packets are not captured: nobody asked for it" if wire is None else wire.missing
        if missing is None and self.trunk.transport == "tls":
            missing = "packets are not captured: the signalling is encrypted"
        if wire is not None and missing is None:
            self._call = CallTap(self.folder / "call.pcap", anchor, self._pump)
            self._unseen = wire.dropped
        self._missing = missing
        self._stamps = Stamps(self._origin, self._call)

    def _leave_wire(self, t: float) -> None:
        """Ends the file of packets, and tells if the kernel kept some from us."""
        wire = self.endpoint.wire
        if self._call is None or wire is None:
            return
        wire.leave(self._call)
        self._call.close()
        unseen = wire.dropped - self._unseen
        if unseen > 0:
            self._put(Event(kind="capture_loss", t=t, method="harness", data={"packets": unseen}))

    async def _follow(self, leg: Leg) -> None:
        assert leg.dialled is not None
        event = await self._stamps.dialled(leg.dialled, leg.call_id)
        self._put(event)
        if self._missing is not None:
            self._put(Event(kind="no_capture", t=event.t, method="harness", data={"why": self._missing}))
        behind = bool(self.trunk.stun) or self.trunk.ice  # then SDP does not name the place where audio arrives
        clear = not self.trunk.srtp and not behind and set(self.trunk.codecs) <= BY_TABLE
        if event.method == "wire" and clear and leg.frames is not None:  # the wire has shown that it can be read
            self._from_packets = leg.frames.deaf = True
            leg.frames.heard.clear()
        while True:
            signal = await leg.signals.get()
            await self._put_signal(signal)
            if signal.kind == "ended":
                return

    async def _put_signal(self, signal: Signal) -> None:
        if signal.kind == "ended":
            data: dict[str, Any] = {key: signal.data[key] for key in ("by", "code", "fault") if key in signal.data}
            data["cause"] = f"{signal.data['code']} {signal.data['reason']}"
            if signal.data.get("whose") in ("line", "unclear"):
                data["fault"] = signal.data["whose"]
            event = await self._stamps.signal(signal, data)
            if self._call is not None and self._from_packets:
                await self._call.complete(signal.t)
                self._pump(signal.t + DELAY_S)
            else:
                self._pump()
            self._ears.now()  # what was heard before the end is told before the end
            self._put(event)
        elif signal.kind != "media":
            self._connected = self._connected or signal.kind == "connected"
            self._put(await self._stamps.signal(signal, signal.data))

    def _pump(self, until: float | None = None) -> None:
        """Takes what has come in; a fault in there ends the session instead of leaving us deaf.

        Args:
            until: monotonic seconds, for a call heard by its packets: all that is due by then is taken.
        """
        if self._deaf:
            return
        try:
            self._take_packets(until)
            self._take_frames()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Ends the session."""
        if self._deaf:
            return
        log.error("hearing", exc_info=error)
        self._deaf = True
        data = {"by": "us", "fault": "harness", "cause": f"hearing failed: {type(error).__name__}: {error}"}
        now = asyncio.get_running_loop().time() - self._origin
        self._put(Event(kind="ended", t=now, method="harness", data=data))

    def _take_packets(self, until: float | None) -> None:
        """Puts the far end's audio onto the recording and into the ear, as its packets say."""
        call, recording = self._call, self._recording
        if call is None or recording is None:
            return
        if call.broken is not None:
            raise call.broken
        if call.watch is None or call.placer is None:
            return
        until = until or call.until
        found = call.watch.events
        while found and found[0].t <= until - DELAY_S:  # as late as the sound: what caused it has been told by then
            event = found.pop(0)
            self._audible = self._audible or event.kind == "first_audio"
            self._put(event.model_copy(update={"t": event.t - self._origin}))
        if not self._from_packets or (block := call.placer.blocks(until)) is None:
            return
        start, pcm = block
        recording.placed(start, pcm)
        if self._audible:
            self._hear(start, pcm)

    def _take_frames(self) -> None:
        """Puts the frames of both sides onto the recording, and the far end's into the ear."""
        frames = self._leg.frames if self._leg is not None else None
        if frames is None or self._recording is None:
            return
        block, first = bytearray(), None
        while frames.heard and not self._from_packets:
            now, frame = frames.heard.popleft()
            start, placed = self._recording.far(now, frame)
            first = start if first is None else first
            block.extend(placed)
        while frames.spoken:
            self._recording.own(*frames.spoken.popleft())
        if first is not None:
            self._hear(first, np.frombuffer(bytes(block), "<i2"))

    def _hear(self, start: float, pcm: Pcm) -> None:
        self._ears.hear(self._listening, start, pcm)

    def _told(self, events: list[Event]) -> None:
        """Takes what the ear has heard."""
        if not self._deaf:
            for event in events:
                self._put(event)
        self._heard.set()
