"""What a check found: a state, figures in words and as data, and the cure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scenarios.errors import InputError, PolicyRefused, ShopperError
from scenarios.model import Text

Figure = float | int | str | bool | None | list[str]


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One result. ``exit_code`` is what a failure makes of the command: 2 a file is wrong, 3 the policy refuses."""

    state: State
    found: Text
    cure: Text | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    exit_code: int = 1


def ok(zh: str, en: str, **figures: Figure) -> Finding:
    """Returns a finding that needs nothing done."""
    return Finding(State.OK, Text(zh=zh, en=en), figures=figures)


def skipped(zh: str, en: str) -> Finding:
    """Returns a finding of a check that had nothing to look at."""
    return Finding(State.SKIPPED, Text(zh=zh, en=en))


def warn(found: Text, cure: Text, **figures: Figure) -> Finding:
    """Returns a finding that an audit survives, at a price that ``found`` names."""
    return Finding(State.WARN, found, cure, figures)


def fail(found: Text, cure: Text, **figures: Figure) -> Finding:
    """Returns a finding that an audit does not survive."""
    return Finding(State.FAIL, found, cure, figures)


def of_error(error: ShopperError, cure: Text) -> Finding:
    """Returns the failure that an error of the tree amounts to; its sentence is English and names place and cure."""
    code = error.exit_code if isinstance(error, InputError | PolicyRefused) else 1
    return Finding(State.FAIL, Text(zh=str(error), en=str(error)), cure, exit_code=code)
