"""The pages that sessions are held on: each a process of its own, its truth log beside it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from harness.bench.chat import centre
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.processes import ROOT, Child
from scenarios.errors import ToolMissing

CHAINLIT = ROOT / ".cache" / "chainlit" / "bin" / "python"


@dataclass(frozen=True)
class Page:
    """One page: the profile that reads it, the module that serves it, and what follows its URL."""

    widget: str
    module: str = "harness.bench.widgets.serving"
    query: str = ""


PAGES = {
    "sandbox": Page("sandbox", "harness.sandbox.chat"),
    "bot-framework": Page("bot-framework"),
    "deep-chat": Page("deep-chat"),
    "deep-chat events": Page("deep-chat", query="?via=events"),
    "deep-chat requests": Page("deep-chat", query="?via=requests"),
    "chainlit": Page("chainlit", "harness.bench.widgets.chainlit_app"),
}


@contextlib.asynccontextmanager
async def served(name: str, folder: Path, *, pace: float = 1.0) -> AsyncIterator[str]:
    """Serves the page ``name`` and yields its URL; what it really did is in ``folder/truth.jsonl``.

    Args:
        name: of :data:`PAGES`.
        folder: where the truth goes.
        pace: below 1 the sandbox hurries.

    Raises:
        ToolMissing: Chainlit has not been installed.
        HarnessFault: it did not start.
    """
    page = PAGES[name]
    if name == "sandbox":
        async with centre(folder, pace=pace) as url:
            yield url
        return
    python = CHAINLIT if name == "chainlit" else Path(sys.executable)
    if not python.exists():
        raise ToolMissing("Chainlit is not installed; run sh harness/setup.sh test")
    answers = folder / "answers.json"
    answers.write_text(json.dumps(_answers(), ensure_ascii=False), encoding="utf-8")
    arguments = ["--truth", str(folder / "truth.jsonl"), "--answers", str(answers)]
    if page.module.endswith("serving"):
        arguments += ["--site", page.widget]
    child = Child(page.module, folder / "port.json", arguments, folder / "page.log", python)
    url = (await child.start(60))["url"]
    try:
        yield url + page.query
    finally:
        await child.stop()


def _answers() -> list[tuple[list[str], str]]:
    """Returns what the sandbox bank knows, as the brain takes it."""
    subjects = Knowledge.load().root.values()
    both = [answer for subject in subjects for answer in subject.answers.values()]
    zh = [(list(answer.keywords.zh), answer.in_("zh")) for answer in both]
    return zh + [(list(answer.keywords.en), answer.in_("en")) for answer in both]
