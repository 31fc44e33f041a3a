"""The process's capture: its own packets, as the kernel saw and stamped them (AF_PACKET, a shared ring).

It needs CAP_NET_RAW and Linux. Without, there is none, and ``unavailable`` says why in a sentence.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import mmap
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable

from probes.voice.layout import hurry
from probes.voice.wire.bpf import program
from probes.voice.wire.copies import Copies
from probes.voice.wire.datagram import Datagram, parse

SWITCH = "SHOPPER_WIRE"  # "off": no capture, as without the privilege
RETIRE_MS = 40  # so late at most is a packet handed on, on a quiet line
_BLOCK, _BLOCKS, _FRAME = 1 << 15, 64, 1 << 11  # 2 MB; the reader may be away for 2.5 s
_ALL_PROTOCOLS = 3  # the others do not show what goes out
_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION, _V3 = 263, 5, 6, 10, 2
_ATTACH_FILTER = 26
_STATUS, _READY = 8, 1  # a block's status word, and its bit that says: yours
_PACKET_HEADER = struct.Struct("=IIIIIIHH")  # next, s, ns, bytes here, bytes in all, status, link header, IP header
_INTERFACE = struct.Struct("=i")
_INTERFACE_AT = 52  # behind that header comes a sockaddr_ll, and in it the interface's number
_IDLE_MS = 100
_STEP_S = 0.001  # the wall clock was set if it differs by more from one reading to the next
_TIGHT_S, _READINGS = 0.00001, 8
log = logging.getLogger(__name__)

Batch = list[Datagram]
OnBatch = Callable[[Batch, float], None]


class Capture:
    """Hands on the packets of the ports it watches, in batches, from a thread of its own.

    ``on_batch`` gets the packets and an instant: whatever was stamped more than ``RETIRE_MS`` before it has been handed
    on. It is called ten times a second at least, with nothing if nothing came. ``t`` of a :class:`Datagram` is the
    kernel's stamp; both are seconds of CLOCK_MONOTONIC.
    """

    def __init__(self, on_batch: OnBatch) -> None:
        """Opens the socket and starts the thread; nothing is watched yet.

        Raises:
            OSError: not permitted, or not supported.
        """
        self._on_batch = on_batch
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)  # hears nothing before it is bound
        self._ports: list[range] = []
        self._lost = 0
        self._watching = False
        try:
            self._loopback: int | None = socket.if_nametoindex("lo")
        except OSError:
            self._loopback = None
        try:
            self._socket.setsockopt(_SOL_PACKET, _VERSION, _V3)
            ring = struct.pack("=7I", _BLOCK, _BLOCKS, _FRAME, _BLOCK // _FRAME * _BLOCKS, RETIRE_MS, 0, 0)
            self._socket.setsockopt(_SOL_PACKET, _RX_RING, ring)
            self._ring = mmap.mmap(self._socket.fileno(), _BLOCK * _BLOCKS)
        except OSError:
            self._socket.close()
            raise
        self._copies = Copies()
        self._offset, self._read = wall_offset(), time.monotonic()
        self._wake, self._bell = os.pipe()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, on_batch: OnBatch) -> Capture | None:
        """Returns a capture that calls ``on_batch`` on its thread, or None where :func:`unavailable` says why."""
        if unavailable() is not None:
            return None
        try:
            return cls(on_batch)
        except OSError as error:
            log.warning("packets are not captured: %s", error.strerror)
            return None

    def watch(self, ports: Iterable[range]) -> None:
        """Adds ports, ours or the far end's, whose UDP and TCP packets are wanted. Any thread but the capture's.

        Raises:
            ValueError: they are too scattered for one filter.
            OSError: the system refuses the filter.
        """
        wanted = [*self._ports, *ports]
        code = program(wanted, self._loopback)
        held = ctypes.create_string_buffer(code, len(code))
        filter_ = struct.pack("HP", len(code) // 8, ctypes.addressof(held))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filter_)
        self._ports = wanted
        if not self._watching:
            self._watching = True
            bind_to_all(self._socket)

    @property
    def dropped(self) -> int:
        """Counts the packets that the kernel could not hand over because the ring was full."""
        if self._socket.fileno() >= 0:
            _, lost, _ = struct.unpack("=3I", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
            self._lost += lost  # reading it sets it to zero
        return self._lost

    def close(self) -> None:
        """Hands on what has come so far and ends. Safe to call twice."""
        if self._bell < 0:
            return
        os.close(self._bell)  # the thread wakes: the other end of the pipe is at its end
        self._bell = -1
        self._thread.join()
        _ = self.dropped
        os.close(self._wake)
        self._ring.close()
        self._socket.close()

    # ---- the capture's thread

    def _run(self) -> None:
        hurry()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLERR)
        poll.register(self._wake, select.POLLIN | select.POLLHUP)
        at, going = 0, True
        while going:
            going = self._wake not in dict(poll.poll(_IDLE_MS))
            at, batch = self._drain(at)
            try:
                self._on_batch(batch, self._read)
            except Exception:
                log.exception("a batch of packets")

    def _drain(self, at: int) -> tuple[int, Batch]:
        """Takes all blocks that are ready, from block ``at`` on; returns the next one and what they held."""
        batch: Batch = []
        ring, now = self._ring, time.monotonic()
        offset, before, since = wall_offset(), self._offset, self._read
        while struct.unpack_from("=I", ring, at * _BLOCK + _STATUS)[0] & _READY:
            start = at * _BLOCK
            count, place = struct.unpack_from("=II", ring, start + _STATUS + 4)
            place += start
            for _ in range(count):
                step, seconds, nanoseconds, size, whole, _, _, header = _PACKET_HEADER.unpack_from(ring, place)
                if size == whole:
                    t = placed(seconds - offset + nanoseconds * 1e-9, offset, before, since, now)
                    packet = ring[place + header : place + header + size]
                    (interface,) = _INTERFACE.unpack_from(ring, place + _INTERFACE_AT)
                    if not self._copies.again(t, interface, packet):
                        datagram = parse(t, packet)
                        if datagram is not None:
                            batch.append(datagram)
                place += step
            struct.pack_into("=I", ring, start + _STATUS, 0)
            at = (at + 1) % _BLOCKS
        self._offset, self._read = offset, now
        return at, batch


def wall_offset() -> float:
    """Returns CLOCK_REALTIME minus CLOCK_MONOTONIC in seconds, read so that nothing came between the two."""
    best, found = float("inf"), 0.0
    for _ in range(_READINGS):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < best:
            best, found = after - before, wall - (before + after) / 2
        if best < _TIGHT_S:
            break
    return found


def placed(stamp: float, offset: float, before: float, since: float, now: float) -> float:
    """Returns a wall-clock stamp in seconds of CLOCK_MONOTONIC, also if the wall clock was set in the meantime.

    Args:
        stamp: what the kernel says, less ``offset``.
        offset: of the two clocks now.
        before: of the two clocks at the reading before.
        since: when that was, monotonic. What is read now came ``RETIRE_MS`` earlier at most.
        now: monotonic.
    """
    step = offset - before
    if abs(step) <= _STEP_S or since - 2 * RETIRE_MS / 1000 <= stamp <= now + RETIRE_MS / 1000:
        return stamp
    return stamp + step  # stamped before the clock was set


def bind_to_all(packet_socket: socket.socket) -> None:
    """Lets an AF_PACKET socket hear every interface, both ways (``socket.bind`` knows single interfaces only).

    Raises:
        OSError: the system refuses.
    """
    address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(_ALL_PROTOCOLS), 0, 0, 0, 0, bytes(8))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(packet_socket.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unavailable() -> str | None:
    """Says in one sentence why packets cannot be captured here, or None: they can."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return f"packets are not captured: {SWITCH} is off"
    if not hasattr(socket, "AF_PACKET"):
        return "packets are not captured: this system has no AF_PACKET (Linux has)"
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return "packets are not captured: CAP_NET_RAW is missing"
        return f"packets are not captured: {error.strerror}"
    return None
