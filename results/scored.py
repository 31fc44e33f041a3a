"""Which sessions an indicator of the scheme counts, asked of the formulas themselves.

A formula counts a session if the metrics of that session alone have it in their n. Rates and waits are sums over
sessions, so that is true of the whole table too; nothing of the formulas is repeated here.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

from scoring.measures import MEASURES
from scoring.metrics import compute
from scoring.observations import NOT_VALID
from scoring.scheme import Scheme

NAMES = ["run", "attempt", "scenario", "entry", "started_utc", "reason", "review"]  # no formula looks at these
UNKNOWN = -9.0


class Standing(StrEnum):
    """What became of a valid session in scoring."""

    SCORED = "scored"
    NEEDS_REVIEW = "needs_review"  # no indicator counts it, and a person must look at it: then one may
    NO_INDICATOR = "no_indicator"  # no indicator of the scheme looks at such a session


def standings(table: pd.DataFrame, scheme: Scheme) -> dict[str, Standing]:
    """Returns the standing of each valid session of a table of observations under a scheme, by attempt id."""
    ids = {indicator.metric for _, indicator in scheme.indicators() if indicator.metric is not None}
    channels = {MEASURES[id_].channel for id_ in ids}
    valid = table[~table["outcome"].isin(NOT_VALID)]
    return {
        str(attempt): _standing(str(channel), bool(review), counted, channels)
        for attempt, channel, review, counted in zip(
            valid["attempt"], valid["channel"], valid["needs_review"], _counted(valid, ids), strict=True
        )
    }


def _standing(channel: str, review: bool, counted: bool, channels: set[str]) -> Standing:
    if counted:
        return Standing.SCORED
    return Standing.NEEDS_REVIEW if review and channel in channels else Standing.NO_INDICATOR


def _counted(valid: pd.DataFrame, ids: set[str]) -> list[bool]:
    """Says of each row whether one of the measures ``ids`` counts it. Rows of the same kind are asked about once."""
    known: dict[tuple[object, ...], bool] = {}
    answers = []
    kinds = valid.drop(columns=NAMES)
    for column in kinds.select_dtypes("float64"):
        kinds[column] = np.sign(kinds[column]).fillna(UNKNOWN)
    for place, kind in enumerate(kinds.itertuples(index=False, name=None)):
        if kind not in known:
            metrics = compute(valid.iloc[[place]])
            known[kind] = any((found := metrics.rate_or_wait(id_)) is not None and found.n > 0 for id_ in ids)
        answers.append(known[kind])
    return answers
