"""``shopper evidence``: whether what was recorded is whole, here and in the evidence store; and sending it there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Evidence: check that it is whole, send it to a store.")

Run = Annotated[Path, typer.Argument(help="a run's folder, runs/<id>")]
URL_HELP = "s3://bucket/folder, file:///folder, ... of the evidence store"


@app.command()
def check(
    run: Run,
    url: Annotated[str | None, typer.Option("--url", help=URL_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")] = False,
) -> None:
    """Compare every session's files with the hashes taken when it ended; with --url, those in the store too."""
    from results import evidence
    from results.evidence_store import EvidenceStore
    from results.run_folder import RunFolder

    folder = RunFolder.open(run)
    problems = evidence.check(folder)
    if url is not None:
        problems += EvidenceStore(url).check(folder)
    sessions = len(list(folder.sessions_dir.glob(f"*/{evidence.SESSION}")))
    if as_json:
        typer.echo(json.dumps({"format": 1, "sessions": sessions, "problems": problems}, ensure_ascii=False))
    else:
        _list(problems)
        typer.echo(f"场次 {sessions}，问题 {len(problems)} / {sessions} sessions, {len(problems)} not whole")
    raise typer.Exit(1 if problems else 0)


@app.command()
def push(run: Run, url: Annotated[str, typer.Option("--url", help=URL_HELP)]) -> None:
    """Send the sessions that the store does not have yet; nothing here is deleted."""
    from results.evidence_store import EvidenceStore
    from results.run_folder import RunFolder

    folder, store = RunFolder.open(run), EvidenceStore(url)
    pending = store.pending(folder)
    troubles = store.push(folder)
    _list(troubles)
    typer.echo(f"待发 {len(pending)}，问题 {len(troubles)} / {len(pending)} were pending, {len(troubles)} in trouble")
    raise typer.Exit(1 if troubles else 0)


def _list(problems: list[str]) -> None:
    for problem in problems:
        typer.echo(problem, err=True)
