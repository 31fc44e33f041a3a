"""What writes videos: Playwright's own ffmpeg, or the one on PATH, put where Playwright looks for it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import playwright

PLACE = "PLAYWRIGHT_BROWSERS_PATH"
OWN = {"linux": Path.home() / ".cache/ms-playwright", "darwin": Path.home() / "Library/Caches/ms-playwright"}
PROGRAM = {"linux": "ffmpeg-linux", "darwin": "ffmpeg-mac"}


def lend_ffmpeg() -> TemporaryDirectory[str] | None:
    """Returns a folder in which Playwright finds the ffmpeg on PATH (``PLACE``), or None if it needs or gets none."""
    program = shutil.which("ffmpeg")
    if program is None or PLACE in os.environ or sys.platform not in OWN or (OWN[sys.platform] / _folder()).exists():
        return None
    place = TemporaryDirectory(prefix="shopper-ffmpeg-")
    lent = Path(place.name) / _folder() / PROGRAM[sys.platform]
    lent.parent.mkdir()
    lent.symlink_to(program)
    return place


def _folder() -> str:
    listed = Path(playwright.__file__).parent / "driver/package/browsers.json"
    browsers = json.loads(listed.read_text(encoding="utf-8"))["browsers"]
    return f"ffmpeg-{next(one['revision'] for one in browsers if one['name'] == 'ffmpeg')}"
