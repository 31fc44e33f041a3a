"""The scorecard claims what the evidence allows, and not one thing more."""

import json
from datetime import date
from fractions import Fraction

import pytest

from probes.session import Outcome
from results.observe import table
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorecard import Scorecard
from scoring.scorer import score
from scoring.statistics import Verdict
from tests.session_factory import a_run, chat, voice

TODAY = date(2026, 11, 21)
SCHEME = load_scheme("CMM-525-0005")


def card(*sessions, today=TODAY):
    return score(compute(table(sessions)), SCHEME, today=today)


def calls(answered, failed, wait=3.0):
    sessions = [voice(n, wait=wait) for n in range(answered)]
    return [*sessions, *(voice(answered + n, Outcome.DROPPED, wait=8.0) for n in range(failed))]


def codes(found):
    return [warning.code for warning in found.warnings]


@pytest.mark.parametrize(
    ("answered", "failed", "coefficient"), [(9, 1, "1"), (8, 2, "9/10"), (7, 3, "4/5"), (6, 4, "0"), (89, 11, "9/10")]
)
def test_connect_rate_boundaries_take_the_lower_inclusive_band(answered, failed, coefficient):
    found = card(*calls(answered, failed))
    line = found.line("A.SE.1")
    assert line.value == Fraction(answered, answered + failed)
    assert line.coefficient == Fraction(coefficient)
    assert line.score == 100 * Fraction(coefficient)
    assert line.weighted == 15 * Fraction(coefficient)
    on_boundary = answered + failed == 10 and answered in (8, 9)
    assert ("X13" in codes(found)) == on_boundary


def test_45_of_50_decides_nothing():
    line = card(*calls(45, 5)).line("A.SE.1")
    assert line.thresholds[0].verdict is Verdict.OPEN
    assert line.possible == (1, Fraction(9, 10), Fraction(4, 5))  # the interval spans three bands
    assert line.band_verdict == "undecided"
    assert line.score_range == (80, 100)
    assert line.interval == pytest.approx((0.7819, 0.9667), abs=5e-5)


def test_49_of_50_meets_and_40_of_50_does_not():
    good, bad = card(*calls(49, 1)), card(*calls(40, 10))
    assert good.line("A.SE.1").thresholds[0].verdict is Verdict.PASS
    assert bad.line("A.SE.1").thresholds[0].verdict is Verdict.FAIL
    assert [line.id for line in bad.candidates] == ["A.SE.1"]
    assert good.candidates == ()


def test_too_few_calls_say_how_many_it_would_take():
    note = card(*calls(12, 0)).line("A.SE.1").thresholds[0].note
    assert "29" in note.zh
    assert "29" in note.en


def test_timing_uncertainty_can_undo_a_verdict():
    sure = card(*calls(14, 0, wait=3.0)).line("A.SE.2").thresholds[0]
    near = card(*calls(14, 0, wait=19.9)).line("A.SE.2").thresholds[0]  # u of the wait is 0.15 s
    assert sure.verdict is Verdict.PASS
    assert near.verdict is Verdict.OPEN
    assert "14" in near.note.zh


def test_service_level_has_a_verdict_and_no_score():
    found = card(*calls(30, 0))
    line = found.line("A.SE.2")
    assert line.thresholds[0].verdict is Verdict.PASS
    assert (line.score, line.coefficient) == (None, None)
    assert {"X17", "X19", "X28"} <= set(codes(found))


def test_answer_speed_takes_the_mean_of_answered_calls_exactly():
    line = card(voice(1, wait=4.9), voice(2, wait=5.1)).line("A.SE.3")
    assert line.value == 5
    assert line.coefficient == 1
    assert line.unit == "seconds"


def test_answer_speed_interval_includes_the_timing_uncertainty():
    metrics = compute(table([voice(n, wait=4.0 + n / 10) for n in range(10)]))
    line = score(metrics, SCHEME, today=TODAY).line("A.SE.3")
    low, high = metrics.wait("voice.answer_speed").interval
    u = metrics.wait("voice.answer_speed").u
    assert line.interval == pytest.approx((low - 2 * u, high + 2 * u))


def test_a_slow_centre_keeps_its_0_6_but_is_flagged():
    found = card(voice(1, wait=30.0), voice(2, wait=40.0))
    assert found.line("A.SE.3").coefficient == Fraction(3, 5)
    assert "X31" in codes(found)
    assert "X31" not in codes(card(voice(1, wait=8.0)))


def test_missing_is_not_zero_but_a_range():
    found = card()
    assert {line.status for line in found.lines} == {"missing"}
    assert (found.composite.literal.low, found.composite.literal.high, found.composite.literal.full) == (0, 163, 163)
    assert (found.composite.normalised.low, found.composite.normalised.high) == (0, 100)
    assert found.composite.boost.full == 18
    assert all("未测量" in line.note.zh for line in found.lines)


def test_composite_literal_and_normalised():
    found = card(*calls(10, 0))  # connect rate 15, answer speed 8; the rest is open
    assert found.composite.base.low == 23
    assert found.composite.base.high == 145
    assert found.composite.normalised.low == Fraction(23 * 100, 145)
    lost = card(*calls(5, 5))  # coefficient 0: fifteen points are gone for good
    assert (lost.composite.base.low, lost.composite.base.high) == (8, 130)


def test_part_evidence_is_never_scored():
    line = card(*calls(10, 0)).line("A.SE.4")
    assert line.status == "supported"
    assert line.score is None
    assert set(line.supports) == {"voice.handling_time", "voice.transfer_rate"}  # no resolution: it was all unknown


def test_chat_never_enters_the_scores():
    voice_only, both = card(voice(1, wait=3.0)), card(voice(1, wait=3.0), chat(2), chat(3, Outcome.LIMIT))
    assert both.lines == voice_only.lines
    assert "X18" in codes(both)
    assert "X18" not in codes(voice_only)
    assert {line.status for line in card(chat(1)).lines} == {"missing"}


def test_only_the_warnings_that_apply():
    empty = set(codes(card()))
    assert {"X01", "X03", "X07", "X09"} <= empty
    assert not {"X02", "X05", "X11", "X13", "X14", "X15", "X16", "X17", "X18", "X22", "X23", "X24", "X31"} & empty
    full = codes(score(compute(table(a_run())), SCHEME, today=TODAY))
    assert {"X02", "X05", "X14", "X15", "X16"} <= set(full)
    assert full.count("X05") == 2  # 接通率 and 平均应答速度
    assert "X11" not in full, "there is no figure of the centre's own to disagree with"


def test_expiry_looks_at_the_report_and_at_the_calls():
    inside = date(2025, 3, 1)
    assert "X01" not in codes(score(compute(table([])), SCHEME, today=inside))
    assert "X01" in codes(card(voice(1), today=inside))  # the calls were made in 2026


def test_no_verdict_on_the_composite_and_it_says_why():
    found = card(*calls(49, 1))
    assert "X03" in found.composite.statement.zh
    assert not any(verdict.value in found.composite.statement.zh.replace("合格", "") for verdict in Verdict)
    assert "核查证据" in found.basis.zh


def test_placeholders_are_filled():
    for warning in score(compute(table(a_run())), SCHEME, today=TODAY).warnings:
        assert "{" not in warning.text.zh + warning.text.en


def test_json_loses_nothing():
    found = score(compute(table(a_run())), SCHEME, today=TODAY)
    assert Scorecard.model_validate_json(found.to_json()) == found
    line = next(line for line in json.loads(found.to_json())["lines"] if line["id"] == "A.SE.1")
    assert line["value"] == "2/3"
