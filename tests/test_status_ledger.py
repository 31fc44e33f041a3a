"""Status and watch over a real ledger: what was done to a campaign is what is seen of it."""

import io
from dataclasses import replace

from rich.console import Console

from harness import lease
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Ceilings, Claimed, Deviation, NewAttempt, NewCampaign, Wanted
from harness.status import document, status
from harness.watch import watch
from probes.clock import Clock
from tests import virtual_time
from tests.attempt_rows import NOW, at


def test_what_was_done_is_what_is_seen(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    try:
        new = [
            NewAttempt(
                id=f"a{n}", seq=n, scenario="S01", channel="voice", entry="main", address="sip:95001@127.0.0.1",
                seed=n, due=at(10 * n), until=at(10 * n + 5), session_s=300.0,
            )
            for n in range(6)
        ]  # fmt: skip
        ledger.create(NewCampaign("c1", "autumn", "bank", "a" * 64, NOW), new)
        assert list(status(ledger, "c1", NOW).flow.counts.values()) == [6, 1, 0, 0, 0, 0]
        assert status(ledger, "c1", NOW).alive is False
        held = ledger.take("c1", lease.runner(), over=None, now=NOW)
        for n in (0, 1):
            assert isinstance(ledger.claim(held, f"a{n}", at(10 * n), Ceilings()), Claimed)
        ledger.end("c1", "a0", "ANSWERED", "", at(5), connected=True, seconds=60.0, cost=1.0)
        assert [row.id for row in ledger.miss(held, at(26))] == ["a2"]
        ledger.pause("c1", "main", "3 network failures in a row", at(26))
        change = Deviation(at(26), "Auditor A", "fewer calls", "a" * 64, "b" * 64)
        ledger.deviate(held, change, ["a5"], "withdrawn by deviation 1", [replace(new[5], id="d1-a5", seq=6)])
        ledger.note("c1", "clock", "this machine's clock was set by +3600.0 s", at(26))
        seen = document(status(ledger, "c1", at(30), (), Ceilings(per_hour=9, at_once=2)))
        assert list(seen["flow"]["counts"].values()) == [7, 4, 2, 1, 1, 0]
        assert {(x["stage"], x["kind"], x["reason"]): x["n"] for x in seen["flow"]["losses"]} == {
            ("due", "to_come", ""): 2,
            ("due", "MISSED", "withdrawn by deviation 1"): 1,
            ("dispatched", "paused", ""): 1,
            ("dispatched", "MISSED", "its window passed"): 1,
            ("connected", "under_way", ""): 1,
            ("scored", "not_yet_scored", ""): 1,
        }  # fmt: skip
        assert seen["runner"]["alive"] is True
        assert [x["attempt"] for x in seen["next_due"]] == ["a3", "a4", "d1-a5"]
        assert {x["name"]: x["used"] for x in seen["ceilings"]} == {"at_once": 1, "per_hour": 2}
        assert seen["campaign"]["plan_sha256"] == "b" * 64
        assert seen["campaign"]["frozen"] == NOW.isoformat()
        assert [x["by"] for x in seen["deviations"]] == ["Auditor A"]
        assert [x["entry"] for x in seen["pauses"]] == ["main"]
        assert "clock" in [x["kind"] for x in seen["notes"]]
        ledger.end("c1", "a1", "INVALID", "the run was stopped; we hung up", at(31))
        ledger.want("c1", Wanted.STOPPED, "by Auditor A: enough", at(31))
        out = io.StringIO()
        virtual_time.run(watch(ledger, "c1", Console(file=out, width=100), "zh", Clock()))
        assert "已终止" in out.getvalue()
        assert "by Auditor A: enough" in out.getvalue()
    finally:
        ledger.close()
