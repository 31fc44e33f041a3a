"""Files that are written whole or not at all: to a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenarios.errors import FolderUnwritable

CURES = {
    errno.ENOSPC: "free some space on this disk",
    errno.EDQUOT: "free some space on this disk",
    errno.EROFS: "this disk is mounted read-only: remount it, or choose another folder",
    errno.EACCES: "give this user the right to write there, or choose another folder",
}


def write(path: Path, content: str | bytes) -> Path:
    """Writes a file whole or not at all, and returns its path.

    Raises:
        FolderUnwritable: the disk is full or read-only; what was there before is there still.
    """
    data = content.encode() if isinstance(content, str) else content
    with writing(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What cannot be written in here is told in one sentence.

    Raises:
        FolderUnwritable: instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        cure = CURES.get(error.errno or 0, "see that its folder is there and may be written")
        raise FolderUnwritable(f"{path}: cannot be written: {error.strerror or error} ({cure})") from error
