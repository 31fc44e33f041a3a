"""RTP as packets show it: streams, losses, jitter, changes, holes, keys; and what SDP says about it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from probes.voice.wire.datagram import Datagram
from probes.voice.wire.rtp import events, keys, reception
from probes.voice.wire.rtp_media import media_of
from probes.voice.wire.rtp_packets import counted, packets, streams
from tests.rtp_sender import FAR, MEDIA, OURS, Sender, clicks, datagram, delayed, rtp

SIP_US, SIP_FAR = ("127.0.0.1", 5070), ("127.0.0.2", 5060)


def received(sent: list[Datagram]):
    return reception(packets(sent, to=[OURS]), MEDIA)


def happened(sent: list[Datagram]):
    return events(packets(sent, to=[OURS]), MEDIA)


def spoken(seconds: float, **how) -> list[Datagram]:
    return Sender(**how).speak(clicks(seconds)).sent


def test_a_clean_stream():
    facts = received(spoken(10.0))
    assert (facts.received, facts.expected, facts.lost, facts.reordered, facts.duplicates) == (500, 500, 0, 0, 0)
    assert (facts.lost_share, facts.burst_ratio, facts.codec) == (0.0, 1.0, "PCMA/8000")
    assert facts.packet_ms == 20.0
    assert facts.jitter_ms < 0.001
    [one] = facts.streams
    assert (one.ssrc, one.address) == ("00001234", "127.0.0.2:30000")
    assert (one.first, one.last) == (1.0, pytest.approx(10.98))


def test_nothing_came():
    assert received([]).received == 0
    assert happened([]) == []


def test_losses_across_the_wrap_of_sequence_and_time_stamp():
    sent = spoken(10.0, seq=65500, ts=2**32 - 8000)
    lost = {30, 31, 32, 40, 100, 101}
    facts = received([one for row, one in enumerate(sent) if row not in lost])
    assert (facts.received, facts.expected, facts.lost) == (494, 500, 6)
    assert facts.burst_ratio == pytest.approx((1 - 6 / 500) * 2.0)
    assert facts.jitter_ms < 0.001


def test_duplicates_and_reordering():
    sent = spoken(4.0)
    sent = [*sent[:50], sent[51], sent[50], *sent[52:80], sent[79], *sent[80:]]
    shuffled = [datagram(1 + row * 0.02, one.payload) for row, one in enumerate(sent)]
    facts = received(shuffled)
    assert (facts.received, facts.reordered, facts.duplicates, facts.lost) == (200, 1, 1, 0)


def test_jitter_is_that_of_rfc_3550():
    sent = delayed(spoken(30.0), 0.010)
    rows = packets(sent, to=[OURS])
    jitter, course = 0.0, []
    for a, b in zip(range(len(rows)), range(1, len(rows))):  # noqa: B905
        step = abs((rows.t[b] - rows.t[a]) - (rows.ts[b] - rows.ts[a]) / 8000)
        jitter += (step - jitter) / 16
        course.append(jitter)
    assert received(sent).jitter_ms == pytest.approx(1000 * np.mean(course))
    assert 2.5 < received(sent).jitter_ms < 4.2  # a third of 10 ms


def test_silence_that_is_not_sent_is_neither_loss_nor_jitter():
    sent = Sender().speak(clicks(2.0)).silent(4.0).speak(clicks(2.0)).sent
    facts = received(sent)
    assert (facts.lost, facts.received) == (0, 200)
    assert facts.jitter_ms < 0.001
    [first, gap] = happened(sent)
    assert (first.kind, first.t, first.method) == ("first_audio", 1.0, "wire")
    assert (gap.kind, gap.t, gap.data) == ("rtp_gap", pytest.approx(3.0), {"seconds": 4.0})


def test_rtcp_stun_and_other_ports_are_not_rtp():
    sent = spoken(1.0)
    report = struct.pack("!BBHI", 0x80, 200, 6, 1) + bytes(20)
    others = [
        datagram(0.5, report),
        datagram(0.6, b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)),
        datagram(0.7, b"\r\n"),
        datagram(0.8, sent[0].payload, target=("127.0.0.1", 40002)),
        Datagram(0.9, FAR, OURS, "tcp", sent[0].payload, b""),
    ]
    assert received(others + sent).received == 50
    assert happened(others + sent)[0].t == 1.0


def test_a_header_with_sources_extension_and_padding():
    audio = bytes(range(160))
    plain = rtp(7, 160, audio)
    head = bytes([0x80 | 0x30 | 1]) + plain[1:12]
    full = head + b"CSRC" + b"\xbe\xde\x00\x01" + b"ext!" + audio + b"\x00\x00\x03"
    assert packets([datagram(1.0, full)], to=[OURS]).payloads == [audio]
    assert packets([datagram(1.0, head)], to=[OURS]).payloads == [b""]


def test_a_transfer_changes_the_stream():
    first = Sender().speak(clicks(2.0))
    second = Sender(t=first.t, ssrc=0x99, seq=900, ts=77).speak(clicks(2.0))
    third = Sender(t=second.t, ssrc=0x99, source=("127.0.0.3", 30002), seq=second.seq, ts=second.ts).speak(clicks(1.0))
    changes = [e for e in happened(first.sent + second.sent + third.sent) if e.kind == "stream_change"]
    assert [(e.t, e.data["changed"]) for e in changes] == [
        (pytest.approx(3.0), "ssrc"),
        (pytest.approx(5.0), "address"),
    ]
    assert [(e.data["before"], e.data["after"]) for e in changes] == [
        ("stream 1", "stream 2"),
        ("stream 2", "stream 3"),
    ]
    assert len(received(first.sent + second.sent + third.sent).streams) == 3


def test_back_from_music_to_the_same_sender():
    agent = Sender().speak(clicks(2.0)).silent(3.0)
    music = Sender(t=3.0, ssrc=0x77).speak(clicks(3.0))
    agent.speak(clicks(1.0))
    changes = [e for e in happened(sorted(agent.sent + music.sent, key=lambda one: one.t)) if e.kind == "stream_change"]
    assert [e.t for e in changes] == [pytest.approx(3.0), pytest.approx(6.0)]
    assert [(e.data["before"], e.data["after"]) for e in changes] == [
        ("stream 1", "stream 2"),
        ("stream 2", "stream 1"),
    ]


def test_two_senders_at_once_change_twice_and_not_with_every_packet():
    ringing, agent = Sender().speak(clicks(9.0)), Sender(t=3.21, ssrc=0x99).speak(clicks(3.0))
    sent = sorted(ringing.sent + agent.sent, key=lambda one: one.t)
    changes = [(e.t, e.data["after"]) for e in happened(sent) if e.kind == "stream_change"]
    assert changes == [(pytest.approx(3.21), "stream 2"), (pytest.approx(6.2), "stream 1")]


def test_a_stray_packet_changes_nothing():
    stray = datagram(1.5, rtp(5, 5, bytes(160), ssrc=0xBAD))
    assert [e.kind for e in happened([*spoken(2.0), stray])] == ["first_audio"]


def test_a_sender_that_starts_again_loses_nothing():
    before = Sender(seq=100).speak(clicks(2.0))
    after = Sender(t=before.t, seq=40000, ts=before.ts).speak(clicks(2.0))
    facts = received(before.sent + after.sent)
    assert (facts.lost, facts.received) == (0, 200)


def test_a_long_outage_is_loss():
    sent = spoken(100.0)
    facts = received(sent[:500] + sent[4500:])
    assert (facts.lost, facts.received) == (4000, 1000)


@pytest.mark.parametrize("bits", [16, 32])
def test_counting_on(bits: int):
    true = np.arange(2**bits - 5, 2**bits + 5)
    swapped = true[[0, 2, 1, *range(3, 10)]]
    assert counted(swapped % 2**bits, bits).tolist() == swapped.tolist()
    assert counted(true[:0], bits).tolist() == []


def test_keys_by_rfc_4733():
    def press(at: float, ts: int, code: int, seq: int) -> list[Datagram]:
        return [
            datagram(at + n * 0.02, rtp(seq + n, ts, bytes([code, 0, 0, 160]), kind=101, marker=n == 0), OURS, FAR)
            for n in range(5)
        ]

    sent = press(1.0, 100, 1, 0) + press(2.0, 9000, 1, 5) + press(3.0, 18000, 11, 10) + press(4.0, 30000, 15, 15)
    sent = [sent[1], *sent[2:]]  # the first packet of the first key is not there
    media = media_of([invite(), answer()])
    assert media is not None
    assert keys(packets(sent, of=media.ours), media) == [
        (pytest.approx(1.02), "1"),
        (pytest.approx(2.0), "1"),
        (pytest.approx(3.0), "#"),
        (pytest.approx(4.0), "D"),
    ]


def sdp(place: tuple[str, int], codecs: str = "8 0 101", profile: str = "RTP/AVP", more: str = "") -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {place[0]}\r\ns=-\r\nc=IN IP4 {place[0]}\r\nt=0 0\r\n"
        f"m=audio {place[1]} {profile} {codecs}\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n{more}"
    )


def message(first: str, body: str, *, call: str = "a@b", number: int = 1, length: str = "Content-Length") -> bytes:
    return f"{first}\r\nCall-ID: {call}\r\nCSeq: {number} INVITE\r\n{length}: {len(body)}\r\n\r\n{body}".encode()


def invite(body: str = sdp(OURS), **more) -> Datagram:
    return datagram(0.0, message("INVITE sip:95001@127.0.0.2 SIP/2.0", body, **more), SIP_US, SIP_FAR)


def answer(body: str = sdp(FAR, "8 101"), **more) -> Datagram:
    return datagram(0.1, message("SIP/2.0 200 OK", body, **more), SIP_FAR, SIP_US)


def test_offer_and_answer():
    media = media_of([invite(), answer(sdp(FAR, "0 96", more="a=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n"))])
    assert media is not None
    assert (media.ours, media.theirs, media.codec, media.ptime) == ((OURS,), (FAR,), "PCMU/8000", 30.0)
    assert (media.heard[101], media.spoken[96]) == ("TELEPHONE-EVENT/8000", "TELEPHONE-EVENT/8000")
    assert media.readable


def test_the_offer_alone_and_no_offer():
    media = media_of([invite()])
    assert media is not None
    assert (media.ours, media.theirs, media.codec, media.readable) == ((OURS,), (), None, True)
    assert media_of([answer()]) is None
    assert media_of([]) is None


def test_the_answer_to_an_invite_without_offer_is_in_the_ack():
    ack = datagram(0.2, message("ACK sip:95001@127.0.0.2 SIP/2.0", sdp(OURS, "0")), SIP_US, SIP_FAR)
    media = media_of([invite(""), answer(sdp(FAR, "8 0")), ack])
    assert media is not None
    assert (media.ours, media.codec) == ((OURS,), "PCMU/8000")


def test_a_re_invite_names_more_ports_and_another_call_is_another():
    moved, held = ("127.0.0.1", 40010), ("0.0.0.0", 30000)
    again = datagram(1.0, message("INVITE sip:us SIP/2.0", sdp(held)), SIP_FAR, SIP_US)
    ok = datagram(1.1, message("SIP/2.0 200 OK", sdp(moved)), SIP_US, SIP_FAR)
    other = invite(sdp(("127.0.0.1", 40020)), call="other")
    media = media_of([other, invite(), answer(), again, ok], "a@b")
    assert media is not None
    assert (media.ours, media.theirs) == ((OURS, moved), (FAR,))


@pytest.mark.parametrize(
    ("ours", "theirs", "secure"),
    [("RTP/AVP", "RTP/AVP", False), ("RTP/AVP key", "RTP/AVP", False), ("RTP/AVP key", "RTP/AVP key", True),
     ("RTP/SAVP key", "RTP/SAVP key", True), ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVP", True)],
)  # fmt: skip
def test_srtp(ours: str, theirs: str, secure: bool):
    key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:000000000000000000000000000000\r\n"
    bodies = [
        sdp(place, "8", words.split()[0], key if "key" in words else "")
        for place, words in ((OURS, ours), (FAR, theirs))
    ]
    media = media_of([invite(bodies[0]), answer(bodies[1])])
    assert media is not None
    assert (media.secure, media.readable) == (secure, not secure)


def test_another_codec_is_not_readable():
    media = media_of([invite(sdp(OURS, "9 8")), answer(sdp(FAR, "9"))])
    assert media is not None
    assert (media.codec, media.readable) == ("G722/8000", False)


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_sip_over_tcp_in_pieces_and_sent_again(size: int):
    def segments(at: float, data: bytes, source, target) -> list[Datagram]:
        ip = bytes([0x45]) + bytes(19)
        return [
            Datagram(at, source, target, "tcp", data[n : n + size], ip + struct.pack("!HHI", 1, 1, n) + bytes(12))
            for n in range(0, len(data), size)
        ]

    out = message("INVITE sip:95001@127.0.0.2 SIP/2.0", sdp(OURS), length="l")
    back = message("SIP/2.0 100 Trying", "") + message("SIP/2.0 200 OK", sdp(FAR, "0"))
    sent = segments(0.0, b"\r\n\r\n" + out, SIP_US, SIP_FAR)
    media = media_of([*sent, *sent[:1], *segments(0.1, back, SIP_FAR, SIP_US)])
    assert media is not None
    assert (media.ours, media.theirs, media.codec) == ((OURS,), (FAR,), "PCMU/8000")


def test_streams_keep_the_order_of_their_first_packet():
    late, early = Sender(t=2.0, ssrc=1).speak(clicks(1.0)), Sender(t=1.5, ssrc=9).speak(clicks(1.0))
    assert [one.ssrc for one in streams(packets(late.sent + early.sent, to=[OURS]))] == [9, 1]
