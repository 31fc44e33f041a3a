"""Every number of a scheme's data with its clause and what it is about, to be held against the facts of its text.

A fact is a line of ``tests/scheme_facts/<SCHEME-ID>.tsv``: the line of the text, the clause, the few words that the
number is about, the number as it is written, its unit. ``in words``: a formula or requirement says it, nothing is
compared with it.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scoring.bands import Bounds
from scoring.scheme import Dimension, Indicator, Scheme

FACTS = Path(__file__).parent / "scheme_facts"
WEIGHTS_TOO = {  # where all weights are listed; annex C has those of the base again
    "CMM-525-0002": ("13.1.1", "13.1.2"),
    "CMM-525-0005": ("13.1.1", "13.1.2"),
    "CMM-525-0006": ("12.1.1", "12.1.2"),
}
CHINESE = {character: n for n, character in enumerate("零一二三四五六七八九十")} | {"两": 2}
COUNTED = "次|个|人|天|日|倍|分钟|小时|年|月|周|层"
TOKEN = re.compile(rf"\d+:\d+|\d+(?:\.\d+)?|[一二两三四五六七八九十](?={COUNTED})(?!次解决率)")
UNITS = {  # a fact's unit: what one of it is in the data
    "percent": ((1, "weight"), (Fraction(1, 100), "share")),
    "points": ((1, "points"), (1, "weight")),
    "coefficient": ((1, "coefficient"),),
    "factor": ((1, "factor"),),
    "alpha": ((1, "alpha"),),
    "seconds": ((1, "seconds"),),
    "minutes": ((60, "seconds"),),
    "hours": ((3600, "seconds"),),
    "ratio": ((1, "count"),),
    "count": ((1, "count"),),
    "per_day": ((1, "count"),),
    "per_week": ((1, "per_week"),),
    "per_month": ((1, "count"),),
    "per_quarter": ((1, "count"),),
    "per_half_year": ((2, "per_year"),),
    "per_year": ((1, "per_year"),),
}
Number = tuple[Fraction, str]


@dataclass(frozen=True)
class Fact:
    """One number of a text."""

    line: int
    clause: str
    subject: str
    number: str
    unit: str

    @property
    def meanings(self) -> set[Number]:
        """The numbers of the data that it may be."""
        value = plain(self.number)
        if self.unit.endswith(" in words"):
            return {(value, "words")}
        return {(value * factor, kind) for factor, kind in UNITS[self.unit]}


@dataclass(frozen=True)
class Place:
    """Numbers that stand together in the data. ``derived``: sums of others, which the text need not have."""

    clauses: tuple[str, ...]
    names: tuple[str, ...]
    numbers: frozenset[Number]
    derived: bool = False

    def at(self, clause: str) -> bool:
        """Whether it is at that clause, or at one above it."""
        found = [one for listed in self.clauses for one in re.split("[、,;]", listed)]
        return any(clause == one.strip() or clause.startswith(f"{one.strip()}.") for one in found)

    def about(self, subject: str) -> bool:
        """Whether it is about that subject."""
        return any(subject in name or name in subject for name in self.names)


def plain(token: str) -> Fraction:
    """Returns a number as it is written: ``0.9``, ``1:10`` (its second part), ``三``."""
    return Fraction(CHINESE[token]) if token in CHINESE else Fraction(token.split(":")[-1])


def facts(id_: str) -> list[Fact]:
    """Returns the facts of a scheme's text."""
    with (FACTS / f"{id_}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Fact(int(r["line"]), r["clause"], r["subject"], r["number"], r["unit"]) for r in rows]


def places(scheme: Scheme) -> Iterator[Place]:
    """Yields every place of the data that holds numbers."""
    for dimension in scheme.dimensions:
        yield from _dimension(scheme, dimension)
        for indicator in dimension.indicators:
            listed = (*indicator.clauses, dimension.clause, *WEIGHTS_TOO.get(scheme.id, ()))
            yield _place(listed, [indicator.name.zh], (indicator.weight, "weight"))
            yield from _indicator(indicator)
    for one in scheme.requirements:
        yield _place([one.clause], [one.quantity.zh], *_bounds(one, one.unit))
    for check in scheme.checks:
        yield _place([check.clause], [check.name.zh], *_words(check.name.zh))
    for form in scheme.forms:
        rows = [item for item in form.items if item.points is not None]
        for item in rows:
            yield _place([str(form.table)], [item.name.zh], (item.points, "points"))
        if form.total is not None:
            yield _place([str(form.table)], ["合计"], (form.total, "points"))
    yield from _levels(scheme)


def _place(clauses, names, *numbers: Number, derived: bool = False) -> Place:
    return Place(tuple(clauses), tuple(names), frozenset(numbers), derived)


def _bounds(bounds: Bounds, kind: str) -> list[Number]:
    edges: list[Number] = [(edge, kind) for edge in (bounds.lower, bounds.upper) if edge is not None]
    return [*edges, (Fraction(100), kind)] if kind == "points" else edges  # scores are out of 100


def _words(text: str) -> list[Number]:
    return [(plain(token), "words") for token in TOKEN.findall(text)]


def _dimension(scheme: Scheme, dimension: Dimension) -> Iterator[Place]:
    yield _place([dimension.clause], [dimension.name.zh], (dimension.weight, "weight"), derived=True)
    if dimension.factor != 1:
        yield _place([scheme.composite.clause], [dimension.name.zh], (dimension.factor, "factor"))
    for group in dimension.groups:
        listed = (dimension.clause, *WEIGHTS_TOO.get(scheme.id, ()))
        yield _place(listed, [group.name.zh], (group.weight, "weight"))


def _indicator(indicator: Indicator) -> Iterator[Place]:
    name, clauses = indicator.name.zh, indicator.clauses
    for band in indicator.bands:
        yield _place(clauses, [name], *_bounds(band, str(indicator.unit)), (band.coefficient, "coefficient"))
    for factor in indicator.factors:
        for route in factor.routes:
            for band in route.bands:
                numbers = [*_bounds(band, route.unit), (band.coefficient, "coefficient")]
                yield _place([factor.clause], [factor.name.zh, route.name.zh], *numbers)
    for threshold in indicator.thresholds:
        yield _place(clauses, [threshold.quantity.zh], *_bounds(threshold, threshold.unit))
    for text in (indicator.formula, indicator.requirement):
        if text is not None and (numbers := _words(text.zh)):
            yield _place(clauses, [name, text.zh], *numbers)


def _levels(scheme: Scheme) -> Iterator[Place]:
    if scheme.alpha:
        yield _place(["5.1.1"], ["李克特量表"], (Fraction(len(scheme.alpha)), "count"))
    for level in scheme.alpha:
        yield _place(["5.1.1"], [level.name.zh], *_bounds(level, "alpha"))
    if scheme.composite.method == "occasions":
        yield _place(["附录1"], ["总计"], (scheme.base_weight, "weight"), derived=True)
    if (rule := scheme.maturity) is not None:
        for item in rule.items:
            yield _place([f"{rule.clause} {item.id}"], [item.name.zh], (item.points, "points"))
            for n in range(1, rule.steps + 1):
                step = f"{item.name.zh}：{'一二三四五'[n - 1]}级"
                yield _place([f"{rule.clause} {item.id}"], [step], (item.points * n / rule.steps, "points"))
        for one in rule.levels:
            edges = [(edge, "points") for edge in (one.lower, one.upper) if edge is not None]
            yield _place([rule.clause], [one.name], *edges)
    if (stars := scheme.stars) is not None:
        yield _place([stars.clause], ["认证级别"], (Fraction(len(stars.readings["B"])), "count"))
        for reading, rows in stars.readings.items():
            for n, row in enumerate(rows):
                above = rows[n + 1].score if n + 1 < len(rows) else None
                ends = [gap.above if reading == "A" else gap.at_least for gap in stars.gaps if gap.upper == above]
                named = f"{'零一二三四五'[row.stars]}星级" if reading == "A" and row.stars else f"序号{n + 1}"
                scores = [row.score, *(end for end in ends if end is not None)]
                yield _place([stars.clause], [named], *((score, "points") for score in scores))
