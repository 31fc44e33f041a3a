"""Scoring: from 1,000,000 observations to the scorecards of all schemes, in seconds and in memory.

Each size in a process of its own. Beside it a plain pandas groupby of the same columns: what a look at them costs.
"""

from __future__ import annotations

import ctypes
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from scoring.metrics import Metrics, compute
from scoring.observations import COLUMNS, FORMAT
from scoring.scheme import load_scheme, schemes
from scoring.scorer import score

Array = npt.NDArray[Any]

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
        "first_response_s", "handoff_s", "reply_p50_s", "substantive_p50_s", "transfers", "facts_right", "facts_wrong",
        "facts_unknown", "asked_human", "queued", "certain", "needs_review")  # fmt: skip


def observations(n: int, seed: int = 1) -> pd.DataFrame:
    """Returns ``n`` observations as a probe writes them: seven calls to three chats, times in whole microseconds."""
    number = np.arange(n)
    started = np.datetime64("2026-01-01T00:00:00") + 30 * number.astype("timedelta64[s]")
    rng = np.random.default_rng(seed)
    voice = rng.random(n) < 0.7
    names = np.array(list(FATES), dtype=object)
    calls, chats = (np.cumsum([share[which] for share in FATES.values()]) for which in (0, 1))
    drawn = rng.random(n)
    fate = np.where(voice, np.searchsorted(calls, drawn), np.searchsorted(chats, drawn)).clip(max=len(FATES) - 1)
    outcome = names[fate]
    answered = outcome == "ANSWERED"
    cut = np.isin(outcome, ["LIMIT", "DROPPED", "CALLBACK"])
    queued = answered | cut
    reached = queued | np.isin(outcome, ["IVR_SERVED", "IVR_FAIL"])

    def only(where: Array, values: Array) -> Array:
        return np.where(where, values.round(6), np.nan)

    wait = np.where(rng.random(n) < 0.6, rng.gamma(4.0, 0.6, n), rng.exponential(25.0, n)).clip(0.05, LIMIT_S)
    request, word, talk = 8 + rng.exponential(6, n), rng.gamma(3, 0.5, n), rng.lognormal(4.5, 0.6, n)
    queue = request + rng.uniform(0.5, 3, n)
    unknown = rng.random(n) < 0.02
    facts = rng.integers(1, 5, n).astype(float)
    right = np.floor(facts * rng.beta(8, 1.5, n))
    review = rng.random(n) < 0.03

    def text(codes: Array, *words: str) -> pd.Series:
        return pd.Series(np.array(words, dtype=object)[codes])  # one object a word, as if read from a file

    made: dict[str, Any] = {
        "run": text(number // PER_RUN, *(f"r{k:04d}" for k in range(n // PER_RUN + 1))),
        "attempt": [f"a{k:07d}" for k in range(n)],
        "scenario": text(rng.integers(0, 12, n), *(f"S{k:02d}" for k in range(1, 13))),
        "channel": text(voice.astype(int), "chat", "voice"),
        "entry": text(voice.astype(int), "web", "main"),
        "started_utc": [f"{one}+00:00" for one in np.datetime_as_string(started).tolist()],
        "outcome": outcome,
        "reason": text(fate, *(why for *_, why in FATES.values())),
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
        "substantive_p50_s": only(reached, rng.gamma(5, 0.5, n)),
        "transfers": np.where(answered, (rng.random(n) < 0.08).astype(float), np.nan),
        "resolution": text(
            np.where(unknown, 2, rng.random(n) < 0.15).astype(int), "resolved", "not_resolved", "unknown"
        ),
        "resolved_by": text(np.where(answered, 2, outcome == "IVR_SERVED").astype(int), "none", "ivr", "agent"),
        "facts_expected": facts,
        "facts_right": right,
        "facts_wrong": np.minimum(facts - right, 1.0),
        "facts_unknown": np.maximum(facts - right - 1, 0.0),
        "certain": rng.random(n) > 0.01,
        "needs_review": review,
        "review": text(review.astype(int), "", "was it a person?"),
        "format": np.full(n, FORMAT),
    }
    return pd.DataFrame({one.name: pd.Series(made.pop(one.name)).astype(cast("Any", one.dtype)) for one in COLUMNS})


def measure(n: int) -> dict[str, float]:
    """Scores ``n`` observations in this process, which has scored a few before: libraries are loaded.

    Returns:
        ``metrics_s`` from the table to the metrics, ``cards_s`` from there to the scorecards of all ``schemes``,
        ``cpu_s`` of both, ``groupby_s`` of the plain groupby, ``ratio`` of the two former to it; in MB ``before_mb``,
        what the process held when the scoring began, the table included, ``peak_mb``, the most that it held until the
        end, and ``json_mb``, the size of metrics.json.
    """
    _score(observations(100))
    table = observations(n)
    looks = [_look(table)]
    ctypes.CDLL(None).malloc_trim(0)  # what making the table left behind belongs to nobody
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status_mb("VmRSS")
    spent = time.process_time()
    metrics, metrics_s, cards_s, cards = _score(table)
    cpu_s = time.process_time() - spent
    peak = _status_mb("VmHWM")
    looks.append(_look(table))
    groupby_s = sum(looks) / len(looks)
    return {
        "metrics_s": metrics_s, "cards_s": cards_s, "cpu_s": cpu_s, "schemes": cards, "groupby_s": groupby_s,
        "ratio": (metrics_s + cards_s) / groupby_s, "before_mb": before, "peak_mb": peak,
        "json_mb": len(metrics.model_dump_json(indent=2)) / 1e6,
    }  # fmt: skip


def _score(table: pd.DataFrame) -> tuple[Metrics, float, float, int]:
    began = time.perf_counter()
    metrics = compute(table)
    measured = time.perf_counter()
    cards = [score(metrics, load_scheme(id_)) for id_ in schemes()]
    return metrics, measured - began, time.perf_counter() - measured, len(cards)


def _look(table: pd.DataFrame) -> float:
    began = time.perf_counter()
    table.groupby(["channel", "outcome"])[list(READ)].agg(["count", "mean"])
    return time.perf_counter() - began


def measure_scoring(sizes: tuple[int, ...] = SIZES) -> dict[int, dict[str, float]]:
    """Returns :func:`measure` by size, each in a new process."""
    return {n: json.loads(_run(n)) for n in sizes}


def _run(n: int) -> str:
    command = [sys.executable, "-m", "harness.bench.scoring", str(n)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _status_mb(name: str) -> float:
    """From /proc: getrusage counts what the parent held when it began, too."""
    found = re.search(rf"^{name}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
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
        ("CPU of both, s", "cpu_s"),
        ("a plain groupby of the same columns, s", "groupby_s"),
        ("both : plain groupby", "ratio"),
        ("memory when it begins: libraries and the table, MB", "before_mb"),
        ("memory at the most, MB", "peak_mb"),
        ("metrics.json, MB", "json_mb"),
    ):
        values = [row[name] for row in found.values()]
        shown.add_row(words, *(f"{v:.2f}" if v < 100 else f"{v:.0f}" for v in values), f"{values[-1] / values[0]:.1f}")
    return shown


def summary(found: dict[int, dict[str, float]]) -> str:
    """Returns the sentence below the table; the exponent is 1 if the seconds grow in proportion to n."""
    (small, least), (large, most) = min(found.items()), max(found.items())
    seconds = [row["metrics_s"] + row["cards_s"] for row in (least, most)]
    exponent = math.log(seconds[1] / seconds[0]) / math.log(large / small)
    return (
        f"{large:,} observations to {most['schemes']:.0f} scorecards: {seconds[1]:.1f} s, {most['peak_mb']:.0f} MB;"
        f" from {small:,} on the seconds grow as n^{exponent:.2f}"
    )


def main() -> None:
    """Measures and prints; with a size, prints what it is in this process as JSON."""
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(int(sys.argv[1]))) + "\n")
    else:
        found = measure_scoring()
        console = Console()
        console.print(table(found))
        console.print(summary(found))


if __name__ == "__main__":
    main()
