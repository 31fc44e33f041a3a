"""The summary on the terminal: what was measured, how sure it is, and what the scheme makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from results import flow_words, words
from results.certificate import HEADS, NOTES, TITLE, Quoted
from results.flow_table import STAGES as FLOW_STAGES
from results.flow_table import FlowTable
from results.run_folder import PlanChange
from results.words import label
from scenarios.model import Lang
from scoring.measures import MEASURES
from scoring.metrics import STAGES, ChannelMetrics, Metrics
from scoring.observations import OUTCOMES
from scoring.scorecard import Scorecard
from scoring.statistics import Verdict

STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.OPEN: "yellow"}


def render(
    console: Console,
    metrics: Metrics,
    scorecard: Scorecard,
    lang: Lang = "zh",
    *,
    flow: FlowTable | None = None,
    deviations: Sequence[PlanChange] = (),
    calibrated: Quoted | None = None,
) -> None:
    """Prints the tables: outcomes, rates, times, calibration, scorecard, warnings; of a campaign its flow too."""
    if flow is not None:
        console.print(flow_table(flow, lang))
    for change in deviations:
        console.print(deviation_text(change, lang))
    console.print(_flow(metrics, lang))
    console.print(_outcomes(metrics, lang))
    console.print(_rates(metrics, lang))
    console.print(_times(metrics, lang))
    if calibrated is not None:
        calibration(console, calibrated, lang)
    for channel, found in metrics.channels.items():
        _curve(console, channel, found, lang)
    console.print(_scorecard(scorecard, lang))
    _composite(console, scorecard, lang)
    console.print(RichText(scorecard.basis.in_(lang), style="italic"))
    for warning in scorecard.warnings:
        console.print(RichText.assemble((f"{warning.code} ", "bold yellow"), warning.text.in_(lang)))


def _table(title: str, *columns: str, right: tuple[int, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left")
    return table


def flow_table(flow: FlowTable, lang: Lang) -> Table:
    """Returns the flow table of a campaign: the stages, and between two of them what was lost and why."""
    table = _table(label("campaign_flow", lang), "", "n", "", right=(1,))
    table.show_header = False
    table.columns[2].overflow = "fold"  # nothing of a reason is lost on a narrow screen
    for stage in FLOW_STAGES:
        for kind, reason, n, pending in flow_words.losses_at(flow, stage, lang):
            style = "dim" if pending else "red"
            table.add_row("", RichText(f"− {n}", style=style), RichText.assemble((kind, style), (f"  {reason}", "dim")))
        note = flow_words.planned(flow, lang) if stage == "planned" else ""
        name = flow_words.STAGES[stage].in_(lang)
        table.add_row(RichText(name, style="bold"), RichText(str(flow.counts[stage]), style="bold"), note)
    return table


def deviation_text(change: PlanChange, lang: Lang) -> RichText:
    """Returns one line about a signed change of the plan."""
    hashes = f"{change.old_sha256[:12]} → {change.new_sha256[:12]}"
    when = f"{change.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    said = f"{when}  {label('deviation_by', lang)} {change.by}  {hashes}  {change.reason}"
    return RichText.assemble((f"{label('deviations', lang)}  ", "bold yellow"), said)


def _flow(metrics: Metrics, lang: Lang) -> Table:
    table = _table(label("flow", lang), "", *(words.STAGES[s].in_(lang) for s in STAGES), right=tuple(range(1, 7)))
    for channel, found in metrics.channels.items():
        table.add_row(words.both(words.CHANNELS[channel], lang), *(str(found.flow.counts[stage]) for stage in STAGES))
    return table


def _outcomes(metrics: Metrics, lang: Lang) -> Table:
    channels = metrics.channels
    names = (words.both(words.CHANNELS[channel], lang) for channel in channels)
    table = _table(label("outcomes", lang), "", "", *names, right=tuple(range(2, 2 + len(channels))))
    for outcome in OUTCOMES:
        counts = [found.outcomes.get(outcome, 0) for found in channels.values()]
        if any(counts):
            table.add_row(outcome, words.OUTCOMES[outcome].in_(lang), *(str(n or "–") for n in counts))
    return table


def _rates(metrics: Metrics, lang: Lang) -> Table:
    table = _table(
        label("rates", lang), label("name", lang), "%", "k/n", label("interval", lang), label("missing", lang),
        right=(1, 2, 3, 4),
    )  # fmt: skip
    for channel in metrics.channels.values():
        for id_, rate in channel.rates.items():
            value = "–" if rate.value is None else words.percent(rate.value)
            table.add_row(_name(id_, lang), value, f"{rate.k}/{rate.n}", words.rate_span(rate), str(rate.missing or ""))
    return table


def _times(metrics: Metrics, lang: Lang) -> Table:
    table = _table(
        label("waits", lang), label("name", lang), "n", label("mean", lang), label("interval", lang),
        label("median", lang), "p95", right=(1, 2, 3, 4, 5),
    )  # fmt: skip
    for channel in metrics.channels.values():
        for id_, waits in channel.waits.items():
            numbers = (waits.mean, words.wait_span(waits), waits.median, waits.p95)
            shown = [number if isinstance(number, str) else words.seconds(number) for number in numbers]
            table.add_row(_name(id_, lang), str(waits.n), *shown)
    return table


def calibration(console: Console, quoted: Quoted, lang: Lang) -> None:
    """Prints the calibration certificate: bias ± U of each instant; in red, in both languages, what is wrong."""
    if quoted.fault is not None:
        console.print(RichText(f"{quoted.fault.zh} / {quoted.fault.en}", style="bold red"), soft_wrap=True)
    if quoted.certificate is None:
        return
    table = _table(TITLE.in_(lang), *(head.in_(lang) for head in HEADS), right=(2, 3, 4, 5))
    for row in quoted.rows(lang):
        table.add_row(*row)
    table.caption, table.caption_justify = (
        "\n".join([quoted.about(lang), *quoted.conditions(lang), NOTES.in_(lang)]),
        "left",
    )
    console.print(table)


def _name(id_: str, lang: Lang) -> str:
    measure = MEASURES[id_]
    return ("  " if measure.of else "") + words.both(measure.name, lang)


def _curve(console: Console, channel: str, found: ChannelMetrics, lang: Lang) -> None:
    parts = [f"{name} {value}" for name, value in words.curve_text(found, lang)]
    near = sum(rate.boundary for rate in found.rates.values())
    if near:
        parts.append(label("boundary", lang, n=near))
    if found.review:
        parts.append(label("review", lang, n=found.review))
    console.print(RichText(f"{words.CHANNELS[channel].in_(lang)}: " + "；".join(parts), style="dim"))


def _scorecard(card: Scorecard, lang: Lang) -> Table:
    columns = [label(key, lang) for key in ("indicator", "weight", "value", "interval", "band", "verdict", "score")]
    title = f"{label('scorecard', lang)} · {words.scheme_text(card, lang)}"
    table = _table(title, *columns, right=(1, 2, 3, 6))
    for line in card.measured:
        if line.status == "supported":
            name = f"{line.id} {words.both(line.name, lang)}"
            table.add_row(name, words.points(line.weight), label("in_part", lang), "–", "–", "–", "–")
            continue
        verdicts = [t.verdict for t in line.thresholds if t.verdict is not None]
        table.add_row(
            f"{line.id} {words.both(line.name, lang)}",
            words.points(line.weight),
            words.value_text(line),
            "–" if line.interval is None else words.span(*line.interval, line.unit),
            words.band_text(line, lang),
            RichText(words.verdict_text(line, lang), style=STYLES[verdicts[0]] if verdicts else ""),
            words.score_text(line),
        )
    missing = [line for line in card.lines if line.status == "missing"]
    table.caption = f"{label('not_measured', lang)} ({len(missing)}): " + "、".join(
        line.name.in_(lang) for line in missing
    )
    table.caption_justify = "left"
    return table


def _composite(console: Console, card: Scorecard, lang: Lang) -> None:
    parts = card.composite
    console.print(
        f"[bold]{label('composite', lang)}[/]  {label('literal', lang)} {words.range_text(parts.literal)}   "
        f"{label('normalised', lang)} {words.range_text(parts.normalised)}   "
        f"{label('boost', lang)} {words.range_text(parts.boost)}"
    )
    console.print(RichText(parts.statement.in_(lang), style="dim"))
    for line in card.candidates:
        text = f"{label('candidates', lang)}: {line.id} {line.name.in_(lang)} ({label('candidates_note', lang)})"
        console.print(RichText(text, style="red"))
