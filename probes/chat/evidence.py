"""What is kept of a chat besides its transcript: a picture, a trace, on request a HAR and a video; without secrets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

from probes.chat.redaction import Redactor
from scenarios.errors import ToolMissing

KINDS = {
    "transcript.jsonl": "transcript",
    "screen.png": "screenshot",
    "trace.zip": "trace",
    "network.har": "har",
    "video.webm": "video",
}
MAX_RAW = 200_000_000  # of one of these, unpacked: what is larger is not cleaned, so not kept
MAX_BYTES = {"trace": 20_000_000, "har": 20_000_000, "video": 50_000_000}
MAX_BODY = 200_000  # of one response in a HAR
PICTURE_S = 5.0
VIDEO_S = 2.0  # until the recorder says where it has written
OURS = re.compile(r'("buffer": ?")[A-Za-z0-9+/=]{100,}"')  # a file that we sent: the transcript has its SHA-256
DRIVER = re.compile(r"/[^\s\"'()]*/playwright/driver/")  # where Playwright lies on this machine
TEXT = {".json", ".html", ".txt", ".js", ".css", ".xml", ".svg", ".network", ".trace", ".stacks", ".dat", ""}
VIDEO_SIZE = {"width": 640, "height": 400}


class Recording:
    """Records one session into its folder."""

    def __init__(self, wanted: tuple[str, ...], folder: Path, note: Callable[..., None]) -> None:
        """``wanted``: of ``trace``, ``dom``, ``har``, ``video``; ``note`` writes a line into the transcript."""
        self._wanted, self._folder, self._note = set(wanted), folder, note
        self._traced = bool(self._wanted & {"trace", "dom"})
        # With all their secrets, so never where evidence is copied from, not even by somebody who is killed.
        self._raw = TemporaryDirectory(prefix="shopper-raw-", ignore_cleanup_errors=True)
        self._raw_trace, self._raw_har = Path(self._raw.name) / "trace.zip", Path(self._raw.name) / "network.har"
        self._page: Page | None = None

    def options(self) -> dict[str, Any]:
        """Returns what the browser's context must be told when it is made."""
        options: dict[str, Any] = {}
        if "har" in self._wanted:
            options |= {"record_har_path": self._raw_har, "record_har_content": "embed"}
        if "video" in self._wanted:
            options |= {"record_video_dir": self._folder, "record_video_size": VIDEO_SIZE}
        return options

    async def start(self, context: BrowserContext) -> None:
        """Starts the trace.

        With ``dom`` it pictures every frame at each of our acts: one that hangs then holds up the act, and all of it
        takes CPU of the moment that is being stamped.
        """
        if self._traced:
            await context.tracing.start(screenshots=False, snapshots="dom" in self._wanted, sources=False)

    async def first_page(self, context: BrowserContext) -> Page:
        """Opens the session's page.

        Raises:
            ToolMissing: a video is wanted, and what writes one is not installed.
        """
        try:
            self._page = await context.new_page()
        except PlaywrightError as error:
            if "ffmpeg" in str(error):
                cure = "install the package ffmpeg, or take video out of the target's 'record'"
                raise ToolMissing(f"no video can be recorded without ffmpeg; {cure}") from error
            raise
        return self._page

    async def picture(self, page: Page) -> None:
        """Takes the last picture of the page, as far as a window shows it."""
        await page.screenshot(path=self._folder / "screen.png", timeout=PICTURE_S * 1000)

    async def stop(self, context: BrowserContext) -> None:
        """Writes the trace; the context is still open."""
        if self._traced:
            await context.tracing.stop(path=self._raw_trace)

    async def tidy(self) -> None:
        """Takes secrets out and keeps within bounds, once the context is closed; what cannot be cleaned is not kept."""
        for row in await asyncio.to_thread(self._clean_all, await self._video()):
            self._note("evidence", **row)

    async def _video(self) -> Path | None:
        video = self._page.video if self._page is not None and "video" in self._wanted else None
        with contextlib.suppress(PlaywrightError, TimeoutError):  # a page that crashed at once has none
            async with asyncio.timeout(VIDEO_S):
                return None if video is None else Path(await video.path())
        return None

    def _clean_all(self, video: Path | None) -> list[dict[str, Any]]:
        """Makes the files that are kept of those that were recorded; returns what there is to say about them."""
        told: list[dict[str, Any]] = []
        sources = {"trace.zip": self._raw_trace, "network.har": self._raw_har}
        for name, source in (sources | ({"video.webm": video} if video is not None else {})).items():
            if not source.exists():
                continue
            part, limit = self._folder / f".{name}.part", MAX_BYTES[KINDS[name]]
            try:
                dropped = CLEAN[name](source, part, limit)
                if dropped:
                    told.append({"name": name, "kept": True, "dropped": dropped, "why": "too large"})
                if part.stat().st_size > limit:
                    told.append({"name": name, "kept": False, "why": f"over {limit} bytes"})
                else:
                    part.replace(self._folder / name)
            except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
                told.append({"name": name, "kept": False, "why": f"it could not be cleaned: {error}"})
            finally:
                part.unlink(missing_ok=True)
                source.unlink(missing_ok=True)
        return told

    def discard(self) -> None:
        """Removes whatever has not been cleaned."""
        self._raw.cleanup()

    def files(self) -> list[tuple[Path, str]]:
        """Returns the files that are there, each with its kind."""
        return [(self._folder / name, kind) for name, kind in KINDS.items() if (self._folder / name).exists()]


def _clean_trace(source: Path, path: Path, limit: int) -> int:
    """Writes a trace without secrets and, the largest first, without resources that do not fit; returns how many."""
    with zipfile.ZipFile(source) as archive:
        _demand(sum(info.file_size for info in archive.infolist()))
        infos = [info for info in archive.infolist() if not info.filename.endswith(".stacks")]  # lines of our own code
        members = {info.filename: archive.read(info) for info in infos}
        packed = {info.filename: info.compress_size for info in infos}
    redactor = Redactor()
    for _ in range(2):  # what is found late also stood early
        members = {name: _clean(name, content, redactor) for name, content in members.items()}
    dropped = 0
    size = sum(packed.values())
    for name in sorted((name for name in members if name.startswith("resources/")), key=lambda n: -packed[n]):
        if size <= limit * 0.9:
            break
        size -= packed[name]
        del members[name]
        dropped += 1
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return dropped


def _demand(size: int) -> None:
    if size > MAX_RAW:
        raise ValueError(f"over {MAX_RAW} bytes unpacked")


def _clean(name: str, content: bytes, redactor: Redactor) -> bytes:
    if Path(name).suffix not in TEXT:
        return content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    if Path(name).suffix == ".trace":
        text = DRIVER.sub("playwright/", OURS.sub(r'\1[not kept]"', text))
    jsonl = Path(name).suffix in (".trace", ".network", ".json")
    return (redactor.lines(text) if jsonl else redactor.text(text)).encode()


def _clean_har(source: Path, path: Path, limit: int) -> int:
    """Writes a HAR without secrets and without bodies that are too long; returns how many were dropped."""
    _demand(source.stat().st_size)
    har = json.loads(source.read_text(encoding="utf-8"))
    bodies = [entry["response"]["content"] for entry in har["log"]["entries"] if "content" in entry["response"]]
    left, dropped = limit // 2, 0
    for body in sorted(bodies, key=lambda body: len(body.get("text", ""))):
        left -= len(body.get("text", ""))
        if len(body.get("text", "")) > MAX_BODY or left < 0 or body.get("encoding") == "base64":
            body["comment"] = f"{len(body.pop('text', ''))} characters, not kept"
            dropped += 1
    redactor = Redactor()
    for _ in range(2):
        har = redactor.value(har)
    path.write_text(json.dumps(har, ensure_ascii=False, indent=1), encoding="utf-8")
    return dropped


def _move(source: Path, path: Path, _: int) -> int:
    source.replace(path)
    return 0


CLEAN: dict[str, Callable[[Path, Path, int], int]] = {
    "trace.zip": _clean_trace,
    "network.har": _clean_har,
    "video.webm": _move,
}
