"""What ``make test`` does once more, and what it may not let pass (``tests/again.py``)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conventions import ROOT

TESTS = """
import os
from pathlib import Path

import pytest

def once(name):
    place = Path(name)
    done = place.exists()
    place.touch()
    return done

def test_good(): once("good was here")

def test_better_the_second_time(): assert once("tried")

def test_dies_the_first_time():
    if not once("died"):
        os._exit(1)

def test_bad(): assert False

@pytest.fixture
def spoiled():
    yield
    raise OSError

def test_bad_at_its_end(spoiled): pass
"""


def tried(folder: Path, *options: str) -> tuple[int, set[str]]:
    """Runs the tests of ``folder``; returns the exit code and which tests have passed by then."""
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--passed=passed", *options, "."]
    done = subprocess.run(command, cwd=folder, env=variables, check=False, capture_output=True, timeout=60)
    return done.returncode, {line.rpartition("::")[2] for line in (folder / "passed").read_text().split("\n")}


def test_only_what_has_passed_is_left_out_and_what_fails_twice_has_failed(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_addoption, pytest_configure\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    code, passed = tried(tmp_path, "-n", "1", "--max-worker-restart", "0")
    assert code != 0
    assert passed == {"test_good"}
    (tmp_path / "good was here").unlink()
    code, passed = tried(tmp_path)
    assert code != 0
    assert passed == {"test_good", "test_better_the_second_time", "test_dies_the_first_time"}
    assert not (tmp_path / "good was here").exists(), "what has passed is not done again"
    (tmp_path / "test_some.py").write_text(
        TESTS.replace("assert False", "assert True").replace("raise OSError", "return")
    )
    assert tried(tmp_path)[0] == 0
