"""``shopper evidence``: what is not whole is named and makes the exit code 1."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from harness.cli import app
from probes.session import Outcome
from results.run_folder import RunFolder
from tests.session_factory import chat, fill, voice
from tests.shopper import shopper


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    fill(folder, [voice(1), chat(2)])
    return folder


def evidence(*arguments):
    return CliRunner().invoke(app, ["evidence", *map(str, arguments)], catch_exceptions=False)


def test_whole_here_and_there(run, tmp_path):
    url = f"file://{tmp_path}/store"
    assert evidence("check", run.path).exit_code == 0
    before = evidence("check", run.path, "--url", url, "--json")
    assert before.exit_code == 1
    assert json.loads(before.stdout)["problems"] == [
        f"{url}: c002: session.json is missing", f"{url}: v001: session.json is missing"
    ]  # fmt: skip
    pushed = evidence("push", run.path, "--url", url)
    assert pushed.exit_code == 0
    assert "2 were pending, 0 in trouble" in pushed.stdout
    assert "0 were pending" in evidence("push", run.path, "--url", url).stdout
    after = evidence("check", run.path, "--url", url, "--json")
    assert after.exit_code == 0
    assert json.loads(after.stdout) == {"format": 1, "sessions": 2, "problems": []}


def test_every_kind_of_damage_is_named(run):
    (run.session_dir("c002") / "transcript.jsonl").unlink()
    recording = run.session_dir("v001") / "call.wav"
    recording.write_bytes(recording.read_bytes()[:-1] + b"\1")
    (run.session_dir("v001") / "notes.txt").write_text("by hand")
    run.session_dir("v003").mkdir()
    run.session_dir("v004").mkdir()
    (run.session_dir("v004") / "session.json").write_text("{")
    told = evidence("check", run.path)
    assert told.exit_code == 1
    lines = told.stderr.splitlines()
    assert lines[:4] == [
        "c002: transcript.jsonl is missing",
        "v001: call.wav was changed: its SHA-256 is another",
        "v001: notes.txt is not in the session's list of evidence",
        "v003: session.json is missing: the attempt is under way, or its worker died",
    ]
    assert lines[4].startswith("v004: session.json is damaged")
    assert "3 sessions, 5 not whole" in told.stdout


def test_what_a_dead_worker_left_behind_is_no_damage(run):
    run.write_session(voice(3, Outcome.LOST))
    (run.session_dir("v003") / "call.wav").write_bytes(b"RIFF")
    assert evidence("check", run.path).exit_code == 0


def test_what_cannot_be_sent_is_named(run, tmp_path):
    (run.session_dir("c002") / "transcript.jsonl").unlink()
    told = evidence("push", run.path, "--url", f"file://{tmp_path}/store")
    assert told.exit_code == 1
    assert "transcript.jsonl is missing; nothing was sent" in told.stderr
    assert "2 were pending, 1 in trouble" in told.stdout


def test_no_credentials_is_one_sentence_and_bad_input(run, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    told = shopper("evidence", "push", run.path, "--url", "s3://bucket/c1")
    assert told.code == 2
    assert told.err == (
        "shopper: the evidence store has no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY not set"
        " (export them)\n"
    )
