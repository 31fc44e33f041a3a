"""What follows from the sessions of a run or campaign: observations, metrics, scorecard, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from harness.score import source_of
from probes.session import Session
from results import report
from results.observe import table
from results.run_folder import RunFolder
from scenarios.model import Lang
from scoring.metrics import Metrics, compute
from scoring.observations import NOT_VALID
from scoring.scheme import SCHEME, load_scheme
from scoring.scorecard import Scorecard
from scoring.scorer import score


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


def document(done: Finished) -> dict[str, object]:
    """Returns what came of a run as plain data, for ``--json`` (docs/json.md)."""
    return {
        "format": 1,
        "run": done.folder.id,
        "folder": str(done.folder.path),
        "report": str(done.report),
        "outcomes": {session.attempt.id: session.outcome for session in done.sessions},
        "metrics": done.metrics.model_dump(mode="json"),
        "scorecard": done.scorecard.model_dump(mode="json"),
        "not_measured": done.shortfalls,
        "exit_code": done.exit_code,
    }


def conclude(folder: RunFolder, sessions: Sequence[Session], lang: Lang, today: date | None = None) -> Finished:
    """Computes everything that follows from the sessions and writes it into the run's folder."""
    observations = table(sessions)
    folder.write_observations(observations)
    metrics = compute(observations)
    folder.write_metrics(metrics)
    card = score(metrics, load_scheme(SCHEME), today=today or datetime.now(UTC).date())
    card = card.model_copy(update={"run": source_of(folder, len(observations))})
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
