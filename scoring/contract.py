"""The scorecard for other programs: ``shopper score --format json``. Stable and versioned (docs/scoring.md).

Numbers are doubles in full precision; percentages and scores are 0-100, shares 0-1, times seconds. What is not known
is null, and ``low`` and ``high`` say what it may be.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from scenarios.model import Text
from scoring.scorecard import Composite, DimensionRange, Line, Probed, Range, Scorecard, Uncertainty

FORMAT = 1
_STATUS = {"supported": "missing"}


def as_contract(card: Scorecard) -> dict[str, Any]:
    """Returns the scorecard as plain data, keys in a fixed order."""
    return {
        "format": FORMAT,
        "scheme": card.scheme,
        "standard": card.standard,
        "title": _text(card.title),
        "date": card.today.isoformat(),
        "in_force": card.valid_from <= card.today and (card.valid_to is None or card.today <= card.valid_to),
        "inputs": {"file": card.inputs, "sha256": card.inputs_sha256},
        "run": None if card.run is None else card.run.model_dump(),
        "readings": card.readings,
        "statements": [{"key": one.key, "text": one.text.zh, "en": one.text.en} for one in card.statements],
        "basis": _text(card.basis),
        "decision_rule": _text(card.decision_rule),
        "composite": _composite(card.composite),
        "dimensions": [_dimension(one) for one in card.composite.dimensions],
        "indicators": [_line(line) for line in card.lines],
        "requirements": [
            {
                "id": one.id,
                "clause": one.clause,
                "name": _text(one.name),
                "value": _number(one.value),
                "unit": one.unit,
                "n": one.n,
                "verdict": one.verdict.value if one.verdict else None,
                "note": _text(one.note) if one.note else None,
            }
            for one in card.requirements
        ],
        "candidates": [
            {"id": id_, "name": _text(name), "clause": clause, "severity": card.severities.get(id_)}
            for id_, name, clause in (
                *((line.id, line.name, "; ".join(line.clauses)) for line in card.candidates),
                *((one.id, one.name, one.clause) for one in card.missed),
            )
        ],
        "characteristics": [
            {
                "id": one.id,
                "name": _text(one.name),
                "status": one.status,
                "metrics": list(one.metrics),
                "mapped": one.mapped,
            }
            for one in card.characteristics
        ],
        "application": [
            {
                "name": _text(row.name),
                "target": _number(row.target),
                "actual": _number(row.actual),
                "measured": _number(row.measured),
                "n": row.n,
                "interval": _pair(row.interval),
                "agrees": row.agrees,
            }
            for row in card.application
        ],
        "occasions": [
            {"id": one.id, "rater": one.rater, "low": _number(one.low), "high": _number(one.high)}
            for one in card.occasions
        ],
        "stars": None
        if card.stars is None
        else {
            "stars": card.stars.stars,
            "reading": card.stars.reading,
            "other": card.stars.other,
            "decided": card.stars.decided,
            "possible": list(card.stars.possible),
            "other_possible": list(card.stars.other_possible),
            "label": card.stars.label,
            "gate": card.stars.gate,
        },
        "maturity": None
        if card.maturity is None
        else {
            "score": _number(card.maturity.total),
            "level": card.maturity.level,
            "name": card.maturity.name,
            "low": _number(card.maturity.low),
            "high": _number(card.maturity.high),
            "max": _number(card.maturity.full),
            "possible": list(card.maturity.possible),
            "items": card.maturity.items,
        },
        "warnings": [
            {"code": one.code, "text": one.text.zh, "en": one.text.en, "indicators": list(one.indicators)}
            for one in card.warnings
        ],
    }


def _text(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def _number(value: Fraction | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 else float(value)


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [interval[0], interval[1]]


def _composite(composite: Composite) -> dict[str, Any]:
    literal: Range = composite.literal
    return {
        "clause": composite.clause,
        "base": _number(composite.base.value),
        "base_max": _number(composite.base.full),
        "boost": _number(composite.boost.value),
        "boost_max": _number(composite.boost.full),
        "literal": _number(literal.value),
        "literal_max": _number(literal.full),
        "normalised": _number(composite.normalised.value),
        "low": _number(literal.low),
        "high": _number(literal.high),
        "base_low": _number(composite.base.low),
        "base_high": _number(composite.base.high),
        "normalised_low": _number(composite.normalised.low),
        "normalised_high": _number(composite.normalised.high),
        "headline": composite.headline,
        "includes_boost": composite.with_boost,
        "pass_score": _number(composite.pass_score),
        "pass_verdict": composite.pass_verdict.value if composite.pass_verdict else None,
        "uncertainty": None if composite.uncertainty is None else _uncertainty(composite.uncertainty),
    }


def _uncertainty(found: Uncertainty) -> dict[str, Any]:
    return {
        "seed": found.seed,
        "draws": found.draws,
        "low": [found.low.p025, found.low.p50, found.low.p975],
        "high": [found.high.p025, found.high.p50, found.high.p975],
        "chances": found.chances,
    }


def _dimension(one: DimensionRange) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name.zh,
        "name_en": one.name.en,
        "score": _number(one.value),
        "max": _number(one.full),
        "percent": _number(one.percent),
        "low": _number(one.low),
        "high": _number(one.high),
        "factor": _number(one.factor),
        "boost": one.boost,
    }


def _measured(one: Probed) -> dict[str, Any]:
    return {"metric": one.metric, "value": _number(one.value), "n": one.n, "interval": _pair(one.interval)}


def _line(line: Line) -> dict[str, Any]:
    low, high = (None, None) if line.waived else line.open
    return {
        "id": line.id,
        "name": line.name.zh,
        "name_en": line.name.en,
        "clause": "; ".join(line.clauses),
        "dimension": line.dimension,
        "group": line.group,
        "weight": _number(line.weight),
        "boost": line.boost,
        "status": _STATUS.get(line.status, line.status),
        "supported_by": list(line.supports),
        "evidence": [_measured(one) for one in line.evidence],
        "source": line.source,
        "value": _number(line.value),
        "unit": line.unit,
        "n": line.n,
        "interval": _pair(line.interval),
        "probe": None if line.probed is None else {**_measured(line.probed), "disagrees": line.probed.disagrees},
        "variation": line.variation,
        "band": line.band,
        "coefficient": _number(line.coefficient),
        "possible_coefficients": [_number(k) for k in line.possible],
        "score": _number(line.score),
        "low": _number(low),
        "high": _number(high),
        "weighted": _number(line.weighted),
        "policy": line.policy,
        "waived": line.waived,
        "verdict": line.verdict.value if line.verdict else None,
        "thresholds": [
            {
                "quote": one.quote,
                "quantity": one.quantity.zh,
                "target": _number(one.target),
                "value": _number(one.value),
                "verdict": one.verdict.value if one.verdict else None,
                "note": _text(one.note) if one.note else None,
            }
            for one in line.thresholds
        ],
        "parts": [{"name": part.name.zh, "got": _number(part.got), "max": _number(part.most)} for part in line.parts],
        "warnings": list(line.warnings),
    }
