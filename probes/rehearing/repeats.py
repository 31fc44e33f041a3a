"""What was heard in several calls: the same stretch of sound, wave by wave, is a recording.

No library is needed. Each call's fingerprints are looked up among those of all the others; where many agree on one
alignment, the waves are compared along it, and the stretches that fit are kept. A person never says anything twice
like that, not even the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.hearing.lowband import LOW_RATE, Low, LowBand
from probes.hearing.wav import Pcm
from probes.rehearing.fingerprints import HOP_S, Index, Words, words

_VOTES = 4  # equal words on one alignment (and its neighbours) that make it worth comparing the waves
_TRIED = 24  # alignments of one call that are compared at once, the most promising first
_COVERED = 3  # so many other calls with the same stretch are enough
_STRETCH = LOW_RATE * 16 // 100  # samples compared at once
_STEP = LOW_RATE // 50
_REACH = LOW_RATE * 5 // 100  # an alignment by fingerprints is right within 40 ms
_BIN_HOPS = 25  # words are counted in half seconds
_QUERIES = 6  # of which the fullest are compared
_BEYOND = 8 * LOW_RATE  # so far outside the equal words the waves are compared as well
_SAME = 0.6  # least likeness of a stretch that is the same sound
_SURE = 0.75  # ... of half a second that fixes the alignment
_LOUD = 40.0  # RMS in the low band below which nothing can be compared
_AGAIN_HOPS = 50  # a call is compared with itself from this far on
_BRIDGED_S = 0.4  # so much silence or loss within a recording
_LEAST_S = 0.6  # less sound than this in common proves nothing


@dataclass(frozen=True)
class Repeat:
    """The stretch ``start`` .. ``end`` (seconds) of a call is heard in call ``other`` as well, ``shift`` s later."""

    start: float
    end: float
    other: int
    shift: float
    likeness: float  # mean over its stretches


@dataclass(frozen=True)
class Heard:
    """One call's far end as it is compared: everything in it that is silence or a plain tone blanked out."""

    words: Words
    low: Low  # at 2 kHz
    power: NDArray[np.float64]  # running sum of its squares, from 0 on

    @classmethod
    def of(cls, pcm: Pcm, tones: Sequence[tuple[float, float]] = ()) -> Heard:
        """Prepares a call.

        Args:
            pcm: its far end at 8 kHz.
            tones: spans (seconds) of ringing and other tones: they are alike in every call and mean nothing.
        """
        kept = pcm.copy()
        for start, end in tones:
            kept[max(0, int((start - 0.05) * 8000)) : int((end + 0.05) * 8000)] = 0
        low = LowBand().push(np.pad(kept, (0, 64)))
        return cls(words(kept), low, np.concatenate(([0.0], np.cumsum(np.square(low, dtype=np.float64)))))


def find_repeats(calls: Sequence[Heard]) -> list[list[Repeat]]:
    """Returns for each call what of it is heard in others too, or in itself again, in order of time.

    Every stretch is looked for until three others have it: that says that it is a recording, and finding all of them
    would cost as much as there are pairs of calls.
    """
    index = Index([call.words for call in calls])
    return [_repeats_of(call, calls, index, itself=number) for number, call in enumerate(calls)]


def find_known(call: Heard, recordings: Sequence[Heard], index: Index) -> list[Repeat]:
    """Returns where ``recordings`` (of which ``index`` holds the words) are heard in ``call``."""
    return _repeats_of(call, recordings, index, itself=None)


def _repeats_of(call: Heard, others: Sequence[Heard], index: Index, *, itself: int | None) -> list[Repeat]:
    at, owner, place = index.lookup(call.words)
    if itself is not None:
        keep = (owner != itself) | (np.abs(place - at) > _AGAIN_HOPS)
        at, owner, place = at[keep], owner[keep], place[keep]
    if not len(at):
        return []
    covered = np.zeros(len(call.words), np.int8)
    found: list[Repeat] = []
    for _ in range(64):
        tried = _alignments(at, owner, place, covered)
        if not tried:
            break
        for other, shift, places in tried:
            for repeat in _compare(call, others[other], other, shift, places):
                first, last = int(repeat.start / HOP_S), int(repeat.end / HOP_S) + 1
                if not any(_same(repeat, known) for known in found):
                    covered[first:last] += 1
                    found.append(repeat)
            done = (owner == other) & (np.abs(place - at - shift) <= 2) & (at >= places.min()) & (at <= places.max())
            at, owner, place = at[~done], owner[~done], place[~done]
    return sorted(found, key=lambda repeat: repeat.start)


def _same(one: Repeat, two: Repeat) -> bool:
    overlap = min(one.end, two.end) - max(one.start, two.start)
    return one.other == two.other and abs(one.shift - two.shift) < 0.05 and overlap > 0.5 * (one.end - one.start)


def _alignments(
    at: NDArray[np.int32], owner: NDArray[np.int32], place: NDArray[np.int32], covered: NDArray[np.int8]
) -> list[tuple[int, int, NDArray[np.int32]]]:
    """Returns the alignments with most votes among what is not covered: (call, shift in hops, hops that voted)."""
    open_ = covered[at] < _COVERED
    at, owner, place = at[open_], owner[open_], place[open_]
    if not len(at):
        return []
    shift = place.astype(np.int64) - at
    key = owner.astype(np.int64) << 32 | (shift + (1 << 30))
    values, counts = np.unique(key, return_counts=True)
    after = np.searchsorted(values, values + 1)
    after = np.minimum(after, len(values) - 1)
    votes = counts + np.where(values[after] == values + 1, counts[after], 0)
    best = np.argsort(-votes, kind="stable")[:_TRIED]
    result = []
    for which in best[votes[best] >= _VOTES]:
        members = at[(key == values[which]) | (key == values[which] + 1)]
        other, moved = int(values[which] >> 32), int((values[which] & 0xFFFFFFFF) - (1 << 30))
        result.append((other, moved, members))
    return result


def _compare(call: Heard, known: Heard, other: int, shift: int, places: NDArray[np.int32]) -> list[Repeat]:
    """Compares the waves along one alignment, from where the fingerprints agree outwards."""
    first, last = int(places.min()) * _STEP, int(places.max()) * _STEP + LOW_RATE // 2
    mine, theirs = call.low, known.low
    moved = _fine(call, theirs, places, shift * _STEP)
    if moved is None:
        return []
    begin = max(0, -moved, first - _BEYOND)
    end = min(len(mine), len(theirs) - moved, last + _BEYOND)
    x, y = mine[begin:end], theirs[begin + moved : end + moved]
    if len(x) < _STRETCH:
        return []
    fits, loud = _along(x, y)
    same = (fits >= _SAME) & loud
    repeats = []
    for a, b in _runs(same, loud):
        start, stop = begin + a * _STEP, begin + b * _STEP + _STRETCH
        sound = int(np.count_nonzero(same[a : b + 1])) * _STEP / LOW_RATE
        if sound >= _LEAST_S - _STRETCH / LOW_RATE:
            part = fits[a : b + 1][same[a : b + 1]]
            repeats.append(Repeat(start / LOW_RATE, stop / LOW_RATE, other, moved / LOW_RATE, float(part.mean())))
    return repeats


def _fine(call: Heard, theirs: Low, places: NDArray[np.int32], shift: int) -> int | None:
    """Returns the shift to the sample, by the half seconds with most equal words; None if none of them fits."""
    length = LOW_RATE // 2
    bins, counts = np.unique(places // _BIN_HOPS, return_counts=True)
    for which in bins[np.argsort(-counts, kind="stable")][:_QUERIES]:
        # a word belongs to the half second that begins with it: the middle of what the bin's words were made of
        start = int(which) * _BIN_HOPS * _STEP + _BIN_HOPS * _STEP // 2
        query = call.low[start : start + length]
        lowest = start + shift - _REACH
        known = theirs[max(0, lowest) : start + shift + length + _REACH]
        if len(query) < length or len(known) < length or float(np.sqrt(np.mean(query**2))) < _LOUD:
            continue
        dot = np.correlate(known, query, "valid")
        power = np.concatenate(([0.0], np.cumsum(np.square(known, dtype=np.float64))))
        under = power[length:] - power[:-length]
        fit = dot / np.sqrt(float(query @ query) * np.maximum(under, 1.0))
        best = int(fit.argmax())
        if fit[best] >= _SURE:
            return int(max(0, lowest) + best - start)
    return None


def _along(x: Low, y: Low) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns the likeness of two aligned signals in stretches, one a step, and whether both are loud enough there."""

    def sums(product: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate(([0.0], np.cumsum(product)))
        starts = np.arange(0, len(x) - _STRETCH + 1, _STEP)
        part: NDArray[np.float64] = total[starts + _STRETCH] - total[starts]
        return part

    a, b = x.astype(np.float64), y.astype(np.float64)
    xx, yy, xy = sums(a * a), sums(b * b), sums(a * b)
    least = _STRETCH * _LOUD**2
    return xy / np.sqrt(np.maximum(xx * yy, 1.0)), (xx > least) | (yy > least)


def _runs(same: NDArray[np.bool_], loud: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns (first, last) of the runs of equal stretches; silence and a short break are bridged."""
    places = np.flatnonzero(same)
    if not len(places):
        return []
    runs, first = [], int(places[0])
    for index in np.flatnonzero(np.diff(places) > 1):
        this, after = int(places[index]), int(places[index + 1])
        differ = int(np.count_nonzero(loud[this + 1 : after] & ~same[this + 1 : after]))
        if (after - this) * _STEP / LOW_RATE > 1.5 or differ * _STEP / LOW_RATE > _BRIDGED_S:
            runs.append((first, this))
            first = after
    return [*runs, (first, int(places[-1]))]
