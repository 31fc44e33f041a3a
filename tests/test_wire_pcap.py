"""A call's packets on disk: in session time, whole, without secrets, and readable when cut off."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from probes.voice.wire.datagram import Datagram
from probes.voice.wire.pcap import PcapWriter, masked, read_pcap
from scenarios.errors import RunError
from tests.wire_packets import FAR, US, sip, tcp, udp

ANCHOR = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
MONOTONIC = 5000.25
DIGEST = 'Authorization: Digest username="audit", realm="x", nonce="n1", response="0123456789abcdef", cnonce="c9"'
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r\n"


def kept(path: Path, *packets: Datagram) -> list[Datagram]:
    with PcapWriter(path, ANCHOR, MONOTONIC) as writer:
        writer.write(packets)
    return read_pcap(path, ANCHOR)


def test_file_time_minus_the_anchor_is_session_time(tmp_path: Path) -> None:
    sent = [udp(MONOTONIC + t, US, FAR, b"\x80\x08" + bytes(170)) for t in (0.0, 1.5, 1.500000123, 86400.0)]
    found = kept(tmp_path / "call.pcap", *sent)

    assert [one.t for one in found] == pytest.approx([0.0, 1.5, 1.500000123, 86400.0], abs=2e-9)
    assert [one.packet for one in found] == [one.packet for one in sent]
    assert [(one.source, one.target, one.payload) for one in found] == [(US, FAR, one.payload) for one in sent]


@pytest.mark.parametrize("make", [udp, tcp])
def test_secrets_are_zeros_and_all_else_stays(tmp_path: Path, make: Callable[..., Datagram]) -> None:
    text = sip("INVITE sip:95001@127.0.0.2", 2, "INVITE", DIGEST, body=CRYPTO)
    [found] = kept(tmp_path / "call.pcap", make(MONOTONIC, US, FAR, text))

    expected = text.replace(b"0123456789abcdef", b"0" * 16)
    assert found.payload == expected.replace(b"d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", b"0" * 40)
    assert b'nonce="n1"' in found.payload
    assert b'cnonce="c9"' in found.payload
    if make is udp:
        assert found.packet[26:28] == b"\0\0", "no checksum rather than a wrong one"


@pytest.mark.parametrize("line", ["Proxy-Authorization: Digest response = ab12", "AUTHORIZATION: Basic dXNlcjpwYXNz"])
def test_other_spellings_of_a_secret(line: str) -> None:
    packet = masked(udp(0, US, FAR, sip("REGISTER sip:127.0.0.2", 1, "REGISTER", line)))
    assert b"ab12" not in packet
    assert b"dXNlcjpwYXNz" not in packet


def test_a_secret_that_two_segments_share_is_masked_in_both(tmp_path: Path) -> None:
    text = sip("INVITE sip:95001@127.0.0.2", 2, "INVITE", DIGEST)
    start, size = text.index(b"response="), len(b'response="0123456789abcdef"')
    for cut in range(start - 1, start + size + 1):
        first = tcp(MONOTONIC, US, FAR, text[:cut], 1000)
        second = tcp(MONOTONIC, US, FAR, text[cut:], 1000 + cut)
        found = kept(tmp_path / "call.pcap", first, second)
        assert b"".join(one.payload for one in found) == text.replace(b"0123456789abcdef", b"0" * 16), cut


def test_what_carries_no_secret_keeps_its_checksum() -> None:
    one = udp(0, US, FAR, sip("BYE sip:95001@127.0.0.2", 3, "BYE"))
    assert masked(one) is one.packet


def test_a_file_that_was_cut_off_can_be_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    writer = PcapWriter(path, ANCHOR, MONOTONIC)
    assert read_pcap(path, ANCHOR) == [], "from the first byte on"
    writer.write([udp(MONOTONIC + n, US, FAR, bytes([n])) for n in range(3)])
    assert len(read_pcap(path, ANCHOR)) == 3, "before it is closed"
    whole = path.read_bytes()
    for size in range(24, len(whole)):
        path.write_bytes(whole[:size])
        assert len(read_pcap(path, ANCHOR)) == (size - 24) // 45
    writer.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cut off in its first bytes"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "not the file that the call wrote"),
        (bytes.fromhex("4d3cb2a1") + bytes(20), "not the file that the call wrote"),
        (None, "damaged at byte 24"),
    ],
)
def test_damage_is_told_with_the_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "call.pcap"
    kept(path, udp(MONOTONIC, US, FAR, b"x"))
    path.write_bytes(path.read_bytes()[:24] + b"\xff" * 60 if content is None else content)
    with pytest.raises(RunError, match=words) as error:
        read_pcap(path, ANCHOR)
    assert error.value.file == path


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        read_pcap(tmp_path / "call.pcap", ANCHOR)


def test_the_ladder_as_others_read_it(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    kept(
        path,
        udp(MONOTONIC + 0.25, US, FAR, sip("INVITE sip:95001@127.0.0.2", 1, "INVITE")),
        udp(MONOTONIC + 0.5, FAR, US, sip("SIP/2.0 180 Ringing", 1, "INVITE")),
    )
    magic, major, minor, _, _, _, link = struct.unpack("<IHHiIII", path.read_bytes()[:24])
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 101), "nanoseconds, and packets begin with IP"
    if shutil.which("tshark") is not None:  # where Wireshark is installed it has the last word
        command = ["tshark", "-r", str(path), "-d", "udp.port==5070,sip", "-T", "json"]
        rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        times = [float(row["_source"]["layers"]["frame"]["frame.time_epoch"]) for row in rows]
        assert times == pytest.approx([ANCHOR.timestamp() + 0.25, ANCHOR.timestamp() + 0.5], abs=1e-6)
        assert all("sip" in row["_source"]["layers"] for row in rows)
