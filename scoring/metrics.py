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
    words, read = _words(table), definitions or Definitions()
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

    def added(self, name: str, rows: Mask) -> Floats:
        """Returns what each row adds to the sum of a column over ``rows``."""
        return np.where(rows, np.nan_to_num(self.column(name)), 0.0)


@dataclass(frozen=True)
class Share:
    """What each row of the table adds to a rate: to ``k``, to ``n``, to what could not be told, to what is too near."""

    k: Mask | Floats
    n: Mask | Floats
    missing: Mask | Floats | None = None
    near: Mask | None = None

    @property
    def rate(self) -> Rate:
        """The rate of all rows."""
        unknown = 0 if self.missing is None else self.missing.sum()
        return Rate.of(
            self.k.sum(), self.n.sum(), missing=unknown, boundary=0 if self.near is None else self.near.sum()
        )


@dataclass(frozen=True)
class Times:
    """The column of a wait and the rows that it is of; with ``strict`` each should have a value, the others miss it."""

    rows: Mask
    column: str
    u: str | None = None
    strict: bool = True

    def waits(self, of: Sessions) -> Waits:
        """Returns the waits of all rows."""
        times = of.known(self.column, self.rows)
        typical = np.sort(of.known(self.u, self.rows)) if self.u else ()
        return Waits.of(
            times,
            missing=int(self.rows.sum()) - len(times) if self.strict else 0,
            u=float(np.mean(typical)) if len(typical) else None,
        )


@dataclass(frozen=True)
class Contribution:
    """What each row of a table adds to one measure: ``k`` of ``n`` to a rate; ``seconds`` to a wait, or NaN."""

    counts: Mask
    k: Floats | None = None
    n: Floats | None = None
    seconds: Floats | None = None


def contribution(table: pd.DataFrame, id_: str, definitions: Definitions | None = None) -> Contribution:
    """Returns what each row of a table of observations adds to the measure ``id_``, by the formulas of :func:`compute`.

    Raises:
        RunError: the table is not a valid table of observations.
    """
    table = validate(table)
    channel, _, name = id_.partition(".")
    of = Sessions.of(table, _words(table), channel, definitions or Definitions())
    if MEASURES[id_].kind == "rate":
        share = _rates(channel, of)[name]
        k, n = share.k.astype(np.float64), share.n.astype(np.float64)
        return Contribution(n > 0, k=k, n=n)
    times = _times(channel, of)[name]
    seconds = np.where(times.rows, of.column(times.column).astype(np.float64), np.nan)
    return Contribution(~np.isnan(seconds), seconds=seconds)


def _words(table: pd.DataFrame) -> dict[str, Words]:
    return {name: Words.of(table[name], ALLOWED[name]) for name in ("channel", "outcome", "resolution")}


def _channel(channel: str, of: Sessions) -> ChannelMetrics:
    rates, waits = _rates(channel, of), _times(channel, of)
    return ChannelMetrics(
        flow=_flow(of),
        outcomes={outcome: n for outcome in sorted(OUTCOMES) if (n := int((of.all & of.ended(outcome)).sum()))},
        limits_s=tuple(np.unique(of.known("queue_limit_s", of.offered)).tolist()),
        rates={id_: rates[name].rate for id_ in MEASURES if (name := id_.removeprefix(f"{channel}.")) in rates},
        waits={id_: waits[name].waits(of) for id_ in MEASURES if (name := id_.removeprefix(f"{channel}.")) in waits},
        survival=_survival(of),
        speed_with_abandoned=_with_abandoned(of),
        review=int((of.all & of.column("needs_review") & ~of.ended(*NOT_VALID)).sum()),
    )


def _rates(channel: str, of: Sessions) -> dict[str, Share]:
    """The rates of a channel, by their name without it."""
    valid, answered, offered = of.valid, of.answered, of.offered
    resolved, unknown = (of.words["resolution"].among(word) for word in ("resolved", "unknown"))
    asked = valid & (of.column("asked_human") | offered)
    rates = {
        "resolution": Share(valid & resolved, valid & ~unknown, valid & unknown),
        "network_failure": Share(valid & of.ended("NET_FAIL"), valid),
    }
    if channel == "chat":
        late = ~(of.column("handoff_s") <= of.column("queue_limit_s"))
        missing = answered & np.isnan(of.column("handoff_s"))
        return rates | {"handoff_success": Share(answered & ~late, asked & ~missing, missing)}
    transfers = of.column("transfers")
    right, wrong, unsure = (of.added(f"facts_{what}", answered) for what in ("right", "wrong", "unknown"))
    return rates | {
        "connect_rate": Share(answered, offered),
        "connect_rate_end_to_end": Share(answered, asked),
        "connect_rate_attempts": Share(answered, valid & ~of.ended("IVR_SERVED")),
        "service_level_20": _within(of, "wait_s", u="wait_u_s"),
        "service_level_20_request": _within(of, "wait_request_s"),
        "service_level_20_first_word": _within(of, "wait_first_word_s"),
        "transfer_rate": Share(
            answered & (transfers > 0), answered & ~np.isnan(transfers), answered & np.isnan(transfers)
        ),
        "facts_right": Share(right, right + wrong, unsure),
    }


def _times(channel: str, of: Sessions) -> dict[str, Times]:
    """The waits of a channel, by their name without it."""
    setup = {"setup": Times(of.valid, "setup_s", strict=False)}
    if channel == "chat":
        return setup | {
            "first_response": Times(of.valid, "first_response_s", strict=False),
            "reply": Times(of.valid, "reply_p50_s", strict=False),
            "substantive_reply": Times(of.valid, "substantive_p50_s", strict=False),
            "handoff": Times(of.answered, "handoff_s"),
        }
    return setup | {
        "answer_speed": Times(of.answered, "wait_s", u="wait_u_s"),
        "answer_speed_request": Times(of.answered, "wait_request_s"),
        "answer_speed_first_word": Times(of.answered, "wait_first_word_s"),
        "handling_time": Times(of.answered, "talk_s"),
    }


def _within(of: Sessions, column: str, u: str | None = None) -> Share:
    """Answered within 20 s of all offered; an answered call whose wait is unknown is in neither, but is counted."""
    limit, waits = of.read.service_level_s, of.column(column)
    missing = of.answered & np.isnan(waits)
    near = of.answered & (np.abs(waits - limit) <= 2 * of.column(u)) if u else None
    return Share(of.answered & (waits <= limit), of.offered & ~missing, missing, near)


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
