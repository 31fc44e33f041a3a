"""CMM-525-0005 as data, held against the rule's own text: weights, bands, thresholds and the edges of each."""

from datetime import date
from fractions import Fraction

import pytest
from pydantic import ValidationError

from scenarios.errors import SchemeError
from scenarios.yaml_file import load
from scoring.bands import Band, Bounds
from scoring.defects import defects
from scoring.scheme import FOLDER, Scheme, load_scheme, schemes

WEIGHTS = {  # 13.1.1, 13.1.2, C.1-C.4
    "整体满意度": 20, "专项满意度": 15, "服务规范性": 10, "服务专业性": 10,
    "接通率": 15, "服务水平": 10, "平均应答速度": 8, "处理效率": 7,
    "投诉按期办结率": 10, "投诉处理满意度": 10, "投诉处理规范性": 5, "投诉预防能力": 5,
    "组织架构合理性": 5, "人员配置合理性": 5, "制度建设完善性": 5, "流程管理规范性": 5,
    "技术应用水平": 3, "服务方式创新": 2, "管理模式创新": 2, "持续改进能力": 3,
    "客户满意度排名": 2, "行业影响力": 2, "社会认可度": 2, "品牌价值": 2,
}  # fmt: skip
CLAUSES = {
    "A.SQ.1": "9.1.1", "A.SQ.2": "9.1.2", "A.SQ.3": "9.1.3", "A.SQ.4": "9.1.4",
    "A.SE.1": "10.1.1", "A.SE.2": "10.1.2", "A.SE.3": "10.1.3", "A.SE.4": "10.1.4",
    "A.CH.1": "11.1.1", "A.CH.2": "11.1.2", "A.CH.3": "11.1.3", "A.CH.4": "11.1.4",
    "A.SM.1": "12.1", "A.SM.2": "12.2", "A.SM.3": "12.3", "A.SM.4": "12.4",
}  # fmt: skip
JUST_BELOW = Fraction(89999999999999999999, 10**20)  # 89.999999999999999999 %


@pytest.fixture(scope="module")
def scheme():
    return load_scheme("CMM-525-0005")


def test_weights_are_those_of_13_1(scheme):
    assert {found.name.zh: found.weight for _, found in scheme.indicators()} == WEIGHTS


def test_each_indicator_stands_at_its_clause(scheme):
    base = {found.id: found.clauses[0] for dimension, found in scheme.indicators() if not dimension.boost}
    assert base == CLAUSES
    assert [d.clause for d in scheme.dimensions] == ["C.1", "C.2", "C.3", "C.4", "13.1.2", "13.1.2"]


def test_sums_145_and_18(scheme):
    assert (scheme.base_weight, scheme.boost_weight) == (145, 18)
    assert [d.weight for d in scheme.dimensions] == [55, 40, 30, 20, 10, 8]
    assert scheme.composite.add_boost  # C.5


def test_validity_window(scheme):
    assert not scheme.valid_on(date(2024, 12, 31))
    assert scheme.valid_on(date(2025, 1, 1))
    assert scheme.valid_on(date(2025, 5, 20))
    assert not scheme.valid_on(date(2025, 5, 21))


@pytest.mark.parametrize(
    ("share", "coefficient"),
    [
        ("1", "1"), ("0.9", "1"), (JUST_BELOW, "0.9"), ("0.89999", "0.9"), ("0.8", "0.9"), ("0.79999", "0.8"),
        ("0.7", "0.8"), ("0.69999", "0"), ("0", "0"),
        (Fraction(9, 10), "1"), (Fraction(89, 99), "0.9"), (Fraction(91, 101), "1"),
    ],
)  # fmt: skip
def test_connect_rate_bands(scheme, share, coefficient):
    assert scheme.indicator("A.SE.1").band(Fraction(share)).coefficient == Fraction(coefficient)


@pytest.mark.parametrize(
    ("seconds", "coefficient"),
    [
        ("0", "1"), ("4.999999", "1"), ("5", "1"), ("5.000000000000001", "0.8"), ("6.999999", "0.8"), ("7", "0.8"),
        ("7.000000000000001", "0.6"), ("20.000", "0.6"), ("30", "0.6"), ("600", "0.6"),
    ],
)  # fmt: skip
def test_answer_speed_bands(scheme, seconds, coefficient):
    assert scheme.indicator("A.SE.3").band(Fraction(seconds)).coefficient == Fraction(coefficient)


def test_boundaries_are_recognised(scheme):
    found = scheme.indicator("A.SE.1")
    assert [found.on_boundary(Fraction(n, 100)) for n in (90, 80, 70)] == [True, True, False], "低于70% is plain"
    assert not any(found.on_boundary(one) for one in (Fraction(91, 100), JUST_BELOW, Fraction(1), Fraction(0)))


@pytest.mark.parametrize(
    ("route", "value", "coefficient"),
    [
        ("system", "1", "1"), ("system", "0.3", "1"), ("system", "0.29999999", "0.9"), ("system", "0.2", "0.9"),
        ("system", "0.19999999", "0.8"), ("system", "0.1", "0.8"), ("system", "0.09999999", "0"), ("system", "0", "0"),
        ("manual", "500", "1"), ("manual", "499.5", "0.9"), ("manual", "300", "0.9"), ("manual", "299.5", "0.8"),
        ("manual", "200", "0.8"), ("manual", "199.5", "0"), ("manual", "0", "0"),
        ("surveys", "12", "1"), ("surveys", "2", "1"), ("surveys", "1.99", "0.9"), ("surveys", "1.5", "0.9"),
        ("surveys", "1", "0.9"), ("surveys", "0.99", "0"), ("surveys", "0", "0"),
    ],
)  # fmt: skip
def test_coverage_and_frequency_of_9_2_2(scheme, route, value, coefficient):
    routes = {one.id: one for factor in scheme.indicator("A.SQ.1").factors for one in factor.routes}
    assert routes[route].band(Fraction(value)).coefficient == Fraction(coefficient)


@pytest.mark.parametrize(
    ("id_", "of", "met", "missed"),
    [
        ("A.SE.1", "value", ("0.9", "0.9001", "1"), (JUST_BELOW, "0.8999", "0")),
        ("A.SE.2", "value", ("0.8", "0.8001", "1"), ("0.79999999999999999999", "0.7999", "0")),
        ("A.CH.1", "value", ("0.9", "0.9001", "1"), (JUST_BELOW, "0.8999", "0")),
        ("A.CH.2", "value", ("0.85", "0.8501", "1"), ("0.84999999999999999999", "0.8499", "0")),
    ],
)
def test_thresholds_of_values(scheme, id_, of, met, missed):
    (threshold,) = scheme.indicator(id_).thresholds
    assert threshold.of == of
    assert scheme.indicator(id_).unit == threshold.unit == "share"
    assert all(threshold.holds(Fraction(one)) for one in met)
    assert not any(threshold.holds(Fraction(one)) for one in missed)


def test_staffing_of_12_2_1_includes_its_limits(scheme):
    found = scheme.indicator("A.SM.2").thresholds
    assert [(one.of, one.at_most) for one in found] == [("quantity", 10), ("quantity", 15), ("quantity", 20)]
    for one, limit in zip(found, (10, 15, 20), strict=True):
        assert one.holds(Fraction(limit))
        assert not one.holds(limit + Fraction(1, 10**12))


def test_how_often_surveys_and_checks_are_due(scheme):
    found = {one.id: one for one in scheme.requirements}
    assert set(found) == {"A.R.9.1.1.3", "A.R.9.2.3.3", "A.R.9.2.3.4"}
    for one in found.values():
        assert (one.holds(Fraction(1)), one.holds(Fraction(999, 1000))) == (True, False)


def test_ratios_have_a_value_and_the_rest_a_score_only(scheme):
    units = {found.id: found.unit for _, found in scheme.indicators() if found.unit}
    assert units == {
        **dict.fromkeys(("A.SQ.1", "A.SQ.2", "A.SE.1", "A.SE.2", "A.CH.1", "A.CH.2"), "share"), "A.SE.3": "seconds",
    }  # fmt: skip
    assert {found.id for _, found in scheme.indicators() if found.formula} == set(units)


def test_policies(scheme):
    chosen = {found.id: found.policy for _, found in scheme.indicators() if found.policy != "manual"}
    assert chosen == {"A.SQ.1": "d_table", "A.SE.1": "coef_full_marks", "A.SE.3": "coef_full_marks"}


def test_three_indicators_can_be_measured_in_full(scheme):
    by_class = {probe: [] for probe in ("full", "part", "none")}
    for dimension, found in scheme.indicators():
        if not dimension.boost:
            by_class[found.probe].append(found.weight)
    assert [(len(w), sum(w)) for w in by_class.values()] == [(3, 33), (6, 62), (7, 50)]  # domain 2


def test_annex_d_has_one_sheet_and_seven_titles(scheme):
    stated = {kind: [form.table for form in scheme.forms if form.stated == kind] for kind in ("content", "title")}
    assert stated == {
        "content": ["D.1.1"],
        "title": ["D.1.2", "D.2.1", "D.2.2", "D.3.1", "D.3.2", "D.4.1", "D.4.2"],
    }
    assert sum(form.stated == "none" for form in scheme.forms) == 8
    assert [form.of for form in scheme.forms] == list(CLAUSES)
    assert all(form.items for form in scheme.forms)


def test_sheet_of_overall_satisfaction(scheme):
    form = scheme.form("A.SQ.1")
    assert [(item.name.zh, item.points) for item in form.items] == [
        ("整体满意度", 20), ("调研覆盖率", 5), ("调研频次", 3), ("调研质量", 2),
    ]  # fmt: skip
    assert form.total == 30
    assert [(item.value, item.factor) for item in form.items] == [
        (True, None), (False, "coverage"), (False, "frequency"), (False, None),
    ]  # fmt: skip


def test_rows_of_missing_sheets_have_no_points(scheme):
    for form in scheme.forms[1:]:
        assert form.total is None
        assert all(item.points is None and item.content for item in form.items)


def test_characteristics_and_a_4(scheme):
    assert [one.clause for one in scheme.characteristics] == ["5.1.1"] * 16
    assert [row.name.zh for row in scheme.application] == list(WEIGHTS)[:12]  # A.4 has no row for 服务管理
    assert [row.indicator for row in scheme.application] == list(CLAUSES)[:12]


def test_every_defect_is_in_the_catalogue(scheme):
    codes = {caveat.code for caveat in scheme.defects}
    assert codes <= set(defects())
    assert codes == {
        *(f"X{n:02}" for n in range(1, 8)), *(f"X{n:02}" for n in range(9, 21)), *(f"X{n}" for n in range(22, 26)),
        *(f"X{n}" for n in range(27, 34)), "X40", "X41", "X43", "X44",
    }  # fmt: skip


def test_unknown_scheme_names_those_there_are():
    with pytest.raises(SchemeError, match="CMM-525-0005"):
        load_scheme("CMM-525-9999")
    assert "CMM-525-0005" in schemes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight: 20\n        formula", "weight: 21\n        formula", "add up"),
        ("metric: voice.connect_rate\n", "metric: voice.nothing\n", "unknown metric"),
        ("above: \"5\"", "above: \"6\"", "gap or overlap"),
        ("{coefficient: \"0\", below: 70%,", "{coefficient: \"0\", at_most: 70%,", "gap or overlap"),
        (" points: 20,", "", "every row needs its points"),
        ("of: A.SQ.2\n", "of: A.SQ.9\n", "unknown"),
        ("id: A.SQ.2", "id: A.SQ.1", "twice"),
        ("policy: d_table", "policy: guess", "policy"),
        ("indicators: [A.SE.1]", "indicators: [A.XX.1]", "unknown"),
        ("when: on_boundary", "when: sometimes", "when"),
        ("format: 2", "format: 1", "format"),
    ],
)  # fmt: skip
def test_a_wrong_scheme_is_refused(tmp_path, old, new, message):
    text = (FOLDER / "CMM-525-0005.yaml").read_text("utf-8")
    assert old in text
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(SchemeError, match=message):
        load(file, Scheme, SchemeError)


def test_bounds_meet_intervals():
    band = Band(coefficient=1, at_least="80%", below="90%", quote="")
    assert band.meets(0.7, 0.8)
    assert not band.meets(0.9, 0.95)
    assert band.meets(0.5, 0.99)
    assert not band.meets(0.1, 0.79)


def test_a_bound_is_open_or_closed_not_both():
    with pytest.raises(ValidationError, match="not both"):
        Bounds(at_least=1, above=1)
