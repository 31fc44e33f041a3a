"""``shopper doctor``: what would fail in an audit, found before it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from scenarios.errors import InputError
from scenarios.model import Lang

if TYPE_CHECKING:
    from harness.doctor.audit import Request
    from harness.doctor.check import Check, Checked

PROGRESS_AFTER_S = 2.0


def doctor(
    target: Annotated[Path | None, typer.Option("--target", help="target.yaml of the audit")] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="plan.yaml of the audit")] = None,
    authorisation: Annotated[
        Path | None, typer.Option("--authorisation", help="default: authorisation.yaml beside the target")
    ] = None,
    scenarios: Annotated[Path | None, typer.Option("--scenarios", help="folder of your own scripts")] = None,
    runs: Annotated[Path, typer.Option("--runs", help="folder of runs")] = Path("runs"),
    ledger: Annotated[str | None, typer.Option("--ledger", help="sqlite:///… or postgresql://… of a campaign")] = None,
    call: Annotated[
        str | None, typer.Option("--call", help="call this line for 3 s, or open this chat, if the policy permits it")
    ] = None,
    ntp: Annotated[
        str | None, typer.Option("--ntp", help="compare the clock with this NTP server: HOST or HOST:PORT")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")] = "zh",
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON document on stdout, everything else on stderr")
    ] = False,
) -> None:
    """Check before an audit what would fail in it, each with its cure."""
    from harness.doctor import table
    from harness.doctor.audit import Request

    if lang not in ("zh", "en"):
        raise InputError(f"--lang {lang} is not a language of this tool", cure="zh or en")
    language: Lang = "zh" if lang == "zh" else "en"
    console = Console(stderr=as_json)
    request = Request(target, plan, authorisation, scenarios, runs, ledger, call, ntp)
    try:
        results = asyncio.run(_examine(request, console, language))
    except KeyboardInterrupt:
        typer.echo("shopper: stopped", err=True)
        raise typer.Exit(130) from None
    table.render(console, results, language)
    if as_json:
        typer.echo(json.dumps(table.document(results), ensure_ascii=False))
    raise typer.Exit(_exit_code(results))


async def _examine(request: Request, console: Console, lang: Lang) -> list[Checked]:
    """Carries out the checks; shows how far it is if that takes longer than two seconds."""
    from harness.doctor.audit import Audit
    from harness.doctor.check import carry_out
    from harness.doctor.registry import checks

    wanted = checks(Audit(request))
    running: dict[str, Check] = {}
    ended: list[Checked] = []
    status = console.status("")

    def show() -> None:
        names = "、".join(check.title.in_(lang) for check in running.values())
        status.update(f"{len(ended)}/{len(wanted)} {names}")

    def begins(check: Check) -> None:
        running[check.id] = check
        show()

    def ends(result: Checked) -> None:
        running.pop(result.check.id)
        ended.append(result)
        show()

    timer = asyncio.get_running_loop().call_later(PROGRESS_AFTER_S, status.start)
    try:
        return await carry_out(wanted, begins, ends)
    finally:
        timer.cancel()
        status.stop()


def _exit_code(results: list[Checked]) -> int:
    from harness.doctor.check import exit_code

    return exit_code(results)
