"""The run folder: whole files, a checked reading, and nothing outside it."""

from pathlib import Path

import pandas as pd
import pytest

from probes.session import Evidence
from results.observe import table
from results.run_folder import RunFolder
from results.whole_file import write
from scenarios.errors import FolderUnwritable, RunError
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorer import score
from tests.session_factory import a_run, fill, voice


def test_what_is_written_is_read_back(tmp_path):
    folder = RunFolder.create(tmp_path, "2026-11-20-1")
    fill(folder, a_run())
    again = RunFolder.open(folder.path)
    assert [s.attempt.id for s in again.sessions()] == sorted(s.attempt.id for s in a_run())
    assert again.info().plan == "quick"
    rows = table(again.sessions())
    again.write_observations(rows)
    pd.testing.assert_frame_equal(again.read_observations(), rows)
    metrics = compute(rows)
    again.write_metrics(metrics)
    assert again.read_metrics() == metrics
    card = score(metrics, load_scheme("CMM-525-0005"))
    again.write_scorecard(card)
    assert again.read_scorecard() == card


def test_metrics_from_the_file_equal_metrics_from_the_sessions(tmp_path):
    folder = RunFolder.create(tmp_path, "r")
    rows = table(a_run())
    folder.write_observations(rows)
    assert compute(folder.read_observations()) == compute(rows)


def test_an_existing_run_is_never_overwritten(tmp_path):
    RunFolder.create(tmp_path, "r")
    with pytest.raises(RunError, match="exists"):
        RunFolder.create(tmp_path, "r")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b", "x" * 101, "..", "a\n"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(RunError):
        RunFolder.create(tmp_path, name)
    with pytest.raises(RunError):
        RunFolder.create(tmp_path, "ok" + str(len(name))).session_dir(name)


def test_evidence_cannot_point_outside(tmp_path):
    folder = RunFolder.create(tmp_path, "r")
    session = voice()
    outside = Evidence(name="../../../secret", kind="log", sha256="0", bytes=1)
    with pytest.raises(RunError, match="outside"):
        folder.evidence(session, outside)


def test_no_run_there(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        RunFolder.open(tmp_path / "nothing")


@pytest.mark.parametrize("damage", [b"{", b"", b'{"format": 2}', b"\xff\xfe"])
def test_a_damaged_session_is_noticed(tmp_path, damage):
    folder = RunFolder.create(tmp_path, "r")
    folder.write_session(voice()).write_bytes(damage)
    with pytest.raises(RunError, match=r"session\.json"):
        list(folder.sessions())


def test_a_session_in_the_wrong_folder_is_noticed(tmp_path):
    folder = RunFolder.create(tmp_path, "r")
    folder.write_session(voice(1))
    folder.session_dir("v001").rename(folder.session_dir("v002"))
    with pytest.raises(RunError, match="wrong folder"):
        list(folder.sessions())


@pytest.mark.parametrize(
    ("column", "value"), [("outcome", "FINE"), ("channel", "fax"), ("answered", "maybe"), ("wait_s", "soon")]
)
def test_a_damaged_table_is_noticed(tmp_path, column, value):
    folder = RunFolder.create(tmp_path, "r")
    rows = table([voice(1), voice(2)]).astype("object")
    rows.loc[0, column] = value
    rows.to_csv(folder.observations, index=False)
    with pytest.raises(RunError, match="observations"):
        folder.read_observations()


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    file = write(tmp_path / "a.json", "old")

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(FolderUnwritable, match="disk full"):
        write(file, "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_documented_layout_is_the_real_one(tmp_path):
    folder = RunFolder.create(tmp_path, "r")
    words = Path(__file__).parent.parent.joinpath("docs", "run-folder.md").read_text("utf-8")
    names = [path.name for key, path in vars(folder).items() if key != "path"]
    assert len(names) == 14
    assert [name for name in names if name not in words] == []
