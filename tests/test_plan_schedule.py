"""A scheduled plan: every attempt in its window, gaps kept, totals exact, the same from the same seed."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.authorisation import Authorisation
from harness.hours import Span
from harness.plan import LoadedPlan, Plan, draw_up, load_plan, replacement
from harness.plan.allocation import Dealer, proportional
from harness.plan.spans import moment, wall_time
from probes.target import Chat, Line, Target
from scenarios.catalogue import load, shipped
from scenarios.errors import PlanError

TARGET = Target(
    format=1,
    name="沙箱银行",
    lines={"hotline": Line(uri="sip:95001@127.0.0.1"), "branch": Line(uri="sip:95002@127.0.0.1")},
    chats={"web": Chat(url="http://127.0.0.1/")},
)
SCENARIOS = {path.stem: load(path).scenario for path in shipped()}
BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
CHINA = ZoneInfo("Asia/Shanghai")
PLAN = {
    "format": 1,
    "name": "four weeks",
    "seed": 7,
    "window": {"from": "2026-11-30", "to": "2026-12-27"},
    "calendar": {"holidays": ["2026-12-25"], "workdays": ["2026-12-26"]},
    "mix": [{"scenario": "S01", "share": "3/5"}, {"scenario": "S02", "share": "40 %"}],
    "strata": [
        {"entry": "hotline", "channel": "voice", "days": "workday", "hours": "09:00-12:00", "weight": 4},
        {"entry": "hotline", "channel": "voice", "days": "workday", "hours": "12:00-18:00", "weight": 5},
        {"entry": "hotline", "channel": "voice", "days": "weekend", "hours": "10:00-16:00", "weight": 1},
    ],
    "size": {"n": 200},
}


def made(**changes):
    return LoadedPlan.of(Plan.model_validate(PLAN | changes))


def write(folder, document):
    path = folder / "plan.yaml"
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")  # JSON is YAML
    return path


def drawn(now=BEFORE, authorisation=None, **changes):
    return draw_up(made(**changes), TARGET, SCENARIOS, now=now, authorisation=authorisation)


def permission(**changes):
    return Authorisation.model_validate(
        {"format": 1, "client": "x", "valid_from": "2026-11-01", "valid_to": "2027-01-31"} | changes
    )


def closest(attempts):
    """The least seconds between two starts on one entry."""
    by_entry = {}
    for attempt in attempts:
        by_entry.setdefault((attempt.channel, attempt.entry), []).append(attempt.due)
    steps = [(b - a).total_seconds() for due in by_entry.values() for a, b in itertools.pairwise(sorted(due))]
    return min(steps, default=float("inf"))


def test_two_hundred_in_their_strata_days_and_hours():
    attempts = drawn()
    assert Counter(a.stratum for a in attempts) == {
        "hotline workday 09:00-12:00": 80,
        "hotline workday 12:00-18:00": 100,
        "hotline weekend 10:00-16:00": 20,
    }
    assert Counter(a.scenario for a in attempts) == {"S01": 120, "S02": 80}
    assert [a.seq for a in attempts] == list(range(1, 201))
    assert [a.due for a in attempts] == sorted(a.due for a in attempts)
    assert len({a.id for a in attempts}) == len({a.seed for a in attempts}) == 200
    days = Counter()
    for attempt in attempts:
        local = attempt.due.astimezone(CHINA)
        worked = (local.weekday() < 5 and local.date() != date(2026, 12, 25)) or local.date() == date(2026, 12, 26)
        assert worked == ("workday" in attempt.stratum)
        block = attempt.stratum.rsplit(" ", 1)[1].split("-")
        assert block[0] <= f"{local:%H:%M}" < block[1]
        assert f"{attempt.until.astimezone(CHINA):%H:%M}" == block[1]
        assert attempt.until.astimezone(CHINA).date() == local.date()
        assert (local.minute, local.second) != (0, 0)
        days[local.date(), attempt.stratum] += 1
    for stratum in {a.stratum for a in attempts}:
        counts = [count for (_, name), count in days.items() if name == stratum]
        assert max(counts) - min(counts) <= 1
    assert closest(attempts) >= 30  # the gap of a plan that names none


def test_the_draw_is_pinned():
    """Drawn up again years later, on another version of Python, it is the same."""
    assert [(a.id, a.seed, a.due.isoformat()) for a in drawn()[:3]] == PINNED


PINNED = [
    ("a001-S02-hotline", 2114689607, "2026-11-30T01:51:15.311000+00:00"),
    ("a002-S01-hotline", 320969668, "2026-11-30T03:10:21.287000+00:00"),
    ("a003-S02-hotline", 1555112681, "2026-11-30T03:36:46.843000+00:00"),
]


def test_the_seed_decides_and_a_limit_and_gap_are_never_missing():
    assert drawn() == drawn()
    assert {a.due for a in drawn()}.isdisjoint({a.due for a in drawn(seed=8)})
    plan = made().plan
    assert (plan.limits.queue_s, plan.gap_s) == (180, 30)
    assert made(limits={"queue_s": 60}, gap_s=0).plan.limits.queue_s == 60
    assert made(limits={"ring_s": 60}).plan.limits.queue_s == 180


strata_of = st.lists(
    st.tuples(
        st.sampled_from(["hotline", "branch", "web"]),
        st.sampled_from(["workday", "weekend", "any"]),
        st.integers(0, 22),
        st.integers(1, 6),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(
    strata_of,
    st.integers(0, 150),
    st.integers(0, 600),
    st.integers(0, 2**40),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from([date(2026, 10, 22), date(2026, 3, 5), date(2027, 3, 25), date(2026, 4, 2)]),
    st.integers(0, 40),
)
def test_wherever_whenever_every_attempt_is_in_its_window_and_gap(strata, more, gap, seed, zone, first, hours_gone):
    rows, used = [], []
    for entry, days, start, length, weight in strata:
        end = min(24, start + length)
        if any(e == entry and start < b and a < end and (d == days or "any" in (d, days)) for e, d, a, b in used):
            continue
        used.append((entry, days, start, end))
        channel, mix = ("chat", "S21") if entry == "web" else ("voice", "S01")
        rows.append({
            "entry": entry, "channel": channel, "days": days, "hours": f"{start:02}:00-{end:02}:00",
            "weight": weight, "mix": [{"scenario": mix, "share": 1}],
        })  # fmt: skip
    n = 2 * len(rows) + more
    now = datetime.combine(first, datetime.min.time(), ZoneInfo(zone)) + timedelta(hours=hours_gone)
    window = {"from": str(first), "to": str(first + timedelta(days=12))}
    changes = {"strata": rows, "size": {"n": n}, "gap_s": gap, "seed": seed, "zone": zone, "window": window}
    changes["mix"], changes["calendar"] = [], {}
    try:
        attempts = drawn(now=now.astimezone(UTC), **changes)
    except PlanError as full:
        if "has room for" not in str(full):
            raise
        assume(False)
    assert len(attempts) == n
    assert attempts == drawn(now=now.astimezone(UTC), **changes)
    names = {f"{row['entry']} {row['days']} {row['hours']}": row for row in rows}
    counts = Counter(attempt.stratum for attempt in attempts)
    whole = sum(row["weight"] for row in rows)
    for name, row in names.items():
        assert counts[name] >= 2
        share = Fraction(n * row["weight"], whole)
        assert counts[name] == 2 or counts[name] < share + 1
    for attempt in attempts:
        local = attempt.due.astimezone(ZoneInfo(zone))
        row = names[attempt.stratum]
        start, end = row["hours"].split("-")
        assert start <= f"{local:%H:%M}" < end
        assert row["days"] == "any" or (row["days"] == "workday") == (local.weekday() < 5)
        assert first <= local.date() <= first + timedelta(days=12)
        assert now <= attempt.due < attempt.until
        assert (local.minute, local.second) != (0, 0)
        assert attempt.due.microsecond % 1000 == 0
    assert closest(attempts) >= gap


@given(st.integers(0, 5000), st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_shares_are_exact_and_within_one(total, weights):
    shares = proportional(total, weights)
    assert sum(shares) == total
    assert all(abs(share - Fraction(total * w, sum(weights))) < 1 for share, w in zip(shares, weights, strict=True))


def test_rounding_of_scenarios_evens_out_over_the_strata():
    dealer, mix = Dealer(), [("a", Fraction(1, 4)), ("b", Fraction(3, 4))]
    hands = [Counter(dealer.deal(2, mix)) for _ in range(20)]
    assert sum(hands, Counter()) == {"a": 10, "b": 30}
    assert all(hand["a"] <= 1 for hand in hands)


@pytest.mark.parametrize(
    ("day", "span", "minutes"),
    [
        ((2026, 3, 8), (60, 240), 120),  # New York skips 02:00-03:00
        ((2026, 3, 8), (150, 210), 30),  # begins in the hour that is skipped
        ((2026, 3, 8), (120, 180), 0),  # there is no such hour
        ((2026, 11, 1), (60, 180), 180),  # 01:00-02:00 comes twice
        ((2026, 11, 1), (90, 120), 60),
        ((2026, 11, 2), (90, 120), 30),
    ],
)
def test_a_block_is_wall_time_when_the_clock_changes(day, span, minutes):
    zone = ZoneInfo("America/New_York")
    found = wall_time(date(*day), Span(*span), zone)
    assert sum(end - start for start, end in found) == minutes * 60_000
    for start, end in found:
        for at in (start, end - 1):
            local = moment(at).astimezone(zone)
            assert span[0] <= local.hour * 60 + local.minute < span[1]


def test_what_is_past_is_not_drawn():
    now = datetime(2026, 12, 16, 3, 30, tzinfo=UTC)  # 11:30 of a Wednesday
    attempts = drawn(now=now)
    assert len(attempts) == 200
    assert min(a.due for a in attempts) >= now
    with pytest.raises(PlanError, match="nothing of stratum 'hotline workday 09:00-12:00' is left after"):
        drawn(now=datetime(2027, 1, 1, tzinfo=UTC))


def test_authorisation_narrows_the_hours_and_caps_the_day_and_the_hour():
    signed = permission(
        hours={"workday": ["09:00-11:00", "14:00-17:00"], "weekend": ["10:00-13:00"]},
        ceilings={"per_day": 9, "per_hour": 3},
    )
    attempts = drawn(authorisation=signed, window={"from": "2026-11-30", "to": "2026-12-27"}, calendar={})
    assert len(attempts) == 200
    for attempt in attempts:
        assert signed.closed(attempt.due) is None
    assert max(Counter(a.due.astimezone(CHINA).date() for a in attempts).values()) <= 9
    assert all((b.due - a.due) >= timedelta(hours=1) for a, b in zip(attempts, attempts[3:], strict=False))
    assert closest(attempts) >= 30
    late = permission(valid_from="2026-12-20")
    assert min(a.due for a in drawn(authorisation=late)).astimezone(CHINA).date() >= date(2026, 12, 20)


@pytest.mark.parametrize(
    ("ceilings", "message"),
    [
        ({"per_day": 5}, r"the authorisation's ceiling a day leaves room for \d+ of the \d+ attempts of"),
        ({"per_hour": 1}, "the authorisation permits 1 an hour, too few for what the plan puts on"),
    ],
)
def test_ceilings_that_are_too_low_are_told(ceilings, message):
    with pytest.raises(PlanError, match=message):
        drawn(authorisation=permission(ceilings=ceilings), size={"n": 400})


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 900), st.integers(0, 2**31), st.integers(12, 150))
def test_no_sixty_minutes_hold_more_than_the_ceiling(per_hour, gap, seed, n):
    strata = [
        {"entry": entry, "channel": "voice", "days": "any", "hours": hours}
        for entry, hours in (("hotline", "09:00-12:00"), ("hotline", "12:00-18:00"), ("branch", "10:00-17:00"))
    ]
    window = {"from": "2026-12-01", "to": "2026-12-04"}
    try:
        attempts = drawn(
            authorisation=permission(ceilings={"per_hour": per_hour}),
            strata=strata, size={"n": n}, seed=seed, gap_s=gap, window=window, calendar={},
        )  # fmt: skip
    except PlanError as full:
        if "an hour, too few" not in str(full) and "has room for" not in str(full):
            raise
        assume(False)
    assert len(attempts) == n
    for one, later in zip(attempts, attempts[per_hour:], strict=False):
        assert later.due - one.due >= timedelta(hours=1)
    assert closest(attempts) >= gap
    for attempt in attempts:
        start, end = attempt.stratum.rsplit(" ", 1)[1].split("-")
        assert start <= f"{attempt.due.astimezone(CHINA):%H:%M}" < end


def test_a_power_is_reached_in_every_channel():
    strata = [*PLAN["strata"], {"entry": "web", "channel": "chat", "days": "any", "hours": "09:00-21:00",
                                "mix": [{"scenario": "S21", "share": 1}]}]  # fmt: skip
    attempts = drawn(strata=strata, size={"power": "80 %"}, expected_rate="95 %")
    counts = Counter(a.channel for a in attempts)
    assert counts["chat"] == 203
    assert 203 <= counts["voice"] <= 206
    assert len(drawn(size={"half_width": "5 %"})) in range(139, 142)


def test_replacements_stay_in_what_is_left_of_the_stratum():
    attempts, plan = drawn(), made()
    lost, now = attempts[150], attempts[150].due + timedelta(minutes=5)
    taken = [a.due for a in attempts if a.due > now]
    one = replacement(plan, TARGET, SCENARIOS, lost, taken, 201, now)
    assert (one.id, one.seq, one.replaces) == (f"{lost.id}-r1", 201, lost.id)
    assert (one.scenario, one.entry, one.stratum) == (lost.scenario, lost.entry, lost.stratum)
    assert one.seed != lost.seed
    assert now <= one.due < one.until
    assert min(abs((one.due - due).total_seconds()) for due in taken) >= 30
    block = one.stratum.rsplit(" ", 1)[1].split("-")
    assert block[0] <= f"{one.due.astimezone(CHINA):%H:%M}" < block[1]
    assert one == replacement(plan, TARGET, SCENARIOS, lost, taken, 201, now)
    two = replacement(plan, TARGET, SCENARIOS, one, taken, 202, now)
    assert (two.id, two.replaces) == (f"{lost.id}-r2", one.id)
    assert two.due != one.due
    assert replacement(plan, TARGET, SCENARIOS, lost, [], 203, datetime(2026, 12, 28, tzinfo=UTC)) is None
    shut = permission(valid_to="2026-12-01")
    assert replacement(plan, TARGET, SCENARIOS, lost, [], 203, now, shut) is None


def test_a_replacement_of_what_was_due_at_once_is_due_at_once():
    plan = LoadedPlan.of(Plan.model_validate({
        "format": 1, "name": "x", "seed": 1,
        "attempts": [{"scenario": "S01", "entry": "hotline", "channel": "voice", "count": 2}],
    }))  # fmt: skip
    lost = draw_up(plan, TARGET, SCENARIOS, now=BEFORE)[0]
    one = replacement(plan, TARGET, SCENARIOS, lost, [], 3, BEFORE)
    assert (one.id, one.due, one.until) == ("a001-S01-hotline-r1", None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": {"from": "2026-12-28", "to": "2026-12-01"}},
         "the window is empty: 2026-12-01 lies before 2026-12-28 (put the later day under to)"),
        ({"window": {"from": "2026-12-01", "to": "2028-12-01"}},
         "the window has 732 days (at most 366; make a plan for each year)"),
        ({"window": {"from": "2026-13-01", "to": "2026-12-01"}},
         "'window.from': there is no day 2026-13-01; write it as 2026-01-31"),
        ({"window": {"form": "2026-12-01", "to": "2026-12-01"}},
         "unknown key 'form' (did you mean 'from'? allowed here: from, to)"),
        ({"zone": "China"}, "'zone': there is no time zone 'China'; write for example Asia/Shanghai"),
        ({"mix": [{"scenario": "S01", "share": "1/3"}, {"scenario": "S02", "share": "1/3"}]},
         "the shares of the mix add up to 2/3 = 0.666667 (they must make exactly 1; thirds are written 1/3)"),
        ({"mix": [{"scenario": "S01", "share": "half"}]}, "'mix[0].share': write it as 0.4, 40 % or 2/5"),
        ({"mix": [{"scenario": "S01", "share": "1/2"}] * 2},
         "scenario 'S01' occurs twice in a mix (add the two shares up)"),
        ({"mix": [{"scenario": "S99", "share": 1}]},
         "unknown scenario 'S99' (there are: S01, S02, S21, S25)"),
        ({"mix": [{"scenario": "S21", "share": 1}]}, "scenario S21 is not for voice (it is for: chat)"),
        ({"mix": []}, "a mix has no scenario (write for example mix: [{scenario: S01, share: 1}])"),
        ({"size": {}}, "a size is exactly one of: n, half_width, power (write for example size: {n: 200})"),
        ({"size": {"n": 5}}, "n = 5 is too few for 3 strata (2 each take at least 6; raise n or join strata)"),
        ({"size": {"power": "80 %"}},
         "no n has that power: expected_rate 90 % does not lie above target_rate 90 %"
         " (write the rate you expect of the centre under expected_rate)"),
        ({"strata": []}, "a window needs strata"
                         ' (add strata: [{entry: hotline, channel: voice, days: workday, hours: "09:00-18:00"}])'),
        ({"strata": [PLAN["strata"][0], PLAN["strata"][0] | {"days": "any", "hours": "11:59-13:00"}]},
         "strata 'hotline workday 09:00-12:00' and 'hotline any 11:59-13:00' overlap"
         " (an hour of one entry belongs to one stratum only)"),
        ({"strata": [PLAN["strata"][0] | {"entry": "hotlne"}]},
         "the target '沙箱银行' has no line 'hotlne' (did you mean 'hotline'? there are: hotline, branch)"),
        ({"strata": [PLAN["strata"][0] | {"days": "holiday"}], "calendar": {}},
         "the window has no holiday for stratum 'hotline holiday 09:00-12:00'"
         " (change the window, the calendar, or remove it)"),
        ({"strata": [PLAN["strata"][0] | {"hours": "22:00-02:00"}]},
         "'strata[0].hours': '22:00-02:00' does not end after it starts;"
         " for a night write 20:00-24:00 and 00:00-08:00"),
        ({"gap_s": 3600}, "stratum 'hotline workday 09:00-12:00' has room for 40 starts 3600 s apart,"
                          " and 80 are planned (lower gap_s or the size, or add days or hours)"),
        ({"attempts": [{"scenario": "S01", "entry": "hotline", "channel": "voice", "count": 1}]},
         "a plan lists its attempts or draws them over a window, not both"
         " (keep attempts alone, or window with mix, strata and size)"),
        ({"replace": {"outcomes": ["DROPPED"], "at_most": 1}},
         "'replace.outcomes[0]' must be one of: LOST, INVALID, MISSED (it is 'DROPPED')"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_place_and_cure(tmp_path, changes, message):
    path = write(tmp_path, PLAN | changes)
    with pytest.raises(PlanError) as wrong:
        draw_up(load_plan(path), TARGET, SCENARIOS, now=BEFORE)
    place, _, told = str(wrong.value).removeprefix(f"{path}:").partition(": ")
    assert all(part.isdigit() for part in place.split(":"))
    assert told == message


def test_strata_need_a_window(tmp_path):
    path = write(tmp_path, {key: PLAN[key] for key in PLAN if key != "window"})
    with pytest.raises(PlanError, match="'strata' needs a window"):
        load_plan(path)
