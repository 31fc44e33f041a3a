"""From the rows of the ledger to the flow table: each attempt goes as far as it got, and is lost there for one reason.

Every attempt lands in exactly one place, so the table adds up by construction (:mod:`results.flow_table`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from harness.ledger.rows import Attempt, Pause, State
from results.flow_table import STAGES, FlowTable, Loss, Stage
from results.scored import Standing
from scoring.observations import NOT_VALID

VARYING = re.compile(r"\d(?:[\d.,:/T+Z-]*\d)?Z?")
QUOTED = re.compile(r"“[^”]*”")


def flow(
    attempts: Sequence[Attempt],
    sessions: Mapping[str, Standing],
    now: datetime,
    pauses: Collection[Pause] = (),
) -> FlowTable:
    """Returns the flow table of ``attempts`` as of ``now`` (aware).

    Args:
        attempts: the rows of one campaign, or of several.
        sessions: what became of each valid session in scoring, by attempt id; what is not in it is not scored yet.
        now: the instant up to which an attempt is due.
        pauses: those in force: what waits for them says so.
    """
    counts = dict.fromkeys(STAGES, 0)
    lost: Counter[tuple[Stage, str, str]] = Counter()
    examples: dict[tuple[Stage, str, str], set[str]] = defaultdict(set)
    paused = {pause.entry for pause in pauses}
    for attempt in attempts:
        reached, kind = _place(attempt, sessions.get(attempt.id), now, paused)
        for stage in STAGES[: reached + 1]:
            counts[stage] += 1
        if kind:
            reason = (
                QUOTED.sub("“…”", attempt.reason) if attempt.state is State.ENDED and kind == attempt.outcome else ""
            )
            group = (STAGES[reached + 1], kind, VARYING.sub("…", reason))
            lost[group] += 1
            examples[group].add(reason)
    losses = [
        Loss(stage=stage, kind=kind, reason=min(examples[group]) if len(examples[group]) == 1 else pattern, n=n)
        for group, n in lost.items()
        for stage, kind, pattern in [group]
    ]
    losses.sort(key=lambda loss: (STAGES.index(loss.stage), not loss.pending, -loss.n, loss.kind, loss.reason))
    replacements = sum(attempt.replaces is not None for attempt in attempts)
    return FlowTable(
        at=now,
        by_plan=len(attempts) - replacements,
        replacements=replacements,
        counts=counts,
        losses=tuple(losses),
    )


def _place(
    attempt: Attempt, standing: Standing | None, now: datetime, paused: Collection[str | None]
) -> tuple[int, str]:
    """Returns the last stage that the attempt reached, as its place in STAGES, and why it went no further."""
    if attempt.state is State.DUE:
        if attempt.due > now:
            return 0, "to_come"
        if attempt.until is not None and attempt.until < now:
            return 1, "overdue"
        return 1, "paused" if None in paused or attempt.entry in paused else "waiting"
    if attempt.state is not State.ENDED:
        return 2, "under_way"
    assert attempt.outcome is not None  # the ledger takes no end without one
    outcome = attempt.outcome
    if attempt.claimed is None:
        return (0 if attempt.ended is not None and attempt.ended < attempt.due else 1), outcome
    if outcome == "NET_FAIL" or (outcome in NOT_VALID and not attempt.connected):
        return 2, outcome
    if outcome in NOT_VALID:
        return 3, outcome
    if standing is Standing.SCORED:
        return 5, ""
    return 4, "not_yet_scored" if standing is None else str(standing)
