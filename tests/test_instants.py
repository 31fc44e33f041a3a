"""Which instants a timeline supports."""

from __future__ import annotations

from typing import Any

import pytest

from probes.instants import GREETING_DELAY_S, find
from probes.rehearing.outcomes import measured_instants
from probes.session import Event


def e(kind: str, t: float, method: str = "voice", **data: Any) -> Event:
    return Event(kind=kind, t=t, method=method, u=0.02, data=data)  # type: ignore[arg-type]


CALL = [e("dialled", 0), e("ringing", 0.2), e("connected", 3.0), e("prompt", 3.2, role="menu"), e("request", 9.0)]


def answer(*events: Event) -> tuple[float, float, float]:
    found = find([*CALL, *events])
    assert found.queue is not None
    assert found.answer is not None
    assert found.first_word is not None
    return found.queue.t, found.answer.t, found.first_word.t


def test_nothing_is_an_instant_before_a_human_was_asked_for() -> None:
    found = find(CALL[:-1])
    assert found.connected is not None
    assert (found.request, found.queue, found.answer, found.first_word) == (None, None, None, None)


def test_two_hundred_ok_and_the_ringing_before_the_menu_are_neither_queue_nor_answer() -> None:
    found = find(CALL)
    assert (found.queue, found.answer) == (None, None)


def test_the_earliest_sign_of_the_queue_counts_even_if_it_became_known_late() -> None:
    found = find([*CALL, e("music", 13.0), e("prompt", 9.5, role="transfer")])
    assert found.queue is not None
    assert found.queue.t == 9.5


def test_ringback_cut_off_marks_the_answer() -> None:
    assert answer(e("tone", 10, name="ringback"), e("tone_end", 15.4, latest=15.4), e("speech", 16.1)) == (
        10,
        15.4,
        16.1,
    )


def test_ringback_that_ended_by_itself_only_bounds_the_answer() -> None:
    late = answer(e("tone", 10, name="ringback"), e("tone_end", 11.0, latest=13.0), e("speech", 13.0))
    assert late == (10, pytest.approx(13.0 - GREETING_DELAY_S), 13.0)
    close = answer(e("tone", 10, name="ringback"), e("tone_end", 12.8, latest=13.0), e("speech", 13.0))
    assert close == (10, 12.8, 13.0)


def test_the_end_of_music_marks_the_answer() -> None:
    assert answer(e("music", 10), e("music_end", 40.0), e("speech", 40.7)) == (10, 40.0, 40.7)


def test_music_that_gives_way_to_ringback_does_not_mark_the_answer() -> None:
    ringing = [e("music", 10), e("music_end", 20.0), e("tone", 20.0, name="ringback"), e("tone_end", 21.0)]
    assert answer(*ringing, e("speech", 22.3)) == (10, pytest.approx(22.3 - GREETING_DELAY_S), 22.3)


def test_a_line_that_opens_before_the_word_marks_the_answer() -> None:
    ringing = [e("tone", 10, name="ringback"), e("tone_end", 11.0, latest=13.9)]
    assert answer(*ringing, e("line_open", 12.9), e("speech", 13.9)) == (10, 12.9, 13.9)
    as_the_word = answer(*ringing, e("line_open", 13.85), e("speech", 13.9))
    assert as_the_word == (10, pytest.approx(13.9 - GREETING_DELAY_S), 13.9)


def test_a_recorded_agent_number_is_the_answer_but_not_the_first_word() -> None:
    spoken = [e("music", 10), e("music_end", 40), e("prompt", 40.2, role="agent_id"), e("prompt_end", 42)]
    assert answer(*spoken, e("speech", 42.3)) == (10, 40.2, 42.3)


def test_speech_that_turns_out_to_be_a_recording_is_nobody() -> None:
    found = find([*CALL, e("music", 10), e("speech", 20.0), e("prompt", 20.0, role="queue"), e("prompt_end", 24.0)])
    assert found.answer is None


def test_in_a_chat_the_notice_connects_and_the_message_is_the_first_word() -> None:
    chat = [
        e("request", 5, "dom"),
        e("notice", 6, "dom", role="queue"),
        e("notice", 20, "dom", role="joined"),
        e("message", 23, "dom", speaker="agent", text="您好", end=23),
    ]
    found = find(chat)
    assert found.queue is not None
    assert found.answer is not None
    assert found.first_word is not None
    assert (found.queue.t, found.answer.t, found.first_word.t) == (6, 20, 23)


def test_a_plea_for_patience_connects_but_is_no_first_word() -> None:
    chat = [
        e("request", 5, "dom"),
        e("message", 9, "dom", speaker="agent", text="请稍等", confidence=1.0),
        e("message", 14, "dom", speaker="agent", text="请问您的卡号后四位", confidence=0.9),
    ]
    found = find(chat)
    assert found.answer is not None
    assert found.first_word is not None
    assert (found.answer.t, found.answer.confidence) == (9, 1.0)
    assert (found.first_word.t, found.first_word.confidence) == (14, 0.9)


def test_who_spoke_is_as_sure_as_the_page_makes_it_also_without_a_queue() -> None:
    found = find([e("request", 5, "dom"), e("message", 9, "dom", speaker="agent", text="您好", confidence=0.85)])
    assert found.answer is not None
    assert found.answer.confidence == 0.85


RUNG = [e("line_open", 8.9), e("music", 11.7), e("tone", 16.4, "tone", name="ringback"), e("music_end", 16.5)]


def broke_off(latest: float = 21.67) -> Event:
    return e("tone_end", 21.67, "tone", name="ringback", latest=latest)


def test_an_agent_who_is_silent_after_a_ringing_that_broke_off_was_connected_then() -> None:
    """Measured: the next tone began (its edge is a step, too), the line cut it off, 6 s later the agent spoke."""
    found = find([*CALL, *RUNG, e("line_open", 21.42), broke_off(), e("speech", 28.25)])
    assert found.answer is not None
    assert (found.answer.t, found.answer.confidence) == (21.67, 0.8)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param([broke_off(), e("speech", 28.25), e("line_open", 28.24)], id="digital silence in between"),
        pytest.param([broke_off(latest=25.4), e("speech", 28.25)], id="the ringing may have gone on"),
        pytest.param([broke_off(), e("speech", 40.0)], id="too long ago"),
    ],
)
def test_else_nobody_knows_when_a_silent_agent_was_connected(rest: list[Event]) -> None:
    found = find([*CALL, *RUNG, *rest])
    assert found.answer is not None
    assert found.answer.t > 25


def test_on_a_line_that_is_never_silent_a_broken_off_ringing_says_nothing() -> None:
    found = find([*CALL, *RUNG[1:], broke_off(), e("speech", 28.25)])
    assert found.answer is not None
    assert found.answer.t == 28.25 - GREETING_DELAY_S


@pytest.mark.parametrize(
    ("step", "low"),
    [pytest.param([], 12.0, id="the line was open"), pytest.param([e("line_open", 18.02)], 16.9, id="it was silent")],
)
def test_an_answer_that_nothing_marks_may_have_been_at_the_end_of_the_music(step: list[Event], low: float) -> None:
    found = measured_instants([*CALL, e("music", 9.5), e("music_end", 12.0), e("speech", 18.0), *step], [])
    assert found.answer is not None
    assert found.answer.t == 18.0 - GREETING_DELAY_S
    assert (found.answer.low, found.answer.high) == (pytest.approx(low), 18.0)
