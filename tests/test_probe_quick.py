"""`make probe`: the quick plan against the sandbox centre, held against the centre's truth log."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import calibration
from harness.ledger.ledger import Ledger
from probes.session import Session
from results.reasons import in_words
from tests.shopper import Ran, shopper

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run on which this machine kept up: a shared one may stand still for a while, and the harness says so."""
    for _ in range(3):
        done = shopper("probe", "--runs", tmp_path_factory.mktemp("runs of a user"), "--json")
        events = [event for session in done.folder.sessions() for event in session.timeline]
        if not any(event.kind == "stall" and event.data["seconds"] > 0.3 for event in events):
            return done
    pytest.fail("this machine stood still for more than 0.3 s in each of three runs: nothing can be measured on it")


@pytest.fixture(scope="module")
def pairs(ran: Ran) -> list[calibration.Pair]:
    return calibration.pair(list(ran.folder.sessions()), ran.folder.sandbox / "truth.jsonl")


def sessions(pairs: list[calibration.Pair], channel: str) -> list[Session]:
    return [pair.session for pair in pairs if pair.session.attempt.channel == channel]


def test_it_is_complete_and_says_so(ran: Ran) -> None:
    assert ran.code == 0, ran.err
    assert ran.document["not_measured"] == []
    assert len(ran.document["outcomes"]) == 20


def test_every_outcome_is_what_the_centre_really_did(pairs: list[calibration.Pair]) -> None:
    assert len(sessions(pairs, "voice")) == 12
    assert len(sessions(pairs, "chat")) == 8
    assert {p.session.attempt.id: p.session.outcome for p in pairs} == {p.session.attempt.id: p.outcome for p in pairs}


def test_nineteen_of_twenty_instants_of_answered_calls_are_within_half_a_second(
    pairs: list[calibration.Pair],
) -> None:
    answered = [p for p in pairs if p.session.attempt.channel == "voice" and p.session.outcome == "ANSWERED"]
    errors = calibration.instant_errors(answered)

    assert len(errors) == 3 * 7
    assert sum(abs(error.error_s) <= 0.5 for error in errors) >= 0.95 * len(errors), errors


def test_every_reply_of_a_chat_is_found_and_stamped(pairs: list[calibration.Pair]) -> None:
    found = calibration.describe(calibration.reply_errors(pairs))

    assert found["n"] >= 40
    assert found["missed"] == 0
    assert found["p50"] < 0.05  # the 95th percentile depends on the machine's load: make bench prints it


def test_a_live_agent_is_never_guessed_at_and_a_chat_is_judged(pairs: list[calibration.Pair]) -> None:
    for session in sessions(pairs, "voice"):
        assert session.judgement.resolution != "resolved"
        if session.outcome == "ANSWERED":
            assert session.judgement.resolution == "unknown"
            assert session.review
    assert {session.judgement.resolution for session in sessions(pairs, "chat")} == {"resolved"}


def test_the_ledger_the_table_and_the_evidence_agree(ran: Ran) -> None:
    folder = ran.folder
    ledger = Ledger(f"sqlite:///{folder.attempts}")
    rows = ledger.attempts(folder.id)
    ledger.close()
    table = folder.read_observations()

    assert [row.state for row in rows] == ["ended"] * 20
    assert {row.id: row.outcome for row in rows} == ran.document["outcomes"]
    assert dict(zip(table["attempt"], table["outcome"], strict=True)) == ran.document["outcomes"]
    for session in folder.sessions():
        kinds = {item.kind for item in session.evidence}
        assert kinds >= ({"recording"} if session.attempt.channel == "voice" else {"transcript", "screenshot"})
        assert all(folder.evidence(session, item).stat().st_size == item.bytes for item in session.evidence)


def test_a_recording_is_as_long_as_its_call(ran: Ran) -> None:
    import wave

    for session in ran.folder.sessions():
        if session.outcome == "ANSWERED" and session.attempt.channel == "voice":
            assert session.instants.end is not None
            with wave.open(str(ran.folder.session_dir(session.attempt.id) / "call.wav")) as file:
                assert file.getnframes() / 8000 == pytest.approx(session.instants.end.t, abs=0.5)


def test_scores_and_report_can_be_made_again_from_the_sessions(ran: Ran) -> None:
    before = ran.folder.metrics.read_bytes()
    again = shopper("score", ran.folder.path, "--json")

    assert again.code == 0
    assert ran.folder.metrics.read_bytes() == before
    assert again.document["scorecard"]["scheme"] == ran.document["scorecard"]["scheme"]
    page = Path(shopper("report", ran.folder.path, "--lang", "en").out.strip())
    assert "Sandbox" in page.read_text() or "沙箱" in page.read_text()


def test_every_reason_can_be_read_in_chinese(ran: Ran) -> None:
    reasons = {reason for s in ran.folder.sessions() for reason in [s.reason, *s.review] if reason}
    assert reasons
    assert [reason for reason in reasons if in_words(reason, "zh") == reason] == []


def test_no_persona_is_named_in_the_report(ran: Ran) -> None:
    page = ran.folder.report.read_text(encoding="utf-8")
    for session in ran.folder.sessions():
        assert session.persona["name"] not in page
