"""The doctor calls itself, registers with a real registrar, and places trial calls with the sandbox."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import kill_switch
from harness.doctor import sip
from harness.doctor.audit import Audit, Request
from harness.doctor.check import carry_out
from harness.doctor.finding import Finding, State
from harness.inputs import speech_cache
from harness.sandbox.centre import Centre
from probes.target import Target
from probes.target_file import load_target
from tests.kamailio import PASSWORD, USER, Kamailio
from tests.shopper import plan, shopper, write_yaml
from tests.test_doctor import look

pytestmark = pytest.mark.realtime
VARIABLE = "DOCTOR_TRUNK_PASSWORD"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("centre")
    with asyncio.Runner() as runner:
        sandbox = Centre(folder, seed=1, cache=speech_cache())
        yield runner.run(sandbox.start())
        runner.run(sandbox.stop())


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    with Kamailio(tmp_path_factory.mktemp("carrier"), {}) as running:
        yield running


def trial(target: Path, entry: str) -> Finding:
    return look(Audit(Request(target=target, call=entry)), "call")


# --- the machine ----------------------------------------------------------------------------------------------------


def test_the_stack_calls_itself_and_hears_itself() -> None:
    checks = sip.checks(Audit(Request()), sip.SipStack())
    library, echo, pace = (result.finding for result in asyncio.run(carry_out(checks)))
    assert library.state is State.OK
    assert library.figures["calls_per_process"] == 4
    assert library.figures["ipv6"] is False
    assert {"PCMA", "PCMU", "G722"} <= set(library.figures["codecs"])
    assert echo.state in (State.OK, State.WARN)
    assert 0 < echo.figures["delay_s"] < 1
    assert echo.figures["lost_back"] < sip.LOSS_FAIL
    assert 0.02 <= pace.figures["longest_gap_s"] < 2


def _children_with_a_call() -> list[psutil.Process]:
    """Returns the child once SIP, and RTP with RTCP of both legs, are open."""
    children = [child for child in psutil.Process().children() if "harness.doctor.loopback" in child.cmdline()]
    return [child for child in children if len(child.net_connections("udp")) >= 5]


def test_a_process_that_stands_still_is_seen_as_a_stall() -> None:
    async def interrupted() -> list[Any]:
        async def child() -> Any:
            task = asyncio.create_task(sip.loopback_child())
            await asyncio.sleep(0)
            while not (children := _children_with_a_call()):
                await asyncio.wait({task}, timeout=0.05)  # the child tells nobody; its end would be an event
                assert not task.done()
            await asyncio.wait({task}, timeout=0.5)  # by now there is sound
            children[0].send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.5)
            children[0].send_signal(signal.SIGCONT)
            return await task

        return await carry_out(sip.checks(Audit(Request()), sip.SipStack(child)))

    pace = asyncio.run(interrupted())[2].finding
    assert pace.state is State.WARN
    assert pace.figures["stalls"] >= 1
    assert pace.figures["longest_gap_s"] >= 0.4


# --- registration ---------------------------------------------------------------------------------------------------


def trunk(folder: Path, carrier: Kamailio, **more: Any) -> Audit:
    spec = {
        "kind": "registered", "uri": carrier.uri("digest", USER), "registrar": carrier.uri("digest"),
        "username": USER, "password_env": VARIABLE,
    }  # fmt: skip
    line = {"uri": carrier.uri("digest", "95001"), "trunk": "carrier"}
    document = {"format": 1, "name": "示例", "trunks": {"carrier": spec | more}, "lines": {"a": line, "b": dict(line)}}
    return Audit(Request(target=write_yaml(folder / "target.yaml", document)))


def test_each_trunk_registers_once_and_takes_its_leave(
    tmp_path: Path, carrier: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    before = len(carrier.seen("request REGISTER"))
    finding = look(trunk(tmp_path, carrier), "registration")
    assert finding.state is State.OK, finding.found.en
    assert finding.figures["registered"] == 1
    assert finding.figures["expires_s"] > 0
    asked = carrier.seen("request REGISTER")[before:]
    assert [re.search(r"expires=(\d+)", row)[1] == "0" for row in asked][-1]  # gone again
    assert any(re.search(r"expires=[1-9]", row) for row in asked)
    assert PASSWORD not in repr(finding)


def test_a_wrong_password_fails_with_the_registrars_answer(
    tmp_path: Path, carrier: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "not-the-password")
    finding = look(trunk(tmp_path, carrier), "registration")
    assert finding.state is State.FAIL
    assert "401" in finding.found.en
    assert "not-the-password" not in repr(finding)


def test_a_registrar_that_is_not_authorised_hears_nothing(
    tmp_path: Path, carrier: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    finding = look(trunk(tmp_path, carrier, registrar="sip:registrar.invalid"), "registration")
    assert finding.state is State.SKIPPED
    assert "not authorised" in finding.found.en


# --- trial calls ----------------------------------------------------------------------------------------------------


def test_a_trial_call_is_answered_heard_and_hung_up(centre: Path) -> None:
    finding = trial(centre, "hotline-1")
    assert finding.state is State.OK, finding.found.en
    assert finding.figures["code"] == 200
    assert finding.figures["packets"] > 100
    assert finding.figures["audible"] is True
    assert 0 <= finding.figures["ring_s"] < finding.figures["answer_s"] < 10
    assert trial(centre, "hotline-1").state is State.OK  # the line is free again


def test_a_busy_line_fails_with_its_code(centre: Path) -> None:
    finding = trial(centre, "busy")
    assert finding.state is State.FAIL
    assert finding.figures["code"] == 486
    assert "busy" in finding.cure.en


def test_a_line_where_nobody_listens_fails(tmp_path: Path, carrier: Kamailio) -> None:
    nobody = {"format": 1, "name": "x", "lines": {"a": {"uri": "sip:95001@127.0.0.1:9", "transport": "tcp"}}}
    finding = trial(write_yaml(tmp_path / "target.yaml", nobody), "a")
    assert finding.state is State.FAIL
    assert finding.figures["code"] in (502, 503)


def test_a_chat_is_opened_and_nothing_is_sent(centre: Path) -> None:
    finding = trial(centre, "web")
    assert finding.state is State.OK, finding.found.en
    assert 0 < finding.figures["ready_s"] < 20


def test_a_chat_that_does_not_answer_fails(tmp_path: Path) -> None:
    closed = {"format": 1, "name": "x", "chats": {"web": {"url": "http://127.0.0.1:9/"}}}
    finding = trial(write_yaml(tmp_path / "target.yaml", closed), "web")
    assert finding.state is State.FAIL
    assert "not ready" in finding.found.en


def test_the_kill_switch_ends_a_trial_call(centre: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPPER_STOP_FILE", str(tmp_path / "STOP"))
    stack = sip.SipStack()

    async def pulled() -> Finding:
        from harness.doctor import trial as module

        assert await stack.usable()
        [check] = module.checks(Audit(Request(target=centre, call="silent")), stack)
        look = asyncio.create_task(check.look())
        await asyncio.sleep(1)
        assert not look.done()
        kill_switch.pull(tmp_path / "STOP", by="test", reason="enough")
        async with asyncio.timeout(3):
            return await look

    finding = asyncio.run(pulled())
    assert (finding.state, finding.exit_code) == (State.FAIL, 3)
    assert "enough" in finding.found.en


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_looks_at_everything(centre: Path, tmp_path: Path) -> None:
    target: Target = load_target(centre).target
    assert target.lines
    schedule = plan(tmp_path / "plan.yaml", ("S01", "voice", "hotline-1", 2), ("S21", "chat", "web", 1))
    ran = shopper(
        "doctor", "--target", centre, "--plan", schedule, "--runs", tmp_path / "runs", "--json", "--lang", "en"
    )
    document = ran.document
    states = {each["id"]: each["state"] for each in document["checks"]}
    assert ran.code == document["exit_code"] == 0, [each for each in document["checks"] if each["state"] == "fail"]
    assert states.keys() >= {"python", "sip", "echo", "pace", "browser", "space", "plan", "policy", "voices", "names"}
    assert all(states[name] == "ok" for name in ("python", "plan", "policy", "voices", "target"))
    assert "Before the audit" in ran.err
    assert not (tmp_path / "runs").exists()


def test_the_command_says_what_is_wrong_with_its_options(tmp_path: Path) -> None:
    ran = shopper("doctor", "--call", "hotline")
    assert ran.code == 2
    assert "give --target" in ran.err
    assert shopper("doctor", "--lang", "fr").code == 2
