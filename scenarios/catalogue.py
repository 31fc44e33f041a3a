"""The catalogue: the scripts that ship with the harness, and those in a user's folder."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scenarios.attachment import Attachment, Unfit, read_attachment
from scenarios.errors import InputError, ScenarioError
from scenarios.model import Fact, Scenario, Step
from scenarios.phrases import phrases
from scenarios.yaml_file import Loaded, Path_, load_many, load_with_hash

SHIPPED = Path(__file__).with_name("scripts")


@dataclass(frozen=True)
class LoadedScenario:
    """A script, the bytes it came from, and the files it sends, by the name that it gives them."""

    scenario: Scenario
    path: Path
    sha256: str
    attachments: dict[str, Attachment] = field(default_factory=dict)


def shipped() -> list[Path]:
    """Returns the scripts that ship with the harness, by name."""
    return sorted(SHIPPED.glob("*.yaml"))


def find(id_or_path: str | Path, folder: str | Path | None = None) -> Path:
    """Finds a script: a path, or an id in the user's folder first and then among those shipped.

    Raises:
        ScenarioError: there is none.
    """
    text = str(id_or_path)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        path = Path(id_or_path)
        if not path.is_file():
            raise ScenarioError("there is no such script", file=path, cure="check the path")
        return path
    for place in [Path(folder)] if folder is not None else []:
        if (place / f"{text}.yaml").is_file():
            return place / f"{text}.yaml"
    known = [path.stem for path in shipped()] + [path.stem for path in Path(folder or SHIPPED).glob("*.yaml")]
    if text in known:
        return SHIPPED / f"{text}.yaml"
    near = difflib.get_close_matches(text, known, n=1)
    listed = f"there are: {', '.join(sorted(set(known)))}"
    raise ScenarioError(f"there is no script '{text}'", cure=f"did you mean '{near[0]}'? {listed}" if near else listed)


def load(id_or_path: str | Path, folder: str | Path | None = None) -> LoadedScenario:
    """Finds and reads a script.

    Raises:
        ScenarioError: it is not there, or the first mistake in it.
    """
    loaded = load_with_hash(find(id_or_path, folder), Scenario)
    for problem in _mistakes(loaded):
        raise problem
    named = [step.ask.attach for step in loaded.model.steps if step.ask and step.ask.attach]
    files = {name: read_attachment(loaded.path.parent, name) for name in named}
    return LoadedScenario(loaded.model, loaded.path, loaded.sha256, files)


def lint(paths: Iterable[str | Path]) -> list[InputError]:
    """Reads scripts (files, or folders of them) and returns every mistake in every one."""
    files = [file for path in map(Path, paths) for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    good, problems = load_many(files, Scenario)
    problems += [problem for loaded in good for problem in _mistakes(loaded)]
    seen: dict[str, Path] = {}
    for loaded in good:
        first = seen.setdefault(loaded.model.id, loaded.path)
        if first != loaded.path:
            problems.append(_problem(loaded, ("id",), f"id {loaded.model.id} is also that of {first}", "change one"))
    return problems


def _mistakes(loaded: Loaded[Scenario]) -> Iterator[ScenarioError]:
    """Yields what the model alone cannot see."""
    scenario = loaded.model
    for group, letter, ids in (("must", "G", scenario.must), ("must_not", "F", scenario.must_not)):
        for index, phrase in enumerate(ids):
            known = [each for each in phrases() if each.startswith(letter)]
            if phrase not in known:
                cure = f"there are: {', '.join(known)}"
                yield _problem(loaded, (group, index), f"{group} has no phrase '{phrase}'", cure)
    asks = [step.ask for step in scenario.steps if step.ask]
    # A script that asks nothing and presses keys: its facts are what the answer to the keys must contain.
    by_keys = not asks and bool(scenario.facts) and any(step.dtmf for step in scenario.steps)
    for channel in scenario.channels:
        steps = scenario.steps_on(channel)
        if not any(step.ask or step.human or (step.dtmf and by_keys) for step in steps):
            cure = f"add an ask or human step with on: [{channel}], or take {channel} out of channels"
            yield _problem(loaded, ("channels",), f"the script has nothing to do on {channel}", cure)
        if channel == "chat" and any(step.dtmf for step in steps):
            index = next(n for n, step in enumerate(scenario.steps) if step.dtmf and "chat" in step.on)
            yield _problem(loaded, ("steps", index), "there are no keys to press in a chat", "add on: [voice]")
    yield from _chat_only(loaded)
    yield from _unfit(loaded)
    yield from _repeated(loaded)
    asked = {key for ask in asks for key in ask.facts}
    for index, fact in enumerate(scenario.facts):
        if fact.key not in asked and not by_keys:
            cure = "name it under facts of an ask, or remove it"
            yield _problem(loaded, ("facts", index, "key"), f"no step asks for fact '{fact.key}'", cure)


def _chat_only(loaded: Loaded[Scenario]) -> Iterator[ScenarioError]:
    """Yields what a script would do on the telephone and can only do in a chat."""
    scenario = loaded.model
    shown = {fact.key: fact for fact in scenario.facts if fact.shown_as != "words"}
    for index, step in enumerate(scenario.steps):
        if step.ask is None or "voice" not in scenario.channels or "voice" not in step.on:
            continue
        for key, message in _silent(step, shown):
            yield _problem(loaded, ("steps", index, "ask", *key), message, "add on: [chat] to the step")


def _silent(step: Step, shown: dict[str, Fact]) -> Iterator[tuple[Path_, str]]:
    assert step.ask is not None
    if step.ask.attach is not None:
        yield ("attach",), "no file can be sent on the telephone"
    if step.ask.choose is not None:
        yield ("choose",), "there are no quick replies on the telephone"
    for index, key in enumerate(step.ask.facts):
        if key in shown:
            yield ("facts", index), f"fact '{key}' is {_A[shown[key].shown_as]}, which nobody can hear on the telephone"


_A = {"link": "a link", "card": "a card", "image": "an image"}


def _unfit(loaded: Loaded[Scenario]) -> Iterator[ScenarioError]:
    """Yields files that cannot be sent."""
    for index, step in enumerate(loaded.model.steps):
        if step.ask is not None and step.ask.attach is not None:
            try:
                read_attachment(loaded.path.parent, step.ask.attach)
            except Unfit as wrong:
                yield _problem(loaded, ("steps", index, "ask", "attach"), wrong.message, wrong.cure)


def _repeated(loaded: Loaded[Scenario]) -> Iterator[ScenarioError]:
    """Yields ask ids and fact keys that occur twice."""
    asks = [(("steps", n, "ask", "id"), step.ask.id) for n, step in enumerate(loaded.model.steps) if step.ask]
    facts = [(("facts", n, "key"), fact.key) for n, fact in enumerate(loaded.model.facts)]
    for what, named in (("ask", asks), ("fact", facts)):
        seen: set[str] = set()
        for key, name in named:
            if name in seen:
                yield _problem(loaded, key, f"{what} '{name}' occurs twice", "give each its own name")
            seen.add(name)


def _problem(loaded: Loaded[Scenario], key: Path_, message: str, cure: str) -> ScenarioError:
    place = loaded.place(*key)
    return ScenarioError(message, file=loaded.path, line=place.line, column=place.column, cure=cure)
