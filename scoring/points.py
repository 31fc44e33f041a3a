"""From a value to a score out of 100: the policies (X05), each with what the interval and the gaps leave open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from scenarios.errors import InputsError
from scenarios.model import Text
from scoring.bands import Threshold
from scoring.coefficients import FactorResult, coefficient_of, compared, factors_of, reach
from scoring.defects import Readings
from scoring.scheme import Form, FormItem, Indicator, Policy, Scheme
from scoring.scorecard import Part
from scoring.values import Value

FULL = Fraction(100)


@dataclass(frozen=True)
class Points:
    """A score of 100 (None: not known), the scores that are possible, and the rows or factors it is made of.

    ``alternative`` is the same score under the other reading of 整体满意度 (X22).
    """

    score: Fraction | None = None
    low: Fraction = Fraction()
    high: Fraction = FULL
    parts: tuple[Part, ...] = ()
    alternative: Fraction | None = None
    scaled: bool = False


def policy_of(indicator: Indicator, readings: Readings) -> Policy:
    """Returns the policy of the indicator, as the rule has it or as the readings set it.

    Raises:
        InputsError: the readings name no policy.
    """
    chosen = readings.table("score_policy").get(indicator.id, indicator.policy)
    if chosen not in get_args(Policy):
        raise InputsError(f"readings: score_policy of {indicator.id} is {chosen}", cure=", ".join(get_args(Policy)))
    policy: Policy = chosen
    return policy


def unusable(scheme: Scheme, readings: Readings) -> tuple[str, str, str] | None:
    """Returns the first policy of the readings that its indicator cannot be scored by, with the id and a cure."""
    for _, indicator in scheme.indicators():
        chosen = readings.table("score_policy").get(indicator.id)
        fit = _fitting(scheme, indicator, readings)
        if chosen is not None and chosen not in fit:
            return indicator.id, str(chosen), f"it can be scored by: {', '.join(fit)}"
    return None


def _fitting(scheme: Scheme, indicator: Indicator, readings: Readings) -> list[Policy]:
    """The policies that an indicator has everything for."""
    if scheme.composite.method == "occasions":
        return ["points_times_alpha"]
    form, tests = form_of(scheme, indicator, readings), own_thresholds(indicator)
    converted = bool(indicator.bands or factors_of(indicator, readings))
    has: dict[Policy, bool] = {
        "coef_full_marks": converted,
        "value_times_coef": converted and indicator.unit == "share",
        "attainment_linear": any(test.at_least for test in tests),
        "pass_fail": bool(tests),
        "d_table": form is not None and form.total is not None,
        "manual": True,
    }
    return [policy for policy, fits in has.items() if fits]


def points_of(
    scheme: Scheme, indicator: Indicator, value: Value, factors: Sequence[FactorResult], readings: Readings
) -> Points:
    """Returns the score of an indicator: a person's where one was given, else its policy's."""
    given = value.given
    form = form_of(scheme, indicator, readings)
    if given is not None and given.score is not None:
        return Points(given.score, given.score, given.score, _parts(form, value, factors) if form else ())
    policy = policy_of(indicator, readings)
    if policy == "d_table" or (form is not None and given is not None and given.points and policy == "manual"):
        return _sheet(indicator, form, value, factors, readings)
    if value.value is None:
        return Points()
    values = reach(indicator, value.value, value.interval)
    scores = [_score(indicator, policy, v, readings, factors) for v in values]
    known = [score for score in scores if score is not None]
    if not known or scores[0] is None:
        return Points()
    return Points(scores[0], min(known), max(known))


def _score(
    indicator: Indicator, policy: Policy, value: Fraction, readings: Readings, factors: Sequence[FactorResult]
) -> Fraction | None:
    """The score of 100 of one value, or None where the policy cannot tell."""
    k = coefficient_of(indicator, value, readings)
    if k is None and factors and all(result.coefficient is not None for result in factors):
        k = Fraction(math.prod(result.coefficient for result in factors if result.coefficient is not None))
    match policy:
        case "coef_full_marks":
            return None if k is None else FULL * k
        case "value_times_coef":
            return None if k is None else FULL * value * k
        case "attainment_linear":
            target = next((t.at_least for t in own_thresholds(indicator) if t.at_least), None)
            return None if target is None else FULL * min(Fraction(1), value / target)
        case "pass_fail":
            tests = own_thresholds(indicator)
            met = all(test.holds(compared(value, test.unit, readings)) for test in tests)
            return None if not tests else FULL * met
    return None


def own_thresholds(indicator: Indicator) -> list[Threshold]:
    """The thresholds that are about the indicator's own value."""
    return [threshold for threshold in indicator.thresholds if threshold.of == "value"]


def form_of(scheme: Scheme, indicator: Indicator, readings: Readings) -> Form | None:
    """Returns the score sheet, with the points that the evaluator set where the rule has none (X20)."""
    form = scheme.form(indicator.id)
    override = readings.table("dtable.override").get(indicator.id) or (
        readings.table("dtable.override").get(form.table) if form and form.table else None
    )
    if not override:
        return form
    rows = tuple(
        FormItem(name=Text(zh=name, en=name), points=Fraction(str(points))) for name, points in override.items()
    )
    return Form(
        table=form.table if form else None, title=indicator.name.zh, of=indicator.id, stated="content", items=rows
    )


def _parts(form: Form, value: Value, factors: Sequence[FactorResult]) -> tuple[Part, ...]:
    given = value.given.points if value.given else {}
    coefficients = {result.factor.id: result for result in factors}
    parts = []
    for item in form.items:
        got: Fraction | None = given.get(item.name.zh)
        note = ""
        if got is None and item.points is not None:
            if item.value and value.value is not None:
                got = item.points * value.value
            elif (
                item.factor is not None and (result := coefficients.get(item.factor)) and result.coefficient is not None
            ):
                got, note = item.points * result.coefficient, f"k={float(result.coefficient):g}"
        parts.append(Part(name=item.name, got=got, most=item.points, note=note))
    return tuple(parts)


def _sheet(
    indicator: Indicator, form: Form | None, value: Value, factors: Sequence[FactorResult], readings: Readings
) -> Points:
    if form is None or form.total is None:
        return Points()
    parts = _parts(form, value, factors)
    scale = FULL / form.total if readings["dtable.scale"] == "to_100" else Fraction(1)
    known = sum((part.got for part in parts if part.got is not None), Fraction())
    gaps = sum((part.most for part in parts if part.got is None and part.most is not None), Fraction())
    low, high = known, known + gaps
    if value.interval is not None:
        row = next((item.points for item in form.items if item.value), None) or Fraction()
        assert value.value is not None
        low -= row * (value.value - Fraction(max(0.0, value.interval[0])))
        high += row * (Fraction(min(1.0, value.interval[1])) - value.value)
    nothing = all(part.got is None for part in parts)
    both = _product(value, factors)
    if factors and readings["satisfaction.mode"] == "multiplicative":
        return _multiplied(value, factors, parts, known * scale if not gaps else None)
    if nothing:
        return Points(high=form.total * scale, parts=parts)
    score = None if gaps else known * scale
    return Points(score, low * scale, high * scale, parts, both if score is not None else None, form.total != FULL)


def _multiplied(
    value: Value, factors: Sequence[FactorResult], parts: tuple[Part, ...], other: Fraction | None
) -> Points:
    """100 x value x every coefficient; a coefficient that is not known may be anything from 0 to 1."""
    k = Fraction(math.prod(result.coefficient for result in factors if result.coefficient is not None))
    whole = all(result.coefficient is not None for result in factors)
    if value.value is None:
        return Points(None, Fraction(), FULL * k, parts, None)
    low, high = value.interval or (value.value, value.value)
    ends = FULL * k * max(Fraction(), Fraction(low)), FULL * k * min(Fraction(1), Fraction(high))
    if not whole:
        return Points(None, Fraction(), ends[1], parts, None)
    return Points(FULL * k * value.value, *ends, parts, other)


def _product(value: Value, factors: Sequence[FactorResult]) -> Fraction | None:
    """100 x value x every coefficient, the other reading of 9.2.2 (X22)."""
    if value.value is None or not factors or any(result.coefficient is None for result in factors):
        return None
    return FULL * value.value * math.prod(result.coefficient for result in factors if result.coefficient is not None)
