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
from scoring.statistics.rates import bounds as one_sided
from scoring.statistics.waits import Waits, exact
from scoring.values import Value, sampled

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


NO_N = Text(zh="抽样数据未给出样本量n，不能判定", en="a sample whose n is not given cannot be decided on")


MINUTES = Text(
    zh="时长以秒计，而规则以分钟或小时计：请核对单位；确为不足1分钟时，请按条款直接判定",
    en="durations are seconds, the rule counts minutes or hours: check the unit; if it is right, say it is met",
)
MINUTE = 60


def _perhaps_minutes(threshold: Threshold, value: Fraction) -> bool:
    """Whether minutes may have been typed where seconds are read: 45 against a limit of 30 minutes is no pass."""
    limit = threshold.upper
    return threshold.unit == "seconds" and limit is not None and limit >= MINUTE and 0 < value < MINUTE


def thresholds_of(
    indicator: Indicator, value: Value, score: Fraction | None, quantities: Mapping[str, Fraction], readings: Readings
) -> tuple[ThresholdResult, ...]:
    """Returns the verdict on each number that the rule demands of an indicator: its value, its score, or a quantity."""
    return tuple(_result(threshold, value, score, quantities, readings) for threshold in indicator.thresholds)


def _result(
    threshold: Threshold,
    value: Value,
    score: Fraction | None,
    quantities: Mapping[str, Fraction],
    readings: Readings,
) -> ThresholdResult:
    bounds = _turned(threshold, readings)
    target = bounds.upper if bounds.lower is None else bounds.lower
    blank = ThresholdResult(quote=threshold.quote, quantity=threshold.quantity, target=target)
    if threshold.of == "score":
        return blank if score is None else _exact(blank, bounds, score)
    if threshold.of == "quantity":
        given = quantities.get(threshold.quantity.zh)
        if given is not None and _perhaps_minutes(threshold, given):
            return blank.model_copy(update={"value": given, "verdict": Verdict.OPEN, "note": MINUTES})
        return blank if given is None else _exact(blank, bounds, compared(given, threshold.unit, readings))
    if value.value is None:
        return blank
    if value.rate is not None and bounds.at_least is not None:
        verdict, note = _sampled(value.rate, bounds.at_least)
        return blank.model_copy(update={"value": value.value, "verdict": verdict, "note": note})
    if value.interval is not None:
        return blank.model_copy(update={"value": value.value, "verdict": _interval(bounds, value.interval)})
    if value.given is not None and value.source == value.given.source and sampled(value.given):
        return blank.model_copy(update={"value": value.value, "verdict": Verdict.OPEN, "note": NO_N})
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
    blank = RequirementResult(id=one.id, clause=one.clause, name=one.quantity, quote=one.quote, unit=one.unit)
    bounds = _turned(one, readings)
    if said is not None and said.met is not None:
        return blank.model_copy(update={"verdict": Verdict.PASS if said.met else Verdict.FAIL})
    value = said.value if said is not None else same.get(one.quantity.zh)
    if value is not None and _perhaps_minutes(one, value):
        return blank.model_copy(update={"value": value, "verdict": Verdict.OPEN, "note": MINUTES})
    if value is not None:
        held = bounds.holds(compared(value, one.unit, readings))
        return blank.model_copy(update={"value": value, "verdict": Verdict.PASS if held else Verdict.FAIL})
    found = metrics.rate_or_wait(one.metric) if metrics is not None and one.metric is not None else None
    if isinstance(found, Rate) and found.n and bounds.at_least is not None:
        return _available(blank, bounds.at_least, found, by_attempt=readings["availability.basis"] == "attempt")
    if isinstance(found, Waits) and found.n and bounds.upper is not None:
        return _probed_wait(blank, bounds, found, readings)
    return blank


def _available(blank: RequirementResult, target: Fraction, failures: Rate, *, by_attempt: bool) -> RequirementResult:
    """Availability by attempts, the share that did not fail; by time only the bound that attempts set (X37)."""
    rate = Rate.of(failures.n - failures.k, failures.n)
    most = f"{100 * one_sided(failures.k, failures.n)[1]:.2g} %"
    bound = Text(
        zh=f"拨测{failures.n}次失败{failures.k}次，按次数不可用率的单侧95%上限为{most}",
        en=f"{failures.k} of {failures.n} attempts failed: unavailable for {most} of attempts at most (one-sided 95 %)",
    )
    if not by_attempt:
        return blank.model_copy(update={"n": rate.n, "note": bound})
    verdict, note = _sampled(rate, target)
    return blank.model_copy(update={"value": rate.value, "n": rate.n, "verdict": verdict, "note": note or bound})


def _probed_wait(blank: RequirementResult, bounds: Bounds, waits: Waits, readings: Readings) -> RequirementResult:
    """A wait against an upper limit, by the statistic that the readings name (X35).

    The mean by its interval; the 95th percentile by the share of waits within the limit, which must be 95 %; the
    longest by itself.
    """
    statistic = readings.text("perf.statistic")
    assert waits.mean is not None
    mean, p95, longest = waits.mean, exact(waits.p95 or 0.0), exact(waits.longest or 0.0)
    note: Text | None = None
    if statistic == "mean":
        value, verdict = mean, Verdict.OPEN if waits.interval is None else _interval(bounds, waits.interval)
    elif statistic == "max":
        value, verdict = longest, Verdict.PASS if bounds.holds(longest) else Verdict.FAIL
    elif waits.times:
        within = sum(bounds.holds(exact(time)) for time in waits.times)
        value, (verdict, note) = p95, _sampled(Rate.of(within, waits.n), Fraction(95, 100))
    else:  # thousands of them: the percentile is as good as exact
        value, verdict = p95, Verdict.PASS if bounds.holds(p95) else Verdict.FAIL
    three = [f"{float(time):.3g}" for time in (mean, p95, longest)]
    zh, en = (f"；{note.zh}", f"; {note.en}") if note else ("", "")
    said = Text(
        zh=f"均值{three[0]}秒，95百分位{three[1]}秒，最大{three[2]}秒{zh}",
        en=f"mean {three[0]} s, 95th percentile {three[1]} s, longest {three[2]} s{en}",
    )
    return blank.model_copy(update={"value": value, "n": waits.n, "verdict": verdict, "note": said})
