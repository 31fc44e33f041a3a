"""A target file is checked as a whole before anything is dialled."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from probes.target_file import load_target
from scenarios.errors import TargetError

GOOD = """\
format: 1
name: 沙箱银行
lines:
  hotline:
    uri: sip:95001@127.0.0.1:5070
    to_human: [{press: 0, after: menu}]
    account:
      uri: sip:me@127.0.0.1
chats:
  web:
    url: http://127.0.0.1:8080/
prompts:
  - {id: welcome, role: welcome, audio: welcome.wav}
facts:
  S01:
    fee: {right: [免费], wrong: [每次两元]}
"""


def wav(path: Path, rate: int = 8000, channels: int = 1, width: int = 2, frames: int = 80) -> None:
    with wave.open(str(path), "wb") as audio:
        audio.setframerate(rate)
        audio.setnchannels(channels)
        audio.setsampwidth(width)
        audio.writeframes(bytes(frames * channels * width))


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    wav(folder / "welcome.wav")
    path = folder / "target.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def told(path: Path) -> str:
    with pytest.raises(TargetError) as wrong:
        load_target(path)
    return str(wrong.value)


def test_a_good_target(tmp_path):
    loaded = load_target(write(tmp_path))
    assert loaded.folder == tmp_path
    assert loaded.path == tmp_path / "target.yaml"
    assert loaded.target.lines["hotline"].to_human[0].press == "0"
    assert loaded.target.facts["S01"]["fee"].wrong == ("每次两元",)
    assert loaded.target.prompt_path(loaded.target.prompts[0], loaded.folder).is_file()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sip:95001@127.0.0.1:5070", "tel:95001", "5:10: 'tel:95001' is no SIP address"),
        ("sip:95001@127.0.0.1:5070", "sip:1@127.0.0.1:70000", "5:10: 'sip:1@127.0.0.1:70000' is no SIP address"),
        ("sip:95001@127.0.0.1:5070", '"sip:a b@127.0.0.1"', "5:10: 'sip:a b@127.0.0.1' is no SIP address"),
        ("sip:me@127.0.0.1", "sip:me", "8:12: 'sip:me' is no SIP address"),
        ("http://127.0.0.1:8080/", "ftp://127.0.0.1/", "11:10: 'ftp://127.0.0.1/' is no web address"),
        ("http://127.0.0.1:8080/", "http://", "11:10: 'http://' is no web address"),
        ("http://127.0.0.1:8080/", "http://a:b/", "11:10: 'http://a:b/' is no web address"),
        ("8080/", "8080/\n    widget: sandbx", "12:13: there is no chat widget 'sandbx'"),
        ("8080/", "8080/\n    widget: my.yaml", "12:13: there is no chat widget 'my.yaml'"),
        ("welcome.wav", "gone.wav", "13:41: the audio of prompt 'welcome' is missing"),
        ("welcome.wav", "target.yaml", "13:41: the audio of prompt 'welcome' is no WAV file"),
        ("  hotline:", "  ../hot:", "5:5: '../hot' cannot name an entry"),
        ("  web:", "  hotline:", "11:5: 'hotline' names both a line and a chat"),
        ("  - {id", "  - {id: welcome, role: menu, audio: welcome.wav}\n  - {id",
         "14:10: prompt 'welcome' occurs twice"),
        ("facts:\n", "recordings: mine\nfacts:\n", "14:13: there is no folder 'mine'"),
        ("uri: sip:95001", "url: sip:95001", "5:5: unknown key 'url' (did you mean 'uri'?"),
        ("press: 0", "pres: 0", "6:17: unknown key 'pres' (did you mean 'press'? allowed here: press, say, after)"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path, old, new, message):
    path = write(tmp_path, (old, new))
    assert told(path).startswith(f"{path}:{message}")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"rate": 16000}, "is 16000 Hz, 1 channel(s), 16 bit"),
        ({"channels": 2}, "is 8000 Hz, 2 channel(s), 16 bit"),
        ({"width": 1}, "is 8000 Hz, 1 channel(s), 8 bit"),
        ({"frames": 0}, "is empty"),
    ],
)
def test_prompt_audio_must_be_telephone_wav(tmp_path, shape, message):
    path = write(tmp_path)
    wav(tmp_path / "welcome.wav", **shape)
    assert message in told(path)
    assert told(path).endswith("(save it as WAV: 8000 Hz, mono, 16 bit)")


def test_a_wrong_widget_profile_is_told_at_its_own_place(tmp_path):
    path = write(tmp_path, ("8080/", "8080/\n    widget: my.yaml"))
    (tmp_path / "my.yaml").write_text("format: 1\nnam: mine\n")
    assert told(path).startswith(f"{tmp_path / 'my.yaml'}:2:1: unknown key 'nam'")


def test_a_target_without_entries_is_none(tmp_path):
    path = tmp_path / "target.yaml"
    path.write_text("format: 1\nname: a\n")
    assert told(path) == f"{path}:1:1: the target has neither a line nor a chat (add an entry under lines or chats)"
