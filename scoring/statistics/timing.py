"""Uncertainty of a waiting time, and which times are too near to a limit to tell (domain 3.8).

All times and uncertainties are in seconds. The parts are independent, so their squares add (JCGM 100, 5.1.2).
"""

from __future__ import annotations

import math

COVERAGE_FACTOR = 2  # k: about 95 % (JCGM 100, 6.3.3)


def rectangular(half_width: float) -> float:
    """Returns the standard uncertainty of an error that lies anywhere within ±``half_width`` (JCGM 100, 4.3.7)."""
    return half_width / math.sqrt(3)


def u_of_wait(queue: float, answer: float, clock: float = 0.0, offset: float = 0.0) -> float:
    """Returns the standard uncertainty of W = t_answer - t_queue.

    Args:
        queue: u of the instant the queue began.
        answer: u of the instant the agent was connected.
        clock: u of the clock over one wait.
        offset: u of the calibrated distance between an answer and what is heard of it, where one was subtracted.
    """
    return math.hypot(queue, answer, clock, offset)


def expanded(u: float, k: float = COVERAGE_FACTOR) -> float:
    """Returns the expanded uncertainty U = k u."""
    return k * u


def near(value: float, limit: float, u: float, k: float = COVERAGE_FACTOR) -> bool:
    """Whether ``value`` is no further from ``limit`` than U = k ``u``: on which side it belongs cannot be told."""
    return abs(value - limit) <= expanded(u, k)
