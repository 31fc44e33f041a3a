"""Real calls to a centre whose recordings nobody has listed, on three kinds of wire: what the probes make of it.

Twenty calls a wire over all lines of the sandbox, through real SIP and RTP, compared with its truth log.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from harness import calibration
from harness.calibration import Pair
from harness.inputs import speech_cache
from harness.run import Request, probe
from harness.sandbox.centre import Centre
from harness.sandbox.impairment import Impairment
from probes.session import Outcome
from results.run_folder import RunFolder

WIRES: dict[str, Impairment | None] = {
    "clean": None,
    "10 dB SNR": Impairment(snr_db=10),
    "3 % loss, 40 ms jitter": Impairment(loss=0.03, jitter_ms=40),
}
TWENTY = (
    ("S01", "hotline-1", 3), ("S02", "hotline-1", 1), ("S01", "hotline-2", 1), ("S02", "hotline-2", 3),
    ("S01", "early-media", 2), ("S02", "busy", 1), ("S01", "silent", 1), ("S02", "drops", 3), ("S01", "call-back", 2),
    ("S02", "dead-end", 3),
)  # fmt: skip
INSTANTS = ("queue", "answer", "first_word")


@dataclass(frozen=True)
class Dialled:
    """A run and its sessions, each with the centre's own record, as the call and as the measuring pass heard them."""

    folder: RunFolder
    live: list[Pair]
    measured: list[Pair]


async def dial(
    folder: Path,
    calls: Sequence[tuple[str, str, int]],
    *,
    impairment: Impairment | None = None,
    hostile: bool = False,
    prompts: bool = False,
    seed: int = 1,
    at_once: int = 10,
    console: Console | None = None,
) -> Dialled:
    """Calls the sandbox as if it were a stranger's centre.

    Args:
        folder: for the centre and the run.
        calls: scenario, line, how often.
        impairment: what is wrong with the wire.
        hostile: whether its hostile lines are there.
        prompts: whether its recordings are listed.
        seed: of the centre: its agents, its waits.
        at_once: calls at the same time.
        console: where the progress is shown.
    """
    plan = _plan(folder, calls, seed, at_once)
    centre = Centre(
        folder / "centre", seed=seed, cache=speech_cache(), chat=False, hostile=hostile, prompts=prompts,
        impairment=impairment,
    )  # fmt: skip
    async with centre as target:
        done = await probe(Request(target, plan, folder / "runs", "zh"), console or Console(quiet=True))
    run = RunFolder.open(done.folder.path)
    return Dialled(run, calibration.pair(run.sessions(), centre.truth), calibration.pair(run.measured(), centre.truth))


def _plan(folder: Path, calls: Sequence[tuple[str, str, int]], seed: int, at_once: int) -> Path:
    plan = folder / "plan.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"scenario": s, "channel": "voice", "entry": line, "count": count} for s, line, count in calls]
    limits = {"ring_s": 15, "menu_s": 30, "queue_s": 90, "reply_s": 20, "session_s": 240}
    document = {
        "format": 1, "name": "strangers", "seed": seed, "limits": limits, "at_once": {"voice": at_once, "chat": 1},
        "attempts": rows,
    }  # fmt: skip
    with plan.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    return plan


@dataclass(frozen=True)
class Tally:
    """How many of a run's calls were right; ``errors`` are absolute, in seconds."""

    calls: int
    right: int
    wordless: int
    review: int
    wrong: tuple[str, ...]
    early: int
    errors: Mapping[str, Sequence[float]]


def tally(pairs: Sequence[Pair]) -> Tally:
    """Compares sessions with the truth."""
    right = wordless = review = early = 0
    wrong = []
    for pair in pairs:
        session, expected = pair.session, pair.outcome
        if not session.certain:
            review += 1
        elif session.outcome == expected:
            right += 1
        elif expected is Outcome.CALLBACK and session.outcome is Outcome.DROPPED and session.review:
            wordless += 1
        else:
            wrong.append(f"{session.attempt.id}: {session.outcome}, not {expected}")
        answered, agent = session.instants.answer, pair.first("agent")
        if session.certain and answered is not None:
            early += agent is None or session.anchor_monotonic + answered.t < agent["t_mono"] - 0.7
    sure = [pair for pair in pairs if pair.session.certain]
    errors: dict[str, list[float]] = {name: [] for name in INSTANTS}
    for error in calibration.instant_errors(sure):
        if not np.isnan(error.error_s):
            errors[error.instant].append(abs(error.error_s))
    return Tally(len(pairs), right, wordless, review, tuple(wrong), early, errors)


def table(tallies: Mapping[str, Tally]) -> Table:
    """Returns what is printed."""
    shown = Table(title="无录音清单的真实通话 / real calls without a prompt library", title_justify="left")
    columns = ("", "calls", "right", "no words", "review", "wrong", "early", *(f"t_{name}" for name in INSTANTS))
    for column in columns:
        shown.add_column(column, justify="right" if column else "left")
    for name, one in tallies.items():
        spread = [
            " / ".join(f"{np.percentile(one.errors[i], p):.3f}" for p in (50, 95)) if one.errors[i] else "–"
            for i in INSTANTS
        ]
        counts = [one.calls, one.right, one.wordless, one.review, len(one.wrong), one.early]
        shown.add_row(name, *map(str, counts), *spread)
    return shown


def measure_strangers(console: Console | None = None) -> dict[str, Tally]:
    """Calls on all three wires; live (``…, live``) and measured."""
    found: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory(prefix="strangers-") as place:
        for number, (name, impairment) in enumerate(WIRES.items()):
            folder = Path(place) / str(number)
            one = asyncio.run(dial(folder, TWENTY, impairment=impairment, seed=101 + number, console=console))
            found |= {f"{name}, live": tally(one.live), name: tally(one.measured)}
    return found


def main() -> None:
    """Prints the table, and what was wrong."""
    console = Console()
    found = measure_strangers()
    console.print(table(found))
    for name, one in found.items():
        for sentence in one.wrong:
            console.print(f"{name}: {sentence}", markup=False)


if __name__ == "__main__":
    main()
