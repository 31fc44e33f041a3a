"""What a plan may say: attempts that are due at once, or a sample drawn over days and hours (domain 3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from harness.hours import CHINA, Calendar, Day, DayKind, Opening, Zone
from scenarios.model import ChannelKind, Limits, Strict

PATIENCE_S = 180.0  # L of a scheduled plan that gives none (domain 2.3)
GAP_S = 30.0  # the gap of a scheduled plan that gives none (domain 4.6)
_RATIO = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9})|(\.[0-9]{1,9})?\s*(%?))", re.ASCII)


def _ratio(value: Any) -> Any:
    """``2/5``, ``0.4`` and ``40 %`` are all the same exact fraction."""
    if isinstance(value, Fraction):
        return value
    match = None if isinstance(value, bool) else _RATIO.fullmatch(str(value).strip())
    if match is None or (match[2] is not None and not int(match[2])):
        raise ValueError("write it as 0.4, 40 % or 2/5")
    if match[2]:
        return Fraction(int(match[1]), int(match[2]))
    return Fraction(match[1] + (match[3] or "")) / (100 if match[4] else 1)


Ratio = Annotated[Fraction, BeforeValidator(_ratio)]
Weight = Annotated[Ratio, Field(gt=0)]
Rate = Annotated[Ratio, Field(gt=0, lt=1)]


class Stratum(Strict):
    """So many attempts of one scenario on one entry."""

    scenario: str
    entry: str
    channel: ChannelKind
    count: int = Field(ge=0, le=100_000)


class Window(Strict):
    """The first and the last day, both included."""

    model_config = ConfigDict(serialize_by_alias=True)

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")


class MixPart(Strict):
    """One scenario's share of a mix."""

    scenario: str
    share: Annotated[Ratio, Field(ge=0, le=1)]


class TimedStratum(Strict):
    """One kind of day, one block of hours, one entry: drawn in proportion to ``weight``, by its own mix if it has one.

    ``volume`` is how many contacts the centre itself has there in an hour.
    """

    name: str = ""
    entry: str
    channel: ChannelKind
    days: DayKind | Literal["any"]
    hours: Opening
    weight: Weight = Fraction(1)
    volume: float | None = Field(default=None, gt=0)
    mix: tuple[MixPart, ...] | None = None

    @property
    def label(self) -> str:
        """Its name; one that was given none is called after what it is."""
        return self.name or f"{self.entry} {self.days} {self.hours}"

    def on(self, kind: DayKind) -> bool:
        """Whether days of that kind belong to it."""
        return self.days in ("any", kind)


class Size(Strict):
    """How large the sample is: exactly one of the three. A precision or a power is met in every channel by itself."""

    n: int | None = Field(default=None, ge=1, le=1_000_000, description="attempts in all")
    half_width: Annotated[Ratio, Field(gt=0, lt=Fraction(1, 2))] | None = None
    power: Annotated[Ratio, Field(ge=Fraction(1, 2), lt=1)] | None = None


class Replace(Strict):
    """Which attempts get another one in their place, and how many at most. What the centre did is never replaced."""

    outcomes: tuple[Literal["LOST", "INVALID", "MISSED"], ...]
    at_most: int = Field(ge=0)


class PlanLimits(Strict):
    """Limits that override the scenario's, in seconds; what is left out stays the scenario's."""

    ring_s: float | None = Field(default=None, gt=0)
    menu_s: float | None = Field(default=None, gt=0)
    queue_s: float | None = Field(default=None, gt=0)
    reply_s: float | None = Field(default=None, gt=0)
    session_s: float | None = Field(default=None, gt=0)

    def over(self, limits: Limits) -> Limits:
        """Returns ``limits`` with those of the plan in their place."""
        return limits.model_copy(update=self.model_dump(exclude_none=True))


class AtOnce(Strict):
    """How many sessions may run at the same time, over all entries."""

    voice: int = Field(default=12, ge=1)
    chat: int = Field(default=8, ge=1)


class Plan(Strict):
    """One plan: either ``attempts``, or ``window``, ``strata``, ``size`` and ``mix``."""

    format: Literal[1]
    name: str = Field(min_length=1)
    seed: int
    attempts: tuple[Stratum, ...] = ()
    window: Window | None = None
    zone: Zone = CHINA
    calendar: Calendar = Calendar()
    mix: tuple[MixPart, ...] = ()
    strata: tuple[TimedStratum, ...] = ()
    size: Size | None = None
    limits: PlanLimits = PlanLimits()
    at_once: AtOnce = AtOnce()
    gap_s: float = Field(default=0, ge=0, le=86_400, description="least seconds between two starts on one entry")
    replace: Replace | None = None
    decision_rule: str | None = None
    target_rate: Rate = Fraction(9, 10)
    expected_rate: Rate = Fraction(9, 10)
    expected_session_s: float = Field(default=240, gt=0)
    weekly_volume: float | None = Field(default=None, gt=0, description="contacts of the centre in a whole week")
    raters: tuple[str, ...] = ()
    commissioned_by: Literal["applicant", "certification_body"] | None = None
    executed_by: Literal["certification_body", "consultancy", "applicant"] | None = None
    count_probes: bool = False

    @model_validator(mode="before")
    @classmethod
    def _patience_and_gap(cls, data: Any) -> Any:
        """A plan that is spread over days has a limit L and a gap even if it names none."""
        if not isinstance(data, Mapping) or not data.get("window"):
            return data
        limits = data.get("limits", {})
        if isinstance(limits, PlanLimits):
            limits = limits.model_dump()
        if isinstance(limits, Mapping) and limits.get("queue_s") is None:
            limits = {**limits, "queue_s": PATIENCE_S}
        return {"gap_s": GAP_S, **data, "limits": limits}

    @property
    def scheduled(self) -> bool:
        """Whether its attempts are drawn over days and hours, rather than due at once."""
        return self.window is not None

    def mix_of(self, stratum: TimedStratum) -> tuple[MixPart, ...]:
        """Returns the mix of a stratum: its own, or the plan's."""
        return self.mix if stratum.mix is None else stratum.mix

    def scenario_names(self) -> tuple[str, ...]:
        """Returns the scripts it uses, as it names them (ids or paths), each once, in the order of the file."""
        names = [stratum.scenario for stratum in self.attempts]
        names += [part.scenario for stratum in self.strata for part in self.mix_of(stratum)]
        return tuple(dict.fromkeys(names))
