"""The folder of a campaign: begun once, and what was changed in it since is signed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from harness.campaign import Listeners
from harness.campaign_folder import CampaignFolder, CampaignRecord
from harness.ledger.rows import State
from probes.clock import Clock
from scenarios.errors import InputError, PolicyRefused
from tests.shopper import write_yaml


def target(folder: Path, uri: str = "sip:95001@127.0.0.1:5999") -> None:
    write_yaml(folder / "target.yaml", {"format": 1, "name": "test", "lines": {"main": {"uri": uri, "channels": 2}}})


def plan(folder: Path, *scenarios: str) -> None:
    rows = [{"scenario": name, "channel": "voice", "entry": "main", "count": 2} for name in scenarios]
    write_yaml(folder / "plan.yaml", {"format": 1, "name": "test", "seed": 3, "attempts": rows})


@pytest.fixture
def place(tmp_path: Path) -> CampaignFolder:
    target(tmp_path)
    plan(tmp_path, "S01", "S02")
    return CampaignFolder(tmp_path)


def begin(place: CampaignFolder) -> CampaignRecord:
    return place.begin(place.inputs(), Clock(), ledger_url=None, evidence=None)


def test_two_that_begin_it_at_once_begin_one_campaign(place: CampaignFolder) -> None:
    inputs, records = place.inputs(), list[CampaignRecord]()
    together = threading.Barrier(4)

    def go() -> None:
        together.wait()
        records.append(CampaignFolder(place.path).begin(inputs, Clock(), ledger_url=None, evidence=None))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = place.ledger()
    assert [campaign.id for campaign in ledger.campaigns()] == [records[0].campaign]
    assert {record.campaign for record in records} == {records[0].campaign}
    ledger.close()


def test_a_changed_number_is_not_dialled_until_somebody_signs(place: CampaignFolder) -> None:
    record = begin(place)
    ledger = place.ledger()
    place.check_unchanged(place.inputs(), ledger, record)
    target(place.path, "sip:95002@127.0.0.1:5999")
    with pytest.raises(PolicyRefused, match=r"main was sip:95001@127.0.0.1:5999 and is sip:95002@") as refused:
        place.check_unchanged(place.inputs(), ledger, record)
    assert "campaign deviate" in str(refused.value)
    asyncio.run(place.deviate("组长", "号码有误", Clock()))
    place.check_unchanged(place.inputs(), ledger, record)
    [kept] = place.run.path.glob("target.*.yaml")
    assert kept != place.run.target
    assert "95001" in kept.read_text(encoding="utf-8")
    due = {row.address for row in ledger.attempts(record.campaign) if row.state is State.DUE}
    assert due == {"sip:95002@127.0.0.1:5999"}
    with pytest.raises(InputError, match="plan and target are unchanged"):
        asyncio.run(place.deviate("组长", "再来一次", Clock()))
    ledger.close()


def test_a_script_that_the_plan_has_no_more_does_not_hide_what_was_done_with_it(place: CampaignFolder) -> None:
    record = begin(place)
    plan(place.path, "S01")
    asyncio.run(place.deviate("组长", "只测一个场景", Clock()))
    ledger = place.ledger()
    work = place.campaign(place.inputs(), ledger, record, Clock(), scheduler=None, listeners=Listeners())
    work.abandon("the test is over")
    assert {session.attempt.scenario for session in work.sessions()} == {"S01", "S02"}
    ledger.close()


def test_the_folder_may_be_moved(place: CampaignFolder, tmp_path_factory: pytest.TempPathFactory) -> None:
    record = begin(place)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "audit"
    place.path.rename(elsewhere)
    moved = CampaignFolder(elsewhere)
    ledger = moved.ledger()
    assert len(ledger.attempts(moved.record().campaign)) == 4
    assert moved.record() == record
    ledger.close()
