"""One run, from files to report: check, dispatch, observe, score, show."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from harness.authorisation import Authorisation, load_authorisation
from harness.dispatch import Limits as DispatchLimits
from harness.dispatch import dispatch
from harness.plan import LoadedPlan, PlannedAttempt, expand, load_plan
from harness.policy import check_call, check_chat, check_trunk
from harness.progress import Board
from harness.sandbox.centre import Centre
from probes.address import host_of, is_loopback
from probes.probe import Assignment
from probes.session import AttemptKey, Session
from probes.target import Target
from probes.target_file import LoadedTarget, load_target
from results import report
from results.observe import table
from results.run_folder import RunFolder, RunInfo
from results.store import NewAttempt, Store
from scenarios.catalogue import LoadedScenario
from scenarios.catalogue import load as load_scenario
from scenarios.errors import PolicyRefused
from scenarios.model import ChannelKind, Lang, Scenario
from scoring.metrics import Metrics, compute
from scoring.observations import NOT_VALID
from scoring.scheme import load_scheme
from scoring.scorecard import Scorecard
from scoring.scorer import score

QUICK_PLAN = Path(__file__).parent / "sandbox" / "quick.yaml"
SCHEME = "CMM-525-0005"
MEASURING_PACKAGES = ("pjsua2-python", "playwright", "onnxruntime", "numpy", "scipy")


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


@dataclass(frozen=True)
class Finished:
    """What came of a run."""

    folder: RunFolder
    sessions: list[Session]
    metrics: Metrics
    scorecard: Scorecard
    report: Path
    exit_code: int
    shortfalls: list[str]


def version() -> str:
    """Returns the installed version."""
    return importlib.metadata.version("contact-centre-shopper")


def speech_cache() -> Path:
    """Returns the folder where synthesised speech is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contact-centre-shopper" / "speech"


async def probe(request: Request, console: Console) -> Finished:
    """Carries out a plan.

    Raises:
        InputError: a file is wrong; nothing was dialled.
        PolicyRefused: something in the plan may not be reached; nothing was dialled.
    """
    plan = load_plan(request.plan or QUICK_PLAN)
    names = dict.fromkeys(stratum.scenario for stratum in plan.plan.attempts)
    scripts = {name: load_scenario(name, request.scenarios) for name in names}
    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{_slug(plan.plan.name)}-{secrets.token_hex(2)}"
    async with AsyncExitStack() as stack:
        if request.target is None:
            folder = RunFolder.create(request.runs, run_id)
            console.print(f"沙箱中心启动 / starting the sandbox centre … {folder.path}", soft_wrap=True)
            centre = Centre(folder.sandbox, seed=plan.plan.seed, lang=request.lang, cache=speech_cache())
            target = load_target(await stack.enter_async_context(centre))
            authorisation = None
            attempts = _checked(plan, target, scripts, authorisation)
        else:
            target = load_target(request.target)
            authorisation = _authorisation(request)
            attempts = _checked(plan, target, scripts, authorisation)
            folder = RunFolder.create(request.runs, run_id)
        sessions = await _carry_out(request, plan, target, scripts, attempts, folder, console, started, authorisation)
    folder.write_info(folder.info().model_copy(update={"finished_utc": datetime.now(UTC)}))
    return conclude(folder, sessions, request.lang)


def conclude(folder: RunFolder, sessions: Sequence[Session], lang: Lang, today: date | None = None) -> Finished:
    """Computes everything that follows from the sessions and writes it into the run's folder."""
    observations = table(sessions)
    folder.write_observations(observations)
    metrics = compute(observations)
    folder.write_metrics(metrics)
    card = score(metrics, load_scheme(SCHEME), today=today or datetime.now(UTC).date())
    folder.write_scorecard(card)
    page = report.write(folder, lang)
    shortfalls = _shortfalls(sessions, folder.info().planned)
    return Finished(folder, list(sessions), metrics, card, page, 1 if shortfalls else 0, shortfalls)


def _shortfalls(sessions: Sequence[Session], planned: int) -> list[str]:
    """Says in one sentence each what was not measured; empty means the run is complete."""
    found = []
    if len(sessions) < planned:
        found.append(f"{planned - len(sessions)} of {planned} planned attempts left no session: the run was cut off")
    by_kind: dict[str, list[Session]] = {}
    for session in sessions:
        by_kind.setdefault(session.attempt.channel, []).append(session)
        if session.outcome in NOT_VALID:
            found.append(f"{session.attempt.id} is {session.outcome}: {session.reason}")
    for kind, group in by_kind.items():
        failed = [session for session in group if session.outcome == "NET_FAIL"]
        if failed and len(failed) == len(group):
            what = "call" if kind == "voice" else "chat"
            found.append(f"no {what} reached the target: {failed[0].reason}")
    return found


def _slug(name: str) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    return plain[:24] or "plan"


def _authorisation(request: Request) -> Authorisation | None:
    assert request.target is not None
    path = request.authorisation or request.target.parent / "authorisation.yaml"
    if request.authorisation is None and not path.exists():
        return None
    return load_authorisation(path).authorisation


def _checked(
    plan: LoadedPlan, target: LoadedTarget, scripts: dict[str, LoadedScenario], authorisation: Authorisation | None
) -> list[PlannedAttempt]:
    """Draws up the plan's attempts and asks the policy about every entry they use."""
    attempts = expand(plan, target.target, {name: script.scenario for name, script in scripts.items()})
    for attempt in {(a.channel, a.entry, a.scenario): a for a in attempts}.values():
        scenario = scripts[attempt.scenario].scenario
        _permit(target.target, target.folder, attempt.channel, attempt.entry, scenario, authorisation)
    return attempts


def _permit(
    target: Target,
    folder: Path,
    channel: ChannelKind,
    entry: str,
    scenario: Scenario,
    authorisation: Authorisation | None,
) -> None:
    """Asks the policy about one scenario on one entry, as of now.

    Raises:
        PolicyRefused: it may not be reached, or not with the voice we would speak with.
    """
    now = datetime.now(UTC)
    if channel == "chat":
        check_chat(target.chats[entry].url, authorisation, now)
        return
    line = target.lines[entry]
    check_call(line.uri, authorisation, now)
    registrar = None if line.account is None else line.account.registrar
    if registrar is not None:
        check_trunk(registrar, authorisation, now)
    if is_loopback(host_of(line.uri)) or (authorisation is not None and authorisation.tts_consent):
        return
    recorded = folder / (target.recordings or "recordings") / scenario.id
    lines = [step.ask.id for step in scenario.steps_on("voice") if step.ask] + ["farewell"]
    lines += ["to-human"] if any(way.say for way in line.to_human) else []
    missing = [f"{recorded / name}.wav" for name in lines if not (recorded / f"{name}.wav").is_file()]
    if missing:
        raise PolicyRefused(
            f"A synthetic voice may not speak to this centre, and {len(missing)} lines are not recorded "
            f"(the first: {missing[0]}): record them, or have the client sign tts_consent."
        )


async def _carry_out(
    request: Request,
    plan: LoadedPlan,
    target: LoadedTarget,
    scripts: dict[str, LoadedScenario],
    attempts: list[PlannedAttempt],
    folder: RunFolder,
    console: Console,
    started: datetime,
    authorisation: Authorisation | None,
) -> list[Session]:
    _write_inputs(folder, plan, target, scripts, started, request.target is None, len(attempts))
    jobs = [
        Assignment(
            attempt=AttemptKey(
                run=folder.id,
                id=attempt.id,
                scenario=scripts[attempt.scenario].scenario.id,
                channel=attempt.channel,
                entry=attempt.entry,
                seed=attempt.seed,
            ),
            scenario=scripts[attempt.scenario].scenario,
            scenario_sha256=scripts[attempt.scenario].sha256,
            target=target.target,
            target_folder=target.folder.resolve(),
            limits=plan.plan.limits.over(scripts[attempt.scenario].scenario.limits),
            lang=target.target.lang,
            folder=folder.session_dir(attempt.id).resolve(),
            version=version(),
        )
        for attempt in attempts
    ]
    store = Store(f"sqlite:///{folder.attempts}")
    try:
        store.add([NewAttempt(**vars(attempt)) for attempt in attempts])
        at_once = plan.plan.at_once
        ceiling = None if authorisation is None else authorisation.max_at_once
        limits = DispatchLimits(
            at_once={
                "voice": at_once.voice,
                "chat": at_once.chat,
            },
            per_entry={name: entry.channels for name, entry in (target.target.lines | target.target.chats).items()},
            gap_s=plan.plan.gap_s,
            total=ceiling,
        )
        sessions: list[Session] = []
        with Board(attempts, console, request.lang) as board:

            def ended(session: Session) -> None:
                sessions.append(session)
                board.ended(session)

            await dispatch(
                jobs,
                store=store,
                limits=limits,
                cache=speech_cache(),
                permit=lambda job: _permit(
                    job.target, job.target_folder, job.attempt.channel, job.attempt.entry, job.scenario, authorisation
                ),
                scheduler=request.scheduler,
                on_state=board.state,
                on_session=ended,
            )
    finally:
        store.close()
    order = {attempt.id: attempt.seq for attempt in attempts}
    return sorted(sessions, key=lambda session: order[session.attempt.id])


def _write_inputs(
    folder: RunFolder,
    plan: LoadedPlan,
    target: LoadedTarget,
    scripts: dict[str, LoadedScenario],
    started: datetime,
    sandbox: bool,
    planned: int,
) -> None:
    assert plan.path is not None
    shutil.copyfile(plan.path, folder.plan)
    shutil.copyfile(target.path, folder.target)
    versions = {"contact-centre-shopper": version(), "python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in MEASURING_PACKAGES}
    versions |= {f"scenario {name}": f"{s.scenario.version} sha256:{s.sha256[:16]}" for name, s in scripts.items()}
    info = RunInfo(
        id=folder.id,
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
        versions=versions,
    )
    folder.write_info(info)
