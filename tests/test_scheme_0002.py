"""CMM-525-0002 as data, held against the rule's own text: three levels of weights, factors, score sheets, checks."""

from collections import Counter
from datetime import date
from fractions import Fraction

import pytest

from scenarios.errors import SchemeError
from scenarios.yaml_file import load
from scoring.scheme import FOLDER, Scheme, load_scheme

ID = "CMM-525-0002"

TREE = {  # 13.1.1: level 1, level 2, level 3
    "战略规划": {
        ("战略目标", 30): {"目标明确性": 10, "目标可衡量性": 8, "目标可实现性": 7, "目标相关性": 5},
        ("规划重点", 40): {"客户体验导向": 12, "技术创新驱动": 10, "服务质量提升": 10, "运营效率优化": 8},
        ("实施计划", 30): {"计划具体性": 10, "计划可行性": 10, "计划协调性": 10},
    },
    "能力建设": {
        ("组织能力", 15): {"组织架构合理性": 5, "职责明确性": 5, "团队协作性": 5},
        ("数据能力", 20): {"数据管理能力": 8, "数据应用能力": 7, "数据安全能力": 5},
        ("知识应用", 15): {"知识管理能力": 6, "知识应用能力": 6, "知识创新能力": 3},
        ("智能应用", 25): {"技术应用能力": 10, "系统性能": 8, "创新能力": 7},
        ("业务能力", 15): {"业务处理能力": 8, "服务能力": 7},
        ("技术能力", 10): {"技术架构合理性": 5, "技术应用能力": 5},
    },
    "多元化运营": {
        ("能力匹配", 15): {"能力评估准确性": 8, "需求匹配度": 7},
        ("客户体验", 25): {"体验设计合理性": 10, "体验管理有效性": 10, "体验满意度": 5},
        ("运营计划", 15): {"计划制定质量": 8, "计划实施效果": 7},
        ("流程管理", 20): {"流程设计合理性": 10, "流程实施效果": 10},
        ("质量管理", 15): {"质量标准合理性": 8, "质量控制有效性": 7},
        ("绩效管理", 10): {"绩效指标科学性": 5, "绩效评估有效性": 5},
    },
    "多模态交互": {
        ("多媒体应用", 60): {"应用设计合理性": 20, "应用实施效果": 20, "应用创新性": 20},
        ("实体服务一体化", 40): {"一体化设计合理性": 20, "一体化实施效果": 20},
    },
}
BOOST = {  # 13.1.2
    "创新能力": {"技术创新能力": 3, "服务创新能力": 2, "管理创新能力": 2},
    "可持续发展": {"可持续发展规划": 2, "可持续发展实施": 2, "可持续发展效果": 1},
}


CLAUSES = [
    *(f"9.{n}.{m}" for n in (1, 2, 3) for m in (1, 2)),
    *(f"10.{n}.{m}" for n in range(1, 7) for m in (1, 2)),
    *(f"11.{n}.{m}" for n in range(1, 7) for m in (1, 2)),
    *(f"11.{n}.{m}" for n in (7, 8) for m in (1, 2, 3)),
    *(f"12.{n}.{m}" for n in (1, 2) for m in (1, 2)),
]


@pytest.fixture(scope="module")
def scheme():
    return load_scheme(ID)


@pytest.fixture(scope="module")
def base(scheme):
    return [dimension for dimension in scheme.dimensions if not dimension.boost]


def test_weights_are_those_of_13_1_1(base):
    tree = {
        dimension.name.zh: {
            (group.name.zh, group.weight): {
                found.name.zh: found.weight for found in dimension.indicators if found.group == group.id
            }
            for group in dimension.groups
        }
        for dimension in base
    }
    assert tree == TREE


def test_order_is_the_rules(base):
    names = [found.name.zh for dimension in base for found in dimension.indicators]
    assert names == [name for groups in TREE.values() for third in groups.values() for name in third]


def test_boost_is_that_of_13_1_2_and_stays_apart(scheme):
    boost = [dimension for dimension in scheme.dimensions if dimension.boost]
    assert {d.name.zh: {found.name.zh: found.weight for found in d.indicators} for d in boost} == BOOST
    assert scheme.boost_weight == 12
    assert not scheme.composite.add_boost  # X09


def test_each_dimension_is_of_100_and_the_factors_of_c_5_add_up(scheme, base):
    assert [(d.weight, d.factor) for d in base] == [
        (100, Fraction(1, 5)),
        (100, Fraction(7, 20)),
        (100, Fraction(7, 20)),
        (100, Fraction(1, 10)),
    ]
    assert scheme.base_weight == 100


def test_second_and_third_level_together_would_be_200(base):  # Z01
    for dimension in base:
        both = sum(group.weight for group in dimension.groups) + sum(found.weight for found in dimension.indicators)
        assert both == 200


def test_ids_are_paths_and_unique_although_a_name_occurs_twice(scheme):
    found = [one for _, one in scheme.indicators()]
    assert len({one.id for one in found}) == len(found) == 51
    names = Counter(one.name.zh for one in found)
    assert {name for name, times in names.items() if times > 1} == {"技术应用能力"}  # Z04
    twice = {one.id: (one.group, one.weight, one.clauses[0]) for one in found if one.name.zh == "技术应用能力"}
    assert twice == {"D.C.4.1": ("D.C.4", 10, "10.4.1"), "D.C.6.2": ("D.C.6", 5, "10.6.2")}
    assert len({one.name.en for one in found}) == 51
    assert all(one.id.startswith(f"{one.group or dimension.id}.") for dimension, one in scheme.indicators())


def test_every_indicator_stands_in_its_chapter(base):
    for chapter, dimension in enumerate(base, 9):
        assert dimension.clause == f"C.{chapter - 8}"
        for place, group in enumerate(dimension.groups, 1):
            clauses = {found.clauses[0] for found in dimension.indicators if found.group == group.id}
            assert all(f"{clause}.".startswith(f"{chapter}.{place}.") for clause in clauses)


def test_the_rule_demands_no_number_and_says_no_score(scheme):
    assert not scheme.requirements
    for _, found in scheme.indicators():
        assert not any((found.thresholds, found.bands, found.factors, found.unit, found.formula, found.metric))
        assert (found.policy, found.policy_stated) == ("manual", False)


def test_what_a_probe_sees(scheme):
    points = {probe: [] for probe in ("full", "part", "none")}
    for dimension, found in scheme.indicators():
        if not dimension.boost:
            points[found.probe].append(found.weight * dimension.factor)
        assert (found.measures is None) == (found.probe == "none")
    found = [(len(p), sum(p)) for p in points.values()]
    assert found == [(0, 0), (11, Fraction("30.6")), (34, Fraction("69.4"))]  # domain 2


def test_validity_window(scheme):
    assert scheme.valid_on(date(2025, 1, 1))
    assert scheme.valid_on(date(2025, 5, 20))
    assert not scheme.valid_on(date(2024, 12, 31))
    assert not scheme.valid_on(date(2025, 5, 21))


def test_of_17_score_sheets_one_has_content(scheme, base):
    groups = [group for dimension in base for group in dimension.groups]
    assert [(form.of, form.title) for form in scheme.forms] == [(g.id, f"{g.name.zh}打分表") for g in groups]
    assert [form.stated for form in scheme.forms] == ["content"] + ["title"] * 16
    first = scheme.form("D.S.1")
    assert [(item.name.zh, item.points) for item in first.items] == list(TREE["战略规划"]["战略目标", 30].items())
    assert (first.table, first.total) == ("D.1.1", 30)
    assert [form.table for form in scheme.forms if form.table.startswith("D.3")] == [f"D.3.{n}" for n in range(1, 7)]


def test_rows_of_a_sheet_are_the_groups_indicators(scheme):
    for form in scheme.forms:
        rows = [(item.indicator, item.name.zh) for item in form.items]
        assert rows == [(one.id, one.name.zh) for _, one in scheme.indicators() if one.group == form.of]
        assert form.stated == "content" or form.total is None  # points of a missing sheet are not invented (Z05)


def test_every_item_of_9_to_12_is_in_one_row_or_one_check(scheme):
    # Each clause of those chapters has four items, 9.1.1 has five; 11.2 and 10.4 have indicators without an item.
    items = Counter()
    for form in scheme.forms:
        for row in form.items:
            items[scheme.indicator(row.indicator).clauses[0]] += len([one for one in row.content.split("；") if one])
    for check in scheme.checks:
        items[check.clause.partition(" ")[0]] += 1
    assert +items == {clause: 5 if clause == "9.1.1" else 4 for clause in CLAUSES}


def test_what_has_no_weight_is_checked(scheme):  # Z02, Z03
    ids = [check.id for check in scheme.checks]
    assert len(set(ids)) == len(ids)
    staff_and_data = {check.clause.partition(" ")[0] for check in scheme.checks if check.clause.startswith("11.")}
    assert staff_and_data == {"11.7.1", "11.7.2", "11.7.3", "11.8.1", "11.8.2", "11.8.3"}
    names = {check.name.zh for check in scheme.checks}
    assert {"目标时限性", "计划灵活"} <= names
    whole = Counter(check.clause.partition(" ")[0] for check in scheme.checks)
    assert [whole[clause] for clause in ("9.1.2", "9.2.2", "9.3.2")] == [4, 4, 4]


def test_sixteen_characteristics_of_5_1_1(scheme):
    groups = Counter(one.group.zh for one in scheme.characteristics)
    assert groups == {"服务能力特性": 4, "替代能力特性": 4, "经营能力特性": 4, "客户体验特性": 4}
    assert Counter(one.probe for one in scheme.characteristics) == {"full": 4, "part": 7, "none": 5}  # domain 1.4
    seen = {one.name.zh for one in scheme.characteristics if one.probe == "full"}
    assert seen == {"响应速度", "解决效率", "服务覆盖", "体验一致性"}
    assert not any(one.metrics for one in scheme.characteristics if one.probe == "none")


def test_rows_of_the_application(scheme):  # A.4
    rows = [(row.category.zh, row.name.zh) for row in scheme.application]
    assert rows == [
        ("服务类指标", "客户满意度"), ("服务类指标", "服务质量"), ("服务类指标", "服务效率"),
        ("运营类指标", "接通率"), ("运营类指标", "解决率"), ("运营类指标", "平均处理时间"),
        ("技术类指标", "系统可用性"), ("技术类指标", "响应时间"), ("技术类指标", "错误率"),
    ]  # fmt: skip


def test_defects_are_named_once(scheme):
    codes = [caveat.code for caveat in scheme.defects]
    assert len(set(codes)) == len(codes)
    assert [code for code in codes if code[0] == "Z"] == [f"Z{n:02}" for n in range(1, 9)]
    assert not any(code[0] == "T" for code in codes)
    period = next(caveat for caveat in scheme.defects if caveat.code == "X06")
    assert set(period.indicators) == {one.id for _, one in scheme.indicators() if "data" in one.evidence}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: {zh: 战略目标, en: Strategic goals}, weight: 30", "name: {zh: 战略目标, en: x}, weight: 31", "not 31"),
        ("weight: 100\n", "weight: 99\n", "add up to 100, not 99"),
        ("group: D.S.1\n", "group: D.S.9\n", "not 30"),
        ("of: D.S.1\n", "of: D.S.9\n", "D.S.9"),
        ("indicator: D.S.1.1, points: 10, ", "indicator: D.S.1.1, ", "every row needs its points"),
        ("id: D.C.6.2", "id: D.C.4.1", "twice"),
        ("indicator: D.M.2.2", "indicator: D.M.2.3", "D.M.2.3"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    text = (FOLDER / f"{ID}.yaml").read_text("utf-8")
    assert old in text
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(SchemeError, match=message):
        load(file, Scheme, SchemeError)
