"""The value of an indicator: what the centre's own figures say, what the probes say, and which of them is scored (X11).

A system's figure is a census: it has no sampling interval. A survey's or an observation's figure with its ``n`` has
one, and so has a probe's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from scoring.defects import Readings
from scoring.inputs import Given
from scoring.metrics import Metrics
from scoring.scheme import Indicator
from scoring.scorecard import Probed, Status
from scoring.statistics import Rate
from scoring.statistics.waits import Waits, exact

SAMPLED = ("survey", "observation")
VARIANTS = {  # the measure that stands for another one when a switch is turned (X15, X16, X17)
    ("voice.connect_rate", "offered.definition", "human_request"): "voice.connect_rate_end_to_end",
    ("voice.connect_rate", "offered.definition", "attempt"): "voice.connect_rate_attempts",
    ("voice.service_level_20", "sl.end", "request"): "voice.service_level_20_request",
    ("voice.service_level_20", "sl.end", "first_word"): "voice.service_level_20_first_word",
    ("voice.answer_speed", "asa.end", "first_word"): "voice.answer_speed_first_word",
}
ANSWER_SPEED = "voice.answer_speed"


@dataclass(frozen=True)
class Value:
    """What is known of an indicator's value. ``rate`` is set where it is a share of ``n`` independent cases."""

    status: Status
    value: Fraction | None = None
    n: int | None = None
    interval: tuple[float, float] | None = None
    rate: Rate | None = None
    given: Given | None = None
    probed: Probed | None = None
    evidence: tuple[Probed, ...] = ()

    @property
    def source(self) -> str | None:
        """Where what is scored comes from."""
        if self.status == "measured":
            return "probe"
        return self.given.source if self.given else None


def value_of(indicator: Indicator, metrics: Metrics | None, given: Given | None, readings: Readings) -> Value:
    """Returns the value of ``indicator``; a figure of the centre's own is scored unless the readings say otherwise."""
    probed, rate = _probed(indicator, metrics, readings)
    evidence = evidence_of(indicator, metrics)
    own = given.value if given else None
    if own is not None and probed is not None and probed.interval is not None:
        low, high = probed.interval
        probed = probed.model_copy(update={"disagrees": not low <= float(own) <= high})
    if probed is not None and (own is None or readings["source_of_record"] == "probe") and not _scored(given):
        return Value("measured", probed.value, probed.n, probed.interval, rate, given, probed, evidence)
    if given is not None and own is None and probed is not None and not indicator.bands:  # a person scored what we saw
        return Value("entered", probed.value, probed.n, probed.interval, rate, given, probed, evidence)
    if given is not None:
        sample, interval = _sample(indicator, given)
        status: Status = "imported" if own is not None and _imported(given) else "entered"
        return Value(status, own, given.n, interval, sample, given, probed, evidence)
    return Value("supported" if evidence else "missing", evidence=evidence)


def _scored(given: Given | None) -> bool:
    return given is not None and given.score is not None


def _imported(given: Given) -> bool:
    return given.file is not None or given.source in ("system", "survey", "documents")


def _sample(indicator: Indicator, given: Given) -> tuple[Rate | None, tuple[float, float] | None]:
    """The rate behind a sampled share, and its interval; an interval that is given knows the sample better."""
    if given.low is not None and given.high is not None:
        return None, (float(given.low), float(given.high))
    if given.value is None or given.n is None or indicator.unit != "share" or not sampled(given):
        return None, None
    rate = Rate.of(round(given.value * given.n), given.n)
    return rate, rate.exact


def sampled(given: Given) -> bool:
    """Whether a figure stands for a sample: a survey's, an observation's, and one with an ``n`` of unknown source."""
    return given.source in SAMPLED or (given.source == "entered" and given.n is not None)


def _probed(indicator: Indicator, metrics: Metrics | None, readings: Readings) -> tuple[Probed | None, Rate | None]:
    """The probes' exact value, n and 95 % interval: Clopper-Pearson for a rate, BCa and timing error for a mean."""
    if indicator.metric is None or metrics is None:
        return None, None
    id_ = next(
        (
            variant
            for (of, key, choice), variant in VARIANTS.items()
            if of == indicator.metric and readings[key] == choice
        ),
        indicator.metric,
    )
    found = metrics.rate_or_wait(id_)
    if found is None or not found.n:
        return None, None
    if isinstance(found, Rate):
        assert found.value is not None
        return Probed(metric=id_, value=found.value, n=found.n, interval=found.exact), found
    assert found.mean is not None
    widened = 2 * (found.u or 0.0)  # U = 2u: errors of the instants may all lean one way, so n does not shrink them
    interval = found.interval and (max(0.0, found.interval[0] - widened), found.interval[1] + widened)
    added = _abandoned(metrics) if indicator.metric == ANSWER_SPEED and readings["asa.numerator"] == "all" else None
    if added is not None:
        return Probed(metric=id_, value=found.mean + added / found.n, n=found.n, interval=None), None
    return Probed(metric=id_, value=found.mean, n=found.n, interval=interval or None), None


def _abandoned(metrics: Metrics) -> Fraction | None:
    """The time in the queue of abandoned calls, which a reading adds to that of the answered ones (X16)."""
    voice, waits = metrics.channels.get("voice"), metrics.wait(ANSWER_SPEED)
    if voice is None or voice.speed_with_abandoned is None or waits is None or waits.mean is None:
        return None
    return (exact(voice.speed_with_abandoned) - waits.mean) * waits.n


def evidence_of(indicator: Indicator, metrics: Metrics | None) -> tuple[Probed, ...]:
    """Returns what the measures that see part of an indicator say."""
    found = ((id_, metrics.rate_or_wait(id_)) for id_ in indicator.metrics) if metrics is not None else ()
    return tuple(_said(id_, one) for id_, one in found if one is not None and one.n)


def _said(id_: str, found: Rate | Waits) -> Probed:
    value = found.value if isinstance(found, Rate) else found.mean
    assert value is not None
    return Probed(
        metric=id_, value=value, n=found.n, interval=found.exact if isinstance(found, Rate) else found.interval
    )
