"""Loads a model in a process of its own, and lets it hear a second of noise: what may abort, aborts there."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from probes.hearing.transcription.model_files import ModelFiles, ModelMistake
from probes.hearing.wav import RATE

PATIENCE_S = 180.0
_NAME = "probes.hearing.transcription.trial"
_SOURCE = re.compile(r"^\S+\.(?:cc|h):\S+:\d+\s+")  # the library names its source line first


def try_model(files: ModelFiles) -> None:
    """Tries a model; the same files are tried once a process.

    Raises:
        ModelMistake: it cannot be loaded or cannot hear, with what the library says about it.
    """
    paths = {part: str(path) for part, path in files.networks.items()}
    more = {"tokens": files.tokens, "bpe": files.bpe, "hotwords": files.hotwords}
    given = {"kind": files.kind, "networks": paths} | {name: path and str(path) for name, path in more.items()}
    stamps = [(path.stat().st_size, path.stat().st_mtime_ns) for path in (*files.networks.values(), files.tokens)]
    said = _try(json.dumps(given, sort_keys=True), json.dumps(stamps))
    if said is not None:
        network = next(iter(files.networks.values()))
        cure = "fetch it again, or use another: see docs/transcription.md"
        raise ModelMistake("model", f"sherpa-onnx cannot use this model: {said}", file=network.parent, cure=cure)


@lru_cache(maxsize=16)
def _try(given: str, stamps: str) -> str | None:
    """Returns what went wrong, or None. ``stamps`` makes files that were changed new ones."""
    del stamps
    try:
        ended = subprocess.run(
            [sys.executable, "-m", _NAME, given], capture_output=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it is not ready after {PATIENCE_S:.0f} s"
    if ended.returncode == 0:
        return None
    lines = [line for line in ended.stderr.decode(errors="replace").splitlines() if line.strip()]
    last = _SOURCE.sub("", lines[-1].strip()) if lines else f"exit code {ended.returncode}"
    return f"{signal.Signals(-ended.returncode).name}: {last}" if ended.returncode < 0 else last


def _main(given: str) -> None:
    from probes.hearing.transcription.sherpa import SherpaTranscriber

    read = json.loads(given)
    files = ModelFiles(
        kind=read["kind"],
        tokens=Path(read["tokens"]),
        networks={part: Path(path) for part, path in read["networks"].items()},
        bpe=read["bpe"] and Path(read["bpe"]),
        hotwords=read["hotwords"] and Path(read["hotwords"]),
    )
    noise = np.random.default_rng(1).standard_normal(RATE) * 300
    SherpaTranscriber(files).transcribe(noise.astype(np.int16), 0.0)


if __name__ == "__main__":
    _main(sys.argv[1])
