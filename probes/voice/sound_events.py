"""What the sound of a call shows about the line: level, clipping, dead air, one-way audio. Every one is an estimate.

Pure functions of 8 kHz audio in session time, so that a recording can be looked at again. ``data`` of each event holds
``estimate``: true. Kinds:

- ``level``: ``side`` (far|own), ``dbov`` (active speech level, ITU-T P.56), ``verdict`` (low|usual|high);
- ``clipping``: ``side``, ``seconds`` from the first flat top to the last, ``tops`` (how many);
- ``dead_air``: ``seconds``, ``sound`` (digital: nothing at all; noise: nothing but steady noise);
- ``one_way``: ``unheard`` (far: we do not hear the far end; own: it does not hear us), ``why``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probes.hearing.wav import RATE, Pcm
from probes.session import Event, Method
from probes.speaking.level import SILENT, active_level

Span = tuple[float, float]
Side = Literal["far", "own"]

LOW_DBOV, HIGH_DBOV = -36.0, -16.0  # ten to either side of the usual -26
DEAD_AIR_S = 8.0
ONE_WAY_S = 5.0  # of a connection without any sound
REACTS_S = 10.0  # whoever hears us makes some sound within it
_FULL_SCALE = 31744  # between the two highest steps of either law of G.711
_TOP_RUN = 4  # samples on end: less is what a loud, whole wave does
_TOGETHER_S = 1.0  # flat tops that lie closer are one event
_BLOCK_S = 0.5
_DIGITAL_DBOV = -75.0  # the steps of G.711 at rest are below it
_FLAT = 0.3  # of the spectrum from 300 to 3400 Hz: noise above, speech, tones and music below
_STEADY_DB = 3.0
_U = 0.25  # seconds: half a block


@dataclass(frozen=True)
class Packets:
    """How many packets of audio came and went; None: nobody counted."""

    received: int | None = None
    sent: int | None = None
    method: Method = "callback"


def sound_events(
    far: Pcm,
    own: Pcm | None,
    connected: Span | None,
    *,
    far_speech: Sequence[Span] | None = None,
    own_speech: Sequence[Span] = (),
    packets: Packets | None = None,
) -> list[Event]:
    """Finds what is wrong with the sound of one call.

    Args:
        far: the far end, int16, 8 kHz, from session time 0.
        own: what we sent, likewise; None if it was not kept.
        connected: from the 200 OK to the end, session seconds; None: there was no connection, and so no events.
        far_speech: when the far end speaks; its level is measured there. None: measured over the whole connection.
        own_speech: when we spoke.
        packets: how many there were.

    Returns:
        The events, in order of time.
    """
    if connected is None:
        return []
    packets = packets or Packets()
    blocks = _blocks(far, connected)
    found = [*clipping(far, connected, "far"), *dead_air(blocks, connected[0], own_speech)]
    found += _level(far, [connected] if far_speech is None else far_speech, "far")
    if own is not None:
        found += clipping(own, connected, "own")
        found += _level(own, own_speech, "own")
    found += _one_way(blocks, own, connected, own_speech, packets)
    return sorted(found, key=lambda event: (event.t, event.kind))


def _part(pcm: Pcm, span: Span) -> Pcm:
    return pcm[max(0, round(span[0] * RATE)) : max(0, round(span[1] * RATE))]


def _event(kind: str, t: float, method: Method = "voice", u: float = _U, **data: object) -> Event:
    return Event(kind=kind, t=round(t, 3), method=method, u=u, data={**data, "estimate": True})


# ---- level and clipping


def _level(pcm: Pcm, spans: Sequence[Span], side: Side) -> Iterator[Event]:
    parts = [_part(pcm, span) for span in spans]
    level = active_level(np.concatenate(parts)) if parts else SILENT
    if level > SILENT:
        verdict = "low" if level < LOW_DBOV else "high" if level > HIGH_DBOV else "usual"
        yield _event("level", min(span[0] for span in spans), side=side, dbov=round(level, 1), verdict=verdict)


def clipping(pcm: Pcm, span: Span, side: Side) -> list[Event]:
    """Finds flat tops at full scale. What was clipped before it was made quieter is not seen."""
    part = _part(pcm, span).astype(np.int32)
    tops: list[Span] = []
    for sign in (1, -1):
        first, last = _runs(sign * part > _FULL_SCALE)
        long = last - first >= _TOP_RUN
        tops += [(int(a) / RATE, int(b) / RATE) for a, b in zip(first[long], last[long], strict=True)]
    joined: list[tuple[float, float, int]] = []
    for start, end in sorted(tops):
        if joined and start - joined[-1][1] < _TOGETHER_S:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]), joined[-1][2] + 1)
        else:
            joined.append((start, end, 1))
    return [
        _event("clipping", span[0] + start, u=1 / RATE, side=side, seconds=round(end - start, 3), tops=number)
        for start, end, number in joined
    ]


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns where the runs of True begin, and where each has ended."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return edges[::2], edges[1::2]


# ---- dead air and one-way audio

DIGITAL, NOISE, SOUND = 0, 1, 2


def _blocks(far: Pcm, connected: Span) -> NDArray[np.int8]:
    """Returns for every half second of the connection what it holds; what the recording lacks is silence."""
    size = round(_BLOCK_S * RATE)
    number = int((connected[1] - connected[0]) / _BLOCK_S)
    whole = np.zeros(number * size, np.float64)
    part = _part(far, connected)[: len(whole)]
    whole[: len(part)] = part
    blocks = whole.reshape(number, size) / 32768
    return np.array([_kind(block) for block in blocks], np.int8)


def _kind(block: NDArray[np.float64]) -> int:
    """Says whether half a second is digital silence, steady noise, or sound."""
    frames = block.reshape(-1, 160)
    power = np.mean((frames - block.mean()) ** 2, axis=1)
    if 10 * np.log10(power.max() + 1e-12) < _DIGITAL_DBOV:
        return DIGITAL
    levels = 10 * np.log10(power[power > 10 ** (_DIGITAL_DBOV / 10)])
    if float(levels.std()) > _STEADY_DB:
        return SOUND
    windows = np.lib.stride_tricks.sliding_window_view(block, 256)[::128] * np.hanning(256)
    spectrum = np.mean(np.abs(np.fft.rfft(windows, axis=1)) ** 2, axis=0)[10:109] + 1e-12  # 300 to 3400 Hz
    flatness = float(np.exp(np.mean(np.log(spectrum))) / np.mean(spectrum))
    return NOISE if flatness > _FLAT else SOUND


def dead_air(blocks: NDArray[np.int8], begin: float, own_speech: Sequence[Span] = ()) -> list[Event]:
    """Finds where nobody makes a sound for more than eight seconds; while we speak ourselves the line is not dead."""
    times = begin + _BLOCK_S * np.arange(len(blocks) + 1)
    quiet = blocks < SOUND
    for start, end in own_speech:
        quiet &= ~((times[:-1] < end) & (times[1:] > start))
    found = []
    for first, last in zip(*_runs(quiet), strict=True):
        seconds = _BLOCK_S * float(last - first)
        if seconds > DEAD_AIR_S:
            sound = "noise" if np.any(blocks[first:last] == NOISE) else "digital"
            found.append(_event("dead_air", float(times[first]), seconds=seconds, sound=sound))
    return found


def _one_way(
    blocks: NDArray[np.int8], own: Pcm | None, connected: Span, own_speech: Sequence[Span], packets: Packets
) -> Iterator[Event]:
    start, end = connected
    if end - start < ONE_WAY_S:
        return
    if packets.received == 0:
        yield _event("one_way", start, packets.method, unheard="far", why="not one packet of audio came")
    elif not np.any(blocks == SOUND):
        yield _event("one_way", start, unheard="far", why="the far end never made a sound")
    if packets.sent == 0:
        yield _event("one_way", start, packets.method, unheard="own", why="not one packet of audio left")
    elif own is not None and own_speech and not any(np.any(_part(own, span)) for span in own_speech):
        yield _event("one_way", own_speech[0][0], unheard="own", why="what we said was silence on the line")
    elif np.any(blocks == SOUND) and _no_reaction(blocks, connected, own_speech):
        yield _event(
            "one_way", own_speech[0][0], unheard="own", why="the far end never began to speak after our words"
        )  # fmt: skip


def _no_reaction(blocks: NDArray[np.int8], connected: Span, own_speech: Sequence[Span]) -> bool:
    """Whether we spoke twice or more and each time no sound began within ten seconds."""
    asked = [span for span in own_speech if span[1] + REACTS_S <= connected[1]]
    if len(asked) < 2:
        return False
    loud = blocks == SOUND
    begins = connected[0] + _BLOCK_S * np.flatnonzero(loud & ~np.concatenate(([False], loud[:-1])))
    return not any(np.any((begins >= start) & (begins <= end + REACTS_S)) for start, end in asked)
