"""The proposed profile put to the test: a second session, by the real channel, of one turn."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.target import Chat
from scenarios.errors import ProbeFault
from scenarios.model import Lang

ECHO_S = 10.0
SURE = 0.9  # below that who spoke was told by nothing but order (probes/chat/speakers.py)


@dataclass(frozen=True)
class Proof:
    """What the second session showed."""

    opened: bool = False
    echo: str | None = None  # the author whom our message was shown under; None: it was not found
    speaker: str | None = None  # who answered; None: no answer was found
    answer: str = ""
    typing: bool = False
    fault: str = ""

    @property
    def whole(self) -> bool:
        """Whether opening, our message and the answer were found, each under its author."""
        return self.opened and self.echo == "user" and self.speaker in ("bot", "agent", "system") and not self.fault


async def prove(chat: Chat, profile: Path, browser: Browser, *, lang: Lang, text: str, reply_s: float = 20.0) -> Proof:
    """Opens the page with the profile, says ``text``, and tells what was found.

    Args:
        chat: the page.
        profile: the profile's file.
        browser: shared by the sessions of this process.
        lang: the browser's language.
        text: what is said.
        reply_s: how long the answer may take.

    Raises:
        TargetError: the profile is wrong.
    """
    clock = Clock()
    aim = chat.model_copy(update={"widget": profile.name, "record": ()})
    with TemporaryDirectory(prefix="learn-") as folder:
        channel = ChatChannel(
            aim, folder=Path(folder), browser=browser, clock=clock, lang=lang, profiles=profile.parent, echo_s=ECHO_S
        )
        opened, fault = False, ""
        speaker, answer, typing = None, "", False
        try:
            await channel.open(clock.anchor())
            opened = True
            await channel.say(text, line="learn")
            async with asyncio.timeout(reply_s):
                async for event in channel.events():
                    typing = typing or (event.kind == "typing" and event.data["on"])
                    if event.kind == "message" and not event.data["unasked"]:
                        sure = event.data["confidence"] >= SURE
                        speaker, answer = event.data["speaker"] if sure else "unknown", event.data["text"]
                        break
                    if event.kind == "notice" and event.data["role"] not in ("survey",):
                        speaker, answer = event.data["by"], event.data["text"]
        except ProbeFault as error:
            fault = str(error)
        except TimeoutError:
            pass
        finally:
            await channel.close()
        return Proof(opened, _echo(Path(folder) / "transcript.jsonl"), speaker, answer, typing, fault)


def _echo(transcript: Path) -> str | None:
    """Returns the author whom our message was shown under."""
    if not transcript.exists():
        return None
    rows = [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]
    return next((row["author"] for row in rows if row["what"] == "ours" and "author" in row), None)
