"""Sharing whole numbers out: in proportion, exactly, and never more than one away from it."""

from __future__ import annotations

import random
from collections.abc import MutableSequence, Sequence
from fractions import Fraction
from typing import Any


def proportional(
    total: int, weights: Sequence[Fraction | int], *, least: int = 0, order: Sequence[Any] = ()
) -> list[int]:
    """Shares ``total`` out by largest remainder.

    Args:
        total: how many there are to share.
        weights: who has what claim; none negative, at least one above 0.
        least: what everybody gets even if the claim is smaller; the rest then share what is left.
        order: who comes first among equal remainders: the smallest; none: in order.

    Returns:
        Whole numbers that make ``total``. Whoever gets more than ``least`` is within one of the exact share.

    Raises:
        ValueError: ``total`` is too small to give everybody ``least``.
    """
    if total < least * len(weights):
        raise ValueError(f"{total} is less than {least} for each of {len(weights)}")
    raised: set[int] = set()
    while True:
        left = total - least * len(raised)
        claims = [index for index in range(len(weights)) if index not in raised]
        whole = sum((Fraction(weights[index]) for index in claims), Fraction())
        exact = {index: left * Fraction(weights[index]) / whole if whole else Fraction() for index in claims}
        shares = {index: int(share) for index, share in exact.items()}
        rest = left - sum(shares.values())
        waiting = [index for index in claims if exact[index] != shares[index]]
        waiting.sort(key=lambda index: (shares[index] - exact[index], order[index] if order else 0, index))
        for index in waiting[:rest]:
            shares[index] += 1
        short = {index for index, share in shares.items() if share < least}
        if not short:
            return [shares.get(index, least) for index in range(len(weights))]
        raised |= short


class Dealer:
    """Deals scenarios to one stratum after another, and makes up in the next what rounding took in the last."""

    def __init__(self) -> None:
        self._owed: dict[str, Fraction] = {}

    def deal(self, total: int, mix: Sequence[tuple[str, Fraction]]) -> list[str]:
        """Returns ``total`` names, each within one of its exact share; whom rounding owes most comes first."""
        exact = [total * share for _, share in mix]
        counts = [int(share) for share in exact]
        owed = [self._owed.get(name, Fraction()) + exact[n] - counts[n] for n, (name, _) in enumerate(mix)]
        waiting = sorted((n for n in range(len(mix)) if exact[n] != counts[n]), key=lambda n: (-owed[n], n))
        for n in waiting[: total - sum(counts)]:
            counts[n] += 1
        for n, (name, _) in enumerate(mix):
            self._owed[name] = self._owed.get(name, Fraction()) + exact[n] - counts[n]
        return [name for n, (name, _) in enumerate(mix) for _ in range(counts[n])]


def below(draw: random.Random, bound: int) -> int:
    """Draws a whole number from 0 up to ``bound``, by the one method whose numbers Python promises to keep."""
    return int(draw.random() * bound)


def shuffle(draw: random.Random, items: MutableSequence[Any]) -> None:
    """Shuffles in place, the same on every version of Python."""
    for last in range(len(items) - 1, 0, -1):
        other = below(draw, last + 1)
        items[last], items[other] = items[other], items[last]
