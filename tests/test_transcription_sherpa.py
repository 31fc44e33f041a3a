"""The sherpa-onnx backend with tiny models: resampling, feeding, times, and every wrong model told before a call.

The models tell tones apart and know no speech: how well a real one hears is not tested here.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.bench.audio_centre import said
from probes.hearing.transcription.backends import open_transcriber
from probes.hearing.transcription.model_files import find_model
from probes.hearing.transcription.onnx_file import NoModel, metadata
from probes.hearing.transcription.sherpa import MODEL_RATE, SherpaTranscriber, wideband
from probes.hearing.transcription.tokens import Token, words_of
from probes.hearing.transcription.words import Deaf, Transcript
from probes.hearing.wav import RATE
from probes.target_file import load_target
from scenarios.errors import TargetError, ToolMissing
from tests.conventions import ROOT
from tests.tiny_speech_models import HIGH, LOW, MIDDLE, MODELS, paraformer, sense_voice, zipformer

KINDS = sorted(MODELS)


@pytest.fixture(scope="module", autouse=True)
def installed():
    done = subprocess.run([sys.executable, "-c", "import sherpa_onnx"], capture_output=True, check=False)
    if done.returncode:
        pytest.fail(f"sherpa-onnx is needed here, 'sh harness/setup.sh test' installs it: {done.stderr.decode()}")


def tone(hertz, seconds, level=8000):
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    ramp = np.sin(np.linspace(0, np.pi / 2, 800)) ** 2
    wave[:800] *= ramp
    wave[-800:] *= ramp[::-1]
    return wave.astype(np.int16)


def gap(seconds):
    return np.zeros(round(seconds * RATE), np.int16)


TONES = np.concatenate((gap(1), tone(400, 1), gap(1), tone(2000, 0.9), gap(1), tone(400, 1), gap(0.5)))
HEARD = {LOW: [(1.0, 2.0), (4.9, 5.9)], MIDDLE: [(3.0, 3.9)]}


def ready(folder, kind, **how):
    return SherpaTranscriber(find_model(MODELS[kind](folder, **how), kind))


def target(folder, transcriber):
    path = folder / "target.yaml"
    path.write_text(
        "format: 1\nname: 沙箱\nchats:\n  web: {url: http://127.0.0.1/}\n"
        "transcriber:\n" + "".join(f"  {line}\n" for line in transcriber.splitlines()),
        encoding="utf-8",
    )
    return path


def told(path):
    with pytest.raises(TargetError) as wrong:
        load_target(path)
    return str(wrong.value).removeprefix(f"{path}:")


@pytest.mark.parametrize("kind", KINDS)
def test_tones_are_heard_where_they_are(tmp_path, kind):
    MODELS[kind](tmp_path / "models" / "tiny")
    loaded = load_target(target(tmp_path, f"backend: sherpa-onnx\nmodel: models/tiny\nkind: {kind}"))
    heard = open_transcriber(loaded.target, loaded.folder).transcribe(TONES, 100.0)
    assert heard.backend == "sherpa-onnx"
    assert {word.text for word in heard.words} == {LOW, MIDDLE}  # read at the wrong rate, 2 kHz were 高
    for text, places in HEARD.items():
        times = [word for word in heard.words if word.text == text]
        for begin, end in places:
            there = [word for word in times if 100 + begin - 0.3 < word.start < word.end < 100 + end + 0.6]
            assert there
            # Paraformer's words come in blocks of 0.6 s; the others have their own times.
            assert there[0].start == pytest.approx(100 + begin, abs=0.6 if kind == "streaming-paraformer" else 0.1)
    assert [word.start for word in heard.words] == sorted(word.start for word in heard.words)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_audio_gives_the_same_words(tmp_path, kind):
    transcriber = ready(tmp_path, kind)
    first = transcriber.transcribe(TONES, 3.0)
    assert len(first.words) >= 3
    assert transcriber.transcribe(TONES[:20000], 9.0) != first
    assert transcriber.transcribe(TONES, 3.0) == first
    assert ready(tmp_path, kind).transcribe(TONES, 3.0) == first


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [0, 1, 79, 800, 24000])
def test_silence_of_any_length_is_nothing(tmp_path, kind, samples):
    assert ready(tmp_path, kind).transcribe(np.zeros(samples, np.int16), 0.0) == Transcript((), True, "sherpa-onnx")


@pytest.mark.parametrize("kind", KINDS)
def test_speech_that_brings_no_words_is_not_known(tmp_path, kind):
    speech = said("您好，我是人工客服，请问有什么可以帮您？", "zh", "m3", 170)
    assert ready(tmp_path, kind, loud=99.0).transcribe(speech, 0.0) == Transcript((), False, "sherpa-onnx")


@pytest.mark.parametrize("symbol", ["<unk>", "<0xE6>"])
def test_a_symbol_that_is_unknown_is_no_word(tmp_path, symbol):
    transcriber = ready(tmp_path, "streaming-paraformer", names=("<blank>", symbol, MIDDLE, HIGH))
    heard = transcriber.transcribe(np.concatenate((gap(1), tone(400, 1), gap(1))), 0.0)
    assert heard == Transcript((), False, "sherpa-onnx")


def test_words_in_letters_are_put_together(tmp_path):
    pcm = np.concatenate((gap(1), tone(400, 0.8), gap(0.5), tone(2000, 0.6), gap(1)))
    pieces = ready(tmp_path, "streaming-zipformer", names=("<blk>", "▁HEL", "LO", "▁"))
    assert [word.text for word in pieces.transcribe(pcm, 0).words] == ["HELLO"]
    pieces = ready(tmp_path, "streaming-zipformer", names=("<blk>", "▁HOW", "▁CAN", "▁"))
    assert pieces.transcribe(pcm, 0).text() == "HOW CAN"


def test_confidence_is_given_where_the_model_has_one(tmp_path):
    assert all(0 < word.confidence <= 1 for word in ready(tmp_path, "streaming-zipformer").transcribe(TONES, 0).words)
    other = ready(tmp_path / "other", "streaming-paraformer").transcribe(TONES, 0)
    assert {word.confidence for word in other.words} == {None}


def test_long_audio_is_cut_where_it_is_quiet(tmp_path):
    begins = [5.0, 24.0, 31.0, 52.0, 66.0]
    pcm = gap(70)
    for begin in begins:
        pcm[round(begin * RATE) :][: 2 * RATE] = tone(400, 2)
    heard = ready(tmp_path, "sense-voice").transcribe(pcm, 10.0)
    assert [word.text for word in heard.words] == [LOW] * len(begins)
    assert [word.start for word in heard.words] == pytest.approx([10 + begin for begin in begins], abs=0.1)


@pytest.mark.parametrize("hertz", [300, 1000, 3400])
def test_audio_is_brought_to_the_rate_of_the_models(hertz):
    sound = wideband(tone(hertz, 1, 16384))
    assert (sound.dtype, len(sound)) == (np.float32, MODEL_RATE)
    spectrum = np.abs(np.fft.rfft(sound[4000:12000] * np.hanning(8000)))
    assert spectrum.argmax() * MODEL_RATE / 8000 == pytest.approx(hertz, abs=2)
    assert spectrum.max() > 100 * spectrum[4100 // 2 :].max()  # no image above 4 kHz
    assert np.abs(sound[4000:12000]).max() == pytest.approx(0.5, rel=0.03)


def test_hotwords_are_taken_by_the_model_that_knows_them(tmp_path):
    zipformer(tmp_path / "m")
    (tmp_path / "words.txt").write_text(f"{LOW}{MIDDLE}\n", encoding="utf-8")
    path = target(tmp_path, "backend: sherpa-onnx\nmodel: m\nkind: streaming-zipformer\nhotwords: words.txt")
    loaded = load_target(path)
    heard = open_transcriber(loaded.target, loaded.folder).transcribe(TONES, 0.0)
    assert {word.text for word in heard.words} == {LOW, MIDDLE}


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


def without(name):
    """Renames an entry of the metadata."""
    return lambda data: data.replace(name, name[::-1])


WRONG = {
    "no folder": (lambda m: m.rename(m.parent / "gone"), "7:10: there is no such folder"),
    "no tokens": (lambda m: (m / "tokens.txt").unlink(), "7:10: there is no tokens.txt beside the networks"),
    "tokens no text": (lambda m: (m / "tokens.txt").write_bytes(b"\xff\xfe"), "7:10: this is no text in UTF-8"),
    "tokens no table": (
        lambda m: (m / "tokens.txt").write_text("a 0\nb\n"), "7:10: line 2 is not a symbol and its number",
    ),
    "tokens twice": (
        lambda m: (m / "tokens.txt").write_text("a 0\nb 0\n"), "7:10: line 2 gives number 0 a second time",
    ),
    "tokens of another": (
        lambda m: (m / "tokens.txt").write_text("a 0\nb 1\n"), "7:10: the networks know 4 symbols, and number 2 is not",
    ),
    "no encoder": (lambda m: (m / "encoder.onnx").unlink(), "7:10: there is no encoder*.onnx"),
    "two encoders": (
        lambda m: (m / "encoder-2.onnx").write_bytes((m / "encoder.onnx").read_bytes()),
        "7:10: it holds several networks encoder*.onnx: encoder-2.onnx, encoder.onnx",
    ),
    "cut short": (lambda m: spoil(m / "encoder.onnx", lambda data: data[:1000]), "7:10: the file is cut short"),
    "empty": (lambda m: spoil(m / "decoder.onnx", lambda data: b""), "7:10: the file is empty"),
    "no model": (lambda m: spoil(m / "decoder.onnx", lambda data: b"<html>"), "7:10: the file is"),
    "not fetched": (
        lambda m: spoil(m / "decoder.onnx", lambda data: b"version https://git-lfs.github.com/spec/v1\noid"),
        "7:10: the file is the place-holder of Git LFS",
    ),
    "a folder": (
        lambda m: ((m / "decoder.onnx").unlink(), (m / "decoder.onnx").mkdir()), "7:10: the file cannot be read",
    ),
    "other metadata": (
        lambda m: spoil(m / "encoder.onnx", without(b"vocab_size")),
        "8:9: this is no streaming-paraformer model for sherpa-onnx: its metadata lack vocab_size",
    ),
    "damaged within": (
        lambda m: spoil(m / "encoder.onnx", without(b"MatMul")), "7:10: sherpa-onnx cannot use this model:",
    ),
    "ends the process": (
        lambda m: spoil(m / "encoder.onnx", without(b"decoder_kernel_size")),
        "7:10: sherpa-onnx cannot use this model: 'decoder_kernel_size' does not exist in the metadata",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_model_is_told_on_loading_the_target(tmp_path, mistake):
    change, message = WRONG[mistake]
    path = target(tmp_path, "backend: sherpa-onnx\nmodel: m\nkind: streaming-paraformer")
    change(paraformer(tmp_path / "m"))
    complaint = told(path)
    assert complaint.startswith(message)
    assert str(tmp_path / "m") in complaint
    assert complaint.endswith(")")  # the cure


@pytest.mark.parametrize(
    ("there", "kind", "message", "cure"),
    [
        (paraformer, "streaming-zipformer", "8:9: there is no joiner*.onnx", "those of kind: streaming-paraformer"),
        (zipformer, "sense-voice", "8:9: there is no model*.onnx", "those of kind: streaming-zipformer"),
        (sense_voice, "streaming-paraformer", "8:9: there is no encoder*.onnx", "those of kind: sense-voice"),
        (zipformer, "streaming-paraformer", "8:9: this is a model of kind streaming-zip", "write kind: streaming-zip"),
        (paraformer, "whisper", "8:9: 'transcriber.kind' must be one of", "it is 'whisper'"),
    ],
)  # fmt: skip
def test_the_wrong_kind_is_told(tmp_path, there, kind, message, cure):
    there(tmp_path / "m")
    complaint = told(target(tmp_path, f"backend: sherpa-onnx\nmodel: m\nkind: {kind}"))
    assert complaint.startswith(message)
    assert cure in complaint


@pytest.mark.parametrize(
    ("transcriber", "message"),
    [
        ("backend: whisper", "6:12: 'transcriber.backend' must be one of: none, phrasebook, sherpa-onnx"),
        ("backend: sherpa-onnx", "6:3: the backend sherpa-onnx needs the key 'model'"),
        ("backend: sherpa-onnx\nmodel: m", "6:3: the backend sherpa-onnx needs the key 'kind'"),
        ("backend: none\nmodel: m", "7:10: the backend none has no key 'model'"),
        ("backend: phrasebook\nkind: sense-voice", "7:9: the backend phrasebook has no key 'kind'"),
        ("backend: phrasebook", "6:3: the backend phrasebook has nothing to recognise"),
        ("backend: phrasebook\nphrases: here", "7:12: the phrasebook: "),
        (
            "backend: sherpa-onnx\nmodel: m\nkind: streaming-paraformer\nhotwords: w.txt",
            "9:13: a streaming-paraformer model knows no hotwords",
        ),
        (
            "backend: sherpa-onnx\nmodel: z\nkind: streaming-zipformer\nhotwords: gone.txt",
            "9:13: there is no such file",
        ),
        (
            "backend: sherpa-onnx\nmodel: z\nkind: streaming-zipformer\nhotwords: w.txt",
            "9:13: there is no phrase in it",
        ),
    ],
)
def test_keys_that_do_not_fit_are_told(tmp_path, transcriber, message):
    paraformer(tmp_path / "m")
    zipformer(tmp_path / "z")
    (tmp_path / "w.txt").write_text("\n")
    assert told(target(tmp_path, transcriber)).startswith(message)


def test_the_smaller_network_is_taken_where_both_are_there(tmp_path):
    paraformer(tmp_path)
    (tmp_path / "encoder.int8.onnx").write_bytes((tmp_path / "encoder.onnx").read_bytes())
    networks = find_model(tmp_path, "streaming-paraformer").networks
    assert {part: path.name for part, path in networks.items()} == {
        "encoder": "encoder.int8.onnx", "decoder": "decoder.onnx",
    }  # fmt: skip


def test_without_the_package_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    paraformer(tmp_path / "m")
    path = target(tmp_path, "backend: sherpa-onnx\nmodel: m\nkind: streaming-paraformer")
    loaded = load_target(path)
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)  # how Python says: not to be imported
    assert told(path) == "6:12: sherpa-onnx is not installed (pip install 'contact-centre-shopper[asr]')"
    with pytest.raises(ToolMissing, match="contact-centre-shopper"):
        open_transcriber(loaded.target, loaded.folder)


def test_the_package_is_imported_only_when_used():
    code = "import sys, probes.target_file, probes.hearing.transcription.sherpa; print('sherpa_onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_target_without_a_transcriber_has_none(tmp_path):
    for transcriber in ("backend: none", None):
        path = target(tmp_path, transcriber or "backend: none")
        if transcriber is None:
            path.write_text(path.read_text().split("transcriber")[0])
        loaded = load_target(path)
        assert isinstance(open_transcriber(loaded.target, loaded.folder), Deaf)


def test_metadata_of_a_model(tmp_path):
    told = metadata(paraformer(tmp_path) / "encoder.onnx")
    assert (told["vocab_size"], told["lfr_window_size"], len(told["neg_mean"].split(","))) == ("4", "7", 560)
    whole = (tmp_path / "encoder.onnx").read_bytes()
    for size in range(1, len(whole) - 1, 997):
        (tmp_path / "part.onnx").write_bytes(whole[:size])
        with pytest.raises(NoModel):
            metadata(tmp_path / "part.onnx")


def words(*symbols, text=None, pieces=False, confidence=None):
    tokens = [Token(symbol, i / 10, (i + 1) / 10, confidence) for i, symbol in enumerate(symbols)]
    plain = "".join(symbols).replace("@@", "").replace("▁", " ") if text is None else text
    return [(word.text, word.start, word.end) for word in words_of(tokens, plain, pieces=pieces)]


def test_symbols_become_words():
    assert words("您", "好") == [("您", 0, 0.1), ("好", 0.1, 0.2)]
    assert words("good", "morn@@", "ing") == [("good", 0, 0.1), ("morning", 0.1, 0.3)]
    assert words("▁GOOD", "▁M", "OR", "NING", "您", pieces=True) == [
        ("GOOD", 0, 0.1), ("MORNING", 0.1, 0.4), ("您", 0.4, 0.5),
    ]  # fmt: skip
    assert words("您", "<unk>", "好") == [("您", 0, 0.1), ("好", 0.2, 0.3)]
    assert words("▁A", "<unk>", "B", text="A B", pieces=True) == [("A", 0, 0.1), ("B", 0.2, 0.3)]
    assert words("您", "，", "好", "。") == [("您", 0, 0.1), ("好", 0.2, 0.3)]
    assert words("<unk>", "<unk>", text="unk> <unk>") == []
    assert words("<0xE6>", "您", text="0xE6>您") == [("您", 0.1, 0.2)]
    assert words(" GO", "OD", " DAY", pieces=True) == [("GOOD", 0, 0.2), ("DAY", 0.2, 0.3)]
    assert words() == []


def test_symbols_that_are_not_the_text_give_one_word():
    assert words("ƌ", "ŕ", "ş", text="您好") == [("您好", 0, 0.3)]
    assert words("▁HELLO", "▁WORLD", text="SOMETHING ELSE", pieces=True) == [("SOMETHING ELSE", 0, 0.2)]


def test_a_word_is_as_sure_as_its_least_sure_symbol():
    tokens = [Token("▁GO", 0, 1, 0.9), Token("OD", 1, 2, 0.4), Token("您", 2, 3, None)]
    assert [word.confidence for word in words_of(tokens, "GOOD您", pieces=True)] == [0.4, None]
