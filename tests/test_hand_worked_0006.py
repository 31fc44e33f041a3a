"""CMM-525-0006 worked by hand from the rule's text: chapter 9, annex C (C.1-C.5), tables D.1.1, D.1.2, D.2.1, D.2.2."""

from fractions import Fraction

import pytest

from tests.scored_inputs import contract, indicator, number, scores

ID = "CMM-525-0006"
BOOST = ("B.IN.1", "B.IN.2", "B.IN.3", "B.IN.4", "B.SO.1", "B.SO.2", "B.SO.3", "B.SO.4")

# Case 1: everything is given, no switch is turned.
ONE = {
    "indicators": {
        "B.SQ.1": {"points": {"服务流程规范性": 9, "服务用语规范性": 7, "服务标准执行": 5, "服务记录完整性": "4.5"}},
        "B.SQ.2": {"points": {"专业知识水平": 6, "业务能力": 6, "沟通能力": 5, "问题解决能力": "6.5"}},
        "B.CS.1": {"value": "0.81", "source": "survey", "points": {"调研覆盖率": 4, "调研频次": 3, "调研质量": 2}},
        "B.CS.4": {"points": {"投诉按期办结率": 9, "投诉处理满意度": 7, "投诉处理规范性": 5, "投诉预防能力": 4}},
        "B.OE.2": {"value": 25, "source": "system"},
        "B.OE.3": {"value": "0.7", "source": "system"},
        **scores({
            "B.SQ.3": 80, "B.SQ.4": "84.99", "B.CS.2": 90, "B.CS.3": 75, "B.OE.1": 88, "B.OE.4": 66, "B.TS.1": 90,
            "B.TS.2": 82, "B.TS.3": 95, "B.TS.4": 79,
        }),
    },
    "boost": scores(dict.fromkeys(BOOST, 50)),
}  # fmt: skip


@pytest.fixture(scope="module")
def one():
    return contract(ID, **ONE)


@pytest.mark.parametrize(
    ("id_", "score", "weighted"),
    [
        ("B.SQ.1", "85", "17"),  # 9 + 7 + 5 + 4.5 = 25.5 of 30, x 100/30; x 20 %
        ("B.SQ.2", "235/3", "11.75"),  # 6 + 6 + 5 + 6.5 = 23.5 of 30; x 15 %
        ("B.SQ.3", "80", "12"),
        ("B.SQ.4", "84.99", "8.499"),
        ("B.CS.1", "84", "12.6"),  # 20 x 0.81 = 16.2, + 4 + 3 + 2 = 25.2 of 30; x 15 %
        ("B.CS.2", "90", "9"),
        ("B.CS.3", "75", "6"),
        ("B.CS.4", "250/3", "10"),  # 9 + 7 + 5 + 4 = 25 of 30; x 12 %
        ("B.OE.1", "88", "13.2"),
        ("B.OE.2", "80", "8"),  # 20 < 25 <= 30: 0.8
        ("B.OE.3", "80", "8"),  # 70 % is in "70%~80%之间", not "低于70%": 0.8
        ("B.OE.4", "66", "3.3"),
        ("B.TS.1", "90", "9"),
        ("B.TS.2", "82", "6.56"),
        ("B.TS.3", "95", "11.4"),
        ("B.TS.4", "79", "7.9"),
        ("B.IN.1", "50", "1.5"),
        ("B.SO.4", "50", "1"),
    ],
)
def test_one_each_indicator(one, id_, score, weighted):
    found = indicator(one, id_)
    assert (found["score"], found["weighted"]) == (number(score), number(weighted))


@pytest.mark.parametrize(
    ("id_", "verdict"),
    [
        ("B.SQ.1", "符合"),  # exactly 85 of the 85 demanded: 25.5/30 is 85/100
        ("B.SQ.2", "不符合"),  # 78.33 < 80
        ("B.SQ.3", "符合"),  # 80 of 80
        ("B.SQ.4", "不符合"),  # 84.99 < 85
        ("B.TS.2", "不能判定"),  # 82 >= 80, but the response time (<= 30 min) was not looked at
        ("B.TS.4", "不符合"),  # 79 < 80, whatever the response time is
    ],
)
def test_one_verdicts_on_scores(one, id_, verdict):
    assert indicator(one, id_)["verdict"] == verdict


def test_one_composite(one):
    # SQ = 17 + 11.75 + 12 + 8.499 = 49.249 of 60; CS = 12.6 + 9 + 6 + 10 = 37.6 of 45
    # OE = 13.2 + 8 + 8 + 3.3 = 32.5 of 40; TS = 9 + 6.56 + 11.4 + 7.9 = 34.86 of 40; boost 18 x 0.5 = 9
    expected = [("49.249", 60), ("37.6", 45), ("32.5", 40), ("34.86", 40), ("5", 10), ("4", 8)]
    assert [(d["score"], d["max"]) for d in one["dimensions"]] == [(number(s), m) for s, m in expected]
    assert [d["percent"] for d in one["dimensions"]] == [number(100 * Fraction(s) / m) for s, m in expected]
    found = one["composite"]
    assert (found["base"], found["base_max"]) == (number("154.209"), 185)
    assert (found["boost"], found["boost_max"]) == (9, 18)
    assert (found["literal"], found["literal_max"]) == (number("163.209"), 203)
    assert found["normalised"] == number(Fraction("15420.9") / 185)
    assert found["low"] == found["high"] == number("163.209")


# Case 2: half of a sheet, two indicators by value, the rest missing.
TWO = {
    "indicators": {
        "B.SQ.1": {"points": {"服务流程规范性": 10, "服务用语规范性": 8}},
        "B.CS.1": {"value": "0.9", "source": "survey"},
        "B.OE.2": {"value": "30.0001", "source": "system"},
        "B.OE.3": {"value": "0.6999", "source": "system"},
        "B.OE.1": {"value": "0.7999", "source": "system"},
    },
}


def test_two_is_a_range():
    found = contract(ID, **TWO)
    # B.SQ.1: 18 of 30 are sure, 12 open: 60 to 100, weighted 12 to 20
    # B.CS.1: 20 x 0.9 = 18 sure, 2 lost, the other 10 open (no bands for them in this rule): 60 to 280/3, 9 to 14
    # B.OE.2: 0.6 -> 60, weighted 6; B.OE.3: below 70 %: 0. B.OE.1 misses 80 %, but the rule makes no score of it.
    # low = 12 + 9 + 6 + 0 = 27; high = 203 - (15 - 14) - (10 - 6) - 10 = 188
    assert (found["composite"]["low"], found["composite"]["high"]) == (27, 188)
    assert found["composite"]["literal"] is None
    known = {id_: indicator(found, id_) for id_ in ("B.OE.1", "B.OE.2", "B.OE.3", "B.SQ.1", "B.CS.1")}
    assert (known["B.OE.1"]["score"], known["B.OE.1"]["verdict"]) == (None, "不符合")
    assert (known["B.OE.2"]["coefficient"], known["B.OE.2"]["weighted"]) == (number("0.6"), 6)
    assert (known["B.OE.3"]["coefficient"], known["B.OE.3"]["weighted"]) == (0, 0)
    assert (known["B.SQ.1"]["score"], known["B.CS.1"]["score"]) == (None, None)


# Case 3: the switches.
THREE = {
    "indicators": {
        **ONE["indicators"],
        "B.OE.2": {"value": 91, "source": "system"},
        "B.OE.3": {"value": "0.8", "source": "system"},
        "B.OE.1": {"value": "0.6", "source": "system"},
    },
    "boost": ONE["boost"],
}


def test_three_with_switches_turned():
    readings = {
        "dtable.scale": "as_is", "bands.boundary": "upper_inclusive", "composite.include_boost": "no",
        "asa.floor_s": 90, "score_policy": {"B.OE.1": "attainment_linear"},
    }  # fmt: skip
    found = contract(ID, **THREE, readings=readings)
    expected = {
        "B.SQ.1": "25.5", "B.SQ.2": "23.5", "B.CS.1": "25.2", "B.CS.4": "25",  # the sheet's points, not scaled to 100
        "B.OE.3": "80",  # exactly 80 % belongs to 70 %~80 %
        "B.OE.2": "0",  # 91 s is past the floor of 90 s
        "B.OE.1": "75",  # 100 x 0.6/0.8
    }  # fmt: skip
    assert {id_: indicator(found, id_)["score"] for id_ in expected} == {k: number(v) for k, v in expected.items()}
    # SQ = 25.5 x 20 % + 23.5 x 15 % + 12 + 8.499 = 5.1 + 3.525 + 20.499 = 29.124
    # CS = 25.2 x 15 % + 9 + 6 + 25 x 12 % = 3.78 + 15 + 3 = 21.78
    # OE = 75 x 15 % + 0 + 8 + 3.3 = 11.25 + 11.3 = 22.55; TS = 34.86
    assert [d["score"] for d in found["dimensions"][:4]] == [number(n) for n in ("29.124", "21.78", "22.55", "34.86")]
    # base = 29.124 + 21.78 + 22.55 + 34.86 = 108.314, and no boost
    assert found["composite"]["base"] == found["composite"]["literal"] == number("108.314")
    assert found["composite"]["literal_max"] == 185


def test_three_by_default():
    found = contract(ID, **THREE)
    # against case 1: B.OE.2 91 s: 0.6 -> 6 (was 8); B.OE.3 80 %: 0.9 -> 9 (was 8); B.OE.1 is not scored (was 13.2)
    # low = 163.209 - 2 + 1 - 13.2 = 149.009; high = low + 15
    assert (found["composite"]["low"], found["composite"]["high"]) == (number("149.009"), number("164.009"))


def test_the_banks_bands_are_not_shared():
    # 6.2 s is 0.8 in CMM-525-0005 and 1.0 here; 25 s is 0.6 there and 0.8 here (X30)
    for seconds, bank, other in (("6.2", 80, 100), (25, 60, 80)):
        there = contract("CMM-525-0005", indicators={"A.SE.3": {"value": seconds, "source": "system"}})
        here = contract(ID, indicators={"B.OE.2": {"value": seconds, "source": "system"}})
        assert indicator(there, "A.SE.3")["score"] == bank
        assert indicator(here, "B.OE.2")["score"] == other
