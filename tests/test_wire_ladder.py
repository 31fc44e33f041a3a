"""Signalling from packets: which message is which step of which call."""

from __future__ import annotations

import itertools

import pytest

from probes.voice.wire.datagram import Datagram, parse
from probes.voice.wire.ladder import Ladder
from probes.voice.wire.sip import Messages, call_id
from tests.wire_packets import CALL, FAR, US, sip, tcp, udp

CARRIER, CENTRE = ("127.0.0.2", 39999), ("127.0.0.3", 5060)
INVITE = sip("INVITE sip:95001@127.0.0.2", 1, "INVITE")
RINGS, CONNECTS = sip("SIP/2.0 180 Ringing", 1, "INVITE"), sip("SIP/2.0 200 OK", 1, "INVITE")


def ladder(*packets: Datagram) -> Ladder:
    made, messages = Ladder(), Messages()
    for one in packets:
        for message in messages.take(one):
            if message.call_id == CALL:
                made.take(message)
    return made


def out(t: float, text: bytes) -> Datagram:
    return udp(t, US, FAR, text)


def in_(t: float, text: bytes) -> Datagram:
    return udp(t, FAR, US, text)


def test_a_call_from_the_invite_to_the_bye() -> None:
    made = ladder(
        out(1.0, INVITE),
        out(1.5, INVITE),  # sent again
        in_(1.6, sip("SIP/2.0 100 Trying", 1, "INVITE")),
        in_(2.0, RINGS),
        in_(2.5, sip("SIP/2.0 183 Session Progress", 1, "INVITE")),
        in_(3.0, CONNECTS),
        in_(3.5, CONNECTS),  # sent again
        out(3.6, sip("ACK sip:95001@127.0.0.2", 1, "ACK")),
        in_(5.0, sip("INVITE sip:us@127.0.0.1", 7, "INVITE")),
        out(5.1, sip("SIP/2.0 200 OK", 7, "INVITE")),
        in_(6.0, sip("REFER sip:us@127.0.0.1", 8, "REFER")),
        out(6.5, sip("INFO sip:95001@127.0.0.2", 2, "INFO")),
        in_(9.0, sip("BYE sip:us@127.0.0.1", 9, "BYE")),
        out(9.1, sip("SIP/2.0 200 OK", 9, "BYE")),
    )
    assert [(step.t, step.what, step.ours) for step in made.steps] == [
        (1.0, "invite", True),
        (2.0, "ringing", False),
        (2.5, "early_media", False),
        (3.0, "connected", False),
        (5.0, "reinvite", False),
        (6.0, "refer", False),
        (6.5, "info", True),
        (9.0, "bye", False),
    ]
    assert (made.invite, made.ringing, made.early_media, made.connected) == (1.0, 2.0, 2.5, 3.0)
    assert made.refused is None
    assert made.bye is not None
    assert not made.bye.ours


def test_a_challenge_is_no_refusal_until_nothing_follows() -> None:
    packets = [out(1.0, INVITE), in_(1.1, sip("SIP/2.0 407 Proxy Authentication Required", 1, "INVITE"))]
    first = ladder(*packets).refused
    assert first is not None
    assert first.code == 407
    packets.append(out(1.2, sip("INVITE sip:95001@127.0.0.2", 2, "INVITE")))
    assert ladder(*packets).refused is None
    assert ladder(*packets).invite == 1.0
    packets.append(in_(1.9, sip("SIP/2.0 486 Busy Here", 2, "INVITE")))
    last = ladder(*packets).refused
    assert last is not None
    assert (last.t, last.code) == (1.9, 486)


def test_a_call_that_we_give_up() -> None:
    made = ladder(
        out(1.0, INVITE),
        in_(2.0, RINGS),
        out(8.0, sip("CANCEL sip:95001@127.0.0.2", 1, "CANCEL")),
        in_(8.1, sip("SIP/2.0 200 OK", 1, "CANCEL")),
        in_(8.2, sip("SIP/2.0 487 Request Terminated", 1, "INVITE")),
    )
    assert made.instant("cancel", ours=True) == 8.0
    assert made.instant("connected") is None
    assert made.refused is not None
    assert made.refused.t == 8.2


def test_the_last_time_something_happened_before_an_instant() -> None:
    made = ladder(out(1.0, INVITE), in_(2.0, RINGS), in_(4.0, sip("SIP/2.0 182 Queued", 1, "INVITE")))
    assert [made.instant("ringing", before=t) for t in (1.9, 2.0, 3.9, 4.1)] == [None, 2.0, 2.0, 4.0]
    assert made.instant("ringing", ours=True) is None


def test_a_carrier_that_passes_the_call_on_is_another_leg() -> None:
    made = ladder(
        out(1.0, INVITE),
        udp(1.1, FAR, CENTRE, INVITE),
        udp(1.2, CENTRE, FAR, RINGS),
        in_(1.3, RINGS),
        udp(2.0, CENTRE, FAR, CONNECTS),
        in_(2.1, CONNECTS),
    )
    assert [step.t for step in made.steps] == [1.0, 1.3, 2.1]


def test_other_peoples_messages_before_our_invite_are_not_ours() -> None:
    made = ladder(in_(0.5, RINGS), out(1.0, INVITE))
    assert [step.what for step in made.steps] == ["invite"]


def test_tcp_is_put_together_whatever_the_segments() -> None:
    ring = sip("SIP/2.0 180 Ringing", 1, "INVITE", "Content-Type: text/plain", body="SIP/2.0 200 OK\r\n\r\n")
    stream = ring + b"\r\n\r\n" + CONNECTS  # a keep-alive in between
    for first, second in itertools.combinations(range(1, len(stream), 7), 2):
        cuts = [stream[:first], stream[first:second], stream[second:]]
        places = [1000, 1000 + first, 1000 + second]
        made = ladder(
            tcp(1.0, US, FAR, INVITE),
            *(tcp(2.0 + n, FAR, US, part, at) for n, (part, at) in enumerate(zip(cuts, places, strict=True))),
        )
        assert [step.what for step in made.steps] == ["invite", "ringing", "connected"], (first, second)
        assert made.connected == 4.0, "complete with its last segment"
        assert made.ringing == 2.0 + sum(len(ring) > cut for cut in (first, second))


def test_a_segment_sent_again_is_not_heard_twice() -> None:
    half = len(RINGS) // 2
    made = ladder(
        tcp(1.0, US, FAR, INVITE),
        tcp(2.0, FAR, US, RINGS[:half], 1000),
        tcp(2.1, FAR, US, RINGS[:half], 1000),
        tcp(2.2, FAR, US, RINGS[half:], 1000 + half),
    )
    assert made.ringing == 2.2


def test_a_connection_that_was_joined_late_is_read_from_the_next_message() -> None:
    half = len(RINGS) // 2
    made = ladder(tcp(1.0, US, FAR, INVITE), tcp(2.0, FAR, US, RINGS[half:] + CONNECTS, 5000))
    assert [step.what for step in made.steps] == ["invite", "connected"]


def test_the_first_fragment_of_a_long_invite_tells_its_instant() -> None:
    whole = out(1.0, sip("INVITE sip:95001@127.0.0.2", 1, "INVITE", body="v=0\r\n" * 400)).packet
    first = whole[:2] + (1500).to_bytes(2) + whole[4:6] + b"\x20\x00" + whole[8:1500]  # more to come
    rest = whole[:2] + (len(whole) - 1480).to_bytes(2) + whole[4:6] + (185).to_bytes(2) + whole[8:20] + whole[1500:]
    opened = parse(1.0, first)
    assert opened is not None
    assert parse(1.00001, rest) is None
    assert ladder(opened, in_(2.0, RINGS)).invite == 1.0


def test_tls_is_no_sip() -> None:
    assert (
        ladder(*(tcp(n, US, FAR, bytes([23, 3, 3, 1, 0]) + bytes(256), 1000 + 261 * n) for n in range(9))).steps == []
    )


@pytest.mark.parametrize("header", ["Call-ID: x1@h", "i:x1@h", "CALL-ID :\tx1@h "])
def test_the_call_id_in_any_spelling(header: str) -> None:
    text = f"OPTIONS sip:h SIP/2.0\r\nv: SIP/2.0/UDP h\r\n{header}\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n".encode()
    assert call_id(text) == "x1@h"
    [message] = Messages().take(udp(0, US, FAR, text))
    assert (message.call_id, message.method, message.number, message.code) == ("x1@h", "OPTIONS", 1, None)


@pytest.mark.parametrize(
    "text", [b"", b"\r\n\r\n", b"\x80\x08" + bytes(170), b"SIP/2.0 200 OK\r\n\r\n", b"GET / HTTP/1.1"]
)
def test_what_is_no_sip_is_passed_over(text: bytes) -> None:
    if text:
        assert Messages().take(udp(0, US, FAR, text)) == []
    assert call_id(text) is None
