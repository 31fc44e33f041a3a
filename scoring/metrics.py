"""Metrics: the formulas of domain 2.3 over a table of observations.

Voice and chat are never mixed. Sessions that say nothing about the centre (our own faults, refusals, missed windows,
crashes) are in no rate; they stay in the flow table with their reasons.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict

from scoring.measures import MEASURES
from scoring.observations import ALLOWED, NOT_VALID, OFFERED, OUTCOMES, validate
from scoring.statistics import Rate
from scoring.statistics.sums import Floats, exact_sum
from scoring.statistics.waits import Survival, Waits

FORMAT: Literal[2] = 2  # 1 had waits without figures and curves of any length: both are read, and become 2
SERVICE_LEVEL_S = 20.0  # 10.1.2; a wait of exactly 20 s counts (X17)
NOT_ENDED = ("BLOCKED", "MISSED", "LOST")
STAGES = ("planned", "ended", "valid", "asked", "queued", "answered")

Mask = npt.NDArray[np.bool_]  # one per observation


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

    format: Annotated[Literal[2], BeforeValidator(lambda format_: 2 if format_ == 1 else format_)] = FORMAT
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


@dataclass(frozen=True)
class Definitions:
    """What the rules leave open and an evaluator may set otherwise.

    The service level counts answers within ``service_level_s`` (X17); callers who left the queue sooner than
    ``short_abandon_s`` do not count as offered (X15).
    """

    service_level_s: float = SERVICE_LEVEL_S
    short_abandon_s: float = 0.0


def compute(table: pd.DataFrame, definitions: Definitions | None = None) -> Metrics:
    """Returns the metrics of a table of observations; the order of its rows is of no importance.

    Args:
        table: the observations.
        definitions: the readings of the formulas; the defaults if not given.

    Raises:
        RunError: the table is not a valid table of observations.
    """
    table = validate(table)
    started = table["started_utc"].tolist()
    words = {name: Words.of(table[name], ALLOWED[name]) for name in ("channel", "outcome", "resolution")}
    read = definitions or Definitions()
    parts = {channel: Sessions.of(table, words, channel, read) for channel in ("voice", "chat")}
    return Metrics(
        runs=tuple(sorted(table["run"].unique())),
        first_utc=min(filter(None, started), default=""),
        last_utc=max(started, default=""),
        channels={channel: _channel(channel, part) for channel, part in parts.items() if part.all.any()},
    )


@dataclass(frozen=True)
class Words:
    """A column of words as their places among those allowed: compared faster than letters."""

    allowed: tuple[str | int, ...]
    places: npt.NDArray[np.int8]

    @classmethod
    def of(cls, column: pd.Series, allowed: tuple[str | int, ...]) -> Words:
        """Returns the words of a column."""
        return cls(allowed, pd.Categorical(column, list(allowed)).codes)

    def among(self, *words: str) -> Mask:
        """Returns the rows that hold one of ``words``."""
        return np.isin(self.allowed, words)[self.places]


@dataclass(frozen=True)
class Sessions:
    """The sessions of one channel: the whole table, and which of its rows are what. A million rows are not copied."""

    table: pd.DataFrame
    words: dict[str, Words]
    all: Mask
    certain: Mask
    valid: Mask  # and certain
    offered: Mask  # of the valid
    answered: Mask  # of the valid
    read: Definitions

    @classmethod
    def of(cls, table: pd.DataFrame, words: dict[str, Words], channel: str, read: Definitions) -> Sessions:
        """Returns the sessions of a channel."""
        outcome, all_ = words["outcome"], words["channel"].among(channel)
        certain = all_ & table["certain"].to_numpy()
        valid = certain & ~outcome.among(*NOT_VALID)
        offered = valid & outcome.among(*OFFERED)
        answered = offered & outcome.among("ANSWERED")
        if read.short_abandon_s:
            offered &= answered | ~(table["in_queue_s"].to_numpy() < read.short_abandon_s)
        return cls(table, words, all_, certain, valid, offered, answered, read)

    def ended(self, *outcomes: str) -> Mask:
        """Returns the rows with one of ``outcomes``, of whatever channel."""
        return self.words["outcome"].among(*outcomes)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Returns a column."""
        return self.table[name].to_numpy()

    def known(self, name: str, rows: Mask) -> Floats:
        """Returns the known values of a column among ``rows``."""
        values: Floats = self.column(name)[rows]
        return values[~np.isnan(values)]


def _channel(channel: str, of: Sessions) -> ChannelMetrics:
    valid, answered = of.valid, of.answered
    resolved, unknown = (of.words["resolution"].among(word) for word in ("resolved", "unknown"))
    rates = {
        "resolution": Rate.of((valid & resolved).sum(), (valid & ~unknown).sum(), missing=(valid & unknown).sum()),
        "network_failure": Rate.of((valid & of.ended("NET_FAIL")).sum(), valid.sum()),
    }
    waits = {"setup": _waits(of, valid, "setup_s", strict=False)}
    if channel == "voice":
        rates |= _voice_rates(of)
        waits |= {
            "answer_speed": _waits(of, answered, "wait_s", u="wait_u_s"),
            "answer_speed_request": _waits(of, answered, "wait_request_s"),
            "answer_speed_first_word": _waits(of, answered, "wait_first_word_s"),
            "handling_time": _waits(of, answered, "talk_s"),
        }
    else:
        rates["handoff_success"] = _handoff(of)
        waits |= {
            "first_response": _waits(of, valid, "first_response_s", strict=False),
            "reply": _waits(of, valid, "reply_p50_s", strict=False),
            "handoff": _waits(of, answered, "handoff_s"),
        }
    return ChannelMetrics(
        flow=_flow(of),
        outcomes={outcome: n for outcome in sorted(OUTCOMES) if (n := int((of.all & of.ended(outcome)).sum()))},
        limits_s=tuple(np.unique(of.known("queue_limit_s", of.offered)).tolist()),
        rates={id_: rates[name] for id_ in MEASURES if (name := id_.removeprefix(f"{channel}.")) in rates},
        waits={id_: waits[name] for id_ in MEASURES if (name := id_.removeprefix(f"{channel}.")) in waits},
        survival=_survival(of),
        speed_with_abandoned=_with_abandoned(of),
        review=int((of.all & of.column("needs_review") & ~of.ended(*NOT_VALID)).sum()),
    )


def _voice_rates(of: Sessions) -> dict[str, Rate]:
    answered = of.answered.sum()
    asked = of.valid & (of.column("asked_human") | of.offered)
    transfers = of.known("transfers", of.answered)
    right, wrong, unknown = (of.known(f"facts_{what}", of.answered).sum() for what in ("right", "wrong", "unknown"))
    return {
        "connect_rate": Rate.of(answered, of.offered.sum()),
        "connect_rate_end_to_end": Rate.of(answered, asked.sum()),
        "connect_rate_attempts": Rate.of(answered, (of.valid & ~of.ended("IVR_SERVED")).sum()),
        "service_level_20": _within(of, "wait_s", u="wait_u_s"),
        "service_level_20_request": _within(of, "wait_request_s"),
        "service_level_20_first_word": _within(of, "wait_first_word_s"),
        "transfer_rate": Rate.of((transfers > 0).sum(), len(transfers), missing=answered - len(transfers)),
        "facts_right": Rate.of(right, right + wrong, missing=unknown),
    }


def _within(of: Sessions, column: str, u: str | None = None) -> Rate:
    """Answered within 20 s of all offered; an answered call whose wait is unknown is in neither, but is counted."""
    limit = of.read.service_level_s
    waits = of.column(column)[of.answered]
    missing = np.isnan(waits).sum()
    near = (np.abs(waits - limit) <= 2 * of.column(u)[of.answered]).sum() if u else 0
    return Rate.of((waits <= limit).sum(), of.offered.sum() - missing, missing=missing, boundary=near)


def _handoff(of: Sessions) -> Rate:
    asked = of.valid & (of.column("asked_human") | of.offered)
    times, limits = of.column("handoff_s")[of.answered], of.column("queue_limit_s")[of.answered]
    missing = np.isnan(times).sum()
    return Rate.of((times <= limits).sum(), asked.sum() - missing, missing=missing)


def _waits(of: Sessions, rows: Mask, column: str, *, u: str | None = None, strict: bool = True) -> Waits:
    """The known values of a column. With ``strict``, every row should have one and the others count as missing."""
    times = of.known(column, rows)
    typical = np.sort(of.known(u, rows)) if u else ()
    return Waits.of(
        times,
        missing=int(rows.sum()) - len(times) if strict else 0,
        u=float(np.mean(typical)) if len(typical) else None,
    )


def _with_abandoned(of: Sessions) -> float | None:
    """(waits of the answered + time in the queue of LIMIT and DROPPED) / answered (X16)."""
    waits = of.known("wait_s", of.answered)
    if not len(waits):
        return None
    lost = of.known("in_queue_s", of.offered & of.ended("LIMIT", "DROPPED"))
    return float((exact_sum(waits) + exact_sum(lost)) / len(waits))


def _survival(of: Sessions) -> Survival | None:
    """The waits of every session that reached the queue; our own faults are cut off there, not thrown away."""
    answered = of.known("wait_s", of.certain & of.ended("ANSWERED"))
    ours = of.certain & of.ended("LIMIT", "INVALID", "LOST") & np.isnan(of.column("wait_s"))
    cut = of.known("in_queue_s", ours)
    gone = np.nan_to_num(of.column("in_queue_s")[of.certain & of.ended("DROPPED", "CALLBACK")])
    waits = np.concatenate([answered, cut, gone])
    if not len(waits):
        return None
    limits = of.known("queue_limit_s", of.certain & (of.ended(*OFFERED) | of.column("queued")))
    return Survival.of(answered, cut, gone, float((limits if len(limits) else waits).max()))


def _flow(of: Sessions) -> Flow:
    valid, queued = ~of.ended(*NOT_VALID), of.ended(*OFFERED)
    reached = {
        "planned": of.all,
        "ended": of.all & ~of.ended(*NOT_ENDED),
        "valid": of.all & valid,
        "asked": of.all & ((valid & of.column("asked_human")) | queued),
        "queued": of.all & queued,
        "answered": of.all & of.ended("ANSWERED"),
    }
    losses: list[Loss] = []
    for before, stage in itertools.pairwise(STAGES):
        lost = of.table.loc[reached[before] & ~reached[stage], ["outcome", "reason"]]
        why = cast("dict[tuple[str, str], int]", lost.groupby(["outcome", "reason"]).size().to_dict())
        ordered = sorted(why.items(), key=lambda one: (-one[1], one[0]))
        losses += [Loss(stage=stage, outcome=outcome, reason=reason, n=n) for (outcome, reason), n in ordered]
    return Flow(counts={stage: int(reached[stage].sum()) for stage in STAGES}, losses=tuple(losses))
