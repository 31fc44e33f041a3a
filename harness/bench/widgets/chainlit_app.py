"""A Chainlit application with the talk that all widgets share behind Chainlit's own page.

The Python of Chainlit's own environment runs it (``harness/setup.sh test`` makes that), so nothing of ours may be
imported here that needs more than the standard library::

    CHAINLIT_PYTHON -m harness.bench.widgets.chainlit_app --port-file … --truth … --answers …
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from harness.bench.widgets.brain import Answers, Author, Brain
from harness.sandbox.processes import stopped
from harness.sandbox.truth import Truth

QUIET = {"TRACELOOP_TELEMETRY": "false", "OTEL_SDK_DISABLED": "true", "DO_NOT_TRACK": "1"}  # nobody is told anything
NAMES: dict[Author, str] = {"bot": "bot", "system": "desk", "agent": "1001"}


class MessageStage:
    """A page that is told through Chainlit's messages."""

    def __init__(self, message: Any) -> None:
        """``message`` is Chainlit's class."""
        self._message = message
        self._streamed: Any = None

    async def say(self, author: Author, text: str) -> None:
        """Shows a whole message."""
        kind = "system_message" if author == "system" else "assistant_message"
        await self._message(text, author=NAMES[author], type=kind).send()

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Shows one more token."""
        if first:
            self._streamed = self._message("", author=NAMES["bot"])
        await self._streamed.stream_token(token)
        if last:
            await self._streamed.send()

    async def typing(self) -> None:
        """The page shows by itself that it is being answered."""


async def serve(port_file: Path, truth: Truth, answers: Answers) -> None:
    """Serves until told to stop."""
    import chainlit  # type: ignore[import-not-found]  # reads the environment as it is imported
    import uvicorn  # type: ignore[import-not-found]
    from chainlit.server import app  # type: ignore[import-not-found]

    numbers = itertools.count(1)

    async def begin() -> None:
        spoken = chainlit.context.session.environ.get("HTTP_ACCEPT_LANGUAGE", "")
        lang = "en" if spoken.startswith("en") else "zh"
        brain = Brain(f"chainlit-{next(numbers):03d}", MessageStage(chainlit.Message), truth, answers, lang)
        chainlit.user_session.set("brain", brain)
        await brain.greet()

    async def hear(message: Any) -> None:
        await chainlit.user_session.get("brain").hear(message.content)

    chainlit.on_chat_start(begin)
    chainlit.on_message(hear)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.02)
    beside = port_file.with_suffix(".tmp")
    beside.write_text(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}/"}), encoding="utf-8")
    beside.replace(port_file)
    await stopped()
    server.should_exit = server.force_exit = True
    await serving


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.widgets.chainlit_app", description=__doc__)
    for name in ("--port-file", "--truth", "--answers"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chainlit-") as folder, Truth(options.truth) as truth:
        os.environ |= QUIET | {"CHAINLIT_APP_ROOT": folder}  # where it writes its settings
        answers = json.loads(options.answers.read_text(encoding="utf-8"))
        asyncio.run(serve(options.port_file, truth, answers))


if __name__ == "__main__":
    main()
