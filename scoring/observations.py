"""Observations: one session as one flat row. The contract between probing and scoring.

A row holds what the formulas of the schemes need and nothing else; scoring reads only this table. Times are seconds,
ratios are fractions; a missing value is NaN (or an empty string), never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from scenarios.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2  # 1 had no columns ``certain`` (all were) and ``substantive_p50_s``

OUTCOMES = (
    "ANSWERED", "LIMIT", "DROPPED", "CALLBACK", "IVR_SERVED", "IVR_FAIL",
    "NET_FAIL", "BLOCKED", "MISSED", "INVALID", "LOST",
)  # fmt: skip
OFFERED = ("ANSWERED", "LIMIT", "DROPPED", "CALLBACK")  # reached the queue: the denominator of 接通率 (X15)
NOT_VALID = ("BLOCKED", "MISSED", "INVALID", "LOST")  # says nothing about the centre
ALLOWED = {
    "channel": ("voice", "chat"),
    "outcome": OUTCOMES,
    "resolution": ("resolved", "not_resolved", "unknown"),
    "resolved_by": ("ivr", "bot", "agent", "none"),
    "format": (1, FORMAT),
}


@dataclass(frozen=True)
class Column:
    """One column: its pandas dtype and what it holds."""

    name: str
    dtype: str
    about: str


COLUMNS: tuple[Column, ...] = (
    Column("run", "str", "run id"),
    Column("attempt", "str", "attempt id, unique in the run"),
    Column("scenario", "str", "scenario id, e.g. S01"),
    Column("channel", "str", "voice | chat"),
    Column("entry", "str", "the target's line or chat entry"),
    Column("started_utc", "str", "ISO 8601, UTC"),
    Column("outcome", "str", "one of OUTCOMES"),
    Column("reason", "str", "why, in words"),
    Column("asked_human", "bool", "a human was asked for (t_request exists)"),
    Column("queued", "bool", "the queue was reached (t_queue exists)"),
    Column("answered", "bool", "a human came (outcome ANSWERED)"),
    Column("queue_limit_s", "float64", "L: how long the shopper was prepared to wait in the queue"),
    Column("setup_s", "float64", "voice: INVITE to the first 18x/200; chat: navigation to a ready widget"),
    Column("t_request_s", "float64", "asked for a human, since the session's start"),
    Column("t_queue_s", "float64", "queue entry"),
    Column("t_answer_s", "float64", "agent connected"),
    Column("t_first_word_s", "float64", "the agent's own first word or message"),
    Column("t_end_s", "float64", "the session's end"),
    Column("wait_s", "float64", "t_answer - t_queue"),
    Column("wait_u_s", "float64", "standard uncertainty of wait_s"),
    Column("wait_request_s", "float64", "t_answer - t_request"),
    Column("wait_first_word_s", "float64", "t_first_word - t_queue"),
    Column("in_queue_s", "float64", "time in the queue when it ended without an answer (censored or dropped)"),
    Column("talk_s", "float64", "t_end - t_answer: a lower bound of handling time (after-call work cannot be seen)"),
    Column("first_response_s", "float64", "chat: our first message to the first reply, by anyone but the system"),
    Column("handoff_s", "float64", "chat: t_request to the human's joining (or first message)"),
    Column("reply_p50_s", "float64", "median over turns of the time from our words to the start of the reply"),
    Column("substantive_p50_s", "float64", "the same to the first reply that does more than ask for patience"),
    Column("transfers", "float64", "times we were put through to someone else"),
    Column("resolution", "str", "resolved | not_resolved | unknown"),
    Column("resolved_by", "str", "ivr | bot | agent | none"),
    Column("facts_expected", "float64", "facts the client confirmed and the script asked for"),
    Column("facts_right", "float64", ""),
    Column("facts_wrong", "float64", ""),
    Column("facts_unknown", "float64", "not heard, or heard and not understood: for review"),
    Column("certain", "bool", "no: a person must decide what it was; it is in no rate and no wait until then"),
    Column("needs_review", "bool", "a person should look at it"),
    Column("review", "str", "why it needs review; reasons parted by '; '"),
    Column("format", "int64", "format of this table"),
)


def _typed(values: pd.Series[Any], dtype: str) -> pd.Series[Any]:
    """Returns ``values`` as ``dtype``. A missing yes or no is refused: pandas would call it a yes."""
    import numpy as np

    if dtype == "str":
        if values.dtype == "str" and not values.hasnans:
            return values
        return values.astype("object").where(values.notna(), "").astype("str")
    if dtype == "bool" and values.dtype != "bool" and not values.isin([True, False]).all():
        raise ValueError("neither yes nor no somewhere")
    typed = values.astype(cast("Any", dtype))
    if dtype == "float64" and np.isinf(typed.to_numpy()).any():
        raise ValueError("infinite somewhere")
    return typed


def validate(table: pd.DataFrame) -> pd.DataFrame:
    """Checks a table of observations and returns it with the documented columns, types and order.

    A column that has its type already is shared with ``table``, not copied; writing to either leaves the other alone.

    Raises:
        RunError: a column is missing or unknown, a value is unknown, an attempt occurs twice, or a type is wrong.
    """
    import pandas as pd

    names = [column.name for column in COLUMNS]
    if "certain" not in table and "format" in table and (table["format"] == 1).all():
        table = table.assign(certain=True, substantive_p50_s=float("nan"))
    missing, extra = set(names) - set(table.columns), set(table.columns) - set(names)
    if missing or extra:
        raise RunError(
            f"observations: columns missing {sorted(missing)}, unknown {sorted(extra)}",
            cure="write the table with this version, or convert it",
        )
    typed = {}
    for column in COLUMNS:
        try:
            typed[column.name] = _typed(table[column.name], column.dtype)
        except (TypeError, ValueError) as error:
            raise RunError(f"observations: column {column.name} is not {column.dtype}: {error}") from error
    for name, allowed in ALLOWED.items():
        unknown = set(typed[name].unique()) - set(allowed)
        if unknown:
            raise RunError(f"observations: unknown {name} {sorted(unknown)}")
    twice = typed["attempt"][typed["attempt"].duplicated()].tolist()
    if twice:
        raise RunError(f"observations: attempt occurs twice: {twice[:5]}")
    return pd.DataFrame(typed, index=table.index, copy=False)
