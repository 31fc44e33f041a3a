"""A cheap far end for many calls: answers every INVITE, plays to everybody, counts what comes by the kernel's stamps.

``python -m harness.bench.far_end FILE`` plays the A-law of FILE, from another place in it to each caller. It prints its
port. A line ``<seconds>`` of its input opens a window, and the window's figures are printed at its end: ``calls``,
packets ``due`` and ``came``, the longest ``gap`` in seconds. It ends when its input closes.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from probes.voice.layout import hurry

_PACKET = 160  # samples
_PACKETS_PER_S = 50
_PHASES = 4  # a quarter of the callers is sent to every 5 ms
_STAMPS, _STAMP = 35, struct.Struct("=qq")  # SO_TIMESTAMPNS, and what it puts beside a packet
_PCMA = 8


@dataclass
class _Caller:
    """One call at the far end."""

    rtp: socket.socket
    target: tuple[str, int]
    answer: bytes
    at: int  # next packet of the sound
    begun: float
    sent: int = 0
    came: int = 0  # in this window
    last: float = 0.0
    gap: float = 0.0


class FarEnd:
    """Answers every call and plays to it. ``codes``: what, in A-law."""

    def __init__(self, codes: bytes) -> None:
        self._packets = [codes[at : at + _PACKET] for at in range(0, len(codes) - _PACKET + 1, _PACKET)]
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind(("127.0.0.1", 0))
        self.port = int(self._sip.getsockname()[1])
        self._calls: dict[str, _Caller] = {}
        self._window: tuple[float, float] | None = None  # wall clock

    def serve(self) -> None:
        """Works until its input closes."""
        tick, step = time.monotonic(), 0
        while True:
            tick, step = tick + 0.02 / _PHASES, step + 1
            ready = select.select([self._sip, sys.stdin], [], [], max(0.0, tick - time.monotonic()))[0]
            while ready:
                if sys.stdin in ready and not self._command():
                    return
                if self._sip in ready:
                    self._take(*self._sip.recvfrom(65535))
                ready = select.select([self._sip, sys.stdin], [], [], max(0.0, tick - time.monotonic()))[0]
            for place, call in enumerate(self._calls.values()):
                if place % _PHASES == step % _PHASES:
                    self._play(call)
                    if call.sent % 10 == 0:
                        self._drain(call)
            if self._window is not None and time.time() > self._window[1]:
                self._report(*self._window)

    def _command(self) -> bool:
        line = sys.stdin.readline()
        if line:
            for call in self._calls.values():
                self._drain(call)
            now = time.time()
            self._window = now, now + float(line)
            for call in self._calls.values():
                call.came, call.gap, call.last = 0, 0.0, now
        return bool(line)

    def _report(self, begin: float, end: float) -> None:
        self._window = None
        for call in self._calls.values():
            self._drain(call, end)
        due = len(self._calls) * _PACKETS_PER_S * (end - begin)
        gaps = [max(call.gap, end - call.last) for call in self._calls.values()]
        came = sum(call.came for call in self._calls.values())
        figures = {"calls": len(self._calls), "due": due, "came": came, "gap": max(gaps, default=0.0)}
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()

    def _play(self, call: _Caller) -> None:
        while call.sent * 0.02 < time.monotonic() - call.begun:
            head = struct.pack("!BBHII", 0x80, _PCMA, call.sent & 0xFFFF, call.sent * _PACKET, id(call) & 0xFFFFFFFF)
            call.rtp.sendto(head + self._packets[call.at], call.target)
            call.sent, call.at = call.sent + 1, (call.at + 1) % len(self._packets)

    def _drain(self, call: _Caller, end: float = np.inf) -> None:
        while True:
            try:
                packet, beside, _, _ = call.rtp.recvmsg(512, 64)
            except OSError:
                return  # there is none; or an ICMP message of a caller that has gone
            if len(packet) < 2 or packet[1] & 0x7F != _PCMA:
                continue
            seconds, nanoseconds = _STAMP.unpack(beside[0][2])
            stamp = seconds + nanoseconds * 1e-9
            if call.last <= stamp <= end:  # what came before the window is not counted
                call.came, call.gap, call.last = call.came + 1, max(call.gap, stamp - call.last), stamp

    def _take(self, data: bytes, peer: tuple[str, int]) -> None:
        message = data.decode(errors="replace")
        method, name = message.split(" ", 1)[0], re.search(r"^Call-ID: *(\S+)", message, re.MULTILINE)
        if name is None or method not in ("INVITE", "BYE"):
            return
        if method == "INVITE":
            call = self._calls.get(name[1]) or self._begin(name[1], message)
            self._sip.sendto(call.answer, peer)
        else:
            gone = self._calls.pop(name[1], None)
            if gone is not None:
                gone.rtp.close()
            self._sip.sendto(_answer(message, self.port), peer)

    def _begin(self, name: str, invite: str) -> _Caller:
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.bind(("127.0.0.1", 0))
        rtp.setblocking(False)
        rtp.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
        rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 19)
        port = re.search(r"m=audio (\d+)", invite)
        target = ("127.0.0.1", int(port[1]) if port else 9)
        body = (
            "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {rtp.getsockname()[1]} RTP/AVP {_PCMA}\r\na=rtpmap:{_PCMA} PCMA/8000\r\n"
        )
        at = len(self._calls) * 397 % len(self._packets)  # everybody hears another part
        call = _Caller(rtp, target, _answer(invite, self.port, body), at, time.monotonic())
        self._calls[name] = call
        return call


def _answer(request: str, port: int, body: str = "") -> bytes:
    kept = "".join(f"{line}\r\n" for line in request.split("\r\n") if re.match("(Via|From|Call-ID|CSeq):", line))
    to = re.search(r"^To: ([^\r]*)", request, re.MULTILINE)
    named = "" if to is None else to[1] if ";tag=" in to[1] else f"{to[1]};tag=far"
    kind = "Content-Type: application/sdp\r\n" if body else ""
    head = f"SIP/2.0 200 OK\r\n{kept}To: {named}\r\nContact: <sip:far@127.0.0.1:{port}>\r\n{kind}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def main() -> None:
    """Is the process."""
    hurry()
    far = FarEnd(Path(sys.argv[1]).read_bytes())
    sys.stdout.write(json.dumps({"port": far.port}) + "\n")
    sys.stdout.flush()
    far.serve()


if __name__ == "__main__":
    main()
