"""The shape of the source tree, checked by ``make check``. Each failure names the file and what cures it."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("scenarios", "probes", "scoring", "results", "harness")
LIMIT, MEDIAN = 450, 200
VAGUE = re.compile(r"(utils?|commons?|helpers?|managers?|base)", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
PRIVATE_PATH = re.compile(r"(?<![\w.:/~-])/(home|root|work|Users)/[\w.]")
DOWNLOAD = re.compile(r"\w+://|git\+|\s@\s|(^|\s)-(i|f|-index-url|-extra-index-url|-find-links)\b", re.MULTILINE)
TEXT = {".py", ".yaml", ".toml", ".txt", ".md", ".js", ".css", ".html", ".j2", ".sh", ""}
SKIPPED = re.compile(r"(__pycache__|node_modules|runs|.*\.egg-info|\..+)")


def _modules() -> dict[str, list[str]]:
    """Returns the lines of each module of the five rooms by its path."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").splitlines() for path in paths}


def _texts() -> dict[str, str]:
    """Returns every text file of the project by its path; what runs and caches leave behind is not the project."""
    found, folders = {}, [ROOT, ROOT / ".ci"]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if SKIPPED.fullmatch(path.name):
                continue
            if path.is_dir():
                folders.append(path)
            elif path.suffix in TEXT:
                found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    return found


def test_rooms_are_there():
    rooms = {name.split("/")[0] for name in _modules()}
    assert rooms == set(ROOMS)


def test_modules_are_short():
    long = {name: len(lines) for name, lines in _modules().items() if len(lines) > LIMIT}
    assert not long, f"over {LIMIT} lines, split by noun: {long}"


def test_the_median_module_is_short():
    sizes = [len(lines) for name, lines in _modules().items() if not name.endswith("__init__.py")]
    assert median(sizes) <= MEDIAN


def test_modules_are_named_after_what_they_hold():
    names = {part for name in _modules() for part in Path(name).with_suffix("").parts}
    vague = sorted(name for name in names if VAGUE.fullmatch(name))
    assert not vague, f"name the noun instead: {vague}"


def test_nothing_is_left_unfinished():
    ours = Path(__file__).relative_to(ROOT).as_posix()
    found = [
        f"{name}:{number}"
        for name, text in _texts().items()
        if name.endswith(".py") and name != ours
        for number, line in enumerate(text.splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert not found, f"finish it, or open an issue: {found}"


def test_no_path_of_one_machine():
    found = [
        f"{name}:{number}"
        for name, text in _texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if PRIVATE_PATH.search(line)
    ]
    assert not found, f"absolute paths of somebody's machine: {found}"


def test_packages_come_by_name_only():
    for name in ("pyproject.toml", "constraints.txt", "constraints-chainlit.txt"):
        found = DOWNLOAD.search((ROOT / name).read_text(encoding="utf-8"))
        assert found is None, f"{name} holds a download address: {found and found[0]!r}"


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-chainlit.txt"])
def test_every_package_is_pinned(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line.strip() and not line.startswith("#")]
    loose = [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==\S+(\s*;.*)?", line)]
    assert pins, f"{name} is empty"
    assert not loose, f"pin as name==version: {loose}"
