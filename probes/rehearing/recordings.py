"""From repeats to recordings: where in a call something recorded was played, and what kind of thing it was.

What several calls share is cut into pieces at pauses and where other calls go on differently. A piece that holds
voice is an announcement of some kind; which one follows from where it stands: before a human was asked for it greets
or offers a menu; what was a menu once is one again; right before a live voice it announces an agent's number
(工号播报); everything else after the request belongs to the queue, unless menus were all there was and the call ends
with it. Words are not understood here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from probes.hearing.voice_activity import STEP_S, Step
from probes.hearing.wav import RATE, Pcm
from probes.rehearing.repeats import Repeat
from probes.target import PromptRole

_FRAME_S = 0.02
_PAUSE_S = 0.25  # between two pieces
_APART_S = 0.3  # cuts closer together than this are one
_AGREE = 3  # frames within which two calls must agree on a cut: noise and loss end a likeness anywhere
_VOICED_S, _VOICED_SHARE = 0.4, 0.3  # a piece that holds less voice is music or noise
_MUSIC_S = 0.8  # a piece without voice that is shorter means nothing
_SUNG_S = 20.0  # no announcement talks so long without a pause
_LAST_S = 3.0  # nothing but menus, and then this so close to the end, is a goodbye
_NUMBER_S = 6.0  # no announcement of a number takes longer
_SOON_S, _WAITS_S = 1.5, 0.5  # how soon the agent speaks after it, and how long they then let us speak
_AUDIBLE_DB = 30.0  # below the loudest frame of a piece
_ECHO_SHARE = 0.6  # of a piece under our own words: our own echo, the same in every call


Span: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """One recording in one call. Times in session seconds."""

    start: float
    end: float
    voiced: bool
    calls: tuple[int, ...] = ()  # others that hold it; the call itself, if it is heard there again
    shifts: tuple[float, ...] = ()
    prompt: int | None = None  # which of the library it is
    role: PromptRole | None = None
    whole: bool = True  # heard to its end

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def pieces(
    far: Pcm, repeats: Sequence[Repeat], steps: Sequence[Step], own: Sequence[tuple[float, float]]
) -> list[Piece]:
    """Returns the recordings of one call, in order of time and apart from each other.

    Args:
        far: the far end at 8 kHz from session time 0.
        repeats: what of it other calls hold too.
        steps: its voice activity.
        own: spans in which we spoke ourselves.
    """
    level = _levels(far)
    count = np.zeros(len(level), np.int16)
    for repeat in repeats:
        count[_frame(repeat.start) : _frame(repeat.end)] += 1
    quiet = level < max(20.0, float(np.percentile(level, 5)) * 2 if len(level) else 0.0)
    found = []
    for first, last in _runs((count > 0) & ~_long(quiet, round(_PAUSE_S / _FRAME_S))):
        cuts = _cuts(first, last, repeats)
        for a, b in zip([first, *cuts], [*cuts, last], strict=True):
            piece = _piece(a, b, level, repeats, steps)
            if piece is not None and not _is_echo(piece, own):
                found.append(piece)
    return found


def with_roles(
    calls: Sequence[Sequence[Piece]],
    requests: Sequence[float | None],
    live: Sequence[Sequence[Span]],
    ends: Sequence[float],
) -> list[list[Piece]]:
    """Gives every voiced piece that the library does not know its role.

    Args:
        calls: the pieces of each call.
        requests: when a human was asked for in each call.
        live: what is said in each call and is no recording, (start, end).
        ends: when each call's sound ended.
    """
    menus = [
        [p for p in found if request is None or p.start < request - _PAUSE_S]
        for found, request in zip(calls, requests, strict=True)
    ]
    result = []
    for number, (found, request) in enumerate(zip(calls, requests, strict=True)):
        given: list[Piece] = []
        for index, piece in enumerate(found):
            if not piece.voiced or piece.role is not None:
                given.append(piece)
                continue
            follows = found[index + 1] if index + 1 < len(found) else None
            role: PromptRole
            if piece in menus[number]:
                role = "menu" if piece is menus[number][-1] or index else "welcome"
            elif _is_menu(piece, number, menus) or (
                follows is not None and follows.start - piece.end < 1.5 and _is_menu(follows, number, menus)
            ):
                role = "menu"
            elif (
                follows is None
                and ends[number] - piece.end < _LAST_S
                and all(before.role in ("menu", "welcome") for before in given)
            ):
                role = "goodbye"
            elif request is not None and piece.seconds < _NUMBER_S and _introduces(piece, number, found, live):
                role = "agent_id"
            else:
                role = "queue"
            given.append(replace(piece, role=role))
        result.append(given)
    return result


def _introduces(piece: Piece, number: int, found: Sequence[Piece], live: Sequence[Sequence[Span]]) -> bool:
    """Whether a live voice follows the piece at once and then waits; and wherever else the piece was heard, too."""

    def followed(end: float, utterances: Sequence[Span]) -> Span | None:
        return next((said for said in utterances if end - 0.3 < said[0] < end + _SOON_S), None)

    said = followed(piece.end, live[number])
    if said is None or any(said[0] < other.start < said[1] + _WAITS_S for other in found):
        return False
    elsewhere = [
        followed(piece.end + shift, live[other]) is not None
        for other, shift in zip(piece.calls, piece.shifts, strict=True)
        if other < len(live)
    ]
    return sum(elsewhere) * 2 >= len(elsewhere)


def _is_menu(piece: Piece, number: int, menus: Sequence[Sequence[Piece]]) -> bool:
    """Whether the piece was heard before the request, in this call or in another: most of it, in one or in parts."""
    for other, shift in zip(piece.calls, piece.shifts, strict=True):
        start, end = piece.start + shift, piece.end + shift
        heard = [min(end, menu.end) - max(start, menu.start) for menu in menus[other]] if other < len(menus) else []
        if sum(part for part in heard if part > 0) > 0.5 * piece.seconds:
            return True
    return False


def _levels(far: Pcm) -> NDArray[np.float64]:
    size = round(_FRAME_S * RATE)
    whole = far[: len(far) // size * size].astype(np.float64).reshape(-1, size)
    level: NDArray[np.float64] = np.sqrt(np.mean(whole**2, axis=1)) if len(whole) else np.zeros(0)
    return level


def _frame(t: float) -> int:
    return max(0, round(t / _FRAME_S))


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _long(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    kept = np.zeros_like(mask)
    for first, last in _runs(mask):
        if last - first >= least:
            kept[first:last] = True
    return kept


def _cuts(first: int, last: int, repeats: Sequence[Repeat]) -> list[int]:
    """Where other calls go on differently, or begin."""
    apart = round(_APART_S / _FRAME_S)
    edges = sorted((frame, repeat.other) for repeat in repeats for frame in (_frame(repeat.start), _frame(repeat.end)))
    cuts: list[int] = []
    for index, (frame, other) in enumerate(edges):
        agree = {other} | {owner for near, owner in edges[index + 1 :] if near - frame <= _AGREE}
        if (
            len(agree) > 1
            and frame - first >= apart
            and last - frame >= apart
            and (not cuts or frame - cuts[-1] >= apart)
        ):
            cuts.append(frame)
    return cuts


def _piece(
    first: int, last: int, level: NDArray[np.float64], repeats: Sequence[Repeat], steps: Sequence[Step]
) -> Piece | None:
    part = level[first:last]
    loud = np.flatnonzero(part > part.max(initial=0.0) / 10 ** (_AUDIBLE_DB / 20))
    if not len(loud):
        return None
    start, end = (first + int(loud[0])) * _FRAME_S, (first + int(loud[-1]) + 1) * _FRAME_S
    voiced = sum(step.voice >= 0.5 for step in steps if start <= step.t < end) * STEP_S
    talks = voiced >= _VOICED_S and voiced >= _VOICED_SHARE * (end - start) and end - start < _SUNG_S
    if not talks and end - start < _MUSIC_S:
        return None
    within = [r for r in repeats if min(r.end, end) - max(r.start, start) > 0.5 * (end - start)]
    return Piece(start, end, talks, tuple(r.other for r in within), tuple(r.shift for r in within))


def _is_echo(piece: Piece, own: Sequence[tuple[float, float]]) -> bool:
    under = sum(max(0.0, min(piece.end, end) - max(piece.start, start)) for start, end in own)
    return under > _ECHO_SHARE * piece.seconds
