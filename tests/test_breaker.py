"""The circuit breaker reads events and outcomes, and knows the gravest of them."""

from __future__ import annotations

import pytest

from harness.breaker import trip
from probes.session import Event, Outcome, Session
from tests.session_factory import _session


def ended(outcome: Outcome, *events: Event, reason: str = "") -> Session:
    return _session("voice", 1, outcome, timeline=list(events), reason=reason)


def said(kind: str, text: str, t: float = 10.0) -> Event:
    return Event(kind=kind, t=t, method="dom", data={"text": text})


@pytest.mark.parametrize(
    ("recent", "pauses"),
    [
        (["NET_FAIL"], False),
        (["NET_FAIL", "NET_FAIL"], False),
        (["NET_FAIL", "NET_FAIL", "NET_FAIL"], True),
        (["NET_FAIL", "NET_FAIL", "ANSWERED", "NET_FAIL"], False),
        (["NET_FAIL", "NET_FAIL", "NET_FAIL", "ANSWERED"], True),
        (["NET_FAIL", "LIMIT", "NET_FAIL"], False),
    ],
)
def test_three_network_failures_in_a_row_pause_the_entry(recent: list[str], pauses: bool) -> None:
    tripped = trip(ended(Outcome.NET_FAIL, reason="486 Busy Here"), recent)
    assert (tripped is not None) == pauses
    if tripped is not None:
        assert (tripped.kind, tripped.entry) == ("pause", "main")
        assert "486 Busy Here" in tripped.reason


def test_a_session_that_went_well_trips_nothing() -> None:
    assert trip(ended(Outcome.ANSWERED), ["ANSWERED", "NET_FAIL", "NET_FAIL", "NET_FAIL"]) is None


def test_an_objection_stops_the_campaign_whatever_else_happened() -> None:
    session = ended(Outcome.ANSWERED, said("wrong_party", "打错了", 3.0), said("objection", "不要再打过来", 9.0))
    tripped = trip(session, ["NET_FAIL"] * 3)
    assert tripped is not None
    assert tripped.kind == "stop"
    assert "不要再打过来" in tripped.reason


@pytest.mark.parametrize(("text", "shown"), [("打错", "打错"), ("", "none of the known recordings")])
def test_somebody_elses_line_pauses_the_entry(text: str, shown: str) -> None:
    tripped = trip(ended(Outcome.INVALID, said("wrong_party", text)), ["INVALID"])
    assert tripped is not None
    assert (tripped.kind, tripped.entry) == ("pause", "main")
    assert shown in tripped.reason


def test_being_detected_is_tagged_and_trips_nothing() -> None:
    assert trip(ended(Outcome.ANSWERED, said("detected", "您是真人吗")), ["ANSWERED"]) is None


def test_the_first_words_are_told() -> None:
    session = ended(Outcome.ANSWERED, said("objection", "first", 3.0), said("objection", "second", 4.0))
    tripped = trip(session, [])
    assert tripped is not None
    assert "first" in tripped.reason
