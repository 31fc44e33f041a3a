"""Templates: text with ``${name}`` in it, and whole structures of such text. ``$${`` stands for ``${`` itself.

Where a string is one name and nothing else, the value keeps its type, so a saved number stays a number.
``${env:NAME}`` is the value of an environment variable: the only way a secret comes in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scenarios.errors import HarnessFault

BUILT_IN = frozenset({"text", "line", "session", "message", "number", "lang", "now"})
SHORTEST_SECRET = 6  # what is shorter cannot be told from ordinary words when it is scrubbed

_NAME = re.compile(r"(\$?)\$\{([^{}]*)\}")
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]{0,63})")


def names(template: Any) -> Iterator[str]:
    """Yields the names used in a template, wherever they stand in it."""
    if isinstance(template, str):
        yield from (name for escaped, name in _NAME.findall(template) if not escaped)
    elif isinstance(template, Mapping):
        for key, value in template.items():
            yield from names(key)
            yield from names(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from names(value)


def mistake(name: str, saved: frozenset[str]) -> str | None:
    """Says what is wrong with a name in a template; None if nothing is. ``saved``: names that answers fill in."""
    if _ENV.fullmatch(name) or name in BUILT_IN | saved:
        return None
    return f"'${{{name}}}' is nothing that is known here"


def secrets_of(template: Any) -> dict[str, str]:
    """Reads every environment variable that a template names.

    Raises:
        HarnessFault: one is not set, or too short to be kept out of the evidence.
    """
    found = {name: _ENV.fullmatch(name) for name in names(template)}
    return {name: secret(match[1]) for name, match in found.items() if match is not None}


def secret(variable: str) -> str:
    """Returns the value of an environment variable, or the content of the file that ``variable``_FILE names.

    Raises:
        HarnessFault: neither is there, or the value is too short to be kept out of the evidence.
    """
    value, path = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if value is None and path is not None:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessFault(f"the file that {variable}_FILE names cannot be read") from error
    if not value:
        raise HarnessFault(f"the environment variable {variable} is not set; the interface needs it")
    if len(value) < SHORTEST_SECRET:
        raise HarnessFault(f"{variable} is shorter than {SHORTEST_SECRET} characters, so it could not be scrubbed")
    return value


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Returns ``template`` with every name replaced.

    Raises:
        HarnessFault: a name has no value yet: the answer that should have held it did not.
    """
    if isinstance(template, str):
        whole = _NAME.fullmatch(template)
        if whole is not None and not whole[1]:
            return _value(whole[2], values)
        return _NAME.sub(lambda m: m[0][1:] if m[1] else str(_value(m[2], values)), template)
    if isinstance(template, Mapping):
        return {str(fill(key, values)): fill(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill(value, values) for value in template]
    return template


def fill_url(template: str, values: Mapping[str, Any]) -> str:
    """Returns a URL; values are quoted, so that none can lead to another place.

    Raises:
        HarnessFault: as :func:`fill`; or a value is ``.`` or ``..``.
    """

    def quoted(match: re.Match[str]) -> str:
        value = str(_value(match[2], values))
        if value in (".", ".."):
            raise HarnessFault(f"'{value}' cannot stand in an address")
        return quote(value, safe="")

    return _NAME.sub(lambda m: m[0][1:] if m[1] else quoted(m), template)


def blank_url(template: str) -> str:
    """Returns a URL as the policy may look at it: each name is one letter."""
    return _NAME.sub("x", template)


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if values.get(name) is None:
        raise HarnessFault(f"there is no value for '${{{name}}}': no answer of the interface has held it")
    return values[name]


def is_name(name: str) -> bool:
    """Says whether a value can be saved under ``name``."""
    return bool(_PLAIN.fullmatch(name)) and name not in BUILT_IN
