"""Chat: what a session costs and the error of its time stamps, against the sandbox centre's truth log.

``python -m harness.bench.chat`` holds 1, 5, 10, 20 and 40 chats in one browser, with Playwright's trace and without it
in turn, and prints the table. An error is the stamp minus the moment that the centre wrote down just before it sent, so
delivery and rendering are in it. ``arrived`` is the part of it that had passed when the frame reached the page; where
that is large it is the machine that is busy, not the page. All chats of a row write at the same moments.
"""

from __future__ import annotations

import argparse
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
import psutil
from rich.console import Console
from rich.table import Table

from harness.sandbox.truth import Truth
from probes.channel import Said
from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.session import Event
from probes.target import Chat, ChatRecord
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


def arrivals(visits: list[Visit], truth: list[dict[str, Any]]) -> list[float]:
    """Returns, in seconds, how long after its sending was written down each first or last word reached its page."""
    first = {row["text"]: row["session"] for row in reversed(truth) if row["event"] == "user_message"}
    found = []
    for seen in visits:
        wires = {
            (event.data["text"], which): event.data[name]
            for event in seen.events
            if event.kind == "message"
            for which, name in (("t", "wire"), ("end", "wire_end"))
        }
        for row in truth:
            if row["session"] == first[seen.said[0][0]] and FOUND_BY.get(row["event"], ("", ""))[0] == "message":
                wire = wires.get((row["text"], FOUND_BY[row["event"]][1]))
                found += [] if wire is None else [seen.start + wire - row["t_mono"]]
    return found


def _family() -> dict[str, list[psutil.Process]]:
    """Returns this process and those it started that belong to the browser, by what they are."""
    found: dict[str, list[psutil.Process]] = {"chromium": [], "driver": [], "ours": [psutil.Process()]}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            name = process.name()
            kind = "chromium" if "chrom" in name or "headless" in name else "driver" if "node" in name else None
            if kind is not None:
                found[kind].append(process)
    return found


def browser_memory() -> float:
    """Returns the proportional memory (PSS) in MB of the Chromium processes that descend from this one; Linux only."""
    total = 0.0
    for process in _family()["chromium"]:
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss / 2**20
    return total


def _cpu() -> dict[str, float]:
    """Returns CPU seconds so far, those of processes that have ended included."""
    found = {}
    for kind, processes in _family().items():
        found[kind] = 0.0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                used = process.cpu_times()
                found[kind] += used.user + used.system
                found[kind] += 0.0 if kind == "ours" else used.children_user + used.children_system
    return found


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


async def _measure(sessions: int, folder: Path, pace: float, record: tuple[ChatRecord, ...]) -> dict[str, float]:
    clock, browser, opened = Clock(), Browser(), asyncio.Barrier(sessions + 1)
    started = time.monotonic()
    async with centre(folder, pace=pace) as url:
        try:
            await (await browser.context(url, "zh")).close()
            empty = await asyncio.to_thread(browser_memory)
            chat = Chat(url=url, record=record)
            channels = [
                ChatChannel(chat, folder=folder / str(n), browser=browser, clock=clock, lang="zh")
                for n in range(sessions)
            ]
            before = await asyncio.to_thread(_cpu)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(visit(channel, clock, n, opened)) for n, channel in enumerate(channels)]
                await opened.wait()
                full = await asyncio.to_thread(browser_memory)
                opening = await asyncio.to_thread(_cpu)
                await opened.wait()
            after = await asyncio.to_thread(_cpu)
        finally:
            await browser.close()
    seconds = time.monotonic() - started
    visits, truth = [task.result() for task in tasks], Truth.read(folder / "truth.jsonl")
    errors, missed = compare(visits, truth)
    milliseconds = np.asarray(errors) * 1000
    p50, p95 = np.percentile(np.abs(milliseconds), [50, 95])
    arrived = np.abs(np.asarray(arrivals(visits, truth)) * 1000)
    return {
        "sessions": float(sessions),
        "stamps": float(len(errors)),
        "stamps_missed": float(missed),
        "stamp_error_p50_ms": float(p50),
        "stamp_error_p95_ms": float(p95),
        "stamp_error_max_ms": float(np.abs(milliseconds).max()),
        "browser_pss_mb": empty,
        "session_pss_mb": (full - empty) / sessions,
        "arrived_p50_ms": float(np.percentile(arrived, 50)),
        "arrived_p95_ms": float(np.percentile(arrived, 95)),
        "seconds": seconds,
        "opening_cpu_s": sum(opening[kind] - before[kind] for kind in before) / sessions,
        **{f"{kind}_cpu_s": (after[kind] - opening[kind]) / sessions for kind in before},
    }


def measure_chat(sessions: int, *, pace: float = 1.0, record: tuple[ChatRecord, ...] = ("trace",)) -> dict[str, float]:
    """Runs so many chats at once against the sandbox.

    Args:
        sessions: how many, at least 1.
        pace: below 1 the centre hurries (see :class:`harness.sandbox.chat.ChatCentre`).
        record: what is recorded besides transcript and screenshot.

    Returns:
        Stamp errors (ms, absolute: p50, p95, max) over ``stamps`` instants, and how much of it had passed when the
        frame arrived; instants the probe missed; proportional memory of the empty browser and of one more session
        (MB); CPU seconds a session to open, and then to talk and close, by who used them; the seconds all of it took.
    """
    with tempfile.TemporaryDirectory(prefix="bench-chat-") as folder:
        return asyncio.run(_measure(sessions, Path(folder), pace, record))


def table(rows: list[tuple[str, dict[str, float]]]) -> Table:
    """Returns the figures of several measurements, each with what was recorded and the load it ended under."""
    found = Table(title="一个浏览器里的会话 / chats in one browser", title_justify="left")
    columns = ("at once", "recorded", "stamps", "missed", "error p50 / p95 / max, ms", "arrived p50 / p95, ms")
    for column in (*columns, "MB each", "CPU s each: open", "talk and close (Chromium / driver / ours)", "load"):
        found.add_column(column, justify="left" if column == "recorded" else "right")
    for recorded, row in rows:
        found.add_row(
            f"{row['sessions']:.0f}", recorded, f"{row['stamps']:.0f}", f"{row['stamps_missed']:.0f}",
            " / ".join(f"{row[f'stamp_error_{p}_ms']:.1f}" for p in ("p50", "p95", "max")),
            f"{row['arrived_p50_ms']:.1f} / {row['arrived_p95_ms']:.1f}",
            f"{row['session_pss_mb']:.0f}", f"{row['opening_cpu_s']:.2f}",
            " / ".join(f"{row[f'{kind}_cpu_s']:.2f}" for kind in ("chromium", "driver", "ours")),
            f"{row['load']:.1f}",
        )  # fmt: skip
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.chat", description=__doc__)
    parser.add_argument("sessions", nargs="*", type=int, default=[1, 5, 10, 20, 40], help="how many at once")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pace", type=float, default=1.0, help="below 1 the centre hurries")
    asked = parser.parse_args()
    rows: list[tuple[str, dict[str, float]]] = []
    records: dict[str, tuple[ChatRecord, ...]] = {"trace": ("trace",), "nothing": ()}
    for _ in range(asked.rounds):
        for sessions in asked.sessions:
            for name, record in records.items():
                row = measure_chat(sessions, pace=asked.pace, record=record)
                rows.append((name, row | {"load": os.getloadavg()[0]}))
    Console(width=150).print(table(rows))
    Console().print(f"the empty browser: {rows[0][1]['browser_pss_mb']:.0f} MB")


if __name__ == "__main__":
    main()
