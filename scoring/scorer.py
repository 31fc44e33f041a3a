"""Scores what is known of a centre against a scheme: the probes' metrics, the inputs, or both.

A value from simulation testing is *verification evidence*: the rule scores the centre's own figures (13.2.1, X11), and
a probe's value is scored only where no other is given or the readings say so. What is missing makes the composite a
range. The scorer never says whether the composite is good enough (X03).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction

from scenarios.errors import InputsError
from scenarios.model import Text
from scoring import occasions as rating
from scoring.certification import maturity_of, stars_of
from scoring.coefficients import FactorResult, band_of, coefficient_of, factor_results, possible
from scoring.composite import composite_of, judged
from scoring.defects import Readings
from scoring.inputs import Entered, Given, Inputs
from scoring.measures import MEASURES
from scoring.metrics import Metrics
from scoring.points import Points, form_of, points_of, policy_of, unusable
from scoring.profile import application_of, characteristics_of
from scoring.scheme import Dimension, Indicator, Scheme
from scoring.scorecard import Line, Part, Rated, Scorecard
from scoring.statements import severities, statements
from scoring.statistics.variation import Variation
from scoring.thresholds import RULE, requirement_results, thresholds_of
from scoring.uncertainty import Known, rated_uncertainty, uncertainty
from scoring.values import Value, evidence_of, value_of
from scoring.warn import Result, Said, codes_of, in_force_to, warnings

PROBED = Text(
    zh="模拟测试值仅代表抽测时段，为核查证据",
    en="Values of simulation testing stand for the sampled hours only and are verification evidence",
)
OURS = Text(
    zh="；定量评价以受审核方系统数据为准（X11）", en="; the centre's own system data are what the rule scores (X11)"
)
BOTH = Text(
    zh="；有受审核方数据的指标按其数据评分，来源逐项注明（X11）",
    en="; where the centre's own figures are given, those are scored, and each value says where it is from (X11)",
)
ENTERED = Text(
    zh="没有模拟测试：各值由受审核方数据和评价人员给出，来源逐项注明",
    en="Nothing was probed: all values were given by the centre and its evaluators, and each says where it is from",
)


def score(
    metrics: Metrics | None,
    scheme: Scheme,
    entered: Entered | None = None,
    today: date | None = None,
    contacts: Mapping[str, int] | None = None,
) -> Scorecard:
    """Returns the scorecard of a centre under ``scheme``.

    Args:
        metrics: what a run measured, or None.
        scheme: the certification scheme.
        entered: the inputs and how the readings stand, or None.
        today: the day of the report, compared with the rule's validity; the present day (UTC) if not given.
        contacts: completed probes by ISO week; they count as manual samples only as X12 allows.

    Raises:
        InputsError: the readings name a policy that an indicator cannot be scored by, or an id that the scheme lacks.
    """
    today = today or datetime.now(UTC).date()
    readings = entered.readings if entered else Readings()
    inputs = entered.inputs if entered else Inputs(scheme=scheme.id)
    wrong = unusable(scheme, readings)
    if wrong is not None:
        raise InputsError(f"readings: score_policy: {wrong[0]} cannot be scored by {wrong[1]}", cure=wrong[2])
    rated = rating.rated(scheme, inputs, readings)
    by_occasion = scheme.composite.method == "occasions"
    counted = dict(contacts or {}) if _contacts_count(readings) else {}
    known, said = [], []
    demanded = _demanded(scheme, inputs)
    for dimension, indicator in scheme.indicators():
        if by_occasion:
            line = _rated_line(dimension, indicator, rated, inputs, readings, metrics)
            said.append(Said(line, indicator))
            continue
        given = inputs.given().get(indicator.id)
        one = _Scored(scheme, dimension, indicator, metrics, given, readings, counted, demanded.get(indicator.id, {}))
        known.append(Known(one.line, indicator, one.value))
        said.append(Said(one.line, indicator, one.found))
    mean = rating.total(rated, readings) if by_occasion else None
    composite = composite_of(scheme, [one.line for one in said], readings, mean)
    maturity = maturity_of(scheme, inputs)
    stars = None if mean is None else stars_of(scheme, mean, maturity, inputs, readings)
    spread = (
        rated_uncertainty(scheme, rated, maturity, inputs.gate, readings)
        if by_occasion
        else uncertainty(scheme, known, composite, readings)
    )
    composite = judged(composite.model_copy(update={"uncertainty": spread}))
    requirements = requirement_results(scheme, {**inputs.requirements, **inputs.checks}, demanded, metrics, readings)
    stated = statements(scheme, inputs, readings, metrics, [one.line for one in said], composite)
    result = Result(
        scheme=scheme,
        metrics=metrics,
        inputs=entered.inputs if entered else None,
        readings=readings,
        today=today,
        said=said,
        composite=composite,
        requirements=requirements,
        occasions=rated,
        unequal=rating.unequal(rated),
        contacts_count=_contacts_count(readings),
        maturity=maturity,
        stars=stars,
        statements=stated,
    )
    found = warnings(result)
    codes = codes_of(found)
    lines = tuple(one.line.model_copy(update={"warnings": codes.get(one.line.id, ())}) for one in said)
    return Scorecard(
        scheme=scheme.id,
        standard=scheme.standard,
        title=scheme.title,
        edition=scheme.edition,
        valid_from=scheme.valid_from,
        valid_to=in_force_to(scheme, readings),
        today=today,
        basis=_basis(scheme, metrics, entered),
        decision_rule=RULE,
        organisation=inputs.organisation,
        inputs=entered.file if entered else None,
        inputs_sha256=entered.sha256 if entered else None,
        readings={key: readings.shown(key) for key in sorted(readings.given) if readings.turned_key(key)},
        lines=lines,
        composite=composite,
        requirements=requirements,
        characteristics=characteristics_of(scheme, metrics, readings),
        application=application_of(scheme, inputs, lines, metrics) if readings.flag("report.a4") else (),
        occasions=rated,
        maturity=maturity,
        stars=stars,
        statements=stated,
        severities=severities(scheme, readings),
        warnings=found,
    )


def _basis(scheme: Scheme, metrics: Metrics | None, entered: Entered | None) -> Text:
    """Where the values come from, and which of them the rule scores (X11)."""
    if metrics is None or (entered is not None and not metrics.channels):
        return Text(zh=f"{ENTERED.zh}。", en=f"{ENTERED.en}.")
    if not any(caveat.code == "X11" for caveat in scheme.defects):
        return Text(zh=f"{PROBED.zh}。", en=f"{PROBED.en}.")
    more = OURS if entered is None else BOTH
    return Text(zh=f"{PROBED.zh}{more.zh}。", en=f"{PROBED.en}{more.en}.")


def _demanded(scheme: Scheme, inputs: Inputs) -> dict[str, dict[str, Fraction]]:
    """The other numbers given of each indicator; one that a requirement asks, too, may stand at either place (X38)."""
    found = {id_: dict(given.quantities) for id_, given in inputs.given().items()}
    for one in scheme.requirements:
        said = inputs.requirements.get(one.id)
        if one.same_as is not None and said is not None and said.value is not None:
            found.setdefault(one.same_as, {}).setdefault(one.quantity.zh, said.value)
    return found


def _contacts_count(readings: Readings) -> bool:
    """Whether completed probes count as manual samples of the applicant's (X12)."""
    return (
        readings.flag("coverage.count_probes")
        and readings["campaign.commissioned_by"] == "applicant"
        and readings["campaign.executed_by"] not in (None, "certification_body")
    )


class _Scored:
    """One indicator as it is scored: its value, its line, and what caveats may have to say of it."""

    def __init__(
        self,
        scheme: Scheme,
        dimension: Dimension,
        indicator: Indicator,
        metrics: Metrics | None,
        given: Given | None,
        readings: Readings,
        contacts: dict[str, int],
        demanded: Mapping[str, Fraction],
    ) -> None:
        self.value = value = value_of(indicator, metrics, given, readings)
        factors = factor_results(indicator, given, readings, contacts)
        points = points_of(scheme, indicator, value, factors, readings)
        k = None if value.value is None else coefficient_of(indicator, value.value, readings)
        band = None if value.value is None else band_of(indicator, value.value, readings)
        open_ = () if value.value is None else possible(indicator, value.value, value.interval, readings)
        months = given.months if given else {}
        spread = _variation([float(value) for value in months.values()], int(readings.text("cv.ddof")))
        policy = policy_of(indicator, readings)
        moved = readings.flag("special_satisfaction.as_boost") and _may_move(scheme, indicator)
        self.line = Line(
            id=indicator.id,
            dimension=dimension.id,
            group=indicator.group,
            name=indicator.name,
            clauses=indicator.clauses,
            weight=indicator.weight,
            boost=dimension.boost or moved,
            status=value.status,
            source="person" if given is not None and given.score is not None else value.source,
            file=given.file if given else None,
            by=given.by if given else None,
            at=given.at.isoformat() if given and given.at else None,
            probe=indicator.probe,
            metric=indicator.metric if value.probed else None,
            supports=tuple(one.metric for one in value.evidence),
            evidence=value.evidence,
            unit=indicator.unit,
            value=value.value,
            n=value.n,
            interval=value.interval,
            probed=value.probed,
            variation=spread,
            band=band.quote if band else None,
            coefficient=k,
            possible=open_,
            band_verdict=None if k is None else ("determined" if len(set(open_)) == 1 else "undecided"),
            parts=(*points.parts, *_factor_parts(factors)),
            thresholds=thresholds_of(indicator, value, points.score, demanded, readings),
            policy=policy,
            score=points.score,
            score_range=(points.low, points.high) if points.score is not None or points.parts else None,
            weighted=None if points.score is None else points.score * indicator.weight / 100,
            note=_note(indicator, value),
        )
        self.found = _found(scheme, indicator, factors, points, readings)


def _variation(months: list[float], ddof: int) -> float | None:
    """离散系数 of a monthly series of at least three values (X19)."""
    return Variation.of(months, ddof).value if len(months) >= 3 and any(months) else None


def _may_move(scheme: Scheme, indicator: Indicator) -> bool:
    """Whether the rule says that the indicator may also count as a boost (X10)."""
    return any(caveat.code == "X10" and indicator.id in caveat.indicators for caveat in scheme.defects)


def _factor_parts(factors: tuple[FactorResult, ...]) -> tuple[Part, ...]:
    return tuple(
        Part(name=result.factor.name, got=result.coefficient, most=Fraction(1), note="k")
        for result in factors
        if result.coefficient is not None
    )


def _found(
    scheme: Scheme, indicator: Indicator, factors: tuple[FactorResult, ...], points: Points, readings: Readings
) -> dict[str, list[dict[str, Text]]]:
    found: dict[str, list[dict[str, Text]]] = {}
    for result in factors:
        for when, words in result.said:
            found.setdefault(when, []).append(words)
    if "survey" in found:
        found["survey"] = found["survey"][:1]
    if points.alternative is not None and points.score is not None:
        pair = [_number(points.score), _number(points.alternative)]
        sheet, product = pair[::-1] if readings["satisfaction.mode"] == "multiplicative" else pair
        found["two_readings"] = [{"a": sheet, "b": product}]
    if points.scaled:
        found["form_scaled"] = [{}]
    form = form_of(scheme, indicator, readings) or (scheme.form(indicator.group) if indicator.group else None)
    if form is not None and form.stated != "content":
        label = f"{form.table} {form.title}" if form.table else form.title
        found["form_missing"] = [{"table": Text(zh=label, en=label)}]
    return found


def _number(value: Fraction) -> Text:
    return Text(zh=f"{float(value):.6g}", en=f"{float(value):.6g}")


def _note(indicator: Indicator, value: Value) -> Text:
    if value.status == "measured":
        return indicator.measures or Text(zh="由模拟测试测得", en="measured by simulation testing")
    if value.given is not None:
        return Text(zh=value.given.note, en=value.given.note) if value.given.note else _SOURCES[value.given.source]
    if value.status == "supported":
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


_SOURCES = {
    "system": Text(zh="受审核方系统数据", en="the centre's system data"),
    "survey": Text(zh="客户调查", en="customer survey"),
    "documents": Text(zh="文档审查", en="review of documents"),
    "observation": Text(zh="现场观察", en="observation on site"),
    "entered": Text(zh="人工录入", en="entered by a person"),
}


def _rated_line(
    dimension: Dimension,
    indicator: Indicator,
    rated: tuple[Rated, ...],
    inputs: Inputs,
    readings: Readings,
    metrics: Metrics | None,
) -> Line:
    """One item of points x alpha: its mean alpha over the occasions, known if every occasion has one."""
    waived = any(waiver.item == indicator.id for waiver in inputs.waived)
    alpha = None if waived else rating.average(rated, lambda one: one.alphas.get(indicator.id), readings)
    whole = bool(rated) and all(indicator.id in one.alphas for one in rated)
    low = rating.average(rated, lambda one: one.alphas.get(indicator.id, Fraction()), readings)
    high = rating.average(rated, lambda one: one.alphas.get(indicator.id, Fraction(1)), readings)
    points = 100 * alpha if alpha is not None and whole else None
    evidence = evidence_of(indicator, metrics)
    return Line(
        id=indicator.id,
        dimension=dimension.id,
        name=indicator.name,
        clauses=indicator.clauses,
        weight=indicator.weight,
        boost=dimension.boost,
        status="entered" if alpha is not None else "supported" if evidence else "missing",
        source=None if alpha is None else "person",
        by="、".join(dict.fromkeys(one.rater for one in rated if indicator.id in one.alphas)) or None,
        probe=indicator.probe,
        metric=None,
        supports=tuple(one.metric for one in evidence),
        evidence=evidence,
        unit=None,
        value=alpha,
        n=sum(indicator.id in one.alphas for one in rated) or None,
        interval=None,
        band=None,
        coefficient=alpha if whole else None,
        possible=(),
        band_verdict=None,
        thresholds=(),
        policy=indicator.policy,
        score=points,
        score_range=None if low is None or high is None or waived else (100 * low, 100 * high),
        weighted=None if points is None else points * indicator.weight / 100,
        note=Text(zh="经批准不适用", en="waived") if waived else indicator.measures or indicator.name,
        waived=waived,
    )
