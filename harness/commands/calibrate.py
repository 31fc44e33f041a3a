"""``shopper calibrate``: how far the instants of this machine lie from known ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from ruamel.yaml import YAML

from scenarios.errors import InputError

if TYPE_CHECKING:
    from results.certificate import Certificate, Condition, Series
    from scenarios.model import Lang

SEED = 20260701
AT_ONCE = 4  # calls: as many as one process carries
LOAD_LIMIT_S = 1800.0
IDLE_LOAD = 0.5  # a core: with more, others were at work
# A core's worth of work, which ends by itself: when its time is up, or its parent is gone.
BURN = """
import os, sys, time
end, parent = time.monotonic() + float(sys.argv[1]), int(sys.argv[2])
while time.monotonic() < end and os.getppid() == parent:
    sum(range(100_000))
"""


def calibrate(
    runs: Annotated[Path, typer.Option("--runs", help="folder of runs: the calls stay there as evidence")] = Path(
        "runs"
    ),
    calls: Annotated[int, typer.Option("--calls", min=4, max=400, help="calls for each condition")] = 16,
    busy: Annotated[bool, typer.Option("--busy", help="once more with every core at work")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="a second folder for the certificate")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")] = "zh",
    as_json: Annotated[
        bool, typer.Option("--json", help="print the certificate on stdout, everything else on stderr")
    ] = False,
) -> None:
    """Call the sandbox at known instants and write a certificate: bias, spread and uncertainty of each instant."""
    from harness import certificate as certificates
    from harness import signals
    from results.certificate import Quoted
    from results.summary import calibration

    if lang not in ("zh", "en"):
        raise InputError(f"--lang {lang} is not a language of this tool", cure="zh or en")
    language: Lang = "zh" if lang == "zh" else "en"
    console = Console(stderr=as_json)
    series, shortfalls = [], []
    try:
        for condition in _conditions(busy):
            found, missing = _series(condition, runs, calls, language, console)
            series.append(found)
            shortfalls += missing
    except signals.Interrupted:
        typer.echo("shopper: stopped; no certificate was written", err=True)
        raise typer.Exit(130) from None
    certificate = certificates.make(series, datetime.now(UTC))
    shortfalls += _unmeasured(certificate)
    for folder in [certificates.home(), *([out] if out is not None else [])]:
        for path in certificates.save(certificate, folder):
            console.print(f"证书 / certificate: {path}", soft_wrap=True, markup=False, highlight=False)
    calibration(console, Quoted(certificate, certificate.hearing), language)
    for sentence in shortfalls:
        console.print(f"未测得 / not measured: {sentence}", style="red", markup=False, soft_wrap=True)
    if as_json:
        typer.echo(certificate.model_dump_json())
    raise typer.Exit(1 if shortfalls else 0)


def _conditions(busy: bool) -> tuple[Condition, ...]:
    return ("idle", "busy") if busy else ("idle",)


def _series(condition: Condition, runs: Path, calls: int, lang: Lang, console: Console) -> tuple[Series, list[str]]:
    """Carries out one plan against the sandbox; returns the errors, and what went wrong in a sentence each."""
    from harness import certificate as certificates
    from harness import run, signals

    cores = os.cpu_count() or 1
    before = os.getloadavg()[0] / cores
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="calibrate-")))
        plan = write_plan(folder / f"calibration-{condition}.yaml", condition, calls)
        if condition == "busy":
            stack.enter_context(load(cores))
        done = signals.run(run.probe(run.Request(None, plan, runs, lang), console))
    missing = [f"{condition}: {said}" for said in done.shortfalls]
    if condition == "idle" and before > IDLE_LOAD:
        missing.append(f"idle: the load was {before:.2f} a core before the first call: stop what else runs, and repeat")
    return certificates.compare(done.folder, condition, before), missing


def write_plan(path: Path, condition: Condition, calls: int) -> Path:
    """Writes the plan of one condition: calls to an agent on both hotlines, and half as many chats."""
    rows = (("S01", "voice", "hotline-1", calls - calls // 2), ("S02", "voice", "hotline-2", calls // 2),
            ("S01", "chat", "web", max(2, calls // 2)))  # fmt: skip
    document = {
        "format": 1,
        "name": path.stem,
        "seed": SEED + (condition == "busy"),
        "limits": {"ring_s": 15, "menu_s": 30, "queue_s": 90, "reply_s": 20, "session_s": 240},
        "at_once": {"voice": AT_ONCE, "chat": 2},
        "decision_rule": "校准，不作判定 / a calibration, no verdict",
        "attempts": [dict(zip(("scenario", "channel", "entry", "count"), row, strict=True)) for row in rows],
    }
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(document, file)
    return path


@contextlib.contextmanager
def load(cores: int, limit_s: float = LOAD_LIMIT_S) -> Iterator[list[int]]:
    """Keeps that many cores at work, for ``limit_s`` seconds at most; yields the process ids."""
    processes = [
        subprocess.Popen([sys.executable, "-c", BURN, str(limit_s), str(os.getpid())], stdin=subprocess.DEVNULL)
        for _ in range(cores)
    ]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _unmeasured(certificate: Certificate) -> list[str]:
    """Says of which instants there is no uncertainty."""
    return [
        f"{one.condition}: {id_} was found {figure.n} times, too few for a spread"
        for one in certificate.series
        for id_, figure in one.figures.items()
        if figure.expanded_s is None
    ]
