"""``shopper plan``: what a plan will do, and what a sample can show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scenarios.errors import InputError
from scenarios.model import Lang

app = typer.Typer(no_args_is_help=True, help="Plans: what one will do, and what it can show.")

LangOption = Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="print one JSON document on stdout, everything else on stderr")
]


@app.callback()
def group() -> None:
    """Plans: what one will do, and what it can show."""


@app.command()
def preview(
    plan: Annotated[Path, typer.Option("--plan", help="plan.yaml")] = Path("plan.yaml"),
    target: Annotated[Path | None, typer.Option("--target", help="target.yaml; none: the one beside the plan")] = None,
    authorisation: Annotated[
        Path | None, typer.Option("--authorisation", help="default: authorisation.yaml beside the target")
    ] = None,
    scenarios: Annotated[Path | None, typer.Option("--scenarios", help="folder of your own scripts")] = None,
    full: Annotated[bool, typer.Option("--full", help="list every attempt with its local time")] = False,
    lang: LangOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show when a plan calls, what it costs and burdens, and which verdicts it can reach. Nothing is dialled."""
    from harness.inputs import read
    from harness.plan import draw_up, outlook
    from harness.plan import preview as shown

    words = _lang(lang)
    files = read(plan, target or plan.parent / "target.yaml", authorisation, scenarios)
    permission = None if files.authorisation is None else files.authorisation.authorisation
    now = datetime.now(UTC)
    attempts = draw_up(files.plan, files.target.target, files.scenarios, now=now, authorisation=permission)
    found = outlook.look_ahead(files.plan, attempts, files.scenarios, now=now, authorisation=permission)
    shown.render(Console(stderr=as_json), files.plan, found, words, full=full)
    if as_json:
        typer.echo(json.dumps(shown.document(files.plan, found), ensure_ascii=False))


@app.command()
def power(
    target_rate: Annotated[str, typer.Option("--target-rate", help="the requirement: 0.9, 90 % or 9/10")],
    true_rate: Annotated[str, typer.Option("--true-rate", help="what the centre's rate really is")],
    n: Annotated[int, typer.Option("--n", help="how many observations")],
    lang: LangOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Show the chance of each verdict on "rate >= target" from n observations, and the n for 80 % power."""
    from harness.plan import preview as shown
    from results.words import percent
    from scoring.statistics import smallest_n
    from scoring.statistics.power import LARGEST, chances, criteria, n_for_power

    words = _lang(lang)
    target, true = _rate("--target-rate", target_rate), _rate("--true-rate", true_rate)
    if not 1 <= n <= LARGEST:
        raise InputError(f"--n {n} is no sample", cure=f"a whole number from 1 to {LARGEST}")
    rule, chance = criteria(n, target), chances(n, target, true)
    try:
        enough = n_for_power(target, true)
    except ValueError:
        enough = None
    console = Console(stderr=as_json)
    title = f"≥ {percent(target)}, n = {n}"
    made = shown.table([shown.WORDS["rate"].in_(words), *shown.verdict_names(words)])
    made.add_row(percent(true), *shown.chances_row(chance))
    shown.show(console, title, made)
    console.print(shown.rule_text(rule, smallest_n(target), enough).in_(words), soft_wrap=True, markup=False)
    if as_json:
        document = {
            "format": 1,
            "target_rate": str(target),
            "true_rate": str(true),
            "n": n,
            "chances": vars(chance),
            "pass_failures": rule.passes,
            "fail_failures": rule.fails,
            "smallest_n": smallest_n(target),
            "n_for_80_percent_power": enough,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))


def _lang(value: str) -> Lang:
    if value not in ("zh", "en"):
        raise InputError(f"--lang {value} is not a language of this tool", cure="zh or en")
    return "zh" if value == "zh" else "en"


def _rate(option: str, text: str) -> Fraction:
    from pydantic import TypeAdapter, ValidationError

    from harness.plan.model import Rate

    try:
        return TypeAdapter(Rate).validate_python(text)
    except ValidationError:
        message = f"{option} {text} is no rate"
        raise InputError(message, cure="write it as 0.9, 90% or 9/10, above 0 and below 1") from None
