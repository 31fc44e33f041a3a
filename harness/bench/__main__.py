"""``make bench``: what a run costs and how well it measures, from one run on this machine.

Figures of a shared machine move; the load beside them says how much to trust them. Nothing here passes or fails. Name
parts to run only those; ``python -m harness.bench.chat`` (up to 40 sessions in a browser) and ``python -m
harness.bench.api_chat`` (a server that takes its time) measure more than the parts of that name do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness import calibration
from harness.bench import api_chat, capacity, chat, scoring
from harness.bench.dispatch import claim_to_dial, measure_dispatch
from harness.bench.hearing import measure_hearing
from harness.bench.ledger import measure_ledgers
from harness.bench.plan import SIZES, measure_planning
from harness.bench.rehearing import measure_rehearing
from results.run_folder import RunFolder


@dataclass
class Watched:
    """What the processes of one kind used: CPU seconds by process, and the largest proportional memory of each."""

    cpu: dict[int, float] = field(default_factory=dict)
    pss_mb: dict[int, float] = field(default_factory=dict)


@dataclass
class Quick:
    """One quick run."""

    seconds: float
    folder: RunFolder
    voice: Watched
    load: tuple[float, float]


def quick(runs: Path) -> Quick:
    """Runs the quick plan as a user does and watches its voice workers."""
    before, started = os.getloadavg()[0], time.monotonic()
    process = psutil.Popen(
        [sys.executable, "-m", "harness", "probe", "--runs", str(runs), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    voice = Watched()
    while process.poll() is None:
        for worker in process.children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                if "multiprocessing" not in " ".join(worker.cmdline()):
                    continue
                if "pjsua2" in Path(f"/proc/{worker.pid}/maps").read_text():
                    used = worker.cpu_times()
                    voice.cpu[worker.pid] = used.user + used.system
                    pss = worker.memory_full_info().pss / 1e6
                    voice.pss_mb[worker.pid] = max(pss, voice.pss_mb.get(worker.pid, 0.0))
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(timeout=1)
    seconds = time.monotonic() - started
    document = json.loads(process.stdout.read())
    return Quick(seconds, RunFolder.open(Path(document["folder"])), voice, (before, os.getloadavg()[0]))


def live_seconds(folder: RunFolder) -> float:
    """Returns the length of all calls together."""
    ends = [s.instants.end for s in folder.sessions() if s.attempt.channel == "voice"]
    return sum(end.t for end in ends if end is not None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the parts that are asked for, all by default, and prints."""
    names = "; ".join(f"{name}: {what}" for name, (what, _) in PARTS.items())
    parser = argparse.ArgumentParser(prog="python -m harness.bench", description=__doc__, epilog=f"Parts: {names}.")
    parser.add_argument("part", nargs="*", help="all by default, which takes more than five minutes")
    asked = parser.parse_args(arguments).part or list(PARTS)
    if unknown := [part for part in asked if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console()
    spinner = Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console)
    found: list[Table | str] = []
    with spinner:
        task = spinner.add_task("", total=None)
        for part in asked:
            what, measure = PARTS[part]
            spinner.update(task, description=f"{what} …")
            found += measure()
    for one in found:
        console.print(one)


def _probe() -> list[Table | str]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        run = quick(Path(folder))
        pairs = calibration.pair(run.folder.sessions(), run.folder.sandbox / "truth.jsonl")
        calls, delays = live_seconds(run.folder), claim_to_dial(run.folder)
    right = sum(pair.outcome == pair.session.outcome for pair in pairs)
    voice = [pair for pair in pairs if pair.session.attempt.channel == "voice"]
    errors = calibration.instant_errors(voice)
    answered = [e for e in errors if any(p.session.attempt.id == e.attempt and p.first("agent") for p in voice)]
    stamps = Table(title="时间戳误差 / time stamp error (probe − truth log), s", title_justify="left")
    for column in ("instant", "n", "missed", "p50", "p95", "max"):
        stamps.add_column(column, justify="left" if column == "instant" else "right")
    rows = {f"voice: t_{name}": [e for e in errors if e.instant == name] for name in ("queue", "answer", "first_word")}
    for name, group in (rows | {"chat: reply shown": calibration.reply_errors(pairs)}).items():
        described = calibration.describe(group)
        numbers = [f"{described[key]:.3f}" for key in ("p50", "p95", "max")]
        stamps.add_row(name, f"{described['n']:.0f}", f"{described['missed']:.0f}", *numbers)
    within = sum(abs(error.error_s) <= 0.5 for error in answered)
    words = f"outcomes right: {right} of {len(pairs)}; within 0.5 s: {within} of {len(answered)} instants"
    workers = max(1, len(run.voice.pss_mb))
    costs = _costs({
        "seconds of make probe (second run)": f"{run.seconds:.1f}",
        "CPU of a core per live call, worker's start-up included": f"{sum(run.voice.cpu.values()) / calls:.1%}",
        "PSS per call slot (4 a worker), MB": f"{sum(run.voice.pss_mb.values()) / workers / 4:.0f}",
        "from a claim to its INVITE or page load, p50 / p95, s":
            " / ".join(f"{np.percentile(delays, p):.2f}" for p in (50, 95)),
        "load average before and after make probe": f"{run.load[0]:.1f} / {run.load[1]:.1f}",
    })  # fmt: skip
    return [stamps, words, costs]


def _chats() -> list[Table | str]:
    rows = [("trace", chat.measure_chat(sessions) | {"load": os.getloadavg()[0]}) for sessions in (1, 20)]
    return [chat.table(rows), f"PSS of the empty browser: {rows[0][1]['browser_pss_mb']:.0f} MB"]


def _hearing() -> list[Table | str]:
    ear = measure_hearing()
    heard = [found.cpu_s / found.seconds * 3600 for found in measure_rehearing(4).values()]
    return [_costs({
        "hearing alone, CPU ms per second of audio": f"{ear['cpu_ms_per_s']:.1f}",
        "rehearing an hour of calls, CPU s, the least and the most of four wires":
            f"{min(heard):.0f} / {max(heard):.0f}",
    })]  # fmt: skip


def _capacity() -> list[Table | str]:
    held = capacity.measure_capacity()
    return [capacity.table(held), capacity.summary(held)]


def _ledger() -> list[Table | str]:
    growth, dispatch = _growth(measure_planning(), measure_ledgers()), measure_dispatch()
    words = f"{dispatch['cpu_ms']:.1f} / {dispatch['wall_ms']:.1f}"
    return [growth, _costs({"dispatch of a session without the session, CPU / elapsed, ms": words})]


def _scoring() -> list[Table | str]:
    scored = scoring.measure_scoring()
    return [scoring.table(scored), scoring.summary(scored)]


PARTS: dict[str, tuple[str, Callable[[], list[Table | str]]]] = {
    "probe": ("make probe: outcomes, instants, cost of a call", _probe),
    "chat": ("1 and 20 chats in one browser: stamps, memory, CPU", _chats),
    "api-chat": (
        "200 chats over HTTP beside Botium CLI",
        lambda: [api_chat.table(0.0, api_chat.measure_api_chat(0.0, rounds=2))],
    ),
    "hearing": ("hearing and rehearing", _hearing),
    "capacity": ("calls at once, three to four minutes", _capacity),
    "ledger": ("planning, ledgers of 1,000 to 100,000 attempts, dispatch", _ledger),
    "scoring": ("scoring 1,000,000 observations", _scoring),
}


def _costs(values: dict[str, str]) -> Table:
    costs = Table(title="花费 / cost", title_justify="left", show_header=False)
    for name, value in values.items():
        costs.add_row(name, value)
    return costs


def _growth(planning: dict[str, float], ledgers: dict[tuple[str, int], dict[str, float]]) -> Table:
    table = Table(title="规模 / growth", title_justify="left")
    for column in ("", *(f"{n:,}" for n in SIZES), f"{SIZES[-1]:,} : {SIZES[0]:,}"):
        table.add_column(column, justify="right" if column else "left")
    rows = {"planning so many attempts, s": [planning[f"seconds_{n}"] for n in SIZES]}
    for kind in ("SQLite", "PostgreSQL"):
        for name, words in (
            ("create_s", "so many attempts into the ledger, s"),
            ("claims_per_s", "claims a second with so many"),
            ("ends_per_s", "endings a second"),
            ("looks_per_s", "looks a second"),
        ):
            rows[f"{kind}: {words}"] = [ledgers[kind, n][name] for n in SIZES]
    for words, values in rows.items():
        numbers = [f"{value:.2f}" if value < 100 else f"{value:.0f}" for value in values]
        table.add_row(words, *numbers, f"{values[-1] / values[0]:.2f}")
    return table


if __name__ == "__main__":
    main()
