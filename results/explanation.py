"""Where an indicator's figure comes from: formula, clause, the sessions that entered, and those left out and why.

What each session adds to a measure is asked of the formulas themselves; nothing of them is repeated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from scenarios.model import Text
from scoring.measures import MEASURES, Measure
from scoring.metrics import Contribution, Definitions, contribution
from scoring.observations import NOT_VALID, OFFERED
from scoring.scheme import Indicator, Scheme
from scoring.scorecard import Line, Scorecard
from scoring.statistics.sums import exact_sum

OWN_FAULT = Text(zh="非受审核方所致，不计入任何比率", en="says nothing about the centre, in no rate")
UNDECIDED = Text(zh="待人工认定结果", en="a person must decide first what it was")
OTHER_CHANNEL = Text(zh="渠道不同：该指标只看{channel}（X18）", en="another channel: it looks at {channel} only (X18)")
NOT_OFFERED = Text(zh="未进入人工排队（X15）", en="did not reach the queue (X15)")
NOT_ASKED = Text(zh="未请求人工", en="did not ask for a person")
SELF_SERVED = Text(zh="自助办结，不计入", en="served without a person, not counted")
SHORT = Text(zh="排队不足所设秒数即放弃（X15）", en="left the queue within the seconds set (X15)")
UNANSWERED = Text(zh="未接听，没有应答时间（X16）", en="not answered, so no answer time (X16)")
ABANDONED = Text(
    zh="未接听；排队时长已加入分子（X16）", en="not answered; its time in the queue is added to the sum (X16)"
)
NO_AGENT = Text(zh="没有人工接听", en="no person answered")
NO_TIME = Text(zh="所需时刻不明", en="an instant it needs is not known")
NO_JUDGEMENT = Text(zh="尚无判断", en="not judged")
NAMES = {"voice": Text(zh="电话", en="voice"), "chat": Text(zh="在线", en="chat")}

OF_OFFERED = {
    "voice.connect_rate",
    "voice.service_level_20",
    "voice.service_level_20_request",
    "voice.service_level_20_first_word",
}
OF_ASKED = {"voice.connect_rate_end_to_end", "chat.handoff_success"}
SPEEDS = {"voice.answer_speed", "voice.answer_speed_request", "voice.answer_speed_first_word"}
OF_ANSWERED = {*SPEEDS, "voice.handling_time", "voice.transfer_rate", "voice.facts_right", "chat.handoff"}
JUDGED = {"voice.resolution", "chat.resolution", "voice.facts_right", "voice.transfer_rate"}


@dataclass(frozen=True)
class Entered:
    """One session that a measure counts: ``k`` of ``n`` for a rate, ``seconds`` for a wait."""

    attempt: str
    scenario: str
    entry: str
    started_utc: str
    outcome: str
    k: int | None
    n: int | None
    seconds: float | None


@dataclass(frozen=True)
class LeftOut:
    """Sessions that a measure does not count, for one reason."""

    reason: Text
    attempts: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """One indicator of one scorecard, and one measure of it by its sessions (None: nothing of it is measured).

    ``alphas`` are those of the occasions that rated it: id, rater, alpha.
    """

    scheme: str
    line: Line
    indicator: Indicator
    measure: Measure | None
    entered: tuple[Entered, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[tuple[str, Text], ...]
    alphas: tuple[tuple[str, str, Fraction], ...] = ()


def explain(
    card: Scorecard,
    scheme: Scheme,
    indicator: str,
    table: pd.DataFrame | None,
    definitions: Definitions | None = None,
) -> Explanation:
    """Explains one indicator of a scorecard.

    Args:
        card: the scorecard.
        scheme: its scheme.
        indicator: an indicator's id.
        table: the observations that were scored, or None where only inputs were.
        definitions: the formulas as they were read for the scorecard.

    Raises:
        KeyError: the scheme has no such indicator.
    """
    one, line = scheme.indicator(indicator), card.line(indicator)
    id_ = line.probed.metric if line.probed else one.metric or next(iter(line.supports or one.metrics), None)
    measure = MEASURES[id_] if id_ is not None else None
    read = definitions or Definitions()
    added = card.readings.get("asa.numerator") == "all"
    entered, left_out = sessions(table, measure, read, added=added) if table is not None and measure else ((), ())
    warnings = tuple((w.code, w.text) for w in card.warnings if indicator in w.indicators)
    alphas = tuple((o.id, o.rater, o.alphas[indicator]) for o in card.occasions if indicator in o.alphas)
    return Explanation(card.scheme, line, one, measure, entered, left_out, warnings, alphas)


def sessions(
    table: pd.DataFrame, measure: Measure, definitions: Definitions, *, added: bool = False
) -> tuple[tuple[Entered, ...], tuple[LeftOut, ...]]:
    """Returns the sessions that entered a measure, and those that did not by their reasons: together all of them.

    ``added``: the time in the queue of abandoned calls counts as answer time (X16).
    """
    adds = contribution(table, measure.id, definitions)
    entered: list[Entered] = []
    out: dict[Text, list[str]] = {}
    for place, row in enumerate(table.to_dict("records")):
        if adds.counts[place]:
            entered.append(_entered(row, adds, place))
        else:
            out.setdefault(_why(row, measure, added), []).append(str(row["attempt"]))
    return tuple(entered), tuple(LeftOut(reason, tuple(attempts)) for reason, attempts in out.items())


def _entered(row: dict[Any, Any], adds: Contribution, place: int) -> Entered:
    return Entered(
        **{name: str(row[name]) for name in ("attempt", "scenario", "entry", "started_utc", "outcome")},
        k=None if adds.k is None else int(adds.k[place]),
        n=None if adds.n is None else int(adds.n[place]),
        seconds=None if adds.seconds is None else float(adds.seconds[place]),
    )


def _why(row: dict[Any, Any], measure: Measure, added: bool) -> Text:
    """Why a session is not in a measure: the first condition of its formula that the session fails."""
    outcome, id_ = row["outcome"], measure.id
    if row["channel"] != measure.channel:
        name = NAMES[measure.channel]
        return Text(zh=OTHER_CHANNEL.zh.format(channel=name.zh), en=OTHER_CHANNEL.en.format(channel=name.en))
    if outcome in NOT_VALID:
        return _because(outcome, OWN_FAULT, str(row["reason"] or ""))
    if not row["certain"]:
        return UNDECIDED
    if id_ in OF_OFFERED and outcome not in OFFERED:
        return _because(outcome, NOT_OFFERED)
    if id_ in OF_OFFERED and outcome != "ANSWERED":
        return _because(outcome, SHORT)
    if id_ in OF_ASKED and outcome not in OFFERED and not row["asked_human"]:
        return _because(outcome, NOT_ASKED)
    if id_ == "voice.connect_rate_attempts":
        return _because(outcome, SELF_SERVED)
    if id_ in OF_ANSWERED and outcome != "ANSWERED":
        if id_ in SPEEDS:
            return _because(outcome, ABANDONED if added and outcome in ("LIMIT", "DROPPED") else UNANSWERED)
        return _because(outcome, NO_AGENT)
    return NO_JUDGEMENT if id_ in JUDGED else NO_TIME


def _because(outcome: str, why: Text, reason: str = "") -> Text:
    zh, en = (f"（{reason}）", f" ({reason})") if reason else ("", "")
    return Text(zh=f"{outcome}：{why.zh}{zh}", en=f"{outcome}: {why.en}{en}")


def total(entered: Sequence[Entered]) -> tuple[int, int]:
    """Returns k and n over all sessions that entered."""
    return sum(one.k or 0 for one in entered), sum(one.n or 0 for one in entered)


def mean(entered: Sequence[Entered]) -> Fraction | None:
    """Returns the exact mean of the waits that entered."""
    times = [one.seconds for one in entered if one.seconds is not None]
    return exact_sum(np.array(times)) / len(times) if times else None
