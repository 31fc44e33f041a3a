"""Proposed prompt lists: written for a person to confirm, and taken over into a target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Literal

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from probes.hearing.wav import write_wav
from probes.rehearing.learning import Proposal
from probes.target import PromptRole
from probes.target_file import load_target
from results.whole_file import write
from scenarios.errors import InputError, TargetError
from scenarios.model import Strict
from scenarios.yaml_file import load

NAME = "prompts.yaml"
HEAD = """\
# 建议的录音清单：请逐条试听，写下原话(text)，改正角色(role)，确认后把 confirmed 改为 true，再运行：
#   shopper learn TARGET --accept 本文件
# Proposed recordings: listen to each, type its words (text), correct its role, set confirmed to true, then run
#   shopper learn TARGET --accept THIS FILE
# role: welcome menu info transfer queue agent_id callback closed invalid goodbye
"""


class Proposed(Strict):
    """One proposed recording. Only what is ``confirmed`` is taken over."""

    id: str
    role: PromptRole
    text: str = ""
    audio: str
    calls: int = Field(ge=1, description="in how many calls it was heard")
    seconds: float
    confirmed: bool = False


class ProposedList(Strict):
    """What ``shopper learn`` proposes."""

    format: Literal[1]
    prompts: tuple[Proposed, ...] = ()


def write_proposals(folder: Path, proposals: Sequence[Proposal]) -> Path:
    """Writes the list and its recordings into ``folder`` and returns the list's file.

    Raises:
        InputError: there is a list already: somebody may have confirmed it.
    """
    file = folder / NAME
    if file.exists():
        raise InputError("there is a proposed list already", file=file, cure="accept it, or move it away")
    rows = []
    for number, proposal in enumerate(proposals, 1):
        name = f"heard-{number:02d}"
        write_wav(folder / f"{name}.wav", proposal.audio)
        rows.append(
            {
                "id": name, "role": proposal.role, "text": proposal.text, "audio": f"{name}.wav",
                "calls": proposal.calls, "seconds": round(proposal.seconds, 2), "confirmed": False,
            }
        )  # fmt: skip
    text = StringIO()
    yaml = YAML()
    yaml.allow_unicode = True
    yaml.dump({"format": 1, "prompts": rows}, text)
    folder.mkdir(parents=True, exist_ok=True)
    return write(file, HEAD + text.getvalue())


def accept(target: Path, proposed: Path) -> int:
    """Adds the confirmed recordings of a proposed list to a target file, whose comments stay; returns how many.

    Raises:
        InputError: the list or the target is wrong, or nothing is confirmed. The target is then as it was.
    """
    known = {prompt.id for prompt in load_target(target).target.prompts}
    chosen = [one for one in load(proposed, ProposedList, TargetError).prompts if one.confirmed]
    if not chosen:
        raise InputError(
            "nothing in this list is confirmed", file=proposed, cure="set confirmed: true where it is right"
        )
    yaml = YAML()
    yaml.preserve_quotes = True
    before = target.read_text("utf-8")
    document = yaml.load(before)
    listed = document.setdefault("prompts", CommentedSeq())
    listed = CommentedSeq() if listed is None else listed
    for one in chosen:
        name, number = one.id, 2
        while name in known:
            name, number = f"{one.id}-{number}", number + 1
        known.add(name)
        audio = Path(os.path.relpath((proposed.parent / one.audio).resolve(), target.parent.resolve())).as_posix()
        listed.append({"id": name, "role": one.role, "text": one.text, "audio": audio})
    document["prompts"] = listed
    text = StringIO()
    yaml.dump(document, text)
    write(target, text.getvalue())
    try:
        load_target(target)
    except InputError:
        write(target, before)
        raise
    return len(chosen)
