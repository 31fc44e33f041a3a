"""What an authorisation says and refuses: hours, calendar, ceilings, signature, recording, caller identities."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.authorisation import Authorisation, Ceilings, Price, RecordingTerms, load_authorisation
from harness.hours import Calendar, Hours
from harness.permission import examine, permit
from harness.policy import check_chat, check_trunk, not_ours
from harness.refusal import insist
from probes.target import Target
from scenarios.catalogue import load as load_scenario
from scenarios.errors import AuthorisationError, PolicyRefused
from tests.conventions import ROOT
from tests.shopper import plan, shopper, write_yaml

TERMS: dict[str, Any] = {
    "format": 1, "client": "沙箱银行", "numbers": ["95001"], "trunks": ["sip.example.com"],
    "identities": ["02195001234"],
    "urls": ["chat.example.com"], "valid_from": "2026-09-01", "valid_to": "2026-12-31",
    "hours": {"workday": ["08:30-12:00", "13:00-17:30"], "weekend": ["10:00-24:00"]},
    "calendar": {"holidays": ["2026-10-01", "2026-10-02"], "workdays": ["2026-10-10"]},
    "ceilings": {"per_day": 60, "per_hour": 12, "at_once": 2, "minutes": 900, "money": 500},
    "price": {"per_minute": 0.3, "per_call": 0.1, "per_chat": 0.5},
    "recording": {"basis": "合同第五条", "retention_days": 365}, "tts_consent": True, "liaison": "客服中心值班台",
    "signed_by": "客户服务中心主任", "signed_on": "2026-08-20",
}  # fmt: skip
LINE = {
    "uri": "sip:95001@sip.example.com",
    "account": {"uri": "sip:02195001234@sip.example.com", "registrar": "sip:sip.example.com"},
}
CENTRE = Target.model_validate({"format": 1, "name": "x", "lines": {"hotline": LINE}})
OPEN = datetime(2026, 9, 7, 2, 0, tzinfo=UTC)  # Monday, 10:00 in China


def signed(**other: Any) -> Authorisation:
    return Authorisation.model_validate({key: value for key, value in (TERMS | other).items() if value is not None})


def china(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-09-07T08:29:59", False), ("2026-09-07T08:30:00", True), ("2026-09-07T12:00:00", False),
        ("2026-09-07T12:59:59", False), ("2026-09-07T13:00:00", True), ("2026-09-07T17:30:00", False),
        ("2026-09-05T09:59:00", False), ("2026-09-05T23:59:59", True),  # a Saturday
        ("2026-10-01T10:00:00", False), ("2026-10-02T14:00:00", False),  # holidays: not listed, so closed
        ("2026-10-10T09:00:00", True), ("2026-10-10T20:00:00", False),  # a Saturday that is worked
    ],
)  # fmt: skip
def test_hours_follow_the_kind_of_day(moment: str, is_open: bool) -> None:
    why = signed().allowed(china(moment))
    assert (why is None) == is_open, why
    if why is not None:
        assert "outside the hours" in why


def test_without_hours_the_client_set_none_and_an_empty_list_is_closed() -> None:
    midnight = china("2026-09-07T00:00:00")
    assert signed(hours=None).allowed(midnight) is None
    assert signed(hours={"workday": []}).allowed(china("2026-09-07T10:00:00")) is not None


def test_kinds_of_days() -> None:
    calendar = Calendar.model_validate({"holidays": ["2026-10-01"], "workdays": ["2026-10-10"]})
    days = ("2026-10-01", "2026-10-10", "2026-10-11", "2026-10-12")
    kinds = [calendar.kind_of(date.fromisoformat(day)) for day in days]
    assert kinds == ["holiday", "workday", "weekend", "workday"]


def test_hours_are_on_the_clock_of_the_zone_also_when_it_is_put_forward() -> None:
    there = signed(zone="Europe/Berlin", hours={"workday": ["09:00-10:00"]}, calendar=None)
    for day, utc_hour in (("2026-10-23", 7), ("2026-10-26", 8)):  # summer time ended between the two
        at = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        assert [there.allowed(at + timedelta(hours=h)) is None for h in range(6, 10)] == [
            h == utc_hour for h in range(6, 10)
        ]
    assert there.valid_from.isoformat() == "2026-09-01T00:00:00+02:00"
    assert there.ledger_ceilings(datetime(2026, 12, 1, tzinfo=UTC)).utc_offset_s == 3600


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"signed_by": " "}, "is not signed"),
        ({"signed_on": None}, "when it was signed"),
        ({"signed_on": "2026-09-08"}, "still to come"),
        ({"recording": None}, r"add recording: \{basis"),
        ({"valid_from": "2026-09-08"}, "holds from"),
        ({"valid_to": "2026-09-06"}, "holds from"),
    ],
)
def test_what_is_missing_refuses_calls_and_chats(change: dict[str, Any], why: str) -> None:
    terms = signed(**change)
    with pytest.raises(PolicyRefused, match=why):
        permit(CENTRE, Path(), "voice", "hotline", load_scenario("S01").scenario, terms, OPEN)
    with pytest.raises(PolicyRefused, match=why):
        check_chat("https://chat.example.com/", terms, OPEN)


def test_what_is_whole_and_in_its_hours_is_permitted() -> None:
    permit(CENTRE, Path(), "voice", "hotline", load_scenario("S01").scenario, signed(), OPEN)
    check_chat("https://chat.example.com/", signed(), OPEN)
    names = [check.name for check in examine(CENTRE, Path(), "voice", "hotline", load_scenario("S01").scenario,
                                             signed(), OPEN)]  # fmt: skip
    assert names == ["signature", "validity", "recording", "hours", "number", "trunk", "identity", "voice"]


def test_the_permission_is_asked_for_the_instant_it_is_given() -> None:
    with pytest.raises(PolicyRefused, match="outside the hours"):
        permit(CENTRE, Path(), "voice", "hotline", load_scenario("S01").scenario, signed(), OPEN + timedelta(hours=2))


@pytest.mark.parametrize(
    ("account", "allowed"),
    [
        ("sip:02195001234@sip.example.com", True),
        ("sip:+862195001234@sip.example.com", True),
        ("sip:95588@sip.example.com", False),
        ("sip:02195001235@sip.example.com", False),
        ("sip:02195001234@elsewhere.example.com", False),
        ("sip:02195001234@127.0.0.1", False),
        ('"110" <sip:02195001234@sip.example.com>', False),
        ("sip:02195001234@sip.example.com;x=y", False),
        (None, False),
    ],
)
def test_nobody_calls_under_a_name_that_is_not_the_evaluators(account: str | None, allowed: bool) -> None:
    line = LINE | {"account": None if account is None else {"uri": account}}
    target = Target.model_validate({"format": 1, "name": "x", "lines": {"hotline": line}})
    scenario = load_scenario("S01").scenario
    if allowed:
        insist(not_ours(account, signed()))
        permit(target, Path(), "voice", "hotline", scenario, signed(), OPEN)
        return
    with pytest.raises(PolicyRefused):
        insist(not_ours(account, signed()))
    with pytest.raises(PolicyRefused):
        permit(target, Path(), "voice", "hotline", scenario, signed(), OPEN)


def test_an_identity_may_name_its_host() -> None:
    terms = signed(identities=["audit@pbx.example.com"])
    insist(not_ours("sip:audit@pbx.example.com", terms))
    with pytest.raises(PolicyRefused):
        insist(not_ours("sip:audit@sip.example.com", terms))


def test_a_registrar_elsewhere_takes_the_call_off_this_machine() -> None:
    line = {"uri": "sip:95001@127.0.0.1", "account": {"uri": "sip:a@127.0.0.1", "registrar": "sip:sip.example.org"}}
    target = Target.model_validate({"format": 1, "name": "x", "lines": {"hotline": line}})
    with pytest.raises(PolicyRefused, match="no authorisation"):
        permit(target, Path(), "voice", "hotline", load_scenario("S01").scenario, None, OPEN)
    with pytest.raises(PolicyRefused, match=r"sip\.example\.org.*not in the authorisation"):
        permit(target, Path(), "voice", "hotline", load_scenario("S01").scenario, signed(), OPEN)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"proxy": "sip:127.0.0.1:5061"}, None),
        ({"proxy": "sip:sip.example.com:5061;transport=tls"}, None),
        ({"proxy": "sip:proxy.example.org"}, r"proxy\.example\.org.*not in the authorisation"),
        ({"proxy": "sip:127.0.0.1;maddr=10.0.0.1"}, "is not written as sip:HOST"),
        ({"registrar": "sip:proxy.example.org"}, r"proxy\.example\.org.*not in the authorisation"),
        ({"nat": {"stun": ["127.0.0.1:3478", "sip.example.com"]}}, None),
        ({"nat": {"stun": ["stun.example.org:3478"]}}, r"stun\.example\.org.*not in the authorisation"),
        ({"uri": "sip:95588@sip.example.com"}, "95588@sip.example.com is not in the authorisation"),
    ],
)
def test_every_host_of_a_trunk_is_our_own(change: dict[str, Any], why: str | None) -> None:
    trunk = {"kind": "ip", "uri": "sip:02195001234@sip.example.com"} | change
    line = {"uri": "sip:95001@sip.example.com", "trunk": "ours"}
    document = {"format": 1, "name": "x", "trunks": {"ours": trunk}, "lines": {"hotline": line}}
    target = Target.model_validate(document)
    scenario = load_scenario("S01").scenario
    if why is None:
        permit(target, Path(), "voice", "hotline", scenario, signed(), OPEN)
        return
    with pytest.raises(PolicyRefused, match=why):
        permit(target, Path(), "voice", "hotline", scenario, signed(), OPEN)


def test_a_proxy_elsewhere_takes_a_call_to_this_machine_off_it() -> None:
    trunk = {"kind": "ip", "uri": "sip:a@127.0.0.1", "proxy": "sip:sip.example.com"}
    line = {"uri": "sip:95001@127.0.0.1", "trunk": "ours"}
    document = {"format": 1, "name": "x", "trunks": {"ours": trunk}, "lines": {"hotline": line}}
    target = Target.model_validate(document)
    with pytest.raises(PolicyRefused, match="no authorisation"):
        permit(target, Path(), "voice", "hotline", load_scenario("S01").scenario, None, OPEN)


def test_registering_does_not_wait_for_opening_hours() -> None:
    closed = OPEN + timedelta(hours=12)
    check_trunk("sip:sip.example.com", signed(), closed)
    with pytest.raises(PolicyRefused):
        check_trunk("sip:sip.example.com", signed(), datetime(2027, 1, 1, tzinfo=UTC))


def test_ceilings_as_the_ledger_counts_them() -> None:
    ceilings = signed().ledger_ceilings()
    assert (ceilings.at_once, ceilings.per_hour, ceilings.per_day) == (2, 12, 60)
    assert (ceilings.minutes, ceilings.money, ceilings.utc_offset_s) == (900, 500, 8 * 3600)
    assert ceilings.price["voice"].of(61) == pytest.approx(0.7)
    assert ceilings.price["chat"].of(600) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("terms", "at_once"),
    [({"ceilings": None}, 1), ({"ceilings": None, "max_at_once": 3}, 3), ({"ceilings": {"at_once": 2}}, 2)],
)
def test_the_older_name_of_at_once_is_still_read(terms: dict[str, Any], at_once: int) -> None:
    assert signed(**terms).ledger_ceilings().at_once == at_once


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hours": {"workday": ["8-17"]}}, "'8-17' is no opening; write 08:30-17:30 between quotes"),
        ({"hours": {"workday": ["20:00-08:00"]}}, "for a night write 20:00-24:00 and 00:00-08:00"),
        ({"calendar": {"holidays": ["2026-02-30"]}}, "there is no day 2026-02-30; write it as 2026-01-31"),
        ({"calendar": {"holidays": ["2026-10-01"], "workdays": ["2026-10-01"]}}, "both a holiday and a workday"),
        ({"zone": "China"}, "there is no time zone 'China'"),
        ({"identities": ["110"]}, "110 is an emergency or public-service number"),
        ({"identities": ["95001"]}, "95001 is one of the client's numbers"),
        ({"identities": ["a b"]}, "'a b' is no caller identity"),
        ({"max_at_once": 2}, "ceilings says at_once already"),
        ({"price": None}, "a ceiling of money needs a price"),
        ({"ceilings": {"per_day": 0}}, "ceilings.per_day"),
    ],
)
def test_a_contradiction_is_told(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    terms = {key: value for key, value in (TERMS | change).items() if value is not None}
    with pytest.raises(AuthorisationError) as wrong:
        load_authorisation(write_yaml(tmp_path / "authorisation.yaml", terms))
    assert message in str(wrong.value)


def test_every_key_is_on_its_page() -> None:
    models = (Authorisation, Ceilings, Price, RecordingTerms, Hours, Calendar)
    text = (ROOT / "docs" / "authorisation.md").read_text(encoding="utf-8")
    keys = {name for model in models for name in model.model_fields}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


# ---- shopper authorise check


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> dict[str, Path]:
    chat = {"url": "https://chat.example.com/"}
    document = {"format": 1, "name": "x", "lines": {"hotline": LINE}, "chats": {"website": chat}}
    return {
        "authorisation": write_yaml(tmp_path / "authorisation.yaml", TERMS),
        "target": write_yaml(tmp_path / "target.yaml", document),
        "plan": plan(tmp_path / "plan.yaml", ("S01", "voice", "hotline", 3), ("S21", "chat", "website", 2)),
    }


def check(files: dict[str, Path], *more: str, at: str = "2026-09-07T10:00:00+08:00") -> Any:
    return shopper(
        "authorise", "check", files["authorisation"], "--plan", files["plan"], "--target", files["target"],
        "--at", at, *more,
    )  # fmt: skip


def test_check_says_that_everything_is_allowed(files: dict[str, Path]) -> None:
    ran = check(files, "--json", "--lang", "en")
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["allowed"]
    assert document["days_left"] == 115
    assert document["planned"] == 5
    assert document["totals"]["money"]["expected"] == pytest.approx(3 * (0.1 + 4 * 0.3) + 2 * 0.5)
    assert {one["allowed"] for entry in document["entries"] for one in entry["checks"].values()} == {True}
    assert "Everything in the plan is allowed" in ran.err


def test_check_explains_every_refusal_with_its_cure(files: dict[str, Path]) -> None:
    terms = TERMS | {
        "numbers": [], "identities": [], "urls": [], "signed_on": "2026-09-20", "tts_consent": False,
        "ceilings": {"per_day": 4, "minutes": 10},
    }  # fmt: skip
    del terms["recording"]
    write_yaml(files["authorisation"], terms)
    ran = check(files, "--json", "--lang", "en", at="2026-09-07T20:00:00+08:00")
    assert ran.code == 3
    entries = {entry["entry"]: entry["checks"] for entry in ran.document["entries"]}
    refused = {entry: {name for name, one in checks.items() if not one["allowed"]} for entry, checks in entries.items()}
    assert refused["hotline"] == {"number", "identity", "signature", "recording", "hours", "voice"}
    assert refused["website"] == {"url", "signature", "recording", "hours"}
    assert "have the client sign it into numbers" in entries["hotline"]["number"]["reason"]
    assert "permits 4" in ran.document["totals"]["attempts_a_day"]["reason"]
    assert "permits 10" in ran.document["totals"]["minutes"]["reason"]
    chinese = check(files, at="2026-09-07T20:00:00+08:00")
    assert chinese.code == 3
    assert "不在“沙箱银行”的授权书中" in chinese.out


def test_check_counts_what_a_schedule_would_put_outside_hours(files: dict[str, Path]) -> None:
    stratum = {"entry": "hotline", "channel": "voice", "days": "workday", "hours": "08:00-17:00"}
    scheduled = {
        "format": 1, "name": "weeks", "seed": 3, "window": {"from": "2026-09-07", "to": "2026-09-18"},
        "mix": [{"scenario": "S01", "share": 1}], "strata": [stratum], "size": {"n": 90},
    }  # fmt: skip
    write_yaml(files["plan"], scheduled)
    ran = check(files, "--json", "--lang", "en", at="2026-09-06T10:00:00+08:00")
    assert ran.code == 3, ran.err
    assert 8 <= ran.document["outside_hours"] <= 25, "an hour and a half of nine"
    assert ran.document["outside_validity"] == 0
    assert "outside the hours" in ran.document["entries"][0]["checks"]["hours"]["reason"]
    scheduled["strata"] = [stratum | {"hours": "13:00-17:00"}]
    write_yaml(files["plan"], scheduled)
    ran = check(files, "--json", at="2026-09-06T10:00:00+08:00")
    assert ran.code == 0, ran.err
    assert ran.document["outside_hours"] == 0


@pytest.mark.parametrize("broken", ["authorisation", "plan", "target"])
def test_check_of_what_cannot_be_read_is_bad_input(files: dict[str, Path], broken: str) -> None:
    files[broken].write_text("format: 2\n", encoding="utf-8")
    assert check(files).code == 2


def test_check_wants_a_moment_with_its_zone(files: dict[str, Path]) -> None:
    ran = check(files, at="2026-09-07T10:00:00")
    assert ran.code == 2
    assert "no moment with a time zone" in ran.err
