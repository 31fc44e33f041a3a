"""CTS TBSC97-2026 worked by hand from its text: 5.1 (alpha, means), annexes 1 and 3 (points), 5.3 (stars)."""

from fractions import Fraction

import pytest

from scenarios.errors import InputsError
from tests.scored_inputs import contract, indicator, number

ID = "CTS-TBSC97-2026"
# annex 1: items and their points, 100 in all
POINTS = {f"C.{row}.{of}": 5 for row in range(1, 7) for of in (1, 2, 3)} | {"C.1.2": 7, "C.7": 8}
TENS = ("4.1", "4.2", "4.3", "5.1", "5.2", "6.1", "6.2", "6.3")  # annex 3: items of 10 points; the other 13 have 5
FIVES = ("1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.3", "3.1", "3.2", "4.4", "4.5", "7.1", "7.2")


def alphas(all_, **but):
    return {**dict.fromkeys(POINTS, all_), **but}


def levels(all_, tens=0, fives=0):
    """Every item at one level, the first ``tens`` and ``fives`` one level higher."""
    higher = {**dict.fromkeys(TENS[:tens], all_ + 1), **dict.fromkeys(FIVES[:fives], all_ + 1)}
    return {**dict.fromkeys((*FIVES, *TENS), all_), **higher}


# Case 1: two raters, one with two occasions.
ONE = {
    "occasions": [
        {"id": "o1", "rater": "r1", "alpha": alphas("0.9", **{"C.1.2": "0.5", "C.7": "0.75"})},
        {"id": "o2", "rater": "r1", "alpha": alphas("0.96", **{"C.6.3": "0.2"})},
        {"id": "o3", "rater": "r2", "alpha": {
            item: {"1": "1", "2": "0.8", "3": "0.95", "4": "0.85", "5": "0.6", "6": "0.9", "7": "0.75"}[item[2]]
            for item in POINTS
        }},
    ],
    "maturity": levels(3),
    "gate": "passed",
}  # fmt: skip
# o1: 100 x 0.9 - 7 x 0.4 - 8 x 0.15 = 90 - 2.8 - 1.2 = 86
# o2: 100 x 0.96 - 5 x 0.76 = 96 - 3.8 = 92.2
# o3: 17 + 15 x 0.8 + 15 x 0.95 + 15 x 0.85 + 15 x 0.6 + 15 x 0.9 + 8 x 0.75
#     = 17 + 12 + 14.25 + 12.75 + 9 + 13.5 + 6 = 84.5


def test_annex_1_is_100_and_annex_3_145():
    assert sum(POINTS.values()) == 100
    assert len(POINTS) == 19
    assert 10 * len(TENS) + 5 * len(FIVES) == 145
    found = contract(ID, **ONE)
    assert {one["id"]: one["weight"] for one in found["indicators"]} == POINTS


def test_one():
    found = contract(ID, **ONE)
    # r1: (86 + 92.2)/2 = 89.1; r2: 84.5; (89.1 + 84.5)/2 = 86.8
    assert (found["composite"]["literal"], found["composite"]["literal_max"]) == (number("86.8"), 100)
    assert found["composite"]["low"] == found["composite"]["high"] == number("86.8")
    assert (found["maturity"]["score"], found["maturity"]["level"]) == (87, 3)  # 3/5 of 145; [70, 95) is 三级
    assert found["stars"] == {**found["stars"], "stars": 3, "reading": "A", "other": 4}  # B: row 2, 80—90 and 三级


def test_one_items():
    found = contract(ID, **ONE)
    # C.1.2: r1 (0.5 + 0.96)/2 = 0.73, r2 1; (0.73 + 1)/2 = 0.865; x 7 = 6.055
    # C.7: r1 (0.75 + 0.96)/2 = 0.855, r2 0.75; 0.8025; x 8 = 6.42
    for id_, score, weighted in (("C.1.2", "86.5", "6.055"), ("C.7", "80.25", "6.42")):
        one = indicator(found, id_)
        assert (one["score"], one["weighted"]) == (number(score), number(weighted))


def test_one_pooled():
    found = contract(ID, **ONE, readings={"mean.order": "pooled"})
    # (86 + 92.2 + 84.5)/3 = 262.7/3 = 2627/30 = 87.57
    assert found["composite"]["literal"] == number("2627/30")
    assert found["stars"]["stars"] == 3


# Case 2: a remote centre. Three items of its premises are waived; one alpha is missing.
TWO_ALPHA = {
    "C.1.1": "1", "C.1.2": "0.9", "C.2.1": "0.8", "C.2.2": "0.8", "C.3.1": "1", "C.3.2": "0.95", "C.4.1": "1",
    "C.4.2": "0.9", "C.4.3": "0.7", "C.5.1": "0.8", "C.5.3": "0.6", "C.6.1": "1", "C.6.2": "0.9", "C.6.3": "0.85",
    "C.7": "1",
}  # fmt: skip
# 5 + 6.3 | 4 + 4 | 5 + 4.75 | 5 + 4.5 + 3.5 | 4 + 3 | 5 + 4.5 + 4.25 | 8
# = 11.3 + 8 + 9.75 + 13 + 7 + 13.75 + 8 = 70.8, and C.5.2 (5 points) is missing
WAIVED = [{"item": item, "reason": "远程运营，无服务场所"} for item in ("C.1.3", "C.2.3", "C.3.3")]


def two(alpha, **more):
    return {"occasions": [{"id": "o1", "rater": "r1", "alpha": alpha}], "maturity": levels(4), "gate": "passed", **more}


def test_two_is_a_range_of_the_85_points_that_apply():
    found = contract(ID, **two(TWO_ALPHA, waived=WAIVED))
    # 70.8/85 x 100 = 1416/17 = 83.29 to (70.8 + 5)/85 x 100 = 1516/17 = 89.18
    assert found["composite"]["literal"] is None
    assert (found["composite"]["low"], found["composite"]["high"]) == (number("1416/17"), number("1516/17"))
    assert found["stars"]["possible"] == [3]  # both ends lie in [80, 90), and the maturity is 五级


def test_two_completed():
    found = contract(ID, **two({**TWO_ALPHA, "C.5.2": "0.5"}, waived=WAIVED))
    assert found["composite"]["literal"] == number("1466/17")  # 73.3/85 x 100 = 86.24
    assert (found["maturity"]["score"], found["maturity"]["level"]) == (116, 5)  # all 四级 is 116, which is 五级
    assert (found["stars"]["stars"], found["stars"]["other"]) == (3, 4)


def test_two_without_waivers():
    found = contract(ID, **two({**TWO_ALPHA, "C.5.2": "0.5"}))
    # the three items are missing now: 73.3 to 88.3 of 100
    assert (found["composite"]["low"], found["composite"]["high"]) == (number("73.3"), number("88.3"))
    assert sorted(found["stars"]["possible"]) == [0, 3]
    assert (found["stars"]["stars"], found["stars"]["decided"]) == (None, False)
    assert found["composite"]["literal"] is None


def test_two_an_item_is_rated_or_waived():
    alpha = {**TWO_ALPHA, "C.5.2": "0.5", "C.1.3": "0"}
    with pytest.raises(InputsError, match=r"C\.1\.3"):
        contract(ID, **two(alpha, waived=WAIVED))


# Case 3: 89.5, between 80—89 and 90—94, under every switch; maturity 五级.
@pytest.mark.parametrize(
    ("readings", "stars"),
    [
        ({}, 3),  # [80, 90) as it stands
        ({"star.rounding": "floor"}, 3),  # 89
        ({"star.rounding": "half_up"}, 4),  # 90
        ({"star.reading": "B"}, 4),  # row 2
        ({"star.reading": "B", "star.rounding": "floor"}, 4),
        ({"star.reading": "B", "star.rounding": "half_up"}, 5),  # 90: row 3
    ],
)
def test_three_switches(readings, stars):
    occasions = [{"id": "o1", "rater": "r1", "alpha": alphas("0.895")}]
    found = contract(ID, occasions=occasions, maturity=levels(5), gate="passed", readings=readings)
    assert found["stars"]["stars"] == stars
    assert found["stars"]["reading"] == readings.get("star.reading", "A")
    assert found["composite"]["literal"] == 89.5  # rounding is for the star alone


# 5.3 as the decision matrix of both readings: (A, B), None is not passed, 0 passed without a star
MATRIX = {
    "59.99": [(None, None)] * 5,
    "60": [(None, None), (0, 3), (0, 3), (0, 3), (0, 3)],
    "79.99": [(None, None), (0, 3), (0, 3), (0, 3), (0, 3)],
    "79.5": [(None, None), (0, 3), (0, 3), (0, 3), (0, 3)],
    "80": [(None, None), (0, 3), (3, 4), (3, 4), (3, 4)],
    "89.5": [(None, None), (0, 3), (3, 4), (3, 4), (3, 4)],
    "90": [(None, None), (0, 3), (3, 4), (4, 5), (4, 5)],
    "94.5": [(None, None), (0, 3), (3, 4), (4, 5), (4, 5)],
    "94.99": [(None, None), (0, 3), (3, 4), (4, 5), (4, 5)],
    "95": [(None, None), (0, 3), (3, 4), (5, 5), (5, 5)],
    "100": [(None, None), (0, 3), (3, 4), (5, 5), (5, 5)],
}
MATURITY = [levels(1), levels(2), levels(3), levels(3, tens=5), levels(4)]  # 29, 58, 87, 97, 116: 一级 to 五级


@pytest.mark.parametrize("score", MATRIX)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_matrix_of_5_3(score, level):
    occasions = [{"id": "o1", "rater": "r1", "alpha": alphas(Fraction(score) / 100)}]
    a, b = MATRIX[score][level - 1]
    found = contract(ID, occasions=occasions, maturity=MATURITY[level - 1], gate="passed")
    assert found["maturity"]["level"] == level
    assert (found["stars"]["stars"], found["stars"]["other"]) == (a, b)
    turned = contract(
        ID, occasions=occasions, maturity=MATURITY[level - 1], gate="passed", readings={"star.reading": "B"}
    )
    assert (turned["stars"]["stars"], turned["stars"]["other"]) == (b, a)


def test_the_gate_comes_first():
    occasions = [{"id": "o1", "rater": "r1", "alpha": alphas("0.99")}]
    assert contract(ID, occasions=occasions, maturity=levels(5), gate="failed")["stars"]["stars"] is None
    assert contract(ID, occasions=occasions, maturity=levels(5))["stars"]["stars"] is None
    assert contract(ID, occasions=occasions, maturity=levels(5), gate="passed")["stars"]["stars"] == 5


# annex 3: the edges of its levels, each reached by raising items of ten points (2 a level) and of five (1 a level)
@pytest.mark.parametrize(
    ("maturity", "total", "level"),
    [
        (levels(1), 29, 1),  # 20 is where 一级 begins; 29 is the least there is
        (levels(1, tens=7, fives=1), 44, 1),  # 29 + 14 + 1
        (levels(1, tens=8), 45, 2),  # 29 + 16
        (levels(2, tens=5, fives=1), 69, 2),  # 58 + 10 + 1
        (levels(2, tens=6), 70, 3),  # 58 + 12
        (levels(3, tens=3, fives=1), 94, 3),  # 87 + 6 + 1
        (levels(3, tens=4), 95, 4),  # 87 + 8
        (levels(3, tens=8, fives=1), 104, 4),  # 87 + 16 + 1
        (levels(3, tens=8, fives=2), 105, 5),
        (levels(5), 145, 5),
    ],
)
def test_maturity_levels(maturity, total, level):
    found = contract(ID, **{**ONE, "maturity": maturity})["maturity"]
    assert (found["score"], found["level"]) == (total, level)


def test_an_item_without_a_level_leaves_the_maturity_open():
    maturity = {item: 3 for item in (*FIVES, *TENS) if item != "7.2"}
    found = contract(ID, **{**ONE, "maturity": maturity})
    # 87 - 3 = 84 without 7.2, which adds 1 to 5: 85 to 89, 三级 either way
    assert [found["maturity"][key] for key in ("score", "low", "high", "possible")] == [None, 85, 89, [3]]
    assert found["stars"]["possible"] == [3]
    maturity = {item: 3 for item in (*FIVES, *TENS) if item not in TENS[:2]}
    found = contract(ID, **{**ONE, "maturity": maturity})
    # 87 - 12 = 75, and 4 to 20 more: 79 to 95, 三级 or 四级; 86.8 earns three stars with both
    assert [found["maturity"][key] for key in ("score", "low", "high", "possible")] == [None, 79, 95, [3, 4]]
    assert found["stars"]["possible"] == [3]


# Case 4: levels of the five-point scale instead of numbers, by the evaluator's own choice.
@pytest.mark.parametrize(
    ("how", "level", "literal"),
    [
        ("midpoint", "远高于预期", 90),
        ("midpoint", "符合预期", 50),
        ("midpoint", "远低于预期", 10),
        ("upper", "远高于预期", 100),
        ("upper", "符合预期", 60),
        ("upper", "远低于预期", 20),
    ],
)
def test_four_likert(how, level, literal):
    occasions = [{"id": "o1", "rater": "r1", "alpha": alphas(level)}]
    found = contract(ID, occasions=occasions, readings={"alpha.from_likert": how})
    assert found["composite"]["literal"] == literal
