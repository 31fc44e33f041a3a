"""The capture against real sockets on loopback: what it stamps, what it leaves out, that nothing is lost."""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from probes.voice.wire.bpf import RANGES, merged, program
from probes.voice.wire.capture import SWITCH, Capture, placed, unavailable, wall_offset
from probes.voice.wire.copies import Copies
from probes.voice.wire.datagram import Datagram
from probes.voice.wire.ports import SIZE, reserve

pytestmark = pytest.mark.realtime


class Heard:
    """Keeps what a capture hands on."""

    def __init__(self) -> None:
        self.all: list[Datagram] = []
        self._more: queue.SimpleQueue[None] = queue.SimpleQueue()

        self.until_when = 0.0
        self.latest: list[float] = []  # how long before the last promise a packet was stamped that came after it

    def __call__(self, batch: list[Datagram], until: float) -> None:
        self.latest += [self.until_when - datagram.t for datagram in batch]
        self.until_when = until
        self.all += batch
        self._more.put(None)

    def until(self, ready: Callable[[list[Datagram]], bool], seconds: float = 5.0) -> list[Datagram]:
        """Returns all once ``ready`` says so."""
        end = time.monotonic() + seconds
        while not ready(self.all):
            self._more.get(timeout=max(0.0, end - time.monotonic()))
        return self.all


def udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def one(port: int) -> range:
    return range(port, port + 1)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def capture(heard: Heard) -> Iterator[Capture]:
    made = Capture.open(heard)
    assert made is not None, unavailable()
    yield made
    made.close()


def test_stamps_are_those_of_the_sender(capture: Capture, heard: Heard) -> None:
    with udp() as far, udp() as ours:
        port = ours.getsockname()[1]
        capture.watch([one(port)])
        sent = {}
        for number in range(200):
            sent[f"{number}".encode()] = time.monotonic_ns() / 1e9
            far.sendto(f"{number}".encode(), ("127.0.0.1", port))
            ours.recv(100)
        found = heard.until(lambda all_: len(all_) >= len(sent))

    assert [datagram.payload for datagram in found] == list(sent), "each once, in order"
    late = np.array([datagram.t - sent[datagram.payload] for datagram in found])
    assert 0 <= np.median(late) <= 0.0002
    assert np.percentile(late, 95) <= 0.001
    assert {d.target[1] for d in found} == {port}


def test_a_busy_reader_changes_no_stamp(capture: Capture, heard: Heard) -> None:
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    spinner = threading.Thread(target=spin)
    with udp() as far, udp() as ours:
        capture.watch([one(ours.getsockname()[1])])
        spinner.start()
        try:
            sent = []
            for number in range(100):
                sent.append(time.monotonic_ns() / 1e9)
                far.sendto(bytes([number]), ours.getsockname())
            found = heard.until(lambda all_: len(all_) >= 100)
        finally:
            stop.set()
            spinner.join()
    late = [datagram.t - at for datagram, at in zip(found, sent, strict=True)]
    assert 0 <= np.median(late) <= 0.0002


def test_what_is_not_watched_is_not_seen(capture: Capture, heard: Heard) -> None:
    with udp() as far, udp() as ours, udp() as other, udp() as later:
        far.sendto(b"before", ours.getsockname())
        capture.watch([one(ours.getsockname()[1])])
        far.sendto(b"other", other.getsockname())
        far.sendto(b"mine", ours.getsockname())
        ours.sendto(b"from mine", other.getsockname())
        heard.until(lambda all_: len(all_) >= 2)
        capture.watch([one(later.getsockname()[1])])
        far.sendto(b"later", later.getsockname())
        far.sendto(b"mine still", ours.getsockname())
        heard.until(lambda all_: len(all_) >= 4)

    assert [datagram.payload for datagram in heard.all] == [b"mine", b"from mine", b"later", b"mine still"]


def test_tcp_is_captured_without_its_empty_segments(capture: Capture, heard: Heard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        capture.watch([one(port)])
        with socket.create_connection(("127.0.0.1", port)) as client:
            peer, _ = server.accept()
            with peer:
                client.sendall(b"there")
                assert peer.recv(10) == b"there"
                peer.sendall(b"back")
                assert client.recv(10) == b"back"
        found = heard.until(lambda all_: len(all_) >= 2)
    assert [(d.payload, d.protocol, d.target[1] == port) for d in found] == [
        (b"there", "tcp", True),
        (b"back", "tcp", False),
    ]


def test_later_fragments_and_other_protocols_stay_out(capture: Capture, heard: Heard) -> None:
    with udp() as ours, socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        port = ours.getsockname()[1]
        capture.watch([one(port)])
        body = struct.pack("!HHHH", port, port, 12, 0) + b"text"  # to look at, from and to our port
        home = socket.inet_aton("127.0.0.1")
        for fragment, protocol in ((0, 253), (185, socket.IPPROTO_UDP), (0, socket.IPPROTO_UDP)):
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0) + home + home
            raw.sendto(head + body, ("127.0.0.1", 0))
        found = heard.until(lambda all_: len(all_) >= 1)
    assert [datagram.payload for datagram in found] == [b"text"]
    assert found[0].packet[9] == socket.IPPROTO_UDP
    assert found[0].packet[6:8] == bytes(2)


def test_two_thousand_packets_a_second_are_all_there(capture: Capture, heard: Heard) -> None:
    with udp() as far, udp() as ours:
        capture.watch([one(ours.getsockname()[1])])
        start = time.monotonic()
        for number in range(4000):
            while time.monotonic() < start + number / 2000:
                pass
            far.sendto(number.to_bytes(2, "big") + bytes(170), ours.getsockname())
        found = heard.until(lambda all_: len(all_) >= 4000)
    assert [int.from_bytes(d.payload[:2], "big") for d in found] == list(range(4000))
    assert capture.dropped == 0
    assert max(heard.latest) < 0.1, "nothing comes long after everything was said to have come"


def test_what_came_before_the_end_is_handed_on(heard: Heard) -> None:
    capture = Capture.open(heard)
    assert capture is not None, unavailable()
    with udp() as far, udp() as ours:
        capture.watch([one(ours.getsockname()[1])])
        far.sendto(b"first", ours.getsockname())
        heard.until(lambda all_: len(all_) >= 1)
        before = time.monotonic()
        capture.close()
        assert time.monotonic() - before < 0.5
        capture.close()
    assert "capture" not in {thread.name for thread in threading.enumerate()}


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    monkeypatch.setenv(SWITCH, "off")
    assert Capture.open(heard) is None
    assert unavailable() == "packets are not captured: SHOPPER_WIRE is off"


def test_what_a_bridge_and_its_port_show_came_once() -> None:
    copies = Copies()
    assert not copies.again(10.0, 3, b"packet")
    assert copies.again(10.00001, 2, b"packet"), "the card below the bridge"
    assert not copies.again(10.00002, 2, b"another")
    assert not copies.again(10.001, 3, b"packet"), "twice on the same interface: it did come twice"
    assert not copies.again(10.021, 4, b"filler")
    assert copies.again(10.022, 2, b"packet"), "a little later, still known"
    assert not copies.again(10.5, 2, b"packet"), "sent again, and the first now shown by the other"
    assert not copies.again(9.0, 3, b"packet"), "a stamp out of order forgets rather than drops"


@pytest.mark.parametrize("step", [-3600.0, -0.3, -0.0005, 0.0, 0.0005, 0.3, 3600.0])
def test_stamps_stay_right_when_the_wall_clock_is_set(step: float) -> None:
    before, since, set_at, now = 1.8e9, 100.0, 100.05, 100.1
    offset = before + step
    for t in (99.97, 100.02, 100.049, 100.051, 100.09):
        wall = t + (before if t < set_at else offset)
        assert placed(wall - offset, offset, before, since, now) == pytest.approx(t, abs=0.00051)


def test_the_clocks_are_compared_without_anything_in_between() -> None:
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    spinners = [threading.Thread(target=spin) for _ in range(3)]
    for each in spinners:
        each.start()
    try:
        found = [wall_offset() for _ in range(200)]
    finally:
        stop.set()
        for each in spinners:
            each.join()
    assert np.ptp(found) < 0.0005


def test_ranges_are_merged_and_counted() -> None:
    assert merged([range(5, 7), range(1, 3), range(2, 5), range(9, 9)]) == [range(1, 7)]
    program([one(port) for port in range(0, 2 * RANGES, 2)], 1)
    with pytest.raises(ValueError, match="at most 40"):
        program([one(port) for port in range(0, 2 * RANGES + 2, 2)], 1)


def test_blocks_of_ports_are_not_shared() -> None:
    blocks = [reserve(start=3) for _ in range(3)]
    held = [block for block in blocks if block is not None]
    assert len({block.first for block in held}) == 3
    assert all(len(block.ports) == SIZE - 2 and block.first % SIZE == 0 for block in held)
    held[0].close()
    again = reserve(start=3)
    assert again is not None
    assert again.first == held[0].first, "free again"
    for block in (*held[1:], again):
        block.close()
