"""The composite of C.5, as ranges: what is missing counts nothing at the lower end and in full at the upper end."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from scenarios.model import Text
from scoring.defects import Readings
from scoring.scheme import Scheme
from scoring.scorecard import Composite, DimensionRange, Line, Range

STATEMENT = Text(
    zh="规则未规定合格线，不给出合格结论（X03）；已测指标按点估计、未测指标按0分至满分计入区间。",
    en=(
        "The rule sets no pass mark, so there is no verdict (X03). Measured indicators count by their estimate,"
        " missing ones from nothing to full marks."
    ),
)


def composite_of(scheme: Scheme, lines: Sequence[Line], readings: Readings, mean: Range | None) -> Composite:
    """Returns the composite of the lines.

    Args:
        scheme: whose formula.
        lines: of all indicators; a line may have been moved to the boost (X10).
        readings: the switches.
        mean: the total of the occasions, for a scheme that is scored by them.
    """
    ranges = tuple(_dimension(scheme, number, lines) for number in range(len(scheme.dimensions)))
    base = mean or _sum([_part(scheme, number, lines, boost=False) for number in range(len(ranges))])
    boost = _sum([_part(scheme, number, lines, boost=True) for number in range(len(ranges))])
    included = included_boost(scheme, readings)
    literal = _sum([base, boost]) if included else base
    return Composite(
        clause=scheme.composite.clause,
        formula=scheme.composite.formula,
        base=base,
        boost=boost,
        literal=literal,
        normalised=base.times(100 / base.full) if base.full else base,
        headline="normalised" if readings["composite.mode"] == "normalised" else "literal",
        with_boost=included,
        dimensions=ranges,
        statement=STATEMENT,
        pass_score=readings.number("verdict.pass_score"),
    )


def included_boost(scheme: Scheme, readings: Readings) -> bool:
    """Whether the boost is added to the composite: as C.5 writes it, unless the readings say otherwise (X09)."""
    chosen = readings["composite.include_boost"]
    return scheme.composite.add_boost if chosen == "as_written" else chosen == "yes"


def _dimension(scheme: Scheme, number: int, lines: Sequence[Line]) -> DimensionRange:
    dimension = scheme.dimensions[number]
    found = _range([line for line in lines if line.dimension == dimension.id])
    return DimensionRange(
        id=dimension.id, name=dimension.name, boost=dimension.boost, factor=dimension.factor, **found.model_dump()
    )


def _part(scheme: Scheme, number: int, lines: Sequence[Line], *, boost: bool) -> Range:
    """The part of a dimension that belongs to the base or to the boost, in points of the composite."""
    dimension = scheme.dimensions[number]
    mine = [line for line in lines if line.dimension == dimension.id and line.boost is boost]
    return _range(mine).times(dimension.factor)


def _range(lines: Sequence[Line]) -> Range:
    lines = [line for line in lines if not line.waived]
    ends = [
        (line.open[0] * line.weight / 100, line.open[1] * line.weight / 100)
        if line.weighted is None
        else (line.weighted, line.weighted)
        for line in lines
    ]
    low, high = sum((end[0] for end in ends), Fraction()), sum((end[1] for end in ends), Fraction())
    known = all(line.weighted is not None for line in lines)
    full = sum((line.weight for line in lines), Fraction())
    return Range(low=low, high=high, full=full, value=low if known else None)


def _sum(ranges: Sequence[Range]) -> Range:
    known = [r.value for r in ranges if r.value is not None]
    return Range(
        low=sum((r.low for r in ranges), Fraction()),
        high=sum((r.high for r in ranges), Fraction()),
        full=sum((r.full for r in ranges), Fraction()),
        value=sum(known, Fraction()) if len(known) == len(ranges) else None,
    )
