"""A certification scheme as data: dimensions, indicators, bands, thresholds, forms, and the defects its text has.

A new scheme is a new file in ``scoring/schemes``, no code. Numbers are exact rationals (:mod:`scoring.bands`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from scenarios.errors import SchemeError
from scenarios.model import Strict, Text
from scenarios.yaml_file import load
from scoring.bands import Band, Rational, Threshold, Unit, partition
from scoring.levels import AlphaLevel, Maturity, Stars, consecutive
from scoring.measures import MEASURES

FOLDER = Path(__file__).parent / "schemes"
SCHEME = "CMM-525-0005"  # by which runs and campaigns are scored

Policy = Literal[
    "coef_full_marks",  # 100 x coefficient
    "value_times_coef",  # 100 x value x coefficient
    "attainment_linear",  # 100 x min(1, value / target)
    "pass_fail",  # 100 if every threshold is met, else 0
    "d_table",  # the points of the rule's own score sheet, scaled to 100
    "points_times_alpha",  # 100 x alpha: the points are the weight
    "manual",  # the rule does not say: a person scores
]
Method = Literal["document", "observation", "system_test", "data", "simulation", "survey", "interview"]
Probe = Literal["full", "part", "none"]
When = Literal[
    "always",
    "expired",  # the report or a contact lies outside the rule's validity
    "probes",  # values of simulation testing enter
    "counted",  # values of simulation testing enter, and the contacts count as samples of the applicant's own
    "not_counted",  # the same, and they do not count
    "chat",  # chats were probed
    "measured",  # an indicator has a probe's value, scored or beside the centre's own
    "supported",  # part of an indicator was probed
    "unproven",  # part of an indicator was probed, and did not show what the rule demands of it
    "given",  # an indicator has a value or a score
    "valued",  # an indicator has a value
    "scored",  # an indicator has a score by a policy that the rule does not state
    "manual",  # an indicator that only a person can score
    "banded",  # a value was compared with bands or thresholds
    "on_boundary",  # a value lies where two bands meet
    "far_beyond",  # a value is over three times the last band's edge
    "disagreement",  # the system's value lies outside the probe's interval
    "months",  # a monthly series was given
    "survey",  # survey coverage or frequency was given
    "weeks_low",  # a week's samples lie in a lower band than the one taken
    "frequency_gap",  # a survey frequency between 1 and 2 a year
    "two_routes",  # both routes of a factor were given
    "two_readings",  # both readings of 整体满意度 can be computed
    "form_scaled",  # a score sheet's points were scaled to 100
    "form_missing",  # a score sheet that the rule names, or should have, is not there
    "checked",  # requirements without a weight were checked
    "compared",  # a number was compared with such a requirement
    "application",  # there are figures of the applicant's, or of simulation testing to stand beside them
    "result",  # there is something to decide a certification level by
    "readings_differ",  # two readings of the level differ
    "gap",  # the score lies between two bands of the level as written
    "no_star",  # passed, below the first star
    "likert",  # alpha was converted from a level of the five-point scale
    "waived",  # an item was waived
    "unequal",  # raters did not have the same number of occasions
    "levels",  # maturity levels were given
    "switched",  # the defect's own switch is not at its default
]


class Route(Strict):
    """One way to satisfy a factor, with its own bands."""

    id: str
    name: Text
    unit: Unit
    bands: tuple[Band, ...]

    @model_validator(mode="after")
    def _whole(self) -> Route:
        partition(self.bands)
        return self

    def band(self, value: Fraction) -> Band:
        """Returns the band that holds ``value``."""
        return next(band for band in self.bands if band.holds(value))


class Factor(Strict):
    """A coefficient that belongs to an indicator beside its value; with several routes the best one counts."""

    id: str
    name: Text
    clause: str
    combine: Literal["max"]
    routes: tuple[Route, ...]


class FormItem(Strict):
    """One row of a score sheet (评价项目, 评价内容, 分值). ``points`` is None where the rule gives none."""

    name: Text
    content: str = ""
    points: Rational | None = None
    factor: str | None = None  # the factor whose coefficient fills it
    value: bool = False  # the indicator's own value fills it
    indicator: str | None = None  # a third-level indicator that it is


class Form(Strict):
    """A score sheet (打分表) of the rule's annex D, for one indicator or one group of them.

    ``stated``: content (with points), title (the rule has only its title), none (the rule does not even name it).
    """

    table: str | None
    title: str
    of: str
    stated: Literal["content", "title", "none"]
    items: tuple[FormItem, ...] = ()

    @property
    def total(self) -> Fraction | None:
        """The points of all rows, or None where the rule gives none."""
        points = [item.points for item in self.items if item.points is not None]
        return sum(points, Fraction()) if points and len(points) == len(self.items) else None

    @model_validator(mode="after")
    def _stated(self) -> Form:
        if self.stated == "content" and self.total is None:
            raise ValueError(f"table {self.title}: every row needs its points")
        return self


class Indicator(Strict):
    """One scored indicator. ``weight`` is in percent (points out of 100 for CTS TBSC97), as written.

    ``probe`` says what simulation testing can see of it, ``metric`` which measure is its formula, ``metrics`` which
    ones look at part of it, ``measures`` in words. ``given`` lists other inputs its formula needs.
    """

    id: str
    name: Text
    clauses: tuple[str, ...] = Field(min_length=1)
    weight: Rational
    group: str | None = None
    formula: Text | None = None
    requirement: Text | None = None
    content: str = ""
    metric: str | None = None
    metrics: tuple[str, ...] = ()
    unit: Unit | None = None
    bands: tuple[Band, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    factors: tuple[Factor, ...] = ()
    policy: Policy
    policy_stated: bool = False
    evidence: tuple[Method, ...] = Field(min_length=1)
    probe: Probe
    measures: Text | None = None

    @model_validator(mode="after")
    def _sound(self) -> Indicator:
        partition(self.bands)
        named = [self.metric, *self.metrics, *(threshold.metric for threshold in self.thresholds)]
        unknown = [id_ for id_ in named if id_ is not None and id_ not in MEASURES]
        if unknown:
            raise ValueError(f"{self.id}: unknown metric {', '.join(unknown)}")
        if self.bands and self.unit is None:
            raise ValueError(f"{self.id}: bands need a unit")
        if self.probe == "none" and (self.metric or self.metrics):
            raise ValueError(f"{self.id}: a probe sees nothing of it, yet a metric is named")
        return self

    def band(self, value: Fraction) -> Band | None:
        """Returns the band that holds ``value``."""
        return next((band for band in self.bands if band.holds(value)), None)

    def on_boundary(self, value: Fraction) -> bool:
        """Whether ``value`` is exactly where two bands meet that both claim it: 80%~90%之间 does, 低于70% does not."""
        return any(value == band.at_least for band in self.bands) and any(
            value == band.below and band.lower is not None for band in self.bands
        )


class Group(Strict):
    """A second-level indicator (二级指标) that has third-level ones below it; its weight is the sum of theirs."""

    id: str
    name: Text
    weight: Rational


class Dimension(Strict):
    """One first-level indicator (一级指标). A ``boost`` dimension (提升指标) is added on top of the base.

    ``factor`` is what its score is multiplied by in the composite (1 unless the rule says otherwise).
    """

    id: str
    name: Text
    clause: str
    weight: Rational
    factor: Rational = Fraction(1)
    boost: bool = False
    groups: tuple[Group, ...] = ()
    indicators: tuple[Indicator, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Dimension:
        total = sum(indicator.weight for indicator in self.indicators)
        if total != self.weight:
            raise ValueError(f"{self.id}: the indicators' weights add up to {total}, not {self.weight}")
        for group in self.groups:
            inside = sum(indicator.weight for indicator in self.indicators if indicator.group == group.id)
            if inside != group.weight:
                raise ValueError(f"{group.id}: the indicators' weights add up to {inside}, not {group.weight}")
        stray = {i.group for i in self.indicators} - {group.id for group in self.groups} - {None}
        if stray:
            raise ValueError(f"{self.id}: unknown group {', '.join(sorted(str(one) for one in stray))}")
        return self


class Requirement(Threshold):
    """A numeric requirement without a weight: checked, never scored. ``same_as``: the indicator that asks it too."""

    id: str
    clause: str
    same_as: str | None = None
    probe: Probe = "none"
    measures: Text | None = None
    evidence: tuple[Method, ...] = ("document", "data")

    @model_validator(mode="after")
    def _known(self) -> Requirement:
        if self.metric is not None and self.metric not in MEASURES:
            raise ValueError(f"{self.id}: unknown metric {self.metric}")
        return self


class Check(Strict):
    """A requirement in words without a weight: met or not, never scored (Z02, Z03)."""

    id: str
    clause: str
    name: Text


class Characteristic(Strict):
    """One service characteristic (服务特性) that simulation testing is about, though nothing scores it (Z06)."""

    id: str
    group: Text
    name: Text
    clause: str
    quote: str
    probe: Probe
    how: Text
    metrics: tuple[str, ...] = ()


class Application(Strict):
    """One row of the applicant's own figures (A.4): target and actual, beside which ours are printed (X40, Z07)."""

    category: Text
    name: Text
    indicator: str | None = None
    metric: str | None = None


class Caveat(Strict):
    """A defect of the rule's text, and when its warning applies. The words are in :mod:`scoring.defects`, or here."""

    code: str = Field(pattern=r"^[A-Z][0-9]{2}$")
    when: When
    indicators: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    zh: str | None = None
    en: str | None = None


class Composite(Strict):
    """How the dimensions become one number.

    ``method``: sum (dimension scores x factor), or occasions (points x alpha over the points that apply, of each
    occasion, and their mean).
    """

    clause: str
    formula: Text
    add_boost: bool
    method: Literal["sum", "occasions"] = "sum"


class Scheme(Strict):
    """One certification scheme. ``valid_to`` is None where the rule sets no end."""

    format: Literal[2]
    id: str
    key: str
    standard: str
    title: Text
    edition: str
    valid_from: date
    valid_to: date | None
    composite: Composite
    dimensions: tuple[Dimension, ...]
    forms: tuple[Form, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    checks: tuple[Check, ...] = ()
    characteristics: tuple[Characteristic, ...] = ()
    application: tuple[Application, ...] = ()
    alpha: tuple[AlphaLevel, ...] = ()
    maturity: Maturity | None = None
    stars: Stars | None = None
    defects: tuple[Caveat, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Scheme:
        ids = [indicator.id for _, indicator in self.indicators()]
        twice = {id_ for id_ in ids if ids.count(id_) > 1}
        stray = {id_ for caveat in self.defects for id_ in caveat.indicators} - set(ids)
        required = {requirement.id for requirement in self.requirements} | {check.id for check in self.checks}
        stray |= {id_ for caveat in self.defects for id_ in caveat.requirements} - required
        named = {row.indicator for row in self.application} | {r.same_as for r in self.requirements}
        named |= {item.indicator for form in self.forms for item in form.items}
        stray |= {id_ for id_ in named if id_ is not None} - set(ids)
        groups = {group.id for dimension in self.dimensions for group in dimension.groups}
        stray |= {form.of for form in self.forms} - set(ids) - groups
        if twice or stray:
            raise ValueError(f"indicator ids: twice {sorted(twice)}, unknown {sorted(stray)}")
        if self.alpha:
            consecutive(self.alpha)
        if self.composite.method == "occasions" and not self.alpha:
            raise ValueError("a scheme scored by occasions needs the scale of alpha")
        return self

    def indicators(self) -> Iterator[tuple[Dimension, Indicator]]:
        """Yields every indicator with its dimension, in the rule's order."""
        for dimension in self.dimensions:
            for indicator in dimension.indicators:
                yield dimension, indicator

    def indicator(self, id_: str) -> Indicator:
        """Returns the indicator of that id.

        Raises:
            KeyError: there is none.
        """
        for _, indicator in self.indicators():
            if indicator.id == id_:
                return indicator
        raise KeyError(id_)

    def form(self, of: str) -> Form | None:
        """Returns the score sheet of an indicator or group."""
        return next((form for form in self.forms if form.of == of), None)

    @property
    def base_weight(self) -> Fraction:
        """Most points of the base, in percent: not 100 in every rule (X07)."""
        return sum((d.weight * d.factor for d in self.dimensions if not d.boost), Fraction())

    @property
    def boost_weight(self) -> Fraction:
        """Most points of the boost, in percent."""
        return sum((d.weight * d.factor for d in self.dimensions if d.boost), Fraction())

    def valid_on(self, day: date) -> bool:
        """Whether the rule is in force on ``day``."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def schemes(folder: Path = FOLDER) -> list[str]:
    """Returns the ids of the schemes that are shipped."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_scheme(id_: str, folder: Path = FOLDER) -> Scheme:
    """Returns the scheme with that id, for example ``CMM-525-0005``, or of a file of one's own, ``my-scheme.yaml``.

    Raises:
        SchemeError: no such scheme, or its file is wrong.
    """
    if id_.endswith(".yaml"):
        return load(Path(id_), Scheme, SchemeError)
    id_ = next((known for known in schemes(folder) if known.casefold() == id_.casefold()), id_)
    if id_ not in schemes(folder):
        raise SchemeError(f"there is no scheme {id_}", cure=f"one of: {', '.join(schemes(folder))}")
    return _shipped(id_) if folder == FOLDER else load(folder / f"{id_}.yaml", Scheme, SchemeError)


@cache
def _shipped(id_: str) -> Scheme:
    return load(FOLDER / f"{id_}.yaml", Scheme, SchemeError)
