"""Exact sums of measured numbers: each counts as it is written, 20.1 as 201/10, and their order changes nothing.

What ``repr`` writes is the shortest decimal that is read back as the same double. Writing a million of them takes a
second, so whole arrays are turned into integers and powers of ten instead; what that cannot decide is written.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MICRO = 1_000_000  # observations are rounded to microseconds
TENS: Floats = np.array([10.0**power for power in range(23)])  # exact as doubles
SURE = 1e-6  # nearer than this to a tie is not decided by arithmetic


def exact(seconds: float) -> Fraction:
    """Returns the number of seconds as it is written, as a rational: 20.1 is 201/10."""
    return Fraction(repr(float(seconds)))


def exact_sum(numbers: npt.ArrayLike) -> Fraction:
    """Returns the sum of ``numbers``, each as it is written.

    Raises:
        ArithmeticError: one of them is infinite or no number.
    """
    left = np.asarray(numbers, dtype=np.float64)
    with np.errstate(over="ignore"):
        micros = np.rint(left * MICRO)
    # k / 1,000,000 is rounded correctly, and no two decimals of 15 digits are the same double
    plain = (np.abs(micros) < 1e15) & (micros / MICRO == left)
    total, left = Fraction(_sum(micros[plain].astype(np.int64)), MICRO), left[~plain]
    easy = (left > 1e-5) & (left < 1e14)
    odd, left = left[~easy], left[easy]
    for digits in (15, 16, 17):
        places = digits - 1 - np.floor(np.log10(left)).astype(np.int64)
        nearest, off = _scaled(left, places)
        reach = np.spacing(left) / 2 * TENS[places]  # so far off it is still read back as the same double
        sure = (np.abs(off - reach) > SURE * reach) & (off < 0.5 - SURE)
        found = sure & (off < reach) & (nearest < 10**digits)
        for power in np.unique(places[found]).tolist():
            total += Fraction(_sum(nearest[found & (places == power)]), 10**power)
        odd, left = np.append(odd, left[~sure]), left[sure & ~found]
    with localcontext(Context(prec=1000, traps=[Inexact])):
        return total + Fraction(sum(map(Decimal, map(repr, [*odd.tolist(), *left.tolist()])), Decimal()))


def _sum(whole: Ints) -> int:
    """In halves: neither can overflow."""
    return (int((whole >> 20).sum()) << 20) + int((whole & 0xFFFFF).sum())


def _scaled(numbers: Floats, places: Ints) -> tuple[Ints, Floats]:
    """Returns the integer next to number * 10^places, and how far away that is (Dekker's exact product)."""
    scale = TENS[places]
    product = numbers * scale
    (a, b), (c, d) = _halves(numbers), _halves(scale)
    rest = b * d - (((product - a * c) - b * c) - a * d)  # product + rest is the product without rounding
    whole = np.rint(product)
    rest += product - whole
    more = np.rint(rest)
    return whole.astype(np.int64) + more.astype(np.int64), np.abs(rest - more)


def _halves(numbers: Floats) -> tuple[Floats, Floats]:
    """Splits doubles into two of 26 bits each."""
    big = numbers * (2.0**27 + 1)
    high = big - (big - numbers)
    return high, numbers - high
