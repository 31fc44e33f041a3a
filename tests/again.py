"""``--passed FILE``: the tests listed there are left out, and those that pass are added.

With it ``make test`` does once more, one by one, what has not passed: a call or a chat that failed while the machine
stood still for a second, and what a crashed process has left undone. What fails again, fails.
"""

from __future__ import annotations

from pathlib import Path

import pytest


class Passed:
    """Keeps the list. Of many processes the one that reports writes it."""

    def __init__(self, path: Path, *, reports: bool) -> None:
        self._path, self._reports = path, reports
        self._before = frozenset(path.read_text(encoding="utf-8").split("\n")) if path.exists() else frozenset()
        self._passed: set[str] = set()
        self._failed: set[str] = set()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leaves out what has passed before."""
        left_out = [item for item in items if item.nodeid in self._before]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item.nodeid not in self._before]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes how each of a test's three phases went."""
        if report.failed:
            self._failed.add(report.nodeid)
        elif report.when == "teardown":
            self._passed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Writes the list."""
        if self._reports:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("\n".join(sorted(self._before | (self._passed - self._failed))), encoding="utf-8")
