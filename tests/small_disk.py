"""A small file system of its own (tmpfs), to be filled or made read-only. Root only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path, kilobytes: int) -> Iterator[Path]:
    """Mounts a tmpfs there; it is gone at the end, with all in it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill_up(disk: Path) -> Path:
    """Fills it to the last byte; removing the file that is returned frees it again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


def read_only(disk: Path, wanted: bool) -> None:
    """Mounts it again as read-only, or as writable."""
    subprocess.run(["mount", "-o", f"remount,{'ro' if wanted else 'rw'}", str(disk)], check=True)
