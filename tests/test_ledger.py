"""The rules of the ledger, each on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.bench.postgres import Postgres
from harness.ledger.ledger import Ledger
from harness.ledger.rows import (
    Ceilings,
    Claimed,
    Deviation,
    NewCampaign,
    NotDue,
    Price,
    Spent,
    Standing,
    State,
    Wait,
    Wanted,
)
from scenarios.errors import RunError
from tests.ledger_rows import FREE, T0, after, attempt, begin, claims


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        url = request.getfixturevalue("server").new_database()
    ledger = Ledger(url)
    yield ledger
    ledger.close()


def test_an_attempt_is_claimed_once_and_ends_once(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(1), attempt(2)])
    assert claims(ledger, lease, 1)
    assert ledger.claim(lease, "a0001", T0, FREE) == NotDue("it is claimed")
    ledger.dialling(lease, "a0001", after(1))
    assert ledger.claim(lease, "a0001", T0, FREE) == NotDue("it is dialling")
    assert [row.state for row in ledger.under_way("c1")] == [State.DIALLING]
    assert ledger.end("c1", "a0001", "RESOLVED", "", after(60), connected=True, seconds=59, cost=1.5)
    assert not ledger.end("c1", "a0001", "LOST", "too late", after(61))
    ledger.dialling(lease, "a0001", after(62))
    assert ledger.claim(lease, "a0001", T0, FREE) == NotDue("it is ended")
    row, other = ledger.attempts("c1")
    assert (row.state, row.outcome, row.claimed, row.dialling, row.ended) == (
        State.ENDED, "RESOLVED", T0, after(1), after(60),
    )  # fmt: skip
    assert (row.connected, row.seconds, row.cost, row.epoch) == (True, 59, 1.5, lease.epoch)
    assert other.state is State.DUE


def test_nothing_is_claimed_before_its_time_or_after_it(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(1, due=after(10), until=after(20))])
    for seconds, wanted in ((9.999999, False), (20.000001, False), (20, True)):
        assert claims(ledger, lease, 1, after(seconds)) is wanted


def test_the_soonest_comes_first_and_paused_entries_not_at_all(ledger: Ledger) -> None:
    due = [attempt(1, due=after(30)), attempt(2), attempt(3, entry="vip"), attempt(4, due=after(90))]
    lease = begin(ledger, due)
    assert [row.id for row in ledger.due("c1", after(60))] == ["a0002", "a0003", "a0001"]
    assert [row.id for row in ledger.due("c1", after(60), limit=1)] == ["a0002"]
    look = ledger.look("c1", T0)
    assert (look.soonest, look.upcoming, look.passed) == (T0, after(30), False)
    assert look.campaign == ledger.campaign("c1")
    ledger.pause("c1", "vip", "three failures", T0)
    assert [row.id for row in ledger.due("c1", after(60))] == ["a0002", "a0001"]
    assert ledger.claim(lease, "a0003", T0, FREE) == NotDue("vip is paused: three failures")
    ledger.pause("c1", None, "the liaison asked", T0)
    assert ledger.due("c1", after(60)) == []
    assert ledger.claim(lease, "a0002", T0, FREE) == NotDue("the campaign is paused: the liaison asked")
    ledger.lift("c1", None, "lead", after(1))
    assert ledger.pauses("c1") == []
    assert claims(ledger, lease, 3)
    assert claims(ledger, lease, 2)
    assert [note.kind for note in ledger.notes("c1")] == ["lease", "pause", "pause", "resume"]


@pytest.mark.parametrize("wanted", [Wanted.PAUSED, Wanted.STOPPED, Wanted.DONE])
def test_a_campaign_that_is_not_to_run_claims_nothing(ledger: Ledger, wanted: Wanted) -> None:
    lease = begin(ledger, [attempt(1)])
    ledger.want("c1", wanted, "so it was said", T0)
    assert ledger.claim(lease, "a0001", T0, FREE) == NotDue(f"the campaign is {wanted}: so it was said")
    if wanted is Wanted.PAUSED:
        ledger.want("c1", Wanted.RUNNING, "", T0)
        assert claims(ledger, lease, 1)
    else:
        with pytest.raises(RunError, match=f"is {wanted} for good: so it was said"):
            ledger.want("c1", Wanted.RUNNING, "", T0)


def test_a_lease_that_was_taken_over_is_worth_nothing(ledger: Ledger) -> None:
    first = begin(ledger, [attempt(1), attempt(2)])
    assert ledger.take("c1", "second", over=None, now=T0) is None
    assert ledger.take("c1", "second", over=replace(first, epoch=0), now=T0) is None
    assert ledger.beat(first)
    second = ledger.take("c1", "second", over=first, now=T0)
    assert second is not None
    assert second.epoch == first.epoch + 1
    assert ledger.take("c1", "third", over=first, now=T0) is None
    assert not ledger.beat(first)
    assert ledger.beat(second)
    assert ledger.claim(first, "a0001", T0, FREE) == NotDue("the lease was taken over by second")
    for forbidden in (lambda: ledger.add(first, [attempt(3)]), lambda: ledger.miss(first, T0)):
        with pytest.raises(RunError, match="the lease on c1 was taken over by second"):
            forbidden()
    ledger.give_back(first)
    assert ledger.campaign("c1").runner == "second"
    assert claims(ledger, second, 1)
    ledger.give_back(second)
    assert ledger.campaign("c1").runner == ""


def test_windows_that_passed_are_missed(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(1, until=after(60)), attempt(2, until=after(600)), attempt(3)])
    assert ledger.miss(lease, after(60)) == []
    assert [ledger.look("c1", after(seconds)).passed for seconds in (60, 61)] == [False, True]
    (missed,) = ledger.miss(lease, after(61))
    assert (missed.id, missed.outcome, missed.reason) == ("a0001", "MISSED", "its window passed")
    assert ledger.miss(lease, after(61)) == []
    assert [row.outcome for row in ledger.attempts("c1")] == ["MISSED", None, None]
    assert ledger.recent("c1", "main", 10) == []  # it was never dialled


def test_what_is_in_the_ledger_cannot_come_in_twice(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(1)])
    ledger.add(lease, [attempt(2, replaces="a0001")])
    for again in (attempt(1), attempt(3, seq=1), attempt(3, replaces="a0001")):
        with pytest.raises(RunError):
            ledger.add(lease, [attempt(9), again])
    with pytest.raises(RunError):
        begin(ledger, [attempt(1)])
    with pytest.raises(RunError, match="there is no campaign c2"):
        ledger.campaign("c2")
    with pytest.raises(RunError):
        begin(ledger, [attempt(1), attempt(1)], name="c3")
    assert ledger.standing("c1", "main") == Standing(attempts=2, replacements=1, due=[T0, T0])
    assert ledger.standing("c1", "vip") == Standing(attempts=2, replacements=1, due=[])
    assert [row.id for row in ledger.attempts("c1")] == ["a0001", "a0002"]  # whole or not at all
    assert [campaign.id for campaign in ledger.campaigns()] == ["c1"]


def test_ceilings_on_what_runs_at_once(ledger: Ledger) -> None:
    chat = {"channel": "chat", "entry": "web", "address": "https://127.0.0.1/"}
    gateway = {"trunk": "sip:95001@gateway.invalid", "address": "sip:95002@127.0.0.1", "entry": "vip"}
    lease = begin(ledger, [attempt(1), attempt(2), attempt(3, **chat), attempt(4, **gateway), attempt(5, **gateway)])
    other = begin(ledger, [attempt(1, **gateway)], name="c2", client="another bank")
    assert claims(ledger, lease, 1)
    for ceilings, why in (
        (Ceilings(at_once=1), "1 of 1 at once: sessions for bank"),
        (Ceilings(per_channel={"voice": 1}), "1 of 1 at once: voice sessions"),
        (Ceilings(per_address={"sip:95001@127.0.0.1": 1}), "1 of 1 at once: sip:95001@127.0.0.1"),
    ):
        assert ledger.claim(lease, "a0002", T0, ceilings) == Wait(None, why)
    through = Ceilings(at_once=2, per_channel={"voice": 2}, per_trunk={"sip:95001@gateway.invalid": 1})
    assert claims(ledger, other, 1, T0, through)  # another client's, but the same trunk
    held = ledger.claim(lease, "a0004", T0, through)
    assert held == Wait(None, "1 of 1 at once: sip:95001@gateway.invalid")
    assert claims(ledger, lease, 3, T0, through)  # one call, one chat: two at once
    assert ledger.claim(lease, "a0002", T0, through) == Wait(None, "2 of 2 at once: sessions for bank")
    ledger.end("c1", "a0003", "RESOLVED", "", after(5))
    ledger.end("c2", "a0001", "RESOLVED", "", after(5))
    assert claims(ledger, lease, 4, after(5), through)


def test_a_lost_call_keeps_its_place_until_it_must_be_over_and_a_lost_chat_does_not(ledger: Ledger) -> None:
    chat = {"channel": "chat", "entry": "web", "address": "https://127.0.0.1/"}
    lease = begin(ledger, [attempt(1), attempt(2), attempt(3, **chat), attempt(4, **chat)])
    one = Ceilings(at_once=1)
    assert claims(ledger, lease, 1, T0, one)
    ledger.end("c1", "a0001", "LOST", "its worker died", after(10))
    held = ledger.claim(lease, "a0002", after(119), one)
    assert held == Wait(after(120), "1 of 1 at once: sessions for bank")
    assert claims(ledger, lease, 3, after(121), one)
    ledger.end("c1", "a0003", "LOST", "its worker died", after(122))
    assert claims(ledger, lease, 2, after(122), one)


def test_the_gap_holds_across_campaigns_for_one_address(ledger: Ledger) -> None:
    elsewhere = {"address": "sip:95002@127.0.0.1", "entry": "vip"}
    lease, other = begin(ledger, [attempt(1)]), begin(ledger, [attempt(1), attempt(2, **elsewhere)], name="c2")
    gap = Ceilings(gap_s=30)
    assert claims(ledger, lease, 1, T0, gap)
    held = ledger.claim(other, "a0001", after(29), gap)
    assert held == Wait(after(30), "less than 30 s since the last start on sip:95001@127.0.0.1")
    assert claims(ledger, other, 2, after(1), gap)
    assert claims(ledger, other, 1, after(30), gap)


def test_starts_an_hour_and_a_day(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(number) for number in range(1, 9)])
    hourly, daily = Ceilings(per_hour=2), Ceilings(per_day=3)
    assert claims(ledger, lease, 1, T0, hourly)
    assert claims(ledger, lease, 2, after(600), hourly)
    held = ledger.claim(lease, "a0003", after(3599), hourly)
    assert held == Wait(after(3600), "2 of 2 an hour for bank")
    assert claims(ledger, lease, 3, after(3600), hourly)  # the first start is an hour ago
    midnight = T0.replace(hour=16)  # in China
    assert ledger.claim(lease, "a0004", after(7200), daily) == Wait(midnight, "3 of 3 a day for bank")
    assert claims(ledger, lease, 4, midnight, daily)
    assert isinstance(ledger.claim(lease, "a0005", midnight, Ceilings(per_day=0)), Wait)


def test_minutes_and_money_are_reserved_before_and_spent_after(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(number) for number in range(1, 9)])
    minutes = Ceilings(minutes=5)
    assert claims(ledger, lease, 1, T0, minutes)
    assert claims(ledger, lease, 2, T0, minutes)
    held = ledger.claim(lease, "a0003", T0, minutes)
    assert held == Wait(None, "the minutes of bank do not suffice: 0.0 of 5 used, 4.0 under way, 2.0 more")
    ledger.end("c1", "a0001", "RESOLVED", "", after(30), seconds=30, cost=0.5)
    assert claims(ledger, lease, 3, after(30), minutes)  # 0.5 used, 2 under way, 2 more
    for number in (2, 3):
        ledger.end("c1", f"a000{number}", "RESOLVED", "", after(90), seconds=105, cost=1.0)
    assert isinstance(ledger.claim(lease, "a0004", after(90), minutes), Spent)  # 4 used, 2 more
    money = Ceilings(money=3.5, price={"voice": Price(per_minute=0.5, per_session=0.1)})
    assert isinstance(ledger.claim(lease, "a0004", after(90), money), Spent)  # 2.5 used, 1.1 more
    assert claims(ledger, lease, 4, after(90), replace(money, money=3.6))
    other = begin(ledger, [attempt(1)], name="c2")
    assert isinstance(ledger.claim(other, "a0001", after(90), minutes), Spent)  # the client's, not the campaign's


def test_the_first_claim_freezes_the_plan_and_a_deviation_is_whole(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(1), attempt(2), attempt(3)])
    assert ledger.campaign("c1").frozen is None
    assert claims(ledger, lease, 1, after(5))
    assert claims(ledger, lease, 2, after(9))
    assert ledger.campaign("c1").frozen == after(5)
    change = Deviation(after(20), "lead", "more chats", "0" * 64, "1" * 64)
    with pytest.raises(RunError):
        ledger.deviate(lease, change, ["a0003"], "withdrawn", [attempt(1)])  # one that is there already
    assert (ledger.deviations("c1"), ledger.attempts("c1")[2].state) == ([], State.DUE)
    ledger.deviate(lease, change, ["a0001", "a0003"], "withdrawn", [attempt(4)])
    rows = {row.id: (row.state, row.outcome) for row in ledger.attempts("c1")}
    assert rows["a0001"] == (State.CLAIMED, None)  # what has begun cannot be withdrawn
    assert rows["a0003"] == (State.ENDED, "MISSED")
    assert rows["a0004"] == (State.DUE, None)
    assert (ledger.campaign("c1").plan_sha256, ledger.deviations("c1")) == ("1" * 64, [change])
    ledger.want("c1", Wanted.DONE, "", after(30))
    ledger.deviate(lease, change, [], "", [attempt(5)])
    assert ledger.campaign("c1").wanted is Wanted.RUNNING
    ledger.want("c1", Wanted.STOPPED, "enough", after(40))
    with pytest.raises(RunError, match="stopped for good: enough"):
        ledger.deviate(lease, change, [], "", [attempt(6)])


def test_what_the_breaker_sees(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(number) for number in range(1, 6)] + [attempt(6, entry="vip")])
    for number, outcome in ((1, "NET_FAIL"), (2, "RESOLVED"), (3, "BLOCKED"), (4, "BUSY"), (6, "NET_FAIL")):
        assert claims(ledger, lease, number)
        ledger.end("c1", f"a000{number}", outcome, "", after(number))
    assert ledger.recent("c1", "main", 2) == ["BUSY", "RESOLVED"]  # BLOCKED was not dialled
    assert ledger.recent("c1", "main", 9) == ["BUSY", "RESOLVED", "NET_FAIL"]


def test_a_clock_set_back_gives_nothing_twice_and_waits_no_longer_than_the_step(ledger: Ledger) -> None:
    lease = begin(ledger, [attempt(1, due=T0 - timedelta(days=1)), attempt(2, due=T0 - timedelta(days=1))])
    gap = Ceilings(gap_s=30, per_hour=1)
    assert claims(ledger, lease, 1, T0, gap)
    ledger.end("c1", "a0001", "RESOLVED", "", after(20))
    back = T0 - timedelta(hours=1)
    assert ledger.claim(lease, "a0001", back, gap) == NotDue("it is ended")
    assert ledger.claim(lease, "a0002", back, gap) == Wait(
        after(30), "less than 30 s since the last start on sip:95001@127.0.0.1"
    )
    assert claims(ledger, lease, 2, after(3600), gap)


def test_instants_and_texts_come_back_as_they_went_in(ledger: Ledger) -> None:
    odd = T0 + timedelta(microseconds=1)
    row = attempt(1, due=odd, until=odd, scenario="scenarios/a b'\"\\.yaml", seed=2**62, stratum="工作日/09-12 😀")
    begin(ledger, [row], client="某银行")
    (found,) = ledger.attempts("c1")
    assert {name: getattr(found, name) for name in vars(row)} == vars(row)
    assert ledger.campaign("c1").client == "某银行"
    ledger.create(NewCampaign(id="empty", name="e", client="x", plan_sha256="", created=odd), [])
    assert [c.id for c in ledger.campaigns()] == ["c1", "empty"]
    assert ledger.claim(begin(ledger, [attempt(1)], "c9"), "a0001", T0, FREE) == Claimed()
