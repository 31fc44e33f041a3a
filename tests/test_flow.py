"""The flow table adds up whatever the rows, and says of each attempt how far it got and why no further."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.flow import flow
from harness.ledger.rows import Pause, State
from results.flow_table import KINDS, PENDING, STAGES, FlowTable
from results.flow_words import LOSSES, losses_at
from results.flow_words import STAGES as STAGE_NAMES
from results.observe import table
from results.reasons import in_words
from results.scored import Standing, standings
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorer import score
from tests.attempt_rows import NOW, at, row, rows
from tests.session_factory import a_run, chat, voice


def lost(found, stage):
    return {(loss.kind, loss.reason): loss.n for loss in found.at_stage(stage)}


@given(rows(), st.dictionaries(st.sampled_from([f"a{n:03d}" for n in range(1, 41)]), st.sampled_from(Standing)))
def test_it_adds_up_whatever_the_rows(attempts, scored):
    found = flow(attempts, scored, NOW, [Pause("vip", NOW, "")])
    assert found.counts["planned"] == len(attempts) == found.by_plan + found.replacements
    for stage, following in itertools.pairwise(STAGES):
        assert found.counts[stage] == found.counts[following] + sum(loss.n for loss in found.at_stage(following))
    assert found.counts["planned"] == found.counts["scored"] + sum(loss.n for loss in found.losses)
    for lang in ("zh", "en"):
        for stage in STAGES:
            assert sum(n for _, _, n, _ in losses_at(found, stage, lang)) == sum(x.n for x in found.at_stage(stage))
    assert FlowTable.model_validate_json(found.model_dump_json()) == found


@given(rows())
def test_each_more_attempt_is_one_more_and_order_does_not_matter(attempts):
    whole, reversed_ = flow(attempts, {}, NOW), flow(attempts[::-1], {}, NOW)
    assert whole == reversed_
    parts = [flow([attempt], {}, NOW) for attempt in attempts]
    assert {stage: sum(part.counts[stage] for part in parts) for stage in STAGES} == whole.counts


@pytest.mark.parametrize(
    ("attempt", "stage", "kind"),
    [
        (row(due=at(1)), "due", "to_come"),
        (row(), "dispatched", "waiting"),
        (row(until=at(0)), "dispatched", "waiting"),
        (row(until=at(-1)), "dispatched", "overdue"),
        (row(entry="vip"), "dispatched", "paused"),
        (row(due=at(1), entry="vip"), "due", "to_come"),
        (row(state=State.CLAIMED, claimed=at(-1)), "connected", "under_way"),
        (row(state=State.DIALLING, claimed=at(-1)), "connected", "under_way"),
        (row(1, "MISSED", claimed=None, connected=False, reason="window"), "dispatched", "MISSED"),
        (row(1, "MISSED", claimed=None, connected=False, due=at(5)), "due", "MISSED"),  # withdrawn before it came due
        (row(1, "BLOCKED", claimed=None, connected=False), "dispatched", "BLOCKED"),
        (row(1, "BLOCKED", connected=False), "connected", "BLOCKED"),  # the worker saw the kill switch
        (row(1, "NET_FAIL", connected=False), "connected", "NET_FAIL"),
        (row(1, "NET_FAIL"), "connected", "NET_FAIL"),  # a 200 OK, and then nothing of the centre
        (row(1, "LOST", connected=False), "connected", "LOST"),
        (row(1, "INVALID", connected=False), "connected", "INVALID"),
        (row(1, "INVALID"), "valid", "INVALID"),
        (row(1, "LOST"), "valid", "LOST"),
        (row(1, "IVR_FAIL", connected=False), "scored", "not_yet_scored"),  # a menu in early media, before any 200
    ],
)
def test_how_far_one_attempt_got(attempt, stage, kind):
    found = flow([attempt], {}, NOW, [Pause("vip", NOW, "")])
    assert lost(found, stage) == {(kind, attempt.reason): 1}
    assert [loss.stage for loss in found.losses] == [stage]


def test_a_pause_of_everything_holds_every_entry():
    found = flow([row(1), row(2, entry="vip")], {}, NOW, [Pause(None, NOW, "")])
    assert lost(found, "dispatched") == {("paused", ""): 2}


@pytest.mark.parametrize("standing", list(Standing))
def test_a_valid_session_stands_as_scoring_says(standing):
    found = flow([row(1, "LIMIT")], {"a001": standing}, NOW)
    assert found.counts["scored"] == (standing is Standing.SCORED)
    assert found.counts["valid"] == 1


def test_replacements_are_counted_apart():
    found = flow([row(1, "LOST"), row(2, "ANSWERED", replaces="a001"), row(3)], {}, NOW)
    assert (found.by_plan, found.replacements, found.counts["planned"]) == (2, 1, 3)


def test_reasons_that_differ_in_numbers_are_one_group_and_can_be_put_in_chinese():
    found = flow([row(n, "NET_FAIL", reason=f"no answer within {20 + n} s") for n in range(1, 4)], {}, NOW)
    assert lost(found, "connected") == {("NET_FAIL", "no answer within … s"): 3}
    assert in_words("no answer within … s", "zh") == "…秒内无人接听"


def test_a_reason_that_all_share_is_told_whole_but_nobodys_words_are():
    found = flow([row(1, "NET_FAIL", reason="486 Busy Here"), row(2, "NET_FAIL", reason="486 Busy Here")], {}, NOW)
    assert lost(found, "connected") == {("NET_FAIL", "486 Busy Here"): 2}
    said = "SAFETY: the far end said “这里不是银行”"
    assert lost(flow([row(1, "INVALID", reason=said)], {}, NOW), "valid") == {
        ("INVALID", "SAFETY: the far end said “…”"): 1
    }


def test_many_reasons_are_shown_as_the_most_frequent_and_the_rest():
    words = ["486 Busy Here"] * 3 + ["603 Decline"] * 2 + ["gone", "away", "dead"]
    found = flow([row(n, "NET_FAIL", reason=word) for n, word in enumerate(words)], {}, NOW)
    assert [(reason, n) for _, reason, n, _ in losses_at(found, "connected", "en")] == [
        ("486 Busy Here", 3), ("603 Decline", 2), ("3 other reasons", 3),
    ]  # fmt: skip


def test_what_may_still_come_is_no_loss():
    found = flow([row(1, due=at(1)), row(2), row(3, state=State.CLAIMED, claimed=NOW), row(4, "LOST")], {}, NOW)
    assert [(loss.kind, loss.pending) for loss in found.losses] == [
        ("to_come", True), ("waiting", True), ("under_way", True), ("LOST", False),
    ]  # fmt: skip


def test_every_kind_and_stage_has_its_words():
    assert set(LOSSES) == set(KINDS)
    assert set(PENDING) < set(KINDS)
    assert tuple(STAGE_NAMES) == STAGES


@pytest.mark.parametrize(
    "change",
    [
        {"by_plan": 3},
        {"counts": {"planned": 2}},
        {"losses": []},
        {"losses": [{"stage": "due", "kind": "bored", "reason": "", "n": 1}]},
        {"losses": [{"stage": "due", "kind": "to_come", "reason": "", "n": 2}]},
        {"surplus": 1},
    ],
)
def test_a_table_that_does_not_add_up_is_refused(change):
    good = flow([row(1, due=at(1)), row(2, "LIMIT")], {"a002": Standing.SCORED}, NOW).model_dump(mode="json")
    assert FlowTable.model_validate(good)
    with pytest.raises(ValidationError):
        FlowTable.model_validate(good | change)


def test_scored_is_what_the_formulas_count():
    """The n of the scheme's measures is the number of scored sessions: nothing is counted that is not listed."""
    sessions = a_run()
    scheme = load_scheme("CMM-525-0005")
    found = standings(table(sessions), scheme)
    card = score(compute(table(sessions)), scheme)
    most = max(line.n for line in card.lines if line.status == "measured")
    assert sum(standing is Standing.SCORED for standing in found.values()) == most == 9
    assert "v012" not in found  # INVALID
    assert found["v010"] is found["v011"] is Standing.NO_INDICATOR  # NET_FAIL and IVR_FAIL: they reached no queue
    assert {found[s.attempt.id] for s in sessions if s.attempt.channel == "chat"} == {Standing.NO_INDICATOR}


def test_a_call_that_no_indicator_counts_until_somebody_looked_at_it():
    doubtful = voice(1).model_copy(update={"outcome": "IVR_FAIL", "review": ["a human may have answered"]})
    doubtful_chat = chat(2).model_copy(update={"review": ["the resolution is unknown"]})
    found = standings(table([doubtful, doubtful_chat]), load_scheme("CMM-525-0005"))
    assert found == {"v001": Standing.NEEDS_REVIEW, "c002": Standing.NO_INDICATOR}


def test_asking_a_session_alone_is_asking_it_among_others():
    sessions, scheme = a_run(), load_scheme("CMM-525-0005")
    together = standings(table(sessions), scheme)
    alone = {key: value for s in sessions for key, value in standings(table([s]), scheme).items()}
    assert together == alone


def test_the_flow_does_not_depend_on_what_does_not_matter():
    attempt = row(1, "ANSWERED")
    assert flow([attempt], {}, NOW) == flow(
        [replace(attempt, seed=9, cost=3.0, address="sip:95002@127.0.0.1")], {}, NOW
    )
