"""Paths into JSON: ``activities[*].from.id``, ``choices[0].delta``, ``data["odd key"][-1]``; ``$`` is the whole.

A path finds a list of values: ``[*]`` takes each element of a list or each value of a mapping, a key or an index that
is not there finds nothing. That is all there is; there are no filters and no arithmetic.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

Step = str | int | None  # a key, an index, each

_STEP = re.compile(r"""\.?(?P<key>[^\W\d][\w-]*)|\[(?P<index>-?\d{1,6})\]|\[(?P<each>\*)\]|\["(?P<odd>[^"]*)"\]""")


@lru_cache(maxsize=1024)
def parse(path: str) -> tuple[Step, ...]:
    """Returns the steps of ``path``.

    Raises:
        ValueError: it is not a path.
    """
    at = 1 if path.startswith("$") else 0
    steps: list[Step] = []
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (found["key"] is not None and found[0][0] != "." and at > 0):
            raise ValueError(f"not a path: '{path}'; write keys as a.b, elements as [0], [-1] or [*], all of it as $")
        if found["key"] is not None:
            steps.append(found["key"])
        elif found["odd"] is not None:
            steps.append(found["odd"])
        else:
            steps.append(None if found["each"] else int(found["index"]))
        at = found.end()
    if not path:
        raise ValueError("a path must not be empty; $ is the whole document")
    return tuple(steps)


def find(document: Any, path: str) -> list[Any]:
    """Returns every value at ``path``; nothing where there is none."""
    found = [document]
    for step in parse(path):
        found = [value for inside in found for value in _take(inside, step)]
    return found


def first(document: Any, path: str | None) -> Any:
    """Returns the first value at ``path`` that is not null, or None."""
    return None if path is None else next((value for value in find(document, path) if value is not None), None)


def _take(inside: Any, step: Step) -> list[Any]:
    if step is None:
        return list(inside.values()) if isinstance(inside, dict) else inside if isinstance(inside, list) else []
    if isinstance(step, str):
        return [inside[step]] if isinstance(inside, dict) and step in inside else []
    return [inside[step]] if isinstance(inside, list) and -len(inside) <= step < len(inside) else []


def _checked(path: str) -> str:
    parse(path)
    return path


JsonPath = Annotated[str, AfterValidator(_checked)]
