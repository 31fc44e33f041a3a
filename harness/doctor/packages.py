"""Python and the packages: the versions that were pinned, and whether each can be imported at all."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import sys
from functools import partial
from pathlib import Path

from harness.doctor.check import Check
from harness.doctor.child import run
from harness.doctor.finding import Finding, fail, ok, warn
from scenarios.model import Text

DISTRIBUTION = "contact-centre-shopper"
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
SETUP = Text(zh="运行 make setup 重装固定版本", en="run make setup, which installs the pinned versions")
# Each name is printed before its import: should a package abort the process, the last name tells which.
_IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    print(name, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


def checks(constraints: Path = CONSTRAINTS) -> list[Check]:
    """Returns the checks of Python and its packages."""
    return [
        Check("python", Text(zh="Python", en="Python"), _python),
        Check("packages", Text(zh="软件包", en="packages"), partial(_packages, constraints), patience_s=90),
    ]


async def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"] or ""
    if not _within(sys.version_info[:2], wanted):
        return fail(
            Text(zh=f"{version}，需要 {wanted}", en=f"{version}; {wanted} is needed"),
            Text(
                zh="装 Python 3.11 或 3.12，删去 .venv，再运行 make setup",
                en="install Python 3.11 or 3.12, remove .venv, run make setup",
            ),
            version=version,
        )
    return ok(version, version, version=version)


def _within(version: tuple[int, int], wanted: str) -> bool:
    """Says whether ``version`` fits the two bounds ``>=A.B,<C.D``."""
    for sign, major, minor in re.findall(r"(>=|<)\s*(\d+)\.(\d+)", wanted):
        bound = (int(major), int(minor))
        if (version < bound) if sign == ">=" else (version >= bound):
            return False
    return True


async def _packages(constraints: Path) -> Finding:
    needed = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in _requires() if "extra ==" not in line]
    pins = _pins(constraints)
    missing, other = [], []
    for name in needed:
        try:
            there = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        pinned = pins.get(_plain(name))
        if pinned is not None and there != pinned:
            other.append(f"{name} {there} ≠ {pinned}")
    if missing:
        listed = ", ".join(missing)
        return fail(Text(zh=f"缺少 {listed}", en=f"missing: {listed}"), SETUP, missing=missing)
    broken = await _not_importable(needed)
    if broken:
        return fail(Text(zh=f"不能导入 {broken}", en=f"cannot be imported: {broken}"), SETUP, broken=broken)
    if other:
        listed = ", ".join(other)
        return warn(
            Text(zh=f"版本与固定的不同：{listed}", en=f"versions differ from the pins: {listed}"),
            SETUP,
            different=other,
        )
    if not pins:
        zh, en = (
            f"{len(needed)} 个都能导入；没有 constraints.txt 可比",
            f"all {len(needed)} import; no constraints.txt to compare",
        )
    else:
        zh, en = (
            f"{len(needed)} 个，版本与 constraints.txt 一致，都能导入",
            f"all {len(needed)} as pinned and importable",
        )
    return ok(zh, en, packages=len(needed), pinned=bool(pins))


def _requires() -> list[str]:
    return importlib.metadata.requires(DISTRIBUTION) or []


def _pins(constraints: Path) -> dict[str, str]:
    if not constraints.is_file():
        return {}
    pairs = (line.split("==") for line in constraints.read_text(encoding="utf-8").splitlines() if "==" in line)
    return {_plain(name): version.split(";")[0].strip() for name, version in pairs}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().strip()


async def _not_importable(needed: list[str]) -> str | None:
    """Imports every package in a child process; returns what failed. The SIP bindings have a check of their own."""
    of = await asyncio.to_thread(importlib.metadata.packages_distributions)
    wanted = {_plain(name) for name in needed} - {"pjsua2-python"}
    modules = [
        module
        for module, owners in of.items()
        if module.isidentifier() and not module.startswith("_") and wanted & {_plain(owner) for owner in owners}
    ]
    child = await run(sys.executable, "-c", _IMPORT, *sorted(modules))
    if child.code == 0:
        return None
    return f"{(child.out.split() or ['?'])[-1]} ({child.reason})"
