"""Packets into time while the call goes on: as ``placing.py`` does, but causal, with a fixed delay."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from probes.hearing.telephone import decode
from probes.hearing.wav import Pcm
from probes.voice.wire.datagram import Datagram, Place
from probes.voice.wire.placing import LONGEST, SLIP
from probes.voice.wire.rtp_clock import QUIET, RATE, STEP_S, Envelope, follow, lowest
from probes.voice.wire.rtp_media import Media, is_audio, law_of
from probes.voice.wire.rtp_packets import STRAY, body, is_rtp

DELAY_S = 0.16
_SETTLES_S = 0.12  # a new mapping is the least delayed packet of so long
_TOLERATED_S = 0.002
_QUIET_S = 0.1  # the newest sender was silent for so long: an older one that goes on is heard again
_ASIDE = 10  # packets
_HEAD = struct.Struct("!BBHII")
_EVERY_CODE = np.arange(256, dtype=np.uint8)


class _Mapped:
    """One sender, and how its time stamps map onto the call's clock."""

    def __init__(self, number: int) -> None:
        self.number = number  # in the order of appearance
        self.last = 0.0  # arrival of the last packet
        self.ts = 0  # of the last packet, counted on past 2**32
        self.mapping: float | None = None
        self.envelope = Envelope()
        self.corrected = 0  # time stamp of the last correction
        self.end_ts, self.end = 0, 0  # after the last sample placed: time stamp, sample of the call
        self.doubtful: list[tuple[float, int, Pcm]] = []  # (delay, time stamp, audio) that fit no mapping yet
        self.doubtful_since = 0.0


class LivePlacer:
    """The far end's audio of one call, ``delay`` seconds behind; what was given out never changes.

    Where nothing came the audio is zero. Corrections of the clock wait for silence, are slow in sound, and are made at
    once if they are larger than 40 ms. A sender counts from its third packet on.
    """

    def __init__(self, media: Media, start: float, delay: float = DELAY_S) -> None:
        """Begins at ``start``, the call's time 0 on the clock of the datagrams."""
        self._start, self._delay = start, delay
        self._streams: dict[tuple[int, Place], _Mapped] = {}
        self._current: _Mapped | None = None
        self._aside: list[tuple[_Mapped, int, Pcm]] = []  # came from an older sender since the newest was last heard
        self._buffer: Pcm = np.zeros(RATE, np.int16)
        self._done = 0  # samples given out
        self._taken = 0  # samples up to which a newer sender was heard, which has fallen silent
        self.unreadable = 0  # packets of sound that are no G.711 in the clear
        self.late = 0  # packets that came after their audio had been given out
        self.agree(media)

    def agree(self, media: Media) -> None:
        """Takes what was agreed since: after the answer, after each re-INVITE."""
        laws = {kind: law_of(codec) for kind, codec in media.heard.items() if not media.secure}
        self._ours = frozenset(media.ours)
        self._tables = {kind: decode(_EVERY_CODE, law) for kind, law in laws.items() if law is not None}
        self._skipped = {kind for kind, codec in media.heard.items() if not is_audio(codec)}

    def take(self, datagrams: Iterable[Datagram]) -> None:
        """Takes packets in the order they came; what is not RTP to this call is passed over."""
        ours, tables, head = self._ours, self._tables, _HEAD.unpack_from
        for one in datagrams:
            payload = one.payload
            if one.target not in ours or one.protocol != "udp" or not is_rtp(payload):
                continue
            flags, kind, _, stamp, ssrc = head(payload)
            table = tables.get(kind & 0x7F)
            if table is None:
                self.unreadable += kind & 0x7F not in self._skipped
                continue
            codes = np.frombuffer(payload[12:] if flags == 0x80 else body(payload), np.uint8)
            if 0 < len(codes) <= LONGEST:
                self._packet(one.t, (ssrc, one.source), stamp, table.take(codes))

    def blocks(self, now: float) -> tuple[float, Pcm] | None:
        """Returns (session time of the first sample, samples) of all that is due by ``now`` and was not given yet."""
        for one in self._streams.values():
            if one.doubtful and now - one.doubtful_since >= _SETTLES_S:
                self._settle(one)
        count = int((now - self._delay - self._start) * RATE) - self._done
        if count <= 0:
            return None
        self._reach(count)
        block = self._buffer[:count].copy()
        rest = len(self._buffer) - count
        self._buffer[:rest] = self._buffer[count:]
        self._buffer[rest:] = 0
        at = self._done
        self._done += count
        return at / RATE, block

    def _packet(self, t: float, key: tuple[int, Place], stamp: int, pcm: Pcm) -> None:
        one = self._streams.get(key)
        if one is None:
            one = self._streams[key] = _Mapped(len(self._streams))
            one.ts = stamp
        else:
            one.ts += (stamp - one.ts + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        one.last = t
        delay = t - one.ts / RATE
        if one.mapping is None or not one.mapping - STEP_S <= delay <= one.mapping + self._delay - STEP_S:
            if not one.doubtful:
                one.doubtful_since = t
            one.doubtful.append((delay, one.ts, pcm))
            if t - one.doubtful_since >= _SETTLES_S:
                self._settle(one)
            return
        if one.doubtful:
            held, one.doubtful = one.doubtful, []
            for late, ts, early in held:
                if late > one.mapping:
                    self._place(one, ts, early)
        wanted = one.envelope.take(t, delay)
        if abs(wanted - one.mapping) >= _TOLERATED_S:
            free = one.ts > one.end_ts or int(np.abs(pcm).max()) < QUIET
            since = (one.ts - one.corrected) / RATE
            mapping = follow(one.mapping, wanted, free=free, since=since, tolerated=_TOLERATED_S)
            if mapping != one.mapping:
                one.mapping, one.corrected = mapping, one.ts
        self._place(one, one.ts, pcm)

    def _settle(self, one: _Mapped) -> None:
        """Begins a new mapping with packets that fit none."""
        if len(one.doubtful) < STRAY:
            return
        held, one.doubtful = one.doubtful, []
        one.mapping = lowest(np.array([late for late, _, _ in held]))
        one.envelope, one.end_ts = Envelope(), min(ts for _, ts, _ in held)
        one.end = round((one.mapping - self._start) * RATE) + one.end_ts
        for late, ts, pcm in held:
            one.envelope.take(late + ts / RATE, late)
            self._place(one, ts, pcm)
        one.corrected = held[-1][1]

    def _place(self, one: _Mapped, ts: int, pcm: Pcm) -> None:
        """Places a packet if its sender is heard: the newest, or an older one once that is silent."""
        current = self._current
        if current is not None and one is not current and one.number < current.number:
            if one.last - current.last <= _QUIET_S:
                self._aside = [*self._aside[-_ASIDE:], (one, ts, pcm)]
                return
            self._current, self._taken = one, current.end
            for other, earlier, audio in self._aside:
                if other is one:
                    self._paint(one, earlier, audio)
        elif one is not current:
            self._taken = 0
        self._current = one
        if self._aside:
            self._aside = []
        self._paint(one, ts, pcm)

    def _paint(self, one: _Mapped, ts: int, pcm: Pcm) -> None:
        if one.mapping is None:
            return
        first = round((one.mapping - self._start) * RATE) + ts
        torn = first - one.end if ts == one.end_ts else 0
        if ts + len(pcm) > one.end_ts:
            one.end_ts, one.end = ts + len(pcm), first + len(pcm)
        at = first - self._done
        self.late += at < 0
        floor = max(0, self._taken - self._done)
        if at < floor:
            pcm, at = pcm[floor - at :], floor
        end = at + len(pcm)
        if end > len(self._buffer):
            self._reach(end)
        self._buffer[at:end] = pcm
        if 0 < torn <= SLIP < at < end:
            self._buffer[at - torn : at] = np.linspace(self._buffer[at - torn - 1], pcm[0], torn + 2)[1:-1]

    def _reach(self, count: int) -> None:
        if count > len(self._buffer):
            self._buffer = np.concatenate((self._buffer, np.zeros(count - len(self._buffer) + RATE, np.int16)))
