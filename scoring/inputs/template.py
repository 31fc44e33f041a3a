"""A file of inputs to fill in, as YAML: every key of a scheme, left blank, with what it means beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scoring.inputs import words
from scoring.inputs.model import FORMAT, Source, shown
from scoring.scheme import Dimension, Indicator, Scheme

_PLAIN = re.compile(r"[A-Za-z\u4e00-\u9fff][\w.\u4e00-\u9fff（）-]*")
_EVIDENCE = "file: , by: , at: , note: "
_SOURCES = " | ".join(Source.__args__)  # type: ignore[attr-defined]


def template_yaml(scheme: Scheme) -> str:
    """Returns the template of a scheme. It loads as it is, and says nothing until something is filled in."""
    return "\n".join([*_head(scheme), *_body(scheme)]) + "\n"


def _head(scheme: Scheme) -> Iterator[str]:
    yield f"# 评分输入 / Inputs of a scoring: {scheme.id} {scheme.standard} {words.both(scheme.title)}"
    yield "# 在冒号和空格之后填写；留空的项视为没有给出。"
    yield "# Fill in after colon and space; what is left blank counts as not there."
    yield "# 比率写0至1（91.2%写作0.912），时长写秒，得分写0至100；超过15位的数字加引号。"
    yield "# Ratios are 0 to 1 (91.2 % is 0.912), durations seconds, scores 0 to 100; over 15 digits in quotes."
    yield f"# 来源 source: {_SOURCES}；日期 at: 2026-11-20"
    yield "# 用法 use: shopper score --scheme " + scheme.id + " --inputs 本文件 this-file.yaml"
    yield ""
    yield f"format: {FORMAT}"
    yield f"scheme: {scheme.id}"
    yield "organisation:  # 受审核方 / the organisation"
    yield "period:  # 数据所属期间 / the days that the figures stand for, for example 2026-08-01"
    yield "  system: {first: , last: }  # 系统数据 / the centre's own data"
    yield "  probe: {first: , last: }  # 模拟测试 / simulation testing"


def _body(scheme: Scheme) -> Iterator[str]:
    if scheme.composite.method == "occasions":
        yield from _occasions(scheme)
    else:
        yield from _block("indicators", "基础指标 / base indicators", scheme, boost=False)
        yield from _block("boost", "提升指标 / boost indicators", scheme, boost=True)
    if scheme.maturity is not None:
        yield from _maturity(scheme)
    if scheme.requirements:
        yield from _title(
            "requirements", "无权重的数值要求：给数值，或只说是否满足 / numeric requirements without a weight"
        )
        for one in scheme.requirements:
            yield f"  # {one.clause} {words.both(one.quantity)}；{words.unit(one.unit)}；“{one.quote}”"
            yield f"  {_key(one.id)}: {{value: , met: , {_EVIDENCE}}}"
    if scheme.checks:
        yield from _title("checks", "无权重的文字要求：met 写 true 或 false / requirements in words without a weight")
        for check in scheme.checks:
            yield f"  {_key(check.id)}: {{met: , {_EVIDENCE}}}  # {check.clause} {words.both(check.name)}"
    if scheme.application:
        yield from _title(
            "application", "申请表A.4自填的目标值和实际值 / the applicant's own target and actual figures"
        )
        for row in scheme.application:
            yield f"  {_key(row.name.zh)}: {{target: , actual: }}  # {words.both(row.category)}; {row.name.en}"
    yield from _readings(scheme)


def _title(key: str, about: str) -> Iterator[str]:
    yield ""
    yield f"# {about}"
    yield f"{key}:"


def _block(key: str, about: str, scheme: Scheme, boost: bool) -> Iterator[str]:
    dimensions = [dimension for dimension in scheme.dimensions if dimension.boost == boost]
    if dimensions:
        yield from _title(key, f"{about}：给 value 或 score，须人工评分的可同时给 / either, both where a person scores")
    for dimension in dimensions:
        yield ""
        yield f"  # ── {words.both(dimension.name)}（{dimension.clause}）"
        for indicator in dimension.indicators:
            yield from _about(indicator, scheme)
            yield from _indicator(indicator, scheme)


def _about(indicator: Indicator, scheme: Scheme) -> Iterator[str]:
    clauses = "、".join(indicator.clauses)
    weight = words.weight(indicator, scheme)
    yield f"  # {indicator.id} {words.both(indicator.name)}；条款 clause {clauses}；权重 weight {weight}"
    if indicator.formula:
        yield f"  #   计算 formula: {words.both(indicator.formula)}"
    if indicator.requirement:
        yield f"  #   要求 requirement: {words.both(indicator.requirement)}"
    yield f"  #   模拟测试 probe: {words.probe(indicator)}"


def _indicator(indicator: Indicator, scheme: Scheme) -> Iterator[str]:
    inner = [*_factors(indicator), *_points(indicator, scheme), *_quantities(indicator)]
    if indicator.unit is None and not inner:
        yield f"  {indicator.id}: {{score: , source: , {_EVIDENCE}}}"
        return
    yield f"  {indicator.id}:"
    if indicator.unit is not None:
        yield f"    value:  # {words.unit(indicator.unit)}"
    yield "    score:  # 人工评分0–100，与value二选一 / a person's score, instead of a value"
    if indicator.unit is not None:
        yield "    n:  # 样本数 / cases behind the value"
        yield "    low:  # 95%区间下限 / its 95 % interval, where one is known"
        yield "    high:"
        yield "    months:  # 各月数值 / by month: {2026-08: …, 2026-09: …}"
    yield "    source:"
    yield from (f"    {key}:" for key in ("file", "by", "at", "note"))
    yield from inner


def _factors(indicator: Indicator) -> Iterator[str]:
    factors = words.factors(indicator)
    if not factors:
        return
    yield "    factors:  # 系数的依据 / what its coefficients rest on"
    if not indicator.factors:
        yield "      # 仅当读法 coverage.borrow_0005 为 true / only with coverage.borrow_0005: true (X26)"
    for factor in factors:
        yield f"      {factor.id}:  # {words.both(factor.name)}（{factor.clause}）"
        for route in factor.routes:
            weekly = "；或按周 or by week: {2026-W30: 320, 2026-W31: 340}" if route.unit == "per_week" else ""
            yield f"        {route.id}:  # {words.both(route.name)}，{words.unit(route.unit)}{weekly}"


def _points(indicator: Indicator, scheme: Scheme) -> Iterator[str]:
    form = scheme.form(indicator.id)
    if form is None or not form.items:
        return
    yield f"    points:  # {form.table or ''} {form.title}：各行得点 / points of the rows".replace("#  ", "# ")
    if form.total is None:
        yield "      # 规则未给分值，先在dtable.override中规定 / set the rows' points in dtable.override first (X20)"
    for item in form.items:
        filled = "；留空则由数值算出 / left blank, the value fills it" if item.value or item.factor else ""
        most = "分值未规定 not stated" if item.points is None else f"满分 of {shown(item.points)}"
        yield f"      {_key(item.name.zh)}:  # {most}{filled}"


def _quantities(indicator: Indicator) -> Iterator[str]:
    demanded = [threshold for threshold in indicator.thresholds if threshold.of == "quantity"]
    if demanded:
        yield "    quantities:  # 条款所要求的其他数值 / other numbers that the clause demands"
    for one in demanded:
        yield f"      {_key(one.quantity.zh)}:  # {words.unit(one.unit)}；“{one.quote}”"


def _occasions(scheme: Scheme) -> Iterator[str]:
    levels = "；".join(f"{level.name.zh} {words.span(level)}" for level in scheme.alpha)
    about = "每人每次测评一段，多次则复制 / one block for each rater and occasion; copy it for more"
    yield from _title("occasions", about)
    yield "  - id:  # 测评次 / occasion"
    yield "    rater:  # 评价员 / rater"
    yield "    at:"
    yield f"    alpha:  # 0至1 / 0 to 1: {levels}"
    for dimension, indicator in scheme.indicators():
        yield f"      # {_item(dimension, indicator, scheme)}"
        yield f"      #   模拟测试 probe: {words.probe(indicator)}"
        yield f"      {indicator.id}:"
    yield from _title(
        "waived", "不适用的条款，须有理由和批准人 / items that do not apply, why, and who approved it (T05)"
    )
    yield "  - {item: , reason: , by: }"


def _item(dimension: Dimension, indicator: Indicator, scheme: Scheme) -> str:
    name = f"{indicator.id} {dimension.name.zh}·{indicator.name.zh} / {dimension.name.en}, {indicator.name.en}"
    clauses = "、".join(indicator.clauses)
    return f"{name}；条款 clause {clauses}；{words.weight(indicator, scheme)}；{indicator.content}".rstrip("；")


def _maturity(scheme: Scheme) -> Iterator[str]:
    assert scheme.maturity is not None
    items = scheme.maturity.items
    yield from _title(
        "maturity", f"管理成熟度（{scheme.maturity.clause}）：等级1至{scheme.maturity.steps} / levels of maturity"
    )
    for item in items:
        yield f'  "{item.id}":  # {words.both(item.name)}；分值 points {shown(item.points)}；条款 clause {item.clause}'
    yield from _title("reasons", "评定等级的理由 / why each level was given (T09)")
    yield from (f'  "{item.id}":' for item in items)
    if scheme.stars is not None:
        yield ""
        yield f"gate:  # passed | failed：{words.both(scheme.stars.gate)}"


def _readings(scheme: Scheme) -> Iterator[str]:
    switches = words.switches_of(scheme)
    if switches:
        yield from _title(
            "readings", "规则缺陷的读法，留空为默认 / readings of the rule's defects; blank is the default"
        )
    for key, (switch, codes) in switches.items():
        yield f"  # {'、'.join(codes)} {words.both(switch.about)}"
        yield f"  {key}:  # {words.choices(switch)}；默认 default: {words.default(switch)}"


def _key(text: Any) -> str:
    """Returns a key as YAML wants it written."""
    return text if _PLAIN.fullmatch(text) else f'"{text}"'
