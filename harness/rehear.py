"""The measuring pass over a run: by itself when the run ends, and again by ``shopper rehear``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from probes.hearing.version import HEARING_VERSION
from probes.hearing.wav import read_wav, write_wav
from probes.rehearing.record import Hearing
from probes.rehearing.sessions import Library, rehear
from probes.session import Record, Session
from probes.target import Prompt, Target
from results.run_folder import HearingPass, RunFolder
from results.whole_file import write
from scenarios.errors import RunError


@dataclass(frozen=True)
class Reheard:
    """What came of a measuring pass. ``before`` and ``after`` are the same sessions, in the same order."""

    name: str
    before: list[Session]
    after: list[Session]
    hearings: list[Hearing]


class Kept(Record):
    """The library of a measuring pass as it is kept in the run's folder."""

    format: int = 1
    prompts: tuple[Prompt, ...] = Field(default=(), description="audio: file in the same folder")


def library_of(target: Target, folder: Path) -> Library:
    """Returns the recordings that a target lists; ``folder`` is the one its file lies in."""
    return Library(tuple((prompt, read_wav(target.prompt_path(prompt, folder))) for prompt in target.prompts))


def measure_run(folder: RunFolder, library: Library | None, console: Console | None = None) -> Reheard:
    """Measures all calls of a run together and writes what was found beside what the calls found.

    Args:
        folder: the run.
        library: the target's recordings; None: those that the last pass knew.
        console: where the progress is shown.

    Raises:
        RunError: a session, a recording or the kept library cannot be read.
    """
    known = kept_library(folder) if library is None else library
    sessions = list(folder.sessions())
    before = list(folder.measured())
    with Progress(
        TextColumn("测量 / measuring"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
        console=console, transient=True, disable=console is None or not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=None)
        pairs = [(session, folder.session_dir(session.attempt.id)) for session in sessions]
        found = rehear(pairs, known, lambda done, total: progress.update(task, completed=done, total=total))
    if found.hearings:
        keep_library(folder, known)
        made = HearingPass(
            name=found.name, hearing=HEARING_VERSION, sessions=len(found.hearings), library=known.sha256[:12]
        )
        folder.write_hearings(made, found.hearings)
    _tell(found.hearings, sessions, console)
    return Reheard(found.name, before, list(folder.measured()), found.hearings)


def _tell(hearings: Sequence[Hearing], sessions: Sequence[Session], console: Console | None) -> None:
    """Says once what makes every instant of a run less exact."""
    reasons = {
        str(event.data.get("why")) for session in sessions for event in session.timeline if event.kind == "no_capture"
    }
    if console is not None and hearings:
        for why in sorted(reasons):
            console.print(
                f"时间戳取自回调而非网络报文，不确定度较大 / stamps are those of callbacks, less exact: {why}",
                style="yellow", markup=False, soft_wrap=True,
            )  # fmt: skip


def keep_library(folder: RunFolder, library: Library) -> None:
    """Keeps the recordings a pass knew, each under the hash of its sound."""
    kept = []
    for prompt, pcm in library.prompts:
        name = f"{hashlib.sha256(pcm.tobytes()).hexdigest()[:16]}.wav"
        write_wav(folder.library / name, pcm, keep=True)
        kept.append(prompt.model_copy(update={"audio": name}))
    folder.library.mkdir(exist_ok=True)
    write(folder.library / f"{library.sha256[:12]}.json", Kept(prompts=tuple(kept)).model_dump_json(indent=2))


def kept_library(folder: RunFolder) -> Library:
    """Returns the recordings that the pass which counts knew; none if there was no pass.

    Raises:
        RunError: its files are missing.
    """
    passes = folder.hearings().passes
    if not passes:
        return Library()
    file = folder.library / f"{passes[-1].library}.json"
    if not file.exists():
        raise RunError("the library of the last measuring pass is missing", file=file, cure="give --target")
    prompts = Kept.model_validate_json(file.read_bytes()).prompts
    return Library(tuple((prompt, read_wav(folder.library / prompt.audio)) for prompt in prompts))
