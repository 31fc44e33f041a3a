"""Scores a run's metrics against a scheme.

A value from simulation testing is *verification evidence*: the rule scores the centre's own system data (13.2.1,
defect X11). So the scorer prints what the evidence would give, what it cannot decide, and what was not measured.
It never says whether the composite is good enough (X03).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Literal

from scenarios.model import Text
from scoring.measures import MEASURES
from scoring.metrics import Metrics
from scoring.scheme import Dimension, Indicator, Scheme
from scoring.scorecard import Composite, DimensionRange, Line, Note, Range, Scorecard, ThresholdResult
from scoring.statistics import Rate, Verdict, smallest_n, three_way
from scoring.warn import warnings

BASIS = Text(
    zh="本表各值来自模拟测试，仅代表抽测时段，为核查证据；定量评价以受审核方系统数据为准（13.2.1，X11）。",
    en=(
        "The values come from simulation testing and stand for the sampled hours only. They are verification evidence;"
        " the centre's own system data are what the rule scores (13.2.1, X11)."
    ),
)


def score(metrics: Metrics, scheme: Scheme, today: date | None = None) -> Scorecard:
    """Returns the scorecard of ``metrics`` under ``scheme``.

    Args:
        metrics: what the run measured.
        scheme: the certification scheme.
        today: the day of the report, compared with the rule's validity; the present day (UTC) if not given.
    """
    today = today or datetime.now(UTC).date()
    lines = tuple(_line(metrics, dimension, indicator) for dimension, indicator in scheme.indicators())
    return Scorecard(
        scheme=scheme.id,
        standard=scheme.standard,
        title=scheme.title,
        edition=scheme.edition,
        valid_from=scheme.valid_from,
        valid_to=scheme.valid_to,
        today=today,
        basis=BASIS,
        lines=lines,
        composite=_composite(scheme, lines),
        warnings=warnings(metrics, scheme, lines, today),
    )


def _line(metrics: Metrics, dimension: Dimension, indicator: Indicator) -> Line:
    value, n, interval = _value(metrics, indicator)
    supports = tuple(id_ for id_ in indicator.metrics if (found := metrics.rate_or_wait(id_)) and found.n)
    status: Literal["measured", "supported", "missing"] = "missing"
    if value is not None:
        status = "measured"
    elif supports:
        status = "supported"
    band = indicator.band(value) if value is not None else None
    possible = _possible(indicator, interval) if band else ()
    points = _points(indicator, value)
    return Line(
        id=indicator.id,
        dimension=dimension.id,
        name=indicator.name,
        clauses=indicator.clauses,
        weight=indicator.weight,
        boost=dimension.boost,
        status=status,
        probe=indicator.probe,
        metric=indicator.metric if value is not None else None,
        supports=supports,
        unit=indicator.unit,
        value=value,
        n=n,
        interval=interval,
        band=band.quote if band else None,
        coefficient=band.coefficient if band else None,
        possible=possible,
        band_verdict=None if band is None else ("determined" if len(possible) == 1 else "undecided"),
        thresholds=_thresholds(metrics, indicator),
        policy=indicator.policy,
        score=points,
        score_range=None if points is None else _score_range(indicator, points, possible),
        weighted=None if points is None else points * indicator.weight / 100,
        note=_note(indicator, status),
    )


def _value(metrics: Metrics, indicator: Indicator) -> tuple[Fraction | None, int | None, tuple[float, float] | None]:
    """The exact value, its n and a 95 % interval: Clopper-Pearson for a rate, BCa and timing error for a mean."""
    if indicator.metric is None:
        return None, None, None
    found = metrics.rate_or_wait(indicator.metric)
    if found is None or not found.n:
        return None, None, None
    if isinstance(found, Rate):
        return found.value, found.n, found.exact
    widened = 2 * (found.u or 0.0)  # U = 2u: errors of the instants may all lean one way, so n does not shrink them
    if found.interval is None:
        return found.mean, found.n, None
    return found.mean, found.n, (max(0.0, found.interval[0] - widened), found.interval[1] + widened)


def _possible(indicator: Indicator, interval: tuple[float, float] | None) -> tuple[Fraction, ...]:
    """The coefficients that the interval leaves open; all of them when there is no interval."""
    return tuple(band.coefficient for band in indicator.bands if interval is None or band.meets(*interval))


def _thresholds(metrics: Metrics, indicator: Indicator) -> tuple[ThresholdResult, ...]:
    results = []
    for threshold in indicator.thresholds:
        rate = metrics.rate(threshold.metric) if threshold.metric else None
        target = threshold.at_least
        if rate is None or target is None:
            results.append(ThresholdResult(quote=threshold.quote, quantity=threshold.quantity))
            continue
        verdict = three_way(rate.k, rate.n, target)
        note = None
        if any(three_way(k, rate.n, target) is not verdict for k in rate.extremes):
            verdict = Verdict.OPEN
            note = Text(
                zh=f"{rate.boundary}个等待时间与界限之差在测时不确定度内，归属不同则判定不同",
                en=f"{rate.boundary} waits are within timing uncertainty of the limit, and the verdict hangs on them",
            )
        elif verdict is Verdict.OPEN and rate.n < smallest_n(target):
            least = smallest_n(target)
            note = Text(
                zh=f"n={rate.n}，至少需{least}次且无一失败方可判定符合",
                en=f"n = {rate.n}; at least {least} without a failure are needed to show it",
            )
        results.append(
            ThresholdResult(
                quote=threshold.quote, quantity=threshold.quantity, target=target, verdict=verdict, note=note
            )
        )
    return tuple(results)


def _points(indicator: Indicator, value: Fraction | None) -> Fraction | None:
    """The score out of 100 under the indicator's policy, or None where a person must score."""
    if value is None:
        return None
    band = indicator.band(value)
    match indicator.policy:
        case "coef_full_marks" if band:
            return 100 * band.coefficient
        case "value_times_coef" if band:
            return 100 * value * band.coefficient
        case "attainment_linear" if indicator.thresholds and indicator.thresholds[0].at_least:
            return 100 * min(Fraction(1), value / indicator.thresholds[0].at_least)
        case "pass_fail" if indicator.thresholds:
            return Fraction(100 if all(threshold.holds(value) for threshold in indicator.thresholds) else 0)
    return None


def _score_range(indicator: Indicator, points: Fraction, possible: tuple[Fraction, ...]) -> tuple[Fraction, Fraction]:
    if indicator.policy != "coef_full_marks" or not possible:
        return points, points
    return 100 * min(possible), 100 * max(possible)


def _note(indicator: Indicator, status: str) -> Text:
    if status == "measured":
        return indicator.measures or Text(zh="由模拟测试测得", en="measured by simulation testing")
    if status == "supported":
        names = [MEASURES[id_].name for id_ in indicator.metrics]
        return Text(
            zh="部分旁证：" + "、".join(name.zh for name in names) + "；得分需人工评定",
            en="evidence in part: " + ", ".join(name.en for name in names) + "; a person scores it",
        )
    if indicator.probe == "none":
        return Text(zh="未测量：模拟测试不能测得", en="not measured: simulation testing cannot see it")
    if indicator.probe == "part" and indicator.measures:
        return Text(zh=f"未测量：{indicator.measures.zh}", en=f"not measured: {indicator.measures.en}")
    return Text(zh="未测量：本次无数据", en="not measured: no data in this run")


def _composite(scheme: Scheme, lines: tuple[Line, ...]) -> Composite:
    """Ranges: what is missing counts nothing at the lower end and in full at the upper end."""
    ranges = tuple(_range(dimension, lines) for dimension in scheme.dimensions)
    base = _sum([r for r in ranges if not r.boost])
    boost = _sum([r for r in ranges if r.boost])
    full = base.full + boost.full if scheme.composite.add_boost else base.full
    scale = 100 / base.full
    return Composite(
        clause=scheme.composite.clause,
        formula=scheme.composite.formula,
        base=base,
        boost=boost,
        literal=Range(
            low=base.low + (boost.low if scheme.composite.add_boost else 0),
            high=base.high + (boost.high if scheme.composite.add_boost else 0),
            full=full,
        ),
        normalised=Range(low=base.low * scale, high=base.high * scale, full=Fraction(100)),
        dimensions=ranges,
        statement=Note(
            zh="规则未规定合格线，不给出合格结论（X03）；已测指标按点估计、未测指标按0分至满分计入区间。",
            en=(
                "The rule sets no pass mark, so there is no verdict (X03). Measured indicators count by their estimate,"
                " missing ones from nothing to full marks."
            ),
        ),
    )


def _range(dimension: Dimension, lines: tuple[Line, ...]) -> DimensionRange:
    low = high = Fraction()
    for line in lines:
        if line.dimension == dimension.id:
            low += line.weighted if line.weighted is not None else 0
            high += line.weighted if line.weighted is not None else line.weight
    return DimensionRange(
        id=dimension.id, name=dimension.name, boost=dimension.boost, low=low, high=high, full=dimension.weight
    )


def _sum(ranges: list[DimensionRange]) -> Range:
    return Range(
        low=sum((r.low for r in ranges), Fraction()),
        high=sum((r.high for r in ranges), Fraction()),
        full=sum((r.full for r in ranges), Fraction()),
    )
