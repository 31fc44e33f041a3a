"""A session becomes one flat row: every time from its instants and its timeline."""

import math

import pytest

from probes.session import Outcome
from results.observe import reply_times, table, to_row
from scenarios.errors import RunError
from scoring.observations import COLUMNS
from tests.session_factory import a_run, chat, event, instant, voice


def test_an_answered_call():
    row = to_row(voice(wait=6.0, talk=22.0))
    assert row["asked_human"]
    assert row["queued"]
    assert row["answered"]
    assert row["setup_s"] == 0.1
    assert (row["t_request_s"], row["t_queue_s"], row["t_answer_s"], row["t_end_s"]) == (6.2, 8.0, 14.0, 36.0)
    assert row["wait_s"] == 6.0
    assert row["wait_request_s"] == 7.8
    assert row["wait_first_word_s"] == 7.2
    assert row["wait_u_s"] == pytest.approx(math.hypot(0.02, 0.15))
    assert row["talk_s"] == 22.0
    assert math.isnan(row["in_queue_s"])
    assert math.isnan(row["first_response_s"])
    assert math.isnan(row["handoff_s"])
    assert row["reply_p50_s"] == 1.1  # the farewell got no reply
    assert row["transfers"] == 0
    assert (row["facts_expected"], row["facts_unknown"]) == (2, 2)
    assert row["needs_review"]
    assert "not transcribed" in row["review"]


@pytest.mark.parametrize(
    ("session", "in_queue"),
    [
        (voice(1, Outcome.LIMIT, limit=60.0), 60.0),
        (voice(1, Outcome.DROPPED, wait=31.0), 31.0),
        (voice(1, Outcome.CALLBACK, wait=14.0), 14.0),
        (voice(1, Outcome.INVALID, wait=10.0), 10.0),
    ],
)
def test_time_in_the_queue_when_nobody_came(session, in_queue):
    row = to_row(session)
    assert row["in_queue_s"] == in_queue
    assert not row["answered"]
    assert math.isnan(row["wait_s"])
    assert math.isnan(row["talk_s"])
    assert math.isnan(row["transfers"])


def test_a_chat_with_hand_off():
    row = to_row(chat(wait=4.0))
    assert row["setup_s"] == 0.8
    assert row["first_response_s"] == 0.5  # not the welcome, which came before our first message
    assert row["handoff_s"] == 4.3
    assert row["wait_s"] == 4.0
    assert row["reply_p50_s"] == pytest.approx(0.9)  # median of 0.5 and 1.3; the wait for a human is no reply


def test_the_wait_for_a_human_is_no_reply_time():
    assert reply_times(chat(wait=100.0).timeline) == [0.5, 1.3]


def test_a_second_agent_is_a_transfer():
    session = voice(wait=6.0)
    session.timeline.append(event("prompt", 20.0, id="transfer", role="transfer", text="正在转接"))
    assert to_row(session)["transfers"] == 1


def test_difference_is_rounded_to_the_clock_not_to_the_arithmetic():
    session = voice()
    session.instants.queue, session.instants.answer = instant(0.1), instant(20.1)
    assert to_row(session)["wait_s"] == 20.0  # 20.1 - 0.1 is not 20 in binary


def test_a_call_that_was_never_placed_has_no_times():
    row = to_row(voice(1, Outcome.MISSED))
    assert not row["asked_human"]
    assert all(math.isnan(row[c.name]) for c in COLUMNS if c.name.startswith("t_") or c.name == "setup_s")


def test_table_is_valid_and_keeps_the_order():
    rows = table(a_run())
    assert list(rows.columns) == [column.name for column in COLUMNS]
    assert list(rows["attempt"])[:2] == ["v001", "v002"]
    assert len(rows) == 20
    assert table([]).empty


def test_the_same_attempt_twice_is_refused():
    with pytest.raises(RunError, match="twice"):
        table([voice(1), voice(1)])
