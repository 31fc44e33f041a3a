"""Which of a scheme's warnings apply to one result, with their placeholders filled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

from scenarios.model import Text
from scoring.metrics import Metrics
from scoring.scheme import Indicator, Scheme
from scoring.scheme import Warning_ as Rule
from scoring.scorecard import Line, Warning_

FAR = 3  # times the last band's limit (X31)
POLICIES = {
    "coef_full_marks": Text(zh="满分×折算系数", en="full marks x coefficient"),
    "value_times_coef": Text(zh="指标值×折算系数", en="value x coefficient"),
    "attainment_linear": Text(zh="按目标达成比例", en="share of the target reached"),
    "pass_fail": Text(zh="达标得满分", en="full marks when met"),
    "d_table": Text(zh="附录D打分表", en="score sheet of annex D"),
    "points_times_alpha": Text(zh="分值×α", en="points x alpha"),
    "manual": Text(zh="人工评分", en="scored by a person"),
}


def show(value: Fraction, unit: str | None) -> str:
    """Returns a value as a person reads it, rounded for display only (X14)."""
    return f"{float(100 * value):.1f} %" if unit == "share" else f"{float(value):.1f} s"


def warnings(metrics: Metrics, scheme: Scheme, lines: tuple[Line, ...], today: date) -> tuple[Warning_, ...]:
    """Returns the warnings that apply, in the order of the scheme's file; one for each indicator it is about."""
    found: list[Warning_] = []
    indicators = {indicator.id: indicator for _, indicator in scheme.indicators()}
    for rule in scheme.warnings:
        for values in _occasions(rule, metrics, scheme, lines, indicators, today):
            text = Text(
                zh=rule.zh.format(**{key: value.zh for key, value in values.items()}),
                en=rule.en.format(**{key: value.en for key, value in values.items()}),
            )
            warning = Warning_(code=rule.code, text=text)
            if warning not in found:
                found.append(warning)
    return tuple(found)


def _same(text: str) -> Text:
    return Text(zh=text, en=text)


def _occasions(
    rule: Rule,
    metrics: Metrics,
    scheme: Scheme,
    lines: tuple[Line, ...],
    indicators: dict[str, Indicator],
    today: date,
) -> Iterator[dict[str, Text]]:
    """Yields what to fill in, once for each occasion on which ``rule`` applies."""
    values = _values(metrics, scheme)
    match rule.when:
        case "always":
            yield values
            return
        case "expired":
            days = [today, *(date.fromisoformat(t[:10]) for t in (metrics.first_utc, metrics.last_utc) if t)]
            if not all(scheme.valid_on(day) for day in days):
                yield values
            return
        case "chat":
            if "chat" in metrics.channels:
                yield values
            return
    for line in lines:
        if rule.indicators and line.id not in rule.indicators:
            continue
        if _applies(rule, line, indicators[line.id]):
            yield values | _of(line)


def _applies(rule: Rule, line: Line, indicator: Indicator) -> bool:
    match rule.when:
        case "measured":
            return line.status == "measured"
        case "supported":
            return line.status == "supported"
        case "scored":
            return line.score is not None and not indicator.policy_stated
        case "banded":
            return line.band is not None
        case "on_boundary":
            return line.value is not None and indicator.on_boundary(line.value)
        case "far_beyond":
            last = max((band.lower for band in indicator.bands if band.lower is not None), default=None)
            return line.value is not None and last is not None and line.value > FAR * last
    return False


def _values(metrics: Metrics, scheme: Scheme) -> dict[str, Text]:
    voice = metrics.channels.get("voice")
    limits = "/".join(f"{limit:g}" for limit in voice.limits_s) if voice else ""
    abandoned = "–" if voice is None or voice.speed_with_abandoned is None else f"{voice.speed_with_abandoned:.1f}"
    return {
        "valid_to": _same(scheme.valid_to.isoformat()),
        "limits": _same(limits or "–"),
        "with_abandoned": _same(abandoned),
    }


def _of(line: Line) -> dict[str, Text]:
    return {
        "name": line.name,
        "policy": POLICIES[line.policy],
        "value": _same("–" if line.value is None else show(line.value, line.unit)),
        "coefficient": _same("–" if line.coefficient is None else f"{float(line.coefficient):.1f}"),
    }
