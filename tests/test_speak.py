"""shopper speak as an evaluator uses it; and that no draft ever stands in for a person."""

import json
import os
import subprocess
from datetime import datetime
from hashlib import sha256

import pytest
from typer.testing import CliRunner

from harness.authorisation import Authorisation
from harness.cli import app
from harness.permission import examine
from probes.hearing.wav import RATE, read_wav, write_wav
from probes.speaking import provenance
from probes.speaking.espeak import render
from probes.speaking.level import active_level
from probes.speaking.lines import spoken_lines
from probes.speaking.speaker import Speaker, Voice
from probes.target_file import load_target
from scenarios import catalogue
from scenarios.errors import InputError, ShopperError
from tests.shopper import ROOT, Ran, command, shopper, write_yaml

NAMES = ["to-human", "balance", "fee", "farewell"]
FEE = "这样查收费吗？明细最早能查到多久以前？"
TERMS = {
    "format": 1,
    "client": "示例银行",
    "numbers": ["95001"],
    "trunks": ["sip.example.com"],
    "identities": ["audit"],
    "valid_from": "2026-12-01",
    "valid_to": "2026-12-31",
    "recording": {"basis": "合同第五条", "retention_days": 365},
    "signed_by": "主任",
    "signed_on": "2026-11-20",
}


@pytest.fixture
def target(tmp_path):
    (tmp_path / "rec").mkdir()
    line = {
        "uri": "sip:95001@sip.example.com",
        "account": {"uri": "sip:audit@sip.example.com"},
        "to_human": [{"press": "1"}, {"say": "人工服务"}],
    }
    document = {"format": 1, "name": "centre", "lines": {"hotline": line}, "recordings": "rec"}
    return write_yaml(tmp_path / "target.yaml", document)


@pytest.fixture
def spoken(tmp_path):
    """A person's recording, as far as these tests go: no mark, no sidecar, too loud."""
    path = tmp_path / "spoken.wav"
    write_wav(path, render(FEE, variant="m3"))
    return path


def speak(*arguments):
    """The command in this process; what it raises is told as the command tells it."""
    done = CliRunner().invoke(app, list(map(str, ("speak", *arguments))))
    if done.exception is None or isinstance(done.exception, SystemExit):
        return Ran(done.exit_code, done.stdout, done.stderr)
    if not isinstance(done.exception, ShopperError):
        raise done.exception
    return Ran(done.exception.exit_code, done.stdout, f"shopper: {done.exception}\n")


def bring_in(target, file, line, *more):
    return speak("import", file, "--scenario", "S01", "--line", line, "--target", target, *more)


def rows(target):
    ran = speak("list", "--target", target, "--scenario", "S01", "--json")
    return ran, {row["line"]: row for row in ran.document["lines"]}


def voice_refusal(path):
    """What the policy says about our voice on this line."""
    loaded = load_target(path)
    terms, script = Authorisation.model_validate(TERMS), catalogue.load("S01").scenario
    now = datetime.fromisoformat("2026-12-02T10:00:00+08:00")
    checks = examine(loaded.target, loaded.folder, "voice", "hotline", script, terms, now)
    return next(check.refusal for check in checks if check.name == "voice")


def speaker(tmp_path):
    return Speaker("zh", Voice(), tmp_path / "cache", tmp_path / "rec" / "S01")


def test_drafts_of_a_script(target, tmp_path):
    ran = shopper("speak", "render", "--target", target, "--scenario", "S01")
    assert ran.code == 0
    assert "tts_consent" in ran.err
    folder = tmp_path / "rec" / "S01"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.draft.{kind}" for name in NAMES for kind in ("wav", "json")
    )
    for name in NAMES:
        wav = folder / f"{name}.draft.wav"
        sidecar = json.loads((folder / f"{name}.draft.json").read_text())
        assert sidecar["source"] == "draft"
        assert "espeak" in sidecar["voice"]
        assert sidecar["sha256"] == sha256(wav.read_bytes()).hexdigest()
        assert active_level(read_wav(wav)) == pytest.approx(-26, abs=0.1)
    _, listed = rows(target)
    assert {row["state"] for row in listed.values()} == {"draft"}
    assert listed["fee"]["text"] == [FEE]


def test_drafts_of_all_scripts_go_where_they_are_told(target, tmp_path):
    ran = speak("render", "--target", target, "--out", tmp_path / "out")
    assert ran.code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"S01", "S02"}  # S21 is a chat
    assert len(ran.out.splitlines()) == len(list((tmp_path / "out").rglob("*.draft.wav"))) == 9
    assert list((tmp_path / "rec").iterdir()) == []


def test_drafts_are_synthetic_to_the_policy_and_recordings_are_not(target, spoken):
    assert voice_refusal(target) is not None
    assert speak("render", "--target", target, "--scenario", "S01").code == 0
    assert voice_refusal(target) is not None
    for name in NAMES:
        assert voice_refusal(target) is not None
        assert bring_in(target, spoken, name).code == 0
    assert voice_refusal(target) is None


def test_a_draft_does_not_become_a_recording(target, tmp_path):
    speak("render", "--target", target, "--scenario", "S01")
    folder = tmp_path / "rec" / "S01"
    ran = bring_in(target, folder / "fee.draft.wav", "fee")
    assert (ran.code, (folder / "fee.wav").exists()) == (2, False)
    assert "synthetic draft" in ran.err
    (tmp_path / "copy.wav").write_bytes((folder / "fee.draft.wav").read_bytes())  # without its sidecar
    assert bring_in(target, tmp_path / "copy.wav", "fee").code == 2
    (folder / "fee.draft.wav").rename(folder / "fee.wav")
    with pytest.raises(InputError, match=r"synthetic draft.*have a person speak"):
        speaker(tmp_path).audio(FEE, "fee")
    ran, listed = rows(target)
    assert (ran.code, listed["fee"]["state"]) == (1, "refused")


def test_import(target, tmp_path, spoken):
    ran = bring_in(target, spoken, "fee", "--speaker", "甲")
    assert (ran.code, ran.err) == (0, "")
    wav = tmp_path / "rec" / "S01" / "fee.wav"
    sidecar = json.loads(wav.with_suffix(".json").read_text())
    assert sidecar == {
        "format": 1,
        "text": [FEE],
        "voice": "甲",
        "sha256": sha256(wav.read_bytes()).hexdigest(),
        "source": "imported",
    }
    _, listed = rows(target)
    assert listed["fee"]["state"] == "imported"
    assert listed["fee"]["level_dbov"] == pytest.approx(-26, abs=0.1)
    assert listed["balance"]["state"] == "missing"
    assert len(speaker(tmp_path).audio(FEE, "fee")) == pytest.approx(listed["fee"]["seconds"] * RATE, abs=400)
    assert not (tmp_path / "cache").exists()


def test_what_is_there_is_replaced_only_when_told(target, tmp_path, spoken):
    assert bring_in(target, spoken, "fee").code == 0
    first = (tmp_path / "rec/S01/fee.wav").read_bytes()
    other = tmp_path / "other.wav"
    write_wav(other, render(FEE, variant="f2"))
    ran = bring_in(target, other, "fee")
    assert (ran.code, "--replace" in ran.err) == (2, True)
    assert (tmp_path / "rec/S01/fee.wav").read_bytes() == first
    assert bring_in(target, other, "fee", "--replace").code == 0
    assert (tmp_path / "rec/S01/fee.wav").read_bytes() != first
    assert rows(target)[0].code == 0


def test_a_refused_file_leaves_nothing(target, tmp_path):
    write_wav(tmp_path / "silent.wav", render(FEE) * 0)
    ran = shopper("speak", "import", tmp_path / "silent.wav", "--scenario", "S01", "--line", "fee", "--target", target)
    assert (ran.code, "silent" in ran.err) == (2, True)
    assert list((tmp_path / "rec").iterdir()) == []


@pytest.mark.parametrize(
    ("line", "cure"), [("nosuch", "there are: to-human, balance, fee, farewell"), ("../x", "there are:")]
)
def test_a_line_that_the_script_has_not(target, spoken, line, cure):
    ran = bring_in(target, spoken, line)
    assert (ran.code, cure in ran.err) == (2, True)


def test_a_target_without_a_folder_of_recordings(target, spoken):
    document = target.read_text().replace("recordings: rec\n", "")
    assert "rec" not in document.split()
    target.write_text(document)
    for ran in (bring_in(target, spoken, "fee"), speak("list", "--target", target)):
        assert (ran.code, "recordings: recordings" in ran.err) == (2, True)


def test_a_script_that_changed(target, tmp_path, spoken):
    bring_in(target, spoken, "fee")
    assert len(speaker(tmp_path).audio(f" {FEE} ", "fee")) > RATE
    with pytest.raises(InputError) as caught:
        speaker(tmp_path).audio("收费吗？", "fee")
    assert FEE in str(caught.value)
    assert "收费吗？" in str(caught.value)
    assert "--replace" in str(caught.value)
    assert not (tmp_path / "cache").exists()  # no synthetic voice took over
    own = tmp_path / "own"
    own.mkdir()
    script = (ROOT / "scenarios/scripts/S01.yaml").read_text(encoding="utf-8")
    (own / "S01.yaml").write_text(script.replace(FEE, "收费吗？"), encoding="utf-8")
    ran = speak("list", "--target", target, "--scenario", "S01", "--scenarios", own)
    assert (ran.code, FEE in ran.err) == (1, True)


def test_a_draft_that_is_out_of_date_is_synthesised_anew(target, tmp_path):
    speak("render", "--target", target, "--scenario", "S01")
    draft = read_wav(tmp_path / "rec/S01/fee.draft.wav")
    assert abs(len(speaker(tmp_path).audio(FEE, "fee")) - len(draft)) < 400
    assert not (tmp_path / "cache").exists()
    assert len(speaker(tmp_path).audio("收费吗？", "fee")) < len(draft) / 2
    assert (tmp_path / "cache").exists()


def test_another_file_under_the_same_name(target, tmp_path, spoken):
    bring_in(target, spoken, "fee")
    write_wav(tmp_path / "rec/S01/fee.wav", render("再见。"))
    with pytest.raises(InputError, match=r"not the file that fee.json is about"):
        speaker(tmp_path).audio(FEE, "fee")


def test_a_sidecar_that_is_none(target, tmp_path, spoken):
    bring_in(target, spoken, "fee")
    for content in ("{", "[]", '{"format": 2}', json.dumps({"format": 1, "text": []})):
        (tmp_path / "rec/S01/fee.json").write_text(content)
        with pytest.raises(InputError, match=r"fee\.json.*--replace"):
            speaker(tmp_path).audio(FEE, "fee")
    assert rows(target)[1]["fee"]["state"] == "refused"


def test_old_recordings_stay_usable(target, tmp_path, spoken):
    (tmp_path / "rec/S01").mkdir()
    (tmp_path / "rec/S01/fee.wav").write_bytes(spoken.read_bytes())
    assert len(speaker(tmp_path).audio("随便什么", "fee")) > RATE
    ran, listed = rows(target)
    assert (ran.code, listed["fee"]["state"]) == (0, "unmarked")


def test_one_recording_stands_for_every_way_to_a_human(tmp_path):
    (tmp_path / "rec").mkdir()
    lines = {
        name: {"uri": f"sip:9500{n}@127.0.0.1", "to_human": [{"say": say}]}
        for n, (name, say) in enumerate({"a": "人工服务", "b": "转人工", "c": "人工服务"}.items(), start=1)
    }
    document = {"format": 1, "name": "centre", "lines": lines, "recordings": "rec"}
    target = load_target(write_yaml(tmp_path / "target.yaml", document)).target
    first = spoken_lines(catalogue.load("S01").scenario, target)[0]
    assert (first.line, first.texts) == ("to-human", ("人工服务", "转人工"))
    wav = tmp_path / "rec/S01/to-human.wav"
    provenance.write(wav, render("人工服务"), text=first.texts, voice="甲", source="recorded")
    for text in first.texts:
        assert len(speaker(tmp_path).audio(text, "to-human")) > RATE / 2
    with pytest.raises(InputError, match="找人"):
        speaker(tmp_path).audio("找人", "to-human")


@pytest.mark.parametrize(("lang", "words"), [("zh", ("草稿（合成）", "语句")), ("en", ("draft (synthetic)", "line"))])
def test_the_table(target, lang, words):
    speak("render", "--target", target, "--scenario", "S01")
    ran = speak("list", "--target", target, "--scenario", "S01", "--lang", lang)
    assert ran.code == 0
    assert all(word in ran.out.replace("\n", "") for word in words)
    assert "tts_consent" in ran.out


def record(target, path, *more):
    """Runs ``record`` with only ``path`` to find programs in."""
    done = subprocess.run(
        command("speak", "record", "--scenario", "S01", "--line", "fee", "--target", target, *more),
        cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env=os.environ | {"PATH": str(path)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def recorder(folder, script):
    """Puts a program in the place of arecord."""
    folder.mkdir()
    (folder / "arecord").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "arecord").chmod(0o755)
    return folder


def test_record_without_a_recorder(target, tmp_path):
    (tmp_path / "empty").mkdir()
    done = record(target, tmp_path / "empty")
    assert (done.returncode, "alsa-utils" in done.stderr, "speak import" in done.stderr) == (2, True, True)


def test_record_without_a_microphone(target, tmp_path):
    said = "arecord: main:831: audio open error: No such file or directory"
    done = record(target, recorder(tmp_path / "bin", f"echo '{said}' >&2; exit 1"))
    assert (done.returncode, said in done.stderr, "microphone" in done.stderr) == (2, True, True)
    assert list((tmp_path / "rec").iterdir()) == []


def test_record(target, tmp_path, spoken):
    asked = tmp_path / "asked"
    program = f'echo "$@" > {asked}; for last; do :; done; /bin/cat {spoken} > "$last"'
    done = record(target, recorder(tmp_path / "bin", program), "--seconds", "7", "--device", "hw:1")
    assert done.returncode == 0, done.stderr
    assert FEE in done.stderr
    assert "-r 48000 -c 1 -d 7 -D hw:1" in asked.read_text()
    row = rows(target)[1]["fee"]
    assert (row["state"], row["level_dbov"]) == ("recorded", pytest.approx(-26, abs=0.1))


def test_enter_ends_a_recording(target, tmp_path, spoken):
    """On a terminal, with a recorder that goes on until it is told to stop."""
    started = tmp_path / "started"
    os.mkfifo(started)
    program = (
        f"for last; do :; done; trap '/bin/cat {spoken} > \"$last\"; exit 1' INT; : > {started}\n"
        f"while :; do /bin/sleep 0.05; done"
    )
    folder = recorder(tmp_path / "bin", program)
    ours, theirs = os.openpty()
    arguments = ("speak", "record", "--scenario", "S01", "--line", "fee", "--target", target, "--seconds", "60")
    with subprocess.Popen(
        command(*arguments), cwd=ROOT, stdin=theirs, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PATH": str(folder)},
    ) as process:  # fmt: skip
        os.close(theirs)
        started.read_bytes()  # returns once the recorder has opened it
        os.write(ours, b"\n")
        _, err = process.communicate(timeout=30)
    os.close(ours)
    assert process.returncode == 0, err
    assert rows(target)[1]["fee"]["state"] == "recorded"
