"""The formulas of domain 2.3, on small tables whose answers can be counted by hand."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest

from harness.bench.scoring import observations
from probes.session import Outcome
from results.observe import table
from scenarios.errors import RunError
from scoring.measures import MEASURES
from scoring.metrics import STAGES, Definitions, Metrics, compute
from scoring.observations import NOT_VALID, OFFERED, validate
from scoring.statistics.waits import WHOLE
from tests.session_factory import a_run, chat, voice


def measure(*sessions):
    return compute(table(sessions))


def test_every_measure_of_the_run_is_documented():
    metrics = compute(table(a_run()))
    found = {id_ for channel in metrics.channels.values() for id_ in (*channel.rates, *channel.waits)}
    assert found == set(MEASURES)


def test_connect_rate_and_its_variants():
    metrics = compute(table(a_run()))
    assert (metrics.rate("voice.connect_rate").k, metrics.rate("voice.connect_rate").n) == (6, 9)
    assert metrics.rate("voice.connect_rate_attempts").n == 11  # the busy line and the dead-end menu, not our own fault
    assert metrics.rate("voice.network_failure").k == 1
    assert metrics.channels["voice"].limits_s == (60.0, 180.0)


def test_a_request_that_never_reached_the_queue_counts_end_to_end_only():
    lost = voice(2, Outcome.IVR_FAIL)
    lost.instants.request = voice(1).instants.request
    metrics = measure(voice(1), lost)
    assert (metrics.rate("voice.connect_rate").k, metrics.rate("voice.connect_rate").n) == (1, 1)
    assert (metrics.rate("voice.connect_rate_end_to_end").k, metrics.rate("voice.connect_rate_end_to_end").n) == (1, 2)


@pytest.mark.parametrize(("wait", "within"), [(19.999, 1), (20.0, 1), (20.001, 0)])
def test_twenty_seconds_count(wait, within):
    rate = measure(voice(1, wait=wait)).rate("voice.service_level_20")
    assert (rate.k, rate.n) == (within, 1)
    assert rate.boundary == 1  # all three are within the timing uncertainty, and that is said


def test_abandoned_calls_stay_in_the_denominator():
    metrics = measure(voice(1, wait=5.0), voice(2, Outcome.LIMIT), voice(3, Outcome.DROPPED, wait=3.0))
    assert (metrics.rate("voice.service_level_20").k, metrics.rate("voice.service_level_20").n) == (1, 3)


def test_service_level_variants_use_their_own_clock():
    metrics = measure(voice(1, wait=19.0))  # 20.8 s from the request, 20.2 s to the first word
    assert metrics.rate("voice.service_level_20").k == 1
    assert metrics.rate("voice.service_level_20_request").k == 0
    assert metrics.rate("voice.service_level_20_first_word").k == 0


def test_an_unknown_wait_is_counted_as_unknown():
    blind = voice(2)
    blind.instants.queue = None
    rate = measure(voice(1), blind).rate("voice.service_level_20")
    assert (rate.k, rate.n, rate.missing) == (1, 1, 1)


def test_average_speed_of_answer():
    metrics = measure(voice(1, wait=4.9), voice(2, wait=5.1), voice(3, Outcome.DROPPED, wait=20.0))
    speed = metrics.wait("voice.answer_speed")
    assert speed.mean == 5  # exactly
    assert (speed.n, speed.median, speed.p95) == (2, 5.0, 5.1)
    assert metrics.channels["voice"].speed_with_abandoned == 15.0
    assert metrics.wait("voice.answer_speed_first_word").mean > 5
    assert speed.u == pytest.approx(math.hypot(0.02, 0.15))


def test_waits_that_were_cut_short_stay_in_the_curve():
    sessions = [voice(1, wait=5.0), voice(2, Outcome.LIMIT, limit=60.0), voice(3, Outcome.INVALID, wait=10.0)]
    curve = measure(*sessions, voice(4, Outcome.DROPPED, wait=2.0)).channels["voice"].survival
    assert (curve.answered, curve.censored, curve.competing) == (1, (10.0, 60.0), (2.0,))
    assert curve.at(20).s == pytest.approx(0.75)


def test_our_own_faults_are_in_no_rate():
    clean = measure(voice(1), voice(2, Outcome.LIMIT))
    faults = [voice(n, o) for n, o in enumerate((Outcome.INVALID, Outcome.LOST, Outcome.MISSED, Outcome.BLOCKED), 3)]
    dirty = measure(voice(1), voice(2, Outcome.LIMIT), *faults)
    for id_ in ("voice.connect_rate", "voice.service_level_20", "voice.network_failure", "voice.resolution"):
        assert dirty.channels["voice"].rates[id_] == clean.channels["voice"].rates[id_]
    assert dirty.channels["voice"].flow.counts["planned"] == 6
    assert not dirty.complete
    assert clean.complete


def test_unknown_resolution_is_never_a_pass():
    metrics = measure(
        voice(1, resolution="resolved"), voice(2, resolution="not_resolved"), voice(3, resolution="unknown")
    )
    rate = metrics.rate("voice.resolution")
    assert (rate.k, rate.n, rate.missing) == (1, 2, 1)


def test_voice_and_chat_are_never_mixed():
    metrics = measure(voice(1, wait=30.0), chat(2, wait=1.0))
    assert metrics.rate("voice.service_level_20").k == 0
    assert metrics.wait("voice.answer_speed").n == 1
    assert metrics.wait("chat.first_response").mean == 0.5
    assert metrics.wait("chat.handoff").times == (1.3,)
    assert measure(chat(1)).rate("voice.connect_rate") is None


def test_hand_off_within_the_limit_of_those_who_asked():
    metrics = measure(chat(1), chat(2, Outcome.LIMIT, limit=60.0), chat(3, Outcome.NET_FAIL))
    assert (metrics.rate("chat.handoff_success").k, metrics.rate("chat.handoff_success").n) == (1, 2)


def test_flow_accounts_for_every_session():
    metrics = compute(table(a_run()))
    for channel in metrics.channels.values():
        counts = [channel.flow.counts[stage] for stage in STAGES]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] - counts[-1] == sum(loss.n for loss in channel.flow.losses)
        assert counts[0] == sum(channel.outcomes.values())
    reasons = {loss.reason for loss in metrics.channels["voice"].flow.losses}
    assert "486 Busy Here" in reasons


def test_nothing_observed():
    metrics = measure()
    assert metrics.channels == {}
    assert metrics.rate("voice.connect_rate") is None
    assert metrics.wait("voice.answer_speed") is None


def test_json_loses_nothing():
    metrics = compute(table(a_run()))
    assert type(metrics).model_validate_json(metrics.model_dump_json()) == metrics


def test_a_table_with_an_unknown_column_is_refused():
    rows = table([voice(1)])
    rows["extra"] = 1
    with pytest.raises(RunError, match="unknown"):
        compute(rows)


@pytest.mark.parametrize("rows", [table(a_run()), observations(900), observations(9000)], ids=["run", "900", "9000"])
def test_the_order_of_rows_is_of_no_importance(rows):
    rows = rows.assign(wait_u_s=rows["wait_u_s"] * np.linspace(1, 2, len(rows)))  # floats, whose sum has an order
    mixed = rows.sample(frac=1, random_state=4).set_axis([0] * len(rows))  # nor are their labels
    assert compute(mixed).model_dump_json() == compute(rows).model_dump_json()


def test_a_large_table_counted_row_by_row():
    rows = observations(9000, seed=2)
    metrics = compute(rows)
    for channel in ("voice", "chat"):
        mine = [row for row in rows.to_dict("records") if row["channel"] == channel]
        valid = [row for row in mine if row["outcome"] not in NOT_VALID and row["certain"]]
        offered = [row for row in valid if row["outcome"] in OFFERED]
        answered = [row for row in offered if row["outcome"] == "ANSWERED"]
        judged = [row["resolution"] for row in valid if row["resolution"] != "unknown"]
        found = metrics.channels[channel]
        assert found.flow.counts["planned"] == len(mine)
        assert sum(loss.n for loss in found.flow.losses) == len(mine) - found.flow.counts["answered"]
        rate = found.rates[f"{channel}.resolution"]
        assert (rate.k, rate.n, rate.missing) == (judged.count("resolved"), len(judged), len(valid) - len(judged))
        for id_, column, among in (
            ("voice.setup", "setup_s", valid), ("voice.answer_speed", "wait_s", answered),
            ("voice.handling_time", "talk_s", answered), ("chat.handoff", "handoff_s", answered),
            ("chat.first_response", "first_response_s", valid),
        ):  # fmt: skip
            if id_.startswith(channel):
                times = [row[column] for row in among if not math.isnan(row[column])]
                assert metrics.wait(id_).mean == sum(Fraction(repr(time)) for time in times) / len(times)
                assert metrics.wait(id_).n == len(times)
        if channel == "voice":
            waits = [row["wait_s"] for row in answered if not math.isnan(row["wait_s"])]
            level = found.rates["voice.service_level_20"]
            assert (level.k, level.missing) == (sum(w <= 20 for w in waits), len(answered) - len(waits))
            assert level.n == len(offered) - level.missing
            assert found.rates["voice.connect_rate"].k == len(answered)
            limit = [row["in_queue_s"] for row in offered if row["outcome"] in ("LIMIT", "DROPPED")]
            assert found.speed_with_abandoned == pytest.approx((sum(waits) + sum(limit)) / len(waits), abs=1e-9)


def test_metrics_of_a_large_table_are_small_and_lose_nothing():
    metrics = compute(observations(60_000))
    text = metrics.model_dump_json(indent=2)
    assert len(text) < 1_000_000
    assert Metrics.model_validate_json(text) == metrics
    speed = metrics.wait("voice.answer_speed")
    assert (speed.method, speed.times) == ("abc", ())
    assert speed.n > 10 * WHOLE


def test_metrics_of_format_1_can_still_be_read():
    metrics = compute(table(a_run()))
    old = json.loads(metrics.model_dump_json())
    old["format"] = 1
    for channel in old["channels"].values():
        for waits in channel["waits"].values():
            for key in ("n", "mean", "median", "p95", "method"):
                del waits[key]
        for key in ("n_censored", "n_competing", "median", "rmst", "slot_s"):
            channel["survival"].pop(key)
    assert Metrics.model_validate_json(json.dumps(old)) == metrics
    with pytest.raises(ValueError, match="format"):
        Metrics.model_validate_json(json.dumps(old | {"format": 3}))


def test_a_queue_whose_limit_nobody_wrote_down_ends_with_the_longest_wait():
    rows = table([voice(1, wait=5.0), voice(2, Outcome.DROPPED, wait=8.0)])
    rows["queue_limit_s"] = math.nan
    assert compute(rows).channels["voice"].survival.horizon == 8.0


def test_an_infinite_wait_is_refused():
    rows = table([voice(1, wait=5.0)])
    rows["wait_s"] = math.inf
    with pytest.raises(RunError, match="wait_s"):
        compute(rows)


def test_a_validated_table_and_its_source_do_not_change_each_other():
    rows = table([voice(1, wait=5.0), voice(2, wait=6.0)])
    valid = validate(rows)
    valid.loc[0, "wait_s"] = 9.0
    rows.loc[1, "wait_s"] = 7.0
    assert rows["wait_s"].tolist() == [5.0, 7.0]
    assert valid["wait_s"].tolist() == [9.0, 6.0]


def test_missing_words_are_empty_ones():
    rows = table([voice(1), voice(2)])
    rows["review"] = [None, "x"]
    rows["reason"] = np.nan
    valid = validate(rows)
    assert valid["review"].tolist() == ["", "x"]
    assert valid["reason"].tolist() == ["", ""]


def test_formulas_are_read_as_the_readings_say():
    found = table([voice(1, wait=15.0), voice(2, wait=25.0), voice(3, Outcome.DROPPED)])
    level = {s: compute(found, Definitions(service_level_s=s)).rate("voice.service_level_20") for s in (20.0, 30.0)}
    assert [(rate.k, rate.n) for rate in level.values()] == [(1, 3), (2, 3)]
    stayed = found["in_queue_s"].max()
    for short, n in ((stayed, 3), (stayed + 0.1, 2)):
        offered = compute(found, Definitions(short_abandon_s=short)).rate("voice.connect_rate")
        assert (offered.k, offered.n) == (2, n)
