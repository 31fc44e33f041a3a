"""``shopper authorise``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.errors import InputError
from scenarios.model import Lang, Text

if TYPE_CHECKING:
    from harness.authorisation import Authorisation
    from harness.clearance import Clearance
    from harness.permission import CheckName
    from harness.refusal import Refusal

app = typer.Typer(no_args_is_help=True, help="Authorisations: check them against a plan.")

COLUMNS: dict[CheckName, Text] = {
    "number": Text(zh="号码", en="number"),
    "url": Text(zh="网址", en="URL"),
    "trunk": Text(zh="中继", en="trunk"),
    "identity": Text(zh="主叫", en="caller"),
    "signature": Text(zh="签署", en="signed"),
    "validity": Text(zh="有效", en="valid"),
    "hours": Text(zh="时段", en="hours"),
    "recording": Text(zh="录音", en="record"),
    "voice": Text(zh="语音", en="voice"),
}
TOTALS = {
    "attempts_a_day": Text(zh="单日次数（最多的一天）", en="attempts on the busiest day"),
    "minutes": Text(zh="总分钟数", en="minutes in all"),
    "money": Text(zh="总费用", en="money in all"),
}


@app.callback()
def group() -> None:
    """Authorisations: check them against a plan."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="authorisation.yaml")],
    plan: Annotated[Path, typer.Option("--plan", help="plan.yaml")],
    target: Annotated[Path | None, typer.Option("--target", help="target.yaml; none: the one beside the plan")] = None,
    scenarios: Annotated[Path | None, typer.Option("--scenarios", help="folder of your own scripts")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="as if it were that moment, 2026-01-31T09:00:00+08:00; default: now")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")] = "zh",
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON document on stdout, everything else on stderr")
    ] = False,
) -> None:
    """Explain what an authorisation allows of a plan, what it does not, and why; nothing is dialled."""
    from harness import inputs
    from harness.clearance import clearance

    if lang not in ("zh", "en"):
        raise InputError(f"--lang {lang} is not a language of this tool", cure="zh or en")
    language: Lang = "zh" if lang == "zh" else "en"
    files = inputs.read(plan, target or plan.parent / "target.yaml", file, scenarios)
    assert files.authorisation is not None
    signed = files.authorisation.authorisation
    found = clearance(files, signed, _moment(at))
    _render(Console(stderr=as_json), found, signed, language)
    if as_json:
        typer.echo(json.dumps(_document(found, signed, language), ensure_ascii=False))
    raise typer.Exit(0 if found.allowed else 3)


def _moment(given: str | None) -> datetime:
    if given is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(f"--at {given} is no moment with a time zone", cure="write 2026-01-31T09:00:00+08:00")
    return moment


def _reasons(found: Clearance, lang: Lang) -> list[tuple[str, Refusal]]:
    """Returns every refusal with where it belongs; one that holds for several entries is told once."""
    reasons: dict[Refusal, list[str]] = {}
    for entry in found.entries:
        for check in entry.checks:
            if check.refusal is not None:
                reasons.setdefault(check.refusal, []).append(entry.entry)
    told = [(", ".join(dict.fromkeys(where)), refusal) for refusal, where in reasons.items()]
    told += [(TOTALS[total.name].in_(lang), total.refusal) for total in found.totals if total.refusal is not None]
    return told if found.misfit is None else [*told, (Text(zh="方案", en="plan").in_(lang), found.misfit)]


def _render(console: Console, found: Clearance, signed: Authorisation, lang: Lang) -> None:
    used = [name for name in COLUMNS if any(entry.of(name) for entry in found.entries)]
    title = Text(zh=f"授权检查：{signed.client}", en=f"Authorisation of {signed.client}").in_(lang)
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column(Text(zh="入口", en="entry").in_(lang), no_wrap=True)
    table.add_column("   n ", justify="right")
    for name in used:
        table.add_column(f" {COLUMNS[name].in_(lang)}", justify="center", no_wrap=True)
    for entry in found.entries:
        marks = ["–" if (one := entry.of(name)) is None else "✗" if one.refusal else "✓" for name in used]
        table.add_row(entry.entry, str(entry.planned), *marks)
    console.print(table)
    totals = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for text in (Text(zh="上限", en="ceiling"), Text(zh="预计", en="expected"), Text(zh="至多", en="at most"),
                 Text(zh="允许", en="permitted")):  # fmt: skip
        totals.add_column(text.in_(lang), justify="left" if text.en == "ceiling" else "right")
    for total in found.totals:
        limit = "–" if total.ceiling is None else f"{total.ceiling:g}"
        totals.add_row(TOTALS[total.name].in_(lang), f"{total.expected:.0f}", f"{total.most:.0f}", limit)
    console.print(totals)
    for sentence in _sentences(found, signed):
        console.print(sentence.in_(lang), soft_wrap=True, markup=False, highlight=False)
    for where, refusal in _reasons(found, lang):
        console.print(f"✗ {where}  {refusal.in_(lang)}", style="red", soft_wrap=True, markup=False, highlight=False)
    if found.allowed:
        said = Text(zh="✓ 方案中的内容全部获准。", en="✓ Everything in the plan is allowed.")
        console.print(said.in_(lang), style="green")


def _sentences(found: Clearance, signed: Authorisation) -> list[Text]:
    n, days = found.planned, found.days_left
    told = [
        Text(zh=f"距到期还有 {days} 天。", en=f"It expires in {days} days.")
        if days >= 0
        else Text(zh=f"已过期 {-days} 天。", en=f"It expired {-days} days ago.")
    ]
    if found.scheduled:
        told.append(
            Text(
                zh=f"排定的 {n} 次中，{found.outside_hours} 次在时段之外，{found.outside_validity} 次在有效期之外。",
                en=f"Of {n} scheduled attempts {found.outside_hours} lie outside the hours and "
                f"{found.outside_validity} outside the validity.",
            )
        )
    if signed.hours is None:
        told.append(Text(zh="授权书未限定时段（没有 hours）。", en="The authorisation sets no hours (no key hours)."))
    if not signed.liaison:
        told.append(Text(zh="授权书未写联络人（liaison）。", en="The authorisation names no liaison."))
    return told


def _document(found: Clearance, signed: Authorisation, lang: Lang) -> dict[str, Any]:
    return {
        "format": 1,
        "client": signed.client,
        "at": found.at.isoformat(),
        "allowed": found.allowed,
        "days_left": found.days_left,
        "planned": found.planned,
        "outside_hours": found.outside_hours,
        "outside_validity": found.outside_validity,
        "entries": [
            {
                "entry": entry.entry,
                "channel": entry.channel,
                "address": entry.address,
                "planned": entry.planned,
                "checks": {
                    check.name: {
                        "allowed": check.refusal is None,
                        "reason": check.refusal.in_(lang) if check.refusal else "",
                    }
                    for check in entry.checks
                },
            }
            for entry in found.entries
        ],
        "totals": {
            total.name: {
                "expected": round(total.expected, 2),
                "most": round(total.most, 2),
                "ceiling": total.ceiling,
                "reason": total.refusal.in_(lang) if total.refusal else "",
            }
            for total in found.totals
        },
        "plan": found.misfit.in_(lang) if found.misfit else "",
    }
