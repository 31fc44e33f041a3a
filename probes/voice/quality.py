"""How good a call sounds, estimated from what the network did to it: the E-model (ITU-T G.107, 06/2015).

R = Ro - Is - Id - Ie,eff + A, on a scale from 0 to 100; MOS-CQE follows from R. All functions are pure. Delays are in
milliseconds, loss is a share from 0 to 1 except ``Ppl``, which is in per cent as in the recommendation. The names of
:class:`Parameters` are those of G.107, Table 1, in small letters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from probes.session import Record


@dataclass(frozen=True)
class Parameters:
    """The input of the E-model, with the default values of G.107."""

    slr: float = 8.0  # dB, send loudness rating
    rlr: float = 2.0  # dB, receive loudness rating
    stmr: float = 15.0  # dB, sidetone masking rating
    ds: float = 3.0  # D-value of the telephone, send side
    dr: float = 3.0  # D-value of the telephone, receive side
    telr: float = 65.0  # dB, talker echo loudness rating
    wepl: float = 110.0  # dB, weighted echo path loss
    t: float = 0.0  # ms, mean one-way delay of the echo path
    tr: float = 0.0  # ms, round-trip delay in the four-wire loop
    ta: float = 0.0  # ms, one-way delay from mouth to ear
    qdu: float = 1.0  # quantisation distortion units
    ie: float = 0.0  # equipment impairment factor
    bpl: float = 4.3  # packet-loss robustness factor
    ppl: float = 0.0  # %, packets lost
    burst_r: float = 1.0  # 1 where losses come singly at random, more where they come together
    nc: float = -70.0  # dBm0p, circuit noise referred to the 0 dBr point
    nfor: float = -64.0  # dBmp, noise floor at the receive side
    ps: float = 35.0  # dB(A), room noise at the send side
    pr: float = 35.0  # dB(A), room noise at the receive side
    mt: float = 100.0  # ms, delay that is not noticed
    st: float = 1.0  # how sensitive the user is to delay
    a: float = 0.0  # advantage factor


@dataclass(frozen=True)
class Codec:
    """What G.113, Appendix I says of a codec; ``note`` says where it stops saying."""

    ie: float
    bpl: float
    bpl_concealed: float | None = None  # with packet-loss concealment, where the appendix lists it apart
    note: str = ""


# By the name that SDP uses, in capital letters. What the appendix does not list is left out: it has no estimate.
CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "PCMA": Codec(0.0, 4.3, 25.1),
        "PCMU": Codec(0.0, 4.3, 25.1),
        "G722": Codec(0.0, 4.3, 25.1, "counted as G.711: heard at 8 kHz, on the narrowband scale"),
        "GSM": Codec(20.0, 4.3, None, "G.113 has no Bpl for it: the default of G.107, 4.3, which is the least robust"),
        "G729": Codec(11.0, 19.0, None, "counted as G.729A with voice activity detection"),
        "G723": Codec(15.0, 16.1, None, "counted as G.723.1 at 6.3 kbit/s with voice activity detection"),
    }
)
PACKET_MS = 20.0


class Quality(Record):
    """The quality of one call in the direction that we hear. An estimate, never a measurement of what was said."""

    kind: Literal["estimate"] = "estimate"
    r: float | None = Field(description="None: there is no figure for this codec")
    mos_cqe: float | None
    loss: float = Field(ge=0, le=1, description="share of the packets that did not come")
    burst_ratio: float = Field(ge=0)
    jitter_ms: float = Field(ge=0)
    delay_ms: float = Field(ge=0, description="one way, mouth to ear")
    delay_known: bool = Field(description="False: without a round-trip time, so that R is an upper bound")
    codec: str
    note: str = ""


def _sum_db(*levels: float) -> float:
    return 10 * math.log10(sum(math.pow(10, level / 10) for level in levels))


def _bend(x: float, power: float) -> float:
    """Returns about 1 below 1 and about x above: how G.107 joins two straight lines."""
    return float((1 + x**power) ** (1 / power))


def noise(p: Parameters) -> float:
    """Returns No: all noise at the 0 dBr point, dBm0p."""
    olr, lstr = p.slr + p.rlr, p.stmr + p.dr
    room_send = p.ps - p.slr - p.ds - 100 + 0.004 * (p.ps - olr - p.ds - 14) ** 2
    effective = p.pr + 10 * math.log10(1 + 10 ** ((10 - lstr) / 10))
    room_receive = p.rlr - 121 + effective + 0.008 * (effective - 35) ** 2
    return _sum_db(p.nc, room_send, room_receive, p.nfor + p.rlr)


def basic_ratio(p: Parameters) -> float:
    """Returns Ro: the signal-to-noise ratio."""
    return 15 - 1.5 * (p.slr + noise(p))


def _sidetone(p: Parameters) -> float:
    """Returns Ist."""
    echoed = -10 * math.log10(10 ** (-p.stmr / 10) + math.exp(-p.t / 4) * 10 ** (-p.telr / 10))
    return (
        12 * _bend((echoed - 13) / 6, 8) - 28 * _bend((echoed + 1) / 19.4, 35) - 13 * _bend((echoed - 3) / 33, 13) + 29
    )


def simultaneous(p: Parameters) -> float:
    """Returns Is: what spoils the voice while it speaks (too loud, sidetone, quantisation)."""
    x = p.slr + p.rlr + 0.2 * (64 + noise(p) - p.rlr)
    too_loud = 20 * (_bend(x / 8, 8) - x / 8)
    q = 37 - 15 * math.log10(p.qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (basic_ratio(p) - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    return too_loud + _sidetone(p) + 15 * math.log10(1 + 10**y + 10**z)


def delay_alone(p: Parameters) -> float:
    """Returns Idd: what the delay alone spoils, even where every echo is cancelled."""
    if p.ta <= p.mt:
        return 0.0
    x, power = math.log2(p.ta / p.mt), 6 * p.st
    return 25 * (_bend(x, power) - 3 * _bend(x / 3, power) + 2)


def delayed(p: Parameters) -> float:
    """Returns Id: talker echo, listener echo and delay."""
    heard = p.telr - 40 * math.log10((1 + p.t / 10) / (1 + p.t / 150)) + 6 * math.exp(-0.3 * p.t**2)
    if p.stmr < 9:
        heard += _sidetone(p) / 2
    without, with_echo = -1.5 * (noise(p) - p.rlr), 80 + 2.5 * (heard - 14)
    half = (without - with_echo) / 2
    talker = (half + math.sqrt(half**2 + 100) - 1) * (1 - math.exp(-p.t))
    if p.stmr > 20:
        talker = math.hypot(talker, _sidetone(p))
    half = (basic_ratio(p) - 10.5 * (p.wepl + 7) * (p.tr + 1) ** -0.25) / 2
    listener = half + math.sqrt(half**2 + 169)
    return float(talker + listener + delay_alone(p))


def equipment(p: Parameters) -> float:
    """Returns Ie,eff: the codec, and what packet loss does to it."""
    return p.ie + (95 - p.ie) * p.ppl / (p.ppl / p.burst_r + p.bpl)


def rating(p: Parameters | None = None) -> float:
    """Returns R; 93.2 for the default values."""
    p = p or Parameters()
    return basic_ratio(p) - simultaneous(p) - delayed(p) - equipment(p) + p.a


def mos_cqe(r: float) -> float:
    """Returns the estimated mean opinion score, 1 to 4.5.

    The polynomial of G.107 dips a hundredth below 1 for R under 6.5; there the score is 1, the end of its scale.
    """
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def loss_pattern(arrived: NDArray[np.bool_]) -> tuple[float, float]:
    """Measures how much was lost and how much of it together.

    Args:
        arrived: for every packet that was sent, in the order of sending, whether it came; shape ``(n,)``.

    Returns:
        The share that was lost, and BurstR: the mean length of a loss, over what it would be if every packet were
        lost by itself; 1 where nothing or everything was lost.
    """
    lost = ~np.asarray(arrived, np.bool_)
    share = float(np.mean(lost)) if len(lost) else 0.0
    if not 0 < share < 1:
        return share, 1.0
    losses = np.count_nonzero(np.diff(np.concatenate(([0], lost.astype(np.int8)))) == 1)
    return share, float(np.count_nonzero(lost) / losses * (1 - share))


def one_way_delay(round_trip_ms: float | None, jitter_ms: float, packet_ms: float = PACKET_MS) -> float:
    """Estimates the delay from mouth to ear: half the way there and back, a packet, a buffer of twice the jitter."""
    return (round_trip_ms or 0.0) / 2 + packet_ms + 2 * jitter_ms


def estimate(
    codec: str,
    *,
    loss: float,
    burst_ratio: float = 1.0,
    jitter_ms: float = 0.0,
    round_trip_ms: float | None = None,
    packet_ms: float = PACKET_MS,
    concealed: bool = True,
) -> Quality:
    """Estimates the quality of a call.

    Args:
        codec: its name in SDP, in small or capital letters.
        loss: share of the packets that did not come, or came too late to be played.
        burst_ratio: BurstR of :func:`loss_pattern`; below 1 (losses spread more evenly than chance) counts as 1.
        jitter_ms: interarrival jitter (RFC 3550).
        round_trip_ms: of the packets; None if it is not known: then R is what it would be without any distance.
        packet_ms: sound in one packet.
        concealed: the listener's telephone conceals losses, as nearly all do; counts for G.711 and G.722 only.

    Raises:
        ValueError: a figure is out of its range.
    """
    if not 0 <= loss <= 1 or burst_ratio < 0 or jitter_ms < 0 or (round_trip_ms or 0) < 0:
        raise ValueError(f"loss {loss}, burst ratio {burst_ratio}, jitter {jitter_ms}, round trip {round_trip_ms}")
    delay = one_way_delay(round_trip_ms, jitter_ms, packet_ms)
    known, r, note = CODECS.get(codec.upper()), None, f"neither G.107 nor G.113 has figures for {codec}"
    if known is not None:
        bpl = known.bpl_concealed if concealed and known.bpl_concealed is not None else known.bpl
        given = replace(
            Parameters(), ta=delay, ie=known.ie, bpl=bpl, ppl=100 * loss, burst_r=max(1.0, burst_ratio)
        )  # fmt: skip
        r, note = rating(given), known.note
    return Quality(
        r=None if r is None else round(min(100.0, max(0.0, r)), 1),
        mos_cqe=None if r is None else round(mos_cqe(r), 2),
        loss=loss,
        burst_ratio=burst_ratio,
        jitter_ms=jitter_ms,
        delay_ms=delay,
        delay_known=round_trip_ms is not None,
        codec=codec,
        note=note,
    )
