"""Do inputs fit their scheme: ids, units, rows of score sheets, levels, and what the readings name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, get_args

from scenarios.yaml_file import Path_
from scoring.bands import Unit
from scoring.defects import Readings
from scoring.inputs.model import Given, Inputs, number, shown
from scoring.measures import MEASURES
from scoring.scheme import Application, Factor, Indicator, Policy, Scheme

Misfit = tuple[Path_, str, str | None]
"""Where, what is wrong, and the cure."""

BORROW = "coverage.borrow_0005"


@dataclass(frozen=True)
class Figure:
    """One number of the inputs and the unit it is in. ``percent``: may a workbook show it as a percentage."""

    path: Path_
    value: Fraction
    unit: Unit | None
    what: str
    percent: bool


def misfits(inputs: Inputs, scheme: Scheme, readings: Readings) -> Iterator[Misfit]:
    """Yields what does not fit, ids before numbers."""
    if inputs.scheme != scheme.id:
        yield ("scheme",), f"these are inputs of {inputs.scheme}, not of {scheme.id}", f"--scheme {inputs.scheme}"
        return
    yield from _ids(inputs, scheme)
    yield from _occasions(inputs, scheme, readings)
    for path, given, indicator in _indicators(inputs, scheme):
        yield from _entry(path, given, indicator, scheme, readings)
    for id_, one in inputs.checks.items():
        if one.value is not None:
            yield ("checks", id_, "value"), f"{id_} is a requirement in words", "write met: true or false"
    yield from _switched(inputs, scheme, readings)
    for figure in figures(inputs, scheme, readings):
        yield from _range(figure)


def figures(inputs: Inputs, scheme: Scheme, readings: Readings) -> Iterator[Figure]:
    """Yields every number of the inputs whose unit is known, scores and points included."""
    for path, given, indicator in _indicators(inputs, scheme):
        for key in ("value", "low", "high"):
            yield from _figure((*path, key), getattr(given, key), indicator.unit, indicator.id)
        yield from _figure((*path, "score"), given.score, "points", indicator.id)
        for month, value in given.months.items():
            yield from _figure((*path, "months", month), value, indicator.unit, f"{indicator.id}, {month}")
        for factor in factors_of(indicator, readings):
            for route in factor.routes:
                value_ = given.factors.get(factor.id, {}).get(route.id)
                at: Path_ = (*path, "factors", factor.id, route.id)
                samples = {at: value_} if not isinstance(value_, dict) else {(*at, w): v for w, v in value_.items()}
                for place, sample in samples.items():
                    yield from _figure(place, sample, route.unit, f"{indicator.id}, {route.name.zh}")
        for row, points in given.points.items():
            yield from _figure((*path, "points", row), points, None, f"{indicator.id}, {row}")
        units = {one.quantity.zh: one.unit for one in indicator.thresholds}
        for name, value in given.quantities.items():
            yield from _figure((*path, "quantities", name), value, units.get(name), f"{indicator.id}, {name}")
    required = {one.id: one.unit for one in scheme.requirements}
    for id_, checked in inputs.requirements.items():
        yield from _figure(("requirements", id_, "value"), checked.value, required.get(id_), id_)
    rows = {row.name.zh: row for row in scheme.application}
    for name, pair in inputs.application.items():
        for key, value in pair.items():
            unit = _unit(rows[name], scheme) if name in rows else None
            yield Figure(("application", name, key), value, unit, name, percent=unit in (None, "share"))
    for place_, occasion in enumerate(inputs.occasions):
        for item, alpha in occasion.alpha.items():
            if isinstance(alpha, Fraction):
                yield Figure(("occasions", place_, "alpha", item), alpha, "share", f"alpha of {item}", percent=True)


def factors_of(indicator: Indicator, readings: Readings) -> tuple[Factor, ...]:
    """Returns the factors of an indicator, borrowed ones included where the readings borrow them (X26)."""
    return _borrowed(indicator) if readings.flag(BORROW) else indicator.factors


@cache
def _borrowed(indicator: Indicator) -> tuple[Factor, ...]:
    from scoring import coefficients  # which knows of inputs itself

    return coefficients.factors_of(indicator, Readings({BORROW: True}))


def points_rows(indicator: Indicator, scheme: Scheme, readings: Readings) -> dict[str, Fraction | None]:
    """Returns the rows of the indicator's score sheet and their points, the evaluator's own where set (X20)."""
    form = scheme.form(indicator.id)
    table = readings.table("dtable.override")
    own = table.get(indicator.id) or (table.get(form.table) if form and form.table else None)
    if isinstance(own, dict):
        return {row: number(points) for row, points in own.items()}
    return {item.name.zh: item.points for item in form.items} if form else {}


def _figure(path: Path_, value: Fraction | None, unit: Unit | None, what: str) -> Iterator[Figure]:
    if value is not None:
        yield Figure(path, value, unit, what, percent=unit == "share")


def _unit(row: Application, scheme: Scheme) -> Unit | None:
    """The unit of a row of the applicant's figures: its indicator's, else that of the measure beside it."""
    if row.indicator is not None:
        return scheme.indicator(row.indicator).unit
    if row.metric is None or row.metric not in MEASURES:
        return None
    return "share" if MEASURES[row.metric].kind == "rate" else "seconds"


def _indicators(inputs: Inputs, scheme: Scheme) -> Iterator[tuple[Path_, Given, Indicator]]:
    known = {indicator.id: indicator for _, indicator in scheme.indicators()}
    for block, given in (("indicators", inputs.indicators), ("boost", inputs.boost)):
        for id_, one in given.items():
            if id_ in known:
                yield (block, id_), one, known[id_]


def _ids(inputs: Inputs, scheme: Scheme) -> Iterator[Misfit]:
    boost = {indicator.id: dimension.boost for dimension, indicator in scheme.indicators()}
    for block, given in (("indicators", inputs.indicators), ("boost", inputs.boost)):
        for id_ in given:
            if id_ not in boost:
                yield (block, id_), f"{scheme.id} has no indicator {id_}", _near(id_, boost)
            elif scheme.composite.method == "occasions":
                yield (block, id_), f"{scheme.id} is scored by occasions, not by values", "write occasions: with alpha"
            elif boost[id_] != (block == "boost"):
                right = "boost" if boost[id_] else "indicators"
                yield (block, id_), f"{id_} stands under {block}, it belongs under {right}", f"move it to {right}:"
    maturity = [item.id for item in scheme.maturity.items] if scheme.maturity else []
    known: dict[str, tuple[Mapping[str, Any], list[str]]] = {
        "requirements": (inputs.requirements, [requirement.id for requirement in scheme.requirements]),
        "checks": (inputs.checks, [one.id for one in scheme.checks]),
        "application": (inputs.application, [row.name.zh for row in scheme.application]),
        "maturity": (inputs.maturity, maturity),
        "reasons": (inputs.reasons, maturity),
    }
    for block_, (given_, ids) in known.items():
        for id_ in given_:
            if id_ not in ids:
                yield (block_, id_), f"{scheme.id} has no {id_} under {block_}", _near(id_, ids)
    if inputs.gate is not None and scheme.stars is None:
        yield ("gate",), f"{scheme.id} has no gate", "remove it"


def _occasions(inputs: Inputs, scheme: Scheme, readings: Readings) -> Iterator[Misfit]:
    items = [indicator.id for _, indicator in scheme.indicators()] if scheme.alpha else []
    levels = [level.name.zh for level in scheme.alpha]
    if inputs.occasions and not scheme.alpha:
        yield ("occasions",), f"{scheme.id} is not scored by occasions", "remove them, write indicators:"
        return
    seen: set[str] = set()
    for place, occasion in enumerate(inputs.occasions):
        if occasion.id in seen:
            yield ("occasions", place, "id"), f"occasion {occasion.id} occurs twice", "give each its own id"
        seen.add(occasion.id)
        for item, alpha in occasion.alpha.items():
            at: Path_ = ("occasions", place, "alpha", item)
            if item not in items:
                yield at, f"{scheme.id} has no item {item}", _near(item, items)
            elif isinstance(alpha, str) and alpha not in levels:
                yield at, f"{item}: {alpha} is no level of the scale", f"a number from 0 to 1, or {'、'.join(levels)}"
            elif isinstance(alpha, str) and readings["alpha.from_likert"] == "none":
                cure = "write alpha, or set alpha.from_likert in readings:"
                yield at, f"{item}: {alpha} is a level, not a number (T04)", cure
    waived: set[str] = set()
    for place, waiver in enumerate(inputs.waived):
        if waiver.item not in items:
            yield (
                ("waived", place, "item"),
                f"{scheme.id} has no item {waiver.item} to waive",
                _near(waiver.item, items),
            )
        elif waiver.item in waived:
            yield ("waived", place, "item"), f"{waiver.item} is waived twice", "keep one of the two"
        elif any(waiver.item in occasion.alpha for occasion in inputs.occasions):
            yield ("waived", place, "item"), f"{waiver.item} is waived, yet it was rated", "remove one of the two"
        waived.add(waiver.item)
    if items and len(waived) == len(items):
        yield ("waived",), "every item is waived, nothing is left to score", "waive only what does not apply"


def _entry(path: Path_, given: Given, indicator: Indicator, scheme: Scheme, readings: Readings) -> Iterator[Misfit]:
    for key in ("value", "low", "high", "months"):
        if indicator.unit is None and getattr(given, key):
            cure = "write score: 0 to 100"
            yield (*path, key), f"{indicator.id} has no formula and so no value, a person scores it", cure
    by_hand = readings.table("score_policy").get(indicator.id, indicator.policy) == "manual"
    if given.value is not None and given.score is not None and not by_hand:
        yield path, f"{indicator.id}: both a value and a score are given, and the value gives the score", "keep one"
    factors = {factor.id: factor for factor in factors_of(indicator, readings)}
    for id_, routes in given.factors.items():
        if id_ not in factors:
            lent = any(factor.id == id_ for factor in _borrowed(indicator))
            cure = f"set {BORROW}: true in readings: to borrow it" if lent else _near(id_, factors)
            yield (*path, "factors", id_), f"{indicator.id} has no factor {id_}", cure
            continue
        known = {route.id: route for route in factors[id_].routes}
        for route, value in routes.items():
            at = (*path, "factors", id_, route)
            if route not in known:
                yield at, f"{indicator.id}, {id_}: there is no route {route}", _near(route, known)
            elif isinstance(value, dict) and known[route].unit != "per_week":
                yield at, f"{indicator.id}, {route} is one number, not one a week", "write one number"
    rows = points_rows(indicator, scheme, readings) if given.points else {}
    for row, points in given.points.items():
        at, most = (*path, "points", row), rows.get(row)
        if row not in rows:
            yield at, f"{indicator.id}: its score sheet has no row {row}", _near(row, rows)
        elif most is None:
            cure = f"set its rows' points in readings: dtable.override: {{{indicator.id}: {{{row}: 10}}}}"
            yield at, f"{row}: the rule does not say of how many points it is (X20)", cure
        elif points > most:
            yield at, f"{row}: {shown(points)} is more than its {shown(most)} points", f"write 0 to {shown(most)}"
    quantities = [one.quantity.zh for one in indicator.thresholds if one.of == "quantity"]
    for name in given.quantities:
        if name not in quantities:
            yield (*path, "quantities", name), f"{indicator.id}: nothing is required of {name}", _near(name, quantities)


def _switched(inputs: Inputs, scheme: Scheme, readings: Readings) -> Iterator[Misfit]:
    """What the readings say of indicators, sheets and characteristics by name."""
    ids = [indicator.id for _, indicator in scheme.indicators()]
    for id_, policy in readings.table("score_policy").items():
        at: Path_ = ("readings", "score_policy", id_)
        if id_ not in ids:
            yield at, f"score_policy: {scheme.id} has no indicator {id_}", _near(id_, ids)
        elif policy not in get_args(Policy):
            yield at, f"score_policy of {id_} is {policy}", f"one of: {', '.join(get_args(Policy))}"
    tables = [*ids, *(form.table for form in scheme.forms if form.table)]
    for id_, rows in readings.table("dtable.override").items():
        at = ("readings", "dtable.override", id_)
        if id_ not in tables:
            yield at, f"dtable.override: {scheme.id} has no score sheet {id_}", _near(id_, tables)
        elif not isinstance(rows, dict):
            yield at, f"dtable.override of {id_} must list rows", f"write {id_}: {{row: points, row: points}}"
        else:
            yield from _override(at, rows)
    characteristics = [one.id for one in scheme.characteristics]
    for id_, indicator in readings.table("mapping.characteristics").items():
        at = ("readings", "mapping.characteristics", id_)
        if id_ not in characteristics:
            yield at, f"mapping.characteristics: {scheme.id} has none {id_}", _near(id_, characteristics)
        elif indicator not in ids:
            yield at, f"mapping.characteristics of {id_}: there is no indicator {indicator}", _near(str(indicator), ids)
    decimals = readings.number("rounding.decimals")
    if decimals is not None and (decimals.denominator != 1 or not 0 <= decimals <= 9):
        yield ("readings", "rounding.decimals"), "rounding.decimals must be a whole number", "write 0 to 9"
    for key in inputs.readings:
        limit = readings[key]
        if isinstance(limit, Fraction) and limit < 0:
            yield ("readings", key), f"{key}: {shown(limit)} is negative", "check the number"


def _override(at: Path_, rows: Mapping[str, Any]) -> Iterator[Misfit]:
    total = Fraction()
    for row, points in rows.items():
        try:
            one = number(points, "{plain}: points")
        except ValueError as error:
            yield (*at, row), f"dtable.override, {row}: {error}", None
            return
        if one < 0:
            yield (*at, row), f"dtable.override, {row}: {shown(one)} is negative", "check the number"
        total += one
    if total <= 0:
        yield at, "dtable.override: the rows have no points at all", "write the points of each row"


def _range(figure: Figure) -> Iterator[Misfit]:
    value, what = figure.value, figure.what
    if value < 0:
        yield figure.path, f"{what}: {shown(value)} is negative", "check the number"
    elif figure.unit == "share" and value > 1:
        cure = "a ratio lies between 0 and 1" + (f": write {shown(value / 100)}" if 2 <= value <= 100 else "")
        yield figure.path, f"{what}: {shown(value)} is more than 1", cure
    elif figure.unit == "points" and value > 100:
        yield figure.path, f"{what}: {shown(value)} is more than 100", "a score lies between 0 and 100"


def _near(id_: str, known: Iterable[str]) -> str:
    ids: Collection[str] = list(known)
    if not ids:
        return "remove it"
    near = difflib.get_close_matches(id_, ids, n=1)
    listed = ", ".join(list(ids)[:12]) + (", …" if len(ids) > 12 else "")
    return f"did you mean {near[0]}?" if near else f"there are: {listed}"
