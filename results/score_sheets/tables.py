"""打分表: what stands in each score sheet of annex D, those that the rule lacks made from its clauses (X20, Z05)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from results.score_sheets.remarks import methods, part_remark, remark
from scoring.bands import Threshold
from scoring.scheme import Dimension, Form, FormItem, Indicator, Scheme
from scoring.scorecard import Line, Scorecard

FULL = Fraction(100)
MISSING = "规则缺表"


@dataclass(frozen=True)
class Row:
    """One row; ``most`` and ``got`` are None where they are not known. ``line`` is the indicator that it is, if any."""

    name: str
    content: str
    most: Fraction | None
    got: Fraction | None
    remark: str
    line: Line | None = None


@dataclass(frozen=True)
class Table:
    """One score sheet: of a single indicator (``line``), or with one indicator a row.

    ``direct`` is a score of 100 that the rows do not give: a person's, or that of another policy. ``to_100`` says
    whether the points are scaled to 100 (X21).
    """

    sheet: str
    title: str
    about: str
    rows: tuple[Row, ...]
    missing: bool
    line: Line | None = None
    remark: str = ""
    demands: tuple[Threshold, ...] = ()  # of the score
    direct: Fraction | None = None
    to_100: bool = True

    @property
    def most(self) -> Fraction | None:
        """The points of all rows, None while one is open."""
        return _sum([row.most for row in self.rows])

    @property
    def got(self) -> Fraction | None:
        """What all rows earned, None while one is open."""
        return _sum([row.got for row in self.rows])

    @property
    def scale(self) -> Fraction | None:
        """From points of the table to a score of 100."""
        if not self.to_100:
            return Fraction(1)
        return FULL / self.most if self.most else None

    @property
    def score(self) -> Fraction | None:
        """The score of 100."""
        if self.direct is not None:
            return self.direct
        return None if self.got is None or self.scale is None or self.most is None else self.got * self.scale

    @property
    def known(self) -> tuple[Fraction, Fraction]:
        """What the rows that are filled earned, and the points of the others."""
        gaps = [row.most for row in self.rows if row.got is None and row.most is not None]
        return sum((row.got for row in self.rows if row.got is not None), Fraction()), sum(gaps, Fraction())

    @property
    def slack(self) -> tuple[Fraction, Fraction]:
        """By how many points the value's interval widens the range that the open rows leave."""
        if self.line is None or self.score is not None or self.scale is None or self.most is None:
            return Fraction(), Fraction()
        got, gaps = self.known
        low, high = self.line.open
        return got - low / self.scale, high / self.scale - got - gaps


def _sum(points: list[Fraction | None]) -> Fraction | None:
    known = [one for one in points if one is not None]
    return sum(known, Fraction()) if known and len(known) == len(points) else None


def tables(card: Scorecard, scheme: Scheme) -> Iterator[Table]:
    """Yields the score sheets in the rule's order: one for each group or indicator, one for each boost dimension."""
    for dimension in scheme.dimensions:
        if dimension.boost:
            yield _boost(card, dimension)
            continue
        done: set[str] = set()
        for indicator in dimension.indicators:
            if indicator.group is None:
                yield _of_indicator(card, scheme, indicator)
            elif indicator.group not in done:
                done.add(indicator.group)
                yield _of_group(card, scheme, dimension, indicator.group)


def _boost(card: Scorecard, dimension: Dimension) -> Table:
    rows = tuple(_indicator_row(card, indicator, None) for indicator in dimension.indicators)
    return Table(
        sheet=f"提升 {dimension.name.zh}",
        title=f"{dimension.name.zh}（提升指标）打分表（{MISSING}）",
        about=f"条款 {dimension.clause}｜规则未设打分表，分值取指标权重",
        rows=rows,
        missing=True,
    )


def _of_group(card: Scorecard, scheme: Scheme, dimension: Dimension, id_: str) -> Table:
    group = next(group for group in dimension.groups if group.id == id_)
    mine = [indicator for indicator in dimension.indicators if indicator.group == id_]
    form = scheme.form(id_)
    items = {item.indicator: item for item in form.items} if form else {}
    missing = form is None or form.stated != "content"
    clauses = "、".join(dict.fromkeys(clause for indicator in mine for clause in indicator.clauses))
    about = f"{group.name.zh}（{id_}）｜条款 {clauses}｜评价方法：{methods(mine)}"
    if missing:
        about += "\n规则仅有表名，本表按条款评价内容生成，分值取三级指标权重（Z05）"
    return Table(
        sheet=_sheet(form, group.name.zh),
        title=_title(form, group.name.zh, missing),
        about=about,
        rows=tuple(_indicator_row(card, indicator, items.get(indicator.id)) for indicator in mine),
        missing=missing,
    )


def _indicator_row(card: Scorecard, indicator: Indicator, item: FormItem | None) -> Row:
    line = card.line(indicator.id)
    most = item.points if item and item.points is not None else indicator.weight
    return Row(
        name=indicator.name.zh,
        content=(item.content if item and item.content else _content(indicator)).replace("；", "\n"),
        most=most,
        got=None if line.score is None else line.score * most / 100,
        remark=remark(line, indicator),
        line=line,
    )


def _of_indicator(card: Scorecard, scheme: Scheme, indicator: Indicator) -> Table:
    line, form = card.line(indicator.id), scheme.form(indicator.id)
    rows, remarked = _rows(line, indicator, form)
    missing = form is None or form.stated != "content"
    about = f"{indicator.name.zh}（{indicator.id}）｜条款 {'、'.join(indicator.clauses)}"
    about += f"｜权重 {float(indicator.weight):g}%｜评价方法：{methods([indicator])}"
    if missing:
        lacks = "仅有表名" if form and form.stated == "title" else "无此表"
        about += f"\n规则{lacks}，本表按条款评价内容生成，各项分值由评价人员确定（X20）"
    table = Table(
        sheet=_sheet(form, indicator.name.zh, indicator.id),
        title=_title(form, indicator.name.zh, missing),
        about=about,
        rows=tuple(rows),
        missing=missing,
        line=line,
        remark="" if remarked else remark(line, indicator),
        demands=tuple(rule for rule in indicator.thresholds if rule.of == "score"),
        to_100=card.readings.get("dtable.scale", "to_100") == "to_100",
    )
    if line.score is None or table.score == line.score:
        return table
    return replace(table, direct=line.score)


def _rows(line: Line, indicator: Indicator, form: Form | None) -> tuple[list[Row], bool]:
    """The rows, and whether one of them, the indicator's own value, has the remark on the indicator."""
    parts = {part.name.zh: part for part in line.parts if part.note != "k"}
    items = form.items if form else ()
    if parts and list(parts) != [item.name.zh for item in items]:  # rows of the evaluator's own (X20)
        return [Row(name, "", part.most, part.got, part_remark(part)) for name, part in parts.items()], False
    if not items:
        return [Row(text, "", None, None, "") for text in _pieces(indicator)], False
    rows, remarked = [], False
    for item in items:
        part = parts.get(item.name.zh)
        own = item.value and line.value is not None
        remarked = remarked or own
        said = remark(line, indicator) if own else part_remark(part)
        rows.append(Row(item.name.zh, item.content, item.points, part.got if part else None, said))
    return rows, remarked


def _sheet(form: Form | None, name: str, id_: str = "") -> str:
    number = form.table if form and form.table else id_
    return f"{number} {name}".strip()


def _title(form: Form | None, name: str, missing: bool) -> str:
    title = f"{name}打分表" if form is None else f"{form.table or ''} {form.title}".strip()
    return f"{title}（{MISSING}）" if missing else title


def _content(indicator: Indicator) -> str:
    return indicator.content or (indicator.requirement.zh if indicator.requirement else "")


def _pieces(indicator: Indicator) -> list[str]:
    """The items of the clause's 评价内容, or the indicator itself where the clause lists none."""
    found = [piece.strip() for piece in re.split(r"[；;\n]", indicator.content) if piece.strip()]
    return found or [indicator.name.zh]
