"""One widget's page as a process of its own: ``python -m harness.bench.widgets.serving --site NAME …``.

It writes ``{"url": ...}`` to the port file once it listens, and stops on SIGTERM or when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from harness.bench.widgets.bot_framework import BotFramework
from harness.bench.widgets.brain import Answers
from harness.bench.widgets.deep_chat import DeepChat
from harness.sandbox.chat import write_port_file
from harness.sandbox.processes import stopped
from harness.sandbox.truth import Truth


class Site(Protocol):
    """A page and what is behind it."""

    async def start(self) -> str:
        """Starts to listen and returns the page's URL."""

    async def stop(self) -> None:
        """Stops listening."""


SITES: dict[str, Callable[[Truth, Answers], Site]] = {"bot-framework": BotFramework, "deep-chat": DeepChat}


async def serve(name: str, port_file: Path, truth_file: Path, answers: Answers) -> None:
    """Runs one until it is told to stop."""
    with Truth(truth_file) as truth:
        site = SITES[name](truth, answers)
        write_port_file(port_file, {"url": await site.start()})
        await stopped()
        await site.stop()


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.widgets.serving", description=__doc__)
    parser.add_argument("--site", choices=sorted(SITES), required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    options = parser.parse_args()
    answers = json.loads(options.answers.read_text(encoding="utf-8"))
    asyncio.run(serve(options.site, options.port_file, options.truth, answers))


if __name__ == "__main__":
    main()
