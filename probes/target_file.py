"""Reads a target file and checks what the model alone cannot: addresses, audio files, names used in paths.

Profiles and transcribers are imported where a target names one: a target without calls needs nothing that hears.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from probes.target import Target
from probes.trunk_mistakes import Mistake, identity_mistake, trunk_mistakes
from scenarios.errors import TargetError
from scenarios.yaml_file import Loaded, Path_, load_with_hash

_ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True)
class LoadedTarget:
    """A target, the folder its relative paths start from, and the bytes it came from."""

    target: Target
    folder: Path
    path: Path
    sha256: str


def load_target(path: str | Path) -> LoadedTarget:
    """Reads a target file.

    Raises:
        TargetError: the first mistake: a key or value, an address that is none, an audio file that is missing or
            not 8 kHz mono 16-bit WAV, a widget that is not there, a speech model that cannot be used.
    """
    loaded = load_with_hash(path, Target, TargetError)
    for key, message, cure in _mistakes(loaded):
        place = loaded.place(*key)
        raise TargetError(message, file=loaded.path, line=place.line, column=place.column, cure=cure)
    return LoadedTarget(loaded.model, loaded.path.parent, loaded.path, loaded.sha256)


def _mistakes(loaded: Loaded[Target]) -> Iterator[Mistake]:
    """Yields where, what and the cure."""
    target, folder = loaded.model, loaded.path.parent
    if not target.lines and not target.chats:
        yield (), "the target has neither a line nor a chat", "add an entry under lines or chats"
    for group, names in (("trunks", target.trunks), ("lines", target.lines), ("chats", target.chats)):
        for name in names:
            if not _ENTRY.fullmatch(name):
                cure = "use up to 32 of the letters a-z, A-Z, 0-9, - and _"
                yield (group, name), f"'{name}' cannot name an entry", cure
    both = sorted(set(target.lines) & set(target.chats))
    if both:
        yield ("chats", both[0]), f"'{both[0]}' names both a line and a chat", "give each its own name"
    for name, line in target.lines.items():
        yield from identity_mistake(("lines", name, "uri"), line.uri)
        if line.account:
            yield from identity_mistake(("lines", name, "account", "uri"), line.account.uri)
    yield from trunk_mistakes(target, folder)
    for name, chat in target.chats.items():
        if not _is_web(chat.url):
            yield ("chats", name, "url"), f"'{chat.url}' is no web address", "write http://HOST/ or https://HOST/"
        if chat.api is None:
            yield from _widget_mistake(("chats", name, "widget"), chat.widget, folder)
            continue
        if ("chats", name, "widget") in loaded.values:
            yield ("chats", name, "api"), "a chat has a widget or an interface, not both", "leave one of the two out"
        from probes.chat.api.interface import load_interface

        load_interface(chat.api, folder)
    yield from _prompt_mistakes(target, folder)
    if target.recordings is not None and not (folder / target.recordings).is_dir():
        yield ("recordings",), f"there is no folder '{target.recordings}'", "make it, or leave recordings out"
    if target.transcriber is not None:
        from probes.hearing.transcription.backends import transcriber_mistakes

        yield from transcriber_mistakes(target, folder)


def _prompt_mistakes(target: Target, folder: Path) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, prompt in enumerate(target.prompts):
        if prompt.id in seen:
            yield ("prompts", index, "id"), f"prompt '{prompt.id}' occurs twice", "give each prompt its own id"
        seen.add(prompt.id)
        wrong = _audio_mistake(target.prompt_path(prompt, folder))
        if wrong:
            cure = "save it as WAV: 8000 Hz, mono, 16 bit"
            yield ("prompts", index, "audio"), f"the audio of prompt '{prompt.id}' {wrong}", cure


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _widget_mistake(key: Path_, name: str, folder: Path) -> Iterator[Mistake]:
    """Yields a profile that is not there; a mistake within the profile is raised at its own place."""
    from probes.chat.widget import load_widget

    try:
        load_widget(name, folder)
    except TargetError as problem:
        if problem.line is not None:
            raise
        yield key, f"there is no chat widget '{name}'", problem.cure or "name a shipped profile or a file"


def _audio_mistake(path: Path) -> str | None:
    """Returns what is wrong with a recording, or None."""
    if not path.is_file():
        return f"is missing: {path}"
    try:
        with wave.open(str(path), "rb") as audio:
            shape = (audio.getframerate(), audio.getnchannels(), 8 * audio.getsampwidth())
            frames = audio.getnframes()
    except (wave.Error, EOFError) as problem:
        return f"is no WAV file ({problem or 'it ends too early'}): {path}"
    if shape != (8000, 1, 16):
        return f"is {shape[0]} Hz, {shape[1]} channel(s), {shape[2]} bit: {path}"
    return None if frames else f"is empty: {path}"
