"""A disk that is full or read-only: one sentence, nothing half written, and what was there is there still."""

from __future__ import annotations

import pytest

from results.evidence import check
from results.run_folder import RunFolder
from results.whole_file import write
from scenarios.errors import FolderUnwritable
from tests.session_factory import chat, fill, voice
from tests.small_disk import fill_up, read_only, small_disk


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 512) as place:
        yield place


@pytest.fixture
def run(disk):
    folder = RunFolder.create(disk, "r1")
    fill(folder, [chat(2)])
    return folder


def everything(folder):
    return {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def refused(work, *sentences):
    with pytest.raises(FolderUnwritable) as told:
        work()
    text = str(told.value)
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert "\n" not in text
    assert told.value.exit_code == 1


def test_full(disk, run):
    before = everything(run)
    ballast = fill_up(disk)
    old, new = next(run.sessions()), voice(1)
    refused(lambda: run.write_session(old), "session.json", "No space left", "free some space")
    refused(lambda: run.write_session(new), "v001", "No space left")
    refused(lambda: write(run.report, b"x" * 100_000), "report.html", "No space left")
    after = everything(run)
    assert after == before
    assert [session.attempt.id for session in run.sessions()] == ["c002"]
    ballast.unlink()
    run.write_session(new)
    assert [session.attempt.id for session in run.sessions()] == ["c002", "v001"]


def test_read_only(disk, run):
    before = everything(run)
    read_only(disk, True)
    refused(lambda: run.write_session(voice(1)), "v001", "Read-only file system", "choose another folder")
    refused(lambda: run.write_info(run.info()), "run.json", "Read-only file system")
    refused(lambda: RunFolder.create(disk, "r2"), "r2", "Read-only file system")
    assert everything(run) == before
    assert check(run) == []
    read_only(disk, False)
    run.write_session(voice(1))
    assert [session.attempt.id for session in run.sessions()] == ["c002", "v001"]


def test_a_folder_that_is_gone(tmp_path):
    refused(lambda: write(tmp_path / "gone" / "run.json", "{}"), "run.json", "No such file", "see that its folder")
