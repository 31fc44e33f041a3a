"""In continuous integration a skipped test is a failed one: the machine can have all that the tests need.

Fixtures of the tests that hold chats: ``loop``, ``browser``, ``visit``, ``transcript``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.again import Passed

if TYPE_CHECKING:
    from probes.chat.browser import Browser

# How long an example takes says more of the machine's neighbours than of us.
settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="SHOPPER_NO_SKIPS" in os.environ,  # there, the same commit gets the same verdict
)
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--passed", type=Path, help="leave out the tests listed in this file, and add those that pass")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--passed"):
        config.pluginmanager.register(Passed(path, reports=not hasattr(config, "workerinput")), "passed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if report.skipped and os.environ.get("SHOPPER_NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped, which is not allowed here: {report.longrepr}"
    return report


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for the module, so that its sessions can share one browser."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def browser(loop: asyncio.Runner) -> Iterator[Browser]:
    """One browser for the module."""
    from probes.chat.browser import Browser

    shared = Browser()
    yield shared
    loop.run(shared.close())


@pytest.fixture
def visit(loop: asyncio.Runner, browser: Browser, tmp_path: Path) -> Callable[..., Any]:
    """Returns ``visit(case, script, ...)``: one session with the torture page, in ``tmp_path / "s"``."""
    from tests import torture_visits

    def one(case: str, script: Callable[..., Any], **options: Any) -> Any:
        used = options.pop("browser", browser)
        return loop.run(torture_visits.visit(used, tmp_path, case, script, **options))

    return one


@pytest.fixture
def transcript(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Returns ``transcript(what)``: the rows of that sort of the session that was visited."""

    def rows(what: str) -> list[dict[str, Any]]:
        text = (tmp_path / "s" / "transcript.jsonl").read_text(encoding="utf-8")
        return [row for row in map(json.loads, text.splitlines()) if row["what"] == what]

    return rows
