"""Nothing is dialled that is not named, and nothing on the fixed list is dialled at all, however it is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.authorisation import Authorisation, load_authorisation
from harness.phone_number import NEVER, never_dialled, normal, permits
from harness.policy import check_call, check_chat
from scenarios.errors import AuthorisationError, PolicyRefused

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FILE = """\
format: 1
client: 沙箱银行
numbers: [95588, 021-6543 2100, "+86 755 2222 3333"]
trunks: [sip.example.com]
urls: [chat.example.com, "https://www.example.com/service", "http://other.example.com:8080/"]
valid_from: 2026-01-31
valid_to: 2026-12-31
signed_by: 审核组长
signed_on: 2026-01-15
recording: {basis: 合同第五条, retention_days: 365}
"""


@pytest.fixture(name="signed")
def _signed(tmp_path) -> Authorisation:
    path = tmp_path / "authorisation.yaml"
    path.write_text(FILE, encoding="utf-8")
    return load_authorisation(path).authorisation


def dial(uri: str, authorisation: Authorisation | None = None, now: datetime = NOW) -> bool:
    try:
        check_call(uri, authorisation, now)
    except PolicyRefused:
        return False
    return True


def chat(url: str, authorisation: Authorisation | None = None, now: datetime = NOW) -> bool:
    try:
        check_chat(url, authorisation, now)
    except PolicyRefused:
        return False
    return True


# Ways to write a number: prefixes a network takes off, digits and letters that mean the same, marks between digits.
prefixes = st.lists(st.sampled_from(["+86", "0086", "86", "0", "00", "010", "021", "0755", "9", "+"]), max_size=3)
marks = st.sampled_from(["", "", "", " ", "-", ".", "(", ")", "/", "\u00a0", "\u2011", "\u200b", "\u3000", "－"])
digits = st.sampled_from([
    str,
    lambda d: chr(0xFF10 + int(d)),  # full-width
    lambda d: chr(0x0660 + int(d)),  # Arabic-Indic
    lambda d: chr(0x1D7CE + int(d)),  # mathematical bold
    lambda d: f"%3{d}",
    lambda d: f"%253{d}",
])  # fmt: skip
shapes = st.sampled_from([
    "sip:{}@127.0.0.1", "sips:{}@localhost", "SIP:{}@127.0.0.1:5060", "sip:{};phone-context=+86@127.0.0.1",
    "sip:{}@127.0.0.1;user=phone", "sip:{}:secret@[::1]", '"Bank" <sip:{}@127.0.0.1>', "tel:{}",
    "tel:{};phone-context=example.com", "{}", "sip:{}@127.0.0.1;transport=tcp", "<tel:{}>", "sip://{}@127.0.0.1",
    "sip:{}@sip.example.com", " sip:{}@127.0.0.1 ", "sip:{}@127.0.0.1?Subject=x",
])  # fmt: skip


@st.composite
def denied_forms(draw: st.DrawFn) -> str:
    number = draw(st.sampled_from(sorted(NEVER)))
    written = "".join(draw(prefixes)) + number
    letters = [draw(digits)(letter) if letter.isdigit() else letter for letter in written]
    user = "".join(letter + draw(marks) for letter in letters)
    if draw(st.booleans()):
        user = quote(user)
    return draw(shapes).format(user)


@given(denied_forms())
@example("sip:110@127.0.0.1")
@example("sip:0110@127.0.0.1")
@example("sip:+86110@127.0.0.1")
@example("sip:010110@127.0.0.1")
@example("sip:%31%31%30@127.0.0.1")
@example("sip:１１０@127.0.0.1")
@example("sip:1-1-0@127.0.0.1")
@example("tel:110;phone-context=+86")
@settings(max_examples=400, deadline=None)
def test_no_form_of_a_denied_number_passes(uri):
    everything = Authorisation(
        format=1, client="c", trunks=("sip.example.com", "127.0.0.1"), numbers=("95588",),
        valid_from="2026-01-01", valid_to="2026-12-31", signed_by="s",
    )  # fmt: skip
    assert not dial(uri)
    assert not dial(uri, everything)


@given(prefixes, st.sampled_from(sorted(NEVER)))
@settings(max_examples=300, deadline=None)
def test_no_prefix_hides_a_denied_number(before, number):
    """The spelling is the plain one, so nothing but the list itself can refuse it."""
    with pytest.raises(PolicyRefused, match="never dialled"):
        check_call(f"sip:{''.join(before)}{number}@127.0.0.1", None, NOW)


@given(st.text(alphabet="0123456789+-.@:;%sipte l１", max_size=24))
@settings(max_examples=200, deadline=None)
def test_what_passes_is_one_plain_spelling_on_this_machine(text):
    uri = f"sip:{text}@127.0.0.1"
    if dial(uri):
        assert set(text) <= set("0123456789+-.sipte l".replace(" ", ""))
        assert not never_dialled(text)


@given(st.sampled_from(["110", "119", "120", "122"]), st.sampled_from(["", "0", "+86", "0086", "+8610", "021", "9"]),
       st.text(alphabet="0123456789", max_size=6))  # fmt: skip
def test_nothing_follows_an_emergency_number(number, prefix, tail):
    assert not dial(f"sip:{prefix}{number}{tail}@127.0.0.1")


@pytest.mark.parametrize("number", [f"9500{n}" for n in range(1, 10)])
def test_sandbox_numbers_pass_on_loopback(number):
    for host in ("127.0.0.1", "127.0.0.1:5070", "127.8.9.1", "[::1]:5060", "localhost", "127.0.0.1;transport=tcp"):
        assert dial(f"sip:{number}@{host}")


@pytest.mark.parametrize(
    "number", ["95588", "95533", "95599", "10086", "12306", "4001201234", "4001101234", "+864001201234", "02161101234",
               "01086110123", "+861086110123", "075561200000", "8008100110"],
)  # fmt: skip
def test_ordinary_service_numbers_are_not_on_the_list(number):
    assert not never_dialled(number)
    assert dial(f"sip:{number}@127.0.0.1")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("sip:13812345678@127.0.0.1", "a mobile number"),
        ("sip:+8613812345678@127.0.0.1", "a mobile number"),
        ("sip:+442079460000@127.0.0.1", "an international number"),
        ("sip:00442079460000@127.0.0.1", "an international number"),
        ("sip:*21*95588#@127.0.0.1", "a feature code"),
        ("sip:%2A21@127.0.0.1", "a feature code"),
        ("sip:7@127.0.0.1", "a single digit"),
        ("sip:95001@127.0.0.1?Route=%3Csip:x%3E", "not written as"),
        ("sip:95001@127.0.0.1@sip.example.com", "not written as"),
        ("sip:95001@127.0.0.1\n", "not written as"),
        ("sip:95001@127.0.0.1;maddr=10.0.0.1", "not written as"),
        ("sip:9５001@127.0.0.1", "not written as"),
        ("sip:" + "9" * 3000 + "@127.0.0.1", "longer than"),
        ("sip:95001@127.0.0.1.example.com", "no authorisation"),
        ("sip:95001@127.1", "no authorisation"),
        ("sip:95001@2130706433", "no authorisation"),
        ("sip:95001@0.0.0.0", "no authorisation"),
        ("sip:95001@10.0.0.1", "no authorisation"),
    ],
)
def test_refused_whatever_the_reason_is_told(uri, why):
    with pytest.raises(PolicyRefused, match=why) as refused:
        check_call(uri, None, NOW)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


def test_authorised_numbers_in_their_usual_spellings(signed):
    for user in ("95588", "+8695588", "008695588", "02165432100", "+862165432100", "+8675522223333", "075522223333"):
        assert dial(f"sip:{user}@sip.example.com", signed), user
    for user in ("95589", "955880", "01095588", "2165432101", "service", "+1955880"):
        assert not dial(f"sip:{user}@sip.example.com", signed), user
    assert not dial("sip:95588@sip.example.org", signed)
    assert not dial("sip:95588@sub.sip.example.com", signed)
    assert not dial("sip:95588@sip.example.com")


def test_window_counts_whole_days_in_china(signed):
    uri = "sip:95588@sip.example.com"
    start = datetime(2026, 1, 30, 16, tzinfo=UTC)  # midnight in China
    end = datetime(2026, 12, 31, 16, tzinfo=UTC)
    moments = (start - timedelta(seconds=1), start, end - timedelta(seconds=1), end)
    assert [dial(uri, signed, now) for now in moments] == [False, True, True, False]


def test_unsigned_is_no_authorisation(signed):
    unsigned = signed.model_copy(update={"signed_by": " "})
    with pytest.raises(PolicyRefused, match="not signed"):
        check_call("sip:95588@sip.example.com", unsigned, NOW)
    with pytest.raises(PolicyRefused, match="not signed"):
        check_chat("https://chat.example.com/", unsigned, NOW)


def test_chat_loopback_needs_nothing():
    for url in ("http://127.0.0.1:8080/", "https://localhost/x?y=1#z", "http://[::1]:9/", "ws://127.0.0.1:1/chat"):
        assert chat(url), url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@example.com/", "http://127.0.0.1:80@example.com/", "http://127.0.0.1\\@example.com/",
        "http://127.0.0.1.example.com/", "http://127.1/", "http://0x7f000001/", "http://0.0.0.0/", "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/", "file:///etc/passwd", "javascript:alert(1)", "//127.0.0.1/", "127.0.0.1",
        "http:///x", "http://", "", "http://127.0.0.1\t.example.com/", "http://１27.0.0.1/", "http://localhost:99999/",
        "http://127.0.0.1:x/",
    ],
)  # fmt: skip
def test_chat_refuses_what_is_not_plainly_this_machine(url):
    assert not chat(url)


def test_chat_authorised_hosts_and_prefixes(signed):
    for url in (
        "https://chat.example.com/", "http://chat.example.com/any?x=1", "https://CHAT.example.com/",
        "https://www.example.com/service", "https://www.example.com/service/a", "https://www.example.com:443/service",
        "http://other.example.com:8080/x",
    ):  # fmt: skip
        assert chat(url, signed), url
    for url in (
        "https://www.example.com/", "https://www.example.com/services", "http://www.example.com/service",
        "https://www.example.com/service/../admin", "https://www.example.com/service/%2e%2e/admin",
        "https://www.example.com/service/..%2fadmin", "https://chat.example.com:8443/", "https://a.chat.example.com/",
        "https://chat.example.com.evil.example/", "http://other.example.com/", "https://example.com/",
    ):  # fmt: skip
        assert not chat(url, signed), url


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[95588,", "[110,", "3:10: 'numbers': 110 must never be dialled and cannot be authorised"),
        ("[95588,", "['0 1 1 9',", "3:10: 'numbers': 0 1 1 9 must never be dialled and cannot be authorised"),
        ("[95588,", "[13800138000,", "3:10: 'numbers': 13800138000 is a mobile number and cannot be authorised"),
        ("[95588,", "[all,", "3:10: 'numbers': 'all' is no telephone number; write digits"),
        ("2026-12-31", "2025-12-31", "1:1: the file: valid_to lies before valid_from"),
        ("2026-12-31", "2026-13-31", "7:11: 'valid_to': there is no day 2026-13-31"),
        ("2026-12-31", "20261231", "7:11: 'valid_to': write a date such as 2026-01-31,"
                                   " or a moment such as 2026-01-31T09:00:00+08:00"),
        ("2026-12-31", "2026-12-31T09:00:00", "7:11: 'valid_to' must say its time zone"
                                              " (write 2026-01-31T09:00:00+08:00)"),
    ],
)  # fmt: skip
def test_a_wrong_authorisation_is_told(tmp_path, old, new, message):
    path = tmp_path / "authorisation.yaml"
    path.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(AuthorisationError) as wrong:
        load_authorisation(path)
    assert str(wrong.value) == f"{path}:{message}"


def test_one_number_has_one_normal_form():
    spellings = ("02112345678", "021-1234 5678", "+86 21 12345678", "0086(21)12345678", "０２１１２３４５６７８")
    assert {normal(number) for number in spellings} == {"2112345678"}
    assert normal("95588") != normal("01095588")


@pytest.mark.parametrize("dialled", ["02161234567", "+862161234567", "00862161234567", "021-6123 4567"])
def test_a_number_with_its_area_code_in_every_spelling(dialled: str) -> None:
    assert permits("021-61234567", dialled)
    assert permits("+86 21 6123 4567", dialled)


@pytest.mark.parametrize(("written", "dialled"), [("021-61234567", "2161234567"), ("+862161234567", "2161234567")])
def test_an_area_code_without_its_zero_is_somebody_next_door(written: str, dialled: str) -> None:
    assert not permits(written, dialled)
    assert permits("95001", "95001")


def test_a_url_with_a_query_is_that_very_url(signed: Authorisation) -> None:
    page = "https://saas.example.com/chat.html"
    one = signed.model_copy(update={"urls": (f"{page}?id=BANK",)})
    assert chat(f"{page}?id=BANK", one)
    for other in ("?id=OTHER", "", "?id=BANK&id=OTHER", "/x?id=BANK"):
        assert not chat(page + other, one)
