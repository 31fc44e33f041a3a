"""The catalogue of defects: all of them, their words, their switches, and what the schemes and the page say of them."""

from __future__ import annotations

import re
from fractions import Fraction
from string import Formatter
from typing import Any

import pytest
from pydantic import RootModel

from scenarios.errors import InputsError
from scenarios.yaml_file import load
from scoring.defects import Defect, Readings, Switch, defects, switches
from scoring.scheme import load_scheme, schemes
from tests.conventions import ROOT

CODES = [f"X{n:02}" for n in range(1, 45)] + [f"T{n:02}" for n in range(1, 13)] + [f"Z{n:02}" for n in range(1, 9)]
PLACEHOLDERS = {
    *("valid_to", "name", "policy", "value", "coefficient", "with_abandoned", "limits", "week", "n", "a", "b"),
    *("reading", "other", "rounded", "score", "items", "points", "included", "codes", "plan", "frequency", "table"),
    *("boundary", "by_rater", "pooled", "mean", "valid_from", "executed_by"),
}
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("rules.valid_to", "rules.supersedes", "plan.reference", "verdict.pass_score", "nc.severity_map"),
            *("certificate.validity_months", "score_policy", "period.system", "period.probe", "campaign.executed_by"),
            *("campaign.commissioned_by", "rounding.decimals", "dtable.override", "complaint.limit_days"),
            *("asa.floor_s", "survey.satisfied_levels", "star.row1_label", "mapping.characteristics"),
        )
    ),
    "composite.mode": "literal",
    "composite.include_boost": "as_written",
    "special_satisfaction.as_boost": False,
    "source_of_record": "system",
    "coverage.count_probes": False,
    "bands.boundary": "lower_inclusive",
    "offered.definition": "queue_entry",
    "offered.short_abandon_s": 0,
    "asa.numerator": "answered",
    "asa.end": "connect",
    "sl.threshold_s": 20,
    "sl.end": "connect",
    "chat.scored": "no",
    "cv.ddof": "1",
    "dtable.scale": "to_100",
    "satisfaction.mode": "d_table",
    "coverage.combine": "max",
    "coverage.week_stat": "mean",
    "frequency.gap": "lower",
    "coverage.borrow_0005": False,
    "ratio.direction": "agents_per_person",
    "mapping.innovation": "boost",
    "management.scored": "no",
    "perf.statistic": "p95",
    "probe.max_concurrent": 2,
    "availability.basis": "time",
    "report.a4": True,
    "references.check": True,
    "star.reading": "A",
    "star.rounding": "none",
    "alpha.from_likert": "none",
    "mean.order": "by_rater",
    "maturity.bands": "as_written",
}
VALUES = {"flag": "true, false", "number": "a number", "text": "text", "table": "a mapping"}
WRONG = {"choice": "sideways", "flag": "maybe", "number": "twenty", "table": "all of them"}

# What a report must print for each code, with an example of what is filled in. The other codes have no given words.
SENTENCES: dict[str, tuple[str, dict[str, str]]] = {
    "X01": (
        "认证规则已于2025-05-20到期，本结果仅供参考，不得作为有效认证依据；请确认是否有换版文件。",
        {"valid_to": "2025-05-20"},
    ),
    "X02": (
        "规则未规定模拟测试的样本量、时段和判定准则，本报告采用经审核组长批准的测试方案（编号P-7）。",
        {"plan": "P-7"},
    ),
    "X03": ("规则未规定综合得分的合格线，工具不给出合格结论。", {}),
    "X04": ("证书有效期年限规则未规定，请人工填写。", {}),
    "X05": (
        "指标“接通率”的得分换算规则文件未给出，采用策略“满分×折算系数”。",
        {"name": "接通率", "policy": "满分×折算系数"},
    ),
    "X06": ("统计周期未规定，系统数据默认取审核前3个完整自然月。", {}),
    "X07": ("基础指标权重合计145%（含提升163%），不等于100%；同时给出原值与归一化值。", {}),
    "X08": ("基础指标权重合计185%（含提升203%），不等于100%；同时给出原值与归一化值。", {}),
    "X09": ("提升指标是否计入综合得分：本方案按C.5不计入。", {"included": "不计入"}),
    "X10": ("专项满意度仅计入基础指标，不重复计入提升指标。", {}),
    "X11": ("模拟测试值与系统值不一致（系统值不在95%置信区间内），需审核员核实。", {}),
    "X12": ("本次模拟测试由认证机构实施，不计入受审核方人工调研样本量。", {}),
    "X13": (
        "接通率恰为90%，落在两档交界，按“下限包含”取1.0。",
        {"name": "接通率", "value": "90%", "coefficient": "1.0", "boundary": "下限包含"},
    ),
    "X14": ("比较采用全数值比较法；显示值为修约值。", {}),
    "X15": ("人工呼入量口径未定义：本报告以“进入人工排队”计。排队上限L=180秒。", {"limits": "180"}),
    "X16": ("平均应答速度口径：仅计已接听呼叫（含放弃呼叫的口径为9.4秒）。", {"with_abandoned": "9.4"}),
    "X17": ("服务水平按20秒、放弃呼叫计入分母。", {}),
    "X18": ("在线渠道指标规则未设，结果仅供参考。", {}),
    "X19": ("服务水平稳定性得分无换算规则，需人工评分。", {}),
    "X20": ("打分表D.2.1在规则中缺失，已按条款评价内容生成空表，分值需人工确定。", {"table": "D.2.1"}),
    "X21": ("打分表满分30分，已折算为百分制再乘权重。", {}),
    "X22": ("整体满意度两种口径：打分表90分，系数连乘81分。", {"a": "90", "b": "81"}),
    "X23": ("调研覆盖率按两种途径取高者。", {}),
    "X24": ("第41周样本量180低于所取档位下限。", {"week": "41", "n": "180"}),
    "X25": ("调研频次1.5次/年介于两档之间，按0.9。", {"frequency": "1.5"}),
    "X26": ("0006未规定覆盖率折算系数，需人工评分。", {}),
    "X27": ("处理效率无量化评分规则，需人工评分。", {"name": "处理效率"}),
    "X28": ("“服务水平”仅有目标值，无评分函数。", {"name": "服务水平"}),
    "X29": ("投诉时限取机构承诺与监管时限的较严者。", {}),
    "X31": ("平均应答速度600秒远超末档，规则仍给0.6，请审核员关注。", {"value": "600秒"}),
    "X33": ("服务创新特性按提升指标“创新发展”填报。", {}),
    "X34": ("第10、11章要求无权重，仅作符合性检查。", {}),
    "X35": ("系统响应时间口径不一致，模拟测试仅测呼叫建立响应时间。", {}),
    "X36": ("容量指标不得用模拟测试加载验证。", {}),
    "X37": ("模拟测试样本不足以证明99.9%。", {}),
    "X41": ("引用标准名称与编号不符（JR/T 0052、0068、0071），请核对。", {}),
    "X42": ("引用标准YD/T 2824—2826名称未核实。", {}),
    "X44": ("“满意”判定口径由调查数据提供方声明。", {}),
    "T01": (
        "星级文字与分级表不一致，按读法A判定；另一读法结果为五星级。",
        {"reading": "A", "other": "五星级"},
    ),
    "T02": (
        "得分89.5处于分档空隙，按半开区间不修约处理；四舍五入结果为90。",
        {"score": "89.5", "rounded": "90"},
    ),
    "T03": ("60—79分对应的认证级别规则未写明。", {}),
    "T04": ("由李克特等级自动换算α（中点法）时满分仅90，五星不可达。", {}),
    "T05": ("不适用条款C.1.3、C.2.3经批准扣除应得分10。", {"items": "C.1.3、C.2.3", "points": "10"}),
    "T07": ("所有条款均为四级时总分116分，按规则判为五级。", {}),
    "T09": ("附录2成熟度描述缺失，等级由审核员判定并说明理由。", {}),
    "T11": ("规范未设量化时限。", {}),
    "Z01": ("C.1将二、三级权重并列（合计200%），按三级指标计算。", {}),
    "Z02": ("员工管理、数据安全管理无权重，仅作符合性检查。", {}),
    "Z05": ("打分表缺失，按三级权重生成。", {}),
    "Z06": ("服务特性（响应速度等16项）无评分公式，仅列测评结果。", {}),
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def of_kind(*kinds: str) -> list[Switch]:
    return [switch for switch in switches().values() if switch.kind in kinds]


def named() -> set[str]:
    return {caveat.code for id_ in schemes() for caveat in load_scheme(id_).defects if caveat.zh is None}


def test_all_64_are_there():
    assert list(defects()) == CODES


@pytest.mark.parametrize("code", SENTENCES)
def test_warning_reads_as_given(code):
    sentence, words = SENTENCES[code]
    assert defects()[code].warning.zh.format(**words) == sentence
    assert placeholders(defects()[code].warning.zh) == set(words)


def test_a_code_without_given_words_has_a_sentence_of_its_own():
    rest = [defects()[code].warning for code in CODES if code not in SENTENCES]
    assert len(rest) == 14
    assert all(len(text.zh) >= 20 for text in rest)
    assert len({text.zh for text in rest}) == len({text.en for text in rest}) == len(rest)


@pytest.mark.parametrize("defect", defects().values(), ids=lambda defect: defect.code)
def test_both_languages_say_the_same_placeholders(defect):
    warnings = (defect.warning, *defect.instead.values())
    for warning in warnings:
        assert placeholders(warning.zh) == placeholders(warning.en) <= PLACEHOLDERS
        assert (warning.zh[-1], warning.en[-1]) == ("。", ".")
    stated = [switch.statement for switch in defect.switches if switch.statement is not None]
    assert all(placeholders(text.zh) == placeholders(text.en) == {"value"} for text in stated)
    for text in (defect.problem, defect.reading, *warnings, *stated, *(switch.about for switch in defect.switches)):
        assert re.search(r"[\u4e00-\u9fff]", text.zh)
        assert re.search(r"[A-Za-z]{2}", text.en)


def test_defaults_are_the_faithful_readings():
    assert {key: Readings()[key] for key in switches()} == DEFAULTS


def test_a_key_that_defects_share_is_the_same_switch():
    shared = [(d.code, s) for d in defects().values() for s in d.switches if switches()[s.key] != s]
    assert shared == []
    assert [d.code for d in defects().values() if any(s.key == "score_policy" for s in d.switches)] == [
        *("X05", "X27", "X28")
    ]


@pytest.mark.parametrize("switch", of_kind("choice", "flag", "number", "table"), ids=lambda switch: switch.key)
def test_a_wrong_value_is_refused(switch):
    with pytest.raises(InputsError) as told:
        Readings({switch.key: WRONG[switch.kind]})
    assert switch.key in told.value.message
    assert WRONG[switch.kind] in told.value.message
    assert told.value.cure == switch.about.en
    allowed = (
        switch.choices or {"flag": ("true", "false"), "number": ("a number",), "table": ("a mapping",)}[switch.kind]
    )
    assert [word for word in allowed if word not in told.value.message] == []


@pytest.mark.parametrize("switch", of_kind("choice"), ids=lambda switch: switch.key)
def test_every_choice_can_be_written_without_quotes(tmp_path, switch):
    for choice in switch.choices:
        path = tmp_path / f"{choice}.yaml"
        path.write_text(f"{switch.key}: {choice}\n", encoding="utf-8")
        assert Readings(load(path, RootModel[dict[str, Any]], InputsError).root)[switch.key] == choice


def test_numbers_flags_texts_and_tables_are_taken_as_given():
    readings = Readings({"asa.floor_s": 0.1, "sl.threshold_s": 15, "report.a4": False, "star.row1_label": "合格"})
    assert readings.number("asa.floor_s") == Fraction(1, 10)
    assert readings.number("sl.threshold_s") == 15
    assert readings.flag("report.a4") is False
    assert readings.text("star.row1_label") == "合格"
    assert Readings({"score_policy": {"A.SE.2": "pass_fail"}}).table("score_policy") == {"A.SE.2": "pass_fail"}
    assert Readings().table("score_policy") == {}
    assert Readings({"asa.floor_s": None}).number("asa.floor_s") is None


@pytest.mark.parametrize("key", switches())
def test_an_unknown_key_suggests_the_nearest(key):
    with pytest.raises(InputsError, match=re.escape(f"did you mean {key}?")):
        Readings({key[:-1]: "A"})


def test_a_key_like_no_other_lists_them_all():
    with pytest.raises(InputsError) as told:
        Readings({"zzzzzzzz": 1})
    assert [key for key in switches() if key not in told.value.cure] == []


def test_a_switch_is_turned_only_away_from_its_default():
    stars = defects()["T01"]
    assert Readings({"star.reading": "B"}).turned(stars)
    assert not Readings({"star.reading": "A"}).turned(stars)
    assert not Readings({"star.rounding": "floor"}).turned(stars)


def test_a_catalogue_with_an_impossible_switch_is_refused():
    about = {"zh": "读法", "en": "reading"}
    for wrong in (
        {"kind": "choice", "default": "A", "about": about},
        {"kind": "flag", "default": True, "choices": ["A"], "about": about},
        {"kind": "choice", "default": "C", "choices": ["A", "B"], "about": about},
    ):
        with pytest.raises(ValueError, match=r"star\.reading: "):
            Switch.model_validate({"key": "star.reading", **wrong})


def test_every_code_of_a_scheme_is_known():
    assert named() - set(CODES) == set()


def test_every_code_belongs_to_a_scheme():
    assert set(CODES) - named() == set()


def row(defect: Defect) -> str:
    """Returns the defect's line of docs/scoring-defects.md."""
    turned = []
    for switch in defect.switches:
        values = ", ".join(switch.choices) or VALUES[switch.kind]
        default = Readings()[switch.key]
        shown = "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        turned.append(f"`{switch.key}`: {values} (default: {shown}); {switch.about.en}")
    cells = (defect.code, defect.where, defect.problem.en, defect.reading.en, "<br>".join(turned) or "–")
    return f"| {' | '.join(cells)} |"


def test_the_page_is_the_catalogue():
    page = (ROOT / "docs" / "scoring-defects.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if re.match(r"\| [XTZ][0-9]", line)] == [
        row(defect) for defect in defects().values()
    ]
