"""What an accreditor's engineer asks of a scorecard: is each word true, does each switch do what it says."""

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from harness.score import weekly
from probes.session import Outcome
from results.observe import table
from scenarios.errors import InputsError
from scoring.defects import Readings
from scoring.inputs import Inputs, check
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorer import score
from scoring.statistics import Verdict
from tests.scored_inputs import TODAY, card, codes, contract, indicator, load, scores, warning
from tests.session_factory import voice

A, B, C, D = "CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026", "CMM-525-0002"
ITEMS = [one.id for _, one in load_scheme(C).indicators()]
LEVELS = [one.id for one in load_scheme(C).maturity.items]


def system(value, **more):
    return {"value": value, "source": "system", **more}


def probed(answered, dropped=0, wait=3.0):
    calls = [voice(n, wait=wait) for n in range(answered)]
    return compute(table([*calls, *(voice(answered + n, Outcome.DROPPED, wait=8.0) for n in range(dropped))]))


def rated(*alphas, raters="r1", **more):
    each = [dict.fromkeys(ITEMS, str(alpha)) if not isinstance(alpha, dict) else alpha for alpha in alphas]
    raters = raters if isinstance(raters, list) else [raters] * len(each)
    found = [{"id": f"o{n}", "rater": r, "alpha": a} for n, (a, r) in enumerate(zip(each, raters, strict=True))]
    return {"occasions": found, **more}


# --- uncertainty


def spread(**blocks):
    return contract(A, **blocks)["composite"]["uncertainty"]


def test_a_floor_counts_for_every_draw():
    # 65 s give or take 3 s are beyond a floor of 60 s with a chance of 99.95 %: nothing is earned, and nothing is open
    given = {"A.SE.3": {"value": 65, "low": 62, "high": 68}}
    found = contract(A, indicators=given, readings={"asa.floor_s": 60})
    line = indicator(found, "A.SE.3")
    assert (line["coefficient"], line["possible_coefficients"], line["low"], line["high"]) == (0, [0], 0, 0)
    assert found["composite"]["uncertainty"]["chances"]["A.SE.3"]["0.0"] > 0.999
    assert found["composite"]["uncertainty"]["high"][2] == 163 - 8


def test_rounding_and_boundary_count_for_every_draw():
    # a share of 89.6 % give or take 0.4 points: over 89.5 % it is 90 % where whole percents are compared
    given = {"A.SE.1": {"value": "0.896", "low": "0.892", "high": "0.9"}}
    plain = spread(indicators=given)["chances"]["A.SE.1"]
    whole = spread(indicators=given, readings={"rounding.decimals": 0})["chances"]["A.SE.1"]
    ends = spread(indicators=given, readings={"rounding.decimals": 0, "bands.boundary": "upper_inclusive"})
    assert plain["1.0"] == pytest.approx(0.025, abs=0.005)
    assert whole["1.0"] == pytest.approx(0.688, abs=0.012)  # the normal distribution over -0.49 deviations
    assert ends["chances"]["A.SE.1"]["1.0"] == 0  # 90.4 % is 90 % and in the lower band, 90.5 % is 4.4 deviations away


def test_a_value_that_is_certain_of_its_band_still_says_so():
    found = spread(metrics=probed(400))
    assert found["chances"]["A.SE.1"]["1.0"] == 1


def test_no_share_is_drawn_beyond_one():
    given = {"A.SE.1": {"value": "0.99", "low": "0.9", "high": "1"}}
    found = spread(indicators=given, readings={"score_policy": {"A.SE.1": "value_times_coef"}})
    assert found["high"][2] <= 163
    found = spread(indicators={"A.SQ.1": {"value": "0.98", "low": "0.85", "high": "1", "source": "survey",
                   "factors": {"coverage": {"system": 1}, "frequency": {"surveys": 2}}, "points": {"调研质量": 2}}},
                   boost=scores({}))  # fmt: skip
    assert found["high"][2] <= 163


def test_an_interval_that_is_given_stands_before_one_of_n():
    wide = {"value": "0.85", "n": 5000, "source": "survey", "low": "0.78", "high": "0.91"}
    found = contract(A, indicators={"A.CH.2": wide})
    assert indicator(found, "A.CH.2")["verdict"] == "不能判定"  # n alone would have failed it by 85.9 %
    assert (
        indicator(contract(A, indicators={"A.CH.2": {**wide, "value": "0.87", "low": "0.86"}}), "A.CH.2")["verdict"]
        == "符合"
    )


def test_each_indicator_has_a_stream_of_its_own():
    alone = spread(metrics=probed(45, 5))["chances"]["A.SE.1"]
    other = {"A.CH.2": {"value": "0.8", "n": 40, "source": "survey"}}
    with_more = spread(metrics=probed(45, 5), indicators=other, readings={"score_policy": {"A.CH.2": "pass_fail"}})
    assert with_more["chances"]["A.SE.1"] == alone


def test_stars_are_chances_of_a_known_score_only():
    levels = {"maturity": dict.fromkeys(LEVELS, 4), "gate": "passed"}
    found = contract(C, **rated("0.93", "0.97", **levels))
    chances = found["composite"]["uncertainty"]["chances"]["stars"]
    assert chances["4"] == pytest.approx(0.25, abs=0.02)  # both draws 93; 95 and 97 are five stars
    assert contract(C, **rated("0.93", "0.97", **{**levels, "gate": "failed"}))["composite"]["uncertainty"][
        "chances"
    ] == {"stars": {"none": 1}}
    part = rated("0.93", {"C.1.1": "0.97"}, **levels)
    assert contract(C, **part)["composite"]["uncertainty"]["chances"] == {}


# --- stars, occasions


def test_the_other_reading_is_open_where_it_is_open():
    # 93 to 96 with five levels of maturity: by B five stars, by A four or five
    part = {item: "0.96" for item in ITEMS if item != "C.1.1"} | {"C.1.1": "0.96"}
    least = {item: alpha for item, alpha in part.items() if item != "C.1.3"}
    given = rated(least, maturity=dict.fromkeys(LEVELS, 5), gate="passed", readings={"star.reading": "B"})
    found = contract(C, **given)
    assert (found["composite"]["low"], found["composite"]["high"]) == (91.2, 96.2)
    assert found["stars"] == {**found["stars"], "stars": 5, "decided": True, "other": None, "other_possible": [4, 5]}
    assert "四星级 / 五星级" in warning(found, "T01")
    assert "不通过" not in warning(found, "T01")


def test_the_name_of_the_first_row_and_the_levels_are_in_the_document():
    given = rated("0.7", maturity=dict.fromkeys(LEVELS, 3), gate="passed", readings={"star.row1_label": "合格"})
    found = contract(C, **given)
    assert found["stars"]["label"] == "合格"
    assert found["maturity"]["items"] == dict.fromkeys(LEVELS, 3)
    assert "机构对该级别的称谓：合格" in warning(found, "T03")


def test_both_orders_of_the_mean_are_told():
    found = contract(C, **rated("0.9", "0.8", "0.6", raters=["r1", "r1", "r2"]))
    said = warning(found, "T06")  # raters 85 and 60: 72.5; all alike 76.6667
    assert ("72.5" in said, "76.6667" in said, "采用72.5" in said) == (True, True, True)
    turned = rated("0.9", "0.8", "0.6", raters=["r1", "r1", "r2"], readings={"mean.order": "pooled"})
    assert "采用76.6667" in warning(contract(C, **turned), "T06")


def test_upper_ends_of_the_scale_are_not_called_mid_points():
    words = rated(dict.fromkeys(ITEMS, "远高于预期"), readings={"alpha.from_likert": "upper"})
    found = contract(C, **words)
    assert found["composite"]["literal"] == 100
    assert "中点" not in warning(found, "T04")
    assert "取上限" in warning(found, "T04")


# --- words that must be true


def test_the_two_figures_of_satisfaction_keep_their_names():
    given = {"A.SQ.1": {"value": "0.9", "source": "survey", "points": {"调研质量": 2},
             "factors": {"coverage": {"system": "0.35"}, "frequency": {"surveys": "1.5"}}}}  # fmt: skip
    plain, turned = (warning(contract(A, indicators=given, readings=readings), "X22")
                     for readings in ({}, {"satisfaction.mode": "multiplicative"}))  # fmt: skip
    assert plain == turned
    assert "打分表92.3333分，系数连乘81分" in plain


def test_a_rule_that_is_not_yet_in_force_has_not_expired():
    found = contract(A, today=date(2024, 12, 31))
    assert "到期" not in warning(found, "X01")
    assert "自2025-01-01起生效" in warning(found, "X01")
    assert found["in_force"] is False


def test_no_plan_and_no_executor_are_invented():
    bare = contract(A, metrics=probed(5))
    assert "采用经审核组长批准" not in warning(bare, "X02")
    assert "未注明实施方" in warning(bare, "X12")
    said = {"plan.reference": "P-7", "campaign.executed_by": "certification_body"}
    found = contract(A, metrics=probed(5), readings=said)
    assert "经审核组长批准的测试方案（编号P-7）" in warning(found, "X02")
    assert "由认证机构实施" in warning(found, "X12")
    other = contract(A, metrics=probed(5), readings={"campaign.executed_by": "某公司"})
    assert "由某公司实施" in warning(other, "X12")


def test_contacts_that_count_are_said_to_count():
    readings = {
        "campaign.commissioned_by": "applicant",
        "campaign.executed_by": "某公司",
        "coverage.count_probes": True,
    }
    given = {"A.SQ.1": {"value": "0.9", "source": "survey", "factors": {"frequency": {"surveys": 2}}}}
    scheme = load(A)
    entered = check(Inputs.model_validate({"scheme": A, "indicators": given, "readings": readings}), scheme)
    found = score(probed(5), scheme, entered, TODAY, {"2026-W47": 350})
    assert next(part.got for part in found.line("A.SQ.1").parts if part.name.zh == "调研覆盖率") == Fraction(45, 10)
    assert ["按周计入" in one.text.zh for one in found.warnings if one.code == "X12"] == [True]


def test_nothing_is_said_of_probes_where_there_were_none():
    found = contract(A, indicators={"A.SE.1": system("0.9")})
    assert "没有模拟测试" in found["basis"]["zh"]
    assert "13.2.1" not in contract(C, **rated("0.8"))["basis"]["zh"]
    assert "X03" not in card(C, **rated("0.8")).composite.statement.zh
    assert "X03" in card(A).composite.statement.zh


def test_a_policy_warning_is_about_its_own_indicator():
    given = {"A.SE.1": system("0.95"), "A.SE.2": system("0.7")}
    found = contract(A, indicators=given, readings={"score_policy": {"A.SE.2": "attainment_linear"}})
    assert "读法已改" not in warning(found, "X05") + warning(found, "X27") + warning(found, "X28")
    chosen = {"score_policy": {"A.SQ.1": "value_times_coef"}}
    satisfied = {"A.SQ.1": {"value": "0.9", "factors": {"coverage": {"system": "0.3"}, "frequency": {"surveys": 2}}}}
    assert "整体满意度" in warning(contract(A, indicators=satisfied, readings=chosen), "X05")


def test_definitions_are_told_beside_the_centres_own_figure_too():
    found = contract(A, metrics=probed(30), indicators={"A.SE.1": system("0.95"), "A.SE.3": system(4)})
    assert {"X15", "X16"} <= set(codes(found))
    assert not {"X15", "X16"} & set(codes(contract(A, indicators={"A.SE.1": system("0.95")})))


def test_a_week_is_short_of_the_band_that_was_taken():
    weeks = {"system": "0.35", "manual": {"2026-W30": 300, "2026-W31": 700}}
    given = {"A.SQ.1": {"value": "0.9", "source": "survey", "factors": {"coverage": weeks}}}
    # both routes give 1.0, then the system's alone: a week of the other route is short of nothing that counts
    alone = {**weeks, "manual": {"2026-W30": 250, "2026-W31": 340}}  # mean 295: 0.8
    assert "X24" not in codes(contract(A, indicators={"A.SQ.1": {**given["A.SQ.1"], "factors": {"coverage": alone}}}))


def test_sheets_whose_points_were_set_are_not_missing():
    rows = {"服务流程规范性": 10, "服务用语规范性": 10}
    found = contract(A, readings={"dtable.override": {"A.SQ.3": rows}})
    assert "服务规范性打分表" not in warning(found, "X20")
    assert "服务专业性打分表" in warning(found, "X20")


def test_checks_of_staff_and_of_plans_have_a_warning_each():
    staff, plans = ({"checks": {id_: {"met": True}}} for id_ in ("D.K.11.7.1.1", "D.K.9.3.1.4"))
    assert {"Z02", "Z03"} & set(codes(contract(D, **staff))) == {"Z02"}
    assert {"Z02", "Z03"} & set(codes(contract(D, **plans))) == {"Z03"}


def test_figures_of_the_application_are_said_to_be_unscored():
    name = load(D).application[0].name.zh
    assert "Z07" in codes(contract(D, application={name: {"target": "0.9"}}))
    assert "Z07" not in codes(contract(D))


# --- switches


STATED = [
    (A, "rules.supersedes", "CMM-525-0005-2027", "X01", {}),
    (A, "certificate.validity_months", 36, "X04", {}),
    (A, "period.system", "2026年第三季度", "X06", {"indicators": {"A.SE.1": system("0.9")}}),
    (A, "period.probe", "2026年11月", "X06", {"indicators": {"A.SE.1": system("0.9")}}),
    (A, "complaint.limit_days", 15, "X29", {"indicators": {"A.CH.1": system("0.9")}}),
    (B, "probe.max_concurrent", 3, "X36", {"requirements": {"B.R.11.2.1.2.1": {"met": True}}}),
    (A, "survey.satisfied_levels", "4、5", "X44", {"indicators": {"A.SQ.2": system("0.9")}}),
    (A, "nc.severity_map", {"A.CH.1": "轻微"}, "X03", {}),
    (D, "mapping.characteristics", {"D.F.1.1": "D.C.4.1"}, "Z06", {"metrics": probed(3)}),
    (A, "verdict.pass_score", 100, "X03", {}),
]


@pytest.mark.parametrize(("scheme", "key", "value", "code", "blocks"), STATED, ids=[one[1] for one in STATED])
def test_what_is_stated_stands_in_document_and_warning(scheme, key, value, code, blocks):
    found = contract(scheme, **blocks, readings={key: value})
    text = next(one for one in found["statements"] if one["key"] == key)
    assert str(next(iter(value.values())) if isinstance(value, dict) else value) in text["text"]
    assert text["text"] in warning(found, code)
    assert key not in [one["key"] for one in contract(scheme, **blocks)["statements"]]


def test_periods_of_the_inputs_and_of_the_calls_are_stated():
    period = {"system": {"first": "2026-08-01", "last": "2026-10-31"}}
    found = contract(A, metrics=probed(3), period=period, indicators={"A.SE.1": system("0.9")})
    said = {one["key"]: one["text"] for one in found["statements"]}
    assert "2026-08-01至2026-10-31" in said["period.system"]
    assert "2026-11-20至2026-11-20" in said["period.probe"]


@pytest.mark.parametrize(("mapping", "said"), [("boost", "1.5–8.5分，满分10分"), ("none", "留空")])
def test_the_line_on_innovation_is_filled_from_the_boost_or_left_empty(mapping, said):
    found = contract(A, boost={"A.IN.1": {"score": 50}}, readings={"mapping.innovation": mapping})
    assert said in next(one["text"] for one in found["statements"] if one["key"] == "mapping.innovation")
    assert said in warning(found, "X33")
    assert "mapping.innovation" not in [one["key"] for one in contract(A)["statements"]]


def test_severities_stand_beside_the_candidates():
    given = {"indicators": {"A.CH.1": system("0.8")}, "requirements": {"A.R.9.2.3.3": {"value": 0}}}
    found = contract(A, **given, readings={"nc.severity_map": {"A.CH.1": "严重"}})
    assert [(one["id"], one["severity"]) for one in found["candidates"]] == [("A.CH.1", "严重"), ("A.R.9.2.3.3", None)]
    with pytest.raises(InputsError, match=r"no indicator or requirement A\.CH\.9"):
        contract(A, readings={"nc.severity_map": {"A.CH.9": "严重"}})


def test_a_characteristic_is_shown_with_the_indicator_it_is_put_under():
    found = contract(D, readings={"mapping.characteristics": {"D.F.1.1": "D.C.4.1"}})
    assert [one["mapped"] for one in found["characteristics"]][:2] == ["D.C.4.1", None]


@pytest.mark.parametrize(
    ("mark", "mode", "verdict"),
    [
        (23, "literal", "符合"),  # 15 and 8 of 163 are sure, 140 are open
        (23.1, "literal", "不能判定"),
        (163, "literal", "不能判定"),
        (163.1, "literal", "不符合"),
        (15.8, "normalised", "符合"),  # 23/145
        (15.9, "normalised", "不能判定"),
        (100.1, "normalised", "不符合"),
    ],
)
def test_a_pass_mark_of_ones_own_is_held_against_the_range(mark, mode, verdict):
    given = {"A.SE.1": system("0.95"), "A.SE.3": system(4)}
    found = contract(A, indicators=given, readings={"verdict.pass_score": mark, "composite.mode": mode})["composite"]
    assert (found["pass_score"], found["pass_verdict"]) == (float(mark), verdict)


def test_a_pass_mark_takes_the_uncertainty_into_account():
    everything = scores({i.id: 80 for d, i in load(A).indicators() if not d.boost and i.id != "A.SE.1"})
    boost = scores({i.id: 80 for d, i in load(A).indicators() if d.boost})
    metrics = probed(45, 5)  # 0.9: full marks by the estimate, 0.9 or 0.8 of them as likely
    total = Fraction(148 * 80 + 15 * 100, 100)
    for mark, verdict in ((total, Verdict.OPEN), (total - Fraction(31, 10), Verdict.PASS), (total + 1, Verdict.FAIL)):
        found = card(A, metrics, indicators=everything, boost=boost, readings={"verdict.pass_score": float(mark)})
        assert found.composite.literal.value == total
        assert found.composite.pass_verdict is verdict


def test_no_pass_mark_no_verdict():
    found = contract(A)["composite"]
    assert (found["pass_score"], found["pass_verdict"]) == (None, None)


@pytest.mark.parametrize(
    ("id_", "policy"),
    [("A.SM.1", "coef_full_marks"), ("A.SE.3", "attainment_linear"), ("A.SE.3", "value_times_coef"),
     ("A.SE.2", "coef_full_marks"), ("A.SQ.2", "pass_fail"), ("A.SQ.3", "d_table"), ("A.SE.1", "points_times_alpha")],
)  # fmt: skip
def test_a_policy_that_cannot_be_carried_out_is_refused(id_, policy):
    with pytest.raises(InputsError, match=f"{id_} cannot be scored by {policy}"):
        contract(A, readings={"score_policy": {id_: policy}})


def test_one_number_serves_both_clauses_wherever_it_stands():
    there = contract(B, requirements={"B.R.10.3.1.2": {"value": 75}})
    assert indicator(there, "B.OE.4")["verdict"] == "不符合"
    assert "X38" in codes(there)
    here = contract(B, indicators={"B.OE.4": {"score": 90, "quantities": {"员工排班合理性评价得分": 85}}})
    assert [one["verdict"] for one in here["requirements"] if one["id"] == "B.R.10.3.1.2"] == ["符合"]


def test_availability_by_attempts_bounds_and_may_prove():
    few = contract(B, metrics=probed(30))
    asked = next(one for one in few["requirements"] if one["id"] == "B.R.11.2.1.3.1")
    assert (asked["verdict"], asked["n"]) == (None, 30)
    assert "9.5 %" in asked["note"]["zh"]  # 1 - 0.05^(1/30)
    assert "X37" in codes(few)


def test_what_a_person_scored_is_still_held_against_its_limit():
    found = contract(A, metrics=probed(40, 20), indicators={"A.SE.2": {"score": 90}})
    line = indicator(found, "A.SE.2")
    assert (line["score"], line["source"], line["verdict"]) == (90, "person", "不符合")  # 40 of 60 within 20 s


def test_parts_that_were_seen_say_what_was_seen():
    found = contract(A, metrics=probed(12), indicators={"A.SE.4": {"score": 70}})
    line = indicator(found, "A.SE.4")
    assert [one["metric"] for one in line["evidence"]] == line["supported_by"]
    assert line["evidence"][0] == {"metric": "voice.handling_time", "value": 22, "n": 12, "interval": None}


def test_a_gate_that_is_not_filled_in_leaves_a_failure_open():
    given = rated("0.85", maturity=dict.fromkeys(LEVELS, 3))
    assert contract(C, **given)["stars"]["possible"] == [None, 3]
    assert contract(C, **given, gate="passed")["stars"]["possible"] == [3]
    failed = contract(C, **given, gate="failed")["stars"]
    assert (failed["possible"], failed["decided"], failed["stars"]) == ([None], True, None)


def test_a_waived_item_has_no_score_at_all():
    given = rated(dict.fromkeys(ITEMS[1:], "0.8"), waived=[{"item": ITEMS[0], "reason": "远程"}])
    line = indicator(contract(C, **given), ITEMS[0])
    assert (line["waived"], line["score"], line["low"], line["high"]) == (True, None, None, None)


def test_every_key_of_the_document_is_explained():
    page = (Path(__file__).parent.parent / "docs" / "scoring.md").read_text(encoding="utf-8")
    given = rated("0.9", "0.8", maturity=dict.fromkeys(LEVELS, 3), gate="passed")
    for found in (contract(A, metrics=probed(9, 1), indicators={"A.SQ.1": {"value": "0.9"}}), contract(C, **given)):
        for key in found:
            assert f"`{key}`" in page
        parts = (found["composite"], found["stars"] or {}, found["maturity"] or {}, *found["dimensions"])
        lists = ("indicators", "requirements", "candidates", "characteristics", "application", "occasions", "warnings")
        for part in (*parts, *(one for name in lists for one in found[name])):
            assert [key for key in part if f"`{key}`" not in page] == []


def test_abandoned_calls_are_added_whichever_way_the_wait_ends():
    calls = compute(table([voice(1, wait=3.0), voice(2, wait=5.0), voice(3, Outcome.DROPPED, wait=8.0)]))
    both = {"asa.numerator": "all", "asa.end": "first_word"}  # (4.2 + 6.2 + 8)/2, the first word comes 1.2 s later
    assert float(card(A, calls, readings=both).line("A.SE.3").value) == pytest.approx(9.2)


@pytest.mark.parametrize("given", [100, "100", 100.0, "1e2"])
def test_a_number_of_a_switch_may_stand_in_quotes(given):
    assert contract(A, readings={"verdict.pass_score": given})["composite"]["pass_score"] == 100


@pytest.mark.parametrize("given", [float("nan"), float("inf"), "1/0", "12 points", "", True])
def test_what_is_no_number_is_refused_in_words(given):
    with pytest.raises(InputsError, match=r"pass_score is a number, not"):
        Readings({"verdict.pass_score": given})


def test_only_contacts_that_were_served_count_as_samples():
    outcomes = (Outcome.ANSWERED, Outcome.LIMIT, Outcome.DROPPED, Outcome.NET_FAIL, Outcome.IVR_FAIL, Outcome.INVALID)
    assert weekly(table([voice(n, outcome) for n, outcome in enumerate(outcomes)])) == {"2026-W47": 1}
