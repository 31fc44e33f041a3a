"""How calls leave, as a target says it: trunks, their mistakes, and the secrets that stay out of everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from probes.target import Nat, SessionTimer, Target, TrunkSpec
from probes.target_file import load_target
from probes.voice.trunk import Trunk, secret, system_authorities, trunk_of
from scenarios.errors import InputError, TargetError
from tests.kamailio import certify
from tests.shopper import ROOT

GOOD = """\
format: 1
name: 沙箱银行
trunks:
  carrier:
    kind: registered
    uri: sip:audit@127.0.0.1:5060
    registrar: sip:127.0.0.1:5060
    password_env: SHOPPER_TEST_SECRET
    transport: tls
    ca_file: carrier.pem
    nat: {stun: ["127.0.0.1:3478"]}
  sims:
    kind: gateway
    uri: sip:audit@127.0.0.1
    codecs: [PCMU]
    dtmf: info
lines:
  hotline:
    uri: sip:95001@127.0.0.1:5070
    trunk: carrier
  mobile:
    uri: sip:95001@127.0.0.1:5071
    trunk: sims
  plain:
    uri: sip:95002@127.0.0.1:5072
    codecs: [G722]
"""


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    certify(folder)
    path = folder / "target.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def trunk(target: Target, line: str, folder: Path) -> Trunk:
    return trunk_of(target, target.lines[line], folder)


def test_a_line_leaves_by_its_trunk_or_by_its_own_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOPPER_TEST_SECRET", "s3cret")
    target = load_target(write(tmp_path)).target
    carrier, sims, plain = (trunk(target, line, tmp_path) for line in ("hotline", "mobile", "plain"))

    assert (carrier.name, carrier.transport, carrier.username, carrier.password) == (
        "carrier",
        "tls",
        "audit",
        "s3cret",
    )
    assert carrier.ca_file == tmp_path / "carrier.pem"
    assert carrier.session_timer.use == "optional"
    assert (sims.name, sims.codecs, sims.dtmf, sims.password) == ("sims", ("PCMU",), "info", None)
    assert sims.session_timer.use == "off", "gateways rarely manage them"
    assert (plain.name, plain.codecs, plain.session_timer.use) == (None, ("G722",), "off")
    assert {one.bind for one in (carrier, sims, plain)} == {"127.0.0.1"}


@pytest.mark.parametrize("key", ["registrar: sip:127.0.0.1:5060", "uri: sip:95001@127.0.0.1:5070"])
def test_what_goes_beyond_this_machine_listens_on_all_addresses(tmp_path, monkeypatch, key):
    monkeypatch.setenv("SHOPPER_TEST_SECRET", "s3cret")
    target = load_target(write(tmp_path, (key, key.replace("127.0.0.1", "192.0.2.7")))).target
    assert trunk(target, "hotline", tmp_path).bind == "0.0.0.0"


def test_a_password_is_in_no_text(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOPPER_TEST_SECRET", "s3cret")
    target = load_target(write(tmp_path)).target
    made = trunk(target, "hotline", tmp_path)
    assert "s3cret" not in f"{made} {made!r} {target!r} {target.model_dump_json()}"


def test_a_password_may_come_from_a_file_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.delenv("SHOPPER_TEST_SECRET", raising=False)
    (tmp_path / "password").write_text("from a file \n", encoding="utf-8")
    monkeypatch.setenv("SHOPPER_TEST_SECRET_FILE", str(tmp_path / "password"))
    assert secret("SHOPPER_TEST_SECRET") == "from a file "

    monkeypatch.setenv("SHOPPER_TEST_SECRET_FILE", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="SHOPPER_TEST_SECRET_FILE names: No such file"):
        secret("SHOPPER_TEST_SECRET")
    monkeypatch.delenv("SHOPPER_TEST_SECRET_FILE")
    with pytest.raises(InputError, match=r"SHOPPER_TEST_SECRET \(SIP password\) is not set"):
        secret("SHOPPER_TEST_SECRET")


def test_the_systems_certificates_are_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOPPER_TEST_SECRET", "s3cret")
    target = load_target(write(tmp_path, ("    ca_file: carrier.pem\n", ""))).target
    assert trunk(target, "hotline", tmp_path).ca_file == system_authorities()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    registrar: sip:127.0.0.1:5060\n", "", "5:5: a trunk of kind registered registers, and no registrar"),
        ("    password_env: SHOPPER_TEST_SECRET\n", "", "5:5: a registered trunk needs a password"),
        ("kind: registered", "kind: ip", "7:16: a trunk of kind ip is known by its address"),
        ("registrar: sip:", "registrar: sip:me@", "7:16: 'sip:me@127.0.0.1:5060' is no SIP server"),
        ("registrar: sip:127.0.0.1", "registrar: tel:1", "7:16: 'tel:1:5060' is no SIP server"),
        ("registrar: sip:127.0.0.1:5060", "registrar: sip:127.0.0.1;transport=udp", "is not reached by tls"),
        ("transport: tls", "proxy: sip:a:99999\n    transport: tls", "9:12: 'sip:a:99999' is no SIP server"),
        ("sip:audit@127.0.0.1:5060", "sip:127.0.0.1", "6:10: 'sip:127.0.0.1' is no SIP address"),
        ("kind: gateway", "kind: gateway\n    username: me", "14:15: a user name without a password"),
        ("transport: tls", "transport: tls\n    keep_alive_s: 20", "10:19: keep-alive packets are sent by registered"),
        (
            "transport: tls",
            "transport: tls\n    keep_alive_s: 1",
            "10:19: 'trunks.carrier.keep_alive_s': must be greater than or equal to 5",
        ),
        ("transport: tls", "transport: udp", "10:14: certificates are checked on a trunk with transport: tls only"),
        ("carrier.pem", "gone.pem", "10:14: there is no file "),
        ("carrier.pem", "target.yaml", "holds no certificate in PEM form"),
        ('"127.0.0.1:3478"', '"stun:a"', "11:18: 'stun:a' is no STUN server"),
        ("dtmf: info", "dtmf: info\n    nat: {stun: [other]}", "cannot have different STUN servers"),
        ("dtmf: info", "session_timer: {min_se_s: 1801}", "16:31: min_se_s is longer than expires_s (1800 s)"),
        ("dtmf: info", "session_timer: {expires_s: 60}", "16:32: 'trunks.sims.session_timer.expires_s': must be "),
        (
            "trunk: carrier",
            "trunk: carier",
            "20:12: there is no trunk 'carier' (name one under trunks; there: carrier, ",
        ),
        ("trunk: sims", "trunk: sims\n    dtmf: info", "24:11: the line names the trunk 'sims' and says dtmf itself"),
        ("trunk: sims", "trunk: sims\n    account: {uri: sip:a@b}", "and says account itself"),
        ("  sims:", "  s ims:", "'s ims' cannot name an entry"),
        ("kind: gateway", "kind: pigeon", "13:11: 'trunks.sims.kind'"),
    ],
)
def test_a_mistake_is_told_with_place_and_cure(tmp_path, old, new, message):
    with pytest.raises(TargetError) as wrong:
        load_target(write(tmp_path, (old, new)))
    assert message in str(wrong.value)


def test_the_examples_of_the_documents_are_right(tmp_path):
    page = (ROOT / "docs" / "lines.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    line = "lines: {hotline: {uri: sip:95001@127.0.0.1}}\n"
    kinds = set()
    for text in examples:
        path = tmp_path / "target.yaml"
        path.write_text("format: 1\nname: 示例\n" + text + ("" if "lines:" in text else line), encoding="utf-8")
        kinds |= {trunk.kind for trunk in load_target(path).target.trunks.values()}
    assert kinds == {"registered", "ip", "extension", "gateway"}


@pytest.mark.parametrize("model", [TrunkSpec, SessionTimer, Nat])
def test_every_key_of_a_trunk_is_documented(model):
    for page in ("lines", "target"):
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        assert [key for key in model.model_fields if f"`{key}`" not in text] == []


def answers(*codes: int) -> set[int]:
    return set(codes)


@pytest.mark.parametrize(
    ("code", "came", "whose"),
    [
        (401, answers(401), "line"),
        (407, answers(407), "line"),
        (403, answers(407, 403), "line"),
        (403, answers(403), "unclear"),
        (403, answers(407, 100, 403), "unclear"),
        (403, answers(100, 180, 403), "far"),
        (408, answers(), "line"),
        (408, answers(100, 408), "unclear"),
        (503, answers(503), "unclear"),
        (486, answers(486), "far"),
        (404, answers(404), "far"),
    ],
)
def test_who_is_answerable_for_a_call_that_never_was(code, came, whose):
    assert Trunk(name="carrier").whose(code, came) == whose


def test_a_line_without_a_trunk_answers_for_its_credentials_only():
    assert Trunk().whose(407, answers(407)) == "line"
    assert Trunk().whose(408, answers()) == "far"
    assert Trunk().whose(403, answers(403)) == "far"
