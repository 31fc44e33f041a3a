"""Lines that are hard to hear, in real calls, none of their recordings listed: the outcome is right, or left open.

Two calls to each line, so that recordings can be told from people.
"""

import asyncio

import pytest

from harness.bench.strangers import Dialled, dial
from harness.sandbox.centre import HOSTILE_LINES

pytestmark = [pytest.mark.realtime, pytest.mark.long, pytest.mark.timeout(540)]

NAMES = [name for lines in HOSTILE_LINES.values() for name in lines]
INSTANTS = {"queue": "queue", "agent": "answer", "first_word": "first_word"}  # truth -> instant
NOBODY = {"inaudible", "answers-and-goes", "call-back"}


@pytest.fixture(scope="module")
def dialled(tmp_path_factory) -> Dialled:
    """Two calls to each hostile line, and two to the one that offers a call-back."""
    calls = [("S01", name, 2) for name in [*NAMES, "call-back"]]
    return asyncio.run(dial(tmp_path_factory.mktemp("hostile"), calls, hostile=True, seed=31, at_once=15))


def of(dialled, line):
    return [one for one in dialled.measured if one.session.attempt.entry == line]


def errors(one):
    """Seconds, found minus true, of every instant that both have."""
    session = one.session
    return {
        instant: getattr(session.instants, instant).t + session.anchor_monotonic - row["t_mono"]
        for event, instant in INSTANTS.items()
        if (row := one.first(event)) is not None and getattr(session.instants, instant) is not None
    }


@pytest.mark.parametrize("line", sorted(set(NAMES) - NOBODY))
def test_the_agent_is_found_or_a_person_is_asked(dialled, line):
    for one in of(dialled, line):
        session = one.session
        # An announcement between silences may be answered like a person: then it is our fault, and counts for nobody.
        ours = line == "announces" and str(session.outcome) == "INVALID"
        assert ours or str(session.outcome) == "ANSWERED" or not session.certain, session.reason
        if session.certain and not ours:
            assert abs(errors(one)["first_word"]) < 0.6, errors(one)


@pytest.mark.parametrize("line", NAMES)
def test_nobody_is_taken_for_an_agent_while_a_recording_plays(dialled, line):
    for one in of(dialled, line):
        answer, agent = one.session.instants.answer, one.first("agent")
        if answer is not None and one.session.certain:
            assert agent is not None
            early = 1.0 if line == "over-ringback" else 0.7  # there the last burst of ringing is not over yet
            assert answer.t + one.session.anchor_monotonic > agent["t_mono"] - early


def test_an_agent_who_is_silent_at_first_was_connected_before(dialled):
    for one in of(dialled, "speechless"):
        assert not one.session.certain or abs(errors(one)["answer"]) < 0.5, errors(one)


def test_a_line_that_is_not_heard_is_our_fault_until_it_is_known_to_be_theirs(dialled):
    assert {str(one.session.outcome) for one in of(dialled, "inaudible")} == {"INVALID"}


def test_an_answer_and_a_bye_is_nobody(dialled):
    assert {str(one.session.outcome) for one in of(dialled, "answers-and-goes")} == {"NET_FAIL"}


def test_a_call_back_without_words_is_left_open(dialled):
    for one in of(dialled, "call-back"):
        assert str(one.session.outcome) in ("CALLBACK", "DROPPED")
        assert one.session.review


def test_gaps_without_packets_do_not_shift_the_call(dialled):
    for one in of(dialled, "no-packets"):
        assert any(event.kind in ("rtp_gap", "first_audio") for event in one.session.timeline)
        assert abs(errors(one)["queue"]) < 0.3
