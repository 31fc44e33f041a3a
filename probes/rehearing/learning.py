"""Learning a centre's recordings: what several of its calls share, as a list that a person confirms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from probes.hearing.transcription.words import Transcriber
from probes.hearing.wav import RATE, Pcm
from probes.rehearing.evidence import has_sound, load
from probes.rehearing.measuring import Call, measure
from probes.rehearing.recordings import Piece
from probes.rehearing.sessions import TOGETHER, Library, spoken
from probes.session import Session
from probes.target import PromptRole

_MARGIN_S = 0.05
_BREATH_S, _EVEN_S = 0.8, 0.06  # a pause within a recording, and how alike it is from call to call
_ALWAYS = 0.7  # of the times they are heard: noise or a slip may hide one of them
_SAME_SHARE = 0.6  # of both pieces


@dataclass(frozen=True)
class Proposal:
    """One recording that no list has yet."""

    role: PromptRole
    audio: Pcm  # 8 kHz
    text: str  # what a transcriber made of it; empty if there is none, or it was not sure
    heard: tuple[tuple[str, float], ...]  # attempt and session time of every occurrence

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.audio) / RATE

    @property
    def calls(self) -> int:
        """In how many calls it was heard."""
        return len({attempt for attempt, _ in self.heard})


def learn(
    sessions: Sequence[tuple[Session, Path]], library: Library, transcriber: Transcriber | None = None
) -> list[Proposal]:
    """Returns the recordings that ``sessions`` share and ``library`` has not, the most frequent first.

    Args:
        sessions: calls to one target, each with the folder of its evidence; at most 120 are listened to.
        library: what is known already.
        transcriber: puts words to them; None: somebody types them.
    """
    kept = sorted((one for one in sessions if has_sound(*one)), key=lambda one: one[0].attempt.id)[:TOGETHER]
    far = [load(session, folder).far for session, folder in kept]
    calls = [
        Call(pcm, spoken(session), None if session.instants.request is None else session.instants.request.t)
        for pcm, (session, _) in zip(far, kept, strict=True)
    ]
    found = [
        [piece for piece in measured.recordings if piece.prompt is None and piece.voiced]
        for measured in measure(calls, library.prompts)
    ]
    names = [session.attempt.id for session, _ in kept]
    found = _joined(found, _groups(found))
    groups = [_proposal(group, found, far, names, transcriber) for group in _groups(found) if len(group) > 1]
    return sorted(groups, key=lambda proposal: (-proposal.calls, proposal.heard[0][1]))


def _groups(found: Sequence[Sequence[Piece]]) -> list[list[tuple[int, int]]]:
    """Puts together the pieces (call, number) that hold the same recording."""
    parent = {(call, number): (call, number) for call, mine in enumerate(found) for number in range(len(mine))}

    def root(one: tuple[int, int]) -> tuple[int, int]:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for call, mine in enumerate(found):
        for number, piece in enumerate(mine):
            for other, shift in zip(piece.calls, piece.shifts, strict=True):
                if other >= len(found):
                    continue
                for which, theirs in enumerate(found[other]):
                    shared = min(piece.end + shift, theirs.end) - max(piece.start + shift, theirs.start)
                    if shared > _SAME_SHARE * max(piece.seconds, theirs.seconds):
                        parent[root((call, number))] = root((other, which))
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for one in parent:
        groups.setdefault(root(one), []).append(one)
    return [sorted(group) for group in groups.values()]


def _joined(found: Sequence[Sequence[Piece]], groups: Sequence[Sequence[tuple[int, int]]]) -> list[list[Piece]]:
    """Joins pieces that always follow each other after the same pause: one recording with a breath in it."""
    group_of = {one: number for number, group in enumerate(groups) for one in group}
    follows: dict[tuple[int, int], list[float]] = {}
    for call, mine in enumerate(found):
        for number, (piece, after) in enumerate(pairwise(mine)):
            pair = group_of[call, number], group_of[call, number + 1]
            follows.setdefault(pair, []).append(after.start - piece.end)
    one_recording = {
        pair
        for pair, gaps in follows.items()
        if max(gaps) < _BREATH_S
        and max(gaps) - min(gaps) < _EVEN_S
        and len(gaps) > 1
        and len(gaps) >= _ALWAYS * max(len(groups[pair[0]]), len(groups[pair[1]]))
    }
    result = []
    for call, mine in enumerate(found):
        joined: list[Piece] = []
        for number, piece in enumerate(mine):
            if number and (group_of[call, number - 1], group_of[call, number]) in one_recording:
                joined[-1] = replace(joined[-1], end=piece.end)
            else:
                joined.append(piece)
        result.append(joined)
    return result


def _proposal(
    group: Sequence[tuple[int, int]],
    found: Sequence[Sequence[Piece]],
    far: Sequence[Pcm],
    names: Sequence[str],
    transcriber: Transcriber | None,
) -> Proposal:
    members = [(call, found[call][number]) for call, number in group]
    usual = float(np.median([piece.seconds for _, piece in members]))
    call, best = min(members, key=lambda one: (abs(one[1].seconds - usual), one[0]))
    first = max(0, round((best.start - _MARGIN_S) * RATE))
    audio = far[call][first : round((best.end + _MARGIN_S) * RATE)]
    roles = Counter(piece.role for _, piece in members if piece.role is not None)
    role = roles.most_common(1)[0][0] if roles else "info"
    text = ""
    if transcriber is not None:
        heard = transcriber.transcribe(audio, 0.0)
        text = heard.text() or "" if heard.complete else ""
    where = tuple((names[number], round(piece.start, 3)) for number, piece in members)
    return Proposal(role, audio, text, where)
