"""``shopper campaign``: a plan carried out over hours and weeks; and ``shopper stop``, which ends everything."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from scenarios.errors import InputError, LedgerUnavailable, PolicyRefused
from scenarios.model import Lang

if TYPE_CHECKING:
    from harness.campaign_folder import CampaignFolder
    from harness.conclusion import Finished
    from harness.dispatch import Halted
    from harness.ledger.ledger import Ledger
    from harness.status import Status

app = typer.Typer(no_args_is_help=True, help="Campaigns: plans carried out over hours and weeks.")

Folder = Annotated[Path, typer.Argument(help="folder with target.yaml, plan.yaml and authorisation.yaml")]
LangOption = Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")]
By = Annotated[str, typer.Option("--by", help="who decides this; printed in the report")]
Reason = Annotated[str, typer.Option("--reason", help="why; printed in the report")]
Entry = Annotated[str | None, typer.Option("--entry", help="only this line or chat of the target")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="print one JSON document on stdout, everything else on stderr")
]


@app.command()
def run(
    folder: Folder,
    due: Annotated[bool, typer.Option("--due", help="do what is due now, then return (for cron)")] = False,
    ledger: Annotated[
        str | None, typer.Option("--ledger", help="postgresql://… ; default: SQLite in FOLDER/run; only when it begins")
    ] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="tcp://… or tls://… of a Dask scheduler")] = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="s3://… or file:///… : copy evidence there; only when it begins")
    ] = None,
    lang: LangOption = "zh",
    as_json: JsonOption = False,
) -> None:
    """Begin a campaign, or go on with it; ends when every attempt has ended. Ctrl-C hangs up, the next run goes on."""
    from harness import signals
    from harness.dispatch import Halted

    console, language = Console(stderr=as_json), _lang(lang)
    place = _open(folder)
    stopped: Halted | PolicyRefused | None = None
    try:
        signals.run(_run(place, console, due=due, ledger_url=ledger, scheduler=scheduler, evidence=evidence))
    except signals.Interrupted:
        typer.echo("shopper: stopped; every call and chat was ended; the next run goes on", err=True)
        raise typer.Exit(130) from None
    except Halted as halted:
        stopped = halted
        typer.echo(f"shopper: {halted}", err=True)
    done = _conclude(place, language)
    if done is not None:
        from results import summary
        from results.certificate import quoted

        summary.render(console, done.metrics, done.scorecard, language, calibrated=quoted(place.run))
    _show(place, console, language)
    if done is not None:
        console.print(f"报告 / report: {done.report}", soft_wrap=True, markup=False)
    if as_json:
        typer.echo(json.dumps(_document(place), ensure_ascii=False))
    raise typer.Exit(int(stopped is not None) if done is None else done.exit_code)


async def _run(
    place: CampaignFolder,
    console: Console,
    *,
    due: bool,
    ledger_url: str | None,
    scheduler: str | None,
    evidence: str | None,
) -> None:
    from harness import campaign, kill_switch
    from harness.dispatch import Rhythm
    from harness.ledger.ledger import Ledger
    from harness.progress import Lines
    from probes.clock import Clock

    if (pulled := kill_switch.pulled(place.switches)) is not None:
        raise PolicyRefused(f"{pulled}; {_way_on(place, own=pulled.path == place.switches[1])}")
    clock, inputs = Clock(), place.inputs()
    lines = Lines(console)
    record = place.begin(inputs, clock, ledger_url=ledger_url, evidence=evidence)
    while True:
        try:
            ledger = Ledger(place.ledger_url(record))
            break
        except LedgerUnavailable as error:
            if due:
                raise
            lines.trouble(str(error))
            await asyncio.sleep(Rhythm.retry_s)
    try:
        place.check_unchanged(inputs, ledger, record)
        listeners = campaign.Listeners(lines.state, lines.ended, lines.trouble)
        work = place.campaign(inputs, ledger, record, clock, scheduler=scheduler, listeners=listeners)
        await work.run(stay=not due)
        if campaign.finished(ledger, record.campaign):
            campaign.done(ledger, record.campaign, clock.utc())
    finally:
        ledger.close()


def _way_on(place: CampaignFolder, *, own: bool) -> str:
    from harness.ledger.rows import Wanted

    if not own:
        return "nothing is dialled until `shopper stop --release`"
    with _ledger(place) as (ledger, campaign, _):
        for_good = ledger.campaign(campaign).wanted is Wanted.STOPPED
    return (
        "that is for good" if for_good else f"nothing is dialled until `shopper campaign resume {place.path} --by WHO`"
    )


@app.command()
def status(
    folder: Folder,
    lang: LangOption = "zh",
    as_json: JsonOption = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="print metrics in Prometheus' text form")] = False,
) -> None:
    """Where a campaign stands: the flow table, what is next, pauses, deviations."""
    from harness import prometheus as metrics

    place = _open(folder)
    if prometheus:
        typer.echo(metrics.text(_status(place)), nl=False)
    elif as_json:
        typer.echo(json.dumps(_document(place), ensure_ascii=False))
    else:
        _show(place, Console(), _lang(lang))


@app.command()
def watch(folder: Folder, lang: LangOption = "zh") -> None:
    """Show a campaign live, from any terminal, until Ctrl-C; changes nothing."""
    from harness import signals
    from harness.watch import watch as show
    from probes.clock import Clock

    place = _open(folder)
    ledger = place.ledger()
    try:
        signals.run(show(ledger, place.record().campaign, Console(), _lang(lang), Clock()))
    except signals.Interrupted:
        raise typer.Exit(0) from None
    finally:
        ledger.close()


@app.command()
def pause(folder: Folder, reason: Reason, entry: Entry = None) -> None:
    """Start nothing more until it is resumed; what is under way goes on to its end."""
    place = _open(folder)
    with _ledger(place) as (ledger, campaign, now):
        from harness.ledger.rows import Wanted

        if entry is None:
            ledger.want(campaign, Wanted.PAUSED, reason, now)
        else:
            _known_entry(place, entry)
            ledger.pause(campaign, entry, reason, now)
    typer.echo(f"已暂停 / paused: {entry or place.path}")


@app.command()
def resume(folder: Folder, by: By, entry: Entry = None) -> None:
    """Lift a pause: of one entry, or of everything in this campaign (its own kill switch included)."""
    from harness import kill_switch

    place = _open(folder)
    with _ledger(place) as (ledger, campaign, now):
        from harness.ledger.rows import Wanted

        if entry is None:
            ledger.want(campaign, Wanted.RUNNING, f"resumed by {by}", now)
            kill_switch.release(place.switches[1])
        ledger.lift(campaign, entry, by, now)
    typer.echo(f"已恢复 / resumed: {entry or place.path}")


@app.command()
def stop(folder: Folder, by: By, reason: Reason) -> None:
    """End a campaign for good: hang up, and count what has not begun as MISSED."""
    from harness import kill_switch
    from harness.ledger.rows import Wanted

    place = _open(folder)
    place.record()
    kill_switch.pull(place.switches[1], by=by, reason=reason)  # first: it works where the ledger does not answer
    with _ledger(place) as (ledger, campaign, now):
        ledger.want(campaign, Wanted.STOPPED, f"by {by}: {reason}", now)
    asyncio.run(_settle(place))
    done = _conclude(place, "zh")
    typer.echo(f"已终止 / stopped: {place.path}")
    if done is not None:
        typer.echo(f"报告 / report: {done.report}")


async def _settle(place: CampaignFolder) -> None:
    """Ends what is left of a stopped campaign, once its runner (if there is one) has hung up and gone."""
    from harness.campaign import Listeners
    from harness.lease import runner, wait_and_take
    from harness.ledger.ledger import Ledger
    from probes.clock import Clock

    record, clock = place.record(), Clock()
    ledger = Ledger(place.ledger_url(record))
    try:
        lease = await wait_and_take(ledger, record.campaign, runner(), clock)
        try:
            inputs = place.inputs()
            work = place.campaign(inputs, ledger, record, clock, scheduler=None, listeners=Listeners())
            work.abandon(f"the campaign was stopped {ledger.campaign(record.campaign).why}")
        finally:
            ledger.give_back(lease)
    finally:
        ledger.close()


@app.command()
def deviate(folder: Folder, by: By, reason: Reason) -> None:
    """Sign a change of the plan: what has begun stays, the rest is drawn up anew; the report shows who and why."""
    from probes.clock import Clock

    place = _open(folder)
    deviation, withdrawn, new = asyncio.run(place.deviate(by, reason, Clock()))
    typer.echo(f"偏离已记录 / deviation recorded: {deviation.old_sha256[:12]} → {deviation.new_sha256[:12]}")
    typer.echo(f"撤回 {withdrawn}，新增 {new} / {withdrawn} withdrawn, {new} new")


def stop_everything(
    by: Annotated[str, typer.Option("--by", help="who decides this")] = "",
    reason: Annotated[str, typer.Option("--reason", help="why")] = "",
    release: Annotated[bool, typer.Option("--release", help="lift it: campaigns may be run again")] = False,
) -> None:
    """Pull the kill switch: every call and chat of this user on this machine ends now, and no other begins."""
    from harness import kill_switch

    switch = kill_switch.everywhere()
    if release:
        was = kill_switch.release(switch)
        typer.echo("已解除 / released" if was else "本来就没有拉下 / it was not pulled")
        return
    kill_switch.pull(switch, by=by or getpass.getuser(), reason=reason)
    typer.echo(f"已全部停止 / everything stops: {switch}")
    typer.echo("解除 / to lift it: shopper stop --release", err=True)


def _open(folder: Path) -> CampaignFolder:
    from harness.campaign_folder import CampaignFolder

    if not folder.is_dir():
        raise InputError("there is no such folder", file=folder, cure="shopper init FOLDER makes one to start from")
    return CampaignFolder(folder)


def _lang(value: str) -> Lang:
    from harness.cli import _lang as lang

    return lang(value)


@contextmanager
def _ledger(place: CampaignFolder) -> Iterator[tuple[Ledger, str, datetime]]:
    ledger = place.ledger()
    try:
        yield ledger, place.record().campaign, datetime.now(UTC)
    finally:
        ledger.close()


def _known_entry(place: CampaignFolder, entry: str) -> None:
    target = place.inputs().target.target
    if entry not in target.lines and entry not in target.chats:
        known = ", ".join([*target.lines, *target.chats])
        raise InputError(f"the target has no entry '{entry}'", file=place.path / "target.yaml", cure=f"it has: {known}")


def _status(place: CampaignFolder) -> Status:
    from harness.status import status as look

    with _ledger(place) as (ledger, campaign, now):
        return look(ledger, campaign, now, list(place.run.sessions()), place.inputs().ceilings())


def _show(place: CampaignFolder, console: Console, lang: Lang) -> None:
    from harness.status_page import render

    console.print(render(_status(place), lang))


def _document(place: CampaignFolder) -> dict[str, object]:
    from harness.status import document

    return document(_status(place))


def _conclude(place: CampaignFolder, lang: Lang) -> Finished | None:
    """Scores a campaign whose attempts have all ended and writes its report; None if it still goes on."""
    from harness.campaign import Listeners, finished
    from harness.conclusion import conclude
    from harness.rehear import library_of, measure_run
    from harness.status import record
    from harness.status import status as look
    from probes.clock import Clock

    which = place.record()
    with _ledger(place) as (ledger, campaign, now):
        if not finished(ledger, campaign):
            return None
        inputs = place.inputs()
        work = place.campaign(inputs, ledger, which, Clock(), scheduler=None, listeners=Listeners())
        sessions = work.sessions()
        info = place.run.info()
        place.run.write_info(info.model_copy(update={"finished_utc": info.finished_utc or now}))
        record(look(ledger, campaign, now, sessions), place.run)
    target = inputs.target
    heard = measure_run(place.run, library_of(target.target, target.folder), Console(stderr=True))
    return conclude(place.run, heard.after if len(heard.after) == len(sessions) else sessions, lang)
