"""CMM-525-0005 as data, held against the rule's own text: weights, bands, sums."""

from datetime import date
from fractions import Fraction

import pytest
from pydantic import ValidationError

from scenarios.errors import SchemeError
from scenarios.yaml_file import load
from scoring.scheme import FOLDER, Band, Bounds, Scheme, load_scheme, schemes

WEIGHTS = {  # 13.1.1, 13.1.2, C.1-C.4
    "整体满意度": 20, "专项满意度": 15, "服务规范性": 10, "服务专业性": 10,
    "接通率": 15, "服务水平": 10, "平均应答速度": 8, "处理效率": 7,
    "投诉按期办结率": 10, "投诉处理满意度": 10, "投诉处理规范性": 5, "投诉预防能力": 5,
    "组织架构合理性": 5, "人员配置合理性": 5, "制度建设完善性": 5, "流程管理规范性": 5,
    "技术应用水平": 3, "服务方式创新": 2, "管理模式创新": 2, "持续改进能力": 3,
    "客户满意度排名": 2, "行业影响力": 2, "社会认可度": 2, "品牌价值": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def scheme():
    return load_scheme("CMM-525-0005")


def indicator(scheme, id_):
    return next(found for _, found in scheme.indicators() if found.id == id_)


def test_weights_are_those_of_13_1(scheme):
    assert {found.name.zh: found.weight for _, found in scheme.indicators()} == WEIGHTS


def test_sums_145_and_18(scheme):
    assert (scheme.base_weight, scheme.boost_weight) == (145, 18)
    assert [d.weight for d in scheme.dimensions] == [55, 40, 30, 20, 10, 8]


def test_validity_window(scheme):
    assert scheme.valid_on(date(2025, 1, 1))
    assert scheme.valid_on(date(2025, 5, 20))
    assert not scheme.valid_on(date(2025, 5, 21))


@pytest.mark.parametrize(
    ("percent", "coefficient"),
    [("100", "1"), ("90", "1"), ("89.999", "9/10"), ("80", "9/10"), ("79.99", "4/5"), ("70", "4/5"), ("69.99", "0"),
     ("0", "0")],
)  # fmt: skip
def test_connect_rate_bands(scheme, percent, coefficient):
    band = indicator(scheme, "A.SE.1").band(Fraction(percent) / 100)
    assert band.coefficient == Fraction(coefficient)


@pytest.mark.parametrize(
    ("seconds", "coefficient"),
    [("0", "1"), ("5", "1"), ("5.001", "4/5"), ("7", "4/5"), ("7.001", "3/5"), ("600", "3/5")],
)
def test_answer_speed_bands(scheme, seconds, coefficient):
    assert indicator(scheme, "A.SE.3").band(Fraction(seconds)).coefficient == Fraction(coefficient)


def test_boundaries_are_recognised(scheme):
    found = indicator(scheme, "A.SE.1")
    assert found.on_boundary(Fraction(9, 10))
    assert not found.on_boundary(Fraction(91, 100))


def test_coverage_and_frequency_of_9_2_2(scheme):
    coverage, frequency = indicator(scheme, "A.SQ.1").factors
    found = {route.id: route for route in coverage.routes}

    def k(route, value):
        return next(band.coefficient for band in route.bands if band.holds(Fraction(value)))

    assert [k(found["system"], v) for v in ("0.3", "0.2", "0.1", "0.0999")] == [1, Fraction(9, 10), Fraction(4, 5), 0]
    assert [k(found["manual"], v) for v in (500, 300, 200, 199)] == [1, Fraction(9, 10), Fraction(4, 5), 0]
    assert [k(frequency.routes[0], v) for v in (2, 1, "0.5")] == [1, Fraction(9, 10), 0]


def test_three_indicators_can_be_measured_in_full(scheme):
    by_class = {probe: [] for probe in ("full", "part", "none")}
    for dimension, found in scheme.indicators():
        if not dimension.boost:
            by_class[found.probe].append(found.weight)
    assert [(len(w), sum(w)) for w in by_class.values()] == [(3, 33), (6, 62), (7, 50)]  # domain 2


def test_warnings_are_coded_and_bilingual(scheme):
    codes = [warning.code for warning in scheme.warnings]
    assert len(codes) == len(set(codes))
    assert all(warning.zh and warning.en for warning in scheme.warnings)


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
        ("total: 30", "total: 31", "do not add up"),
        ("id: A.SQ.2", "id: A.SQ.1", "twice"),
        ("policy: d_table", "policy: guess", "policy"),
        ("indicators: [A.SE.1]", "indicators: [A.XX.1]", "unknown"),
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
