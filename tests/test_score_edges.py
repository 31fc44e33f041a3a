"""At and on either side of every band edge and threshold of every indicator, through the scorer."""

from fractions import Fraction

import pytest

from results.observe import table
from scoring.metrics import compute
from tests.scored_inputs import card, contract, indicator, load, number, shown
from tests.session_factory import voice

A, B, C = "CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026"
BANK, OTHER = "A.SE.3", "B.OE.2"


def one(scheme, id_, value, **more):
    return indicator(contract(scheme, indicators={id_: {"value": value, "source": "system", **more}}), id_)


@pytest.mark.parametrize(("scheme", "id_", "weight"), [(A, "A.SE.1", 15), (B, "B.OE.3", 10)])
@pytest.mark.parametrize(
    ("value", "coefficient"),
    [
        ("1", "1"), ("0.9000001", "1"), ("0.9", "1"), ("0.8999999", "0.9"), ("0.89999999999999999999", "0.9"),
        ("0.8000001", "0.9"), ("0.8", "0.9"), ("0.7999999", "0.8"), ("0.7000001", "0.8"), ("0.7", "0.8"),
        ("0.6999999", "0"), ("0", "0"), (Fraction(9, 10), "1"), (Fraction(899, 999), "0.9"), (Fraction(900, 1000), "1"),
    ],
)  # fmt: skip
def test_connect_rate(scheme, id_, weight, value, coefficient):
    found = one(scheme, id_, value)
    k = Fraction(coefficient)
    assert (found["coefficient"], found["score"], found["weighted"]) == (float(k), 100 * float(k), number(k * weight))


@pytest.mark.parametrize(
    ("scheme", "id_", "value", "coefficient"),
    [
        (A, BANK, "0", "1"), (A, BANK, "4.9999", "1"), (A, BANK, "5", "1"), (A, BANK, "5.000000000000000001", "0.8"),
        (A, BANK, "5.0001", "0.8"), (A, BANK, "6.9999", "0.8"), (A, BANK, "7", "0.8"), (A, BANK, "7.0001", "0.6"),
        (A, BANK, "20", "0.6"), (A, BANK, "600", "0.6"),
        (B, OTHER, "0", "1"), (B, OTHER, "7.0001", "1"), (B, OTHER, "19.9999", "1"), (B, OTHER, "20", "1"),
        (B, OTHER, "20.000", "1"), (B, OTHER, "20.0001", "0.8"), (B, OTHER, "29.9999", "0.8"), (B, OTHER, "30", "0.8"),
        (B, OTHER, "30.0001", "0.6"), (B, OTHER, "600", "0.6"),
    ],
)  # fmt: skip
def test_speed_of_answer(scheme, id_, value, coefficient):
    found = one(scheme, id_, value)
    assert (found["coefficient"], found["score"]) == (float(coefficient), 100 * float(coefficient))


@pytest.mark.parametrize(
    ("scheme", "id_", "value", "coefficient"),
    [
        (A, "A.SE.1", "0.9", "0.9"), (A, "A.SE.1", "0.9000001", "1"), (A, "A.SE.1", "0.8", "0.8"),
        (A, "A.SE.1", "0.8000001", "0.9"), (A, "A.SE.1", "0.7", "0.8"),  # 70 % is not "低于70%"
        (B, "B.OE.3", "0.9", "0.9"), (B, "B.OE.3", "0.8", "0.8"),
        (A, BANK, "5", "1"), (A, BANK, "7", "0.8"), (B, OTHER, "20", "1"), (B, OTHER, "30", "0.8"),  # written, no doubt
    ],
)  # fmt: skip
def test_the_boundary_reading_moves_only_what_belongs_to_two_bands(scheme, id_, value, coefficient):
    given = {id_: {"value": value, "source": "system"}}
    found = contract(scheme, indicators=given, readings={"bands.boundary": "upper_inclusive"})
    assert indicator(found, id_)["coefficient"] == float(coefficient)


# A.SQ.1 with 满意度 100 % and 调研质量 2 is 22 of 30 points, and 5 x coverage + 3 x frequency on top
def survey(coverage, surveys):
    given = {"value": 1, "source": "survey", "points": {"调研质量": 2},
             "factors": {"coverage": coverage, "frequency": {"surveys": surveys}}}  # fmt: skip
    return indicator(contract(A, indicators={"A.SQ.1": given}), "A.SQ.1")["score"]


def sheet(coverage, frequency):
    return number((22 + 5 * Fraction(coverage) + 3 * Fraction(frequency)) * 100 / 30)


@pytest.mark.parametrize(
    ("system", "k"),
    [("1", "1"), ("0.3000001", "1"), ("0.3", "1"), ("0.2999999", "0.9"), ("0.2", "0.9"), ("0.1999999", "0.8"),
     ("0.1", "0.8"), ("0.0999999", "0"), ("0", "0")],
)  # fmt: skip
def test_coverage_by_system(system, k):
    assert survey({"system": system, "manual": 0}, 2) == sheet(k, 1)


@pytest.mark.parametrize(
    ("week", "k"),
    [("1000", "1"), ("500", "1"), ("499.9999", "0.9"), ("300", "0.9"), ("299.9999", "0.8"), ("200", "0.8"),
     ("199.9999", "0"), ("0", "0")],
)  # fmt: skip
def test_coverage_by_manual_samples(week, k):
    assert survey({"system": 0, "manual": week}, 2) == sheet(k, 1)


@pytest.mark.parametrize(
    ("weeks", "k"),
    [((500, 500), "1"), ((400, 600), "1"), ((400, 599), "0.9"), ((0, 600), "0.9"), ((0, 599), "0.8"),
     ((200, 200, 199), "0"), ((200, 200, 200), "0.8")],
)  # fmt: skip
def test_weeks_count_by_their_mean(weeks, k):
    manual = {f"2026-W{30 + place}": samples for place, samples in enumerate(weeks)}
    assert survey({"system": 0, "manual": manual}, 2) == sheet(k, 1)


@pytest.mark.parametrize(("system", "manual", "k"), [("0.35", 0, "1"), ("0.05", 300, "0.9"), ("0.25", 250, "0.9")])
def test_the_better_route_counts(system, manual, k):
    assert survey({"system": system, "manual": manual}, 2) == sheet(k, 1)


@pytest.mark.parametrize(
    ("surveys", "k"),
    [("12", "1"), ("2", "1"), ("1.9999", "0.9"), ("1.5", "0.9"), ("1", "0.9"), ("0.9999", "0"), ("0.5", "0"),
     ("0", "0")],
)  # fmt: skip
def test_frequency(surveys, k):
    assert survey({"system": "0.3", "manual": 0}, surveys) == sheet(1, k)


# every "应达到……以上" of an indicator's own value, by the centre's system: exact, so one case decides
VALUES = [
    (A, "A.SE.1", "0.9"), (A, "A.SE.2", "0.8"), (A, "A.CH.1", "0.9"), (A, "A.CH.2", "0.85"),
    (B, "B.CS.1", "0.8"), (B, "B.CS.2", "0.85"), (B, "B.OE.1", "0.8"), (B, "B.OE.3", "0.9"),
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "id_", "target"), VALUES)
def test_thresholds_of_values(scheme, id_, target):
    exact = Fraction(target)
    step = Fraction(1, 10**9)
    # B.OE.1 also asks 稳定性得分 >= 75: met values alone leave it open
    met = "不能判定" if id_ == "B.OE.1" else "符合"
    for value, verdict in ((exact, met), (exact + step, met), (exact - step, "不符合"), (0, "不符合"), (1, met)):
        assert one(scheme, id_, value)["verdict"] == verdict, value


# every "评价得分应达到N分以上" of an indicator that has no other demand
SCORES = [("B.SQ.1", 85), ("B.SQ.2", 80), ("B.SQ.3", 80), ("B.SQ.4", 85)]


@pytest.mark.parametrize(("id_", "target"), SCORES)
def test_thresholds_of_scores(id_, target):
    for score, verdict in ((target, "符合"), (100, "符合"), (f"{target - 1}.9999999", "不符合"), (0, "不符合")):
        found = contract(B, indicators={id_: {"score": score}})
        assert indicator(found, id_)["verdict"] == verdict, score


@pytest.mark.parametrize(
    ("quantities", "verdict"),
    [
        ((10, 15, 20), "符合"),
        (("10.0001", 15, 20), "不符合"),
        ((10, "15.0001", 20), "不符合"),
        ((10, 15, "20.0001"), "不符合"),
        (("9.9999", 1, 1), "符合"),
        ((10, 15), "不能判定"),
        ((11,), "不符合"),
    ],
)
def test_agents_per_manager(quantities, verdict):
    names = [t.quantity.zh for t in card(A).line("A.SM.2").thresholds]
    given = {"quantities": dict(zip(names, quantities, strict=False)), "source": "documents"}
    assert indicator(contract(A, indicators={"A.SM.2": given}), "A.SM.2")["verdict"] == verdict


# 0006, chapters 10 and 11, in the text's order: clause, and what it demands ("1:10以内": at most ten agents each, X32;
# "30分钟以内", "≤": the limit itself is within; "以上", "≥" and 民法典1259: the number itself is enough)
AT_LEAST, AT_MOST = ">=", "<="
DEMANDS = [
    ("10.2.1", AT_MOST, "10"), ("10.2.1", AT_MOST, "15"), ("10.2.1", AT_MOST, "20"),
    ("10.3.1", AT_LEAST, "0.85"), ("10.3.1", AT_LEAST, "80"), ("10.3.2", AT_LEAST, "85"),
    ("10.3.3", AT_LEAST, "1"), ("10.3.3", AT_LEAST, "80"), ("10.3.4", AT_LEAST, "90"), ("10.3.4", AT_LEAST, "85"),
    ("11.2.1", AT_MOST, "3"), ("11.2.1", AT_MOST, "5"), ("11.2.1", AT_MOST, "2"), ("11.2.1", AT_MOST, "10"),
    ("11.2.1", AT_LEAST, "1000"), ("11.2.1", AT_LEAST, "100000"), ("11.2.1", AT_LEAST, "10000"),
    ("11.2.1", AT_LEAST, "10"), ("11.2.1", AT_LEAST, "0.999"), ("11.2.1", AT_MOST, "1800"),
    ("11.2.1", AT_MOST, "3600"), ("11.2.1", AT_MOST, "7200"),
    ("11.2.2", AT_LEAST, "1"), ("11.2.2", AT_LEAST, "85"),
    ("11.3.1", AT_LEAST, "1"), ("11.3.1", AT_MOST, "1800"),
    ("11.3.3", AT_LEAST, "1"), ("11.3.3", AT_LEAST, "80"), ("11.3.3", AT_MOST, "1800"), ("11.3.3", AT_LEAST, "85"),
    ("11.4.2", AT_MOST, "1800"), ("11.4.2", AT_LEAST, "0.9"),
    ("11.4.3", AT_LEAST, "0.999"), ("11.4.3", AT_MOST, "1800"), ("11.4.3", AT_LEAST, "0.95"),
    ("11.4.3", AT_LEAST, "0.9"),
]  # fmt: skip


def demanded():
    """The ids of what chapters 10 and 11 demand in numbers."""
    return [found.id for found in load(B).requirements if found.clause.startswith(("10.", "11."))]


def test_there_are_36_demands_without_a_weight():
    clauses = {one["id"]: one["clause"] for one in contract(B)["requirements"]}
    assert [clauses[id_] for id_ in demanded()] == [clause for clause, _, _ in DEMANDS]
    assert len(DEMANDS) == 36


@pytest.mark.parametrize("place", range(36))
def test_demands_without_a_weight(place):
    _, sense, bound = DEMANDS[place]
    id_ = demanded()[place]
    limit, step = Fraction(bound), Fraction(1, 10**6)
    worse = limit + step if sense == AT_MOST else limit - step
    better = limit if bound == "1" else 2 * limit - worse  # nothing covers more than 100 %
    for value, verdict in ((limit, "符合"), (better, "符合"), (worse, "不符合")):
        found = contract(B, requirements={id_: {"value": value}})
        assert next(one for one in found["requirements"] if one["id"] == id_)["verdict"] == verdict, value
        assert found["composite"]["low"] == 0  # never scored (X34)
        assert found["composite"]["high"] == 203


# what an indicator of 0006 asks beside its own value or score: (score given with it, quantity, sense, bound)
BESIDE = [
    ("B.CS.3", 75, "客户流失率", AT_MOST, "0.2"), ("B.OE.4", 75, "员工排班合理性评价得分", AT_LEAST, "80"),
    ("B.TS.1", 85, "系统可用性", AT_LEAST, "0.999"), ("B.TS.2", 80, "技术支持响应时间", AT_MOST, "1800"),
    ("B.TS.3", 90, "每日数据备份次数", AT_LEAST, "1"), ("B.TS.4", 80, "系统响应时间", AT_MOST, "3"),
]  # fmt: skip


@pytest.mark.parametrize(("id_", "score", "quantity", "sense", "bound"), BESIDE)
def test_demands_beside_the_score(id_, score, quantity, sense, bound):
    limit, step = Fraction(bound), Fraction(1, 10**6)
    worse = limit + step if sense == AT_MOST else limit - step

    def verdict(points, value):
        given = {"score": points, "source": "documents"}
        if value is not None:
            given["quantities"] = {quantity: value}
        return indicator(contract(B, indicators={id_: given}), id_)["verdict"]

    assert verdict(score, limit) == "符合"
    assert verdict(score, worse) == "不符合"
    assert verdict(Fraction(score) - step, limit) == "不符合"
    assert verdict(score, None) == "不能判定"
    assert verdict(Fraction(score) - step, None) == "不符合"


def test_complaints_of_0006_ask_three_things():
    names = ("投诉按期办结率", "投诉处理满意度", "投诉处理规范性评价得分")
    exact = ("0.9", "0.85", 80)
    for place, under in ((None, None), (0, "0.8999999"), (1, "0.8499999"), (2, "79.9999999")):
        values = [under if at == place else value for at, value in enumerate(exact)]
        given = {"score": 50, "quantities": dict(zip(names, values, strict=True)), "source": "system"}
        found = indicator(contract(B, indicators={"B.CS.4": given}), "B.CS.4")
        assert found["verdict"] == ("符合" if place is None else "不符合")


def test_service_level_of_0006_asks_for_steadiness_too():
    for steadiness, verdict in ((75, "符合"), ("74.9999999", "不符合")):
        given = {"value": "0.8", "quantities": {"服务水平稳定性评价得分": steadiness}, "source": "system"}
        assert indicator(contract(B, indicators={"B.OE.1": given}), "B.OE.1")["verdict"] == verdict


@pytest.mark.parametrize(
    ("id_", "p0", "n", "ks"),
    [
        # domain 3.1: >= 80 %, n = 50: met up to 5 failures, missed from 16 on; >= 90 %: up to 1 and from 10 on
        ("A.SE.2", "0.8", 50, {50: "符合", 45: "符合", 44: "不能判定", 35: "不能判定", 34: "不符合", 0: "不符合"}),
        ("A.CH.1", "0.9", 50, {50: "符合", 49: "符合", 48: "不能判定", 41: "不能判定", 40: "不符合"}),
        ("A.CH.1", "0.9", 20, {20: "不能判定", 16: "不能判定", 15: "不符合"}),
        ("A.CH.1", "0.9", 1000, {916: "符合", 915: "不能判定", 884: "不能判定", 883: "不符合"}),
        ("A.CH.2", "0.85", 19, {19: "符合", 18: "不能判定"}),
        ("A.CH.2", "0.85", 18, {18: "不能判定"}),
        ("A.CH.2", "0.85", 30, {29: "符合", 28: "不能判定"}),
    ],
)
def test_a_sample_decides_three_ways(id_, p0, n, ks):
    for k, verdict in ks.items():
        assert shown(k, n, p0) == verdict, (k, n)  # the table of domain 3.1 agrees with the definition
        given = {"value": Fraction(k, n), "n": n, "source": "survey"}
        assert indicator(contract(A, indicators={id_: given}), id_)["verdict"] == verdict, (k, n)


@pytest.mark.parametrize("n", [7, 33, 60, 250])
@pytest.mark.parametrize(("scheme", "id_", "p0"), [(A, "A.CH.2", "0.85"), (B, "B.CS.2", "0.85"), (B, "B.CS.1", "0.8")])
def test_a_survey_by_its_definition(scheme, id_, p0, n):
    for k in sorted({0, n, *range(int(n * 0.7), n + 1, 1 + n // 40)}):
        given = {"value": Fraction(k, n), "n": n, "source": "survey"}
        found = indicator(contract(scheme, indicators={id_: given}), id_)
        assert found["verdict"] == shown(k, n, p0), (k, n)


def test_calls_of_exactly_20_s_are_in_time():
    waits = [20.0] * 3 + [20.001]
    metrics = compute(table([voice(number, wait=wait) for number, wait in enumerate(waits)]))
    found = card(A, metrics).line("A.SE.2")
    assert found.value == Fraction(3, 4)


@pytest.mark.parametrize(
    ("score", "a", "b"),
    [
        ("59.99", None, None), ("59.9999999999", None, None), ("60", 0, 3), ("79", 0, 3), ("79.5", 0, 3),
        ("79.9999999999", 0, 3), ("80", 3, 4), ("89", 3, 4), ("89.5", 3, 4), ("89.9999999999", 3, 4), ("90", 4, 5),
        ("94", 4, 5), ("94.5", 4, 5), ("94.9999999999", 4, 5), ("95", 5, 5), ("100", 5, 5), ("0", None, None),
    ],
)  # fmt: skip
def test_stars(score, a, b):
    found = contract(C, occasions=[one_for_all(score)], maturity=all_five(), gate="passed")
    assert found["composite"]["literal"] == number(score)
    assert (found["stars"]["stars"], found["stars"]["other"]) == (a, b)


@pytest.mark.parametrize(
    ("score", "half_up", "floor"),
    [("59.4999", None, None), ("59.5", 0, None), ("79.4999", 0, 0), ("79.5", 3, 0), ("89.4999", 3, 3), ("89.5", 4, 3),
     ("94.4999", 4, 4), ("94.5", 5, 4), ("94.9999", 5, 4), ("95", 5, 5)],
)  # fmt: skip
def test_stars_rounded(score, half_up, floor):
    for how, stars in (("half_up", half_up), ("floor", floor)):
        found = contract(
            C, occasions=[one_for_all(score)], maturity=all_five(), gate="passed", readings={"star.rounding": how}
        )
        assert found["stars"]["stars"] == stars, how


def one_for_all(score):
    alpha = Fraction(score) / 100
    items = [found.id for _, found in load(C).indicators()]
    return {"id": "o1", "rater": "r1", "alpha": dict.fromkeys(items, alpha)}


def all_five():
    return {item.id: 5 for item in load(C).maturity.items}


@pytest.mark.parametrize(
    ("level", "low", "high"),
    [("远低于预期", "0", "0.2"), ("低于预期", "0.2", "0.4"), ("符合预期", "0.4", "0.6"), ("高于预期", "0.6", "0.8"),
     ("远高于预期", "0.8", "1")],
)  # fmt: skip
def test_levels_of_alpha(level, low, high):
    items = [found.id for _, found in load(C).indicators()]
    occasions = [{"id": "o1", "rater": "r1", "alpha": dict.fromkeys(items, level)}]
    for how, alpha in (("midpoint", (Fraction(low) + Fraction(high)) / 2), ("upper", Fraction(high))):
        found = contract(C, occasions=occasions, readings={"alpha.from_likert": how})
        assert found["composite"]["literal"] == number(100 * alpha)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"value": "0.87", "source": "survey"}, "不能判定"),  # how many were asked is not said
        ({"value": "0.87", "n": 150, "source": "survey"}, "不能判定"),
        ({"value": "0.87", "n": 150}, "不能判定"),  # a number of cases makes a sample of it, whoever typed it
        ({"value": "0.87", "n": 150, "source": "system"}, "符合"),
        ({"value": "0.95", "n": 150, "source": "survey"}, "符合"),
    ],
)
def test_a_blank_cell_makes_no_census_of_a_sample(given, verdict):
    assert indicator(contract("CMM-525-0005", indicators={"A.CH.2": given}), "A.CH.2")["verdict"] == verdict


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(45, "不能判定"), (59, "不能判定"), (60, "符合"), (1800, "符合"), (1801, "不符合")]
)
def test_minutes_typed_where_seconds_are_read_are_no_pass(seconds, verdict):
    blocks = {"requirements": {"B.R.11.2.1.3.2": {"value": seconds}}}  # <= 30 minutes
    found = next(one for one in contract("CMM-525-0006", **blocks)["requirements"] if one["id"] == "B.R.11.2.1.3.2")
    assert found["verdict"] == verdict
    given = {"B.TS.2": {"quantities": {"技术支持响应时间": seconds}}}
    limits = indicator(contract("CMM-525-0006", indicators=given), "B.TS.2")["thresholds"]
    assert next(one for one in limits if one["quantity"] == "技术支持响应时间")["verdict"] == verdict
