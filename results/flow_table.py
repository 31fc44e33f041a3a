"""The flow table: how many attempts reached each stage, and why the others did not. It always adds up.

::

    planned      every attempt: those of the plan, and their replacements
    due          its instant came
    dispatched   claimed in the ledger, so that it may be dialled, once
    connected    the centre was reached: its page was ready, its menu, its queue or a person was there
    valid        and the session says something about the centre: no fault of ours ended it
    scored       and an indicator of the scheme counts it

A network failure (NET_FAIL) is lost before ``connected``; it is valid all the same in the rate of network failures.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Literal, get_args

from pydantic import Field, model_validator

from probes.session import Record
from scoring.observations import OUTCOMES

Stage = Literal["planned", "due", "dispatched", "connected", "valid", "scored"]
STAGES: tuple[Stage, ...] = get_args(Stage)
PENDING = ("to_come", "paused", "overdue", "waiting", "under_way", "not_yet_scored")
"""What is no loss yet: it may still reach the stage. ``overdue``: its window has passed, and no runner has noted it."""
UNSCORED = ("needs_review", "no_indicator")
KINDS = (*PENDING, *OUTCOMES, *UNSCORED)


class Loss(Record):
    """So many attempts did not reach ``stage``. ``kind`` is one of KINDS, ``reason`` a sentence or empty."""

    stage: Stage
    kind: str
    reason: str = ""
    n: int = Field(gt=0)

    @property
    def pending(self) -> bool:
        """Whether these may still reach the stage."""
        return self.kind in PENDING


class FlowTable(Record):
    """The counts of the stages and the losses between them, as of ``at`` (UTC).

    ``counts[stage] - counts[next stage] == sum of the losses at the next stage``; a table that does not add up is
    refused. ``planned`` are ``by_plan`` and ``replacements``.
    """

    format: Literal[1] = 1
    at: datetime
    by_plan: int = Field(ge=0)
    replacements: int = Field(ge=0)
    counts: dict[Stage, int]
    losses: tuple[Loss, ...] = ()

    @model_validator(mode="after")
    def _adds_up(self) -> FlowTable:
        if tuple(self.counts) != STAGES:
            raise ValueError(f"its stages must be {', '.join(STAGES)}")
        if self.by_plan + self.replacements != self.counts["planned"]:
            raise ValueError("by_plan and replacements do not add up to planned")
        for stage, following in itertools.pairwise(STAGES):
            if self.counts[stage] != self.counts[following] + sum(loss.n for loss in self.at_stage(following)):
                raise ValueError(f"from {stage} to {following} it does not add up")
        unknown = {loss.kind for loss in self.losses} - set(KINDS)
        if unknown:
            raise ValueError(f"unknown kinds of loss: {', '.join(sorted(unknown))}")
        return self

    def at_stage(self, stage: Stage) -> tuple[Loss, ...]:
        """Returns why attempts of the stage before did not reach ``stage``."""
        return tuple(loss for loss in self.losses if loss.stage == stage)
