"""The composite of C.5, as ranges: what is missing counts nothing at the lower end and in full at the upper end."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from scenarios.model import Text
from scoring.defects import Readings
from scoring.scheme import Scheme
from scoring.scorecard import Composite, DimensionRange, Line, Range
from scoring.statistics import Verdict

NO_VERDICT = Text(
    zh="规则未规定合格线，不给出合格结论（X03）；", en="The rule sets no pass mark, so there is no verdict (X03). "
)
RANGE = Text(
    zh="有值的指标按点估计、未知的指标按0分至满分计入区间。",
    en="Known indicators count by their estimate, missing ones from nothing to full marks.",
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
        statement=_statement(scheme),
        pass_score=readings.number("verdict.pass_score"),
    )


def _statement(scheme: Scheme) -> Text:
    """What the composite claims: no verdict where the rule has no pass mark (X03)."""
    if not any(caveat.code == "X03" for caveat in scheme.defects):
        return RANGE
    return Text(zh=NO_VERDICT.zh + RANGE.zh, en=NO_VERDICT.en + RANGE.en)


def judged(composite: Composite) -> Composite:
    """Returns the composite with the verdict on a pass mark of the evaluator's own, if there is one (X03).

    It is held against the headline total: 符合 where the lower end of the range reaches it even at the 2.5 % point of
    its distribution, 不符合 where the upper end misses it even at the 97.5 % point, otherwise 不能判定.
    """
    mark = composite.pass_score
    if mark is None:
        return composite
    total = composite.normalised if composite.headline == "normalised" else composite.literal
    low, high, spread = total.low, total.high, composite.uncertainty
    if spread is not None:
        scale = total.full / composite.base.full if total is composite.normalised and composite.base.full else 1
        low = min(low, low + (Fraction(spread.low.p025) - composite.literal.low) * scale)
        high = max(high, high + (Fraction(spread.high.p975) - composite.literal.high) * scale)
    verdict = Verdict.PASS if low >= mark else Verdict.FAIL if high < mark else Verdict.OPEN
    return composite.model_copy(update={"pass_verdict": verdict})


def included_boost(scheme: Scheme, readings: Readings) -> bool:
    """Whether the boost is added to the composite: as C.5 writes it, unless the readings say otherwise (X09)."""
    chosen = readings["composite.include_boost"]
    return scheme.composite.add_boost if chosen == "as_written" else chosen == "yes"


def _dimension(scheme: Scheme, number: int, lines: Sequence[Line]) -> DimensionRange:
    """A dimension as C.1 to C.4 have it, whole even where the composite counts one of its lines as a boost (X10)."""
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
