"""Writes a target, a plan and an authorisation to start from. Unfilled they load, and nothing can be dialled."""

from __future__ import annotations

from pathlib import Path

from scenarios.errors import InputError

TEMPLATES = Path(__file__).with_name("templates")
NAMES = ("target.yaml", "plan.yaml", "authorisation.yaml")


def write_templates(folder: str | Path) -> list[Path]:
    """Writes the three commented files into ``folder``, which is made if it is not there.

    Returns:
        The files, in the order target, plan, authorisation.

    Raises:
        InputError: one of them is there already, or the folder cannot be written; in the first case none is written.
    """
    paths = [Path(folder) / name for name in NAMES]
    for path in paths:
        if path.exists() or path.is_symlink():
            raise InputError("the file is there already", file=path, cure="choose another folder, or move it away")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path in paths:
            with path.open("x", encoding="utf-8") as file:
                file.write((TEMPLATES / path.name).read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(f"cannot be written: {problem.strerror}", file=problem.filename or folder) from problem
    return paths
