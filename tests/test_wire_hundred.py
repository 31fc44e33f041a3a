"""A hundred calls at once, four a process: the stamps of signalling stay where the packets went by."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.test_wire_calls import hold

pytestmark = pytest.mark.alone

PROCESSES, CALLS, SECONDS = 25, 4, 40.0  # a call lasts longer than all of them take to begin


def errors(folder: Path) -> tuple[list[float], list[tuple[float, float]]]:
    """Returns one process's errors, and when each of its calls began and ended, monotonic."""
    held = hold(folder, calls=CALLS, seconds=SECONDS)
    spans = [(each.at("connected"), each.at("ended")) for each in held.calls]
    return list(held.errors()), spans


def test_signalling_with_a_hundred_calls_running(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(PROCESSES)]
    for folder in folders:
        folder.mkdir()
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(errors, folders))
    spans = [span for _, listed in found for span in listed]
    together = min(end for _, end in spans) - max(start for start, _ in spans)
    stamps = np.abs([error for listed, _ in found for error in listed])

    assert len(spans) == PROCESSES * CALLS
    assert together > 0, "all hundred ran at once"
    assert len(stamps) == 4 * len(spans)
    assert np.percentile(stamps, 95) <= 0.0002, stamps
