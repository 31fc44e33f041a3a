"""One run of ``shopper probe``, from files to report: check, carry out, observe, score, show."""

from __future__ import annotations

import secrets
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness import certificate, kill_switch
from harness.campaign import Campaign, Listeners
from harness.dispatch import Rhythm
from harness.inputs import Inputs, read, speech_cache
from harness.ledger.ledger import Ledger
from harness.plan import PlannedAttempt, draw_up, load_plan
from harness.progress import Board
from harness.sandbox.centre import Centre
from harness.version import versions
from probes.session import Session
from results.run_folder import RunFolder, RunInfo
from scenarios.errors import PolicyRefused
from scenarios.model import Lang

if TYPE_CHECKING:
    from harness.conclusion import Finished

QUICK_PLAN = Path(__file__).parent / "sandbox" / "quick.yaml"


@dataclass(frozen=True)
class Request:
    """What the user asked for. ``target`` None means the sandbox centre."""

    target: Path | None
    plan: Path | None
    runs: Path
    lang: Lang
    scheduler: str | None = None
    authorisation: Path | None = None
    scenarios: Path | None = None
    block_third_party: bool = False


async def probe(request: Request, console: Console) -> Finished:
    """Carries out a plan, all of it now.

    Raises:
        InputError: a file is wrong; nothing was dialled.
        PolicyRefused: something in the plan may not be reached, or a kill switch is pulled.
    """
    plan = request.plan or QUICK_PLAN
    started = datetime.now(UTC)
    if (pulled := kill_switch.pulled([kill_switch.everywhere()])) is not None:
        raise PolicyRefused(f"{pulled}; nothing is dialled until `shopper stop --release`")
    async with AsyncExitStack() as stack:
        if request.target is None:
            folder = RunFolder.create(request.runs, new_id(plan.stem, started))
            console.print(f"沙箱中心启动 / starting the sandbox centre … {folder.path}", soft_wrap=True)
            centre = Centre(folder.sandbox, seed=load_plan(plan).plan.seed, lang=request.lang, cache=speech_cache())
            inputs = read(plan, await stack.enter_async_context(centre), None, request.scenarios)
            planned = checked(inputs, started)
        else:
            inputs = read(plan, request.target, request.authorisation, request.scenarios)
            planned = checked(inputs, started)
            folder = RunFolder.create(request.runs, new_id(inputs.plan.plan.name, started))
        if request.block_third_party:
            inputs = inputs.without_third_parties()
        write_inputs(folder, inputs, folder.id, started, len(planned), sandbox=request.target is None)
        sessions = await _carry_out(request, inputs, planned, folder, console)
    folder.write_info(folder.info().model_copy(update={"finished_utc": datetime.now(UTC)}))
    # pandas and scipy: while calls are placed nobody needs them
    from harness.conclusion import conclude
    from harness.rehear import library_of, measure_run

    heard = measure_run(folder, library_of(inputs.target.target, inputs.target.folder), console)
    return conclude(folder, heard.after if len(heard.after) == len(sessions) else sessions, request.lang)


def checked(inputs: Inputs, now: datetime) -> list[PlannedAttempt]:
    """Draws up the plan's attempts and asks the policy about every entry they use, at the first time it is due.

    Raises:
        PlanError: the plan cannot be drawn up.
        PolicyRefused: something may not be reached.
    """
    signed = None if inputs.authorisation is None else inputs.authorisation.authorisation
    planned = draw_up(inputs.plan, inputs.target.target, inputs.scenarios, now=now, authorisation=signed)
    first: dict[tuple[str, str, str], PlannedAttempt] = {}
    for attempt in planned:
        first.setdefault((attempt.channel, attempt.entry, attempt.scenario), attempt)
    for attempt in first.values():
        inputs.permit(attempt.channel, attempt.entry, attempt.scenario, attempt.due or now)
    return planned


def write_inputs(
    folder: RunFolder, inputs: Inputs, run_id: str, started: datetime, planned: int, *, sandbox: bool
) -> None:
    """Keeps the files a run is made from, byte for byte, and writes run.json."""
    plan, target = inputs.plan, inputs.target
    assert plan.path is not None
    shutil.copyfile(plan.path, folder.plan)
    shutil.copyfile(target.path, folder.target)
    scripts = {
        f"scenario {name}": ", ".join(
            [f"{script.scenario.version} sha256:{script.sha256[:16]}"]
            + [f"{file} sha256:{sent.sha256[:16]}" for file, sent in script.attachments.items()]
        )
        for name, script in inputs.scripts.items()
    }
    info = RunInfo(
        id=run_id,
        created_utc=started,
        target=target.target.name,
        target_sha256=target.sha256,
        plan=plan.plan.name,
        plan_sha256=plan.sha256,
        seed=plan.plan.seed,
        decision_rule=plan.plan.decision_rule or "",
        lang=target.target.lang,
        sandbox=sandbox,
        planned=planned,
        versions=versions() | scripts,
    )
    folder.write_info(info)
    certificate.hand_to(folder)


def new_id(name: str, started: datetime) -> str:
    """Returns an id for a run or campaign: when, what, and four random letters."""
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    return f"{started:%Y%m%dT%H%M%SZ}-{slug[:24] or 'plan'}-{secrets.token_hex(2)}"


async def _carry_out(
    request: Request, inputs: Inputs, planned: list[PlannedAttempt], folder: RunFolder, console: Console
) -> list[Session]:
    ledger = Ledger(f"sqlite:///{folder.attempts}")
    try:
        with Board(planned, console, request.lang) as board:
            campaign = Campaign(
                folder.id,
                inputs,
                ledger,
                folder,
                switches=(kill_switch.everywhere(), folder.path / kill_switch.NAME),
                scheduler=request.scheduler,
                listeners=Listeners(board.state, board.ended, lambda said: console.print(said, style="yellow")),
                rhythm=Rhythm(poll_s=0.5),
            )
            campaign.create(planned)
            try:
                await campaign.run(stay=False)
            except BaseException:
                campaign.abandon("the run was stopped before its turn")
                raise
            campaign.abandon("its entry was paused, and the run ended")
            return campaign.sessions()
    finally:
        ledger.close()
