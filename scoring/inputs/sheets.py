"""The sheets of a workbook of inputs: which there are, their columns, and which key of the inputs a cell is.

A heading counts by its first word, the Chinese one. Columns without a ``kind`` are shown to the person who fills in the
workbook and never read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scenarios.model import Text
from scenarios.yaml_file import Path_
from scoring.scheme import Scheme

Kind = Literal["number", "score", "whole", "text", "date", "met", "source", "gate", "switch"]

SOURCES = {
    "system": "系统数据",
    "survey": "问卷调查",
    "documents": "文档审查",
    "observation": "现场观察",
    "entered": "人工填写",
}
GATES = {"passed": "通过", "failed": "不通过"}
METS = {True: "是", False: "否"}


@dataclass(frozen=True)
class Column:
    """One column. ``key``: it names what the row is about; ``optional``: such a key may be left blank."""

    name: str
    heading: Text
    kind: Kind | None = None
    width: int = 12
    key: bool = False
    optional: bool = False

    @property
    def title(self) -> str:
        """The heading as it is written."""
        return f"{self.heading.zh} {self.heading.en}"


@dataclass(frozen=True)
class Sheet:
    """One sheet that has a row for each thing. ``path`` makes a key of the inputs of a row's keys and a column."""

    name: str
    title: Text
    columns: tuple[Column, ...]
    path: Callable[[Scheme, tuple[str, ...], str], Path_]

    @property
    def keys(self) -> tuple[Column, ...]:
        """The columns that name what a row is about."""
        return tuple(column for column in self.columns if column.key)

    @property
    def fields(self) -> tuple[Column, ...]:
        """The columns that say something of it."""
        return tuple(column for column in self.columns if column.kind and not column.key)


def _key(name: str, zh: str, en: str, width: int = 14, optional: bool = False) -> Column:
    return Column(name, Text(zh=zh, en=en), "text", width, key=True, optional=optional)


def _field(name: str, zh: str, en: str, kind: Kind, width: int = 12) -> Column:
    return Column(name, Text(zh=zh, en=en), kind, width)


def _shown(name: str, zh: str, en: str, width: int = 12) -> Column:
    return Column(name, Text(zh=zh, en=en), None, width)


ID = _key("id", "编号", "id")
_VALUE = _field("value", "数值", "value", "number")
_EVIDENCE = (
    _field("file", "文件", "file", "text", 18),
    _field("by", "填写人", "by", "text"),
    _field("at", "日期", "date", "date"),
    _field("note", "备注", "note", "text", 20),
)
_GIVEN = (
    ID,
    _shown("name", "指标", "indicator", 24),
    _VALUE,
    _field("score", "得分", "score 0-100", "score"),
    _field("n", "样本数", "n", "whole", 10),
    _field("low", "下限", "95 % low", "number"),
    _field("high", "上限", "95 % high", "number"),
    _field("source", "来源", "source", "source"),
    *_EVIDENCE,
    _shown("unit", "单位", "unit", 22),
    _shown("clause", "条款", "clause", 16),
    _shown("weight", "权重", "weight", 12),
    _shown("formula", "计算", "formula", 44),
    _shown("requirement", "要求", "requirement", 44),
    _shown("probe", "模拟测试", "what probes measure", 44),
)
_CHECKED = (_field("met", "是否满足", "met", "met"), *_EVIDENCE, _shown("clause", "条款", "clause", 16))
_UNIT = _shown("unit", "单位", "unit", 22)
_MEANING = _shown("meaning", "含义", "meaning", 44)


def block_of(scheme: Scheme, id_: str) -> str:
    """Returns the block that an indicator stands in: ``boost`` or ``indicators``."""
    boost = any(dimension.boost and indicator.id == id_ for dimension, indicator in scheme.indicators())
    return "boost" if boost else "indicators"


def _of(inner: str) -> Callable[[Scheme, tuple[str, ...], str], Path_]:
    return lambda scheme, keys, field: (block_of(scheme, keys[0]), keys[0], inner, *keys[1:])


def _in(block: str) -> Callable[[Scheme, tuple[str, ...], str], Path_]:
    return lambda scheme, keys, field: (block, keys[0], field)


INDICATORS = Sheet("得分", Text(zh="基础指标", en="base indicators"), _GIVEN, _in("indicators"))
BOOST = Sheet("提升", Text(zh="提升指标", en="boost indicators"), _GIVEN, _in("boost"))
FACTORS = Sheet(
    "系数",
    Text(zh="系数的依据：调研覆盖率、频次等", en="what coefficients rest on: survey coverage, frequency"),
    (
        ID,
        _key("factor", "系数", "factor", 14),
        _key("route", "途径", "route", 14),
        _key("week", "周", "ISO week, 2026-W30", 18, optional=True),
        _VALUE,
        _UNIT,
        _MEANING,
    ),
    _of("factors"),
)
POINTS = Sheet(
    "打分表",
    Text(
        zh="打分表各行得点；规则未给分值的，先在读法的dtable.override中规定",
        en="points of rows of score sheets; where the rule states none, set them in dtable.override first",
    ),
    (
        ID,
        _key("row", "评价项目", "row", 24),
        _field("value", "得点", "points", "score"),
        _shown("most", "分值", "of", 10),
        _shown("content", "评价内容", "content", 60),
    ),
    _of("points"),
)
QUANTITIES = Sheet(
    "数量",
    Text(zh="指标所要求的其他数值", en="other numbers that an indicator demands"),
    (ID, _key("quantity", "项目", "quantity", 30), _VALUE, _UNIT, _shown("quote", "原文", "quote", 60)),
    _of("quantities"),
)
REQUIREMENTS = Sheet(
    "要求",
    Text(zh="无权重的数值要求", en="numeric requirements without a weight"),
    (
        ID,
        _shown("name", "要求", "requirement", 30),
        _VALUE,
        *_CHECKED,
        _UNIT,
        _shown("quote", "原文", "quote", 60),
    ),
    _in("requirements"),
)
CHECKS = Sheet(
    "检查",
    Text(zh="无权重的文字要求", en="requirements in words without a weight"),
    (ID, _shown("name", "要求", "requirement", 40), *_CHECKED),
    _in("checks"),
)
APPLICATION = Sheet(
    "申请表",
    Text(zh="申请方自填的目标值和实际值", en="the applicant's own target and actual figures"),
    (
        _key("row", "指标", "figure", 24),
        _field("target", "目标值", "target", "number"),
        _field("actual", "实际值", "actual", "number"),
        _shown("category", "类别", "category", 20),
        _UNIT,
    ),
    _in("application"),
)
MATURITY = Sheet(
    "成熟度",
    Text(zh="管理成熟度", en="maturity of management"),
    (
        ID,
        _shown("name", "管理要求", "requirement", 34),
        _field("maturity", "等级", "level 1-5", "whole"),
        _field("reasons", "理由", "reason", "text", 44),
        _shown("points", "分值", "points", 10),
        _shown("clause", "条款", "clause", 16),
    ),
    lambda scheme, keys, field: (field, keys[0]),
)
WAIVED = Sheet(
    "不适用",
    Text(zh="不适用的条款", en="items that do not apply"),
    (
        _key("item", "编号", "id"),
        _shown("name", "特性", "item", 30),
        _field("reason", "理由", "reason", "text", 44),
        _field("by", "批准人", "approved by", "text", 16),
    ),
    lambda scheme, keys, field: ("waived", keys[0], field),
)
READINGS = Sheet(
    "读法",
    Text(zh="规则缺陷的读法", en="readings of the rule's defects"),
    (
        _key("switch", "开关", "switch", 28),
        _key("entry", "对象", "entry of a table", 18, optional=True),
        _key("row", "行", "row of an entry", 16, optional=True),
        _field("value", "取值", "value", "switch", 18),
        _shown("default", "默认", "default", 18),
        _shown("choices", "可选", "choices", 34),
        _shown("codes", "缺陷", "defects", 12),
        _shown("about", "说明", "about", 60),
    ),
    lambda scheme, keys, field: ("readings", *keys),
)

TABLES = (
    INDICATORS, BOOST, FACTORS, POINTS, QUANTITIES, REQUIREMENTS, CHECKS, APPLICATION, WAIVED, MATURITY, READINGS,
)  # fmt: skip

NOTES, GENERAL, MONTHS, OCCASIONS = "说明", "概况", "月度", "测评"
NAMES = (NOTES, GENERAL, *(table.name for table in TABLES), MONTHS, OCCASIONS)
OWN = "附"  # sheets whose name begins so are the evaluator's own and not read

GENERAL_ROWS: dict[str, tuple[Text, Kind, Path_]] = {
    "格式": (Text(zh="格式", en="format"), "whole", ("format",)),
    "方案": (Text(zh="方案", en="scheme"), "text", ("scheme",)),
    "机构": (Text(zh="机构", en="organisation"), "text", ("organisation",)),
    "系统数据起": (Text(zh="系统数据起", en="system data from"), "date", ("period", "system", "first")),
    "系统数据止": (Text(zh="系统数据止", en="system data to"), "date", ("period", "system", "last")),
    "模拟测试起": (Text(zh="模拟测试起", en="probes from"), "date", ("period", "probe", "first")),
    "模拟测试止": (Text(zh="模拟测试止", en="probes to"), "date", ("period", "probe", "last")),
    "符合性审查": (Text(zh="符合性审查", en="gate: conformity to management requirements"), "gate", ("gate",)),
}

MONTHS_FROM = 4  # the first column of 月度 that is a month: id, indicator and unit stand before
OCCASIONS_FROM = 4  # the first column of 测评 that is an occasion: id, item and points stand before
OCCASION_ROWS: dict[str, tuple[Text, Kind, str]] = {
    "测评次": (Text(zh="测评次", en="occasion"), "text", "id"),
    "评价员": (Text(zh="评价员", en="rater"), "text", "rater"),
    "日期": (Text(zh="日期", en="date"), "date", "at"),
}
