"""Where a call's audio goes and what its payload types mean: SDP offers and answers, read from the SIP packets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from probes.hearing.telephone import Law
from probes.voice.wire.datagram import Datagram, Place
from probes.voice.wire.sip import Messages

STATIC = {0: "PCMU/8000", 3: "GSM/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000", 18: "G729/8000"}  # RFC 3551
_NOT_AUDIO = ("CN", "TELEPHONE-EVENT")
_LAWS: dict[str, Law] = {"PCMA": "a", "PCMU": "mu"}


@dataclass(frozen=True)
class Description:
    """One side's words on its audio: where it wants it, in what."""

    place: Place | None  # None: on hold, or refused
    codecs: dict[int, str]  # payload type -> "PCMA/8000", in the order of preference
    ptime: float | None  # milliseconds
    profile: str  # "RTP/AVP"
    keyed: bool  # it offers a key for SRTP


@dataclass(frozen=True)
class Media:
    """What offers and answers say about one call, from our side.

    ``ours`` are all places at which we took RTP, ``theirs`` those the far end named. ``heard`` are the payload types
    of packets to us, ``spoken`` those of packets from us; both by codec, upper case ("PCMA/8000").
    """

    ours: tuple[Place, ...]
    theirs: tuple[Place, ...] = ()
    heard: dict[int, str] = field(default_factory=lambda: dict(STATIC))
    spoken: dict[int, str] = field(default_factory=lambda: dict(STATIC))
    ptime: float = 20.0  # milliseconds, as last agreed; packets may differ
    secure: bool = False  # SRTP: the payload cannot be read
    codec: str | None = None  # agreed for audio; None while there is no answer

    @property
    def readable(self) -> bool:
        """Whether the audio, as far as agreed, is G.711 in the clear."""
        return not self.secure and (self.codec is None or law_of(self.codec) is not None)

    def codecs(self, direction: Literal["in", "out"]) -> dict[int, str]:
        """Returns the payload types of packets to us ("in") or from us ("out")."""
        return self.heard if direction == "in" else self.spoken


def law_of(codec: str) -> Law | None:
    """Returns the law of a G.711 codec at 8 kHz; None for every other codec."""
    name, _, rate = codec.partition("/")
    return _LAWS.get(name) if rate.split("/")[0] == "8000" else None


def is_audio(codec: str | None) -> bool:
    """Whether packets of this codec carry sound (an unknown payload type may); comfort noise and keys do not."""
    return codec is None or codec.partition("/")[0] not in _NOT_AUDIO


def describe(sdp: str) -> Description | None:
    """Reads the first audio stream of an SDP body; None if it has none."""
    session, *streams = re.split(r"^(?=m=)", sdp.replace("\r\n", "\n"), flags=re.MULTILINE)
    audio = next((part for part in streams if part.startswith("m=audio ")), None)
    if audio is None:
        return None
    words = audio.split("\n", 1)[0].split()
    port = words[1].split("/")[0] if len(words) > 3 else ""
    if not port.isdigit():
        return None
    maps = {int(pt): codec.upper() for pt, codec in re.findall(r"^a=rtpmap:(\d+) +(\S+)", audio, re.MULTILINE)}
    types = [int(word) for word in words[3:] if word.isdigit()]
    codecs = {pt: maps.get(pt) or STATIC[pt] for pt in types if pt in maps or pt in STATIC}
    address = re.search(r"^c=IN IP4 ([\d.]+)", audio, re.MULTILINE) or re.search(
        r"^c=IN IP4 ([\d.]+)", session, re.MULTILINE
    )
    ptime = re.search(r"^a=ptime: *(\d+(?:\.\d+)?)", audio, re.MULTILINE)
    named = address is not None and address[1] != "0.0.0.0" and int(port) > 0  # noqa: S104 - RFC 3264: on hold
    return Description(
        place=(address[1], int(port)) if named and address is not None else None,
        codecs=codecs,
        ptime=float(ptime[1]) if ptime else None,
        profile=words[2].upper(),
        keyed="\na=crypto:" in audio,
    )


def media_of(datagrams: Iterable[Datagram], call_id: str | None = None) -> Media | None:
    """Reads offers and answers of one call that we placed.

    Args:
        datagrams: in order of time; what is no SIP is passed over.
        call_id: the call; None: every message there is belongs to it.

    Returns:
        What was agreed last, with all places of the call; None if we never named a port (no SDP yet, or TLS).
    """
    us: Place | None = None
    ours: dict[Place, None] = {}
    theirs: dict[Place, None] = {}
    last: dict[bool, Description] = {}
    answer: Description | None = None
    offers: set[tuple[int, bool]] = set()  # by CSeq and side
    reader = Messages()
    for message in (whole for one in datagrams for whole in reader.take(one)):
        if call_id is not None and message.call_id != call_id:
            continue
        if us is None and message.method == "INVITE" and message.code is None:
            us = message.source
        body = message.text.partition(b"\r\n\r\n")[2]
        said = describe(body.decode("utf-8", "replace")) if us is not None and b"m=audio" in body else None
        if said is None:
            continue
        mine = message.source == us
        if message.method in ("ACK", "PRACK") or (message.code is not None and (message.number, not mine) in offers):
            answer = said
        else:
            offers.add((message.number, mine))
        last[mine] = said
        if said.place is not None:
            (ours if mine else theirs)[said.place] = None
            if mine:
                ours[(message.source[0], said.place[1])] = (
                    None  # behind NAT the packets keep the address of the machine
                )
    if not ours:
        return None
    own, far = last.get(True), last.get(False)
    audio = [codec for codec in (answer.codecs if answer else {}).values() if is_audio(codec)]
    agreed = [each for each in (own, far) if each is not None]
    return Media(
        ours=tuple(ours),
        theirs=tuple(theirs),
        heard={**STATIC, **(far.codecs if far else {}), **(own.codecs if own else {})},
        spoken={**STATIC, **(own.codecs if own else {}), **(far.codecs if far else {})},
        ptime=next((each.ptime for each in (answer, far, own) if each is not None and each.ptime), 20.0),
        secure=any("SAVP" in each.profile for each in agreed) or (len(agreed) == 2 and all(e.keyed for e in agreed)),
        codec=audio[0] if audio else None,
    )
