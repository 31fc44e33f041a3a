"""How many attempts a scheduled plan has, and how many of them each stratum gets."""

from __future__ import annotations

from harness.plan.allocation import proportional
from harness.plan.loading import LEAST, LoadedPlan
from harness.plan.model import Plan
from scenarios.model import ChannelKind
from scoring.power import n_for_half_width, n_for_power


def needed(plan: Plan) -> int | None:
    """Returns the n each channel needs for the precision or the power the plan asks for; None if it gives n itself."""
    size = plan.size
    assert size is not None
    if size.half_width is not None:
        return n_for_half_width(plan.expected_rate, size.half_width)
    return None if size.power is None else n_for_power(plan.target_rate, plan.expected_rate, size.power)


def counts(loaded: LoadedPlan) -> list[int]:
    """Returns how many attempts each stratum gets: in proportion to the weights, at least two.

    Raises:
        PlanError: there are more strata than the precision or power needs attempts.
    """
    plan = loaded.plan
    assert plan.size is not None
    each = needed(plan)
    if each is None:
        assert plan.size.n is not None
        return proportional(plan.size.n, [stratum.weight for stratum in plan.strata], least=LEAST)
    found = [0] * len(plan.strata)
    channels: dict[ChannelKind, list[int]] = {}
    for index, stratum in enumerate(plan.strata):
        channels.setdefault(stratum.channel, []).append(index)
    for channel, members in channels.items():
        if each < LEAST * len(members):
            message = (
                f"n = {each} is enough for this precision or power, but too few for {len(members)} {channel} strata"
            )
            cure = f"{LEAST} each take {LEAST * len(members)}; write size: {{n: …}} or join strata"
            raise loaded.error(("size",), message, cure)
        weights = [plan.strata[index].weight for index in members]
        for index, count in zip(members, proportional(each, weights, least=LEAST), strict=True):
            found[index] = count
    return found
