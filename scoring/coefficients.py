"""Conversion coefficients (折算系数): the band a value lies in, and the factors beside it, under the readings taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import mean

from scenarios.model import Text
from scoring.bands import Band, Unit
from scoring.defects import Readings
from scoring.inputs import Given
from scoring.scheme import Factor, Indicator, Route, load_scheme

LENDER = ("CMM-525-0005", "A.SQ.1")  # whose factors 0006 may borrow (X26)
BORROWER = "B.CS.1"
CONTACTS = "manual"  # the route that shoppers' contacts may count for (X12)


@dataclass(frozen=True)
class FactorResult:
    """One factor: its coefficient (None: nothing given), and what has to be said of it by ``when`` of a caveat."""

    factor: Factor
    coefficient: Fraction | None = None
    value: Fraction | None = None
    said: tuple[tuple[str, dict[str, Text]], ...] = ()


def compared(value: Fraction, unit: Unit | None, readings: Readings) -> Fraction:
    """Returns the value as it is compared: in full, or rounded half up to the decimals that the readings name (X14)."""
    step = step_of(unit, readings)
    return value if step is None else math.floor(value / step + Fraction(1, 2)) * step


def step_of(unit: Unit | None, readings: Readings) -> Fraction | None:
    """Returns what values are rounded to before they are compared, in their unit; None where they are not (X14)."""
    decimals = readings.number("rounding.decimals")
    return None if decimals is None else Fraction(1, 10 ** int(decimals)) / (100 if unit == "share" else 1)


def band_of(indicator: Indicator, value: Fraction, readings: Readings) -> Band | None:
    """Returns the band of a value. Where two bands meet at a written "~", the readings decide (X13)."""
    value = compared(value, indicator.unit, readings)
    found = indicator.band(value)
    if found is not None and found.at_least == value and readings["bands.boundary"] == "upper_inclusive":
        shared = (band for band in indicator.bands if band.below == value and band.lower is not None)  # 低于 is plain
        return next(shared, found)
    return found


def coefficient_of(indicator: Indicator, value: Fraction, readings: Readings) -> Fraction | None:
    """Returns the coefficient of a value, or None where the indicator has no bands."""
    floor = readings.number("asa.floor_s")
    band = band_of(indicator, value, readings)
    if band is None:
        return None
    beyond = floor is not None and indicator.unit == "seconds" and value > floor
    return Fraction() if beyond else band.coefficient


def reach(indicator: Indicator, value: Fraction, interval: tuple[float, float] | None) -> tuple[Fraction, ...]:
    """Returns the value, the ends of its interval, and a value of every band in between."""
    if interval is None:
        return (value,)
    low, high = Fraction(interval[0]), Fraction(interval[1])
    return (value, low, high, *(edge for edge in edges(indicator) if low < edge < high))


def edges(indicator: Indicator) -> list[Fraction]:
    """Returns where the indicator's bands meet, in rising order."""
    return sorted({band.lower for band in indicator.bands if band.lower is not None})


def possible(
    indicator: Indicator, value: Fraction, interval: tuple[float, float] | None, readings: Readings
) -> tuple[Fraction, ...]:
    """Returns the coefficients that the interval leaves open, in the order of the bands; none without bands."""
    found = {coefficient_of(indicator, one, readings) for one in reach(indicator, value, interval)} - {None}
    listed = dict.fromkeys(band.coefficient for band in indicator.bands if band.coefficient in found)
    return (*listed, *(k for k in found if k is not None and k not in listed))


def factors_of(indicator: Indicator, readings: Readings) -> tuple[Factor, ...]:
    """Returns the indicator's factors; 0006 has none of its own and may borrow those of 0005 (X26)."""
    if indicator.id == BORROWER and readings.flag("coverage.borrow_0005"):
        return load_scheme(LENDER[0]).indicator(LENDER[1]).factors
    return indicator.factors


def factor_results(
    indicator: Indicator, given: Given | None, readings: Readings, contacts: dict[str, int] | None = None
) -> tuple[FactorResult, ...]:
    """Returns each factor's coefficient from what is given for its routes.

    Args:
        indicator: whose factors.
        given: what the inputs say of it.
        readings: the switches.
        contacts: completed probes by ISO week, where they count as manual samples (X12).
    """
    return tuple(_result(factor, given, readings, contacts or {}) for factor in factors_of(indicator, readings))


def _result(factor: Factor, given: Given | None, readings: Readings, contacts: dict[str, int]) -> FactorResult:
    routes = dict(given.factors.get(factor.id, {})) if given else {}
    if contacts and any(route.id == CONTACTS for route in factor.routes):
        own = routes.get(CONTACTS, {})
        if isinstance(own, dict):
            routes[CONTACTS] = {
                week: Fraction(own.get(week, 0)) + contacts.get(week, 0) for week in sorted({*own, *contacts})
            }
    found: list[tuple[Fraction, Fraction, str]] = []
    said: dict[str, list[tuple[str, dict[str, Text]]]] = {}
    for route in factor.routes:
        if route.id not in routes:
            continue
        entered = routes[route.id]
        weeks = entered if isinstance(entered, dict) else {}
        value = _statistic(weeks, readings) if isinstance(entered, dict) else entered
        coefficient = _route(route, value, readings)
        found.append((coefficient, value, route.id))
        low = [(week, n) for week, n in sorted(weeks.items()) if route.band(n).coefficient < coefficient]
        said[route.id] = [("weeks_low", {"week": _same(week[-2:]), "n": _same(f"{float(n):g}")}) for week, n in low]
        if route.unit == "per_year" and 1 < value < 2:
            words = {"frequency": _same(f"{float(value):g}"), "coefficient": _same(f"{float(coefficient):.1f}")}
            said[route.id].append(("frequency_gap", words))
    if not found:
        return FactorResult(factor)
    best = min(found) if readings["coverage.combine"] == "min" else max(found)
    two = [("two_routes", dict[str, Text]())] if len(found) > 1 else []
    return FactorResult(factor, best[0], best[1], (("survey", {}), *said[best[2]], *two))


def _statistic(weeks: dict[str, Fraction], readings: Readings) -> Fraction:
    values = list(weeks.values()) or [Fraction()]
    return min(values) if readings["coverage.week_stat"] == "min" else Fraction(mean(values))


def _route(route: Route, value: Fraction, readings: Readings) -> Fraction:
    if route.unit == "per_year" and 1 < value < 2 and readings["frequency.gap"] == "upper":
        return route.band(Fraction(2)).coefficient
    return route.band(compared(value, route.unit, readings)).coefficient


def _same(text: str) -> Text:
    return Text(zh=text, en=text)
