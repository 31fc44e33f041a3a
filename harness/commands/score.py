"""``shopper score``: a run, a file of inputs, or both, under any scheme."""

from __future__ import annotations

import io
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from scenarios.errors import InputError
from scenarios.model import Lang


class Format(StrEnum):
    """What a scorecard is written as."""

    TABLE = "table"
    JSON = "json"
    XLSX = "xlsx"


class TemplateFormat(StrEnum):
    """What a template of inputs is written as."""

    YAML = "yaml"
    XLSX = "xlsx"


class _RunFirst(TyperGroup):
    """``shopper score runs/ID`` is short for ``shopper score --run runs/ID``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["--run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunFirst, invoke_without_command=True, help=__doc__)

SchemeOption = Annotated[str | None, typer.Option("--scheme", help="id of the certification scheme")]


@app.callback()
def score(
    context: typer.Context,
    scheme: SchemeOption = None,
    run: Annotated[Path | None, typer.Option("--run", help="a run's folder, runs/<id>")] = None,
    inputs: Annotated[Path | None, typer.Option("--inputs", help="inputs of the scoring, .yaml or .xlsx")] = None,
    format_: Annotated[Format | None, typer.Option("--format", help="table (if not given), json or xlsx")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write to this file")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en", metavar="zh|en")] = "zh",
    as_json: Annotated[bool, typer.Option("--json", help="of a run scored again: one JSON document on stdout")] = False,
) -> None:
    """Score a run, a file of inputs, or both, under a scheme; a run alone is scored and reported again."""
    if context.invoked_subcommand is not None:
        return
    words = _lang(lang)
    if scheme is None and inputs is None:
        if output is not None or format_ is not None:
            raise InputError("--format and --output belong to a scheme's scorecard", cure="give --scheme, too")
        _again(run, words, as_json)
        return
    from harness.score import score_files
    from scoring.contract import as_contract

    scored = score_files(scheme or _scheme_of(inputs), run, inputs)
    format_ = _format(format_, output)
    if format_ is Format.XLSX:
        from results.score_sheets import write_score_sheets

        path = write_score_sheets(scored.card, scored.scheme, output or Path(f"score-{scored.scheme.id}.xlsx"))
        typer.echo(str(path))
    elif format_ is Format.JSON or (format_ is None and as_json):
        _write(json.dumps(as_contract(scored.card), ensure_ascii=False, indent=2, allow_nan=False), output)
    else:
        from results.score_table import render

        if output is None:
            render(Console(), scored.card, words)
        else:
            text = io.StringIO()
            render(Console(file=text, width=160), scored.card, words)
            _write(text.getvalue().rstrip("\n"), output)


@app.command("inputs-template")
def inputs_template(
    scheme: SchemeOption = None,
    format_: Annotated[
        TemplateFormat | None, typer.Option("--format", help="yaml or xlsx; none: what -o ends in, else yaml")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="the file; none: YAML on stdout")] = None,
) -> None:
    """Write a commented file of inputs to fill in, as YAML or as a workbook. A file that is there is left alone."""
    from results import whole_file
    from scoring.scheme import load_scheme, schemes

    if scheme is None:
        raise InputError("inputs-template needs --scheme", cure=f"one of: {', '.join(schemes())}")
    loaded = load_scheme(scheme)
    workbook = output is not None and output.suffix.lower() == ".xlsx"
    if output is not None and format_ is not None and workbook != (format_ is TemplateFormat.XLSX):
        raise InputError(f"--format {format_} does not fit its name", file=output, cure="rename it, or drop --format")
    content: str | bytes
    if workbook or format_ is TemplateFormat.XLSX:
        from scoring.inputs.template_workbook import template_xlsx

        content, output = template_xlsx(loaded), output or Path(f"inputs-{scheme}.xlsx")
    else:
        from scoring.inputs.template import template_yaml

        content = template_yaml(loaded)
    if output is None:
        typer.echo(content, nl=False)
        return
    if output.exists() or output.is_symlink():
        raise InputError("the file is there already", file=output, cure="choose another name, or move it away")
    typer.echo(str(whole_file.write(output, content)))


def _write(text: str, output: Path | None) -> None:
    from results import whole_file

    if output is None:
        print(text)  # noqa: T201 - stdout is the interface
    else:
        typer.echo(str(whole_file.write(output, text + "\n")))


def _lang(value: str) -> Lang:
    if value not in ("zh", "en"):
        raise InputError(f"--lang {value} is not a language of this tool", cure="zh or en")
    return "zh" if value == "zh" else "en"


def _format(asked: Format | None, output: Path | None) -> Format | None:
    """The format that was asked for, else the one that the file's name says."""
    named = {".xlsx": Format.XLSX, ".json": Format.JSON}.get(output.suffix.lower()) if output is not None else None
    if asked is not None and Format.XLSX in (asked, named) and output is not None and asked is not named:
        raise InputError(f"--format {asked} does not fit its name", file=output, cure="rename it, or drop --format")
    return asked or named


def _scheme_of(inputs: Path | None) -> str:
    """The scheme that a YAML file of inputs names."""
    from scenarios.errors import InputsError
    from scenarios.yaml_file import load
    from scoring.inputs import Inputs
    from scoring.scheme import schemes

    if inputs is not None and inputs.suffix.lower() in (".yaml", ".yml"):
        return load(inputs, Inputs, InputsError).scheme
    raise InputError(f"{inputs}: under which scheme?", cure=f"give --scheme: {', '.join(schemes())}")


def _again(run: Path | None, lang: Lang, as_json: bool) -> None:
    """Scores a run again from its sessions, writes its report, and prints it."""
    from harness.conclusion import conclude, document
    from results import summary
    from results.certificate import quoted
    from results.run_folder import RunFolder

    if run is None:
        raise InputError("there is nothing to score", cure="give --run RUN_DIR, or --scheme ID with --inputs FILE")
    folder = RunFolder.open(run)
    done = conclude(folder, list(folder.measured()), lang)
    summary.render(Console(stderr=as_json), done.metrics, done.scorecard, lang, calibrated=quoted(folder))
    if as_json:
        print(json.dumps(document(done), ensure_ascii=False))  # noqa: T201 - stdout is the interface
    raise typer.Exit(done.exit_code)
