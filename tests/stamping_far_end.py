"""A far end in a process of its own that answers many calls, and notes when each packet really went by.

``python -m tests.stamping_far_end`` prints its SIP port, and once its standard input closes a JSON object:
``sent`` (instants just before each ``sendto``), ``seen`` (a capture of its own: kernel stamps of SIP and key packets
on the loopback), ``audio`` (when the sound of each call was due). Keys are Call-IDs, instants monotonic seconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import itertools
import json
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.fake_far_end import FRAME

LOUD = bytes([0xAA, 0x2A] * 80)  # full scale, both ways
EVERY, LOUD_AT = 25, 10  # packets; each twenty-fifth is loud, from the tenth on
RING_S, ANSWER_S = 0.05, 0.15
GAP = range(120, 170)  # packets that are not sent: a second without RTP


def header(name: str, message: str) -> str:
    return re.search(rf"^{name}: ([^\r]*)", message, re.MULTILINE)[1]  # type: ignore[index]


SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33


def kernel_filter(sip: int, audio: int) -> bytes:
    """A BPF program that keeps UDP packets of the SIP port and telephone events to the audio port: other calls' packets
    never reach the process. Offsets count from the IP header, which has no options on the loopback."""
    code = (
        (0x30, 0, 0, 9), (0x15, 0, 9, 17),  # UDP
        (0x28, 0, 0, 20), (0x15, 6, 0, sip),  # its source port
        (0x28, 0, 0, 22), (0x15, 4, 0, sip), (0x15, 0, 4, audio),  # its destination port
        (0x30, 0, 0, 29), (0x54, 0, 0, 0x7F), (0x15, 0, 1, 101),  # RTP's payload type, without the marker
        (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0),
    )  # fmt: skip
    return b"".join(struct.pack("HBBI", *one) for one in code)


class StampingFarEnd:
    def __init__(self, gap: bool) -> None:
        self.gap = gap
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.port = self.sip.getsockname()[1]
        self.wire = self.listen()  # before anybody is told the port
        self.sent: dict[str, dict[str, float]] = {}
        self.seen: list[tuple[float, str]] = []
        self.audio: dict[str, list[float]] = {}
        self.going: set[str] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def later(self, at: float, job: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), job))

    def serve(self) -> None:
        threading.Thread(target=self.capture, daemon=True).start()
        while True:
            wait = 0.2 if not self._due else max(0.0, min(0.2, self._due[0][0] - time.monotonic()))
            ready = select.select([self.sip, sys.stdin], [], [], wait)[0]
            if sys.stdin in ready:
                return
            if self.sip in ready:
                data, peer = self.sip.recvfrom(65535)
                if data.strip():
                    self.take(data.decode(), peer)
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()

    def take(self, message: str, peer: tuple[str, int]) -> None:
        method, call = message.split(" ", 1)[0], header("Call-ID", message)
        if method == "INVITE" and call not in self.sent:
            self.sent[call] = {}
            now = time.monotonic()
            self.later(now + RING_S, lambda: self.reply(message, peer, "180 Ringing"))
            self.later(now + ANSWER_S, lambda: self.answer(message, peer))
        elif method == "BYE":
            self.going.discard(call)
            self.reply(message, peer, "200 OK")
        elif method == "INFO":
            self.reply(message, peer, "200 OK")

    def answer(self, invite: str, peer: tuple[str, int]) -> None:
        call = header("Call-ID", invite)
        sdp = (
            "v=0\r\no=line 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\n"
        )
        self.reply(invite, peer, "200 OK", "Content-Type: application/sdp\r\n", sdp)
        place = ("127.0.0.1", int(re.search(r"m=audio (\d+)", invite)[1]))  # type: ignore[index]
        self.going.add(call)
        self.audio[call] = []
        start = time.monotonic() + 0.02
        self.later(start, lambda: self.speak(call, place, start, 0))

    def speak(self, call: str, place: tuple[str, int], start: float, number: int) -> None:
        if call not in self.going:
            return
        due = start + number * 0.02
        if not (self.gap and number in GAP):
            loud = number % EVERY == LOUD_AT
            head = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160, hash(call) & 0xFFFFFFFF)
            self.rtp.sendto(head + (LOUD if loud else FRAME), place)
            if loud:
                self.audio[call].append(due)
        self.later(due + 0.02, lambda: self.speak(call, place, start, number + 1))

    def reply(self, message: str, peer: tuple[str, int], status: str, more: str = "", body: str = "") -> None:
        kept = "".join(f"{line}\r\n" for line in message.split("\r\n") if re.match("(Via|From|Call-ID|CSeq):", line))
        contact = f"Contact: <sip:line@127.0.0.1:{self.port}>\r\n"
        to = header("To", message)
        to = to if ";tag=" in to else f"{to};tag=line"
        head = f"SIP/2.0 {status}\r\n{kept}To: {to}\r\n{contact}{more}Content-Length: {len(body)}\r\n\r\n"
        data = (head + body).encode()
        at = time.monotonic_ns() / 1e9
        self.sip.sendto(data, peer)
        self.sent[header("Call-ID", message)].setdefault(f"{status.split()[0]} {header('CSeq', message)}", at)

    def listen(self) -> socket.socket:
        """Opens another capture than the one under test: one packet at a time, the stamp from SO_TIMESTAMPNS."""
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        kept = kernel_filter(self.port, self.rtp.getsockname()[1])
        program = ctypes.create_string_buffer(kept, len(kept))
        wire.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(kept) // 8, ctypes.addressof(program))
        )
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        wire.setsockopt(socket.SOL_SOCKET, 35, 1)
        wire.bind(("lo", 0x0800))
        return wire

    def capture(self) -> None:
        """Notes what the other capture saw."""
        audio = self.rtp.getsockname()[1]
        while True:
            packet, more, _, place = self.wire.recvmsg(4096, 64)
            if place[2] == socket.PACKET_OUTGOING or packet[9] != 17:
                continue
            offset = time.time() - time.monotonic()
            ports = struct.unpack("!HH", packet[20:24])
            seconds, nanoseconds = struct.unpack("qq", more[0][2])
            if self.port in ports and len(packet) > 40:
                text = packet[28:].decode("latin-1")
                first = text.split("\r\n", 1)[0]
                what = first[8:11] if first.startswith("SIP/2.0") else first.split(" ")[0]
                if "Call-ID: " in text:
                    self.seen.append((seconds - offset + nanoseconds / 1e9, f"{what} {header('Call-ID', text)}"))
            elif ports[1] == audio and packet[29] & 0x7F == 101:
                stamp = int.from_bytes(packet[32:36])
                name = f"key {packet[40]} {ports[0]} {stamp}"
                self.seen.append((seconds - offset + nanoseconds / 1e9, name))


@contextlib.contextmanager
def stamping_far_end(*, gap: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Gives its SIP port, and a dict that holds what it noted once the block has ended."""
    noted: dict[str, Any] = {}
    command = [sys.executable, "-m", "tests.stamping_far_end", *(["gap"] if gap else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), noted
    finally:
        said, _ = process.communicate(timeout=20)
        noted |= json.loads(said)


if __name__ == "__main__":
    end = StampingFarEnd(gap="gap" in sys.argv)
    print(end.port, flush=True)
    end.serve()
    print(json.dumps({"sent": end.sent, "seen": end.seen, "audio": end.audio}))
