"""The lines that a shopper speaks in a script, and how each of them stands on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from probes.hearing.wav import RATE, read_wav
from probes.speaking import provenance
from probes.speaking.intake import levelled
from probes.speaking.level import active_level
from probes.speaking.speaker import DRAFT_VOICE, VOICES, synthesise
from probes.target import Target
from scenarios.errors import InputError
from scenarios.model import Scenario

LineState = Literal["recorded", "imported", "unmarked", "draft", "missing", "refused"]


@dataclass(frozen=True)
class SpokenLine:
    """One line: the script's id, the line's name, its wordings (several where the entries of a target differ)."""

    scenario: str
    line: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """How a line stands. ``level``: active level, dBov; ``why``: what is refused about it, and what cures it."""

    spoken: SpokenLine
    state: LineState
    path: Path
    level: float | None = None
    seconds: float | None = None
    why: str | None = None


def spoken_lines(scenario: Scenario, target: Target) -> list[SpokenLine]:
    """Returns the lines of a script that are spoken on the telephone, in the order of the call.

    ``to-human`` is one recording for all that is said on the way to a human on any line of the target.
    """
    if "voice" not in scenario.channels:
        return []
    ways = [way.say for line in target.lines.values() for way in line.to_human if way.say]
    said: dict[str, tuple[str, ...]] = {}
    for step in scenario.steps_on("voice"):
        if step.human is not None and ways:
            said["to-human"] = tuple(dict.fromkeys(ways))
        elif step.ask is not None and step.ask.say is not None:
            said[step.ask.id] = (step.ask.say.in_(target.lang),)
    said["farewell"] = (scenario.farewell.in_(target.lang),)
    return [SpokenLine(scenario.id, line, texts) for line, texts in said.items()]


def find(spoken: list[SpokenLine], line: str) -> SpokenLine:
    """Returns the line of that name.

    Raises:
        InputError: the script has none.
    """
    for each in spoken:
        if each.line == line:
            return each
    names = ", ".join(each.line for each in spoken)
    raise InputError(f"the script has no line '{line}' that is spoken", cure=f"there are: {names or 'none'}")


def standing(spoken: SpokenLine, folder: Path) -> Standing:
    """Says how a line stands.

    Args:
        spoken: the line.
        folder: the recordings of the target; the script's are in a folder of its name.
    """
    recorded = provenance.recorded_path(folder / spoken.scenario, spoken.line)
    draft = provenance.draft_path(folder / spoken.scenario, spoken.line)
    if not recorded.exists() and not draft.exists():
        return Standing(spoken, "missing", recorded)
    path = recorded if recorded.exists() else draft
    state: LineState = "unmarked"
    why = None
    try:
        pcm = read_wav(path)
        if path == draft:
            sidecar = provenance.read_sidecar(path)
            state = "draft"
            if sidecar is None or not any(provenance.says(sidecar, text) for text in spoken.texts):
                why = f"{path}: this draft says something else than the script (render it again)"
        else:
            sidecar = provenance.check(path, *spoken.texts)
            state = "unmarked" if sidecar is None else sidecar.source
    except InputError as error:
        return Standing(spoken, "refused", path, why=str(error))
    level = active_level(pcm)
    if level == float("-inf"):
        return Standing(spoken, "refused", path, why=f"{path}: this recording is silent (record it again)")
    return Standing(spoken, state, path, level, len(pcm) / RATE, why)


def render_draft(spoken: SpokenLine, target: Target, folder: Path) -> Path:
    """Has a synthetic voice speak the first wording of a line, and returns where it lies.

    Raises:
        OSError: it cannot be written.
        HarnessFault: it cannot be said.
    """
    path = provenance.draft_path(folder / spoken.scenario, spoken.line)
    pcm = levelled(synthesise(spoken.texts[0], target.lang, DRAFT_VOICE))
    voice = f"espeak-ng {VOICES[target.lang]}+{DRAFT_VOICE.variant}"
    provenance.write(path, pcm, text=spoken.texts[:1], voice=voice, source="draft")
    return path
