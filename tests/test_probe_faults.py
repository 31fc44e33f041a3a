"""What goes wrong becomes one clear sentence and the right exit code, never a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.inputs import speech_cache
from harness.ledger.ledger import Ledger
from harness.sandbox.centre import Centre
from harness.sandbox.truth import Truth
from results.run_folder import RunFolder
from tests.shopper import ROOT, command, plan, shopper, write_yaml

pytestmark = pytest.mark.realtime


def target(folder: Path, uri: str = "sip:95001@127.0.0.1:5999", url: str | None = None) -> Path:
    document: dict[str, object] = {"format": 1, "name": "test"}
    document["lines"] = {"main": {"uri": uri}}
    if url is not None:
        document["chats"] = {"web": {"url": url, "widget": "sandbox"}}
    return write_yaml(folder / "target.yaml", document)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_centre_that_refuses_connections(tmp_path: Path) -> None:
    aim = target(tmp_path, f"sip:95001@127.0.0.1:{free_port()}")
    schedule = plan(tmp_path / "plan.yaml", ("S01", "voice", "main", 1), ring_s=4)
    ran = shopper("probe", "--target", aim, "--plan", schedule, "--runs", tmp_path, "--json")

    assert ran.code == 1
    assert ran.document["outcomes"] == {"a001-S01-main": "NET_FAIL"}
    assert "no call reached the target" in " ".join(ran.document["not_measured"])


def test_a_page_that_never_loads(tmp_path: Path, silent_server: int) -> None:
    aim = target(tmp_path, url=f"http://127.0.0.1:{silent_server}/chat")
    ran = shopper("probe", "--target", aim, "--plan", plan(tmp_path / "plan.yaml", ("S01", "chat", "web", 1)),
                  "--runs", tmp_path, "--json")  # fmt: skip

    assert ran.code == 1
    assert ran.document["outcomes"] == {"a001-S01-web": "NET_FAIL"}
    assert "did not load" in " ".join(ran.document["not_measured"])


def refused(tmp_path: Path, aim: Path, schedule: Path, *more: object) -> tuple[int, str]:
    ran = shopper("probe", "--target", aim, "--plan", schedule, "--runs", tmp_path / "runs", *more)
    assert not (tmp_path / "runs").exists(), "nothing may have been begun"
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    return ran.code, ran.err


def test_a_scenario_with_an_unknown_key(tmp_path: Path) -> None:
    text = (ROOT / "scenarios/scripts/S01.yaml").read_text(encoding="utf-8")
    (tmp_path / "S01.yaml").write_text(text.replace("farewell:", "fairwell:"), encoding="utf-8")
    schedule = plan(tmp_path / "plan.yaml", ("S01", "voice", "main", 1))
    code, said = refused(tmp_path, target(tmp_path), schedule, "--scenarios", tmp_path)

    assert code == 2
    assert "S01.yaml:" in said
    assert "fairwell" in said
    assert "farewell" in said


def test_a_plan_without_attempts(tmp_path: Path) -> None:
    code, said = refused(tmp_path, target(tmp_path), plan(tmp_path / "plan.yaml", ("S01", "voice", "main", 0)))

    assert code == 2
    assert "the plan has no attempts" in said


@pytest.mark.parametrize("uri", ["sip:110@127.0.0.1:5060", "sip:95001@192.0.2.7"])
def test_a_number_that_may_not_be_called(tmp_path: Path, uri: str) -> None:
    code, said = refused(tmp_path, target(tmp_path, uri), plan(tmp_path / "plan.yaml", ("S01", "voice", "main", 1)))

    assert code == 3
    assert said.startswith("shopper: ")


def test_a_target_without_a_plan_of_its_own(tmp_path: Path) -> None:
    ran = shopper("probe", "--target", target(tmp_path))
    assert (ran.code, "needs a plan" in ran.err) == (2, True)


def voice_worker(pid: int) -> psutil.Process:
    """Returns the worker that holds calls: the one with the SIP stack loaded."""
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            if (
                "multiprocessing" in " ".join(child.cmdline())
                and "pjsua2" in Path(f"/proc/{child.pid}/maps").read_text()
            ):
                return child
    raise AssertionError("no worker holds a call")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="finds the worker by its memory map, on Linux only")
def test_a_killed_worker_costs_its_own_calls_only(tmp_path: Path) -> None:
    async def go() -> int:
        centre = Centre(tmp_path / "centre", seed=3, cache=speech_cache())
        async with centre as aim:
            schedule = plan(
                tmp_path / "plan.yaml",
                ("S01", "voice", "hotline-1", 2),
                ("S01", "voice", "busy", 1),
                ("S01", "chat", "web", 2),
                queue_s=60,
            )
            arguments = command("probe", "--target", aim, "--plan", schedule, "--runs", tmp_path / "runs")
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, stdout=pipe, stderr=pipe)
            assert process.stdout is not None
            # The busy call and both chats end while the two calls to the hotline go on.
            for _ in range(3):
                assert b"hotline" not in await process.stdout.readline()
            os.kill(voice_worker(process.pid).pid, signal.SIGKILL)
            _, said = await process.communicate()
            assert b"Traceback" not in said
            assert process.returncode is not None
            return process.returncode

    code = asyncio.run(go())
    folder = RunFolder.open(next((tmp_path / "runs").iterdir()))
    outcomes = {session.attempt.id: session.outcome for session in folder.sessions()}

    assert code == 1
    assert len(outcomes) == 5
    lost = {name for name, outcome in outcomes.items() if outcome == "LOST"}
    assert lost == {name for name in outcomes if name.endswith("hotline-1")}
    assert {outcomes[name] for name in outcomes if name.endswith("web")} == {"IVR_SERVED"}


def test_ctrl_c_hangs_up_and_leaves_every_attempt_with_one_outcome(tmp_path: Path) -> None:
    async def go() -> tuple[int, Path]:
        centre = Centre(tmp_path / "centre", seed=4, cache=speech_cache(), chat=False)
        async with centre as aim:
            attempts = [("S01", "voice", "hotline-1", 3), ("S01", "voice", "busy", 1)]
            schedule = plan(tmp_path / "plan.yaml", *attempts, queue_s=60)
            arguments = command("probe", "--target", aim, "--plan", schedule, "--runs", tmp_path / "runs")
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                *arguments, cwd=ROOT, stdout=pipe, stderr=pipe, start_new_session=True
            )
            assert process.stdout is not None
            assert b"busy" in await process.stdout.readline()  # by then the other calls are up
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, said = await process.communicate()
            assert b"stopped" in said
            assert process.returncode is not None
            return process.returncode, centre.truth

    code, truth = asyncio.run(go())
    rows = Truth.read(truth)
    calls = {row["session"] for row in rows if row["event"] == "invite"}
    ended = {row["session"] for row in rows if row["event"] == "end" and row["by"] == "far"}
    folder = RunFolder.open(next((tmp_path / "runs").iterdir()))
    ledger = Ledger(f"sqlite:///{folder.attempts}")
    outcomes = [row.outcome for row in ledger.attempts(folder.id)]
    ledger.close()

    assert code == 130
    assert len(calls) >= 2
    assert ended == calls
    assert set(outcomes) <= {"NET_FAIL", "INVALID", "MISSED"}
    assert len(outcomes) == 4
