"""The doctor: how checks are carried out, and what it finds in the papers of an audit."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness import kill_switch
from harness.doctor import registry, table
from harness.doctor.audit import Audit, Request
from harness.doctor.check import Check, Checked, carry_out, exit_code
from harness.doctor.finding import Finding, State, fail, ok
from probes.hearing.wav import write_wav
from scenarios.errors import InputError, PolicyRefused
from scenarios.model import Lang, Text
from tests.conventions import ROOT
from tests.shopper import plan, write_yaml

WORDS = Text(zh="甲", en="a")


def check(id_: str, look: Any, **more: Any) -> Check:
    return Check(id_, WORDS, look, **more)


def look(audit: Audit, id_: str) -> Finding:
    """Carries out one check as the command does."""
    [wanted] = [each for each in registry.checks(audit) if each.id == id_]
    return asyncio.run(carry_out([wanted]))[0].finding


def audit(folder: Path, **more: Any) -> Audit:
    target, schedule = folder / "target.yaml", folder / "plan.yaml"
    return Audit(Request(**{"target": target, "plan": schedule if schedule.exists() else None} | more))


def signed(folder: Path, **more: Any) -> None:
    today = datetime.now(UTC)
    document = {
        "format": 1, "client": "示例银行", "numbers": ["95001"], "trunks": ["trunk.invalid"], "urls": ["chat.invalid"],
        "valid_from": (today - timedelta(days=5)).isoformat(), "valid_to": (today + timedelta(days=60)).isoformat(),
        "recording": {"basis": "合同第 5 条", "retention_days": 180},
        "signed_by": "客户服务中心主任", "signed_on": f"{today - timedelta(days=5):%Y-%m-%d}",
        "identities": ["shopper@trunk.invalid"],
    }  # fmt: skip
    write_yaml(folder / "authorisation.yaml", document | more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An audit of one line beyond this machine, which wants a password."""
    account = {"uri": "sip:shopper@trunk.invalid", "username": "shopper", "password_env": "DOCTOR_PASSWORD"}
    line = {"uri": "sip:95001@trunk.invalid", "account": account}
    write_yaml(tmp_path / "target.yaml", {"format": 1, "name": "示例", "lines": {"hotline": line}})
    plan(tmp_path / "plan.yaml", ("S01", "voice", "hotline", 3))
    return tmp_path


# --- carrying out ---------------------------------------------------------------------------------------------------


def test_a_check_that_breaks_or_hangs_has_failed_and_the_others_go_on() -> None:
    async def breaks() -> Finding:
        raise ZeroDivisionError("oops")

    async def hangs() -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    async def fine() -> Finding:
        return ok("好", "fine")

    wanted = [check("breaks", breaks), check("hangs", hangs, patience_s=0.05), check("fine", fine)]
    results = asyncio.run(carry_out(wanted))

    assert [result.check.id for result in results] == ["breaks", "hangs", "fine"]
    assert [result.finding.state for result in results] == [State.FAIL, State.FAIL, State.OK]
    assert "ZeroDivisionError: oops" in results[0].finding.found.en
    assert "0.05 s" in results[1].finding.found.en
    assert all(result.finding.cure for result in results[:2])


def test_what_measures_time_runs_alone_and_the_rest_side_by_side() -> None:
    running: set[str] = set()
    beside: dict[str, set[str]] = {}
    both = asyncio.Barrier(2)

    def measuring(id_: str, *, alone: bool) -> Check:
        async def look() -> Finding:
            running.add(id_)
            if not alone:
                await both.wait()
            beside[id_] = set(running)
            await asyncio.sleep(0)
            running.discard(id_)
            return ok("好", "fine")

        return check(id_, look, alone=alone)

    asyncio.run(carry_out([measuring("x", alone=True), measuring("a", alone=False), measuring("b", alone=False)]))
    assert beside["x"] == {"x"}
    assert beside["a"] | beside["b"] == {"a", "b"}


def test_the_code_is_that_of_the_files_then_of_the_policy_then_of_the_rest() -> None:
    async def never() -> Finding:
        raise AssertionError

    def result(finding: Finding) -> Checked:
        return Checked(check("x", never), finding, 0.0)

    bad = result(Finding(State.FAIL, WORDS, WORDS, exit_code=2))
    no = result(Finding(State.FAIL, WORDS, WORDS, exit_code=3))
    other, warned = result(fail(WORDS, WORDS)), result(Finding(State.WARN, WORDS, WORDS))

    assert exit_code([warned]) == 0
    assert exit_code([warned, other]) == 1
    assert exit_code([other, no]) == 3
    assert exit_code([other, no, bad]) == 2


def test_errors_of_the_tree_keep_their_code() -> None:
    def raising(error: Exception) -> Check:
        async def look() -> Finding:
            raise error

        return check("x", look)

    assert exit_code(asyncio.run(carry_out([raising(InputError("wrong"))]))) == 2
    assert exit_code(asyncio.run(carry_out([raising(PolicyRefused("no"))]))) == 3


# --- papers ---------------------------------------------------------------------------------------------------------


def test_a_wrong_target_fails_with_its_place_and_code_2(folder: Path) -> None:
    (folder / "target.yaml").write_text("format: 1\nname: x\nlines: {a: {uri: 95001}}\n", encoding="utf-8")
    finding = look(audit(folder), "target")
    assert (finding.state, finding.exit_code) == (State.FAIL, 2)
    assert f"{folder / 'target.yaml'}:3:" in finding.found.en


def test_a_plan_that_does_not_fit_the_target_fails_with_code_2(folder: Path) -> None:
    plan(folder / "plan.yaml", ("S01", "voice", "hotlime", 3))
    finding = look(audit(folder), "plan")
    assert (finding.state, finding.exit_code) == (State.FAIL, 2)
    assert "did you mean 'hotline'" in finding.found.en


def test_the_ceilings_must_hold_the_plan(folder: Path) -> None:
    signed(folder, ceilings={"per_day": 1}, valid_to=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    plan(folder / "plan.yaml", ("S01", "voice", "hotline", 30))
    finding = look(audit(folder), "plan")
    assert finding.state is State.FAIL
    assert "the authorisation permits 1" in finding.found.en
    signed(folder, ceilings={"per_day": 100})
    assert look(audit(folder), "plan").state is State.OK


def test_a_wrong_script_fails(folder: Path) -> None:
    scripts = folder / "scripts"
    scripts.mkdir()
    source = (ROOT / "scenarios" / "scripts" / "S01.yaml").read_text(encoding="utf-8")
    (scripts / "S01.yaml").write_text(source + "\nnonsense: 1\n", encoding="utf-8")
    finding = look(audit(folder, scenarios=scripts), "scripts")
    assert (finding.state, finding.exit_code) == (State.FAIL, 2)
    assert "nonsense" in finding.found.en
    assert look(audit(folder), "scripts").state is State.OK


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"signed_by": ""}, "not signed"),
        ({"valid_to": (datetime.now(UTC) - timedelta(days=1)).isoformat()}, "holds from"),
        ({"recording": None}, "no ground for recording"),
    ],
)
def test_an_authorisation_that_does_not_hold_refuses(folder: Path, change: dict[str, Any], says: str) -> None:
    signed(folder, **change)
    finding = look(audit(folder), "authorisation")
    assert (finding.state, finding.exit_code) == (State.FAIL, 3)
    assert says in finding.found.en
    assert finding.cure is not None


def test_an_authorisation_about_to_end_warns_with_the_days(folder: Path) -> None:
    signed(folder)
    assert look(audit(folder), "authorisation").figures["days_left"] in (60, 61)
    signed(folder, valid_to=(datetime.now(UTC) + timedelta(days=5)).isoformat())
    finding = look(audit(folder), "authorisation")
    assert finding.state is State.WARN
    assert finding.figures["days_left"] in (5, 6)


def test_an_authorisation_that_cannot_be_read_permits_nothing(folder: Path) -> None:
    (folder / "authorisation.yaml").write_text("client: [\n", encoding="utf-8")
    assert look(audit(folder), "authorisation").exit_code == 2
    assert look(audit(folder), "policy").exit_code == 3


def test_the_policy_is_asked_about_every_entry(folder: Path) -> None:
    assert look(audit(folder), "policy").exit_code == 3
    signed(folder)
    assert look(audit(folder), "policy").state is State.OK
    signed(folder, numbers=["95002"])
    finding = look(audit(folder), "policy")
    assert (finding.state, finding.exit_code) == (State.FAIL, 3)
    assert "95001" in finding.found.zh


def test_hours_that_are_over_today_are_no_refusal_of_the_plan(folder: Path) -> None:
    signed(folder, hours={})
    assert look(audit(folder), "policy").state is State.OK
    assert look(audit(folder), "authorisation").state is State.WARN


def test_a_pulled_kill_switch_fails_and_says_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPPER_STOP_FILE", str(tmp_path / "STOP"))
    assert look(Audit(Request()), "switch").state is State.OK
    kill_switch.pull(tmp_path / "STOP", by="值班", reason="投诉")
    finding = look(Audit(Request()), "switch")
    assert finding.state is State.FAIL
    assert "值班" in finding.found.zh
    assert str(tmp_path / "STOP") in finding.cure.zh


def test_voices_want_consent_or_recordings_that_can_be_played(folder: Path) -> None:
    signed(folder)
    finding = look(audit(folder), "voices")
    assert (finding.state, finding.exit_code) == (State.FAIL, 3)
    missing = int(finding.figures["missing"])
    assert missing == finding.figures["lines"] > 1

    name = re.search(r"first: (.+\.wav)", finding.found.en)[1]
    Path(name).parent.mkdir(parents=True)
    write_wav(Path(name), np.full(8000, 3000, np.int16))
    assert look(audit(folder), "voices").figures["missing"] == missing - 1

    write_wav(Path(name), np.zeros(8000, np.int16))
    assert "silent" in look(audit(folder), "voices").found.en
    with wave.open(name, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(400))
    assert look(audit(folder), "voices").state is State.FAIL

    Path(name).unlink()
    signed(folder, tts_consent=True)
    assert look(audit(folder), "voices").state is State.OK


# --- the way out ----------------------------------------------------------------------------------------------------


def test_a_password_that_is_not_set_fails_and_one_that_is_stays_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCTOR_PASSWORD", raising=False)
    finding = look(audit(folder), "passwords")
    assert finding.state is State.FAIL
    assert "DOCTOR_PASSWORD" in finding.found.en
    monkeypatch.setenv("DOCTOR_PASSWORD", "hush-hush")
    finding = look(audit(folder), "passwords")
    assert finding.state is State.OK
    assert "hush" not in repr(finding)


def test_hosts_are_resolved_only_if_authorised(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **named: asked.append(host) or real(host, *more, **named)
    )
    finding = look(audit(folder), "names")
    assert finding.state is State.SKIPPED
    assert asked == []

    signed(folder)
    finding = look(audit(folder), "names")
    assert finding.state is State.FAIL
    assert "trunk.invalid" in finding.found.en
    assert set(asked) == {"trunk.invalid"}


def test_a_trial_call_needs_a_target_an_entry_and_permission(folder: Path) -> None:
    with pytest.raises(InputError, match="give --target"):
        registry.checks(Audit(Request(call="hotline")))
    with pytest.raises(InputError, match="there are: hotline"):
        registry.checks(audit(folder, call="hotlime"))
    finding = look(audit(folder, call="hotline"), "call")
    assert (finding.state, finding.exit_code) == (State.FAIL, 3)
    assert "no authorisation" in finding.found.en


def test_a_trial_call_obeys_the_hours_and_the_kill_switch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPPER_STOP_FILE", str(folder / "STOP"))
    signed(folder, hours={})
    finding = look(audit(folder, call="hotline"), "call")
    assert finding.exit_code == 3
    assert "outside the hours" in finding.found.en
    kill_switch.pull(folder / "STOP", by="", reason="")
    finding = look(audit(folder, call="hotline"), "call")
    assert finding.exit_code == 3
    assert "kill switch" in finding.found.en


# --- what is printed ------------------------------------------------------------------------------------------------


def results() -> list[Checked]:
    """One result of each state for every check there is, with words as long as they come."""

    def finding(number: int) -> Finding:
        long = Text(zh="说明" * 30 + " 12.3 ms", en="a long story " * 8 + "12.3 ms")
        states = list(State)
        state = states[number % len(states)]
        return Finding(state, long, WORDS if state in (State.WARN, State.FAIL) else None)

    return [Checked(each, finding(n), 0.1) for n, each in enumerate(registry.checks(Audit(Request())))]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_table_fits_the_terminal_and_drops_nothing(width: int, lang: Lang) -> None:
    out = io.StringIO()
    table.render(Console(file=out, width=width), results(), lang)
    lines = out.getvalue().splitlines()
    console = Console(width=1000)
    assert max(console.measure(line).maximum for line in lines) <= width
    assert "…" not in out.getvalue()
    for result in results():
        assert any(re.match(rf" [✓!✗–]   {result.check.title.in_(lang)} ", line) for line in lines)
    assert out.getvalue().replace(" ", "").replace("\n", "").count("12.3ms") == len(results())


def test_the_document_holds_everything_in_both_languages() -> None:
    document = json.loads(json.dumps(table.document(results())))
    assert document["format"] == 1
    assert document["exit_code"] == 1
    assert {"id", "title", "state", "found", "cure", "figures", "seconds"} == set(document["checks"][0])
    assert {each["state"] for each in document["checks"]} == {"ok", "warn", "fail", "skipped"}


def test_every_check_is_documented_once_with_its_cure() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", (ROOT / "docs/doctor.md").read_text("utf-8"), re.MULTILINE
    )
    ids = [each.id for each in registry.checks(Audit(Request()))]
    assert sorted(row[0] for row in rows) == sorted(ids)
    assert len(set(ids)) == len(ids)
