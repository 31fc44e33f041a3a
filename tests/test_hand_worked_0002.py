"""CMM-525-0002 worked by hand from the rule's text: 13.1 (weights), C.1-C.4 (dimensions of 100), C.5 (composite)."""

from fractions import Fraction

import pytest

from tests.scored_inputs import codes, contract, indicator, number, scores

ID = "CMM-525-0002"
# 13.1.1, in the rule's order: third-level indicators and their weights
STRATEGY = {
    "D.S.1.1": 10, "D.S.1.2": 8, "D.S.1.3": 7, "D.S.1.4": 5, "D.S.2.1": 12, "D.S.2.2": 10, "D.S.2.3": 10,
    "D.S.2.4": 8, "D.S.3.1": 10, "D.S.3.2": 10, "D.S.3.3": 10,
}  # fmt: skip
CAPABILITY = {
    "D.C.1.1": 5, "D.C.1.2": 5, "D.C.1.3": 5, "D.C.2.1": 8, "D.C.2.2": 7, "D.C.2.3": 5, "D.C.3.1": 6, "D.C.3.2": 6,
    "D.C.3.3": 3, "D.C.4.1": 10, "D.C.4.2": 8, "D.C.4.3": 7, "D.C.5.1": 8, "D.C.5.2": 7, "D.C.6.1": 5, "D.C.6.2": 5,
}  # fmt: skip
OPERATION = {
    "D.O.1.1": 8, "D.O.1.2": 7, "D.O.2.1": 10, "D.O.2.2": 10, "D.O.2.3": 5, "D.O.3.1": 8, "D.O.3.2": 7, "D.O.4.1": 10,
    "D.O.4.2": 10, "D.O.5.1": 8, "D.O.5.2": 7, "D.O.6.1": 5, "D.O.6.2": 5,
}  # fmt: skip
MULTIMODAL = {"D.M.1.1": 20, "D.M.1.2": 20, "D.M.1.3": 20, "D.M.2.1": 20, "D.M.2.2": 20}
ALL = STRATEGY | CAPABILITY | OPERATION | MULTIMODAL
BOOST = {"D.IN.1": 3, "D.IN.2": 2, "D.IN.3": 2, "D.SU.1": 2, "D.SU.2": 2, "D.SU.3": 1}


def of(ids, *numbers):
    return scores(dict(zip(ids, numbers, strict=True)))


# Case 1: everything is given, no switch is turned.
ONE = {
    "indicators": {
        **of(STRATEGY, 90, 80, 70, 60, 85, 75, 65, 55, 50, 40, 100),
        **of(CAPABILITY, 80, 80, 60, 75, 90, 100, 50, "66.5", 0, 88, 92, 70, 81, 77, 64, 96),
        **of(OPERATION, 70, 70, 95, 70, 70, 70, 70, 70, 70, 70, 70, 70, 30),
        **of(MULTIMODAL, 100, 80, 60, 40, "33.3"),
    },
    "boost": of(BOOST, 50, 60, 100, 0, 75, 80),
}


def test_the_weights_above_are_those_of_the_rule():
    found = {one["id"]: one["weight"] for one in contract(ID, **ONE)["indicators"]}
    assert found == ALL | BOOST


def test_one_dimensions_and_composite():
    found = contract(ID, **ONE)
    # S: 9 + 6.4 + 4.9 + 3 | 10.2 + 7.5 + 6.5 + 4.4 | 5 + 4 + 10          = 23.3 + 28.6 + 19 = 70.9
    # C: 4 + 4 + 3 | 6 + 6.3 + 5 | 3 + 3.99 + 0 | 8.8 + 7.36 + 4.9 | 6.48 + 5.39 | 3.2 + 4.8
    #    = 11 + 17.3 + 6.99 + 21.06 + 11.87 + 8 = 76.22
    # O: all 70, but 体验设计合理性 25 more of 10 % (+2.5) and 绩效评估有效性 40 less of 5 % (-2) = 70.5
    # M: 20 % of (100 + 80 + 60 + 40 + 33.3) = 62.66
    dimensions = found["dimensions"]
    assert [one["score"] for one in dimensions[:4]] == [number(n) for n in ("70.9", "76.22", "70.5", "62.66")]
    assert [one["max"] for one in dimensions[:4]] == [100] * 4
    assert [one["percent"] for one in dimensions[:4]] == [number(n) for n in ("70.9", "76.22", "70.5", "62.66")]
    # 70.9 x 0.20 + 76.22 x 0.35 + 70.5 x 0.35 + 62.66 x 0.10 = 14.18 + 26.677 + 24.675 + 6.266 = 71.798
    composite = found["composite"]
    assert (composite["base"], composite["base_max"]) == (number("71.798"), 100)
    assert (composite["literal"], composite["literal_max"]) == (number("71.798"), 100)  # C.5 has no boost in it
    assert composite["normalised"] == number("71.798")
    # boost: 1.5 + 1.2 + 2 | 0 + 1.5 + 0.8 = 4.7 + 2.3 = 7 of 12
    assert (composite["boost"], composite["boost_max"]) == (7, 12)
    assert composite["low"] == composite["high"] == number("71.798")


@pytest.mark.parametrize(
    ("id_", "weighted"),
    [("D.S.2.1", "10.2"), ("D.C.3.2", "3.99"), ("D.C.4.1", "8.8"), ("D.C.6.2", "4.8"), ("D.M.2.2", "6.66")],
)
def test_one_weighted_in_points_of_the_dimension(id_, weighted):
    assert indicator(contract(ID, **ONE), id_)["weighted"] == number(weighted)


def test_one_the_same_name_twice_is_two_indicators():
    found = contract(ID, **ONE)  # 技术应用能力: 智能应用 10 and 技术能力 5 (Z04)
    same = [one for one in found["indicators"] if one["name"] == "技术应用能力"]
    assert [(one["id"], one["weight"], one["score"]) for one in same] == [("D.C.4.1", 10, 88), ("D.C.6.2", 5, 96)]


# Case 2: one dimension is missing, and two indicators of another; the boost does not matter for the range.
TWO = {"indicators": {id_: one for id_, one in ONE["indicators"].items()
                      if id_ not in MULTIMODAL and id_ not in ("D.S.1.1", "D.O.2.3")}}  # fmt: skip


def test_two_is_a_range():
    found = contract(ID, **TWO)
    # S = 70.9 - 9 = 61.9 to 71.9; O = 70.5 - 3.5 = 67 to 72; M = 0 to 100
    # low = 61.9 x 0.2 + 26.677 + 67 x 0.35 + 0 = 12.38 + 26.677 + 23.45 = 62.507
    # high = low + 10 x 0.2 + 5 x 0.35 + 100 x 0.1 = 62.507 + 13.75 = 76.257
    composite = found["composite"]
    assert (composite["low"], composite["high"]) == (number("62.507"), number("76.257"))
    assert [composite[key] for key in ("base", "boost", "literal", "normalised")] == [None] * 4
    assert [one["score"] for one in found["dimensions"][:4]] == [None, number("76.22"), None, None]


def test_two_with_only_the_boost_missing_is_whole():
    found = contract(ID, indicators=ONE["indicators"])["composite"]
    assert (found["base"], found["literal"], found["boost"]) == (number("71.798"), number("71.798"), None)
    assert found["low"] == found["high"] == number("71.798")


# Case 3: the switch that adds the boost after all.
def test_three_with_the_boost_added():
    found = contract(ID, **ONE, readings={"composite.include_boost": "yes"})
    composite = found["composite"]
    assert (composite["base"], composite["literal"]) == (number("71.798"), number("78.798"))
    assert composite["literal_max"] == 112
    assert composite["normalised"] == number("71.798")
    assert "X09" in codes(found)


def test_three_with_the_boost_added_and_missing():
    found = contract(ID, indicators=ONE["indicators"], readings={"composite.include_boost": "yes"})["composite"]
    assert (found["base"], found["literal"]) == (number("71.798"), None)
    assert (found["low"], found["high"]) == (number("71.798"), number("83.798"))


# Case 4: whole numbers at the ends.
@pytest.mark.parametrize("percent", [0, 100, "33.3"])
def test_four_the_same_score_everywhere_is_the_composite(percent):
    found = contract(ID, indicators=scores(dict.fromkeys(ALL, percent)))
    assert found["composite"]["literal"] == number(percent)
    assert [one["score"] for one in found["dimensions"][:4]] == [number(percent)] * 4


def test_four_a_point_of_each_dimension_counts_by_its_factor():
    # one more point of a 20 % indicator of M is 0.2 x 0.10 = 0.02 of the composite; of a 10 % one of O 0.1 x 0.35
    for id_, gain in (("D.M.1.1", "0.02"), ("D.O.2.1", "0.035"), ("D.C.4.1", "0.035"), ("D.S.1.1", "0.02")):
        base = dict.fromkeys(ALL, 50)
        found = contract(ID, indicators=scores({**base, id_: 51}))
        assert found["composite"]["literal"] == number(50 + Fraction(gain))
