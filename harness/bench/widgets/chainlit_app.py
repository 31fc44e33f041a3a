"""A Chainlit application, run by the Python of Chainlit's own environment (``harness/setup.sh test`` makes it)::

    CHAINLIT_PYTHON -m harness.bench.widgets.chainlit_app --port-file … --truth … --answers …

Chainlit serves its own page; the talk is the one that all widgets share.
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

SETTINGS = {  # nothing is reported to anybody, and nothing is written beside the caller's files
    "TRACELOOP_TELEMETRY": "false",
    "OTEL_SDK_DISABLED": "true",
    "DO_NOT_TRACK": "1",
}


class ChainlitStage:
    """A page that is told through Chainlit's messages."""

    NAMES = {"bot": "智能助手", "system": "系统", "agent": "客服1001"}

    def __init__(self) -> None:
        self._streamed = None

    async def say(self, author: str, text: str) -> None:
        """Shows a whole message."""
        kind = "system_message" if author == "system" else "assistant_message"
        await chainlit.Message(text, author=self.NAMES[author], type=kind).send()

    async def stream(self, so_far: str, token: str, *, first: bool, last: bool) -> None:
        """Shows one more token."""
        if first:
            self._streamed = chainlit.Message("", author=self.NAMES["bot"])
        await self._streamed.stream_token(token)
        if last:
            await self._streamed.send()

    async def typing(self) -> None:
        """The page shows by itself that an answer is being made."""


def serve(port_file: Path, truth_file: Path, answers: list) -> None:
    """Runs until it is told to stop."""
    numbers = itertools.count(1)
    truth = Truth(truth_file)

    @chainlit.on_chat_start
    async def begin() -> None:
        brain = Brain(f"chainlit-{next(numbers):03d}", ChainlitStage(), truth, answers, "zh")
        chainlit.user_session.set("brain", brain)
        await brain.greet()

    @chainlit.on_message
    async def hear(message: chainlit.Message) -> None:
        await chainlit.user_session.get("brain").hear(message.content)

    async def run() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.02)
        port_file.write_text(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}/"}))
        await stopped()
        server.should_exit = True
        server.force_exit = True
        await serving

    asyncio.run(run())
    truth.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port-file", "truth", "answers"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chainlit-") as folder:
        os.environ |= SETTINGS | {"CHAINLIT_APP_ROOT": folder}
        import chainlit
        import uvicorn
        from chainlit.server import app

        from harness.bench.widgets.brain import Brain
        from harness.sandbox.processes import stopped
        from harness.sandbox.truth import Truth

        serve(options.port_file, options.truth, json.loads(options.answers.read_text()))
