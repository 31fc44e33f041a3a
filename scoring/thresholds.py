"""Verdicts on the numbers a rule demands: 符合, 不符合 or 不能判定 (ISO/IEC 17025, 7.8.6).

A sampled share is decided by one-sided 95 % Clopper-Pearson bounds, a mean or percentile by its 95 % interval, a
system's figure, which is a census, by its exact value.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from scenarios.model import Text
from scoring.bands import Bounds, Threshold
from scoring.coefficients import compared
from scoring.defects import Readings
from scoring.inputs import Checked
from scoring.metrics import Metrics
from scoring.scheme import Indicator, Requirement, Scheme
from scoring.scorecard import RequirementResult, ThresholdResult
from scoring.statistics import Rate, Verdict, smallest_n, three_way
from scoring.statistics.waits import Waits, exact
from scoring.values import Value

RULE = Text(
    zh=(
        "判定规则：抽样比率按单侧95% Clopper–Pearson界三结果判定（错判概率各不超过5%），"
        "抽样均值按95%区间，系统数据按全数值比较。"
    ),
    en=(
        "Decision rule: sampled shares by one-sided 95 % Clopper-Pearson bounds with three outcomes (at most 5 % chance"
        " of either wrong verdict), sampled means by their 95 % interval, system figures by their full value."
    ),
)


def thresholds_of(
    indicator: Indicator, value: Value, score: Fraction | None, readings: Readings
) -> tuple[ThresholdResult, ...]:
    """Returns the verdict on each number that the rule demands of an indicator."""
    return tuple(_result(threshold, value, score, readings) for threshold in indicator.thresholds)


def _result(threshold: Threshold, value: Value, score: Fraction | None, readings: Readings) -> ThresholdResult:
    bounds = _turned(threshold, readings)
    target = bounds.upper if bounds.lower is None else bounds.lower
    blank = ThresholdResult(quote=threshold.quote, quantity=threshold.quantity, target=target)
    if threshold.of == "score":
        return blank if score is None else _exact(blank, bounds, score)
    if threshold.of == "quantity":
        given = value.given.quantities.get(threshold.quantity.zh) if value.given else None
        return blank if given is None else _exact(blank, bounds, compared(given, threshold.unit, readings))
    if value.value is None:
        return blank
    if value.rate is not None and bounds.at_least is not None:
        verdict, note = _sampled(value.rate, bounds.at_least)
        return blank.model_copy(update={"value": value.value, "verdict": verdict, "note": note})
    if value.interval is not None:
        return blank.model_copy(update={"value": value.value, "verdict": _interval(bounds, value.interval)})
    return _exact(blank, bounds, compared(value.value, threshold.unit, readings))


def _turned(threshold: Threshold, readings: Readings) -> Bounds:
    """A ratio written as 1:10 may be read the other way round (X32)."""
    if "1:" in threshold.quote and readings["ratio.direction"] == "persons_per_agent":
        return Bounds(at_least=threshold.at_most)
    return threshold


def _exact(blank: ThresholdResult, bounds: Bounds, value: Fraction) -> ThresholdResult:
    return blank.model_copy(update={"value": value, "verdict": Verdict.PASS if bounds.holds(value) else Verdict.FAIL})


def _interval(bounds: Bounds, interval: tuple[float, float]) -> Verdict:
    low, high = Fraction(interval[0]), Fraction(interval[1])
    if bounds.holds(low) and bounds.holds(high):
        return Verdict.PASS
    return Verdict.OPEN if bounds.meets(*interval) else Verdict.FAIL


def _sampled(rate: Rate, target: Fraction) -> tuple[Verdict, Text | None]:
    verdict = three_way(rate.k, rate.n, target)
    if any(three_way(k, rate.n, target) is not verdict for k in rate.extremes):
        return Verdict.OPEN, Text(
            zh=f"{rate.boundary}个等待时间与界限之差在测时不确定度内，归属不同则判定不同",
            en=f"{rate.boundary} waits are within timing uncertainty of the limit, and the verdict hangs on them",
        )
    if verdict is Verdict.OPEN and 0 < target < 1 and rate.n < (least := smallest_n(target)):
        return verdict, Text(
            zh=f"n={rate.n}，至少需{least}次且无一失败方可判定符合",
            en=f"n = {rate.n}; at least {least} without a failure are needed to show it",
        )
    return verdict, None


def requirement_results(
    scheme: Scheme,
    given: Mapping[str, Checked],
    quantities: Mapping[str, Mapping[str, Fraction]],
    metrics: Metrics | None,
    readings: Readings,
) -> tuple[RequirementResult, ...]:
    """Returns what is known of the requirements without a weight.

    Args:
        scheme: whose requirements.
        given: what the inputs say, by id.
        quantities: quantities given under indicators, which may stand for the same requirement (X38).
        metrics: what the probes measured.
        readings: the switches.
    """
    found = [
        _requirement(one, given.get(one.id), quantities.get(one.same_as or "", {}), metrics, readings)
        for one in scheme.requirements
    ]
    for check in scheme.checks:
        said = given.get(check.id)
        verdict = None if said is None or said.met is None else Verdict.PASS if said.met else Verdict.FAIL
        found.append(RequirementResult(id=check.id, clause=check.clause, name=check.name, verdict=verdict))
    return tuple(found)


def _requirement(
    one: Requirement,
    said: Checked | None,
    same: Mapping[str, Fraction],
    metrics: Metrics | None,
    readings: Readings,
) -> RequirementResult:
    blank = RequirementResult(id=one.id, clause=one.clause, name=one.quantity, quote=one.quote)
    bounds = _turned(one, readings)
    if said is not None and said.met is not None:
        return blank.model_copy(update={"verdict": Verdict.PASS if said.met else Verdict.FAIL})
    value = said.value if said is not None else same.get(one.quantity.zh)
    if value is not None:
        held = bounds.holds(compared(value, one.unit, readings))
        return blank.model_copy(update={"value": value, "verdict": Verdict.PASS if held else Verdict.FAIL})
    found = metrics.rate_or_wait(one.metric) if metrics is not None and one.metric is not None else None
    if isinstance(found, Rate) and found.n and bounds.at_least is not None:
        return _available(blank, bounds.at_least, found) if readings["availability.basis"] == "attempt" else blank
    if isinstance(found, Waits) and found.n and bounds.upper is not None:
        return _probed_wait(blank, bounds, found, readings)
    return blank


def _available(blank: RequirementResult, target: Fraction, failures: Rate) -> RequirementResult:
    """Availability by attempts: the share that did not fail (X37)."""
    rate = Rate.of(failures.n - failures.k, failures.n)
    verdict, note = _sampled(rate, target)
    return blank.model_copy(update={"value": rate.value, "n": rate.n, "verdict": verdict, "note": note})


def _probed_wait(blank: RequirementResult, bounds: Bounds, waits: Waits, readings: Readings) -> RequirementResult:
    """A wait against an upper limit, by the statistic that the readings name (X35).

    The mean by its interval; the 95th percentile by the share of waits within the limit, which must be 95 %; the
    longest by itself.
    """
    statistic = readings.text("perf.statistic")
    assert bounds.upper is not None
    if statistic == "mean":
        verdict = Verdict.OPEN if waits.interval is None else _interval(bounds, waits.interval)
        return blank.model_copy(update={"value": waits.mean, "n": waits.n, "verdict": verdict})
    if statistic == "max":
        longest = exact(waits.longest or 0.0)
        verdict = Verdict.PASS if bounds.holds(longest) else Verdict.FAIL
        return blank.model_copy(update={"value": longest, "n": waits.n, "verdict": verdict})
    p95 = exact(waits.p95 or 0.0)
    within = sum(bounds.holds(exact(time)) for time in waits.times)
    note = None
    if waits.times:
        verdict, note = _sampled(Rate.of(within, waits.n), Fraction(95, 100))
    else:  # thousands of them: the percentile is as good as exact
        verdict = Verdict.PASS if bounds.holds(p95) else Verdict.FAIL
    return blank.model_copy(update={"value": p95, "n": waits.n, "verdict": verdict, "note": note})
