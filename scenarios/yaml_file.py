"""Reading the user's YAML 1.2 files: data only, and every mistake told with its line, its column and its cure.

The file is read as a stream of parser events and built here, so that nothing but plain data can come of it: tags,
anchors and aliases, duplicate keys, several documents and deep nesting are refused. A plain number keeps its own
spelling (:class:`Number`), so ``dtmf: 012`` stays ``012``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from scenarios.errors import InputError, ScenarioError
from scenarios.explain import explain

MAX_BYTES = 1_000_000
MAX_DEPTH = 40

M = TypeVar("M", bound=BaseModel)
Path_ = tuple[str | int, ...]

# The core schema of YAML 1.2 (10.3.2).
_NULL = re.compile(r"(~|null|Null|NULL|)\Z")
_TRUE, _FALSE = re.compile(r"(true|True|TRUE)\Z"), re.compile(r"(false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]{1,300}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")


class Number(int):
    """A whole number that remembers how it was written."""

    spelling: str

    def __new__(cls, spelling: str) -> Number:
        """Makes the number written as ``spelling`` (decimal digits, perhaps a sign)."""
        number = super().__new__(cls, spelling)
        number.spelling = spelling
        return number


@dataclass(frozen=True)
class Place:
    """A position in a file; both count from 1."""

    line: int
    column: int


@dataclass
class Document:
    """The plain data of one file, and where each key and each value stands."""

    data: Any
    keys: dict[Path_, Place] = field(default_factory=dict)
    values: dict[Path_, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A file that was read: the model, and which bytes it came from."""

    model: M
    path: Path
    sha256: str
    values: Mapping[Path_, Place] = field(repr=False)

    def place(self, *key: str | int) -> Place:
        """Returns where the value at ``key`` stands, or the nearest mapping around it, for mistakes found later."""
        return next(self.values[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.values)


class _FileError(Exception):
    """A mistake at a known place of the file being read."""

    def __init__(self, message: str, place: Place | None = None, cure: str | None = None) -> None:
        super().__init__(message)
        self.message, self.place, self.cure = message, place, cure


def sha256(path: str | Path) -> str:
    """Returns the SHA-256 of a file's bytes in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load(path: str | Path, model: type[M], error: type[InputError] = ScenarioError) -> M:
    """Reads one file into ``model``.

    Args:
        path: a YAML 1.2 file, UTF-8, at most 1 MB.
        model: the pydantic model it must fit.
        error: the class of the error raised.

    Raises:
        InputError: of class ``error``; the first mistake in the file, with its line, column and cure.
    """
    return load_with_hash(path, model, error).model


def load_with_hash(path: str | Path, model: type[M], error: type[InputError] = ScenarioError) -> Loaded[M]:
    """Reads one file as :func:`load` does; the hash is that of the very bytes that were read."""
    loaded, problems = _read(Path(path), model, error)
    if loaded is None:
        raise problems[0]
    return loaded


def load_many(
    paths: Iterable[str | Path], model: type[M], error: type[InputError] = ScenarioError
) -> tuple[list[Loaded[M]], list[InputError]]:
    """Reads many files and returns those that are right and every mistake of those that are not."""
    good: list[Loaded[M]] = []
    problems: list[InputError] = []
    for path in paths:
        loaded, mistakes = _read(Path(path), model, error)
        problems += mistakes
        if loaded is not None:
            good.append(loaded)
    return good, problems


def _read(path: Path, model: type[M], error: type[InputError]) -> tuple[Loaded[M] | None, list[InputError]]:
    try:
        content = _bytes(path)
        document = _document(_text(content))
    except _FileError as mistake:
        place = mistake.place
        where = (place.line, place.column) if place else (None, None)
        return None, [error(mistake.message, file=path, line=where[0], column=where[1], cure=mistake.cure)]
    try:
        made = model.model_validate(document.data)
    except ValidationError as wrong:
        found = [explain(item, model, document.keys, document.values) for item in wrong.errors(include_url=False)]
        found.sort(key=lambda item: item.order)
        return None, [
            error(item.message, file=path, line=item.place.line, column=item.place.column, cure=item.cure)
            for item in dict.fromkeys(found)
        ]
    return Loaded(made, path, hashlib.sha256(content).hexdigest(), document.values), []


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise _FileError("there is no such file", cure="check the path")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _FileError(f"the file cannot be read: {problem.strerror}", cure="check its permissions") from problem
    if len(content) > MAX_BYTES:
        raise _FileError("the file is larger than 1 MB", cure="split it, or check that it is the right file")
    return content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        column = problem.start - content.rfind(b"\n", 0, problem.start)
        raise _FileError("the file is not UTF-8", Place(line, column), "save it as UTF-8") from problem


def _document(text: str) -> Document:
    document = Document(None)
    try:
        events = iter(YAML(typ="safe", pure=True).parse(StringIO(text)))
        started = False
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if started:
                    raise _FileError("the file holds more than one document", _place(event), "keep one, remove '---'")
                started = True
                document.data = _build(next(events), events, document, ())
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else None
        what = " ".join(str(problem.problem or problem.context).split())
        raise _FileError(f"this is not YAML: {what}", place, _syntax_cure(what)) from problem
    except ReaderError as problem:
        before = text[: problem.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _FileError("the file holds a control character", place, "remove it") from problem
    if not started or document.data is None:
        raise _FileError("the file is empty", Place(1, 1), "fill it in; 'shopper init DIR' writes files to start from")
    return document


def _syntax_cure(what: str) -> str:
    if "\\t" in what or "tab" in what:
        return "indent with spaces, not tabs"
    return "check indentation and quotes; put text with ': ', '#', '*', '&' or '%' between quotes"


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _build(event: Any, events: Iterator[Any], document: Document, path: Path_) -> Any:
    """Builds the value that begins with ``event``, taking its further events from ``events``."""
    place = _place(event)
    document.values[path] = place
    if isinstance(event, AliasEvent) or event.anchor is not None:
        raise _FileError(
            "anchors and aliases (& and *) are not allowed", place, "write it out, or put it between quotes"
        )
    if event.tag is not None:
        raise _FileError("tags (!) are not allowed", place, "remove the tag, or put the text between quotes")
    if len(path) > MAX_DEPTH:
        raise _FileError("the file is nested too deeply", place, f"use at most {MAX_DEPTH} levels")
    if isinstance(event, MappingStartEvent):
        return _mapping(events, document, path)
    if isinstance(event, SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(_build(event, events, document, (*path, len(items))))
        return items
    assert isinstance(event, ScalarEvent)
    return event.value if event.style else _plain(event.value)


def _mapping(events: Iterator[Any], document: Document, path: Path_) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    while not isinstance(event := next(events), MappingEndEvent):
        if not isinstance(event, ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise _FileError("a key must be plain text", _place(event), "write 'key: value'")
        key = str(event.value)
        if key in mapping:
            first = document.keys[(*path, key)]
            cure = f"it already stands in line {first.line}; remove one of the two"
            raise _FileError(f"key '{key}' occurs twice", _place(event), cure)
        document.keys[(*path, key)] = _place(event)
        mapping[key] = _build(next(events), events, document, (*path, key))
    return mapping


def _plain(text: str) -> Any:
    """Reads an unquoted scalar by the core schema; what is no null, truth value or decimal number is text."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text) or _FALSE.match(text):
        return bool(_TRUE.match(text))
    if _INT.match(text):
        return Number(text)
    return float(text) if _FLOAT.match(text) and len(text) <= 300 else text
