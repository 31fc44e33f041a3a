"""What each switch of the readings block does to numbers that were worked by hand."""

from fractions import Fraction

import pytest

from probes.session import Outcome
from results.observe import table
from scenarios.errors import InputsError
from scoring.metrics import compute
from tests.scored_inputs import as_text, card, contract, indicator, number, scores, warning
from tests.session_factory import voice

A, B, D = "CMM-525-0005", "CMM-525-0006", "CMM-525-0002"


def one(scheme, id_, given, **readings):
    found = contract(scheme, indicators={id_: {"source": "system", **given}}, readings=readings)
    return indicator(found, id_)


@pytest.mark.parametrize(
    ("value", "decimals", "coefficient"),
    [
        ("0.89996", 2, 1),  # 89.996 % is 90.00 %
        ("0.89996", 3, 0.9),  # 89.996 %
        ("0.8994", 0, 1),  # 89.94 % is 90 %
        ("0.8949", 0, 0.9),  # 89 %
        ("0.6996", 1, 0.8),  # 70.0 %
        ("0.89996", None, 0.9),
    ],
)
def test_rounding_before_comparing_a_share(value, decimals, coefficient):
    readings = {} if decimals is None else {"rounding.decimals": decimals}
    assert one(A, "A.SE.1", {"value": value}, **readings)["coefficient"] == coefficient


@pytest.mark.parametrize(
    ("value", "decimals", "coefficient"),
    [("5.04", 1, 1), ("5.04", 2, 0.8), ("5.06", 1, 0.8), ("7.4", 0, 0.8), ("7.4", 1, 0.6), ("7.4", None, 0.6)],
)
def test_rounding_before_comparing_seconds(value, decimals, coefficient):
    readings = {} if decimals is None else {"rounding.decimals": decimals}
    assert one(A, "A.SE.3", {"value": value}, **readings)["coefficient"] == coefficient


def test_rounding_before_comparing_with_a_target():
    assert one(A, "A.CH.1", {"value": "0.89996"})["verdict"] == "不符合"
    assert one(A, "A.CH.1", {"value": "0.89996"}, **{"rounding.decimals": 2})["verdict"] == "符合"
    assert one(A, "A.CH.1", {"value": "0.89996"}, **{"rounding.decimals": 3})["verdict"] == "不符合"


def test_rounding_changes_no_value_and_no_score_that_is_entered():
    found = contract(A, indicators={**scores({"A.SQ.3": "66.66"}), "A.SE.1": {"value": "0.89996"}},
                     readings={"rounding.decimals": 0, "score_policy": {"A.SE.1": "value_times_coef"}})  # fmt: skip
    assert indicator(found, "A.SQ.3")["weighted"] == number("6.666")
    assert indicator(found, "A.SE.1")["value"] == number("0.89996")


def test_special_satisfaction_counts_once_on_either_side():
    indicators = scores({i: 80 for i in ids(A) if not i.startswith(("A.IN", "A.SO"))})
    boost = scores({i: 50 for i in ids(A) if i.startswith(("A.IN", "A.SO"))})
    base = contract(A, indicators=indicators, boost=boost)["composite"]
    moved = contract(
        A, indicators=indicators, boost=boost, readings={"special_satisfaction.as_boost": True}
    )["composite"]  # fmt: skip
    # base 145 x 0.8 = 116, boost 18 x 0.5 = 9. A.SQ.2 is 15 x 0.8 = 12: 104 of 130, and 21 of 33; the sum stays 125
    assert [base[key] for key in ("base", "base_max", "boost", "boost_max")] == [116, 145, 9, 18]
    assert [moved[key] for key in ("base", "base_max", "boost", "boost_max")] == [104, 130, 21, 33]
    assert base["literal"] == moved["literal"] == 125
    assert base["literal_max"] == moved["literal_max"] == 163


def ids(scheme):
    return [line.id for line in card(scheme).lines]


def test_borrowed_bands_of_coverage():
    given = {"value": "0.9", "source": "survey", "points": {"调研质量": 2},
             "factors": {"coverage": {"system": "0.25", "manual": 0}, "frequency": {"surveys": 1}}}  # fmt: skip
    found = contract(B, indicators={"B.CS.1": given}, readings={"coverage.borrow_0005": True})
    # 20 x 0.9 + 5 x 0.9 + 3 x 0.9 + 2 = 18 + 4.5 + 2.7 + 2 = 27.2 of 30
    assert indicator(found, "B.CS.1")["score"] == number("272/3")


def test_the_direction_of_the_staff_ratio():
    names = [threshold.quantity.zh for threshold in card(A).line("A.SM.2").thresholds]
    few, many = dict(zip(names, (9, 14, 19), strict=True)), dict(zip(names, (11, 16, 21), strict=True))
    least = {"ratio.direction": "persons_per_agent"}
    assert [one(A, "A.SM.2", {"quantities": q})["verdict"] for q in (few, many)] == ["符合", "不符合"]
    assert [one(A, "A.SM.2", {"quantities": q}, **least)["verdict"] for q in (few, many)] == ["不符合", "符合"]


@pytest.mark.parametrize(("ddof", "variation"), [("1", 0.0366), ("0", 0.0299)])
def test_variation_over_months(ddof, variation):
    months = {"2026-08": "0.82", "2026-09": "0.85", "2026-10": "0.79"}  # mean 0.82, s = 0.03 or 0.0245 (domain 3.7)
    found = one(A, "A.SE.2", {"value": "0.82", "months": months}, **{"cv.ddof": ddof})
    assert found["variation"] == pytest.approx(variation, abs=5e-5)


def test_the_headline_of_the_composite():
    for reading in ("literal", "normalised"):
        found = contract(A, indicators=scores({"A.SE.1": 90}), readings={"composite.mode": reading})["composite"]
        assert found["headline"] == reading
        assert (found["low"], found["high"]) == (13.5, 161.5)  # 15 x 0.9; 163 - 1.5


def test_sheets_as_they_stand():
    given = {"value": "0.9", "source": "survey", "points": {"调研质量": 2},
             "factors": {"coverage": {"system": "0.3", "manual": 0}, "frequency": {"surveys": 2}}}  # fmt: skip
    assert one(A, "A.SQ.1", given)["score"] == number("280/3")  # 18 + 5 + 3 + 2 = 28 of 30
    sheet = {"服务流程规范性": 10, "服务用语规范性": 8, "服务标准执行": 6, "服务记录完整性": 0}
    assert one(B, "B.SQ.1", {"points": sheet}, **{"dtable.scale": "as_is"})["score"] == 24
    # what a missing row leaves open, as it stands: 24 of 30 to 30 of 30
    part = {row: points for row, points in sheet.items() if points}
    found = one(B, "B.SQ.1", {"points": part}, **{"dtable.scale": "as_is"})
    assert (found["low"], found["high"]) == (24, 30)


def test_points_that_the_body_sets_for_a_sheet_the_rule_left_empty():
    # 服务规范性 has no sheet in 0005; with points of 10 + 8 + 6 + 6 it is 9 + 7 + 5 + 4.5 = 25.5 of 30
    rows = ("服务流程规范性", "服务用语规范性", "服务标准执行", "服务记录完整性")
    points = {"points": dict(zip(rows, (9, 7, 5, "4.5"), strict=True))}
    readings = {"dtable.override": {"A.SQ.3": dict(zip(rows, (10, 8, 6, 6), strict=True))},
                "score_policy": {"A.SQ.3": "d_table"}}  # fmt: skip
    assert one(A, "A.SQ.3", points, **readings)["score"] == 85
    with pytest.raises(InputsError, match="how many points"):
        one(A, "A.SQ.3", points)


def test_the_order_of_keys_of_a_table_changes_no_byte():
    policies = {"A.SE.1": "value_times_coef", "A.SE.2": "attainment_linear"}
    given = scores({"A.SQ.3": 80})
    texts = {
        as_text(card(A, indicators=given, readings={"score_policy": {key: policies[key] for key in order}}))
        for order in (sorted(policies), sorted(policies, reverse=True))
    }
    assert len(texts) == 1


def test_the_boundary_warning_says_which_reading_was_taken():
    given = {"A.SE.1": {"value": "0.9", "source": "system"}}
    said = warning(contract(A, indicators=given, readings={"bands.boundary": "upper_inclusive"}), "X13")
    assert not ("下限包含" in said and "取0.9" in said)  # with the lower boundary included it is 1.0


# Switches on what the probes measured. Two calls wait 3 and 5 s, a third is dropped after 8 s in the queue; agents say
# their first word 1.2 s after they answer, and the queue is entered 1.8 s after a person was asked for.
CALLS = [voice(1, wait=3.0), voice(2, wait=5.0), voice(3, Outcome.DROPPED, wait=8.0)]


@pytest.mark.parametrize(
    ("readings", "seconds"),
    [
        ({}, "4"),  # (3 + 5)/2
        ({"asa.numerator": "all"}, "8"),  # (3 + 5 + 8)/2
        ({"asa.end": "first_word"}, "5.2"),  # (4.2 + 6.2)/2
    ],
)
def test_speed_of_answer_as_measured(readings, seconds):
    found = contract(A, metrics=compute(table(CALLS)), readings=readings)
    line = indicator(found, "A.SE.3")
    assert line["value"] == pytest.approx(float(seconds), abs=1e-9)
    assert line["status"] == "measured"


@pytest.mark.parametrize(
    ("readings", "value"),
    [
        ({}, Fraction(9, 10)),  # 9 answered of 10 that reached the queue
        ({"offered.definition": "human_request"}, Fraction(9, 10)),  # the two others never asked
        ({"offered.definition": "attempt"}, Fraction(9, 12)),  # one failed in the menu, one in the network
    ],
)
def test_connect_rate_as_measured(readings, value):
    calls = [voice(n, wait=3.0) for n in range(9)]
    calls += [voice(9, Outcome.DROPPED, wait=8.0), voice(10, Outcome.IVR_FAIL), voice(11, Outcome.NET_FAIL)]
    found = card(A, compute(table(calls)), readings=readings).line("A.SE.1")
    assert found.value == value


@pytest.mark.parametrize(
    ("readings", "value"),
    [
        ({}, "1/2"),  # 3, 18.5, 19.0 in time; 20.5, 25 not; one dropped: 3 of 6
        ({"sl.end": "request"}, "1/6"),  # 1.8 s more: 4.8 in time; 20.3, 20.8, 22.3, 26.8 not
        ({"sl.end": "first_word"}, "1/3"),  # 1.2 s more: 4.2, 19.7 in time; 20.2, 21.7, 26.2 not
    ],
)
def test_service_level_as_measured(readings, value):
    calls = [voice(n, wait=wait) for n, wait in enumerate((3.0, 18.5, 19.0, 20.5, 25.0))]
    calls.append(voice(9, Outcome.DROPPED, wait=8.0))
    assert card(A, compute(table(calls)), readings=readings).line("A.SE.2").value == Fraction(value)


def test_readings_that_are_turned_are_named_in_the_result():
    found = contract(A, readings={"bands.boundary": "upper_inclusive", "coverage.combine": "max"})
    assert list(found["readings"]) == ["bands.boundary"]  # the other one is at its default
