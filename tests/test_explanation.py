"""An indicator explained by its sessions: all of them, each with the true reason."""

import time
from fractions import Fraction

import pytest

from probes.session import Outcome
from results.explanation import explain, sessions
from results.observe import table
from scoring.measures import MEASURES
from scoring.metrics import Definitions, compute, contribution
from tests.scored_inputs import card, load
from tests.session_factory import a_run, chat, voice

A = "CMM-525-0005"


def every_kind():
    """A table with a session of every outcome, self-served and undecided ones included, on both channels."""
    found = table([*a_run(), voice(30, Outcome.BLOCKED), voice(31), voice(32), voice(33), chat(34), chat(35)])
    where = {name: found.columns.get_loc(name) for name in ("outcome", "asked_human", "certain", "wait_s", "handoff_s")}
    rows = {attempt: place for place, attempt in enumerate(found["attempt"])}
    for attempt in ("v031", "c034"):
        found.iloc[rows[attempt], where["outcome"]] = "IVR_SERVED"
        found.iloc[rows[attempt], where["asked_human"]] = False
    for attempt in ("v032", "c035"):
        found.iloc[rows[attempt], where["certain"]] = False
    found.iloc[rows["v033"], where["wait_s"]] = float("nan")
    return found


@pytest.mark.parametrize("id_", MEASURES)
def test_entered_and_left_out_are_all_sessions_and_make_the_figure(id_):
    observed = every_kind()
    entered, left = sessions(observed, MEASURES[id_], Definitions())
    everybody = [one.attempt for one in entered] + [attempt for reason in left for attempt in reason.attempts]
    assert sorted(everybody) == sorted(observed["attempt"])
    found = compute(observed).rate_or_wait(id_)
    if found is None:
        assert not entered
    elif MEASURES[id_].kind == "rate":
        assert (sum(one.k for one in entered), sum(one.n for one in entered)) == (found.k, found.n)
    else:
        assert (sorted(one.seconds for one in entered), len(entered)) == (sorted(found.times), found.n)


@pytest.mark.parametrize(
    ("id_", "attempt", "why"),
    [
        ("voice.connect_rate", "v010", "did not reach the queue"),  # NET_FAIL
        ("voice.connect_rate", "v031", "did not reach the queue"),  # IVR_SERVED
        ("voice.connect_rate", "v012", "says nothing about the centre"),  # INVALID
        ("voice.connect_rate", "v030", "says nothing about the centre"),  # BLOCKED
        ("voice.connect_rate", "v032", "a person must decide"),
        ("voice.connect_rate", "c021", "looks at voice only"),
        ("voice.connect_rate_end_to_end", "v031", "did not ask for a person"),
        ("voice.connect_rate_attempts", "v031", "served without a person"),
        ("voice.service_level_20", "v033", "an instant it needs"),
        ("voice.answer_speed", "v007", "no answer time"),  # LIMIT
        ("voice.transfer_rate", "v007", "no person answered"),
        ("voice.facts_right", "v010", "no person answered"),
        ("voice.facts_right", "v001", "not judged"),
        ("voice.resolution", "v010", "not judged"),
        ("voice.setup", "v010", "an instant it needs"),
        ("chat.handoff_success", "c034", "did not ask for a person"),
        ("chat.handoff", "c027", "no person answered"),  # LIMIT
        ("chat.first_response", "c028", "an instant it needs"),  # NET_FAIL
        ("chat.resolution", "v001", "looks at chat only"),
        ("chat.resolution", "c035", "a person must decide"),
    ],
)
def test_the_reason_is_the_condition_that_failed(id_, attempt, why):
    _, left = sessions(every_kind(), MEASURES[id_], Definitions())
    assert [reason.reason.en for reason in left if attempt in reason.attempts][0:1] != []
    assert why in next(reason.reason.en for reason in left if attempt in reason.attempts)


def test_an_explanation_takes_the_formulas_as_the_readings_set_them():
    observed = table([voice(1, wait=3.0), voice(2, wait=12.0), voice(3, Outcome.DROPPED, wait=2.0)])
    read = Definitions(service_level_s=10.0, short_abandon_s=5.0)
    found = card(A, compute(observed, read))
    shown = explain(found, load(A), "A.SE.2", observed, read)
    assert (sum(one.k for one in shown.entered), sum(one.n for one in shown.entered)) == (1, 2)
    assert found.line("A.SE.2").value == Fraction(1, 2)
    assert "within the seconds set" in shown.left_out[0].reason.en


def test_five_thousand_sessions_are_explained_at_once():
    few = table([voice(n, wait=3 + n % 37) for n in range(50)])
    many = few.loc[few.index.repeat(100)].reset_index(drop=True)
    many["attempt"] = [f"v{n}" for n in range(5000)]
    start = time.process_time()
    entered, _ = sessions(many, MEASURES["voice.answer_speed"], Definitions())
    assert len(entered) == 5000
    assert time.process_time() - start < 5  # once a minute and more


@pytest.mark.parametrize("id_", ["voice.service_level_20", "voice.resolution", "chat.handoff_success"])
def test_what_each_row_adds_is_the_same_in_any_order(id_):
    observed = every_kind()
    turned = observed.iloc[::-1].reset_index(drop=True)
    one, two = contribution(observed, id_), contribution(turned, id_)
    assert one.n.tolist() == two.n.tolist()[::-1]
