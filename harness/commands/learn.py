"""``shopper learn``: which recordings a centre plays, found in a few calls and confirmed by a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from scenarios.errors import InputError


def learn(
    target: Annotated[Path, typer.Argument(help="target.yaml")],
    run: Annotated[
        Path | None, typer.Option("--from", help="learn from a run that was made already; nothing is dialled")
    ] = None,
    line: Annotated[list[str] | None, typer.Option("--line", help="lines to call; default: all of the target")] = None,
    calls: Annotated[int, typer.Option("--calls", min=2, max=20, help="reconnaissance calls to each line")] = 3,
    scenario: Annotated[
        str, typer.Option("--scenario", help="the script they follow; it should ask for a human")
    ] = "S01",
    authorisation: Annotated[
        Path | None, typer.Option("--authorisation", help="default: authorisation.yaml beside the target")
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", help="folder of runs")] = Path("runs"),
    out: Annotated[
        Path | None, typer.Option("--out", help="where the proposed list goes; default: learned/ beside the target")
    ] = None,
    accept: Annotated[
        Path | None, typer.Option("--accept", help="take the confirmed recordings of this list into the target")
    ] = None,
) -> None:
    """Find the recordings a centre plays, propose them as its prompt list, and take over what a person confirms."""
    from harness import learn as learning
    from harness.rehear import library_of
    from probes.hearing.transcription.backends import open_transcriber
    from probes.rehearing.learning import learn as find
    from probes.target_file import load_target
    from results.run_folder import RunFolder

    console = Console()
    if accept is not None:
        count = learning.accept(target, accept)
        console.print(f"{count} 条录音已加入 / recordings added to {target}", soft_wrap=True, markup=False)
        return
    loaded = load_target(target)
    place = out or target.parent / "learned"
    if (place / learning.NAME).exists():
        raise InputError(
            "there is a proposed list already", file=place / learning.NAME, cure="accept it, or move it away"
        )
    if run is None:
        run = _reconnoitre(target, list(line or loaded.target.lines), calls, scenario, authorisation, runs, console)
    folder = RunFolder.open(run)
    sessions = [(session, folder.session_dir(session.attempt.id)) for session in folder.sessions()]
    transcriber = open_transcriber(loaded.target, loaded.folder)
    with console.status("比对录音 / comparing the recordings …"):
        found = find(sessions, library_of(loaded.target, loaded.folder), transcriber)
    table = Table("录音 / recording", "角色 / role", "通数 / calls", "秒 / s", "原话 / words")
    for number, proposal in enumerate(found, 1):
        words = proposal.text or "—"
        table.add_row(f"heard-{number:02d}", proposal.role, str(proposal.calls), f"{proposal.seconds:.1f}", words)
    if not found:
        console.print("没有发现新的录音 / no recording was found that is not listed already")
        return
    file = learning.write_proposals(place, found)
    console.print(table)
    console.print(
        f"请试听并确认 / listen and confirm: {file}\n然后 / then: shopper learn {target} --accept {file}",
        soft_wrap=True, markup=False,
    )  # fmt: skip


def _reconnoitre(
    target: Path, lines: list[str], calls: int, scenario: str, authorisation: Path | None, runs: Path, console: Console
) -> Path:
    """Places the calls, under the same policy as every other run, and returns its folder."""
    from harness import run as running
    from harness import signals

    if not lines:
        raise InputError(
            "the target has no line", file=target, cure="chats have no recordings; give a target with lines"
        )
    document = {
        "format": 1,
        "name": "learn",
        "seed": int(datetime.now(UTC).timestamp()),
        "limits": {"ring_s": 30, "menu_s": 60, "queue_s": 180, "reply_s": 20, "session_s": 420},
        "at_once": {"voice": 2, "chat": 1},
        "attempts": [{"scenario": scenario, "channel": "voice", "entry": name, "count": calls} for name in lines],
    }
    with TemporaryDirectory() as folder:
        plan = Path(folder) / "learn.yaml"
        with plan.open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(document, file)
        request = running.Request(target, plan, runs, "zh", None, authorisation, None)
        try:
            done = signals.run(running.probe(request, console))
        except signals.Interrupted:
            typer.echo("shopper: stopped; every call was ended; what was heard is kept in the run's folder", err=True)
            raise typer.Exit(130) from None
    return Path(done.folder.path)
