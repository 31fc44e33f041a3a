"""CMM-525-0005 worked by hand from the rule's text: 9.2.2, 10.1, annex C (C.1-C.5) and table D.1.1.

Every expected number stands next to the arithmetic that gave it; none was taken from the scorer.
"""

from fractions import Fraction

import pytest

from tests.scored_inputs import contract, indicator, number, scores

ID = "CMM-525-0005"
BASE = ("A.SQ", "A.SE", "A.CH", "A.SM")

# Case 1: everything is given, no switch is turned.
ONE = {
    "indicators": {
        "A.SQ.1": {
            "value": "0.92",
            "source": "survey",
            "factors": {
                "coverage": {"system": "0.25", "manual": {"2026-W30": 320, "2026-W31": 340}},
                "frequency": {"surveys": 1},
            },
            "points": {"调研质量": "1.5"},
        },
        "A.SE.1": {"value": "0.912", "source": "system", "file": "acd.csv"},
        "A.SE.3": {"value": "6.2", "source": "system"},
        **scores({
            "A.SQ.2": 88, "A.SQ.3": 82, "A.SQ.4": "75.5", "A.SE.2": 90, "A.SE.4": 70, "A.CH.1": 95, "A.CH.2": 86,
            "A.CH.3": 80, "A.CH.4": 60, "A.SM.1": 100, "A.SM.2": 90, "A.SM.3": 85, "A.SM.4": "77.5",
        }),
    },
    "boost": scores({
        "A.IN.1": 50, "A.IN.2": 60, "A.IN.3": 0, "A.IN.4": 100, "A.SO.1": 40, "A.SO.2": 55, "A.SO.3": 100, "A.SO.4": 0,
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def one():
    return contract(ID, **ONE)


@pytest.mark.parametrize(
    ("id_", "score", "weighted"),
    [
        # D.1.1: 20 x 0.92 = 18.4. Coverage: 25 % is in ">=20%~<30%", 0.9; (320 + 340) / 2 = 330 a week is in
        # ">=300~<500", 0.9; the better of both 0.9 x 5 = 4.5. One survey a year is 0.9 x 3 = 2.7. Quality 1.5.
        # 18.4 + 4.5 + 2.7 + 1.5 = 27.1 of 30; x 100/30 = 271/3. Times 20 %: 271/15.
        ("A.SQ.1", "271/3", "271/15"),
        ("A.SQ.2", "88", "13.2"),  # x 15 %
        ("A.SQ.3", "82", "8.2"),  # x 10 %
        ("A.SQ.4", "75.5", "7.55"),  # x 10 %
        ("A.SE.1", "100", "15"),  # 91.2 % >= 90 %: 1.0, x 15 %
        ("A.SE.2", "90", "9"),  # x 10 %
        ("A.SE.3", "80", "6.4"),  # 5 < 6.2 <= 7: 0.8, x 8 %
        ("A.SE.4", "70", "4.9"),  # x 7 %
        ("A.CH.1", "95", "9.5"),
        ("A.CH.2", "86", "8.6"),
        ("A.CH.3", "80", "4"),
        ("A.CH.4", "60", "3"),
        ("A.SM.1", "100", "5"),
        ("A.SM.2", "90", "4.5"),
        ("A.SM.3", "85", "4.25"),
        ("A.SM.4", "77.5", "3.875"),
        ("A.IN.1", "50", "1.5"),
        ("A.IN.2", "60", "1.2"),
        ("A.IN.3", "0", "0"),
        ("A.IN.4", "100", "3"),
        ("A.SO.1", "40", "0.8"),
        ("A.SO.2", "55", "1.1"),
        ("A.SO.3", "100", "2"),
        ("A.SO.4", "0", "0"),
    ],
)
def test_one_each_indicator(one, id_, score, weighted):
    found = indicator(one, id_)
    assert (found["score"], found["weighted"]) == (number(score), number(weighted))


def test_one_dimensions(one):
    # SQ = 271/15 + 13.2 + 8.2 + 7.55 = 271/15 + 28.95 = (1084 + 1737)/60 = 2821/60      of 55
    # SE = 15 + 9 + 6.4 + 4.9 = 35.3                                                      of 40
    # CH = 9.5 + 8.6 + 4 + 3 = 25.1                                                       of 30
    # SM = 5 + 4.5 + 4.25 + 3.875 = 17.625                                                of 20
    # IN = 1.5 + 1.2 + 0 + 3 = 5.7 of 10, SO = 0.8 + 1.1 + 2 + 0 = 3.9 of 8
    expected = [("2821/60", 55), ("35.3", 40), ("25.1", 30), ("17.625", 20), ("5.7", 10), ("3.9", 8)]
    for found, (score, most) in zip(one["dimensions"], expected, strict=True):
        assert (found["score"], found["max"]) == (number(score), most)
        assert found["percent"] == number(100 * Fraction(score) / most)


def test_one_composite(one):
    found = one["composite"]
    # base = 2821/60 + 35.3 + 25.1 + 17.625 = 2821/60 + 78.025 = (5642 + 9363)/120 = 15005/120 = 3001/24
    assert (found["base"], found["base_max"]) == (number("3001/24"), 145)
    assert (found["boost"], found["boost_max"]) == (number("9.6"), 18)  # 5.7 + 3.9
    # literal = 3001/24 + 48/5 = (15005 + 1152)/120 = 16157/120
    assert (found["literal"], found["literal_max"]) == (number("16157/120"), 163)
    assert found["normalised"] == number("15005/174")  # 3001/24 / 145 x 100 = 300100/3480
    assert found["low"] == found["high"] == found["literal"]


# Case 2: everything is given; the switches are turned in the tests.
EIGHTY = ("A.SQ.2", "A.SQ.3", "A.SQ.4", "A.SE.2", "A.SE.4", "A.CH.1", "A.CH.2", "A.CH.3", "A.CH.4",
          "A.SM.1", "A.SM.2", "A.SM.3", "A.SM.4")  # fmt: skip
TWO = {
    "indicators": {
        "A.SQ.1": {
            "value": "0.9",
            "source": "survey",
            "factors": {
                "coverage": {"system": "0.35", "manual": {"2026-W30": 480, "2026-W31": 620}},
                "frequency": {"surveys": "1.5"},
            },
            "points": {"调研质量": 2},
        },
        "A.SE.1": {"value": "0.9", "source": "system"},
        "A.SE.3": {"value": 600, "source": "system"},
        **scores(dict.fromkeys(EIGHTY, 80)),
    },
    "boost": scores(dict.fromkeys(
        ("A.IN.1", "A.IN.2", "A.IN.3", "A.IN.4", "A.SO.1", "A.SO.2", "A.SO.3", "A.SO.4"), 50)),
}  # fmt: skip
MULTIPLY = {"satisfaction.mode": "multiplicative"}


def test_two_by_default():
    found = contract(ID, **TWO)
    # A.SQ.1: 18 + 5 x max(1.0, 1.0) + 3 x 0.9 + 2 = 27.7 of 30 = 277/3, x 20 % = 277/15. (480 + 620)/2 = 550 >= 500.
    assert indicator(found, "A.SQ.1")["score"] == number("277/3")
    # the thirteen 80s: SQ 35 % -> 28, SE.2 + SE.4 17 % -> 13.6, CH 24, SM 16
    # SQ = 277/15 + 28; SE = 15 (90 %: 1.0) + 13.6 + 4.8 (600 s: 0.6 of 8) = 33.4
    # base = 277/15 + 28 + 33.4 + 24 + 16 = 277/15 + 101.4 = (277 + 1521)/15 = 1798/15; boost = 18 x 0.5 = 9
    assert found["composite"]["base"] == number("1798/15")
    assert found["composite"]["literal"] == number("1933/15")
    assert found["composite"]["normalised"] == number(Fraction(1798, 15) / 145 * 100)


def test_two_with_all_switches_turned():
    readings = {
        **MULTIPLY, "composite.include_boost": "no", "bands.boundary": "upper_inclusive", "coverage.combine": "min",
        "coverage.week_stat": "min", "frequency.gap": "upper", "asa.floor_s": 60,
    }  # fmt: skip
    found = contract(ID, **TWO, readings=readings)
    # A.SQ.1: 100 x 0.9 x k_cov x k_freq; weeks at least 480: 0.9; min(1.0, 0.9) = 0.9; 1.5 a year counts as 2: 1.0. 81.
    assert indicator(found, "A.SQ.1")["score"] == 81
    assert indicator(found, "A.SE.1")["score"] == 90  # exactly 90 % belongs to 80 %~90 %
    assert indicator(found, "A.SE.3")["score"] == 0  # 600 s is past the floor of 60 s
    # SQ = 16.2 + 28 = 44.2, SE = 13.5 + 13.6 + 0 = 27.1, CH = 24, SM = 16; base = 111.3, and the boost is left out
    assert [one["score"] for one in found["dimensions"][:4]] == [number(n) for n in ("44.2", "27.1", "24", "16")]
    composite = found["composite"]
    assert composite["base"] == composite["literal"] == number("111.3")
    assert (composite["literal_max"], composite["boost"]) == (145, 9)
    assert composite["low"] == composite["high"] == number("111.3")
    assert composite["normalised"] == number("2226/29")  # 111.3 / 145 x 100 = 11130/145


@pytest.mark.parametrize(
    ("readings", "id_", "score"),
    [
        (MULTIPLY, "A.SQ.1", "81"),  # 100 x 0.9 x 1.0 x 0.9
        ({**MULTIPLY, "frequency.gap": "upper"}, "A.SQ.1", "90"),  # 100 x 0.9 x 1.0 x 1.0
        ({**MULTIPLY, "coverage.week_stat": "min"}, "A.SQ.1", "81"),  # the system's 35 % still gives 1.0
        ({**MULTIPLY, "coverage.week_stat": "min", "coverage.combine": "min"}, "A.SQ.1", "72.9"),  # 0.9 x 0.9 x 0.9
        ({**MULTIPLY, "coverage.combine": "min"}, "A.SQ.1", "81"),  # 550 a week on average: min(1.0, 1.0)
        ({"frequency.gap": "upper"}, "A.SQ.1", "280/3"),  # 18 + 5 + 3 + 2 = 28
        ({"coverage.week_stat": "min", "coverage.combine": "min"}, "A.SQ.1", "272/3"),  # 18 + 4.5 + 2.7 + 2 = 27.2
        ({"bands.boundary": "upper_inclusive"}, "A.SE.1", "90"),
        ({"asa.floor_s": 60}, "A.SE.3", "0"),
        ({"asa.floor_s": 900}, "A.SE.3", "60"),  # 600 s is within it
        ({"score_policy": {"A.SE.1": "value_times_coef"}}, "A.SE.1", "90"),  # 100 x 0.9 x 1.0
        ({"score_policy": {"A.SE.1": "attainment_linear"}}, "A.SE.1", "100"),  # 0.9 / 0.9
        ({"score_policy": {"A.SE.1": "pass_fail"}}, "A.SE.1", "100"),  # 90 % is "90%以上"
    ],
)
def test_two_one_switch_at_a_time(readings, id_, score):
    assert indicator(contract(ID, **TWO, readings=readings), id_)["score"] == number(score)


# Case 3: most is missing. Zero is a score, missing is not.
THREE = {
    "indicators": {
        "A.SQ.1": {"value": "0.9", "source": "survey", "factors": {"frequency": {"surveys": 2}}},
        "A.SE.1": {"value": "0.85", "source": "system"},
        "A.SE.2": {"value": "0.83", "source": "system"},
        "A.SE.3": {"value": "4.9", "source": "system"},
        **scores({"A.SQ.3": 82, "A.CH.3": 0}),
    },
    "boost": scores({"A.IN.1": 50}),
}


def test_three_is_a_range():
    found = contract(ID, **THREE)
    composite = found["composite"]
    assert [composite[key] for key in ("base", "boost", "literal", "normalised")] == [None] * 4
    # A.SQ.1: rows 18 + 3 = 21 of 30 are sure, coverage and quality (5 + 2) open: 70 to 280/3, weighted 14 to 56/3.
    # Sure: A.SE.1 13.5 (85 %: 0.9) + A.SE.3 8 (1.0) + A.SQ.3 8.2 + A.CH.3 0 + A.IN.1 1.5 = 31.2
    # low = 31.2 + 14 = 45.2
    assert composite["low"] == number("45.2")
    # open: SQ.2 15 + SQ.4 10 + SE.2 10 (83 % >= 80 % is met, yet the rule makes no score of it) + SE.4 7
    #       + CH.1 10 + CH.2 10 + CH.4 5 + SM 20 = 87; boost 18 - 3 = 15
    # high = 31.2 + 56/3 + 87 + 15 = 133.2 + 56/3 = (1998 + 280)/15 = 2278/15
    assert composite["high"] == number("2278/15")
    assert (composite["base_max"], composite["boost_max"], composite["literal_max"]) == (145, 18, 163)
    assert [one["score"] for one in found["dimensions"]] == [None] * 6


def test_three_says_what_is_known_of_each():
    found = contract(ID, **THREE)
    known = {one["id"]: one for one in found["indicators"]}
    assert (known["A.SE.1"]["status"], known["A.SE.1"]["coefficient"]) == ("imported", number("0.9"))
    assert (known["A.SE.1"]["value"], known["A.SE.1"]["score"], known["A.SE.1"]["weighted"]) == (0.85, 90, 13.5)
    assert (known["A.SE.2"]["value"], known["A.SE.2"]["score"], known["A.SE.2"]["verdict"]) == (0.83, None, "符合")
    assert (known["A.CH.3"]["status"], known["A.CH.3"]["score"], known["A.CH.3"]["weighted"]) == ("entered", 0, 0)
    assert (known["A.SM.4"]["status"], known["A.SM.4"]["score"]) == ("missing", None)
    assert known["A.SQ.1"]["score"] is None
    assert {one["weight"] for one in found["indicators"] if one["id"].startswith("A.SM")} == {5}


@pytest.mark.parametrize(
    ("factors", "low", "high"),
    [
        ({}, 0, 90),  # 100 x 0.9 x [0, 1] x [0, 1]
        ({"frequency": {"surveys": 1}}, 0, 81),  # 100 x 0.9 x [0, 1] x 0.9
        ({"coverage": {"system": "0.15", "manual": 0}}, 0, 72),  # 100 x 0.9 x 0.8 x [0, 1]
        ({"frequency": {"surveys": "0.5"}}, 0, 0),  # a factor of 0 wipes it out, whatever the other is
    ],
)
def test_three_multiplied_with_factors_missing(factors, low, high):
    given = {"A.SQ.1": {"value": "0.9", "source": "survey", "factors": factors}}
    found = contract(ID, indicators=given, readings=MULTIPLY)
    assert [indicator(found, "A.SQ.1")[key] for key in ("low", "high")] == [low, high]
    # all the other weights are open: 163 - 20
    assert [found["composite"][key] for key in ("low", "high")] == [low * 0.2, number(143 + Fraction(high, 5))]


def test_three_with_the_boost_left_out():
    found = contract(ID, **THREE, readings={"composite.include_boost": "no"})["composite"]
    assert (found["low"], found["high"]) == (number("43.7"), number("4061/30"))  # 45.2 - 1.5; 2278/15 - 16.5


# Case 4: policies that the evaluator declares for indicators with a target and no score function (X28).
FOUR = {
    "indicators": {
        "A.SQ.1": {"value": "0.8", "source": "survey",
                   "factors": {"coverage": {"system": "0.0999", "manual": 199}, "frequency": {"surveys": "0.5"}},
                   "points": {"调研质量": 0}},
        "A.SQ.2": {"value": "0.75", "source": "survey"},
        "A.SE.1": {"value": "0.85", "source": "system"},
        "A.SE.2": {"value": "0.76", "source": "system"},
        "A.SE.3": {"value": "7.01", "source": "system"},
        "A.CH.1": {"value": "0.89", "source": "system"},
        "A.CH.2": {"value": "0.884", "source": "survey"},
        **scores(dict.fromkeys(("A.SQ.3", "A.SQ.4", "A.SE.4", "A.CH.3", "A.CH.4",
                                "A.SM.1", "A.SM.2", "A.SM.3", "A.SM.4"), "66.6")),
    },
    "boost": scores(dict.fromkeys(
        ("A.IN.1", "A.IN.2", "A.IN.3", "A.IN.4", "A.SO.1", "A.SO.2", "A.SO.3", "A.SO.4"), 0)),
    "readings": {"score_policy": {
        "A.SE.1": "value_times_coef", "A.SE.2": "attainment_linear", "A.CH.1": "pass_fail",
        "A.CH.2": "attainment_linear",
    }},
}  # fmt: skip


def test_four_declared_policies():
    found = contract(ID, **FOUR)
    expected = {
        "A.SQ.1": "160/3",  # 20 x 0.8 = 16; 9.99 % and 199 a week: 0; 0.5 a year: 0; quality 0. 16 of 30
        "A.SE.1": "76.5",  # 100 x 0.85 x 0.9
        "A.SE.2": "95",  # 100 x 0.76/0.80
        "A.SE.3": "60",
        "A.CH.1": "0",  # 89 % < 90 %
        "A.CH.2": "100",  # 88.4 % of 85 % is capped at 100
    }
    assert {id_: indicator(found, id_)["score"] for id_ in expected} == {k: number(v) for k, v in expected.items()}
    # 专项满意度 has a value, no target and no policy: nobody can score it, so its 15 points are open.
    assert indicator(found, "A.SQ.2")["score"] is None
    # SQ.1 32/3 + SQ.3, SQ.4 13.32; SE 11.475 + 9.5 + 4.8 + 4.662 = 30.437; CH 0 + 10 + 6.66 = 16.66; SM 13.32
    # low = 32/3 + 13.32 + 30.437 + 16.66 + 13.32 = 32/3 + 73.737
    low = Fraction(32, 3) + Fraction("73.737")
    assert (found["composite"]["low"], found["composite"]["high"]) == (number(low), number(low + 15))
    assert found["composite"]["boost"] == 0
    assert found["composite"]["base"] is None


def test_four_is_whole_once_the_last_one_is_scored():
    indicators = {**FOUR["indicators"], "A.SQ.2": {"score": 75}}
    found = contract(ID, **{**FOUR, "indicators": indicators})["composite"]
    base = Fraction(32, 3) + Fraction("73.737") + Fraction("11.25")  # 75 x 15 %
    assert (found["base"], found["literal"]) == (number(base), number(base))
    assert found["normalised"] == number(base * 100 / 145)


def test_dimension_order_is_that_of_the_rule():
    found = contract(ID, **ONE)
    assert [one["id"].rpartition(".")[0] for one in found["indicators"]][::4] == [*BASE, "A.IN", "A.SO"]
    assert [one["max"] for one in found["dimensions"]] == [55, 40, 30, 20, 10, 8]


def test_a_value_for_the_threshold_and_a_score_by_a_person():
    # 10.1.2 demands 80 % and makes no score of it: the value is judged, the person's 70 is 7 of 10 points
    found = indicator(contract(ID, indicators={"A.SE.2": {"value": "0.79", "source": "system", "score": 70}}), "A.SE.2")
    assert (found["verdict"], found["score"], found["weighted"], found["source"]) == ("不符合", 70, 7, "person")
