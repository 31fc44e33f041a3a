"""The ``shopper`` command.

Exit codes: 0 ran and complete; 1 ran, and something was not measured or failed; 2 bad input; 3 refused by policy;
130 stopped by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from harness.commands import authorise, campaign, chat, evidence, score, speak
from harness.commands import plan as plan_commands
from harness.commands.calibrate import calibrate
from harness.commands.doctor import doctor
from harness.commands.explain import explain
from harness.commands.learn import learn
from harness.commands.rehear import rehear
from scenarios.errors import InputError, ShopperError
from scenarios.model import Lang

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
scenario_app = typer.Typer(no_args_is_help=True, help="Scripts: check them.")
app.add_typer(scenario_app, name="scenarios")
app.add_typer(authorise.app, name="authorise")
app.add_typer(plan_commands.app, name="plan")
app.add_typer(campaign.app, name="campaign")
app.add_typer(evidence.app, name="evidence")
app.add_typer(chat.app, name="chat")
app.add_typer(speak.app, name="speak")
app.add_typer(score.app, name="score")
app.command("stop")(campaign.stop_everything)
app.command()(doctor)
app.command("learn")(learn)
app.command("rehear")(rehear)
app.command("explain")(explain)
app.command("calibrate")(calibrate)

LangOption = Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="print one JSON document on stdout, everything else on stderr")
]
RunsOption = Annotated[Path, typer.Option("--runs", help="folder of runs")]


def _lang(value: str) -> Lang:
    if value not in ("zh", "en"):
        raise InputError(f"--lang {value} is not a language of this tool", cure="zh or en")
    return "zh" if value == "zh" else "en"


def _version(wanted: bool) -> None:
    if wanted:
        from harness.version import version

        typer.echo(f"shopper {version()}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Mystery shoppers call and chat with a contact centre; the waits and the answers are measured and scored."""


@app.command()
def probe(
    target: Annotated[Path | None, typer.Option("--target", help="target.yaml; none: the built-in sandbox")] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="plan.yaml; none: the quick plan")] = None,
    authorisation: Annotated[
        Path | None, typer.Option("--authorisation", help="default: authorisation.yaml beside the target")
    ] = None,
    scenarios: Annotated[Path | None, typer.Option("--scenarios", help="folder of your own scripts")] = None,
    runs: RunsOption = Path("runs"),
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="tcp://… of a Dask scheduler")] = None,
    block_third_party: Annotated[
        bool,
        typer.Option("--block-third-party", help="chat pages get nothing from hosts that the target does not name"),
    ] = False,
    lang: LangOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Carry out a plan: calls and chats, scores and a report."""
    from harness import run, signals
    from harness.conclusion import document
    from results import summary
    from results.certificate import quoted

    if target is not None and plan is None:
        raise InputError("a target needs a plan of its own", cure="give --plan; shopper init writes one to start from")
    console = Console(stderr=as_json)
    request = run.Request(target, plan, runs, _lang(lang), scheduler, authorisation, scenarios, block_third_party)
    try:
        done = signals.run(run.probe(request, console))
    except signals.Interrupted:
        typer.echo("shopper: stopped; every call and chat was ended, and what was measured is kept", err=True)
        raise typer.Exit(130) from None
    summary.render(console, done.metrics, done.scorecard, request.lang, calibrated=quoted(done.folder))
    for sentence in done.shortfalls:
        console.print(f"未测得 / not measured: {sentence}", style="red", markup=False, soft_wrap=True)
    console.print(f"报告 / report: {done.report}", soft_wrap=True, markup=False)
    if as_json:
        print(json.dumps(document(done), ensure_ascii=False))  # noqa: T201 - stdout is the interface
    raise typer.Exit(done.exit_code)


@app.command()
def sandbox(
    folder: Annotated[Path, typer.Option("--folder", help="where its target.yaml and truth log go")] = Path(
        "runs/sandbox"
    ),
    seed: Annotated[int, typer.Option("--seed")] = 1,
    lang: LangOption = "zh",
    hostile: Annotated[bool, typer.Option("--hostile", help="the lines 95011 to 95024 as well")] = False,
) -> None:
    """Run the sandbox centre until Ctrl-C; prints its target file."""
    from harness.inputs import speech_cache
    from harness.sandbox.centre import Centre
    from harness.sandbox.processes import interrupted

    async def serve() -> None:
        async with Centre(folder, seed=seed, lang=_lang(lang), cache=speech_cache(), hostile=hostile) as path:
            typer.echo(f"{path}")
            typer.echo("Ctrl-C ends it. / 按 Ctrl-C 结束。", err=True)
            await interrupted()

    asyncio.run(serve())


@scenario_app.command()
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or folders; none: the shipped scripts")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check scripts; every mistake of every file is listed."""
    from scenarios import catalogue

    files: list[Path] = []
    for path in paths or catalogue.shipped():
        files += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise InputError("there is no script to check", cure="name a .yaml file, or a folder that holds some")
    problems = catalogue.lint(files)
    if as_json:
        rows = [
            {"file": str(p.file), "line": p.line, "column": p.column, "message": p.message, "cure": p.cure}
            for p in problems
        ]
        typer.echo(json.dumps({"format": 1, "files": len(files), "problems": rows}, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(str(problem), err=True)
        typer.echo(f"{len(files)} checked, {len(problems)} wrong")
    raise typer.Exit(2 if problems else 0)


RunArgument = Annotated[Path, typer.Argument(help="a run's folder, runs/<id>")]


@app.command()
def report(run: RunArgument, lang: LangOption = "zh") -> None:
    """Write a run's HTML report again; prints its path."""
    from results import report as page
    from results.run_folder import RunFolder

    typer.echo(str(page.write(RunFolder.open(run), _lang(lang))))


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="a folder for target, plan and authorisation")]) -> None:
    """Write a commented target, plan and authorisation to start from."""
    from harness.init import write_templates

    for path in write_templates(folder):
        typer.echo(str(path))


def main() -> NoReturn:
    """Runs the command; what the harness can explain becomes one sentence and an exit code."""
    try:
        app(standalone_mode=True)
    except ShopperError as error:
        print(f"shopper: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except Exception:
        traceback.print_exc()
        print("shopper: this is a fault of the harness; please report it with the lines above", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    sys.exit(0)
