"""A defect of the rule is named when it touches the result, and only then."""

from datetime import date
from fractions import Fraction

import pytest

from probes.session import Outcome
from results.observe import table
from scoring.metrics import compute
from tests.scored_inputs import codes, contract, indicator, scores, warning
from tests.session_factory import voice

A, B, C, D = "CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026", "CMM-525-0002"
ITEMS = ["C.1.1", "C.1.2", "C.1.3", *(f"C.{row}.{of}" for row in range(2, 7) for of in (1, 2, 3)), "C.7"]
LEVELS = [f"{row}.{n}" for row, last in enumerate((4, 3, 2, 5, 2, 3, 2), start=1) for n in range(1, last + 1)]


def valued(id_, value, **more):
    return {"indicators": {id_: {"value": value, "source": "system", **more}}}


def surveyed(system="0.35", manual=0, surveys=2, value="0.9", points=2):
    factors = {"coverage": {}, "frequency": {"surveys": surveys}}
    for route, given in (("system", system), ("manual", manual)):
        if given is not None:
            factors["coverage"][route] = given
    given = {"value": value, "source": "survey", "factors": factors}
    if points is not None:
        given["points"] = {"调研质量": points}
    return {"indicators": {"A.SQ.1": given}}


def rated(score, level=None, gate="passed", **more):
    waived = [one["item"] for one in more.get("waived", ())]
    alpha = {item: Fraction(score) / 100 for item in ITEMS if item not in waived}
    found = {"occasions": [{"id": "o1", "rater": "r1", "alpha": alpha}], "gate": gate, **more}
    return found if level is None else {**found, "maturity": dict.fromkeys(LEVELS, level)}


def probed(answered, dropped, wait=3.0):
    calls = [voice(n, wait=wait) for n in range(answered)]
    return compute(table([*calls, *(voice(answered + n, Outcome.DROPPED, wait=8.0) for n in range(dropped))]))


@pytest.mark.parametrize("scheme", [A, B, D])
@pytest.mark.parametrize(
    ("today", "said"),
    [(date(2025, 1, 1), False), (date(2025, 5, 20), False), (date(2025, 5, 21), True), (date(2026, 11, 21), True),
     (date(2024, 12, 31), True)],
)  # fmt: skip
def test_x01_out_of_force(scheme, today, said):
    found = contract(scheme, today=today)
    assert ("X01" in codes(found)) == said
    if said and today > date(2025, 5, 20):
        assert "2025-05-20" in warning(found, "X01")


def test_x01_by_the_calls_and_never_where_the_rule_has_no_end():
    assert "X01" in codes(contract(A, metrics=probed(3, 0), today=date(2025, 3, 1)))  # the calls are of 2026
    assert "X01" not in codes(contract(C, **rated(85, 3)))


def test_x05_names_each_policy_that_the_rule_does_not_state():
    found = contract(A, **valued("A.SE.1", "0.95"))
    assert codes(found).count("X05") == 1
    assert "接通率" in warning(found, "X05")
    both = {"indicators": {"A.SE.1": {"value": "0.95"}, "A.SE.3": {"value": 6}}}
    assert codes(contract(A, **both)).count("X05") == 2
    turned = contract(A, **valued("A.SE.2", "0.7"), readings={"score_policy": {"A.SE.2": "attainment_linear"}})
    assert "服务水平" in warning(turned, "X05")


def test_x05_is_silent_where_a_person_scores_or_nothing_is_scored():
    assert "X05" not in codes(contract(A, indicators=scores({"A.SE.1": 88, "A.SE.2": 70, "A.SQ.3": 90})))
    assert "X05" not in codes(contract(A, **valued("A.SE.2", "0.7")))
    assert "X05" not in codes(contract(A))


def test_x07_and_x08_each_for_its_own_rule():
    said = {scheme: [code for code in codes(contract(scheme)) if code in ("X07", "X08")] for scheme in (A, B, C, D)}
    assert said == {A: ["X07"], B: ["X08"], C: [], D: []}
    assert "145" in warning(contract(A), "X07")
    assert "185" in warning(contract(B), "X08")


def test_x09_says_whether_the_boost_is_in():
    for scheme, counted in ((A, True), (B, True), (D, False)):
        for reading in (None, "yes", "no"):
            readings = {} if reading is None else {"composite.include_boost": reading}
            said = warning(contract(scheme, readings=readings), "X09")
            assert ("不计入" not in said) == (counted if reading is None else reading == "yes"), (scheme, reading)
    assert "X09" not in codes(contract(C))


def test_x11_only_a_disagreement():
    metrics = probed(30, 0)  # 30 of 30: the 95 % interval begins near 0.88
    for value, said in (("0.95", False), ("1", False), ("0.5", True), ("0.8", True)):
        found = contract(A, metrics=metrics, **valued("A.SE.1", value))
        assert ("X11" in codes(found)) == said, value
        assert indicator(found, "A.SE.1")["probe"]["disagrees"] == said
        assert indicator(found, "A.SE.1")["value"] == float(value)  # the system's figure scores
    assert "X11" not in codes(contract(A, **valued("A.SE.1", "0.5")))  # nothing to disagree with


def test_x11_the_switch_lets_the_probe_score():
    given = valued("A.SE.1", "0.5")
    found = contract(A, metrics=probed(30, 0), **given, readings={"source_of_record": "probe"})
    assert indicator(found, "A.SE.1")["score"] == 100
    assert indicator(contract(A, metrics=probed(30, 0), **given), "A.SE.1")["score"] == 0


@pytest.mark.parametrize(("scheme", "id_"), [(A, "A.SE.1"), (B, "B.OE.3")])
def test_x13_exactly_on_a_boundary(scheme, id_):
    for value, said in (("0.9", 1), ("0.8", 1), ("0.85", 0), ("0.9000001", 0), ("0.8999999", 0), ("1", 0), ("0", 0)):
        assert codes(contract(scheme, **valued(id_, value))).count("X13") == said, value
    assert "90" in warning(contract(scheme, **valued(id_, "0.9")), "X13")


def test_x13_is_not_about_what_is_written_without_doubt():
    assert "X13" not in codes(contract(A, **valued("A.SE.3", 5)))  # "≤5秒" and ">5秒~≤7秒"
    assert "X13" not in codes(contract(B, **valued("B.OE.2", 20)))
    assert "X13" not in codes(contract(A, **surveyed(system="0.3", manual=300)))


def test_x22_both_readings_of_overall_satisfaction():
    found = contract(A, **surveyed(system="0.35", manual=550, surveys="1.5"))
    # sheet 18 + 5 + 2.7 + 2 = 27.7 of 30 = 92.33; multiplied 100 x 0.9 x 1.0 x 0.9 = 81
    assert "92.3" in warning(found, "X22")
    assert "81" in warning(found, "X22")
    multiply = {"satisfaction.mode": "multiplicative"}
    turned = contract(A, **surveyed(system="0.35", manual=550, surveys="1.5"), readings=multiply)
    assert "92.3" in warning(turned, "X22")
    assert "X22" not in codes(contract(A, indicators=scores({"A.SQ.1": 90})))
    assert "X22" not in codes(contract(A))
    assert "X22" not in codes(contract(B, **valued("B.CS.1", "0.9")))


def test_x23_two_routes():
    assert "X23" in codes(contract(A, **surveyed(system="0.35", manual=150)))
    assert "X23" not in codes(contract(A, **surveyed(system="0.35", manual=None)))
    assert "X23" not in codes(contract(A, **surveyed(system=None, manual=550)))
    assert "X23" not in codes(contract(A))


def test_x24_a_week_below_the_band_that_counts():
    low = contract(A, **surveyed(system=None, manual={"2026-W30": 300, "2026-W31": 700}))  # mean 500: 1.0
    assert codes(low).count("X24") == 1
    assert "第30周" in warning(low, "X24")
    assert "300" in warning(low, "X24")
    weeks = {"2026-W30": 450, "2026-W31": 450, "2026-W32": 900}  # mean 600; two weeks short alike
    said = {warning(contract(A, **surveyed(system=None, manual={w: weeks[w] for w in order})), "X24")
            for order in (sorted(weeks), sorted(weeks, reverse=True))}  # fmt: skip
    assert len(said) == 1
    even = surveyed(system=None, manual={"2026-W30": 500, "2026-W31": 700})
    assert "X24" not in codes(contract(A, **even))
    lowest = surveyed(system=None, manual={"2026-W30": 10, "2026-W31": 20})  # below all bands: nothing to fall short of
    assert "X24" not in codes(contract(A, **lowest))
    assert "X24" not in codes(contract(A, **surveyed(system=None, manual=550)))  # one number, no weeks


@pytest.mark.parametrize(
    ("surveys", "said"),
    [("1.5", True), ("1.01", True), ("1.99", True), (1, False), (2, False), (3, False), ("0.5", False)],
)
def test_x25_between_once_a_year_and_twice(surveys, said):
    found = contract(A, **surveyed(surveys=surveys))
    assert ("X25" in codes(found)) == said
    if said:
        assert str(surveys) in warning(found, "X25")


@pytest.mark.parametrize(
    ("scheme", "id_", "seconds", "said"),
    [(A, "A.SE.3", 21, False), (A, "A.SE.3", "21.0001", True), (A, "A.SE.3", 7, False), (A, "A.SE.3", 600, True),
     (B, "B.OE.2", 90, False), (B, "B.OE.2", "90.0001", True), (B, "B.OE.2", "21.0001", False)],
)  # fmt: skip
def test_x31_three_times_the_last_edge(scheme, id_, seconds, said):
    assert ("X31" in codes(contract(scheme, **valued(id_, seconds)))) == said


def test_t01_the_readings_differ():
    found = contract(C, **rated(85, 3))  # A: three stars, B: four
    assert "T01" in codes(found)
    assert "四星" in warning(found, "T01")  # what the other reading says
    for score, level in ((97, 5), (50, 5), (85, 1)):  # five and five; not passed either way
        assert "T01" not in codes(contract(C, **rated(score, level))), (score, level)
    assert "T01" not in codes(contract(C))


@pytest.mark.parametrize(
    ("score", "said"),
    [("79.5", True), ("79.0001", True), ("79", False), ("80", False), ("85", False), ("89", False), ("89.5", True),
     ("90", True), ("90.0001", False), ("94", False), ("94.5", True), ("95", False), ("60", False), ("59.9", False)],
)  # fmt: skip
def test_t02_between_two_bands_or_in_both(score, said):
    found = contract(C, **rated(score, 5))
    assert ("T02" in codes(found)) == said
    if said:
        assert score.rstrip("0").rstrip(".") in warning(found, "T02") or score in warning(found, "T02")


def test_t03_passed_without_a_star():
    assert "T03" in codes(contract(C, **rated(70, 3)))
    for score, level in ((85, 3), (97, 5), (50, 3), (70, 1)):
        assert "T03" not in codes(contract(C, **rated(score, level))), (score, level)


def test_t04_levels_instead_of_numbers():
    words = {"occasions": [{"id": "o1", "rater": "r1", "alpha": dict.fromkeys(ITEMS, "符合预期")}]}
    assert "T04" in codes(contract(C, **words, readings={"alpha.from_likert": "midpoint"}))
    assert "T04" not in codes(contract(C, **rated(85, 3)))
    assert "T04" not in codes(contract(C))


def test_t05_waived_items_and_their_points():
    waived = [{"item": "C.1.2", "reason": "远程运营"}, {"item": "C.2.3", "reason": "远程运营"}]
    found = contract(C, **rated(85, 3, waived=waived))
    said = warning(found, "T05")
    assert "C.1.2" in said
    assert "C.2.3" in said
    assert "12" in said  # 7 + 5
    assert "T05" not in codes(contract(C, **rated(85, 3)))


def test_t07_levels_and_their_odd_total():
    assert "T07" in codes(contract(C, **rated(85, 4)))
    assert "116" in warning(contract(C, **rated(85, 4)), "T07")
    assert "T07" not in codes(contract(C, **rated(85)))


def test_no_placeholder_is_left():
    cases = [
        contract(A, metrics=probed(30, 3, wait=25.0), **surveyed(manual={"2026-W30": 300, "2026-W31": 700})),
        contract(A, **surveyed(surveys="1.5")),
        contract(A, **valued("A.SE.1", "0.9")),
        contract(B, **valued("B.OE.2", 600)),
        contract(D),
        contract(C, **rated("89.5", 4, waived=[{"item": "C.7", "reason": "无"}])),
        contract(C, **rated("70", 2)),
        contract(C),
    ]
    for found in cases:
        for one in found["warnings"]:
            assert not set("{}…") & set(one["text"] + one["en"]), one


def test_every_code_is_said_once_for_each_thing_it_is_about():
    found = contract(A, **surveyed(), readings={"star.reading": "B"})  # another rule's switch changes nothing here
    pairs = [(one["code"], one["text"]) for one in found["warnings"]]
    assert len(pairs) == len(set(pairs))
    assert not [code for code, _ in pairs if code[0] in "TZ"]
