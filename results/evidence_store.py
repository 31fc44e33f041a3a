"""A second place for evidence: any folder or bucket that fsspec can reach.

::

    <url>/sessions/<attempt>/<evidence file>   first
    <url>/sessions/<attempt>/session.json      last: it says that all the others are there

Nothing local is ever deleted. What was sent is read back, so a store that cut a file short is noticed at once.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.registry import known_implementations

from results.evidence import SESSION, Stamp, difference, parse, stamp, stamp_of
from results.run_folder import NAME, RunFolder
from results.whole_file import write, writing
from scenarios.errors import EvidenceDamaged, EvidenceUnavailable, InputError, RunError, ShopperError

PATIENCE_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
S3 = ("s3", "s3a")
BUCKETS = (*S3, "gs", "gcs", "abfs", "abfss", "az", "oss", "memory")  # they know no folders: none is to be made
FINAL = (FileNotFoundError, PermissionError)  # trying again does not help


class EvidenceStore:
    """One evidence URL. Safe to make anywhere, but only what blocks may call it: every method waits for the network.

    Credentials come from the environment only: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
    AWS_ENDPOINT_URL and AWS_DEFAULT_REGION for S3.

    Args:
        url: ``s3://bucket/prefix``, ``file:///folder``, or any other that fsspec knows. One campaign each.
        patience_s: how long ``put`` goes on trying, in seconds. Everything else is tried once.

    Raises:
        InputError: the URL cannot be used or holds a secret, its package is missing, or the credentials are.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        protocol = _protocol(url)
        try:
            self._fs, root = fsspec.url_to_fs(url, **_options(protocol))
        except ImportError as error:
            raise InputError(f"{protocol}:// needs a package that is not here", cure=_install(protocol)) from error
        except (ValueError, TypeError) as error:
            raise InputError(f"the evidence URL {url} cannot be used: {error}", cure="see docs/evidence.md") from error
        self.url, self._root, self._patience_s = url.rstrip("/"), root.rstrip("/"), patience_s
        self._folders = protocol not in BUCKETS
        if protocol in S3:
            self._fs.retries = 1  # s3fs would wait five times for a store that hangs

    def put(self, session_dir: Path, attempt: str) -> None:
        """Sends one session: its evidence, then its ``session.json``, each read back. Sent twice, it is there once.

        After any trouble it looks at every file again, so a store that came back empty gets all of them.

        Raises:
            RunError: there is no session in the folder.
            EvidenceDamaged: the local files are not what the session says, or another session of this attempt is there.
            EvidenceUnavailable: the store could not be used for ``patience_s``; the session stays pending.
        """
        try:
            content = (session_dir / SESSION).read_bytes()
        except OSError as error:
            raise RunError(f"{SESSION} cannot be read: {error.strerror}", file=session_dir) from error
        items = parse(content, attempt, str(session_dir)).evidence
        for item in items:
            if (wrong := difference(item, stamp_of(session_dir / item.name))) is not None:
                raise EvidenceDamaged(f"{session_dir}: {wrong}; nothing was sent")
        deadline, pause = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                with self._reaching():
                    self._check_free(attempt, content)
                    for item in items:
                        self._send(session_dir / item.name, attempt, (item.bytes, item.sha256))
                    self._send(session_dir / SESSION, attempt, stamp_of(session_dir / SESSION))
                return
            except EvidenceUnavailable as error:
                if isinstance(error, EvidenceDamaged) or isinstance(error.__cause__, FINAL):
                    raise
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def has(self, attempt: str) -> bool:
        """Whether the attempt's ``session.json`` is there, and whole.

        Raises:
            EvidenceUnavailable: the store cannot be used now.
        """
        with self._reaching():
            content = self._read(attempt, SESSION)
        try:
            return content is not None and bool(parse(content, attempt, self.url))
        except EvidenceDamaged:
            return False

    def fetch(self, attempt: str, session_dir: Path) -> None:
        """Brings one session here, whole or not at all; ``session.json`` appears last.

        Raises:
            RunError: a session is here already.
            EvidenceDamaged: what is there is not what its session says.
            EvidenceUnavailable: it is not there, or the store cannot be used now.
            FolderUnwritable: it cannot be written here.
        """
        if (session_dir / SESSION).exists():
            raise RunError("a session is here already; nothing was fetched", file=session_dir)
        with self._reaching():
            content = self._read(attempt, SESSION)
            if content is None:
                raise EvidenceUnavailable(f"{self._place(attempt)}: the session is not there")
            items = parse(content, attempt, self._place(attempt)).evidence
        with writing(session_dir):
            session_dir.parent.mkdir(parents=True, exist_ok=True)
            arrivals = Path(tempfile.mkdtemp(dir=session_dir.parent, prefix=".arriving."))
        try:
            for item in items:
                with writing(arrivals / item.name), (arrivals / item.name).open("wb") as file:
                    for block in self._blocks(attempt, item.name):
                        file.write(block)
                    file.flush()
                    os.fsync(file.fileno())
                if (wrong := difference(item, stamp_of(arrivals / item.name))) is not None:
                    raise EvidenceDamaged(f"{self._place(attempt)}: {wrong}; nothing was fetched")
            with writing(session_dir):
                session_dir.mkdir(exist_ok=True)
                for item in items:
                    (arrivals / item.name).replace(session_dir / item.name)
        finally:
            shutil.rmtree(arrivals, ignore_errors=True)
        write(session_dir / SESSION, content)

    def verify(self, attempt: str) -> list[str]:
        """Reads one session's files in the store and says what is missing or differs; empty means whole.

        Raises:
            EvidenceUnavailable: the store cannot be used now.
        """
        with self._reaching():
            content = self._read(attempt, SESSION)
            if content is None:
                return [f"{attempt}: {SESSION} is missing"]
            try:
                items = parse(content, attempt, attempt).evidence
            except EvidenceDamaged as error:
                return [str(error)]
            found = (difference(item, self._stamp(attempt, item.name)) for item in items)
            return [f"{attempt}: {sentence}" for sentence in found if sentence is not None]

    def pending(self, run_folder: RunFolder) -> list[str]:
        """Returns the attempts whose session is here and not there, or of another size there; sorted.

        Raises:
            EvidenceUnavailable: the store cannot be used now.
        """
        with self._reaching():
            self._fs.invalidate_cache()
            there = self._fs.find(f"{self._root}/sessions", detail=True)
        sizes = {tuple(path.rsplit("/", 2)[1:]): info["size"] for path, info in there.items()}
        here = sorted(run_folder.sessions_dir.glob(f"*/{SESSION}"))
        return [file.parent.name for file in here if sizes.get((file.parent.name, SESSION)) != file.stat().st_size]

    def push(self, run_folder: RunFolder) -> list[str]:
        """Sends what is pending, and returns one sentence for each session that could not be sent.

        A damaged session does not hold up the others; a store that cannot be reached ends it.
        """
        troubles = []
        try:
            for attempt in self.pending(run_folder):
                try:
                    self.put(run_folder.session_dir(attempt), attempt)
                except EvidenceDamaged as error:
                    troubles.append(str(error))
        except EvidenceUnavailable as error:
            troubles.append(str(error))
        return troubles

    def check(self, run_folder: RunFolder) -> list[str]:
        """Compares every session of a run folder with the store, reading all of it there.

        Returns:
            One sentence for each session or file that is missing, damaged or another one there; empty means whole.

        Raises:
            EvidenceUnavailable: the store cannot be used now.
        """
        problems = []
        for file in sorted(run_folder.sessions_dir.glob(f"*/{SESSION}")):
            attempt = file.parent.name
            wrong = self.verify(attempt)
            with self._reaching():
                if not wrong and self._stamp(attempt, SESSION) != stamp_of(file):
                    wrong = [f"{attempt}: {SESSION} is another one than here"]
            problems += [f"{self.url}: {sentence}" for sentence in wrong]
        return problems

    def _place(self, attempt: str) -> str:
        return f"{self.url}/sessions/{attempt}"

    def _path(self, attempt: str, name: str) -> str:
        if not NAME.fullmatch(attempt):
            raise RunError(f"{attempt!r} cannot name an attempt", cure="letters, digits, dot, dash and underscore")
        return f"{self._root}/sessions/{attempt}/{name}"

    def _read(self, attempt: str, name: str) -> bytes | None:
        try:
            content: bytes = self._fs.cat_file(self._path(attempt, name))
        except FileNotFoundError:
            return None
        return content

    def _stamp(self, attempt: str, name: str) -> Stamp | None:
        self._fs.invalidate_cache()
        try:
            with self._fs.open(self._path(attempt, name), "rb") as file:
                return stamp(file)
        except FileNotFoundError:
            return None

    def _check_free(self, attempt: str, content: bytes) -> None:
        there = self._read(attempt, SESSION)
        if there is None or there == content:
            return
        try:
            parse(there, attempt, self.url)
        except EvidenceDamaged:
            return  # cut off on its way: it is sent again
        raise EvidenceDamaged(f"{self._place(attempt)}: another session of this attempt is there; nothing was sent")

    def _send(self, file: Path, attempt: str, expected: Stamp | None) -> None:
        if self._stamp(attempt, file.name) == expected:
            return
        path = self._path(attempt, file.name)
        if self._folders:
            self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        self._fs.put_file(str(file), path)
        if self._stamp(attempt, file.name) != expected:
            raise EvidenceUnavailable(f"{self._place(attempt)}: {file.name} did not arrive whole")

    def _blocks(self, attempt: str, name: str) -> Iterator[bytes]:
        with self._reaching():
            try:
                with self._fs.open(self._path(attempt, name), "rb") as file:
                    while block := file.read(1 << 20):
                        yield block
            except FileNotFoundError as error:
                raise EvidenceDamaged(f"{self._place(attempt)}: {name} is missing; nothing was fetched") from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except ShopperError:
            raise
        except Exception as error:  # each file system raises its own
            told = (str(error).splitlines() or [""])[0]
            raise EvidenceUnavailable(
                f"the evidence store {self.url} cannot be used now: {type(error).__name__}: {told}"
            ) from error


def _protocol(url: str) -> str:
    match = re.fullmatch(r"([a-z][a-z0-9+]*)://(.*)", url, re.DOTALL)
    if match is None:
        raise InputError("the evidence URL is none", cure="s3://bucket/folder or file:///folder")
    protocol, rest = match.groups()
    if protocol in ("file", "local"):
        if not rest.startswith("/"):
            raise InputError(f"the evidence URL {url} is not absolute", cure="file:///folder, with three strokes")
        return protocol
    if re.search(r":.*@", rest, re.DOTALL) or "?" in rest:
        raise InputError(
            f"the evidence URL ({protocol}://...) holds a password, a key or options",
            cure="name only the place; secrets come from the environment, see docs/evidence.md",
        )
    if "::" in url or not rest.strip("/"):
        raise InputError(f"the evidence URL {url} names no place", cure="s3://bucket/folder or file:///folder")
    return protocol


def _options(protocol: str) -> dict[str, Any]:
    if protocol not in S3:
        return {}
    known = {name: os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    if missing := [name for name, value in known.items() if not value]:
        raise InputError(f"the evidence store has no credentials: {' and '.join(missing)} not set", cure="export them")
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint is not None and "@" in endpoint:
        raise InputError("AWS_ENDPOINT_URL holds a password", cure="name only the place there: https://host:port")
    return {
        "key": known["AWS_ACCESS_KEY_ID"],
        "secret": known["AWS_SECRET_ACCESS_KEY"],
        "token": os.environ.get("AWS_SESSION_TOKEN"),
        "endpoint_url": endpoint,
        "config_kwargs": {"retries": {"total_max_attempts": 1}},  # put has its own patience
    }


def _install(protocol: str) -> str:
    if protocol in S3:
        return "pip install 'contact-centre-shopper[s3]'"
    return str(known_implementations[protocol].get("err", "install it"))
