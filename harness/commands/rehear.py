"""``shopper rehear``: measure the calls of a run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scenarios.errors import InputError


def rehear(
    run: Annotated[Path, typer.Argument(help="the run's folder, runs/<id>")],
    target: Annotated[
        Path | None, typer.Option("--target", help="take the recordings from this target.yaml instead of the run's own")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en", metavar="zh|en")] = "zh",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")] = False,
) -> None:
    """Measure the calls of a run again, with all that is known by now; scores and report are made anew."""
    from harness.conclusion import conclude
    from harness.rehear import library_of, measure_run
    from probes.target_file import load_target
    from results.run_folder import RunFolder

    if lang not in ("zh", "en"):
        raise InputError(f"--lang {lang} is not a language of this tool", cure="zh or en")
    console = Console(stderr=as_json)
    folder = RunFolder.open(run)
    library = None
    if target is not None:
        loaded = load_target(target)
        library = library_of(loaded.target, loaded.folder)
    done = measure_run(folder, library, console)
    concluded = conclude(folder, list(folder.measured()), "zh" if lang == "zh" else "en")
    changed = [
        (old, new)
        for old, new in zip(done.before, done.after, strict=True)
        if (old.outcome, old.certain) != (new.outcome, new.certain)
    ]
    table = Table("通话 / call", "原结果 / was", "现结果 / is", "说明 / why", title=f"hearing {done.name}")
    for old, new in changed:
        sure = "" if new.certain else " ?"
        table.add_row(new.attempt.id, str(old.outcome), f"{new.outcome}{sure}", new.reason or "; ".join(new.review))
    unsure = sum(not session.certain for session in done.after)
    console.print(
        f"{len(done.hearings)} 通重新测量 / calls measured; {len(changed)} 个结果改变 / outcomes changed; "
        f"{unsure} 个待复核 / await a person's decision",
        soft_wrap=True,
    )
    if changed:
        console.print(table)
    console.print(f"报告 / report: {concluded.report}", soft_wrap=True, markup=False)
    if as_json:
        document = {
            "format": 1,
            "run": folder.id,
            "pass": done.name,
            "measured": len(done.hearings),
            "changed": {new.attempt.id: [str(old.outcome), str(new.outcome)] for old, new in changed},
            "uncertain": [session.attempt.id for session in done.after if not session.certain],
            "report": str(concluded.report),
        }
        print(json.dumps(document, ensure_ascii=False))  # noqa: T201 - stdout is the interface
