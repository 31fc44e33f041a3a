"""`shopper campaign`, as an evaluator uses it, against the sandbox centre; and the kill switch."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.campaign_folder import CampaignFolder
from harness.inputs import speech_cache
from harness.ledger.rows import Attempt, State
from harness.sandbox.centre import Centre
from harness.sandbox.truth import Truth
from tests.shopper import ROOT, command, shopper, write_yaml

pytestmark = pytest.mark.realtime
Rows = list[dict[str, Any]]


def chats(count: int) -> dict[str, object]:
    return {"scenario": "S01", "channel": "chat", "entry": "web", "count": count}


def calls(count: int) -> dict[str, object]:
    return {"scenario": "S01", "channel": "voice", "entry": "hotline-1", "count": count}


def write_plan(folder: Path, *attempts: dict[str, object], **more: object) -> None:
    plan = {"format": 1, "name": "test", "seed": 3, "attempts": list(attempts), "limits": {"queue_s": 60}}
    write_yaml(folder / "plan.yaml", plan | {"at_once": {"voice": 4, "chat": 2}} | more)


def attempts(folder: Path) -> list[Attempt]:
    place = CampaignFolder(folder)
    ledger = place.ledger()
    try:
        return ledger.attempts(place.record().campaign)
    finally:
        ledger.close()


class Audit:
    """A campaign's folder beside a running sandbox centre."""

    def __init__(self, centre: Centre) -> None:
        self.centre, self.folder = centre, centre.folder
        self.environment = os.environ | {"SHOPPER_STOP_FILE": str(self.folder / "everywhere" / "STOP")}

    @property
    def truth(self) -> Rows:
        return Truth.read(self.centre.truth) if self.centre.truth.exists() else []

    def begun(self) -> set[str]:
        return {row["session"] for row in self.truth}

    async def start(self, *options: object) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *command("campaign", "run", self.folder, *options), cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe
        )

    async def run(self, *options: object) -> tuple[int, str]:
        process = await self.start(*options)
        out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        return int(process.returncode or 0), (out + err).decode()

    async def until(self, ready: Callable[[], bool], process: asyncio.subprocess.Process) -> None:
        async with asyncio.timeout(60):
            while not ready():
                if process.returncode is not None:
                    out, err = await process.communicate()
                    raise AssertionError(f"ended early: {(out + err).decode()}")
                await asyncio.sleep(0.05)

    def say(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60
        )


@asynccontextmanager
async def audit(folder: Path, *, voice: bool) -> AsyncIterator[Audit]:
    async with Centre(folder / "audit", seed=5, cache=speech_cache(), voice=voice) as _:
        yield Audit(Centre(folder / "audit", seed=5, cache=speech_cache()))


def go(tmp_path: Path, story: Callable[[Audit], Awaitable[None]], *, voice: bool = False) -> None:
    async def told() -> None:
        async with audit(tmp_path, voice=voice) as place:
            await story(place)

    asyncio.run(told())


def test_a_campaign_that_is_terminated_goes_on_and_ends_with_a_report(tmp_path: Path) -> None:
    async def story(place: Audit) -> None:
        write_plan(place.folder, chats(4))
        first = await place.start()
        await place.until(lambda: len(place.begun()) >= 2, first)
        first.send_signal(signal.SIGTERM)
        _, err = await first.communicate()
        assert first.returncode == 130, err
        assert b"the next run goes on" in err
        rows = attempts(place.folder)
        assert any(row.state is State.DUE for row in rows)
        assert not [row for row in rows if row.state in (State.CLAIMED, State.DIALLING)]

        second, other = await place.start(), await asyncio.sleep(0)
        await place.until(lambda: len(place.begun()) >= 3, second)
        code, said = await place.run()  # a second runner at the same time
        assert (code, "is being run already" in said) == (2, True), said
        out, err = await second.communicate()
        assert other is None
        assert second.returncode == 1, err  # the chats that were cut off count as not measured
        assert "report.html" in out.decode()

        rows = attempts(place.folder)
        assert len(place.begun()) <= len(rows) == 4
        assert {row.state for row in rows} == {State.ENDED}
        assert {row.outcome for row in rows} <= {"ANSWERED", "IVR_SERVED", "INVALID", "BLOCKED"}
        document = place.say("campaign", "status", place.folder, "--json")
        assert document.returncode == 0, document.stderr

    go(tmp_path, story)


def test_a_runner_that_is_killed_leaves_lost_attempts_that_are_never_dialled_again(tmp_path: Path) -> None:
    async def story(place: Audit) -> None:
        write_plan(place.folder, chats(3))
        first = await place.start()
        await place.until(lambda: len(place.begun()) >= 2, first)
        first.kill()
        await first.communicate()
        claimed = {row.id for row in attempts(place.folder) if row.state in (State.CLAIMED, State.DIALLING)}
        before = len(place.begun())
        assert claimed

        code, said = await place.run()
        rows = {row.id: row for row in attempts(place.folder)}
        assert code == 1, said
        assert {rows[name].outcome for name in claimed} == {"LOST"}
        assert len(place.begun()) - before == len([row for row in rows.values() if row.outcome != "LOST"]) - (
            before - len(claimed)
        )

    go(tmp_path, story)


@pytest.mark.long
def test_a_changed_plan_is_refused_until_somebody_signs(tmp_path: Path) -> None:
    async def story(place: Audit) -> None:
        write_plan(place.folder, chats(1))
        assert place.say("campaign", "run", place.folder).returncode == 0
        write_plan(place.folder, chats(2))
        refused = place.say("campaign", "run", place.folder)
        assert refused.returncode == 3
        assert "deviate" in refused.stderr
        signed = place.say("campaign", "deviate", place.folder, "--by", "组长", "--reason", "样本不足")
        assert signed.returncode == 0, signed.stderr
        code, said = await place.run("--due")
        assert code == 0, said
        rows = attempts(place.folder)
        assert [row.outcome for row in rows] == ["IVR_SERVED"] * 2
        report = CampaignFolder(place.folder).run.report.read_text(encoding="utf-8")
        assert "样本不足" in report
        assert place.say("campaign", "deviate", place.folder, "--by", "x", "--reason", "y").returncode == 2

    go(tmp_path, story)


@pytest.mark.long
def test_pausing_resuming_and_stopping_for_good(tmp_path: Path) -> None:
    async def story(place: Audit) -> None:
        write_plan(place.folder, chats(8), at_once={"voice": 1, "chat": 1})
        runner = await place.start()
        await place.until(lambda: len(place.begun()) >= 1, runner)
        assert place.say("campaign", "pause", place.folder, "--reason", "联络人要求").returncode == 0
        await place.until(lambda: not _under_way(place), runner)
        begun = len(place.begun())
        await asyncio.sleep(2.5)  # longer than the runner's look at the ledger
        assert len(place.begun()) == begun
        assert place.say("campaign", "resume", place.folder, "--by", "组长").returncode == 0
        await place.until(lambda: len(place.begun()) > begun, runner)
        stopped = place.say("campaign", "stop", place.folder, "--by", "组长", "--reason", "事故")
        assert stopped.returncode == 0, stopped.stderr
        await runner.communicate()
        rows = attempts(place.folder)
        assert {row.state for row in rows} == {State.ENDED}
        assert [row for row in rows if row.outcome == "MISSED" and "事故" in row.reason]
        again = place.say("campaign", "run", place.folder)
        assert again.returncode in (1, 3), again.stderr

    go(tmp_path, story)


def test_the_kill_switch_hangs_up_within_a_second_and_holds(tmp_path: Path) -> None:
    async def story(place: Audit) -> None:
        write_plan(place.folder, calls(4), chats(4))
        runner = await place.start()
        await place.until(lambda: len(_live(place)) >= 4, runner)
        up = _live(place)
        pulled = place.say("stop", "--by", "组长", "--reason", "演练")
        at = time.monotonic()
        assert pulled.returncode == 0
        out, err = await runner.communicate()
        assert runner.returncode == 3, (out + err).decode()
        late = {
            row["session"]: row["t_mono"] - at for row in place.truth if row["event"] == "end" and row["session"] in up
        }
        print("hung up after", {name: f"{seconds:.2f}" for name, seconds in late.items()})
        assert set(late) == up
        assert max(late.values()) < 1.0
        assert not [
            row for row in place.truth if row["event"] in ("invite", "session_open") and row["t_mono"] > at + 0.5
        ]
        held = place.say("campaign", "run", place.folder)
        assert (held.returncode, "演练" in held.stderr) == (3, True)
        assert place.say("stop", "--release").returncode == 0
        code, said = await place.run()
        assert code == 1, said
        assert {row.state for row in attempts(place.folder)} == {State.ENDED}

    go(tmp_path, story, voice=True)


def _under_way(place: Audit) -> list[str]:
    return [row.id for row in attempts(place.folder) if row.state in (State.CLAIMED, State.DIALLING)]


def _live(place: Audit) -> set[str]:
    """Returns the sessions that the centre has seen begin and not end."""
    live: set[str] = set()
    for row in place.truth:
        if row["event"] == "end":
            live.discard(row["session"])
        else:
            live.add(row["session"])
    return live


def test_a_folder_that_is_no_campaign(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments in (["status", tmp_path / "empty"], ["status", tmp_path / "none"], ["run", tmp_path / "empty"]):
        ran = shopper("campaign", *arguments)
        assert ran.code == 2
        assert ran.err.startswith("shopper: ")
