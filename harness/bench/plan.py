"""Planning: seconds to draw up a plan of n attempts, and how that grows with n."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

from harness.plan import LoadedPlan, Plan, draw_up
from probes.target import Line, Target
from scenarios.catalogue import load

SIZES = (1_000, 10_000, 100_000)


def spread(n: int, lines: int = 10) -> tuple[LoadedPlan, Target]:
    """Returns a plan of ``n`` attempts over four weeks on ``lines`` lines, and its target."""
    names = [f"line-{number}" for number in range(lines)]
    strata = [
        {"entry": name, "channel": "voice", "days": days, "hours": hours, "weight": weight}
        for name in names
        for days, hours, weight in (
            ("workday", "09:00-12:00", 4),
            ("workday", "12:00-18:00", 5),
            ("weekend", "10:00-16:00", 1),
        )
    ]
    plan = {
        "format": 1,
        "name": "bench",
        "seed": 1,
        "window": {"from": "2026-11-30", "to": "2026-12-27"},
        "mix": [{"scenario": "S01", "share": "3/5"}, {"scenario": "S02", "share": "2/5"}],
        "strata": strata,
        "size": {"n": n},
        "gap_s": 30,
    }
    target = Target(format=1, name="bench", lines={name: Line(uri="sip:95001@127.0.0.1") for name in names})
    return LoadedPlan.of(Plan.model_validate(plan)), target


def measure_planning(sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    """Draws up plans.

    Args:
        sizes: how many attempts each has, at least two sizes, rising.

    Returns:
        ``seconds_<n>`` of each, and ``growth``: the exponent between the two largest (1: in proportion to n).
    """
    scenarios = {name: load(name).scenario for name in ("S01", "S02")}
    found: dict[str, float] = {}
    for n in sizes:
        plan, target = spread(n)
        started = time.perf_counter()
        attempts = draw_up(plan, target, scenarios, now=datetime(2026, 11, 1, tzinfo=UTC))
        found[f"seconds_{n}"] = time.perf_counter() - started
        assert len(attempts) == n
    last, before = (found[f"seconds_{n}"] for n in (sizes[-1], sizes[-2]))
    return found | {"growth": math.log(last / before) / math.log(sizes[-1] / sizes[-2])}


if __name__ == "__main__":
    for name, value in measure_planning().items():
        print(f"{name:>16} {value:.3f}")  # noqa: T201 - stdout is the interface
