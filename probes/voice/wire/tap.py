"""The process's one capture, shared out to its calls. Event loop only, unless a docstring says otherwise."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from probes.clock import Anchor
from probes.voice.wire.capture import Batch, Capture, unavailable
from probes.voice.wire.datagram import Datagram
from probes.voice.wire.ladder import Ladder
from probes.voice.wire.pcap import PcapWriter
from probes.voice.wire.rtp_live import LivePlacer
from probes.voice.wire.rtp_media import Media, media_of
from probes.voice.wire.rtp_watch import RtpWatch
from probes.voice.wire.sip import Message, Messages

PATIENCE_S = 0.3  # the capture hands packets on within 40 ms, later on a busy machine
_HANDED_ON_S = 0.05  # how far what is handed on is behind, at most
_EVERY_S = 0.095  # ten times a second
_UNCLAIMED_S = 5.0  # a call's first messages come before anyone knows its Call-ID
log = logging.getLogger(__name__)


class Tap:
    """Hands each call its packets."""

    def __init__(self) -> None:
        """Begins to capture if that is possible here; ``missing`` says in a sentence why not."""
        self._loop = asyncio.get_running_loop()
        self._calls: dict[str, CallTap] = {}
        self._by_port: dict[int, CallTap] = {}
        self._messages = Messages()
        self._unclaimed: deque[Message] = deque()
        self.until = time.monotonic()  # what was stamped 50 ms before this has been handed on
        self.missing = unavailable()
        self._capture = Capture.open(self._on_batch)
        if self._capture is None:
            self.missing = self.missing or "packets are not captured: the system refused"
            log.warning("%s; instants of signalling are those of callbacks", self.missing)

    def watch(self, ports: Iterable[range]) -> None:
        """Adds ports whose packets are wanted. Any one thread."""
        if self._capture is None:
            return
        try:
            self._capture.watch(ports)
        except (OSError, ValueError) as error:
            log.warning("packets of %s are not captured: %s", list(ports), error)

    @property
    def dropped(self) -> int:
        """Counts the packets of this process that the kernel could not hand over."""
        return 0 if self._capture is None else self._capture.dropped

    def follow(self, call: CallTap, call_id: str) -> None:
        """Hands ``call`` all packets of ``call_id``, those included that have come already."""
        if self._capture is None:
            return
        self._calls[call_id] = call
        for message in [message for message in self._unclaimed if message.call_id == call_id]:
            self._unclaimed.remove(message)
            self._signal(call, message)
        call.flush()

    def leave(self, call: CallTap) -> None:
        """Hands ``call`` nothing any more."""
        self._calls = {name: each for name, each in self._calls.items() if each is not call}
        self._by_port = {port: each for port, each in self._by_port.items() if each is not call}

    async def close(self) -> None:
        """Ends the capture."""
        if self._capture is not None:
            await asyncio.to_thread(self._capture.close)

    def _on_batch(self, batch: Batch, until: float) -> None:
        """Capture's thread."""
        try:
            self._loop.call_soon_threadsafe(self._arrive, batch, until)
        except RuntimeError:
            log.debug("the event loop has ended")

    def _arrive(self, batch: Batch, until: float) -> None:
        self.until = until
        touched: dict[CallTap, None] = {}
        by_port = self._by_port
        for one in batch:
            to, of = by_port.get(one.target[1]), by_port.get(one.source[1])
            if (to or of) is not None and one.protocol == "udp":
                if to is not None:
                    to.come(one)
                    touched[to] = None
                if of is not None:
                    of.gone(one)
                    touched[of] = None
                continue
            for message in self._messages.take(one):
                call = self._calls.get(message.call_id)
                if call is None:
                    self._unclaimed.append(message)
                else:
                    self._signal(call, message)
                    touched[call] = None
        for call in touched:
            call.flush()
        for call in list(self._calls.values()):
            call.passed(until)
        old = time.monotonic() - _UNCLAIMED_S
        while self._unclaimed and self._unclaimed[0].t < old:
            self._unclaimed.popleft()

    def _signal(self, call: CallTap, message: Message) -> None:
        for port in call.signal(message):
            self._by_port[port] = call


class CallTap:
    """One call's packets: kept as a pcap, its signalling as a ladder, its far end's audio in session time."""

    def __init__(self, path: Path, anchor: Anchor, wake: Callable[[], None]) -> None:
        """Begins the file.

        Args:
            path: of the file.
            anchor: the session's start.
            wake: called ten times a second while the call is followed: more of it has come, or silence has.

        Raises:
            OSError: it cannot be written.
        """
        self.path, self.ladder = path, Ladder()
        self.until = 0.0  # monotonic seconds: so far everything has come, but for the last 50 ms
        self.media: Media | None = None
        self.watch: RtpWatch | None = None
        self.placer: LivePlacer | None = None
        self.broken: OSError | None = None  # the file cannot be written on
        self._start = anchor.monotonic
        self._file = PcapWriter(path, anchor.utc, anchor.monotonic)
        self._signalling: list[Datagram] = []
        self._written: set[int] = set()
        self._new: list[Datagram] = []
        self._heard: list[Datagram] = []
        self._wake, self._woken = wake, 0.0
        self._news = asyncio.Event()

    async def wait(self, found: Callable[[], float | None], patience: float = PATIENCE_S) -> float | None:
        """Returns what ``found`` gives as soon as it does, or None after ``patience`` seconds without."""
        try:
            async with asyncio.timeout(patience):
                while (t := found()) is None:
                    self._news.clear()
                    await self._news.wait()
                return t
        except TimeoutError:
            return None

    def signal(self, message: Message) -> list[int]:
        """Takes a SIP message with the call's Call-ID; returns the ports of its audio, RTP and RTCP."""
        if not self.ladder.take(message):
            return []
        for one in message.datagrams:
            if id(one) not in self._written:  # a segment may have carried two messages
                self._signalling.append(one)
                self._written.add(id(one))
                self._new.append(one)
        if b"m=audio" not in message.text:
            return []
        media = media_of(self._signalling)
        if media is None:
            return []
        self.media = media
        if self.watch is None or self.placer is None:
            self.watch, self.placer = RtpWatch(media), LivePlacer(media, self._start)
        else:
            self.watch.agree(media)
            self.placer.agree(media)
        return [port + step for _, port in media.ours for step in (0, 1)]

    def come(self, one: Datagram) -> None:
        """Takes a packet to our audio ports."""
        self._new.append(one)
        self._heard.append(one)
        if self.watch is not None:
            self.watch.come(one)

    def gone(self, one: Datagram) -> None:
        """Takes a packet from our audio ports."""
        self._new.append(one)
        if self.watch is not None:
            self.watch.gone(one)

    def flush(self) -> None:
        """Writes and places what has come, and wakes whoever waits for it."""
        new, self._new = self._new, []
        heard, self._heard = self._heard, []
        if self.broken is None:
            try:
                self._file.write(new)
            except (OSError, ValueError) as error:
                self.broken = error if isinstance(error, OSError) else OSError(str(error))
        if self.placer is not None and heard:
            self.placer.take(heard)
        self._news.set()

    def passed(self, until: float) -> None:
        """Notes how far everything has come."""
        self.until = until
        self._news.set()
        if until - self._woken >= _EVERY_S:
            self._woken = until
            self._wake()

    async def complete(self, t: float) -> None:
        """Returns once everything up to ``t`` (monotonic) has come, or after 0.3 s."""
        await self.wait(lambda: t if self.until >= t + _HANDED_ON_S else None)

    def close(self) -> None:
        """Ends the file. Safe to call twice."""
        self._file.close()
