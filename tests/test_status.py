"""What people and programs see of a campaign: one reading of the ledger, on the terminal, as JSON, for Prometheus."""

import asyncio
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.cells import cell_len
from rich.console import Console

from harness import lease, prometheus
from harness.ledger.rows import Campaign, Ceilings, Deviation, Note, Pause, Price, State, Wanted
from harness.status import document, record, status
from harness.status_page import render, render_live
from harness.watch import watch
from probes.clock import Clock
from results.flow_table import STAGES
from results.run_folder import RunFolder
from results.summary import flow_table
from scenarios.errors import LedgerUnavailable
from tests import virtual_time
from tests.attempt_rows import NOW, at, row
from tests.conventions import ROOT
from tests.session_factory import AGENT, fill, voice

CAMPAIGN = Campaign(
    "c1", "autumn [audit] 秋季", "沙箱银行", "c" * 64, at(-9000), Wanted.RUNNING, "", at(-8000), 2, lease.runner(), 7
)
ROWS = [
    row(1, "ANSWERED", id="v001", ended=at(-8), seconds=90.0, cost=1.5),
    row(2, "LIMIT", ended=at(-7), seconds=180.0, cost=2.5, reason="waited 180 s in the queue"),
    row(3, "NET_FAIL", connected=False, ended=at(-6), reason="no answer within 45 s"),
    row(
        4, "LOST", connected=False, claimed=at(-4), ended=at(-3), reason="its worker died (9); how it ended is unknown"
    ),
    row(5, "MISSED", claimed=None, connected=False, ended=at(-2), reason="its window passed"),
    row(6, "IVR_SERVED", channel="chat", claimed=at(-1000), ended=at(-999), seconds=30.0),
    row(7, state=State.DIALLING, claimed=at(-1)),
    row(8, state=State.CLAIMED, claimed=at(0), channel="chat"),
    row(9, entry="vip"),
    row(10, replaces="a004"),
    *(row(n, due=at(60 * n), until=at(60 * n + 30)) for n in range(11, 31)),
]
PAUSE = Pause("vip", at(-30), "3 network failures in a row, the last: 503 Service Unavailable")
DEVIATION = Deviation(at(-300), "Auditor [A]", "the client closed its evening shift", "d" * 64, "c" * 64)
CEILINGS = Ceilings(
    at_once=4, per_hour=60, per_day=5, minutes=1000, money=50.0, price={"voice": Price(per_minute=0.5, per_session=1.0)}
)


class Rows:
    """The reading half of a ledger, over rows made by hand."""

    def __init__(self, campaign=CAMPAIGN, rows=ROWS, others=(), notes=()):
        self.of = {campaign.id: (campaign, list(rows)), **{c.id: (c, list(r)) for c, r in others}}
        self.diary = [Note(at(-n), "takeover", f"note {n}") for n in range(9, 0, -1)] + list(notes)

    def campaign(self, id_):
        return self.of[id_][0]

    def campaigns(self):
        return [campaign for campaign, _ in self.of.values()]

    def attempts(self, id_):
        return self.of[id_][1]

    def pauses(self, _):
        return [PAUSE]

    def deviations(self, _):
        return [DEVIATION]

    def notes(self, _):
        return self.diary


def shown(page, width=80):
    out = io.StringIO()
    Console(file=out, width=width).print(page)
    return out.getvalue()


def test_one_reading_says_it_all():
    seen = status(Rows(), "c1", NOW, [voice(1)], CEILINGS)
    assert seen.alive is True
    assert list(seen.flow.counts.values()) == [30, 10, 7, 3, 3, 1]
    assert [row.id for row in seen.under_way] == ["a007", "a008"]
    assert [row.id for row in seen.last] == ["a005", "a004", "a003", "a002", "v001", "a006"]
    assert [row.id for row in seen.next] == ["a009", "a010", "a011", "a012", "a013"]
    assert [note.text for note in seen.notes] == [f"note {n}" for n in range(5, 0, -1)]
    main = seen.entries[0]
    assert (main.name, main.channel, main.planned, main.left, main.under_way) == ("main", "voice", 27, 21, 1)
    assert main.outcomes == {"ANSWERED": 1, "LIMIT": 1, "NET_FAIL": 1, "MISSED": 1, "LOST": 1}
    assert (main.seconds, main.cost) == (270.0, 4.0)
    assert sum(entry.planned for entry in seen.entries) == len(ROWS)


def test_without_its_session_an_attempt_is_not_scored_yet():
    seen = status(Rows(), "c1", NOW)
    assert seen.flow.counts["scored"] == 0
    assert {loss.kind: loss.n for loss in seen.flow.at_stage("scored")} == {"not_yet_scored": 3}


def test_ceilings_count_what_the_client_shares():
    other = replace(CAMPAIGN, id="c2")
    stranger = replace(CAMPAIGN, id="c3", client="someone else")
    more = row(1, "ANSWERED", seconds=600.0, cost=6.0, claimed=at(-2))
    seen = status(Rows(others=[(other, [more]), (stranger, [more] * 9)]), "c1", NOW, (), CEILINGS)
    used = {usage.name: usage.used for usage in seen.usage}
    assert used["at_once"] == 3  # two under way, and the lost one until its longest time is over
    assert used["per_hour"] == 7
    assert used["per_day"] == 7  # a006 was claimed the day before, in China
    assert used["minutes"] == pytest.approx((90 + 180 + 30 + 600 + 2 * 300) / 60)
    assert used["money"] == pytest.approx(
        1.5 + 2.5 + 6.0 + 1.0 + 0.5 * 5
    )  # under way: a call of five minutes; the chat has no price
    assert status(Rows(), "c1", NOW).usage == ()


@pytest.mark.parametrize(
    ("runner", "alive"),
    [
        ("", False),
        ("elsewhere b00t 1 2", None),
        pytest.param(lease.runner(), True, id="this very process"),  # each pytest worker is another
        ("dead", False),
    ],
)
def test_whether_a_runner_is_at_work(runner, alive):
    if runner == "dead":
        host, boot, pid, _ = lease.runner().split(" ")
        runner = f"{host} {boot} {pid} 1"  # the process id was given to another one
    seen = status(Rows(replace(CAMPAIGN, runner=runner)), "c1", NOW)
    assert seen.alive is alive
    assert ("无执行进程" in shown(render(seen, "zh"))) is (alive is False)
    families = {family.name: family for family in text_string_to_metric_families(prometheus.text(seen))}
    assert [sample.value for sample in families["shopper_campaign_runner_alive"].samples] == (
        [] if alive is None else [float(alive)]
    )


def test_a_paused_campaign_says_that_its_attempts_wait_for_that():
    paused = replace(CAMPAIGN, wanted=Wanted.PAUSED, why="the liaison asked for it")
    seen = status(Rows(paused), "c1", NOW)
    assert {loss.kind: loss.n for loss in seen.flow.at_stage("dispatched")} == {"paused": 2, "MISSED": 1}
    assert "the liaison asked for it" in shown(render(seen, "en"))


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("page", [render, render_live])
def test_the_page_fits_and_says_what_matters(lang, width, page):
    text = shown(page(status(Rows(), "c1", NOW, [voice(1)], CEILINGS), lang), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    for said in ("autumn [audit] 秋季", "a007", "60 s", "a011", "3 network failures in a row"):
        assert said in text
    counts = re.findall(
        r"^ (?:计划|到时|已派发|接通|计分|planned|due|dispatched|connected|scored).*?(\d+)", text, re.MULTILINE
    )
    assert [int(n) for n in counts[:6]] == [30, 10, 7, 3, 3, 1]
    if page is render:
        assert "Auditor [A]" in text
        assert "dddddddddddd → cccccccccccc" in re.sub(r"\s+", " ", text)
    assert ("流程表" in text) is (lang == "zh")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_reason_is_cut_off_on_a_narrow_screen(lang):
    why = "the authorisation of the client expired, and what is left is dialled by nobody"
    rows = [row(1, "BLOCKED", claimed=None, reason=why), row(2, "BLOCKED", claimed=None, reason="拒绝" * 60)]
    text = re.sub(r"\s+", "", shown(flow_table(status(Rows(rows=rows), "c1", NOW).flow, lang), 60))
    assert why.replace(" ", "") in text
    assert "拒绝" * 60 in text


def test_agents_are_not_named():
    said = f"the far end objects to being tested: “我是8021号客服代表{AGENT}，不要再打。”"
    rows = [row(1, "ANSWERED", reason=said)]
    ledger = Rows(replace(CAMPAIGN, wanted=Wanted.PAUSED, why=said), rows, notes=[Note(NOW, "pause", said)])
    seen = status(ledger, "c1", NOW)
    for text in (
        shown(render(seen, "zh")),
        shown(render_live(seen, "en")),
        json.dumps(document(seen)),
        prometheus.text(seen),
    ):
        assert AGENT not in text
        assert "8021" not in text


def test_the_document_is_json_and_documented():
    said = document(status(Rows(), "c1", NOW, [voice(1)], CEILINGS))
    assert json.loads(json.dumps(said)) == said
    assert said["format"] == 1
    assert said["at"] == "2026-11-21T06:00:00+00:00"
    assert said["by_outcome"] == {"ANSWERED": 1, "LIMIT": 1, "IVR_SERVED": 1, "NET_FAIL": 1, "MISSED": 1, "LOST": 1}
    assert said["runner"]["alive"] is True
    counts, losses = said["flow"]["counts"], said["flow"]["losses"]
    for stage, following in pairwise(STAGES):
        assert counts[stage] == counts[following] + sum(x["n"] for x in losses if x["stage"] == following)
    text = (ROOT / "docs/json.md").read_text("utf-8").split("## `shopper campaign status`")[1]
    keys = set(said) | set(said["campaign"]) | set(said["runner"])
    for part in ("by_entry", "under_way", "last_ended", "next_due", "ceilings", "pauses", "deviations", "notes"):
        assert said[part], part
        keys |= set(said[part][0])
    assert sorted(key for key in keys - {"format"} if f"`{key}`" not in text) == []


def test_prometheus_reads_it_and_every_name_is_documented():
    families = list(text_string_to_metric_families(prometheus.text(status(Rows(), "c1", NOW, [voice(1)], CEILINGS))))
    samples = {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}
    value = lambda name, **labels: samples[(name, *sorted({"campaign": "c1", **labels}.items()))]  # noqa: E731
    assert value("shopper_campaign_flow", stage="dispatched") == 7
    assert value("shopper_campaign_flow_losses", stage="due", kind="to_come") == 20
    assert value("shopper_campaign_ended_total", entry="main", outcome="LOST") == 1
    assert value("shopper_campaign_session_seconds_total", entry="main") == 270
    assert value("shopper_campaign_next_due_timestamp_seconds") == at(-10).timestamp()
    assert value("shopper_campaign_paused", entry="vip") == 1
    assert value("shopper_campaign_ceiling_used", ceiling="at_once") == 3
    assert value("shopper_campaign_wanted", wanted="running") == 1
    assert value("shopper_campaign_wanted", wanted="stopped") == 0
    names = {name for name, *_ in samples}
    documented = set(re.findall(r"`(shopper_campaign_\w+)`", (ROOT / "docs/campaigns.md").read_text("utf-8")))
    assert names == documented


def test_a_runs_folder_gets_flow_and_deviations_for_its_report(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    fill(folder, [voice(1)])
    before = folder.info()
    seen = status(Rows(), "c1", NOW, folder.sessions())
    record(seen, folder)
    assert folder.read_flow() == seen.flow
    assert [vars(change) for change in folder.info().deviations] == [vars(DEVIATION)]
    assert folder.info().model_copy(update={"deviations": ()}) == before


def test_watch_goes_on_until_the_campaign_is_done_and_survives_an_absent_ledger():
    class Fading(Rows):
        """A ledger that is away at the second look, and whose campaign is done at the fourth."""

        looks = 0

        def campaign(self, id_):
            self.looks += 1
            if self.looks == 2:
                raise LedgerUnavailable("the ledger cannot be reached: stopped")
            return replace(super().campaign(id_), wanted=Wanted.DONE if self.looks == 4 else Wanted.RUNNING)

    out = io.StringIO()
    ledger = Fading(rows=[row(1, "ANSWERED")])
    console = Console(file=out, width=80, force_terminal=True)
    virtual_time.run(watch(ledger, "c1", console, "en", Clock()))
    assert ledger.looks == 4
    assert "the ledger cannot be reached: stopped" in out.getvalue()
    assert out.getvalue().count("done") >= 1


def test_watch_stops_when_it_is_told():
    async def scene():
        stop = asyncio.Event()
        clock = SimpleNamespace(utc=lambda: NOW, monotonic=asyncio.get_running_loop().time)
        task = asyncio.create_task(watch(Rows(), "c1", Console(file=io.StringIO()), "zh", clock, stop))
        await asyncio.sleep(5)
        assert not task.done()
        stop.set()
        await task

    virtual_time.run(scene())
