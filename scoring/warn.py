"""Which of a scheme's defects touch one result, with the placeholders of their warnings filled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from scenarios.errors import InputsError
from scenarios.model import Lang, Text
from scoring.defects import Readings, defects
from scoring.inputs import Inputs
from scoring.levels import rounded
from scoring.metrics import Metrics
from scoring.scheme import Caveat, Indicator, Scheme
from scoring.scorecard import Composite, Line, Maturity, Rated, RequirementResult, Stars, Warning_

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
_LANGS: tuple[Lang, Lang] = ("zh", "en")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_OWN_WORDS = {"T01", "X02", "X09", "X13"}  # their placeholders already say which reading was taken
_REFERENCES = {"X41", "X42"}
LOWER = Text(zh="下限包含", en="the lower limit is included")
UPPER = Text(zh="上限包含", en="the upper limit is included")
NO_PASS, PASS = Text(zh="不通过", en="not passed"), Text(zh="通过（无星级）", en="passed, no star")

Words = dict[str, Text]


@dataclass(frozen=True)
class Said:
    """What scoring found about one indicator that a caveat may be about, by the ``when`` it belongs to."""

    line: Line
    indicator: Indicator
    found: Mapping[str, Sequence[Words]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Everything that a caveat's condition may look at."""

    scheme: Scheme
    metrics: Metrics | None
    inputs: Inputs | None
    readings: Readings
    today: date
    said: Sequence[Said]
    composite: Composite
    requirements: Sequence[RequirementResult] = ()
    occasions: Sequence[Rated] = ()
    unequal: bool = False
    contacts_count: bool = False
    maturity: Maturity | None = None
    stars: Stars | None = None


def warnings(result: Result) -> tuple[Warning_, ...]:
    """Returns the warnings that apply, in the order of the scheme's file, each with the indicators it is about."""
    about: dict[tuple[str, str, str], list[str]] = {}
    for caveat in result.scheme.defects:
        if caveat.code in _REFERENCES and not result.readings.flag("references.check"):
            continue
        for words, ids in _occasions(caveat, result):
            text = _text(caveat, words, result.readings)
            listed = about.setdefault((caveat.code, text.zh, text.en), [])
            listed += [id_ for id_ in ids if id_ not in listed]
    return tuple(
        Warning_(code=code, text=Text(zh=zh, en=en), indicators=tuple(ids)) for (code, zh, en), ids in about.items()
    )


def codes_of(found: Sequence[Warning_]) -> dict[str, tuple[str, ...]]:
    """Returns the codes that touch each indicator."""
    codes: dict[str, dict[str, None]] = {}
    for warning in found:
        for id_ in warning.indicators:
            codes.setdefault(id_, {})[warning.code] = None
    return {id_: tuple(listed) for id_, listed in codes.items()}


def _text(caveat: Caveat, words: Words, readings: Readings) -> Text:
    """The warning with its placeholders filled; where a switch was turned it says so, for it tells the default one."""
    defect = defects().get(caveat.code)
    own = None if caveat.zh is None else Text(zh=caveat.zh, en=caveat.en or caveat.zh)
    warning = own or defects()[caveat.code].warning
    zh, en = (_fill(warning.in_(lang), {key: word.in_(lang) for key, word in words.items()}) for lang in _LANGS)
    turned = [] if defect is None else [s.key for s in defect.switches if readings.turned_key(s.key)]
    if turned and caveat.code not in _OWN_WORDS:
        how = "；".join(f"{key}={readings.shown(key)}" for key in turned)
        zh, en = (
            f"{zh}（读法已改：{how}；上文为默认读法）",
            f"{en} (reading changed: {how}; the above is the default one)",
        )
    return Text(zh=zh, en=en)


def _fill(template: str, words: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: words.get(found[1], "–"), template)


def _occasions(caveat: Caveat, result: Result) -> Iterator[tuple[Words, tuple[str, ...]]]:
    """Yields what to fill in and the indicators it is about, once for each occasion on which the caveat applies."""
    common = _common(result)
    if caveat.when in _WHOLE:
        if _WHOLE[caveat.when](caveat, result):
            yield common, caveat.indicators
        return
    about = [said for said in result.said if not caveat.indicators or said.line.id in caveat.indicators]
    if caveat.when == "form_missing":
        missing = [said for said in about if "form_missing" in said.found]
        if missing:
            names = [words["table"] for said in missing for words in said.found["form_missing"]]
            table = Text(
                zh="、".join(dict.fromkeys(n.zh for n in names)), en=", ".join(dict.fromkeys(n.en for n in names))
            )
            yield {**common, "table": table, "name": table}, tuple(said.line.id for said in missing)
        return
    for said in about:
        for words in _of_line(caveat.when, said):
            yield {**common, **_line_words(said.line), **words}, (said.line.id,)


def _of_line(when: str, said: Said) -> Sequence[Words]:
    line, indicator = said.line, said.indicator
    if when in said.found:
        return said.found[when]
    holds = {
        "measured": line.status == "measured",
        "supported": line.status == "supported",
        "given": line.status in ("imported", "entered"),
        "valued": line.value is not None,
        "scored": line.score is not None and line.source != "person" and not indicator.policy_stated,
        "manual": line.policy == "manual",
        "banded": line.band is not None or any(t.verdict is not None for t in line.thresholds),
        "on_boundary": line.value is not None and indicator.on_boundary(line.value),
        "far_beyond": _far(line, indicator),
        "disagreement": line.probed is not None and line.probed.disagrees,
        "months": line.variation is not None,
    }
    return [{}] if holds.get(when) else []


def _far(line: Line, indicator: Indicator) -> bool:
    last = max((band.lower for band in indicator.bands if band.lower is not None), default=None)
    return line.unit == "seconds" and line.value is not None and last is not None and line.value > FAR * last


def _expired(caveat: Caveat, result: Result) -> bool:
    metrics = result.metrics
    times = (metrics.first_utc, metrics.last_utc) if metrics else ()
    days = [result.today, *(date.fromisoformat(t[:10]) for t in times if t)]
    end = in_force_to(result.scheme, result.readings)
    return not all(result.scheme.valid_from <= day and (end is None or day <= end) for day in days)


def in_force_to(scheme: Scheme, readings: Readings) -> date | None:
    """Returns the last day of the rule's validity, as the rule says or as the readings prolong it (X01).

    Raises:
        InputsError: the readings give no date.
    """
    given = readings["rules.valid_to"]
    if given is None:
        return scheme.valid_to
    try:
        return date.fromisoformat(str(given))
    except ValueError as error:
        raise InputsError(f"readings: rules.valid_to is {given}, not a date", cure="write 2027-05-20") from error


def _probed(caveat: Caveat, result: Result) -> bool:
    return result.metrics is not None and bool(result.metrics.channels)


def _chatted(caveat: Caveat, result: Result) -> bool:
    return result.metrics is not None and "chat" in result.metrics.channels


def _checked(caveat: Caveat, result: Result) -> bool:
    about = caveat.requirements
    return any(one.verdict is not None for one in result.requirements if not about or one.id in about)


def _not_counted(caveat: Caveat, result: Result) -> bool:
    return _probed(caveat, result) and not result.contacts_count


def _decided(caveat: Caveat, result: Result) -> bool:
    return result.stars is not None and bool(result.occasions)


def _differ(caveat: Caveat, result: Result) -> bool:
    stars = result.stars
    return stars is not None and stars.decided and stars.stars != stars.other


def _gap(caveat: Caveat, result: Result) -> bool:
    total = result.composite.base.value
    rule = result.scheme.stars
    return rule is not None and total is not None and bool(result.occasions) and rule.in_gap(total)


def _no_star(caveat: Caveat, result: Result) -> bool:
    return result.stars is not None and result.stars.decided and result.stars.stars == 0


def _likert(caveat: Caveat, result: Result) -> bool:
    given = result.inputs.occasions if result.inputs else ()
    return any(isinstance(alpha, str) for occasion in given for alpha in occasion.alpha.values())


def _levels(caveat: Caveat, result: Result) -> bool:
    return result.maturity is not None and bool(result.maturity.items)


def _turned(caveat: Caveat, result: Result) -> bool:
    return caveat.code in defects() and result.readings.turned(defects()[caveat.code])


_WHOLE = {
    "always": lambda caveat, result: True,
    "expired": _expired,
    "probes": _probed,
    "not_counted": _not_counted,
    "chat": _chatted,
    "checked": _checked,
    "result": _decided,
    "readings_differ": _differ,
    "gap": _gap,
    "no_star": _no_star,
    "likert": _likert,
    "waived": lambda caveat, result: result.inputs is not None and bool(result.inputs.waived),
    "unequal": lambda caveat, result: result.unequal,
    "levels": _levels,
    "switched": _turned,
}


def show(value: Fraction, unit: str | None) -> str:
    """Returns a value as a person reads it, rounded for display only (X14)."""
    if unit == "share":
        return f"{float(100 * value):.1f} %"
    return f"{float(value):.1f} s" if unit == "seconds" else f"{float(value):g}"


def stars_text(stars: int | None) -> Text:
    """Returns a certification level in words."""
    if stars is None:
        return NO_PASS
    return PASS if stars == 0 else Text(zh=f"{'一二三四五'[stars - 1]}星级", en=f"{stars} stars")


def _same(text: str) -> Text:
    return Text(zh=text, en=text)


def _common(result: Result) -> Words:
    voice = result.metrics.channels.get("voice") if result.metrics else None
    limits = "/".join(f"{limit:g}" for limit in voice.limits_s) if voice else ""
    abandoned = "–" if voice is None or voice.speed_with_abandoned is None else f"{voice.speed_with_abandoned:.1f}"
    end, plan = in_force_to(result.scheme, result.readings), result.readings["plan.reference"]
    words = {
        "valid_to": _same(end.isoformat() if end else "–"),
        "limits": _same(limits or "–"),
        "with_abandoned": _same(abandoned),
        "boundary": UPPER if result.readings["bands.boundary"] == "upper_inclusive" else LOWER,
        "plan": Text(zh="未注明", en="not given") if plan is None else _same(str(plan)),
        "included": Text(zh="计入", en="added") if result.composite.with_boost else Text(zh="不计入", en="not added"),
    }
    total = result.composite.base.value
    if total is not None and result.scheme.stars is not None:
        words["score"] = _same(f"{float(total):.6g}")
        words["rounded"] = _same(f"{float(rounded(total, 'half_up')):g}")
    if result.stars is not None:
        words["reading"] = _same(result.stars.reading)
        words["other"] = stars_text(result.stars.other)
    if result.inputs is not None and result.inputs.waived:
        given = {waiver.item for waiver in result.inputs.waived}
        waived = [indicator.id for _, indicator in result.scheme.indicators() if indicator.id in given]
        points = sum((i.weight for _, i in result.scheme.indicators() if i.id in given), Fraction())
        words["items"], words["points"] = _same("、".join(waived)), _same(f"{float(points):g}")
    return words


def _line_words(line: Line) -> Words:
    return {
        "name": line.name,
        "policy": POLICIES[line.policy],
        "value": _same("–" if line.value is None else show(line.value, line.unit)),
        "coefficient": _same("–" if line.coefficient is None else f"{float(line.coefficient):.1f}"),
        "n": _same("–" if line.n is None else str(line.n)),
    }
