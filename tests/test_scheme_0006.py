"""CMM-525-0006 as data, held against the rule's own text: weights, bands, thresholds and the edges of each."""

from collections import Counter
from datetime import date
from fractions import Fraction

import pytest

from scoring.defects import defects
from scoring.scheme import load_scheme

WEIGHTS = {  # 12.1.1, 12.1.2, C.1-C.4
    "服务规范性": 20, "服务专业性": 15, "服务效率": 15, "服务响应性": 10,
    "整体满意度": 15, "专项满意度": 10, "客户忠诚度": 8, "客户投诉处理": 12,
    "服务水平": 15, "平均应答速度": 10, "接通率": 10, "员工利用率": 5,
    "系统稳定性": 10, "技术支持能力": 8, "数据安全性": 12, "系统性能": 10,
    "技术应用水平": 3, "服务方式创新": 2, "管理模式创新": 2, "持续改进能力": 3,
    "客户满意度排名": 2, "行业影响力": 2, "社会认可度": 2, "品牌价值": 2,
}  # fmt: skip
BASE = [f"B.{of}.{n}" for of in ("SQ", "CS", "OE", "TS") for n in (1, 2, 3, 4)]
TINY = Fraction(1, 10**18)
SCORES = {  # 评价得分应达到…分以上（满分100分）, of the indicator itself
    "B.SQ.1": 85, "B.SQ.2": 80, "B.SQ.3": 80, "B.SQ.4": 85, "B.CS.3": 75, "B.OE.4": 75,
    "B.TS.1": 85, "B.TS.2": 80, "B.TS.3": 90, "B.TS.4": 80,
}  # fmt: skip
VALUES = {"B.CS.1": "0.8", "B.CS.2": "0.85", "B.OE.1": "0.8", "B.OE.3": "0.9"}
QUANTITIES = {  # by their names in the inputs: at least (>), at most (<), and the unit
    ("B.CS.3", "客户流失率"): ("<", "0.2", "share"),
    ("B.CS.4", "投诉按期办结率"): (">", "0.9", "share"),
    ("B.CS.4", "投诉处理满意度"): (">", "0.85", "share"),
    ("B.CS.4", "投诉处理规范性评价得分"): (">", "80", "points"),
    ("B.OE.1", "服务水平稳定性评价得分"): (">", "75", "points"),
    ("B.OE.4", "员工排班合理性评价得分"): (">", "80", "points"),
    ("B.TS.1", "系统可用性"): (">", "0.999", "share"),
    ("B.TS.2", "技术支持响应时间"): ("<", "1800", "seconds"),
    ("B.TS.3", "每日数据备份次数"): (">", "1", "count"),
    ("B.TS.4", "系统响应时间"): ("<", "3", "seconds"),
}
REQUIRED = [  # chapters 10 and 11, in the rule's order
    ("10.2.1", "<", "10", "count"), ("10.2.1", "<", "15", "count"), ("10.2.1", "<", "20", "count"),
    ("10.3.1", ">", "0.85", "share"), ("10.3.1", ">", "80", "points"), ("10.3.2", ">", "85", "points"),
    ("10.3.3", ">", "1", "share"), ("10.3.3", ">", "80", "points"),
    ("10.3.4", ">", "90", "points"), ("10.3.4", ">", "85", "points"),
    ("11.2.1", "<", "3", "seconds"), ("11.2.1", "<", "5", "seconds"),
    ("11.2.1", "<", "2", "seconds"), ("11.2.1", "<", "10", "seconds"),
    ("11.2.1", ">", "1000", "count"), ("11.2.1", ">", "100000", "count"),
    ("11.2.1", ">", "10000", "count"), ("11.2.1", ">", "10", "count"),
    ("11.2.1", ">", "0.999", "share"), ("11.2.1", "<", "1800", "seconds"),
    ("11.2.1", "<", "3600", "seconds"), ("11.2.1", "<", "7200", "seconds"),
    ("11.2.2", ">", "1", "share"), ("11.2.2", ">", "85", "points"),
    ("11.3.1", ">", "1", "share"), ("11.3.1", "<", "1800", "seconds"),
    ("11.3.3", ">", "1", "share"), ("11.3.3", ">", "80", "points"),
    ("11.3.3", "<", "1800", "seconds"), ("11.3.3", ">", "85", "points"),
    ("11.4.2", "<", "1800", "seconds"), ("11.4.2", ">", "0.9", "share"),
    ("11.4.3", ">", "0.999", "share"), ("11.4.3", "<", "1800", "seconds"),
    ("11.4.3", ">", "0.95", "share"), ("11.4.3", ">", "0.9", "share"),
]  # fmt: skip


@pytest.fixture(scope="module")
def scheme():
    return load_scheme("CMM-525-0006")


@pytest.fixture(scope="module")
def weightless(scheme):
    return [one for one in scheme.requirements if one.clause.startswith(("10.", "11."))]


def agrees(bounds, sense, edge):
    """Whether the bound includes its edge, and nothing beyond."""
    edge = Fraction(edge)
    beyond = edge - TINY if sense == ">" else edge + TINY
    inside = edge + TINY if sense == ">" else edge - TINY
    return bounds.holds(edge) and bounds.holds(inside) and not bounds.holds(beyond)


def test_weights_are_those_of_12_1(scheme):
    assert {found.name.zh: found.weight for _, found in scheme.indicators()} == WEIGHTS


def test_each_indicator_stands_at_its_clause(scheme):
    base = [found for dimension, found in scheme.indicators() if not dimension.boost]
    assert [found.id for found in base] == BASE
    assert [found.clauses[0] for found in base] == [f"9.{a}.{b}" for a in range(1, 5) for b in range(1, 5)]
    assert [d.clause for d in scheme.dimensions] == ["C.1", "C.2", "C.3", "C.4", "12.1.2", "12.1.2"]


def test_sums_185_and_18(scheme):
    assert (scheme.base_weight, scheme.boost_weight) == (185, 18)
    assert [d.weight for d in scheme.dimensions] == [60, 45, 40, 40, 10, 8]
    assert scheme.composite.add_boost  # C.5


def test_validity_window(scheme):
    days = [date(2024, 12, 31), date(2025, 1, 1), date(2025, 5, 20), date(2025, 5, 21)]
    assert [scheme.valid_on(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("share", "coefficient"),
    [
        ("1", "1"), ("0.9", "1"), (Fraction(9, 10) - TINY, "0.9"), ("0.89999", "0.9"), ("0.8", "0.9"),
        (Fraction(8, 10) - TINY, "0.8"), ("0.7", "0.8"), (Fraction(7, 10) - TINY, "0"), ("0", "0"),
        (Fraction(89, 99), "0.9"), (Fraction(91, 101), "1"),
    ],
)  # fmt: skip
def test_connect_rate_bands(scheme, share, coefficient):
    assert scheme.indicator("B.OE.3").band(Fraction(share)).coefficient == Fraction(coefficient)


@pytest.mark.parametrize(
    ("seconds", "coefficient"),
    [
        ("0", "1"), ("5", "1"), ("7", "1"), ("19.999", "1"), ("20.000", "1"), (20 + TINY, "0.8"), ("20.001", "0.8"),
        ("29.999", "0.8"), ("30", "0.8"), (30 + TINY, "0.6"), ("30.001", "0.6"), ("600", "0.6"),
    ],
)  # fmt: skip
def test_answer_speed_bands(scheme, seconds, coefficient):
    assert scheme.indicator("B.OE.2").band(Fraction(seconds)).coefficient == Fraction(coefficient)


def test_bands_are_not_those_of_the_bank(scheme):
    bank = load_scheme("CMM-525-0005").indicator("A.SE.3")
    own = scheme.indicator("B.OE.2")
    assert [(bank.band(s).coefficient, own.band(s).coefficient) for s in (Fraction(6), Fraction(20), Fraction(31))] == [
        (Fraction(4, 5), 1), (Fraction(3, 5), 1), (Fraction(3, 5), Fraction(3, 5)),
    ]  # fmt: skip
    assert scheme.indicator("B.CS.1").factors == ()  # no bands for coverage and frequency (X26)


@pytest.mark.parametrize(("id_", "least"), SCORES.items())
def test_scores_that_are_demanded(scheme, id_, least):
    (threshold,) = [one for one in scheme.indicator(id_).thresholds if one.of == "score"]
    assert threshold.unit == "points"
    assert agrees(threshold, ">", least)


@pytest.mark.parametrize(("id_", "least"), VALUES.items())
def test_values_that_are_demanded(scheme, id_, least):
    (threshold,) = [one for one in scheme.indicator(id_).thresholds if one.of == "value"]
    assert scheme.indicator(id_).unit == threshold.unit == "share"
    assert agrees(threshold, ">", least)


@pytest.mark.parametrize(("at", "demand"), QUANTITIES.items())
def test_quantities_that_are_demanded(scheme, at, demand):
    (threshold,) = [one for one in scheme.indicator(at[0]).thresholds if one.quantity.zh == at[1]]
    sense, edge, unit = demand
    assert (threshold.of, threshold.unit) == ("quantity", unit)
    assert agrees(threshold, sense, edge)


def test_nothing_else_is_demanded(scheme):
    kinds = Counter(one.of for _, found in scheme.indicators() for one in found.thresholds)
    assert kinds == {"score": len(SCORES), "value": len(VALUES), "quantity": len(QUANTITIES)}


def test_a_sheet_of_25_5_of_30_is_just_enough(scheme):
    form, (threshold,) = scheme.form("B.SQ.1"), scheme.indicator("B.SQ.1").thresholds
    assert threshold.holds(Fraction("25.5") / form.total * 100)
    assert not threshold.holds(Fraction("25.499") / form.total * 100)


def test_36_requirements_without_a_weight(weightless):
    assert len(weightless) == len(REQUIRED) == 36
    for one, (clause, sense, edge, unit) in zip(weightless, REQUIRED, strict=True):
        assert (one.clause, one.unit) == (clause, unit)
        assert agrees(one, sense, edge), one.id
        assert one.id.startswith(f"B.R.{clause}")


def test_a_survey_a_year_is_due(scheme, weightless):
    (survey,) = [one for one in scheme.requirements if one not in weightless]
    assert (survey.clause, survey.unit) == ("9.2.1", "per_year")
    assert agrees(survey, ">", 1)


def test_probes_see_one_requirement_in_full(scheme, weightless):
    full = [one for one in weightless if one.probe == "full"]
    assert [(one.quantity.zh, one.metric) for one in full] == [("呼叫建立响应时间", "voice.setup")]
    assert [one.quantity.zh for one in weightless if one.probe == "part"] == ["系统可用性"]
    assert [one.metric for one in weightless if one.metric and one.probe != "full"] == ["voice.network_failure"]


def test_what_is_asked_twice_is_given_once(scheme, weightless):
    same = {(one.quantity.zh, one.same_as) for one in weightless if one.same_as}
    assert same == {("员工排班合理性评价得分", "B.OE.4"), ("系统可用性", "B.TS.1"), ("技术支持响应时间", "B.TS.2")}
    for one in weightless:
        if one.same_as:
            (twin,) = [t for t in scheme.indicator(one.same_as).thresholds if t.quantity.zh == one.quantity.zh]
            assert (twin.of, twin.unit, twin.lower, twin.upper) == ("quantity", one.unit, one.lower, one.upper)


def test_every_clause_of_chapters_10_and_11_is_checked(scheme, weightless):
    sections = {"10.1": 2, "10.2": 3, "10.3": 4, "10.4": 3, "11.1": 2, "11.2": 2, "11.3": 3, "11.4": 3}
    clauses = [f"{section}.{n}" for section, last in sections.items() for n in range(1, last + 1)]
    assert [check.clause for check in scheme.checks] == clauses
    assert {one.clause for one in weightless} <= set(clauses)


def test_annex_d_has_four_sheets_of_30(scheme):
    sheets = {form.table: (form.of, [item.points for item in form.items]) for form in scheme.forms if form.table}
    assert sheets == {
        "D.1.1": ("B.SQ.1", [10, 8, 6, 6]),
        "D.1.2": ("B.SQ.2", [8, 8, 7, 7]),
        "D.2.1": ("B.CS.1", [20, 5, 3, 2]),
        "D.2.2": ("B.CS.4", [10, 8, 6, 6]),
    }
    assert {form.total for form in scheme.forms if form.table} == {30}
    assert [form.of for form in scheme.forms] == BASE
    missing = [form for form in scheme.forms if form.stated == "none"]
    assert len(missing) == 12
    assert not any(item.points for form in missing for item in form.items)
    assert all(item.content for form in scheme.forms for item in form.items)


def test_ratios_have_a_value_and_the_rest_a_score_only(scheme):
    units = {found.id: found.unit for _, found in scheme.indicators() if found.unit}
    assert units == {
        "B.CS.1": "share", "B.CS.2": "share", "B.OE.1": "share", "B.OE.2": "seconds", "B.OE.3": "share",
    }  # fmt: skip
    assert {found.id for _, found in scheme.indicators() if found.formula} == set(units)


def test_policies(scheme):
    chosen = {found.id: found.policy for _, found in scheme.indicators() if found.policy != "manual"}
    assert chosen == {
        **dict.fromkeys(("B.SQ.1", "B.SQ.2", "B.CS.1", "B.CS.4"), "d_table"),
        **dict.fromkeys(("B.OE.2", "B.OE.3"), "coef_full_marks"),
    }


def test_three_indicators_can_be_measured_in_full(scheme):
    by_class = {probe: [] for probe in ("full", "part", "none")}
    for dimension, found in scheme.indicators():
        if not dimension.boost:
            by_class[found.probe].append(found.weight)
    assert [(len(w), sum(w)) for w in by_class.values()] == [(3, 35), (7, 92), (6, 58)]  # domain 2


def test_characteristics_and_a_4(scheme):
    names = list(WEIGHTS)[:16]
    assert [one.name.zh for one in scheme.characteristics] == names
    assert [row.name.zh for row in scheme.application] == names
    assert [row.indicator for row in scheme.application] == BASE


def test_every_defect_is_in_the_catalogue(scheme):
    codes = {caveat.code for caveat in scheme.defects}
    assert codes <= set(defects())
    assert codes == {
        *(f"X{n:02}" for n in range(1, 7)), *(f"X{n:02}" for n in range(8, 12)), *(f"X{n}" for n in range(13, 22)),
        *("X26", "X27", "X28", "X30", "X31", "X32"), *(f"X{n}" for n in range(34, 41)), "X42", "X43", "X44",
    }  # fmt: skip
