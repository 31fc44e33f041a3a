"""``shopper plan preview`` and ``power`` as a user runs them, and the numbers behind them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from harness.authorisation import Authorisation
from harness.plan import LoadedPlan, Plan, draw_up
from harness.plan.outlook import look_ahead
from harness.plan.survey_coverage import survey_coverage
from probes.target import Target
from scenarios.catalogue import load
from tests.shopper import shopper

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCENARIOS = {"S01": load("S01").scenario}
TARGET = {"format": 1, "name": "测试", "lines": {"hotline": {"uri": "sip:95001@127.0.0.1"}}}
YEAR = datetime.now(UTC).year + 1  # the command asks the real clock
PLAN = {
    "format": 1,
    "name": "预览",
    "seed": 7,
    "window": {"from": f"{YEAR}-03-01", "to": f"{YEAR}-03-28"},
    "mix": [{"scenario": "S01", "share": 1}],
    "strata": [
        {"entry": "hotline", "channel": "voice", "days": "any", "hours": "09:00-12:00", "weight": 3, "volume": 20},
        {"entry": "hotline", "channel": "voice", "days": "any", "hours": "12:00-18:00", "weight": 1, "volume": 400},
    ],
    "size": {"n": 200},
    "expected_rate": "94 %",
}


def outlook(authorisation=None, **changes):
    plan = LoadedPlan.of(Plan.model_validate(PLAN | changes))
    target = Target.model_validate(TARGET)
    attempts = draw_up(plan, target, SCENARIOS, now=NOW, authorisation=authorisation)
    return look_ahead(plan, attempts, SCENARIOS, now=NOW, authorisation=authorisation)


def write(folder, **changes):
    (folder / "target.yaml").write_text(json.dumps(TARGET), encoding="utf-8")
    (folder / "plan.yaml").write_text(json.dumps(PLAN | changes), encoding="utf-8")
    return folder / "plan.yaml"


def test_the_command_shows_the_plan_and_its_json_agrees(tmp_path):
    ran = shopper("plan", "preview", "--plan", write(tmp_path), "--full", "--json", "--lang", "en")
    assert ran.code == 0
    document = ran.document
    assert len(document["attempts"]) == 200
    assert document["prospects"][0]["pass_failures"] == 12
    assert document["prospects"][0]["n_for_80_percent_power"] == 333
    assert document["covered"] == {"share": 63 / 168, "by": "time"}
    for word in ("Schedule (Asia/Shanghai)", f"{YEAR}-03-28", document["attempts"][-1]["id"], "undecided", "X12"):
        assert word in ran.err
    again = shopper("plan", "preview", "--plan", tmp_path / "plan.yaml")
    assert again.code == 0
    assert "不能判定" in again.out
    assert document["attempts"][-1]["id"] not in again.out


def test_a_plan_due_at_once_is_previewed_too(tmp_path):
    attempts = [{"scenario": "S01", "entry": "hotline", "channel": "voice", "count": 3}]
    plan = {"format": 1, "name": "x", "seed": 1, "attempts": attempts}
    path = write(tmp_path)
    path.write_text(json.dumps(plan), encoding="utf-8")
    ran = shopper("plan", "preview", "--plan", path, "--full", "--json")
    assert ran.code == 0
    assert [a["due"] for a in ran.document["attempts"]] == [None] * 3
    assert ran.document["survey"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("preview", "--plan", "nowhere.yaml"), "nowhere.yaml: there is no such file"),
        (("power", "--target-rate", "9", "--true-rate", "0.9", "--n", "5"), "--target-rate 9 is no rate"),
        (("power", "--target-rate", "0.9", "--true-rate", "x", "--n", "5"), "--true-rate x is no rate"),
        (("power", "--target-rate", "0.9", "--true-rate", "0.9", "--n", "0"), "--n 0 is no sample"),
        (("power", "--target-rate", "0.9", "--true-rate", "0.9", "--n", "5", "--lang", "fr"), "--lang fr is not a"),
    ],
)
def test_bad_input_ends_with_two_and_one_sentence(arguments, message):
    ran = shopper("plan", *arguments)
    assert ran.code == 2
    assert ran.err.startswith(f"shopper: {message}")
    assert ran.err.count("\n") == 1


def test_power_alone():
    ran = shopper("plan", "power", "--target-rate", "0.9", "--true-rate", "94%", "--n", 50, "--json", "--lang", "en")
    document = ran.document
    assert (document["pass_failures"], document["fail_failures"]) == (1, 10)
    assert (document["smallest_n"], document["n_for_80_percent_power"]) == (29, 333)
    chances = document["chances"]
    assert chances["passes"] == pytest.approx(0.94**50 + 50 * 0.06 * 0.94**49)
    assert sum(chances.values()) == pytest.approx(1)
    assert "meets with at most 1 failures" in ran.err
    none = shopper("plan", "power", "--target-rate", "0.9", "--true-rate", "0.9", "--n", 50, "--json")
    assert none.document["n_for_80_percent_power"] is None


def test_cost_is_priced_by_started_minutes_and_held_against_the_ceilings():
    signed = Authorisation.model_validate({
        "format": 1, "client": "x", "valid_from": f"{YEAR}-01-01", "valid_to": f"{YEAR}-12-31",
        "price": {"per_minute": 0.5, "per_call": 1}, "ceilings": {"minutes": 1000, "money": 500},
    })  # fmt: skip
    found = outlook(signed, expected_session_s=150, limits={"session_s": 300})
    assert (found.cost.minutes, found.cost.minutes_most) == (200 * 2.5, 200 * 5)
    assert (found.cost.money, found.cost.money_most) == (200 * 2.5, 200 * 3.5)
    told = [text.en for _, text in found.warnings]
    assert "The authorisation's ceiling of 500 CNY may be too low: 500 expected, 700 at most." in told
    assert not any("minutes" in text for text in told)
    assert outlook().cost.money is None


def test_load_over_one_percent_of_the_centre_is_warned_of():
    first, second = outlook().burdens
    assert first.hours == pytest.approx(28 * 3, rel=1e-3)
    assert first.load == pytest.approx(150 / 84 / 20, rel=1e-3)
    assert second.load < 0.01
    told = [text.en for _, text in outlook().warnings if "volume, more than" in text.en]
    assert len(told) == 1
    assert "hotline any 09:00-12:00" in told[0]


def test_share_of_the_week_is_by_volume_where_it_is_known():
    week = 7 * (3 * 20 + 6 * 400)
    assert outlook(weekly_volume=week).covered == 1
    found = outlook(weekly_volume=2 * week)
    assert (found.covered, found.covered_by) == (0.5, "volume")
    assert any("50% of the week by volume" in text.en for _, text in found.warnings)
    assert not any("of the week" in text.en for _, text in outlook(weekly_volume=week).warnings)


def test_uneven_weights_cost_precision():
    strata = [PLAN["strata"][0] | {"weight": 99}, PLAN["strata"][1]]
    (prospect,) = outlook(strata=strata, size={"n": 20}).prospects
    assert prospect.design_effect > 1
    assert prospect.effective_n < 20
    assert prospect.rule.n == prospect.effective_n


COUNTING = {"commissioned_by": "applicant", "executed_by": "consultancy", "count_probes": True}


@pytest.mark.parametrize(
    ("weekly", "coefficient"), [(500, "1"), (499, "9/10"), (300, "9/10"), (299, "4/5"), (200, "4/5"), (199, "0")]
)
def test_coverage_of_9_2_2_by_samples_a_week(weekly, coefficient):
    plan = Plan.model_validate(PLAN | COUNTING | {"window": {"from": "2026-11-30", "to": "2026-12-27"}})
    plan = plan.model_copy(update={"size": plan.size.model_copy(update={"n": weekly * 4})})
    attempts = draw_up(LoadedPlan.of(plan), Target.model_validate(TARGET), SCENARIOS, now=NOW)
    found = survey_coverage(plan, attempts)
    assert list(found.weeks) == ["2026-W49", "2026-W50", "2026-W51", "2026-W52"]
    assert (found.mean, found.least) == (weekly, min(found.weeks.values()))
    assert (found.coefficient, found.warning) == (Fraction(coefficient), None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"executed_by": "certification_body"}, "本次模拟测试由认证机构实施，不计入受审核方人工调研样本量。"),
        ({"commissioned_by": "certification_body"}, "未写明由受审核方委托"),
        ({"executed_by": None}, "未写明由受审核方委托"),
        ({"count_probes": False}, "评价员未确认"),
    ],
)
def test_probes_count_only_when_the_applicant_had_others_make_them(changes, words):
    found = outlook(**(COUNTING | changes))
    assert found.survey.coefficient is None
    code, text = found.survey.warning
    assert code == "X12"
    assert text.zh.startswith(words)
    assert (code, text) in found.warnings
