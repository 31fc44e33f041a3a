"""What the evaluator states where the rule is silent: periods, plan, limits, severities, a pass mark.

A statement changes no number. It stands on the scorecard, and in the warning of the defect that asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scenarios.errors import InputsError
from scenarios.model import Text
from scoring.defects import Readings, defects, switches
from scoring.inputs import Inputs, Period
from scoring.metrics import Metrics
from scoring.scheme import Scheme
from scoring.scorecard import Composite, Line, Statement


def statements(
    scheme: Scheme,
    inputs: Inputs,
    readings: Readings,
    metrics: Metrics | None,
    lines: Sequence[Line],
    composite: Composite,
) -> tuple[Statement, ...]:
    """Returns what was stated, by the switches of the scheme's defects; nothing for what nobody stated."""
    made = {  # those that are more than what was given
        "verdict.pass_score": _pass_mark(composite),
        "mapping.innovation": _innovation(scheme, readings, lines),
        "mapping.characteristics": _pairs(readings, "mapping.characteristics"),
        "nc.severity_map": _pairs(readings, "nc.severity_map"),
    }
    elsewhere = {
        "period.system": _period(inputs.period.system),
        "period.probe": _period(inputs.period.probe) or _probed(metrics),
    }
    keys = dict.fromkeys(s.key for c in scheme.defects if c.code in defects() for s in defects()[c.code].switches)
    found = []
    for key in keys:
        words = switches()[key].statement
        if key in made:
            said = made[key]
        else:
            said = elsewhere.get(key) if readings.given.get(key) is None else _same(readings.shown(key))
        if words is not None and said is not None:
            text = Text(zh=words.zh.format(value=said.zh), en=words.en.format(value=said.en))
            found.append(Statement(key=key, text=text))
    return tuple(found)


def _same(text: str) -> Text:
    return Text(zh=text, en=text)


def _pairs(readings: Readings, key: str) -> Text | None:
    given = readings.table(key)
    return _same("；".join(f"{one} {given[one]}" for one in sorted(given))) if given else None


def _pass_mark(composite: Composite) -> Text | None:
    """The evaluator's own mark for the composite, and the verdict on it."""
    if composite.pass_score is None or composite.pass_verdict is None:
        return None
    mark, verdict = f"{float(composite.pass_score):g}", composite.pass_verdict
    total = Text(zh="归一化", en="normalised") if composite.headline == "normalised" else Text(zh="原值", en="literal")
    return Text(
        zh=f"综合得分（{total.zh}）{mark}分，{verdict.value}", en=f"{mark} of the {total.en} composite, {verdict.en}"
    )


def _period(period: Period | None) -> Text | None:
    return None if period is None else Text(zh=f"{period.first}至{period.last}", en=f"{period.first} to {period.last}")


def _probed(metrics: Metrics | None) -> Text | None:
    """The days between the first contact and the last (UTC)."""
    if metrics is None or not metrics.first_utc:
        return None
    first, last = metrics.first_utc[:10], metrics.last_utc[:10]
    return Text(zh=f"{first}至{last}（UTC）", en=f"{first} to {last} (UTC)")


def _innovation(scheme: Scheme, readings: Readings, lines: Sequence[Line]) -> Text | None:
    """The certificate's line on service innovation, of the boost's indicators once one of them has a score (X33)."""
    ids = {id_ for caveat in scheme.defects if caveat.code == "X33" for id_ in caveat.indicators}
    mine = [line for line in lines if line.id in ids]
    if not any(line.score is not None for line in mine):
        return None
    if readings["mapping.innovation"] == "none":
        return Text(zh="留空", en="left empty")
    low, high = (float(sum(line.open[end] * line.weight for line in mine) / 100) for end in (0, 1))
    full = float(sum(line.weight for line in mine))
    got = f"{low:g}" if low == high else f"{low:g}–{high:g}"
    return Text(zh=f"{got}分，满分{full:g}分", en=f"{got} of {full:g} points")


def severities(scheme: Scheme, readings: Readings) -> Mapping[str, str]:
    """Returns what the evaluator calls a nonconformity, by the id of its indicator or requirement (X03).

    Raises:
        InputsError: an id is none of the scheme's.
    """
    known = {indicator.id for _, indicator in scheme.indicators()}
    known |= {one.id for one in scheme.requirements} | {one.id for one in scheme.checks}
    given = readings.table("nc.severity_map")
    for id_ in given:
        if id_ not in known:
            raise InputsError(
                f"readings: nc.severity_map: {scheme.id} has no indicator or requirement {id_}",
                cure="write ids as in the template of the inputs",
            )
    return {str(id_): str(given[id_]) for id_ in sorted(given)}
