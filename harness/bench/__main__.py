"""``make bench``: what a run costs and how well it measures, from one run on this machine.

Figures of a shared machine move; the load beside them says how much to trust them. Nothing here passes or fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness import calibration
from harness.bench import capacity, scoring
from harness.bench.chat import measure_chat
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


def main() -> None:
    """Measures and prints."""
    console = Console()
    spinner = Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, spinner:
        task = spinner.add_task("make probe …", total=None)
        run = quick(Path(folder))
        pairs = calibration.pair(run.folder.sessions(), run.folder.sandbox / "truth.jsonl")
        calls = live_seconds(run.folder)
        spinner.update(task, description="eight chats …")
        chat = measure_chat(8)
        spinner.update(task, description="hearing …")
        ear = measure_hearing()
        delays = claim_to_dial(run.folder)
        spinner.update(task, description="rehearing …")
        rehear = [found.cpu_s / found.seconds * 3600 for found in measure_rehearing(4).values()]
        spinner.update(task, description="calls at once, three to four minutes …")
        held = capacity.measure_capacity()
        spinner.update(task, description="planning 100,000 attempts …")
        planning = measure_planning()
        spinner.update(task, description="ledgers of 1,000 to 100,000 attempts …")
        ledgers = measure_ledgers()
        dispatch = measure_dispatch()
        spinner.update(task, description="scoring 1,000,000 observations …")
        scored = scoring.measure_scoring()
    right = sum(pair.outcome == pair.session.outcome for pair in pairs)
    voice = [pair for pair in pairs if pair.session.attempt.channel == "voice"]
    errors = calibration.instant_errors(voice)
    answered = [e for e in errors if any(p.session.attempt.id == e.attempt and p.first("agent") for p in voice)]

    stamps = Table(title="时间戳误差 / time stamp error (probe − truth log), s", title_justify="left")
    for column in ("instant", "n", "missed", "p50", "p95", "max"):
        stamps.add_column(column, justify="left" if column == "instant" else "right")
    rows = {f"voice: t_{name}": [e for e in errors if e.instant == name] for name in ("queue", "answer", "first_word")}
    for name, group in (rows | {"chat: reply shown": calibration.reply_errors(pairs)}).items():
        found = calibration.describe(group)
        numbers = [f"{found[key]:.3f}" for key in ("p50", "p95", "max")]
        stamps.add_row(name, f"{found['n']:.0f}", f"{found['missed']:.0f}", *numbers)
    console.print(stamps)
    within = sum(abs(error.error_s) <= 0.5 for error in answered)
    console.print(f"outcomes right: {right} of {len(pairs)}; within 0.5 s: {within} of {len(answered)} instants")

    costs = Table(title="花费 / cost", title_justify="left", show_header=False)
    workers = max(1, len(run.voice.pss_mb))
    for name, value in (
        ("seconds of make probe (second run)", f"{run.seconds:.1f}"),
        ("CPU of a core per live call, worker's start-up included", f"{sum(run.voice.cpu.values()) / calls:.1%}"),
        ("hearing alone, CPU ms per second of audio", f"{ear['cpu_ms_per_s']:.1f}"),
        ("rehearing an hour of calls, CPU s, the least and the most of four wires",
         f"{min(rehear):.0f} / {max(rehear):.0f}"),
        ("PSS per call slot (4 a worker), MB", f"{sum(run.voice.pss_mb.values()) / workers / 4:.0f}"),
        ("PSS of one more chat session in the browser, MB", f"{chat['session_pss_mb']:.0f}"),
        ("PSS of the empty browser, MB", f"{chat['browser_pss_mb']:.0f}"),
        ("eight chats alone, stamp error p50 / p95 / max, ms",
         " / ".join(f"{chat[f'stamp_error_{p}_ms']:.1f}" for p in ("p50", "p95", "max"))),
        ("from a claim to its INVITE or page load, p50 / p95, s",
         " / ".join(f"{np.percentile(delays, p):.2f}" for p in (50, 95))),
        ("dispatch of a session without the session, CPU / elapsed, ms",
         f"{dispatch['cpu_ms']:.1f} / {dispatch['wall_ms']:.1f}"),
        ("load average before and after make probe", f"{run.load[0]:.1f} / {run.load[1]:.1f}"),
    ):  # fmt: skip
        costs.add_row(name, value)
    console.print(costs)
    console.print(capacity.table(held))
    console.print(capacity.summary(held))
    console.print(_growth(planning, ledgers))
    console.print(scoring.table(scored))
    console.print(scoring.summary(scored))


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
