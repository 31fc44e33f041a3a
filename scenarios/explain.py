"""Turns one complaint of pydantic into a sentence with a place and a cure."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from scenarios.yaml_file import Path_, Place

_SENTENCES = {
    "string_type": ("must be text", "put it between quotes"),
    "int_type": ("must be a whole number", "write digits without quotes"),
    "int_parsing": ("must be a whole number", "write digits without quotes"),
    "int_from_float": ("must be a whole number", "leave out the fraction"),
    "float_type": ("must be a number", "write digits without quotes"),
    "float_parsing": ("must be a number", "write digits without quotes"),
    "finite_number": ("must be a finite number", "write digits"),
    "bool_type": ("must be true or false", "write true or false without quotes"),
    "bool_parsing": ("must be true or false", "write true or false without quotes"),
    "tuple_type": ("must be a list", "write [a, b], or one '- item' a line"),
    "list_type": ("must be a list", "write [a, b], or one '- item' a line"),
    "string_too_short": ("must not be empty", "write something"),
    "datetime_from_date_parsing": ("must be a date", "write 2026-01-31 or 2026-01-31T09:00:00+08:00"),
    "datetime_parsing": ("must be a date", "write 2026-01-31 or 2026-01-31T09:00:00+08:00"),
    "timezone_aware": ("must say its time zone", "write 2026-01-31T09:00:00+08:00"),
}


@dataclass(frozen=True)
class Complaint:
    """One mistake, ready to print."""

    message: str
    place: Place
    cure: str | None
    missing: bool = False

    @property
    def order(self) -> tuple[bool, int, int]:
        """Where it is told among others: by place, but a missing key, perhaps only misspelt, after all others."""
        return self.missing, self.place.line, self.place.column


def explain(
    item: ErrorDetails, model: type[BaseModel], keys: Mapping[Path_, Place], values: Mapping[Path_, Place]
) -> Complaint:
    """Explains one item of ``ValidationError.errors()``.

    Args:
        item: the complaint.
        model: the model of the whole file.
        keys: where each key stands.
        values: where each value stands; always holds the root, ``()``.
    """
    path: Path_ = ()
    for part in item["loc"]:  # pydantic puts names of union members between the keys: these are passed over
        if (*path, part) in values:
            path = (*path, part)
    kind, context = item["type"], item.get("ctx", {})
    name = f"'{_dotted(path)}'" if path else "the file"
    if kind == "extra_forbidden":
        return Complaint(f"unknown key '{path[-1]}'", keys[path], _nearest(str(path[-1]), _allowed(model, path[:-1])))
    if kind == "missing":
        key = item["loc"][-1]
        where = f" in {name}" if path else ""
        return Complaint(f"key '{key}' is missing{where}", values[path], f"add '{key}: ...'", missing=True)
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        allowed = _allowed(model, path)
        cure = f"its keys are: {', '.join(allowed)}" if allowed else "write 'key: value'"
        return Complaint(f"{name} must be a mapping", values[path], cure)
    if kind == "value_error":
        return Complaint(f"{name}: {context['error']}", values[path], None)
    if kind == "literal_error":
        choices = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
        return Complaint(f"{name} must be one of: {', '.join(choices)}", values[path], _guess(item["input"], choices))
    if kind in _SENTENCES:
        sentence, cure = _SENTENCES[kind]
        return Complaint(f"{name} {sentence}", values[path], cure)
    if kind == "string_pattern_mismatch":
        return Complaint(f"{name} must match {context['pattern']}", values[path], f"it is '{item['input']}'")
    after = kind == "too_short"  # perhaps only because what stands there is wrong: that is told first
    return Complaint(f"{name}: {item['msg'].replace('Input should', 'must')}", values[path], None, missing=after)


def _dotted(path: Path_) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _guess(given: object, choices: list[str]) -> str:
    near = difflib.get_close_matches(str(given), choices, n=1)
    return f"did you mean '{near[0]}'?" if near else f"it is '{given}'"


def _nearest(key: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(key, allowed, n=1)
    listed = f"allowed here: {', '.join(allowed)}"
    return f"did you mean '{near[0]}'? {listed}" if near else listed


def _allowed(model: Any, path: Path_) -> list[str]:
    """Returns the keys that the mapping at ``path`` may have, by walking the model's annotations."""
    found = _models(model)
    for part in path:
        inner: list[Any] = []
        for kind in found:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                info = kind.model_fields.get(str(part))
                inner += _models(info.annotation) if info else []
            else:
                inner += [each for argument in get_args(kind)[-2:] for each in _models(argument)]
        found = inner
    return [
        info.alias or name
        for kind in found
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, info in kind.model_fields.items()
    ]


def _models(annotation: Any) -> list[Any]:
    """Returns the models and containers within an annotation, unions and Annotated undone."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _models(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin is Annotated:
        return _models(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [found for each in get_args(annotation) for found in _models(each)]
    return [annotation] if origin in (dict, tuple, list) else []
