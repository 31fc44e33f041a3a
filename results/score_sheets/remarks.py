"""备注: what stands behind a score, filled in by itself: method, n, interval, verdict, rater, policy, warning codes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from results.score_sheets.workbook import literal
from results.words import percent, seconds, span
from scoring.bands import Bounds
from scoring.measures import MEASURES
from scoring.scheme import Indicator, Method
from scoring.scorecard import Line, Part
from scoring.warn import POLICIES

SOURCES = {
    "probe": "模拟测试",
    "system": "系统数据",
    "survey": "调查",
    "documents": "文档",
    "observation": "现场观察",
    "entered": "人工",
    "person": "人工",
}
METHODS: dict[Method, str] = {
    "document": "文档审查",
    "observation": "现场观察",
    "system_test": "系统测试",
    "data": "系统数据",
    "simulation": "模拟测试",
    "survey": "客户调查",
    "interview": "访谈",
}


def shown(value: Fraction | None, unit: str | None) -> str:
    """Returns a value with its unit, rounded for the eye only (X14)."""
    if value is None:
        return ""
    if unit == "share":
        return percent(value)
    return f"{seconds(value)} s" if unit == "seconds" else f"{float(value):g}"


def remark(line: Line, indicator: Indicator) -> str:
    """Returns the remark on one indicator, without verdicts on its score, which may still change."""
    said: list[str] = []
    if line.source is not None:
        said.append(SOURCES.get(line.source, line.source) + _file(line))
    if line.value is not None and line.policy != "points_times_alpha":
        said.append(_value(line.value, line.unit, line.n, line.interval))
    if line.probed is not None and line.source != "probe":
        ours = _value(line.probed.value, line.unit, line.probed.n, line.probed.interval)
        said.append(f"模拟测试 {ours}" + ("，与系统值不一致" if line.probed.disagrees else ""))
    if line.supports and line.source != "probe":
        said.append(evidence(line))
    if line.variation is not None:
        said.append(f"离散系数 {line.variation:.3f}")
    if line.band_verdict == "undecided":
        said.append("折算系数不能判定：" + "/".join(f"{float(k):.1f}" for k in dict.fromkeys(line.possible)))
    pairs = zip(indicator.thresholds, line.thresholds, strict=True)
    said += [f"{t.quantity.zh}：{t.verdict.value}" for rule, t in pairs if t.verdict and rule.of != "score"]
    if line.by is not None:
        said.append("评价人 " + line.by + (f"，{line.at}" if line.at else ""))
    if line.score is not None:
        said.append(f"策略：{POLICIES[line.policy].zh}" if line.source != "person" else "直接给分")
    if line.waived:
        said.append("经批准不适用")
    return "；".join([*said, *(["、".join(line.warnings)] if line.warnings else [])])


def evidence(line: Line) -> str:
    """Returns which measures of simulation testing speak to part of an indicator; a person weighs them."""
    return "模拟测试旁证：" + "、".join(MEASURES[id_].name.zh for id_ in line.supports) if line.supports else ""


def holds(rule: Bounds, cell: str) -> str:
    """Returns the formula that says whether a number lies inside; ROUND(…, 9) takes off what binary fractions add."""
    ends = ((">=", rule.at_least), (">", rule.above), ("<=", rule.at_most), ("<", rule.below))
    return "AND(" + ",".join(f"ROUND({cell},9){sign}{literal(end)}" for sign, end in ends if end is not None) + ")"


def _file(line: Line) -> str:
    return f"（{line.file}）" if line.file else ""


def _value(value: Fraction, unit: str | None, n: int | None, interval: tuple[float, float] | None) -> str:
    said = [shown(value, unit)]
    if n is not None:
        said.append(f"n={n}")
    if interval is not None:
        between = span(*interval, unit) if unit in ("share", "seconds") else f"{interval[0]:g}–{interval[1]:g}"
        said.append(f"95%区间 {between}")
    return "，".join(said)


def part_remark(part: Part | None) -> str:
    """Returns the remark on one row of a score sheet."""
    if part is None or not part.note:
        return ""
    return part.note.replace("k=", "折算系数 ")


def methods(indicators: Sequence[Indicator]) -> str:
    """Returns by which methods the rule has the indicators assessed."""
    named = dict.fromkeys(METHODS[method] for indicator in indicators for method in indicator.evidence)
    return "、".join(named)
