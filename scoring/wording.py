"""The words of a warning: which sentence of a defect is true of a result, and what stands for its placeholders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from scenarios.errors import InputsError
from scenarios.model import Lang, Text
from scoring import occasions as rating
from scoring.defects import Defect, Readings, defects
from scoring.inputs import Inputs
from scoring.levels import rounded
from scoring.metrics import Metrics
from scoring.scheme import Caveat, Indicator, Scheme
from scoring.scorecard import Composite, Line, Maturity, Range, Rated, RequirementResult, Stars, Statement

POLICIES = {
    "coef_full_marks": Text(zh="满分×折算系数", en="full marks x coefficient"),
    "value_times_coef": Text(zh="指标值×折算系数", en="value x coefficient"),
    "attainment_linear": Text(zh="按目标达成比例", en="share of the target reached"),
    "pass_fail": Text(zh="达标得满分", en="full marks when met"),
    "d_table": Text(zh="附录D打分表", en="score sheet of annex D"),
    "points_times_alpha": Text(zh="分值×α", en="points x alpha"),
    "manual": Text(zh="人工评分", en="scored by a person"),
}
LOWER = Text(zh="下限包含", en="the lower limit is included")
UPPER = Text(zh="上限包含", en="the upper limit is included")
NO_PASS, PASS = Text(zh="不通过", en="not passed"), Text(zh="通过（无星级）", en="passed, no star")
_NOT_KNOWN = Text(zh="–", en="–")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# their words say which reading was taken, or one indicator's policy is none of another's business
_OWN_WORDS = {"T01", "T04", "T06", "X02", "X05", "X09", "X12", "X13", "X20", "X22", "X27", "X28"}

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
    statements: Sequence[Statement] = ()

    @property
    def days(self) -> list[date]:
        """The days that must lie in the rule's validity: the report's, and the first and the last contact's."""
        times = (self.metrics.first_utc, self.metrics.last_utc) if self.metrics else ()
        return [self.today, *(date.fromisoformat(time[:10]) for time in times if time)]


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


def expired(result: Result) -> bool:
    """Whether the report or a contact is later than the rule's validity."""
    end = in_force_to(result.scheme, result.readings)
    return end is not None and any(day > end for day in result.days)


def _of_plan(result: Result) -> str:
    return "no_plan" if result.readings["plan.reference"] is None else ""


def _of_executor(result: Result) -> str:
    executor = result.readings["campaign.executed_by"]
    if result.contacts_count:
        return "counted"
    return "unnamed" if executor is None else "" if executor == "certification_body" else "unconfirmed"


def _of_boost(result: Result) -> str:
    return "" if result.composite.with_boost is result.scheme.composite.add_boost else "changed"


_INSTEAD: dict[str, Callable[[Result], str]] = {  # which other sentence of a defect is the true one, if any
    "X01": lambda result: "" if expired(result) else "not_yet",
    "X02": _of_plan,
    "X09": _of_boost,
    "X12": _of_executor,
    "T04": lambda result: result.readings.text("alpha.from_likert"),
}


def text_of(caveat: Caveat, words: Words, result: Result) -> Text:
    """Returns the warning with its placeholders filled, and with what the evaluator stated about the defect.

    Where a switch was turned it says so, for the words tell the default reading.
    """
    defect = defects().get(caveat.code)
    if caveat.zh is not None or defect is None:
        zh = caveat.zh or caveat.code
        return _filled(Text(zh=zh, en=caveat.en or zh), words)
    name = _INSTEAD[caveat.code](result) if caveat.code in _INSTEAD else ""
    text = _filled(defect.instead.get(name, defect.warning), words)
    turned = _turned(defect, result.readings)
    if turned:
        text = Text(
            zh=f"{text.zh}（读法已改：{turned}；上文为默认读法）",
            en=f"{text.en} (reading changed: {turned}; the above is the default one)",
        )
    keys = {switch.key for switch in defect.switches} - {"plan.reference"}  # the words of X02 name the plan
    for stated in (one.text for one in result.statements if one.key in keys):
        text = Text(zh=f"{text.zh}（{stated.zh}）", en=f"{text.en} ({stated.en})")
    return text


def _turned(defect: Defect, readings: Readings) -> str:
    """The switches that take another reading than the words tell; a statement takes none."""
    if defect.code in _OWN_WORDS:
        return ""
    keys = (s.key for s in defect.switches if readings.turned_key(s.key) and (s.statement is None or s.choices))
    return "；".join(f"{key}={readings.shown(key)}" for key in keys)


def _filled(text: Text, words: Words) -> Text:
    def fill(lang: Lang) -> str:
        return _PLACEHOLDER.sub(lambda found: words.get(found[1], _NOT_KNOWN).in_(lang), text.in_(lang))

    return Text(zh=fill("zh"), en=fill("en"))


def common(result: Result) -> Words:
    """Returns the placeholders that any warning of the result may have."""
    readings, voice = result.readings, result.metrics.channels.get("voice") if result.metrics else None
    limits = "/".join(f"{limit:g}" for limit in voice.limits_s) if voice else ""
    abandoned = "–" if voice is None or voice.speed_with_abandoned is None else f"{voice.speed_with_abandoned:.1f}"
    end = in_force_to(result.scheme, readings)
    words = {
        "valid_from": same(result.scheme.valid_from.isoformat()),
        "valid_to": same(end.isoformat() if end else "–"),
        "limits": same(limits or "–"),
        "with_abandoned": same(abandoned),
        "boundary": UPPER if readings["bands.boundary"] == "upper_inclusive" else LOWER,
        "plan": same(str(readings["plan.reference"])),
        "executed_by": same(str(readings["campaign.executed_by"])),
        "included": Text(zh="计入", en="added") if result.composite.with_boost else Text(zh="不计入", en="not added"),
    }
    total = result.composite.base.value
    if total is not None and result.scheme.stars is not None:
        words["score"] = same(f"{float(total):.6g}")
        words["rounded"] = same(f"{float(rounded(total, 'half_up')):g}")
    if result.unequal:
        for order in ("by_rater", "pooled"):
            words[order] = same(_ends(rating.total(result.occasions, Readings({"mean.order": order}))))
        words["mean"] = words[readings.text("mean.order")]
    if result.stars is not None:
        words["reading"] = same(result.stars.reading)
        words["other"] = _levels(result.stars.other_possible)
    if result.inputs is not None and result.inputs.waived:
        given = {waiver.item for waiver in result.inputs.waived}
        waived = [indicator for _, indicator in result.scheme.indicators() if indicator.id in given]
        points = sum((indicator.weight for indicator in waived), Fraction())
        words["items"] = same("、".join(indicator.id for indicator in waived))
        words["points"] = same(f"{float(points):g}")
    return words


def of_line(line: Line) -> Words:
    """Returns the placeholders of a warning about one indicator."""
    return {
        "name": line.name,
        "policy": POLICIES[line.policy],
        "value": same("–" if line.value is None else show(line.value, line.unit)),
        "coefficient": same("–" if line.coefficient is None else f"{float(line.coefficient):.1f}"),
        "n": same("–" if line.n is None else str(line.n)),
    }


def _ends(total: Range) -> str:
    ends = [f"{float(end):.6g}" for end in (total.low, total.high)]
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _levels(possible: Sequence[int | None]) -> Text:
    found = [stars_text(stars) for stars in possible]
    return Text(zh=" / ".join(one.zh for one in found), en=" / ".join(one.en for one in found))


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


def same(text: str) -> Text:
    """Returns a text that is the same in every language."""
    return Text(zh=text, en=text)
