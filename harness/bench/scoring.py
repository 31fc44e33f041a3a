"""Scoring: 1,000,000 observations to the scorecards of all schemes, in seconds and in memory, each size in a process of
its own. Beside it a plain pandas groupby of the same columns: what it costs merely to look at them once."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from scoring.metrics import compute
from scoring.observations import COLUMNS, FORMAT
from scoring.scheme import load_scheme, schemes
from scoring.scorer import score

SIZES = (10_000, 100_000, 1_000_000)
LIMIT_S = 180.0
PER_RUN = 25_000
FATES = {  # outcome -> share of the calls, share of the chats, why
    "ANSWERED": (0.70, 0.62, ""),
    "LIMIT": (0.07, 0.03, "180 s in the queue"),
    "DROPPED": (0.03, 0.02, "the far end hung up"),
    "CALLBACK": (0.02, 0.01, "a call-back was offered"),
    "IVR_SERVED": (0.09, 0.26, ""),
    "IVR_FAIL": (0.03, 0.02, "no way to a human"),
    "NET_FAIL": (0.02, 0.01, "486 Busy Here"),
    "BLOCKED": (0.01, 0.01, "outside the hours"),
    "MISSED": (0.01, 0.01, "the window was over"),
    "INVALID": (0.01, 0.005, "no audio of ours left"),
    "LOST": (0.01, 0.005, "the worker died"),
}
READ = ("setup_s", "wait_s", "wait_u_s", "wait_request_s", "wait_first_word_s", "in_queue_s", "queue_limit_s", "talk_s",
        "first_response_s", "handoff_s", "reply_p50_s", "transfers", "facts_right", "facts_wrong", "facts_unknown",
        "asked_human", "queued", "certain", "needs_review")  # fmt: skip


def observations(n: int, seed: int = 1) -> pd.DataFrame:
    """Returns ``n`` observations as a probe writes them: seven calls to three chats, times in whole microseconds."""
    rng = np.random.default_rng(seed)
    voice = rng.random(n) < 0.7
    names = np.array(list(FATES))
    calls, chats = (np.cumsum([share[which] for share in FATES.values()]) for which in (0, 1))
    drawn = rng.random(n)
    fate = np.where(voice, np.searchsorted(calls, drawn), np.searchsorted(chats, drawn)).clip(max=len(FATES) - 1)
    outcome = names[fate]
    answered = outcome == "ANSWERED"
    cut = np.isin(outcome, ["LIMIT", "DROPPED", "CALLBACK"])
    queued = answered | cut
    reached = queued | np.isin(outcome, ["IVR_SERVED", "IVR_FAIL"])

    def only(where: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.where(where, values.round(6), np.nan)

    wait = np.where(rng.random(n) < 0.6, rng.gamma(4.0, 0.6, n), rng.exponential(25.0, n)).clip(0.05, LIMIT_S)
    request, word, talk = 8 + rng.exponential(6, n), rng.gamma(3, 0.5, n), rng.lognormal(4.5, 0.6, n)
    queue = request + rng.uniform(0.5, 3, n)
    unknown = rng.random(n) < 0.02
    facts = rng.integers(1, 5, n).astype(float)
    right = np.floor(facts * rng.beta(8, 1.5, n))
    review = rng.random(n) < 0.03
    number = np.arange(n)
    made: dict[str, object] = {
        "run": pd.Series(number // PER_RUN).map("r{:04d}".format),
        "attempt": pd.Series(number).map("a{:07d}".format),
        "scenario": rng.choice([f"S{k:02d}" for k in range(1, 13)], n),
        "channel": np.where(voice, "voice", "chat"),
        "entry": np.where(voice, "main", "web"),
        "started_utc": pd.Series(pd.Timestamp("2026-01-01") + pd.to_timedelta(number * 30, unit="s")).dt.strftime(
            "%Y-%m-%dT%H:%M:%S+00:00"
        ),
        "outcome": outcome,
        "reason": np.array([why for *_, why in FATES.values()])[fate],
        "asked_human": queued | (outcome == "IVR_FAIL"),
        "queued": queued,
        "answered": answered,
        "queue_limit_s": np.full(n, LIMIT_S),
        "setup_s": only(reached, rng.gamma(3, 0.4, n)),
        "t_request_s": only(queued, request),
        "t_queue_s": only(queued, queue),
        "t_answer_s": only(answered, queue + wait),
        "t_first_word_s": only(answered, queue + wait + word),
        "t_end_s": only(reached, queue + np.where(queued, wait, 0) + talk),
        "wait_s": only(answered & ~unknown, wait),
        "wait_u_s": np.where(answered & ~unknown, np.hypot(0.02, rng.choice([0.05, 0.15, 0.5], n)), np.nan),
        "wait_request_s": only(answered & ~unknown, queue + wait - request),
        "wait_first_word_s": only(answered & ~unknown, wait + word),
        "in_queue_s": only(cut, np.where(outcome == "LIMIT", LIMIT_S + rng.exponential(0.05, n), wait)),
        "talk_s": only(answered, talk),
        "first_response_s": only(~voice & reached, rng.gamma(2, 0.8, n)),
        "handoff_s": only(~voice & answered & ~unknown, queue + wait - request),
        "reply_p50_s": only(reached, rng.gamma(4, 0.5, n)),
        "transfers": np.where(answered, (rng.random(n) < 0.08).astype(float), np.nan),
        "resolution": np.where(unknown, "unknown", np.where(rng.random(n) < 0.85, "resolved", "not_resolved")),
        "resolved_by": np.where(answered, "agent", np.where(outcome == "IVR_SERVED", "ivr", "none")),
        "facts_expected": facts,
        "facts_right": right,
        "facts_wrong": np.minimum(facts - right, 1.0),
        "facts_unknown": np.maximum(facts - right - 1, 0.0),
        "certain": rng.random(n) > 0.01,
        "needs_review": review,
        "review": np.where(review, "was it a person?", ""),
        "format": np.full(n, FORMAT),
    }
    return pd.DataFrame({column.name: pd.Series(made.pop(column.name)).astype(column.dtype) for column in COLUMNS})


def measure(n: int) -> dict[str, float]:
    """Scores ``n`` observations in this process.

    Returns:
        ``metrics_s`` from the table to the metrics, ``cards_s`` from there to all scorecards, ``schemes``, ``groupby_s``
        of the plain groupby, ``ratio`` of all to it, and in MB ``before_mb`` and ``peak_mb`` (most that this process ever
        held in memory, before and after the scoring), ``table_mb`` and ``json_mb`` (of metrics.json).
    """
    table = observations(n)
    found: dict[str, float] = {"before_mb": _peak_mb()}
    began = time.perf_counter()
    metrics = compute(table)
    measured = time.perf_counter()
    cards = [score(metrics, load_scheme(id_)) for id_ in schemes()]
    scored = time.perf_counter()
    found["peak_mb"] = _peak_mb()
    table.groupby(["channel", "outcome"])[list(READ)].agg(["count", "mean"])
    grouped = time.perf_counter()
    return found | {
        "metrics_s": measured - began, "cards_s": scored - measured, "schemes": len(cards),
        "groupby_s": grouped - scored, "ratio": (scored - began) / (grouped - scored),
        "table_mb": table.memory_usage(deep=True).sum() / 1e6,
        "json_mb": len(metrics.model_dump_json(indent=2)) / 1e6,
    }  # fmt: skip


def measure_scoring(sizes: tuple[int, ...] = SIZES) -> dict[int, dict[str, float]]:
    """Returns :func:`measure` by size, each in a new process."""
    return {n: json.loads(_run(n)) for n in sizes}


def _run(n: int) -> str:
    command = [sys.executable, "-m", "harness.bench.scoring", str(n)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _peak_mb() -> float:
    """The peak of this process: getrusage would remember what its parent held when it began, too."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def table(found: dict[int, dict[str, float]]) -> Table:
    """Returns what is printed."""
    first, last = min(found), max(found)
    schemes_ = found[last]["schemes"]
    shown = Table(title=f"评分 / scoring: observations to {schemes_:.0f} scorecards", title_justify="left")
    for column in ("", *(f"{n:,}" for n in found), f"{last:,} : {first:,}"):
        shown.add_column(column, justify="right" if column else "left")
    for words, name in (
        ("table to metrics, s", "metrics_s"),
        ("metrics to all scorecards, s", "cards_s"),
        ("a plain groupby of the same columns, s", "groupby_s"),
        ("all : plain groupby", "ratio"),
        ("peak of the process, MB", "peak_mb"),
        ("peak before scoring: table made, libraries loaded, MB", "before_mb"),
        ("the table itself, MB", "table_mb"),
        ("metrics.json, MB", "json_mb"),
    ):
        values = [row[name] for row in found.values()]
        shown.add_row(words, *(f"{v:.2f}" if v < 100 else f"{v:.0f}" for v in values), f"{values[-1] / values[0]:.1f}")
    return shown


def growth(found: dict[int, dict[str, float]]) -> float:
    """Returns the exponent between the smallest and the largest size (1: in proportion to n)."""
    (small, least), (large, most) = min(found.items()), max(found.items())
    seconds = [row["metrics_s"] + row["cards_s"] for row in (least, most)]
    return math.log(seconds[1] / seconds[0]) / math.log(large / small)


def main() -> None:
    """Measures and prints; with a size, prints what it is in this process as JSON."""
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(int(sys.argv[1]))) + "\n")
    else:
        found = measure_scoring()
        console = Console()
        console.print(table(found))
        console.print(f"growth from {min(found):,} to {max(found):,}: n^{growth(found):.2f}")


if __name__ == "__main__":
    main()
