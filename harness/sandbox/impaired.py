"""A bad line in front of the sandbox's telephones (`python -m harness.sandbox.impaired`): SIP and RTP over loopback.

It stands where a session border controller stands: messages pass it both ways, and name its own ports wherever the two
sides would otherwise name theirs (Contact, and the audio's place in SDP), so the whole call stays on it. What the
centre says is then treated as `impairment` tells; keys, the caller's words and RTCP pass as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from harness.sandbox.impairment import BadLine, Impairment, babble_of
from harness.sandbox.processes import stopped
from probes.address import is_loopback
from probes.hearing.wav import read_wav
from probes.voice.layout import hurry
from probes.voice.wire.datagram import Place
from probes.voice.wire.rtp_media import describe

HOST = "127.0.0.1"
CALLERS, CALLS = 64, 64  # at once and for each process of the centre; the oldest make room
LINGER_S = 2.0  # from BYE, or a refusal, until the call's ports are closed
_AT_ONCE = 64  # datagrams read from one port before others have their turn
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_CONTACT = re.compile(rb"^(?:contact|m)[ \t]*:.*$", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^(content-length|l)([ \t]*:[ \t]*)\d+", re.IGNORECASE | re.MULTILINE)
_REFUSED = re.compile(rb"SIP/2\.0 [3-6]\d\d .*^cseq[ \t]*:[ \t]*\d+ INVITE", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_TAKEN = re.compile(rb"SIP/2\.0 2\d\d .*^cseq[ \t]*:[ \t]*\d+ INVITE", re.IGNORECASE | re.MULTILINE | re.DOTALL)
log = logging.getLogger(__name__)


class Port:
    """A UDP port on loopback; ``received`` is called with each datagram and its sender."""

    def __init__(self, received: Callable[[bytes, Place], None], number: int = 0) -> None:
        self._received, self._loop = received, asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind((HOST, number))
        except OSError:
            self._socket.close()
            raise
        self.place: Place = self._socket.getsockname()
        self._loop.add_reader(self._socket, self._read)

    def send(self, data: bytes, to: Place) -> None:
        """Sends it, unless the port is closed or the system's buffer is full: then it is lost, as on any line."""
        if self._socket.fileno() >= 0:
            try:
                self._socket.sendto(data, to)
            except OSError as error:
                log.warning("%d bytes to port %d are lost: %s", len(data), to[1], error)

    def close(self) -> None:
        """Gives the port back."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            if self._socket.fileno() < 0:
                return
            try:
                data, source = self._socket.recvfrom(65535)
            except BlockingIOError:
                return
            self._received(data, source)


def _pair(rtp: Callable[[bytes, Place], None], rtcp: Callable[[bytes, Place], None]) -> tuple[Port, Port]:
    """Opens an even port for RTP and the next one for RTCP.

    Raises:
        OSError: none of a hundred tries found two free neighbours.
    """
    for _ in range(100):
        first = Port(rtp)
        if first.place[1] % 2 == 0:
            try:
                return first, Port(rtcp, first.place[1] + 1)
            except OSError:
                log.debug("port %d is taken", first.place[1] + 1)
        first.close()
    raise OSError("no two UDP ports beside each other are free")


class Audio:
    """The audio of one call: a pair of ports for each side, and where each side wants to hear."""

    def __init__(self, line: BadLine) -> None:
        self.line, self.answered = line, False
        self.caller: Place | None = None
        self.centre: Place | None = None
        self.ending: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._inner = _pair(self._said, lambda data, _: self._report(self._outer[1], data, self.caller))
        self._outer = _pair(self._answer, lambda data, _: self._report(self._inner[1], data, self.centre))

    def place(self, sdp: bytes, by_caller: bool) -> bytes:
        """Notes where one side wants to hear, and returns its words with our own port instead."""
        said = describe(sdp.decode("utf-8", "replace"))
        if said is not None and said.place is not None:
            if by_caller:
                self.caller = said.place
            else:
                self.centre = said.place
        return at_port(sdp, (self._inner if by_caller else self._outer)[0].place[1])

    def close(self) -> None:
        """Closes its ports."""
        if self.ending is not None:
            self.ending.cancel()
        for port in (*self._inner, *self._outer):
            port.close()

    def _said(self, data: bytes, _: Place) -> None:
        """A packet of the centre's."""
        if self.caller is None:
            return
        now = self._loop.time()
        taken = self.line.take(data, now)
        if taken is None:
            return
        due, packet = taken
        if due <= now:
            self._outer[0].send(packet, self.caller)
        else:
            self._loop.call_at(due, self._outer[0].send, packet, self.caller)

    def _answer(self, data: bytes, _: Place) -> None:
        if self.centre is not None:
            self._inner[0].send(data, self.centre)

    def _report(self, by: Port, data: bytes, to: Place | None) -> None:
        if to is not None:
            by.send(data, (to[0], to[1] + 1))


def at_port(sdp: bytes, port: int) -> bytes:
    """Returns ``sdp`` with its audio at our ``port``; a stream that is refused or on hold stays so."""
    sdp = re.sub(rb"^(m=audio )[1-9]\d*", rb"\g<1>%d" % port, sdp, flags=re.MULTILINE)
    sdp = re.sub(rb"^(c=IN IP4 )(?!0\.0\.0\.0)[\d.]+", rb"\g<1>" + HOST.encode(), sdp, flags=re.MULTILINE)
    return re.sub(rb"^a=rtcp:\d+[^\r\n]*", b"a=rtcp:%d IN IP4 %s" % (port + 1, HOST.encode()), sdp, flags=re.MULTILINE)


class Front:
    """Stands before one process of the centre: a port that callers dial, and a port behind it for each of them."""

    def __init__(self, far: Place, line: Callable[[int], BadLine]) -> None:
        """Listens.

        Args:
            far: the centre's process.
            line: gives the line of the n-th call, counted from 1.
        """
        self.far, self._line, self._count = far, line, 0
        self._front = Port(self._from_caller)
        self._behind: dict[Place, Port] = {}
        self._calls: dict[bytes, Audio] = {}

    @property
    def address(self) -> str:
        """What callers dial: ``host:port``."""
        return _address(self._front.place)

    def close(self) -> None:
        """Closes every port."""
        for port in (self._front, *self._behind.values()):
            port.close()
        for audio in self._calls.values():
            audio.close()

    def _from_caller(self, data: bytes, caller: Place) -> None:
        behind = self._behind.get(caller)
        if behind is None:
            if len(self._behind) == CALLERS:
                self._behind.pop(next(iter(self._behind))).close()
            behind = self._behind[caller] = Port(lambda answer, _: self._from_centre(answer, caller))
        behind.send(self._passed(data, caller, behind.place, by_caller=True), self.far)

    def _from_centre(self, data: bytes, caller: Place) -> None:
        self._front.send(self._passed(data, self.far, self._front.place, by_caller=False), caller)

    def _passed(self, data: bytes, theirs: Place, ours: Place, *, by_caller: bool) -> bytes:
        """Returns a message as it leaves us."""
        head, blank, body = data.partition(b"\r\n\r\n")
        named = _CALL_ID.search(head)
        if not blank or named is None:
            return data  # a keep-alive
        own = re.compile(re.escape(_address(theirs).encode()) + rb"(?!\d)")
        head = _CONTACT.sub(lambda line: own.sub(_address(ours).encode(), line[0]), head)
        if b"m=audio " in body:
            body = self._audio(named[1]).place(body, by_caller)
            head = _LENGTH.sub(rb"\g<1>\g<2>%d" % len(body), head)
        self._follow(named[1], head)
        return head + blank + body

    def _audio(self, call: bytes) -> Audio:
        audio = self._calls.get(call)
        if audio is None:
            if len(self._calls) == CALLS:
                self._end(next(iter(self._calls)))
            self._count += 1
            audio = self._calls[call] = Audio(self._line(self._count))
        if audio.ending is not None and not audio.answered:  # refused for want of a password, and placed again
            audio.ending.cancel()
            audio.ending = None
        return audio

    def _follow(self, call: bytes, head: bytes) -> None:
        """Closes the ports of a call that ends."""
        audio = self._calls.get(call)
        if audio is None or audio.ending is not None:
            return
        audio.answered = audio.answered or _TAKEN.match(head) is not None
        if head.startswith(b"BYE ") or (not audio.answered and _REFUSED.match(head)):
            audio.ending = asyncio.get_running_loop().call_later(LINGER_S, self._end, call)

    def _end(self, call: bytes) -> None:
        self._calls.pop(call).close()


def _address(place: Place) -> str:
    return f"{place[0]}:{place[1]}"


async def serve(args: argparse.Namespace, impairment: Impairment) -> None:
    """Runs until stdin closes or SIGTERM comes."""
    hurry()
    babble = None
    if impairment.snr_db is not None and impairment.noise == "babble":
        recordings = await asyncio.to_thread(lambda: [read_wav(path) for path in sorted(args.recordings.glob("*.wav"))])
        babble = babble_of(recordings)

    def line(name: str) -> Callable[[int], BadLine]:
        return lambda count: BadLine(impairment, f"{args.seed}:{name}:{count}", babble)

    fronts = {name: Front(far, line(name)) for name, far in args.far}
    waiting = args.port_file.with_suffix(".part")
    addresses = {name: front.address for name, front in fronts.items()}
    waiting.write_text(json.dumps({"addresses": addresses, "pid": os.getpid()}))
    waiting.replace(args.port_file)
    await stopped()
    for front in fronts.values():
        front.close()


def _far(text: str) -> tuple[str, Place]:
    """Reads NAME=HOST:PORT; anywhere but this machine is refused."""
    name, _, address = text.partition("=")
    host, _, port = address.rpartition(":")
    if not (name and is_loopback(host) and port.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=127.0.0.1:PORT")
    return name, (host, int(port))


def options_of(impairment: Impairment) -> list[str]:
    """Returns the options that make the process treat packets so."""
    given = impairment.model_dump(exclude_none=True)
    reorder = ["--reorder"] if given.pop("reorder") else []
    return [f"--{key.replace('_', '-')}={value}" for key, value in given.items()] + reorder


def options(given: list[str] | None = None) -> tuple[argparse.Namespace, Impairment]:
    """Reads the options; wrong ones end the process with 2 and the reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--far", type=_far, action="append", required=True, metavar="NAME=127.0.0.1:PORT")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recordings", type=Path, help="what a babble is made of")
    parser.add_argument("--snr-db", type=float, help="noise so far below active speech")
    parser.add_argument("--noise", choices=["white", "babble"], default="white")
    parser.add_argument("--loss", type=float, default=0.0, help="share of packets")
    parser.add_argument("--burst", type=float, default=1.0, help="packets lost in a row, on average")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="packets are late by 0 to so many")
    parser.add_argument("--reorder", action="store_true", help="late packets may be overtaken")
    args = parser.parse_args(given)
    try:
        impairment = Impairment(**{key: getattr(args, key) for key in Impairment.model_fields})
    except ValidationError as error:
        parser.error("; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors()))
    if impairment.noise == "babble" and not (args.recordings and any(args.recordings.glob("*.wav"))):
        parser.error("--noise babble wants --recordings with *.wav in it")
    return args, impairment


def main() -> None:
    """Reads the options and serves."""
    args, impairment = options()
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(args, impairment))


if __name__ == "__main__":
    main()
