"""The version of this harness, and of what it measures with."""

from __future__ import annotations

import importlib.metadata
import platform
from functools import cache

MEASURING_PACKAGES = ("pjsua2-python", "playwright", "onnxruntime", "numpy", "scipy")


@cache
def version() -> str:
    """Returns the installed version."""
    return importlib.metadata.version("contact-centre-shopper")


def versions() -> dict[str, str]:
    """Returns the versions of harness, Python and every package that measures."""
    found = {"contact-centre-shopper": version(), "python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in MEASURING_PACKAGES}
