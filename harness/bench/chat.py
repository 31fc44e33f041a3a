"""Chat: memory of a session and the error of its time stamps, against the sandbox centre's truth log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.sandbox.truth import Truth
from probes.channel import Said
from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.session import Event
from probes.target import Chat
from scenarios.errors import HarnessFault

# Whose message is awaited before each line is said.
ERRAND = (
    ("bot", "第{n}位：手机银行一天最多能转多少？"),
    ("bot", "转人工"),
    ("agent", "转到别的银行多久到账？"),
    ("agent", "谢谢，再见"),
)
FOUND_BY = {  # truth event -> how the probe tells it: event kind, time
    "bot_first_token": ("message", "t"),
    "bot_last_token": ("message", "end"),
    "agent_message": ("message", "t"),
    "position": ("notice", "t"),
    "joined": ("notice", "t"),
    "end": ("notice", "t"),
    "user_message": ("said", "t"),
}


@dataclass
class Visit:
    """What one channel saw of one chat. Times are monotonic seconds."""

    said: list[tuple[str, Said]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    start: float = 0.0

    def times(self) -> Iterable[tuple[str, str, str, float]]:
        """Yields (kind, text, which time, monotonic seconds) of everything that can be compared with the truth."""
        for text, said in self.said:
            yield "said", text, "t", self.start + said.start
        for event in self.events:
            if event.kind in ("message", "notice"):
                yield event.kind, event.data["text"], "t", self.start + event.t
            if event.kind == "message":
                yield "message", event.data["text"], "end", self.start + event.data["end"]


async def visit(channel: ChatChannel, clock: Clock, number: int, opened: asyncio.Barrier | None = None) -> Visit:
    """Runs :data:`ERRAND` over a channel and closes it; with ``opened``, all begin when all are open."""
    anchor = clock.anchor()
    seen = Visit(start=anchor.monotonic)
    lines = list(ERRAND)
    try:
        await channel.open(anchor)
        if opened is not None:
            await opened.wait()
            await opened.wait()  # in between the memory is measured
        async for event in channel.events():
            seen.events.append(event)
            if event.kind == "message" and lines and event.data["speaker"] == lines[0][0]:
                text = lines.pop(0)[1].format(n=number)
                seen.said.append((text, await channel.say(text, line=f"line-{len(lines)}")))
    finally:
        await channel.close()
    return seen


def compare(visits: list[Visit], truth: list[dict[str, Any]]) -> tuple[list[float], int]:
    """Pairs each visit with the centre's session by its first words.

    Returns:
        Errors in seconds, probe minus truth (delivery and rendering included), and how many instants of the truth the
        probe did not find.
    """
    first = {row["text"]: row["session"] for row in reversed(truth) if row["event"] == "user_message"}
    errors, missed = [], 0
    for seen in visits:
        session = first[seen.said[0][0]]
        times: dict[tuple[str, str, str], list[float]] = {}
        for kind, text, which, t in seen.times():
            times.setdefault((kind, text, which), []).append(t)
        for row in truth:
            if row["session"] == session and row["event"] in FOUND_BY:
                kind, which = FOUND_BY[row["event"]]
                found = times.get((kind, row["text"], which))
                if found:
                    errors.append(found.pop(0) - row["t_mono"])
                else:
                    missed += 1
    return errors, missed


def browser_memory() -> float:
    """Returns the proportional memory (PSS) in MB of the Chromium processes that descend from this one; Linux only."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    total = 0.0
    for pid in parents:
        ancestor = pid
        while ancestor in parents and ancestor != os.getpid():
            ancestor = parents[ancestor]
        with contextlib.suppress(OSError):
            if ancestor == os.getpid() and b"chrom" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0]) / 1024
    return total


@contextlib.asynccontextmanager
async def centre(folder: Path, *, seed: int = 1, pace: float = 1.0) -> AsyncIterator[str]:
    """Runs the sandbox's chat as a process of its own and yields its URL; the truth log is ``folder/truth.jsonl``."""
    port = folder / "chat.json"
    command = [sys.executable, "-m", "harness.sandbox.chat", "--port-file", str(port), "--seed", str(seed)]
    command += ["--truth", str(folder / "truth.jsonl"), "--pace", str(pace)]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
    try:
        async with asyncio.timeout(30):
            while not port.exists():
                if process.returncode is not None:
                    raise HarnessFault("the sandbox's chat did not start")
                await asyncio.sleep(0.02)
        yield json.loads(port.read_text(encoding="utf-8"))["url"]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def _measure(sessions: int, folder: Path, pace: float) -> dict[str, float]:
    clock, browser, opened = Clock(), Browser(), asyncio.Barrier(sessions + 1)
    started = time.monotonic()
    async with centre(folder, pace=pace) as url:
        try:
            await (await browser.context(url, "zh")).close()
            empty = await asyncio.to_thread(browser_memory)
            channels = [
                ChatChannel(Chat(url=url), folder=folder / str(n), browser=browser, clock=clock, lang="zh")
                for n in range(sessions)
            ]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(visit(channel, clock, n, opened)) for n, channel in enumerate(channels)]
                await opened.wait()
                full = await asyncio.to_thread(browser_memory)
                await opened.wait()
        finally:
            await browser.close()
    seconds = time.monotonic() - started
    errors, missed = compare([task.result() for task in tasks], Truth.read(folder / "truth.jsonl"))
    milliseconds = np.asarray(errors) * 1000
    p50, p95 = np.percentile(np.abs(milliseconds), [50, 95])
    return {
        "sessions": float(sessions),
        "stamps": float(len(errors)),
        "stamps_missed": float(missed),
        "stamp_error_p50_ms": float(p50),
        "stamp_error_p95_ms": float(p95),
        "stamp_error_max_ms": float(np.abs(milliseconds).max()),
        "browser_pss_mb": empty,
        "session_pss_mb": (full - empty) / sessions,
        "seconds": seconds,
    }


def measure_chat(sessions: int, *, pace: float = 1.0) -> dict[str, float]:
    """Runs so many chats at once against the sandbox.

    Args:
        sessions: how many, at least 1.
        pace: below 1 the centre hurries (see :class:`harness.sandbox.chat.ChatCentre`).

    Returns:
        Stamp errors (ms, absolute: p50, p95, max) over ``stamps`` instants, instants the probe missed, proportional
        memory of the empty browser and of one more session (MB), and the seconds all of it took.
    """
    with tempfile.TemporaryDirectory(prefix="bench-chat-") as folder:
        return asyncio.run(_measure(sessions, Path(folder), pace))
