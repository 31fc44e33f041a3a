"""``shopper explain``: where one indicator's figure comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scenarios.errors import InputError


def explain(
    indicator: Annotated[str, typer.Argument(help="an indicator's id, for example A.SE.1")],
    run: Annotated[Path | None, typer.Option("--run", help="a run's folder, runs/<id>")] = None,
    inputs: Annotated[Path | None, typer.Option("--inputs", help="inputs of the scoring, .yaml or .xlsx")] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help="its scheme; none: the one that has the id")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en", metavar="zh|en")] = "zh",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")] = False,
) -> None:
    """Explain an indicator: formula, clause, the sessions that entered, those left out and why, interval, warnings."""
    from harness.score import score_files
    from results.explanation import explain as explained
    from results.explanation_table import render_explanation

    if lang not in ("zh", "en"):
        raise InputError(f"--lang {lang} is not a language of this tool", cure="zh or en")
    scored = score_files(scheme or _scheme_of(indicator), run, inputs)
    if indicator not in {one.id for _, one in scored.scheme.indicators()}:
        raise InputError(f"{scored.scheme.id} has no indicator {indicator}", cure=_near(indicator, scored.scheme.id))
    found = explained(scored.card, scored.scheme, indicator, scored.table, scored.definitions)
    if as_json:
        document = {
            "format": 1,
            "scheme": found.scheme,
            "indicator": found.line.model_dump(mode="json"),
            "measure": found.measure and found.measure.id,
            "entered": [vars(one) for one in found.entered],
            "left_out": [
                {"reason": left.reason.model_dump(), "attempts": list(left.attempts)} for left in found.left_out
            ],
            "alphas": [{"occasion": id_, "rater": rater, "alpha": float(alpha)} for id_, rater, alpha in found.alphas],
            "warnings": [{"code": code, "text": text.zh, "en": text.en} for code, text in found.warnings],
        }
        print(json.dumps(document, ensure_ascii=False))  # noqa: T201 - stdout is the interface
        return
    render_explanation(Console(), found, "zh" if lang == "zh" else "en")


def _scheme_of(indicator: str) -> str:
    from scoring.scheme import load_scheme, schemes

    for id_ in schemes():
        if indicator in {one.id for _, one in load_scheme(id_).indicators()}:
            return id_
    raise InputError(f"no scheme has an indicator {indicator}", cure="shopper score --scheme ID lists a scheme's ids")


def _near(indicator: str, scheme: str) -> str:
    import difflib

    from scoring.scheme import load_scheme

    ids = [one.id for _, one in load_scheme(scheme).indicators()]
    near = difflib.get_close_matches(indicator, ids, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(ids)}"
