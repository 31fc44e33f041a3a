"""Metrics: the formulas of domain 2.3 over a table of observations.

Voice and chat are never mixed. Sessions that say nothing about the centre (our own faults, refusals, missed windows,
crashes) are in no rate; they stay in the flow table with their reasons.
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from scoring.measures import MEASURES
from scoring.observations import NOT_VALID, OFFERED, validate
from scoring.statistics import Rate
from scoring.statistics.waits import Survival, Waits, exact

FORMAT = 1
SERVICE_LEVEL_S = 20.0  # 10.1.2; a wait of exactly 20 s counts (X17)
NOT_ENDED = ("BLOCKED", "MISSED", "LOST")
STAGES = ("planned", "ended", "valid", "asked", "queued", "answered")

Mask = pd.Series  # of bool, one per observation


class Frozen(BaseModel):
    """Unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Loss(Frozen):
    """So many sessions did not reach ``stage``, for this reason."""

    stage: str
    outcome: str
    reason: str
    n: int


class Flow(Frozen):
    """How many sessions reached each of STAGES, and why the others did not."""

    counts: dict[str, int]
    losses: tuple[Loss, ...]


class ChannelMetrics(Frozen):
    """All that was measured on one channel. Rates and waits are keyed by the ids of :data:`scoring.measures.MEASURES`.

    ``review`` counts the sessions a person must look at; ``speed_with_abandoned`` is the variant of 平均应答速度 that
    adds the abandoned waits, in seconds.
    """

    flow: Flow
    outcomes: dict[str, int]
    limits_s: tuple[float, ...]
    rates: dict[str, Rate]
    waits: dict[str, Waits]
    survival: Survival | None
    speed_with_abandoned: float | None
    review: int


class Metrics(Frozen):
    """What a run measured."""

    format: Literal[1] = 1
    runs: tuple[str, ...]
    first_utc: str
    last_utc: str
    channels: dict[str, ChannelMetrics]

    def rate(self, id_: str) -> Rate | None:
        """Returns the rate of that id, or None when nothing of it was observed."""
        channel = self.channels.get(MEASURES[id_].channel)
        rate = channel.rates.get(id_) if channel else None
        return rate if rate and (rate.n or rate.missing) else None

    def wait(self, id_: str) -> Waits | None:
        """Returns the waits of that id, or None when nothing of it was observed."""
        channel = self.channels.get(MEASURES[id_].channel)
        waits = channel.waits.get(id_) if channel else None
        return waits if waits and waits.n else None

    def rate_or_wait(self, id_: str) -> Rate | Waits | None:
        """Returns the rate or the waits of that id, or None when nothing of it was observed."""
        return self.rate(id_) if MEASURES[id_].kind == "rate" else self.wait(id_)

    @property
    def complete(self) -> bool:
        """Whether every planned session ended and says something about the centre."""
        return all(channel.flow.counts["planned"] == channel.flow.counts["valid"] for channel in self.channels.values())


def compute(table: pd.DataFrame) -> Metrics:
    """Returns the metrics of a table of observations.

    Raises:
        RunError: the table is not a valid table of observations.
    """
    table = validate(table)
    started = [text for text in table["started_utc"] if text]
    return Metrics(
        runs=tuple(sorted(set(table["run"]))),
        first_utc=min(started, default=""),
        last_utc=max(started, default=""),
        channels={
            channel: _channel(channel, table[table["channel"] == channel])
            for channel in ("voice", "chat")
            if (table["channel"] == channel).any()
        },
    )


def _channel(channel: str, rows: pd.DataFrame) -> ChannelMetrics:
    valid = rows[~rows["outcome"].isin(NOT_VALID) & rows["certain"]]
    offered = valid[valid["outcome"].isin(OFFERED)]
    answered = offered[offered["outcome"] == "ANSWERED"]
    judged = valid["resolution"] != "unknown"
    rates = {
        "resolution": Rate.of((valid["resolution"] == "resolved").sum(), judged.sum(), missing=(~judged).sum()),
        "network_failure": Rate.of((valid["outcome"] == "NET_FAIL").sum(), len(valid)),
    }
    waits = {"setup": _waits(valid, "setup_s", strict=False)}
    if channel == "voice":
        rates |= _voice_rates(valid, offered, answered)
        waits |= {
            "answer_speed": _waits(answered, "wait_s", u="wait_u_s"),
            "answer_speed_request": _waits(answered, "wait_request_s"),
            "answer_speed_first_word": _waits(answered, "wait_first_word_s"),
            "handling_time": _waits(answered, "talk_s"),
        }
    else:
        rates["handoff_success"] = _handoff(valid)
        waits |= {
            "first_response": _waits(valid, "first_response_s", strict=False),
            "reply": _waits(valid, "reply_p50_s", strict=False),
            "handoff": _waits(answered, "handoff_s"),
        }
    return ChannelMetrics(
        flow=_flow(rows),
        outcomes={str(outcome): int(n) for outcome, n in rows["outcome"].value_counts().sort_index().items()},
        limits_s=tuple(sorted({float(limit) for limit in offered["queue_limit_s"].dropna()})),
        rates={id_: rates[name] for id_ in MEASURES if (name := id_.removeprefix(f"{channel}.")) in rates},
        waits={id_: waits[name] for id_ in MEASURES if (name := id_.removeprefix(f"{channel}.")) in waits},
        survival=_survival(rows[rows["certain"]]),
        speed_with_abandoned=_with_abandoned(offered, answered),
        review=int((rows["needs_review"] & ~rows["outcome"].isin(NOT_VALID)).sum()),
    )


def _voice_rates(valid: pd.DataFrame, offered: pd.DataFrame, answered: pd.DataFrame) -> dict[str, Rate]:
    asked = valid["asked_human"] | valid["outcome"].isin(OFFERED)
    transfers = answered["transfers"].dropna()
    judged_facts = answered["facts_right"].sum() + answered["facts_wrong"].sum()
    return {
        "connect_rate": Rate.of(len(answered), len(offered)),
        "connect_rate_end_to_end": Rate.of(len(answered), asked.sum()),
        "connect_rate_attempts": Rate.of(len(answered), (valid["outcome"] != "IVR_SERVED").sum()),
        "service_level_20": _within(offered, answered, "wait_s", u="wait_u_s"),
        "service_level_20_request": _within(offered, answered, "wait_request_s"),
        "service_level_20_first_word": _within(offered, answered, "wait_first_word_s"),
        "transfer_rate": Rate.of((transfers > 0).sum(), len(transfers), missing=len(answered) - len(transfers)),
        "facts_right": Rate.of(answered["facts_right"].sum(), judged_facts, missing=answered["facts_unknown"].sum()),
    }


def _within(offered: pd.DataFrame, answered: pd.DataFrame, column: str, u: str | None = None) -> Rate:
    """Answered within 20 s of all offered; an answered call whose wait is unknown is in neither, but is counted."""
    waits = answered[column]
    missing = int(waits.isna().sum())
    near = ((waits - SERVICE_LEVEL_S).abs() <= 2 * answered[u]).sum() if u else 0
    return Rate.of((waits <= SERVICE_LEVEL_S).sum(), len(offered) - missing, missing=missing, boundary=near)


def _handoff(valid: pd.DataFrame) -> Rate:
    asked = valid[valid["asked_human"] | valid["outcome"].isin(OFFERED)]
    came = asked[asked["outcome"] == "ANSWERED"]
    missing = int(came["handoff_s"].isna().sum())
    return Rate.of((came["handoff_s"] <= came["queue_limit_s"]).sum(), len(asked) - missing, missing=missing)


def _waits(rows: pd.DataFrame, column: str, *, u: str | None = None, strict: bool = True) -> Waits:
    """The known values of a column. With ``strict``, every row should have one and the others count as missing."""
    times = rows[column].dropna()
    typical = rows[u].dropna() if u else None
    return Waits.of(
        times,
        missing=len(rows) - len(times) if strict else 0,
        u=float(typical.mean()) if typical is not None and len(typical) else None,
    )


def _with_abandoned(offered: pd.DataFrame, answered: pd.DataFrame) -> float | None:
    """(waits of the answered + time in the queue of LIMIT and DROPPED) / answered (X16)."""
    waits = answered["wait_s"].dropna()
    if waits.empty:
        return None
    lost = offered[offered["outcome"].isin(["LIMIT", "DROPPED"])]["in_queue_s"].dropna()
    total = sum((exact(seconds) for seconds in [*waits, *lost]), Fraction())
    return float(total / len(waits))


def _survival(rows: pd.DataFrame) -> Survival | None:
    """The waits of every session that reached the queue; our own faults are cut off there, not thrown away."""
    answered = rows[rows["outcome"] == "ANSWERED"]["wait_s"].dropna()
    cut = rows[rows["outcome"].isin(["LIMIT", "INVALID", "LOST"]) & rows["wait_s"].isna()]["in_queue_s"].dropna()
    gone = rows[rows["outcome"].isin(["DROPPED", "CALLBACK"])]["in_queue_s"].fillna(0.0)
    if answered.empty and cut.empty and gone.empty:
        return None
    reached = rows[rows["outcome"].isin(OFFERED) | rows["queued"]]
    horizon = float(reached["queue_limit_s"].max())
    return Survival.of(list(answered), list(cut), list(gone), horizon)


def _flow(rows: pd.DataFrame) -> Flow:
    ended = ~rows["outcome"].isin(NOT_ENDED)
    valid = ~rows["outcome"].isin(NOT_VALID)
    queued = rows["outcome"].isin(OFFERED)
    asked = (valid & rows["asked_human"]) | queued
    reached: dict[str, Mask] = {
        "planned": rows["outcome"] != "",
        "ended": ended,
        "valid": valid,
        "asked": asked,
        "queued": queued,
        "answered": rows["outcome"] == "ANSWERED",
    }
    losses: list[Loss] = []
    for before, stage in itertools.pairwise(STAGES):
        lost = rows[reached[before] & ~reached[stage]]
        why = Counter(zip(lost["outcome"], lost["reason"], strict=True))
        losses += [Loss(stage=stage, outcome=outcome, reason=reason, n=n) for (outcome, reason), n in why.most_common()]
    return Flow(counts={stage: int(reached[stage].sum()) for stage in STAGES}, losses=tuple(losses))
