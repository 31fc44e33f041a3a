"""What simulation testing shows beside the scores: the service characteristics (Z06), and the applicant's A.4 (X40)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from scoring.defects import Readings
from scoring.inputs import Inputs
from scoring.measures import MEASURES, Kind
from scoring.metrics import Metrics
from scoring.scheme import Application, Characteristic, Scheme
from scoring.scorecard import ApplicationRow, CharacteristicResult, Line
from scoring.statistics import Rate

UNITS: dict[Kind, str] = {"rate": "share", "wait": "seconds"}


def characteristics_of(scheme: Scheme, metrics: Metrics | None, readings: Readings) -> tuple[CharacteristicResult, ...]:
    """Returns the profile of the service characteristics: which were measured, by which measures, and where mapped."""
    mapped = readings.table("mapping.characteristics")
    return tuple(_characteristic(one, metrics, mapped.get(one.id)) for one in scheme.characteristics)


def _characteristic(one: Characteristic, metrics: Metrics | None, mapped: str | None) -> CharacteristicResult:
    found = (
        () if metrics is None else tuple(id_ for id_ in one.metrics if (item := metrics.rate_or_wait(id_)) and item.n)
    )
    status: Literal["measured", "partly", "not_measured", "not_measurable"]
    if one.probe == "none":
        status = "not_measurable"
    elif not found:
        status = "not_measured"
    else:
        status = "measured" if one.probe == "full" else "partly"
    return CharacteristicResult(
        id=one.id, name=one.name, group=one.group, status=status, metrics=found, how=one.how, mapped=mapped
    )


def application_of(
    scheme: Scheme, inputs: Inputs, lines: Sequence[Line], metrics: Metrics | None
) -> tuple[ApplicationRow, ...]:
    """Returns the applicant's targets and actual figures with what the probes measured beside them."""
    by_id = {line.id: line for line in lines}
    return tuple(_row(row, inputs, by_id.get(row.indicator or ""), metrics) for row in scheme.application)


def _row(row: Application, inputs: Inputs, line: Line | None, metrics: Metrics | None) -> ApplicationRow:
    said = inputs.application.get(row.name.zh, {})
    measured: Fraction | None = None
    n: int | None = None
    interval: tuple[float, float] | None = None
    if line is not None and line.probed is not None:
        measured, n, interval = line.probed.value, line.probed.n, line.probed.interval
    elif row.metric is not None and metrics is not None and (found := metrics.rate_or_wait(row.metric)) and found.n:
        measured = found.value if isinstance(found, Rate) else found.mean
        n, interval = found.n, found.exact if isinstance(found, Rate) else found.interval
    actual = said.get("actual")
    if actual is None and line is not None and line.status in ("imported", "entered"):
        actual = line.value
    agrees = None if actual is None or interval is None else interval[0] <= float(actual) <= interval[1]
    return ApplicationRow(
        category=row.category,
        name=row.name,
        target=said.get("target"),
        actual=actual,
        unit=line.unit if line else None if row.metric is None else UNITS[MEASURES[row.metric].kind],
        measured=measured,
        n=n,
        interval=interval,
        agrees=agrees,
    )
