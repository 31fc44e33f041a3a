"""However a number of the fixed list is written, it is not dialled: spellings by the hundred thousand, and real calls.

Every number of the list meets every pair of prefixes; each of these meets digits, marks and addresses in turn, so that
every way of writing meets every number. What was tried is counted and printed.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from harness import cli
from harness.authorisation import Authorisation
from harness.phone_number import NEVER
from harness.policy import check_call, check_trunk
from scenarios.errors import PolicyRefused
from tests.shopper import plan, shopper, write_yaml
from tests.test_policy import NOW

PREFIXES = ["+", "00", "86", "+86", "0086", "0", "9", "010", "021", "0755", "0898", "17909", "12593"]
BEFORE = ["", *PREFIXES, *("".join(pair) for pair in itertools.product(PREFIXES, repeat=2))]
DIGITS: list[Callable[[str], str]] = [
    str,
    lambda digit: chr(0xFF10 + int(digit)),  # full-width
    lambda digit: chr(0x0660 + int(digit)),  # Arabic-Indic
    lambda digit: chr(0x0966 + int(digit)),  # Devanagari
    lambda digit: chr(0x1D7CE + int(digit)),  # mathematical bold
    lambda digit: "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)],
    lambda digit: "⓪①②③④⑤⑥⑦⑧⑨"[int(digit)],
    lambda digit: f"%3{digit}",
    lambda digit: f"%253{digit}",
]
MARKS = [
    "",
    "",
    "-",
    ".",
    " ",
    "(",
    ")",
    "/",
    "_",
    "\u00a0",
    "\u00ad",
    "\u2011",
    "\u200b",
    "\u2212",
    "\u3000",
    "－",
    "·",
    "%20",
    "%2D",
]
ADDRESSES = [
    "sip:{}@127.0.0.1", "sip:{}@sip.example.com", "sips:{}@localhost", "SIP:{}@127.0.0.1:5060", "sip:{}@[::1]:5060",
    "sip:{};phone-context=+86@127.0.0.1", "sip:{}@127.0.0.1;user=phone", "sip:{}:secret@127.0.0.1", "tel:{}",
    "sip:{}@127.0.0.1;transport=tcp", "tel:{};phone-context=+86", "tel:{};ext=1", "<tel:{}>", "sip://{}@127.0.0.1",
    '"95588" <sip:{}@sip.example.com>', "sip:{}@127.0.0.1?Subject=95588", " sip:{}@127.0.0.1 ", "{}",
    "sip:{}@sip.example.com;maddr=127.0.0.1", "sip:{}%40127.0.0.1",
]  # fmt: skip
WAYS = 23  # of writing, for each number with each prefix
TERMS = {
    "format": 1, "client": "沙箱银行", "trunks": ["sip.example.com", "127.0.0.1", "localhost", "::1"],
    "identities": ["shopper"], "valid_from": "2026-01-01", "valid_to": "2026-12-31",
    "signed_by": "审核组长", "signed_on": "2026-01-01", "recording": {"basis": "合同第五条", "retention_days": 365},
}  # fmt: skip


def spellings() -> Iterator[str]:
    """Yields every number after every prefix, each written in ``WAYS`` ways taken in turn."""
    ways = itertools.cycle(itertools.product(ADDRESSES, MARKS, DIGITS))
    for number, before in itertools.product(sorted(NEVER), BEFORE):
        yield f"sip:{before}{number}@127.0.0.1"
        for address, mark, digit in itertools.islice(ways, WAYS):
            written = [digit(letter) if letter.isdigit() else letter for letter in before + number]
            yield address.format(mark.join(written))


def passes(uri: str, authorisation: Authorisation | None) -> bool:
    try:
        check_call(uri, authorisation, NOW)
    except PolicyRefused:
        return False
    return True


def test_no_spelling_of_a_denied_number_passes(record_property, capsys) -> None:
    everything = Authorisation.model_validate(TERMS | {"numbers": ["95588"]})
    assert passes("sip:95588@sip.example.com", everything), "what is authorised does pass"
    tried = 0
    for uri in spellings():
        tried += 1
        assert not passes(uri, everything if tried % 3 else None), uri
        if tried % 11 == 0:
            assert not passes(uri, None), uri
            assert not passes(quote(uri, safe=":@"), everything), uri
    record_property("spellings", tried)
    with capsys.disabled():
        print(f"\n{tried} spellings of {len(NEVER)} numbers were tried; none may be dialled", end=" ")
    assert tried >= 100_000


def test_an_authorisation_that_names_one_cannot_be_made(record_property, capsys) -> None:
    tried = 0
    digits = itertools.cycle(DIGITS)
    for number, before in itertools.product(sorted(NEVER), BEFORE):
        digit = next(digits)
        for written in (before + number, "".join(digit(c) if c.isdigit() else c for c in before + number)):
            tried += 1
            with pytest.raises(ValidationError, match="must never be dialled"):
                Authorisation.model_validate(TERMS | {"numbers": ["95588", written]})
    record_property("authorisations", tried)
    with capsys.disabled():
        print(f"\n{tried} authorisations that name one were tried; none can be made", end=" ")


@pytest.mark.parametrize(
    "uri",
    ["sip:127.0.0.1;maddr=10.0.0.1", "sip:127.0.0.1@10.0.0.1", "sip:127.0.0.1%40x", "127.0.0.1", "sip:user@127.0.0.1",
     "sip:127.0.0.1 ", "sip:127.0.0.1;transport=tcp;maddr=x", "sip:127.0.0.1?Route=x"],
)  # fmt: skip
def test_a_registrar_is_what_it_seems_to_be_or_refused(uri: str) -> None:
    with pytest.raises(PolicyRefused):
        check_trunk(uri, None, NOW)


def test_a_registrar_on_this_machine_needs_nothing() -> None:
    for uri in ("sip:127.0.0.1", "sip:localhost:5061;transport=tls", "sips:[::1]:5061", "sip:127.0.0.1:5060;lr"):
        check_trunk(uri, None, NOW)


def test_a_call_to_one_sends_not_one_packet(tmp_path: Path) -> None:
    """The command is given lines whose number is written in many ways; the far end listens and hears nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.bind(("127.0.0.1", 0))
        far_end.setblocking(False)
        port = far_end.getsockname()[1]
        users = [
            "110",
            "0110",
            "+86110",
            "0086110",
            "010110",
            "1-1-0",
            "1.1.9",
            "112",
            "12345",
            "9120",
            "%31%31%30",
            "１１０",
        ]
        for user in users:
            line = {"uri": f"sip:{user}@127.0.0.1:{port}"}
            target = write_yaml(tmp_path / "target.yaml", {"format": 1, "name": "x", "lines": {"line": line}})
            schedule = plan(tmp_path / "plan.yaml", ("S01", "voice", "line", 1))
            words = ["probe", "--target", target, "--plan", schedule, "--runs", tmp_path / "runs"]
            refused = CliRunner().invoke(cli.app, [str(word) for word in words]).exception
            assert isinstance(refused, PolicyRefused), (user, refused)
            assert "dialled" in str(refused)
        ran = shopper(*words, timeout=60)  # and once as a process of its own
        assert ran.code == 3, ran.err
        assert "dialled" in ran.err
        assert not (tmp_path / "runs").exists(), "nothing was begun"
        with pytest.raises(BlockingIOError):
            far_end.recv(1)
