"""The defects of the schemes' texts: what each leaves open, the reading taken by default, its switch, its warning.

The catalogue is ``scoring/defects.yaml``; a scheme's file says which of them it has and when each applies. A switch is
turned in the ``readings:`` block of the inputs, by its key, for example ``star.reading: B``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, RootModel, model_validator

from scenarios.errors import InputsError, SchemeError
from scenarios.model import Strict, Text
from scenarios.yaml_file import load

CATALOGUE = Path(__file__).parent / "defects.yaml"

_NUMBER = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?")

Kind = Literal["choice", "flag", "number", "text", "table"]
Value = str | bool | Fraction | dict[str, Any] | None


class Switch(Strict):
    """One key of the ``readings:`` block. ``choices`` are those of a choice; ``default`` is None for "not given".

    ``statement`` is how the scorecard words what is given for a switch that changes no number; it holds ``{value}``.
    """

    key: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$|^[a-z0-9_]+$")
    kind: Kind
    default: str | bool | float | None = None
    choices: tuple[str, ...] = ()
    about: Text
    statement: Text | None = None

    @model_validator(mode="after")
    def _sound(self) -> Switch:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError(f"{self.key}: a choice, and only a choice, lists its choices")
        if self.choices and self.default not in self.choices:
            raise ValueError(f"{self.key}: the default is not among the choices")
        return self

    def read(self, given: Any) -> Value:
        """Returns the value that was given for the switch, in its own type.

        Raises:
            ValueError: it is of another type, or no choice of this switch.
        """
        match self.kind:
            case "choice" if str(given) in self.choices:
                return str(given)
            case "choice":
                raise ValueError(f"{self.key} is one of: {', '.join(self.choices)}; not {given}")
            case "flag" if isinstance(given, bool):
                return given
            case "flag":
                raise ValueError(f"{self.key} is true or false, not {given}")
            case "number" if given is None:
                return None
            case "number" if not isinstance(given, bool) and _NUMBER.fullmatch(str(given)):
                return Fraction(str(given))
            case "number":
                raise ValueError(f"{self.key} is a number, not {given}")
            case "table" if isinstance(given, dict):
                return given
            case "table":
                raise ValueError(f"{self.key} is a mapping, not {given}")
            case "text" if isinstance(given, (dict, list)):
                raise ValueError(f"{self.key} is a text, not {given}")
        return None if given is None else str(given)


class Defect(Strict):
    """One defect. ``reading`` is the default one in words; ``warning`` may hold placeholders in braces.

    ``instead`` are its words where those of ``warning`` would not be true, by the name of what is so.
    """

    code: str = Field(pattern=r"^[XTZ][0-9]{2}$")
    where: str
    problem: Text
    reading: Text
    switches: tuple[Switch, ...] = ()
    warning: Text
    instead: dict[str, Text] = Field(default_factory=dict)


class _Catalogue(RootModel[tuple[Defect, ...]]):
    """The whole file."""


@cache
def defects() -> dict[str, Defect]:
    """Returns every known defect by its code."""
    found = load(CATALOGUE, _Catalogue, SchemeError).root
    return {defect.code: defect for defect in found}


@cache
def switches() -> dict[str, Switch]:
    """Returns every switch by its key; a key that two defects share is one switch."""
    return {switch.key: switch for defect in defects().values() for switch in defect.switches}


class Readings:
    """The switches as they stand for one scoring: what was given, and the default for the rest."""

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        """Takes the ``readings:`` block.

        Raises:
            InputsError: a key is unknown or a value is not one of its switch's.
        """
        self.given: dict[str, Value] = {}
        for key, value in (given or {}).items():
            switch = switches().get(key)
            if switch is None:
                near = difflib.get_close_matches(key, switches(), n=1)
                hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(sorted(switches()))}"
                raise InputsError(f"readings: there is no switch {key}", cure=hint)
            try:
                self.given[key] = switch.read(value)
            except ValueError as error:
                raise InputsError(f"readings: {error}", cure=switch.about.en) from error

    def __getitem__(self, key: str) -> Value:
        """Returns how the switch stands."""
        if key in self.given:
            return self.given[key]
        default = switches()[key].default
        return Fraction(repr(default)) if isinstance(default, float) else default

    def text(self, key: str) -> str:
        """Returns a choice or a text."""
        return str(self[key])

    def flag(self, key: str) -> bool:
        """Returns a flag."""
        return bool(self[key])

    def number(self, key: str) -> Fraction | None:
        """Returns a number, or None where none was given."""
        found = self[key]
        return found if isinstance(found, Fraction) else None

    def table(self, key: str) -> dict[str, Any]:
        """Returns a table, empty where none was given."""
        found = self[key]
        return found if isinstance(found, dict) else {}

    def shown(self, key: str) -> str:
        """Returns how a switch stands, in words that do not depend on the order things were written in."""
        found = self[key]
        if isinstance(found, dict):
            return json.dumps(found, ensure_ascii=False, sort_keys=True, default=str)
        return f"{float(found):g}" if isinstance(found, Fraction) else str(found)

    def turned(self, defect: Defect) -> bool:
        """Whether one of the defect's switches is not at its default."""
        return any(self.turned_key(switch.key) for switch in defect.switches)

    def turned_key(self, key: str) -> bool:
        """Whether a switch is not at its default."""
        return key in self.given and self.given[key] != Readings()[key]
