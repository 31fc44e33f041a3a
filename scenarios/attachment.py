"""A picture or document that a script sends: it lies beside the script, and is what its name says.

It goes out byte for byte as it was when the script was read; nothing else of this machine ever does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.errors import HarnessFault

MAX_ATTACHMENT = 5_000_000
TYPES = {  # by the end of the name: what it is, its media type, how its content begins
    ".png": ("PNG", "image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("JPEG", "image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("JPEG", "image/jpeg", b"\xff\xd8\xff"),
    ".gif": ("GIF", "image/gif", b"GIF8"),
    ".webp": ("WebP", "image/webp", b"RIFF"),
    ".pdf": ("PDF", "application/pdf", b"%PDF-"),
    ".txt": ("text", "text/plain", b""),
}
KINDS = "PNG, JPEG, GIF and WebP pictures, PDF and text (.txt) documents"


@dataclass(frozen=True)
class Attachment:
    """One file that a script names."""

    path: Path
    media: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """What it is called where it arrives."""
        return self.path.name

    def about(self) -> dict[str, Any]:
        """Returns what evidence says of it: no folder of this machine."""
        return {"name": self.name, "media": self.media, "bytes": self.size, "sha256": self.sha256}

    def content(self) -> bytes:
        """Reads it.

        Raises:
            HarnessFault: it is no longer what it was when the script was read.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise HarnessFault(f"the file {self.name} cannot be read any more: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise HarnessFault(f"the file {self.name} is not the one that it was when the script was read")
        return content


class Unfit(Exception):
    """A file that cannot be sent: what is wrong, and the cure."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message)
        self.message, self.cure = message, cure


def read_attachment(folder: Path, name: str) -> Attachment:
    """Reads the file ``name`` that a script in ``folder`` sends.

    Raises:
        Unfit: it is not there, elsewhere, unreadable, empty, too large, or not what its name says.
    """
    path = folder / name
    if "\\" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise Unfit(f"'{name}' does not lie beside the script", "put it into the script's folder, or one within it")
    kind = TYPES.get(path.suffix.lower())
    if kind is None:
        raise Unfit(f"'{name}' is of no kind that can be sent", f"there are: {KINDS}")
    try:
        if not path.is_file():
            raise Unfit(f"there is no file '{name}'", "put it beside the script, or check the name")
        with path.open("rb") as file:
            content = file.read(MAX_ATTACHMENT + 1)
    except OSError as problem:
        raise Unfit(f"'{name}' cannot be read: {problem.strerror}", "check its permissions") from problem
    if not content:
        raise Unfit(f"'{name}' is empty", "save it again")
    if len(content) > MAX_ATTACHMENT:
        raise Unfit(f"'{name}' is larger than {MAX_ATTACHMENT // 1_000_000} MB", "make it smaller")
    if not _is(content, *kind):
        raise Unfit(f"'{name}' is no {kind[0]} file, whatever its name says", "save it in the format of its name")
    return Attachment(path.resolve(), kind[1], len(content), hashlib.sha256(content).hexdigest())


def _is(content: bytes, what: str, _: str, begins: bytes) -> bool:
    if what == "text":
        try:
            return "\0" not in content.decode("utf-8")
        except UnicodeDecodeError:
            return False
    return content.startswith(begins) and (what != "WebP" or content[8:12] == b"WEBP")
