"""Where an indicator's figure comes from: formula, clause, the sessions that entered, and those left out and why.

A session entered a measure if the measure of that session alone counts it; nothing of the formulas is repeated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from scenarios.model import Text
from scoring.measures import MEASURES, Measure
from scoring.metrics import compute
from scoring.observations import NOT_VALID, OFFERED
from scoring.scheme import Indicator, Scheme
from scoring.scorecard import Line, Scorecard
from scoring.statistics import Rate

OWN_FAULT = Text(zh="非受审核方所致，不计入任何比率", en="says nothing about the centre, in no rate")
UNDECIDED = Text(zh="待人工认定结果", en="a person must decide first what it was")
OTHER_CHANNEL = Text(zh="渠道不同：该指标只看{channel}（X18）", en="another channel: it looks at {channel} only (X18)")
NOT_OFFERED = Text(zh="未进入人工排队（X15）", en="did not reach the queue (X15)")
UNANSWERED = Text(zh="未接听，不计入应答时间（X16）", en="not answered, so no answer time (X16)")
UNKNOWN = Text(zh="所需时刻或判断不明", en="an instant or a judgement it needs is not known")


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
    """One indicator of one scorecard, and one measure of it by its sessions (None: nothing of it is measured)."""

    scheme: str
    line: Line
    indicator: Indicator
    measure: Measure | None
    entered: tuple[Entered, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[tuple[str, Text], ...]


def explain(card: Scorecard, scheme: Scheme, indicator: str, table: pd.DataFrame | None) -> Explanation:
    """Explains one indicator of a scorecard.

    Args:
        card: the scorecard.
        scheme: its scheme.
        indicator: an indicator's id.
        table: the observations that were scored, or None where only inputs were.

    Raises:
        KeyError: the scheme has no such indicator.
    """
    one, line = scheme.indicator(indicator), card.line(indicator)
    id_ = line.probed.metric if line.probed else one.metric or (line.supports[0] if line.supports else None)
    measure = MEASURES[id_] if id_ is not None else None
    entered, left_out = _sessions(table, measure) if table is not None and measure is not None else ((), ())
    warnings = tuple((w.code, w.text) for w in card.warnings if indicator in w.indicators)
    return Explanation(card.scheme, line, one, measure, entered, left_out, warnings)


def _sessions(table: pd.DataFrame, measure: Measure) -> tuple[tuple[Entered, ...], tuple[LeftOut, ...]]:
    entered: list[Entered] = []
    out: dict[Text, list[str]] = {}
    for place in range(len(table)):
        row = table.iloc[[place]]
        about = row.iloc[0]
        found = compute(row).rate_or_wait(measure.id)
        if found is None or not found.n:
            out.setdefault(_why(about, measure), []).append(str(about["attempt"]))
            continue
        rate = isinstance(found, Rate)
        entered.append(
            Entered(
                attempt=str(about["attempt"]),
                scenario=str(about["scenario"]),
                entry=str(about["entry"]),
                started_utc=str(about["started_utc"]),
                outcome=str(about["outcome"]),
                k=found.k if isinstance(found, Rate) else None,
                n=found.n if rate else None,
                seconds=None if isinstance(found, Rate) or found.mean is None else float(found.mean),
            )
        )
    left = tuple(LeftOut(reason, tuple(attempts)) for reason, attempts in out.items())
    return tuple(entered), left


def _why(row: pd.Series, measure: Measure) -> Text:
    if row["channel"] != measure.channel:
        names = {"voice": Text(zh="电话", en="voice"), "chat": Text(zh="在线", en="chat")}[measure.channel]
        return Text(zh=OTHER_CHANNEL.zh.format(channel=names.zh), en=OTHER_CHANNEL.en.format(channel=names.en))
    if row["outcome"] in NOT_VALID:
        why = str(row["reason"] or "")
        return Text(
            zh=f"{row['outcome']}：{OWN_FAULT.zh}" + (f"（{why}）" if why else ""),
            en=f"{row['outcome']}: {OWN_FAULT.en}" + (f" ({why})" if why else ""),
        )
    if not row["certain"]:
        return UNDECIDED
    if row["outcome"] not in OFFERED:
        return Text(zh=f"{row['outcome']}：{NOT_OFFERED.zh}", en=f"{row['outcome']}: {NOT_OFFERED.en}")
    if row["outcome"] != "ANSWERED":
        return Text(zh=f"{row['outcome']}：{UNANSWERED.zh}", en=f"{row['outcome']}: {UNANSWERED.en}")
    return UNKNOWN


def total(entered: Sequence[Entered]) -> tuple[int, int]:
    """Returns k and n over all sessions that entered."""
    return sum(one.k or 0 for one in entered), sum(one.n or 1 for one in entered)


def mean(entered: Sequence[Entered]) -> Fraction | None:
    """Returns the exact mean of the waits that entered."""
    from scoring.statistics.waits import exact

    times = [exact(one.seconds) for one in entered if one.seconds is not None]
    return sum(times, Fraction()) / len(times) if times else None
