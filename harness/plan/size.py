"""How many attempts a scheduled plan has, and how many of them each stratum gets."""

from __future__ import annotations

from fractions import Fraction

from harness.plan.allocation import proportional
from harness.plan.loading import LEAST
from harness.plan.model import Plan
from scenarios.model import ChannelKind
from scoring.statistics.power import effective_n, n_for_half_width, n_for_power


def needed(plan: Plan) -> int | None:
    """Returns the n each channel needs for the precision or the power the plan asks for; None if it gives n itself."""
    size = plan.size
    assert size is not None
    if size.half_width is not None:
        return n_for_half_width(plan.expected_rate, size.half_width)
    return None if size.power is None else n_for_power(plan.target_rate, plan.expected_rate, size.power)


def counts(plan: Plan) -> list[int]:
    """Returns how many attempts each stratum of a scheduled plan gets: in proportion to the weights, at least two.

    For a precision or a power every channel gets what it needs by itself, and as many more as rounding and the least
    of two cost it (its design effect).
    """
    assert plan.size is not None
    each = needed(plan)
    if each is None:
        assert plan.size.n is not None
        return proportional(plan.size.n, [stratum.weight for stratum in plan.strata], least=LEAST)
    found = [0] * len(plan.strata)
    channels: dict[ChannelKind, list[int]] = {}
    for index, stratum in enumerate(plan.strata):
        channels.setdefault(stratum.channel, []).append(index)
    for members in channels.values():
        weights = [plan.strata[index].weight for index in members]
        shares = _enough(each, weights)
        for index, count in zip(members, shares, strict=True):
            found[index] = count
    return found


def _enough(wanted: int, weights: list[Fraction]) -> list[int]:
    """Returns shares that are as precise as a plain sample of ``wanted``."""
    n = max(wanted, LEAST * len(weights))
    while True:
        shares = proportional(n, weights, least=LEAST)
        effective = effective_n(weights, shares)
        if effective >= wanted:
            return shares
        n += wanted - effective
