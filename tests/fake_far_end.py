"""A far end that misbehaves: a telephone line over UDP that keeps every message it gets."""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

FRAME = b"\xd5" * 160  # 20 ms of silence in A-law


@dataclass
class FarEnd:
    """Answers INVITEs until the ``with`` block ends.

    ``moved``: where every call is redirected to. ``refer``: what the caller is asked to call, once it is connected.
    ``copies``: how often the 200 of an INVITE is sent.
    """

    moved: str | None = None
    refer: str | None = None
    copies: int = 1
    got: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sip, self._rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self._sip, self._rtp):
            each.bind(("127.0.0.1", 0))
        self.port = int(self._sip.getsockname()[1])
        self._stop = threading.Event()
        self._audio: tuple[tuple[str, int], float] | None = None
        self._sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> FarEnd:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sip.close()
        self._rtp.close()

    def requests(self, method: str) -> list[str]:
        """Returns the requests of one method, in order."""
        return [message for message in self.got if message.startswith(f"{method} ")]

    def answers(self, method: str) -> list[str]:
        """Returns the first lines of what came back for our own requests of one method."""
        found = [message for message in self.got if message.startswith("SIP/2.0 ")]
        return [message.split("\r\n")[0] for message in found if re.search(rf"CSeq: \d+ {method}\r", message)]

    def _run(self) -> None:
        while not self._stop.is_set():
            if select.select([self._sip], [], [], 0.005)[0]:
                data, peer = self._sip.recvfrom(65535)
                if data.strip():  # a keep-alive is no message
                    message = data.decode()
                    self.got.append(message)
                    self._take(message, peer)
            self._speak()

    def _take(self, message: str, peer: tuple[str, int]) -> None:
        method = message.split(" ", 1)[0]
        if method == "INVITE":
            if len(self.requests("INVITE")) > 1:
                return
            if self.moved is not None:
                self._reply(message, peer, "302 Moved Temporarily", f"Contact: <{self.moved}>\r\n")
                return
            self._reply(message, peer, "180 Ringing")
            port = int(re.search(r"m=audio (\d+)", message)[1])  # type: ignore[index]
            self._audio = (("127.0.0.1", port), time.monotonic())
            sdp = (
                "v=0\r\no=line 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {self._rtp.getsockname()[1]} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
            )
            for _ in range(self.copies):
                self._reply(message, peer, "200 OK", "Content-Type: application/sdp\r\n", sdp)
        elif method == "ACK" and self.refer is not None and not self.answers("REFER"):
            self._send_refer(message, peer)
        elif method == "BYE":
            self._audio = None
            self._reply(message, peer, "200 OK")

    def _reply(self, message: str, peer: tuple[str, int], status: str, more: str = "", body: str = "") -> None:
        kept = "".join(f"{line}\r\n" for line in message.split("\r\n") if re.match("(Via|From|Call-ID|CSeq):", line))
        to = re.search(r"^To: ([^\r]*)", message, re.MULTILINE)[1]  # type: ignore[index]
        to = to if ";tag=" in to else f"{to};tag=line"
        contact = "" if "Contact:" in more else f"Contact: <sip:line@127.0.0.1:{self.port}>\r\n"
        head = f"SIP/2.0 {status}\r\n{kept}To: {to}\r\n{contact}{more}Content-Length: {len(body)}\r\n\r\n"
        self._sip.sendto((head + body).encode(), peer)

    def _send_refer(self, ack: str, peer: tuple[str, int]) -> None:
        def header(name: str, of: str) -> str:
            return re.search(rf"^{name}: ([^\r]*)", of, re.MULTILINE)[1]  # type: ignore[index]

        invite = self.requests("INVITE")[0]
        contact = re.search("<([^>]+)>", header("Contact", invite))[1]  # type: ignore[index]
        refer = (
            f"REFER {contact} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bKrefer\r\n"
            f"Max-Forwards: 70\r\nFrom: {header('To', ack)}\r\nTo: {header('From', ack)}\r\n"
            f"Call-ID: {header('Call-ID', ack)}\r\nCSeq: 1 REFER\r\nContact: <sip:line@127.0.0.1:{self.port}>\r\n"
            f"Refer-To: <{self.refer}>\r\nContent-Length: 0\r\n\r\n"
        )
        self._sip.sendto(refer.encode(), peer)

    def _speak(self) -> None:
        """Sends the frames that are due."""
        if self._audio is None:
            return
        where, since = self._audio
        while self._audio is not None and self._sent * 0.02 < time.monotonic() - since:
            head = b"\x80\x08" + self._sent.to_bytes(2, "big") + (self._sent * 160).to_bytes(4, "big") + b"line"
            self._rtp.sendto(head + FRAME, where)
            self._sent += 1
