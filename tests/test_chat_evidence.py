"""What is kept of a chat: trace, HAR, video and what they must not hold; sizes and secrets."""

import json
import re
import time
import zipfile

import pytest
from playwright.async_api import Error as PlaywrightError

from probes.chat import evidence
from probes.chat.browser import Browser, first_line
from probes.chat.redaction import Redactor, redacted
from scenarios.errors import ToolMissing


def contents(path):
    """Returns all that is in a file, or in every member of an archive."""
    if path.suffix != ".zip":
        return {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_no_secret_of_the_page_is_kept(visit):
    async def script(talk):
        _, message = await talk.ask()
        return talk, message

    talk, message = visit("secrets", script, chat={"record": ["dom", "har"]})
    files = {kind: path for path, kind in talk.chat.files()}
    assert set(files) == {"transcript", "screenshot", "trace", "har"}
    assert message.data["parts"][0]["url"].endswith("/file?sig=[redacted]")
    kept = {name: text for path in files.values() for name, text in contents(path).items()}
    assert {name: found for name, text in kept.items() if (found := re.findall(rb"SECRET.{12}", text))} == {}
    trace = contents(files["trace"])
    assert b"You asked: hello" in b"".join(trace.values())
    assert not [name for name in trace if name.endswith((".jpeg", ".png"))], "a trace without screenshots"
    assert any("/ask" in entry["request"]["url"] for entry in json.loads(files["har"].read_text())["log"]["entries"])
    assert not [path for path in files["har"].parent.iterdir() if path.name.startswith(".")]


def test_a_trace_that_is_too_large_loses_its_resources_or_is_not_kept(visit, transcript, monkeypatch):
    async def script(talk):
        await talk.ask()
        return talk

    monkeypatch.setitem(evidence.MAX_BYTES, "trace", 500)
    talk = visit("secrets", script)
    assert "trace" not in {kind for _, kind in talk.chat.files()}
    assert [row["kept"] for row in transcript("evidence")][-1] is False


def test_evidence_that_takes_long_to_clean_is_whole_and_nothing_raw_stays(visit, monkeypatch):
    async def script(talk):
        await talk.ask()
        return talk

    raw = []

    def slowly(source, path, limit):
        raw.append(source)
        path.write_bytes(b"half of it")
        time.sleep(6)
        return evidence._clean_trace(source, path, limit)

    monkeypatch.setitem(evidence.CLEAN, "trace.zip", slowly)
    talk = visit("plain", script)
    files = {kind: path for path, kind in talk.chat.files()}
    assert zipfile.is_zipfile(files["trace"])
    assert not [path for path in files["trace"].parent.iterdir() if path.name.startswith(".")]
    assert [source.parent == files["trace"].parent for source in raw] == [False]  # a kill would have left it there
    assert not raw[0].parent.exists()


def test_a_trace_that_is_too_large_to_clean_is_not_kept(visit, transcript, monkeypatch):
    async def script(talk):
        await talk.ask()
        return talk

    monkeypatch.setattr(evidence, "MAX_RAW", 1000)
    talk = visit("plain", script)
    assert "trace" not in {kind for _, kind in talk.chat.files()}
    assert [row["kept"] for row in transcript("evidence")] == [False]


def test_what_the_browser_says_of_a_failure_holds_no_secret():
    error = PlaywrightError('Page.goto: Navigation to "http://a/?token=abc123" is interrupted\nCall log: ...')
    assert first_line(error) == 'Page.goto: Navigation to "http://a/?token=[redacted]" is interrupted'


def test_a_target_may_want_no_trace(visit):
    async def script(talk):
        await talk.ask()
        return talk

    assert [kind for _, kind in visit("plain", script, chat={"record": []}).chat.files()] == [
        "transcript", "screenshot",
    ]  # fmt: skip


def test_a_video_without_its_encoder_is_refused_in_one_sentence(visit, loop, monkeypatch, tmp_path):
    async def script(talk, anchor):
        with pytest.raises(ToolMissing, match="no video can be recorded without ffmpeg; install"):
            await talk.chat.open(anchor)

    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    bare = Browser()
    try:
        visit("plain", script, chat={"record": ["video"]}, opened=False, browser=bare)
    finally:
        loop.run(bare.close())


def test_a_video_is_kept(visit, tmp_path):
    async def script(talk):
        await talk.ask()

    visit("plain", script, chat={"record": ["video"]})
    video = tmp_path / "s" / "video.webm"
    assert video.read_bytes()[:4] == b"\x1aE\xdf\xa3"  # Matroska, of which WebM is one
    assert video.stat().st_size > 1000
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["screen.png", "transcript.jsonl", "video.webm"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://a/b?x=1&access_token=abc123&y=2", "https://a/b?x=1&access_token=[redacted]&y=2"),
        ("https://a/b?tokens=12&side=left&design=x", "https://a/b?tokens=12&side=left&design=x"),
        ('{"sessionId": "abcdef99", "id": "7"}', '{"sessionId": "[redacted]", "id": "7"}'),
        ('"{\\"token\\":\\"abcdef99\\"}"', '"{\\"token\\":\\"[redacted]\\"}"'),
        ("<meta name='csrf-token' content='abcdef99'>", "<meta name='csrf-token' content='[redacted]'>"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer [redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig here", "[redacted] here"),
        ("您的验证码是 123456，有效期 5 分钟", "您的验证码是 123456，有效期 5 分钟"),
        (r'{"visitorToken":"ab\/cd\/ef==","n":1}', '{"visitorToken":"[redacted]","n":1}'),
        (r'"{\"userPwd\":\"ab\\\"cd\",\"n\":1}"', r'"{\"userPwd\":\"[redacted]\",\"n\":1}"'),
        ('{"password": 12345678}', '{"password": "[redacted]"}'),
    ],
)
def test_secrets_are_told_by_their_names(text, clean):
    assert redacted(text) == clean


def test_what_was_written_with_backslashes_is_found_without_them():
    redactor = Redactor()
    redactor.text(r'{"token":"ab\/cd\/ef=="}')
    assert redactor.value({"text": "sent ab/cd/ef==", "pwd": 12345678}) == {
        "text": "sent [redacted]", "pwd": "[redacted]",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "a_" * 250,
        "a-" * 100_000,
        "\\" * 100_000,
        "name=token " * 10_000,
        "a=" * 200_000,
        "-eyJ" * 50_000,
        '"token":"' * 10_000,
    ],
)
def test_no_text_of_a_page_holds_us_up(text):
    begun = time.process_time()
    redacted(text)
    assert time.process_time() - begun < 5  # a search that goes back over and over takes hours


def test_more_secrets_than_can_be_looked_for_are_not_cleaned():
    with pytest.raises(ValueError, match="more than 5000 secrets"):
        redacted(" ".join(f"token=secret{n}" for n in range(6000)))
