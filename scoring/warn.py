"""Which of a scheme's defects touch one result: the conditions of its caveats. The words are in ``scoring.wording``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from scenarios.model import Text
from scoring.coefficients import compared
from scoring.defects import Readings, defects
from scoring.scheme import Caveat, Indicator
from scoring.scorecard import Line, Warning_
from scoring.statistics import Verdict
from scoring.wording import POLICIES, Result, Said, Words, common, expired, in_force_to, of_line, stars_text, text_of

__all__ = ["POLICIES", "Result", "Said", "Words", "codes_of", "in_force_to", "stars_text", "warnings"]

FAR = 3  # times the last band's limit (X31)
_REFERENCES = {"X41", "X42"}


def warnings(result: Result) -> tuple[Warning_, ...]:
    """Returns the warnings that apply, in the order of the scheme's file, each with the indicators it is about."""
    about: dict[tuple[str, str, str], list[str]] = {}
    words = common(result)
    for caveat in result.scheme.defects:
        if caveat.code in _REFERENCES and not result.readings.flag("references.check"):
            continue
        for more, ids in _occasions(caveat, result):
            text = text_of(caveat, {**words, **more}, result)
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


def _occasions(caveat: Caveat, result: Result) -> Iterator[tuple[Words, tuple[str, ...]]]:
    """Yields what to fill in and the indicators it is about, once for each occasion on which the caveat applies."""
    if caveat.when in _WHOLE:
        if _WHOLE[caveat.when](caveat, result):
            yield {}, caveat.indicators
        return
    about = [said for said in result.said if not caveat.indicators or said.line.id in caveat.indicators]
    if caveat.when == "form_missing":
        missing = [said for said in about if "form_missing" in said.found]
        if missing:
            names = [words["table"] for said in missing for words in said.found["form_missing"]]
            table = Text(
                zh="、".join(dict.fromkeys(n.zh for n in names)), en=", ".join(dict.fromkeys(n.en for n in names))
            )
            yield {"table": table, "name": table}, tuple(said.line.id for said in missing)
        return
    for said in about:
        for words in _of_line(caveat.when, said, result):
            yield {**of_line(said.line), **words}, (said.line.id,)


def _of_line(when: str, said: Said, result: Result) -> Sequence[Words]:
    line, indicator = said.line, said.indicator
    if when in said.found:
        return said.found[when]
    holds = {
        "measured": line.probed is not None,
        "supported": bool(line.supports),
        "unproven": bool(line.supports) and not _proven(line, result),
        "given": line.status in ("imported", "entered"),
        "valued": line.value is not None,
        "scored": line.score is not None and line.source != "person" and not _stated(line, indicator),
        "manual": line.policy == "manual",
        "banded": line.band is not None or any(t.verdict is not None for t in line.thresholds),
        "on_boundary": _on_boundary(line, indicator, result.readings),
        "far_beyond": _far(line, indicator),
        "disagreement": line.probed is not None and line.probed.disagrees,
        "months": line.variation is not None,
    }
    return [{}] if holds.get(when) else []


def _stated(line: Line, indicator: Indicator) -> bool:
    """Whether the rule itself says how the score was made; it does not where another policy was chosen."""
    return indicator.policy_stated and line.policy == indicator.policy


def _on_boundary(line: Line, indicator: Indicator, readings: Readings) -> bool:
    return line.value is not None and indicator.on_boundary(compared(line.value, indicator.unit, readings))


def _proven(line: Line, result: Result) -> bool:
    """Whether the probes showed a requirement that the indicator shares (X37)."""
    mine = {one.id for one in result.scheme.requirements if one.same_as == line.id}
    return any(r.id in mine and r.n is not None and r.verdict is Verdict.PASS for r in result.requirements)


def _far(line: Line, indicator: Indicator) -> bool:
    last = max((band.lower for band in indicator.bands if band.lower is not None), default=None)
    return line.unit == "seconds" and line.value is not None and last is not None and line.value > FAR * last


def _expired(caveat: Caveat, result: Result) -> bool:
    return expired(result) or any(day < result.scheme.valid_from for day in result.days)


def _probed(caveat: Caveat, result: Result) -> bool:
    return result.metrics is not None and bool(result.metrics.channels)


def _chatted(caveat: Caveat, result: Result) -> bool:
    return result.metrics is not None and "chat" in result.metrics.channels


def _checked(caveat: Caveat, result: Result) -> bool:
    about = caveat.requirements
    return any(one.verdict is not None for one in result.requirements if not about or one.id in about)


def _compared(caveat: Caveat, result: Result) -> bool:
    return any(one.verdict is not None and one.value is not None for one in result.requirements)


def _applied(caveat: Caveat, result: Result) -> bool:
    return _probed(caveat, result) or (result.inputs is not None and bool(result.inputs.application))


def _decided(caveat: Caveat, result: Result) -> bool:
    return result.stars is not None and bool(result.occasions)


def _differ(caveat: Caveat, result: Result) -> bool:
    stars = result.stars
    return stars is not None and bool(result.occasions) and stars.possible != stars.other_possible


def _gap(caveat: Caveat, result: Result) -> bool:
    total = result.composite.base.value
    rule = result.scheme.stars
    return rule is not None and total is not None and bool(result.occasions) and rule.in_gap(total)


def _no_star(caveat: Caveat, result: Result) -> bool:
    return result.stars is not None and bool(result.occasions) and 0 in result.stars.possible


def _likert(caveat: Caveat, result: Result) -> bool:
    given = result.inputs.occasions if result.inputs else ()
    return any(isinstance(alpha, str) for occasion in given for alpha in occasion.alpha.values())


def _levels(caveat: Caveat, result: Result) -> bool:
    return result.maturity is not None and bool(result.maturity.items)


def _turned(caveat: Caveat, result: Result) -> bool:
    return caveat.code in defects() and result.readings.turned(defects()[caveat.code])


_WHOLE: Mapping[str, Callable[[Caveat, Result], bool]] = {
    "always": lambda caveat, result: True,
    "expired": _expired,
    "probes": _probed,
    "counted": lambda caveat, result: _probed(caveat, result) and result.contacts_count,
    "not_counted": lambda caveat, result: _probed(caveat, result) and not result.contacts_count,
    "chat": _chatted,
    "checked": _checked,
    "compared": _compared,
    "application": _applied,
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
