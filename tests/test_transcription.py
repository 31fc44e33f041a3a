"""Transcripts: known phrases with their times, what is unknown said to be unknown, texts made comparable."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest
from ruamel.yaml import YAML

from harness.bench.audio_centre import audible, recordings, said
from probes.hearing.telephone import round_trip
from probes.hearing.transcription.backends import open_transcriber
from probes.hearing.transcription.coverage import accounted_for, speech
from probes.hearing.transcription.phrasebook import PhrasebookTranscriber, read_phrases
from probes.hearing.transcription.plain import plain
from probes.hearing.transcription.words import Deaf, Transcript, Word
from probes.hearing.wav import RATE, write_wav
from probes.speaking.music import hold_music
from probes.target import ModelKind, TranscriberSpec
from probes.target_file import load_target
from scenarios.errors import TargetError
from tests.conventions import ROOT

BOOK = PhrasebookTranscriber(recordings("zh"))
GREETING = said("您好，我是人工客服，请问有什么可以帮您？", "zh", "m3", 170)


def gap(seconds):
    return np.zeros(round(seconds * RATE), np.int16)


def line(*parts, noise=0.0):
    whole = np.concatenate(parts).astype(float)
    whole += np.random.default_rng(3).standard_normal(len(whole)) * noise
    return round_trip(np.clip(whole, -32768, 32767).astype(np.int16))


@pytest.mark.parametrize(("gain", "noise"), [(1.0, 0), (0.3, 0), (1.0, 200)])
def test_every_phrase_is_a_word_with_its_times(gain, noise):
    parts, told, at = [], [], 100.0
    for prompt, pcm in recordings("zh"):
        first, last = audible(pcm)
        parts += [gap(0.6), pcm * gain]
        told.append((prompt.text, at + 0.6 + first / RATE, at + 0.6 + last / RATE))
        at += 0.6 + len(pcm) / RATE
    heard = BOOK.transcribe(line(*parts, gap(0.5), noise=noise), 100.0)
    assert [word.text for word in heard.words] == [text for text, _, _ in told]
    for word, (_, start, end) in zip(heard.words, told, strict=True):
        assert word.start == pytest.approx(start, abs=0.03)
        assert word.end == pytest.approx(end, abs=0.1)
        assert word.confidence is None
    assert (heard.complete, heard.backend) == (True, "phrasebook")


def test_a_phrase_at_the_very_end_is_found():
    prompt, pcm = recordings("zh")[0]
    heard = BOOK.transcribe(line(pcm[: audible(pcm)[1]]), 7.0)
    assert [word.text for word in heard.words] == [prompt.text]
    assert heard.words[0].end <= 7.0 + len(pcm) / RATE
    assert heard.complete


def test_live_speech_makes_it_incomplete():
    _, pcm = recordings("zh")[0]
    heard = BOOK.transcribe(line(gap(0.3), pcm, gap(0.8), GREETING, gap(0.3)), 0.0)
    assert len(heard.words) == 1
    assert not heard.complete
    assert BOOK.transcribe(line(GREETING), 0.0) == Transcript((), False, "phrasebook")


def test_a_phrase_broken_off_gives_no_words():
    _, pcm = recordings("zh")[1]
    heard = BOOK.transcribe(line(gap(0.4), pcm[: int(2.2 * RATE)], gap(1.0)), 0.0)
    assert heard == Transcript((), False, "phrasebook")


def test_a_recording_without_text_is_not_transcribed():
    prompt, pcm = recordings("zh")[0]
    book = PhrasebookTranscriber([(prompt.model_copy(update={"text": ""}), pcm)])
    assert book.transcribe(line(gap(0.4), pcm, gap(0.4)), 0.0) == Transcript((), False, "phrasebook")


@pytest.mark.parametrize("pcm", [gap(0), gap(3), hold_music(6, 3)], ids=["nothing", "silence", "music"])
def test_where_nobody_speaks_nothing_was_said(pcm):
    assert BOOK.transcribe(pcm, 5.0) == Transcript((), True, "phrasebook")


def test_no_transcriber_never_knows():
    assert Deaf().transcribe(gap(1), 0.0) == Transcript((), False, "none")
    assert Deaf().transcribe(gap(0), 0.0).complete


def test_the_same_audio_gives_the_same_words():
    pcm = line(gap(0.3), recordings("zh")[2][1], gap(0.4), GREETING)
    assert BOOK.transcribe(pcm, 1.0) == BOOK.transcribe(pcm, 1.0)


def test_speech_is_placed():
    first, last = audible(GREETING)
    stretches = speech(line(gap(1.0), GREETING, gap(1.0)), 50.0)
    assert stretches[0][0] == pytest.approx(51.0 + first / RATE, abs=0.1)
    assert stretches[-1][1] == pytest.approx(51.0 + last / RATE, abs=0.15)


@pytest.mark.parametrize(
    ("words", "all_of_it"),
    [
        ([(0, 4)], True),
        ([(0.25, 3.75)], True),
        ([(0.5, 4)], False),
        ([(0, 3.5)], False),
        ([(0, 1.9), (2.1, 4)], True),
        ([(0, 1.5), (2.1, 4)], False),
        ([(2.1, 4), (0, 5)], True),
        ([(9, 10)], False),
        ([], False),
    ],
)
def test_speech_without_words_is_noticed(words, all_of_it):
    assert accounted_for([(0.0, 4.0)], [Word("a", *times) for times in words], 0.0) is all_of_it
    assert accounted_for([], [Word("a", *times) for times in words], 0.0)


def test_text_of_a_transcript():
    def text(*words):
        return Transcript(tuple(Word(word, 0.0, 0.0) for word in words), True, "none").text()

    assert text("您", "好") == "您好"
    assert text("how", "can", "I") == "how can I"
    assert text("办", "VIP", "卡") == "办VIP卡"
    assert text() == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("工号一零零二，为您服务。", "工号1002为您服务"),
        ("幺零零八六", "10086"),
        ("您前面还有二十三位客户", "您前面还有23位客户"),
        ("一百零五元", "105元"),
        ("两千零二十六年", "2026年"),
        ("一万二千三百四十五", "12345"),
        ("两位", "2位"),
        ("十", "10"),
        ("ＶＩＰ 卡！", "vip卡"),
        ("How can I help?", "how can i help"),
    ],
)
def test_texts_that_say_the_same_are_equal(one, other):
    assert plain(one) == plain(other)


@pytest.mark.parametrize(("one", "other"), [("三四百", "700"), ("一百零五", "150"), ("二十", "21"), ("免费", "收费")])
def test_texts_that_differ_stay_different(one, other):
    assert plain(one) != plain(other)


def book(folder, text):
    write_wav(folder / "a.wav", recordings("zh")[0][1])
    write_wav(folder / "still.wav", gap(1))
    (folder / "phrasebook.yaml").write_text(text, encoding="utf-8")


def test_a_phrasebook_is_read(tmp_path):
    book(tmp_path, "format: 1\nphrases:\n  - {id: a, text: 您好, audio: a.wav}\n")
    [(prompt, pcm)] = read_phrases(tmp_path)
    assert (prompt.id, prompt.text) == ("a", "您好")
    assert PhrasebookTranscriber([(prompt, pcm)]).transcribe(line(gap(0.4), pcm, gap(0.4)), 0.0).text() == "您好"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: 1\nphrases:\n  - {id: a, text: 您好, audio: b.wav}\n", "3:30: the audio of phrase 'a': there is no"),
        ("format: 1\nphrases:\n  - {id: a, text: 您好, audio: still.wav}\n", "3:30: the audio of phrase 'a' is silent"),
        (
            "format: 1\nphrases:\n  - {id: a, text: 您好, audio: phrasebook.yaml}\n",
            "3:30: the audio of phrase 'a': this",
        ),
        ("format: 1\nphrases:\n  - {id: a, text: '', audio: a.wav}\n", "3:19: 'phrases[0].text' must not be empty"),
        ("format: 1\nphrases: []\n", "2: there is no phrase in it"),
        ("format: 2\nphrases:\n  - {id: a, text: 您好, audio: a.wav}\n", "1:9: 'format' must be one of: 1"),
        (
            "format: 1\nphrases:\n  - {id: a, text: 您好, audio: a.wav}\n  - {id: a, text: 您好, audio: a.wav}\n",
            "4:10: phrase 'a' occurs twice",
        ),
    ],
)
def test_mistakes_in_a_phrasebook_are_told_with_their_place(tmp_path, text, message):
    book(tmp_path, text)
    with pytest.raises(TargetError) as wrong:
        read_phrases(tmp_path)
    assert str(wrong.value).startswith(f"{tmp_path / 'phrasebook.yaml'}:{message}")


def test_the_examples_of_the_page_are_right(tmp_path):
    page = (ROOT / "docs/transcription.md").read_text(encoding="utf-8")
    target, phrasebook = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    for audio in re.findall(r"audio: (\S+\.wav)", phrasebook):
        write_wav(tmp_path / audio, recordings("zh")[0][1])
    (tmp_path / "phrasebook.yaml").write_text(phrasebook, encoding="utf-8")
    assert [prompt.id for prompt, _ in read_phrases(tmp_path)] == ["opening-hours", "goodbye"]
    spec = YAML(typ="safe").load(target)["transcriber"]
    assert TranscriberSpec(**spec).kind == "streaming-zipformer"
    keys = re.findall(r"^\| `(\w+)` \|", page.split("Paths are")[0], re.MULTILINE)
    assert keys == list(TranscriberSpec.model_fields)
    kinds = re.findall(r"^\| `([\w-]+)` \| `sherpa-onnx-", page, re.MULTILINE)
    assert sorted(kinds) == sorted(get_args(ModelKind))


@pytest.mark.parametrize("text_of", [True, False])
def test_the_prompts_of_a_target_are_phrases_too(tmp_path, text_of):
    prompt, pcm = recordings("zh")[0]
    write_wav(tmp_path / "w.wav", pcm)
    text = f", text: {prompt.text}" if text_of else ""
    (tmp_path / "target.yaml").write_text(
        "format: 1\nname: a\nchats:\n  web: {url: http://127.0.0.1/}\nprompts:\n"
        f"  - {{id: w, role: welcome, audio: w.wav{text}}}\ntranscriber: {{backend: phrasebook}}\n",
        encoding="utf-8",
    )
    if not text_of:
        with pytest.raises(TargetError, match="has nothing to recognise"):
            load_target(tmp_path / "target.yaml")
        return
    loaded = load_target(tmp_path / "target.yaml")
    heard = open_transcriber(loaded.target, loaded.folder).transcribe(line(gap(0.4), pcm, gap(0.4)), 0.0)
    assert heard.text() == prompt.text
