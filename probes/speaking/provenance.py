"""Where a line on disk comes from: a sidecar beside the WAV, and a mark within it if a synthetic voice speaks.

``<line>.wav`` is a person's voice, ``<line>.draft.wav`` a synthetic one: under that name it is not among the
recordings that the authorisation asks for, so that a draft never passes for one.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import Field, ValidationError

from probes.hearing.wav import Pcm, write_wav
from scenarios.errors import InputError
from scenarios.model import Strict

Source = Literal["draft", "recorded", "imported"]
_MARK = b"synthetic voice, a draft"
_CHUNK = b"LIST" + struct.pack("<I", 4 + 8 + len(_MARK)) + b"INFOICMT" + struct.pack("<I", len(_MARK)) + _MARK
IMPORT_AGAIN = "record it again, or bring it in with shopper speak import --replace"


class Sidecar(Strict):
    """What is known of a line on disk. ``text``: every wording that it stands for, as the script has it."""

    format: Literal[1] = 1
    text: tuple[str, ...] = Field(min_length=1)
    voice: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the WAV file beside it")
    source: Source


def recorded_path(folder: Path, line: str) -> Path:
    """Returns where the recording of ``line`` is looked for."""
    return folder / f"{line}.wav"


def draft_path(folder: Path, line: str) -> Path:
    """Returns where the draft of ``line`` is looked for."""
    return folder / f"{line}.draft.wav"


def sidecar_path(wav: Path) -> Path:
    """Returns where the sidecar of ``wav`` lies."""
    return wav.with_suffix(".json")


def write(wav: Path, pcm: Pcm, *, text: tuple[str, ...], voice: str, source: Source) -> Sidecar:
    """Writes a line and its sidecar, each whole or not at all; a draft is marked within the WAV too.

    Raises:
        OSError: the disk is full or read-only.
    """
    write_wav(wav, pcm)
    if source == "draft":
        _mark(wav)
    sidecar = Sidecar(text=text, voice=voice, sha256=_hash(wav), source=source)
    _write_whole(sidecar_path(wav), (sidecar.model_dump_json(indent=2) + "\n").encode())
    return sidecar


def read_sidecar(wav: Path) -> Sidecar | None:
    """Returns the sidecar of ``wav``; None if there is none.

    Raises:
        InputError: it cannot be read.
    """
    path = sidecar_path(wav)
    try:
        return Sidecar.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: {first['msg']}".removeprefix(": "), file=path, cure=IMPORT_AGAIN) from None
    except OSError as error:
        raise InputError(f"this cannot be read: {error.strerror}", file=path, cure="check its permissions") from error


def is_draft(wav: Path) -> bool:
    """Says whether the file itself is marked as a synthetic voice, whatever it is called."""
    return _CHUNK in wav.read_bytes()[-len(_CHUNK) :]


def check(wav: Path, *texts: str) -> Sidecar | None:
    """Checks that the recording in ``wav`` is what it says, and says what the script does now.

    Args:
        wav: a file that is there, in the place of a person's recording.
        texts: the wordings that it is to stand for.

    Returns:
        Its sidecar; None: it has none, as recordings had before there were any, and is taken as it is.

    Raises:
        InputError: it is a draft, another file than the one that was brought in, or speaks another text.
    """
    sidecar = read_sidecar(wav)
    if is_draft(wav) or (sidecar is not None and sidecar.source == "draft"):
        raise InputError(
            "this is a synthetic draft in the place of a recording",
            file=wav,
            cure=f"remove it, and have a person speak the line; drafts are called {wav.stem}.draft.wav",
        )
    if sidecar is None:
        return None
    if sidecar.sha256 != _hash(wav):
        raise InputError(f"this is not the file that {sidecar_path(wav).name} is about", file=wav, cure=IMPORT_AGAIN)
    for text in texts:
        if not says(sidecar, text):
            raise InputError(
                f"this recording says “{' / '.join(sidecar.text)}”, and the script now says “{text}”",
                file=wav,
                cure=IMPORT_AGAIN,
            )
    return sidecar


def says(sidecar: Sidecar, text: str) -> bool:
    """Says whether the line stands for ``text``; blanks do not matter."""
    return " ".join(text.split()) in {" ".join(known.split()) for known in sidecar.text}


def _mark(wav: Path) -> None:
    """Appends the mark as a LIST chunk, which players pass over, and corrects the length in the header."""
    content = wav.read_bytes() + _CHUNK
    _write_whole(wav, content[:4] + struct.pack("<I", len(content) - 8) + content[8:])


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _hash(wav: Path) -> str:
    return hashlib.sha256(wav.read_bytes()).hexdigest()
