"""Scoring a run, a file of inputs, or both, under any scheme."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from results.run_folder import RunFolder
from scenarios.errors import InputError, InputsError
from scoring.inputs import Entered, load_inputs
from scoring.metrics import SERVICE_LEVEL_S, Definitions, Metrics, compute
from scoring.scheme import Scheme, load_scheme
from scoring.scorecard import ProbeRun, Scorecard
from scoring.scorer import score

if TYPE_CHECKING:
    import pandas as pd


COMPLETED = ("ANSWERED", "IVR_SERVED")


@dataclass(frozen=True)
class Scored:
    """A scorecard and what it was made of."""

    card: Scorecard
    scheme: Scheme
    table: pd.DataFrame | None
    metrics: Metrics | None
    entered: Entered | None
    definitions: Definitions


def score_files(
    scheme_id: str, run: Path | None = None, inputs: Path | None = None, today: date | None = None
) -> Scored:
    """Scores a run's observations, a file of inputs, or both.

    Raises:
        InputError: there is no such scheme, or the run or the inputs are wrong.
    """
    scheme = load_scheme(scheme_id)
    if run is None and inputs is None:
        raise InputError("there is nothing to score", cure="give --run RUN_DIR, --inputs FILE, or both")
    entered = load_inputs(inputs, scheme) if inputs is not None else None
    folder = None if run is None else RunFolder.open(run)
    table = None if folder is None else folder.read_observations()
    definitions = _definitions(entered)
    metrics = None if table is None else compute(table, definitions)
    contacts = None if table is None else weekly(table)
    try:
        card = score(metrics, scheme, entered, today, contacts)
    except InputsError as error:  # a reading that does not fit the scheme
        raise InputsError(error.message, file=inputs, cure=error.cure) from error
    if folder is not None and table is not None:
        card = card.model_copy(update={"run": source_of(folder, len(table))})
    return Scored(card, scheme, table, metrics, entered, definitions)


def source_of(folder: RunFolder, sessions: int) -> ProbeRun:
    """Returns what says which run was scored, from its files as they are now.

    Raises:
        RunError: they cannot be read.
    """
    info = folder.info() if folder.run_json.exists() else None
    rows = folder.observations.read_bytes()
    passes = folder.hearings().passes
    return ProbeRun(
        id=folder.id,
        sessions=sessions,
        observations_sha256=hashlib.sha256(rows).hexdigest(),
        plan_sha256=(info.plan_sha256 or None) if info else None,
        target_sha256=(info.target_sha256 or None) if info else None,
        hearing=passes[-1].name if passes else None,
    )


def _definitions(entered: Entered | None) -> Definitions:
    """The formulas as the readings set them (X15, X17)."""
    if entered is None:
        return Definitions()
    level, short = (entered.readings.number(key) for key in ("sl.threshold_s", "offered.short_abandon_s"))
    return Definitions(SERVICE_LEVEL_S if level is None else float(level), float(short or 0))


def weekly(table: pd.DataFrame) -> dict[str, int]:
    """Returns the completed contacts of a table of observations by ISO week (UTC), for example ``2026-W47``.

    A contact is completed when it was served, by a person or without one; nobody is asked in one that came to nothing.
    """
    import pandas as pd

    done = table[table["outcome"].isin(COMPLETED) & table["certain"] & (table["started_utc"] != "")]
    if done.empty:
        return {}
    calendar = pd.to_datetime(done["started_utc"], utc=True, format="ISO8601").dt.isocalendar()
    weeks = calendar["year"].astype(str) + "-W" + calendar["week"].astype(str).str.zfill(2)
    return {str(week): int(n) for week, n in weeks.value_counts().sort_index().items()}
