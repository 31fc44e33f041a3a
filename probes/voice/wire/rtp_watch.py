"""What the RTP of a call shows while it goes on: first audio, a change of stream, silence on the wire, our own keys.

The same as ``rtp.events`` and ``rtp.keys`` find afterwards, packet by packet.
"""

from __future__ import annotations

import struct

from probes.session import Event
from probes.voice.wire.datagram import Datagram, Place
from probes.voice.wire.rtp import KEYS, U_S
from probes.voice.wire.rtp_media import Media, is_audio
from probes.voice.wire.rtp_packets import GAP_S, STRAY, body, is_rtp

_HEAD = struct.Struct("!BBHII")
_Sender = tuple[int, Place]


class RtpWatch:
    """Watches one call. Times are in the clock of the datagrams; events are told once they are certain."""

    def __init__(self, media: Media) -> None:
        self.keys: list[tuple[float, str]] = []  # ours: instant of the first packet of each
        self.events: list[Event] = []  # to be taken away by whoever reads them
        self.heard = 0  # packets of RTP that came
        self._first = True
        self._last: float | None = None
        self._senders: dict[_Sender, int] = {}  # number in the order of appearance
        self._counts: dict[_Sender, tuple[int, float]] = {}  # of those that are no stream yet: packets, first instant
        self._current: _Sender | None = None
        self._current_last = 0.0
        self._key: tuple[int, int, int] | None = None
        self.agree(media)

    def agree(self, media: Media) -> None:
        """Takes what was agreed since."""
        self._frame = media.ptime / 1000
        self._silent = {kind for kind, codec in media.heard.items() if not is_audio(codec)}
        self._keys = {kind for kind, codec in media.spoken.items() if codec.startswith("TELEPHONE-EVENT/")}

    def come(self, one: Datagram) -> None:
        """Takes a packet to us, in the order they came."""
        if not is_rtp(one.payload):
            return
        t = one.t
        _, kind, _, _, ssrc = _HEAD.unpack_from(one.payload)
        self.heard += 1
        if self._first and kind & 0x7F not in self._silent:
            self._first = False
            self._tell("first_audio", t)
        if self._last is not None and t - self._last - self._frame > GAP_S:
            self._tell("rtp_gap", self._last + self._frame, seconds=round(t - self._last - self._frame, 4))
        self._last = t
        sender = (ssrc, one.source)
        if sender == self._current:
            self._current_last = t
        else:
            self._other(sender, t)

    def gone(self, one: Datagram) -> None:
        """Takes a packet of ours."""
        if not is_rtp(one.payload):
            return
        _, kind, _, stamp, ssrc = _HEAD.unpack_from(one.payload)
        if kind & 0x7F not in self._keys:
            return
        content = body(one.payload)
        key = (ssrc, stamp, content[0] if len(content) >= 4 else 255)
        if key[2] <= 16 and key != self._key:
            self._key = key
            self.keys.append((one.t, (KEYS + "!")[key[2]]))

    def _other(self, sender: _Sender, t: float) -> None:
        """A packet of a sender that is not the one heard: a new stream, an older one again, or a stray."""
        if sender not in self._senders:
            count, first = self._counts.get(sender, (0, t))
            self._counts[sender] = (count + 1, first)
            if count + 1 < STRAY:
                return
            del self._counts[sender]
            self._senders[sender] = len(self._senders)
            self._change(sender, first)
        elif self._current is not None and (
            self._senders[sender] > self._senders[self._current] or t - self._current_last > GAP_S
        ):
            self._change(sender, t)
        if sender == self._current:
            self._current_last = t

    def _change(self, sender: _Sender, t: float) -> None:
        before, self._current = self._current, sender
        if before is None:
            return
        names = (("ssrc", before[0] != sender[0]), ("address", before[1] != sender[1]))
        old, new = (f"stream {self._senders[each] + 1}" for each in (before, sender))
        changed = " and ".join(name for name, differs in names if differs)
        self._tell("stream_change", t, changed=changed, before=old, after=new)

    def _tell(self, kind: str, t: float, **data: object) -> None:
        self.events.append(Event(kind=kind, t=t, method="wire", u=U_S, data=data))
