"""CTS TBSC97-2026 as data, held against its text: points, alpha, maturity, and the stars that both together earn."""

from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.errors import SchemeError
from scenarios.yaml_file import load
from scoring.levels import rounded
from scoring.scheme import FOLDER, Scheme, load_scheme

ID = "CTS-TBSC97-2026"
TINY = Fraction(1, 10**12)

POINTS = {  # annex 1
    "C.1.1": 5, "C.1.2": 7, "C.1.3": 5, "C.2.1": 5, "C.2.2": 5, "C.2.3": 5, "C.3.1": 5, "C.3.2": 5, "C.3.3": 5,
    "C.4.1": 5, "C.4.2": 5, "C.4.3": 5, "C.5.1": 5, "C.5.2": 5, "C.5.3": 5, "C.6.1": 5, "C.6.2": 5, "C.6.3": 5,
    "C.7": 8,
}  # fmt: skip
MATURITY = {  # annex 3
    "1.1": 5, "1.2": 5, "1.3": 5, "1.4": 5, "2.1": 5, "2.2": 5, "2.3": 5, "3.1": 5, "3.2": 5, "4.1": 10, "4.2": 10,
    "4.3": 10, "4.4": 5, "4.5": 5, "5.1": 10, "5.2": 10, "6.1": 10, "6.2": 10, "6.3": 10, "7.1": 5, "7.2": 5,
}  # fmt: skip

# 5.3, worked by hand. Columns: maturity 1 to 5; "-" is no pass, 0 a pass without a star (domain 1.3).
MATRIX = {
    # score        A        B
    "0":          ("-----", "-----"),
    "59":         ("-----", "-----"),
    "59.99999":   ("-----", "-----"),
    "60":         ("-0000", "-3333"),
    "60.00001":   ("-0000", "-3333"),
    "79":         ("-0000", "-3333"),
    "79.5":       ("-0000", "-3333"),
    "79.99999":   ("-0000", "-3333"),
    "80":         ("-0333", "-3444"),
    "80.00001":   ("-0333", "-3444"),
    "89":         ("-0333", "-3444"),
    "89.5":       ("-0333", "-3444"),
    "89.99999":   ("-0333", "-3444"),
    "90":         ("-0344", "-3455"),
    "90.00001":   ("-0344", "-3455"),
    "94":         ("-0344", "-3455"),
    "94.5":       ("-0344", "-3455"),
    "94.99999":   ("-0344", "-3455"),
    "95":         ("-0355", "-3455"),
    "95.00001":   ("-0355", "-3455"),
    "100":        ("-0355", "-3455"),
}  # fmt: skip

scores = st.fractions(min_value=0, max_value=100, max_denominator=1000)
levels = st.integers(0, 5)


@pytest.fixture(scope="module")
def scheme():
    return load_scheme(ID)


def test_points_are_those_of_annex_1(scheme):
    assert {found.id: found.weight for _, found in scheme.indicators()} == POINTS
    assert [(d.name.zh, d.weight) for d in scheme.dimensions] == [
        ("功能性", 17), ("安全性", 15), ("时间性", 15), ("舒适性", 15), ("经济性", 15), ("文明性", 15), ("服务规范", 8),
    ]  # fmt: skip
    assert (scheme.base_weight, scheme.boost_weight) == (100, 0)


def test_every_item_scores_points_times_alpha(scheme):
    assert {found.policy for _, found in scheme.indicators()} == {"points_times_alpha"}
    assert scheme.composite.method == "occasions"
    assert not scheme.composite.add_boost


def test_what_a_probe_sees(scheme):
    by_class = {probe: [] for probe in ("full", "part", "none")}
    for _, found in scheme.indicators():
        by_class[found.probe].append(found.weight)
        assert (found.measures is None) == (found.probe == "none")
    assert [(len(w), sum(w)) for w in by_class.values()] == [(4, 20), (7, 37), (8, 43)]  # domain 2


def test_in_force_from_its_day_without_end(scheme):
    assert not scheme.valid_on(date(2026, 1, 7))
    assert scheme.valid_on(date(2026, 1, 8))
    assert scheme.valid_on(date(2999, 12, 31))


@pytest.mark.parametrize(
    ("alpha", "level"),
    [("0", 0), ("0.1", 0), ("0.2", 0), ("0.2+", 1), ("0.4", 1), ("0.4+", 2), ("0.5", 2), ("0.6", 2), ("0.6+", 3),
     ("0.8-", 3), ("0.8", 3), ("0.8+", 4), ("0.85", 4), ("1-", 4), ("1", 4)],
)  # fmt: skip
def test_alpha_edges(scheme, alpha, level):
    value = Fraction(alpha.rstrip("+-")) + {"+": TINY, "-": -TINY}.get(alpha[-1], 0)
    assert [at for at, found in enumerate(scheme.alpha) if found.holds(value)] == [level]


@pytest.mark.parametrize("value", [-TINY, 1 + TINY, Fraction(6, 5)])
def test_no_level_holds_alpha_beyond_the_scale(scheme, value):
    assert not any(found.holds(value) for found in scheme.alpha)


def test_the_scale_and_its_middles(scheme):
    assert [level.name.zh for level in scheme.alpha] == ["远低于预期", "低于预期", "符合预期", "高于预期", "远高于预期"]
    assert [level.midpoint for level in scheme.alpha] == [Fraction(n, 10) for n in (1, 3, 5, 7, 9)]


def test_middles_cap_the_score_at_90_so_five_stars_are_out_of_reach(scheme):
    most = scheme.base_weight * scheme.alpha[-1].midpoint
    assert most == 90
    assert [scheme.stars.stars(most, 5, reading) for reading in ("A", "B")] == [4, 5]


def test_as_expected_everywhere_is_60_at_most(scheme):
    as_expected = scheme.alpha[2]
    assert scheme.base_weight * as_expected.upper == 60
    assert scheme.stars.stars(Fraction(60), 5, "A") == 0


def test_points_of_maturity_are_those_of_annex_3(scheme):
    assert {item.id: item.points for item in scheme.maturity.items} == MATURITY
    assert (scheme.maturity.most, scheme.maturity.steps) == (145, 5)


@pytest.mark.parametrize(
    ("everywhere", "total", "level"), [(1, 29, 1), (2, 58, 2), (3, 87, 3), (4, 116, 5), (5, 145, 5)]
)
def test_the_same_level_everywhere(scheme, everywhere, total, level):
    reached = scheme.maturity.total(dict.fromkeys(MATURITY, everywhere))
    assert reached == total
    assert scheme.maturity.level(reached).level == level


def test_points_rise_by_a_fifth_a_level(scheme):
    for item in scheme.maturity.items:
        steps = [scheme.maturity.total({item.id: level}) for level in range(1, 6)]
        assert steps[-1] == item.points
        assert {two - one for one, two in pairwise(steps)} == {steps[0]}


@pytest.mark.parametrize(
    ("total", "level"),
    [("0", None), ("19", None), ("20-", None), ("20", 1), ("20+", 1), ("29", 1), ("44", 1), ("45-", 1), ("45", 2),
     ("45+", 2), ("69", 2), ("70-", 2), ("70", 3), ("70+", 3), ("94", 3), ("95-", 3), ("95", 4), ("95+", 4),
     ("104", 4), ("105-", 4), ("105", 5), ("105+", 5), ("144", 5), ("145-", 5), ("145", 5), ("145+", None)],
)  # fmt: skip
def test_maturity_edges(scheme, total, level):
    value = Fraction(total.rstrip("+-")) + {"+": TINY, "-": -TINY}.get(total[-1], 0)
    found = scheme.maturity.level(value)
    assert (found.level if found else None) == level


def test_names_of_the_levels(scheme):
    assert [level.name for level in scheme.maturity.levels] == ["一级", "二级", "三级", "四级", "五级"]


def test_a_mixed_profile_by_hand(scheme):
    # nine of 5 points at level 3: 27; 4.1-4.3 at 4: 24; 4.4, 4.5 at 2: 4; 5.1, 5.2 at 3: 12
    # 6.1-6.3 at 4: 24; 7.1, 7.2 at 5: 10
    given_ = dict.fromkeys(MATURITY, 3) | dict.fromkeys(("4.1", "4.2", "4.3", "6.1", "6.2", "6.3"), 4)
    given_ |= dict.fromkeys(("4.4", "4.5"), 2) | dict.fromkeys(("7.1", "7.2"), 5)
    assert scheme.maturity.total(given_) == 101
    assert scheme.maturity.level(Fraction(101)).level == 4


def test_items_without_a_level_leave_a_range(scheme):
    given_ = dict.fromkeys(MATURITY, 4)
    del given_["4.1"], given_["7.2"]  # 8 + 4 of 116; open: 15 points, 3 at level 1
    assert scheme.maturity.reach(given_) == (107, 119)
    assert scheme.maturity.reach({}) == (29, 145)
    assert scheme.maturity.reach(dict.fromkeys(MATURITY, 2)) == (58, 58)


@pytest.mark.parametrize("reading", ["A", "B"])
@pytest.mark.parametrize("maturity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("score", MATRIX)
def test_decision_matrix(scheme, score, maturity, reading):
    expected = MATRIX[score]["AB".index(reading)][maturity - 1]
    stars = scheme.stars.stars(Fraction(score), maturity, reading)
    assert ("-" if stars is None else str(stars)) == expected


@pytest.mark.parametrize("reading", ["A", "B"])
def test_below_maturity_level_1_there_is_no_pass(scheme, reading):
    assert scheme.stars.stars(Fraction(100), 0, reading) is None


@given(one=scores, two=scores, low=levels, high=levels, reading=st.sampled_from(["A", "B"]))
def test_more_score_or_more_maturity_never_costs_a_star(scheme, one, two, low, high, reading):
    stars = scheme.stars
    worse = stars.stars(min(one, two), min(low, high), reading)
    better = stars.stars(max(one, two), max(low, high), reading)
    assert (-1 if better is None else better) >= (-1 if worse is None else worse)


@given(score=scores, maturity=levels)
def test_reading_b_never_gives_less(scheme, score, maturity):
    stars = scheme.stars
    a, b = stars.stars(score, maturity, "A"), stars.stars(score, maturity, "B")
    assert (a is None) == (b is None)
    assert a is None or b >= a


@pytest.mark.parametrize("score", ["79.00001", "79.5", "79.99999", "89.00001", "89.5", "90", "94.5", "94.99999"])
def test_scores_the_bands_leave_open(scheme, score):
    assert scheme.stars.in_gap(Fraction(score))


@pytest.mark.parametrize(
    "score", ["0", "59.5", "60", "79", "80", "80.5", "89", "90.00001", "93.5", "94", "95", "95.5", "99.5", "100"]
)
def test_scores_that_lie_in_one_band(scheme, score):
    assert not scheme.stars.in_gap(Fraction(score))


@pytest.mark.parametrize(
    ("score", "none", "half_up", "floor"),  # stars of reading A with maturity 5 (T02)
    [
        ("59.4", None, None, None),
        ("59.5", None, 0, None),
        ("79.4", 0, 0, 0),
        ("79.5", 0, 3, 0),
        ("79.99999", 0, 3, 0),
        ("89.49999", 3, 3, 3),
        ("89.5", 3, 4, 3),
        ("90", 4, 4, 4),
        ("94.5", 4, 5, 4),
        ("94.49999", 4, 4, 4),
        ("95.9", 5, 5, 5),
    ],
)
def test_roundings(scheme, score, none, half_up, floor):
    stars = [scheme.stars.stars(rounded(Fraction(score), how), 5, "A") for how in ("none", "half_up", "floor")]
    assert stars == [none, half_up, floor]


def test_half_is_rounded_up_and_not_to_even():
    assert [rounded(Fraction(n) / 2, "half_up") for n in (1, 3, 5, 179, 189)] == [1, 2, 3, 90, 95]
    assert [rounded(Fraction(n) / 2, "floor") for n in (1, 3, 5, 179, 189)] == [0, 1, 2, 89, 94]
    assert rounded(Fraction(179, 2), "none") == Fraction(179, 2)


def test_both_readings_share_the_gate(scheme):
    assert scheme.stars.clause == "5.3"
    assert scheme.stars.gate.zh == "必须通过管理要求符合性审查"


def test_emergencies_are_5_2_in_annex_3_and_5_3_in_annex_4(scheme):
    clauses = {item.id: item.clause for item in scheme.maturity.items}
    assert {id_: clause for id_, clause in clauses.items() if id_ != clause} == {"5.1": "5.1、5.2", "5.2": "5.3"}


def test_every_item_of_maturity_has_its_requirement_in_annex_4(scheme):
    clauses = [check.clause.removeprefix("附录4 ") for check in scheme.checks]
    ids = [check.id for check in scheme.checks]
    assert len(set(ids)) == len(ids) == 28
    for item in scheme.maturity.items:
        assert any(clause == item.clause or clause.startswith(f"{item.clause}.") for clause in clauses)
    assert all("附录4 " in check.clause for check in scheme.checks)


def test_all_defects_of_the_text_are_named_once(scheme):
    assert [caveat.code for caveat in scheme.defects] == [f"T{n:02}" for n in range(1, 13)]


def test_nothing_is_asked_in_numbers_beyond_the_levels(scheme):  # T11
    assert not scheme.requirements
    assert not any(found.thresholds or found.bands for _, found in scheme.indicators())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('above: "0.2", at_most: "0.4"', 'above: "0.3", at_most: "0.4"', "gap or an overlap at 1/5"),
        ('at_least: "0", at_most: "0.2"', 'at_least: "0", below: "0.2"', "gap or an overlap"),
        ('at_least: "45", below: "70"', 'above: "45", below: "70"', "gap or an overlap at 45"),
        ('at_least: "105", at_most: "145"', 'at_least: "106", at_most: "145"', "gap or an overlap at 105"),
        ("weight: 7\n", "weight: 6\n", "add up to 16, not 17"),
        ("indicators: [C.3.1, C.3.2]", "indicators: [C.3.1, C.3.9]", "C.3.9"),
        ("stars: 5, score: 95", "stars: -1, score: 95", "stars"),
        ("    B:  #", "    C:  #", "readings"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    text = (FOLDER / f"{ID}.yaml").read_text("utf-8")
    assert old in text
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(SchemeError, match=message):
        load(file, Scheme, SchemeError)
