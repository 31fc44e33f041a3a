"""The step from digital silence to the noise of an open line, and what noise through the whole call does."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from harness.bench.audio_centre import whole_call
from harness.bench.hearing import Errors, compare, hear_at
from probes.hearing.line import LineNoise
from probes.hearing.telephone import round_trip
from probes.hearing.wav import RATE


def noise(seconds: float, level: float = 12) -> np.ndarray:
    return np.random.default_rng(5).normal(0, level, int(seconds * RATE)).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.int16)


def opened(*parts: np.ndarray, block: int = 800) -> list[float]:
    sound, line = round_trip(np.concatenate(parts)), LineNoise(2.0)
    return [e.t for start in range(0, len(sound), block) for e in line.push(sound[start : start + block])]


@pytest.mark.parametrize("block", [160, 333, 800])
def test_noise_after_silence_is_an_open_line(block: int) -> None:
    assert opened(silence(1.5), noise(1.0), block=block) == [pytest.approx(3.5, abs=0.021)]


def test_silence_is_not_and_a_click_is_not() -> None:
    assert opened(silence(3.0)) == []
    assert opened(silence(1.0), noise(0.1, 2000), silence(1.0)) == []


def test_a_line_that_was_never_silent_does_not_open() -> None:
    assert opened(noise(3.0)) == []
    assert opened(noise(1.0), silence(0.1), noise(1.0)) == []


def test_a_call_under_noise_10_db_below_its_speech() -> None:
    calls = [whole_call(seed, "en" if seed % 3 == 2 else "zh") for seed in range(9)]
    errors: Errors = defaultdict(list)
    wrong = []
    for call in calls:
        heard = hear_at(call, 10.0)
        found, faults = compare(call, heard)
        wrong += faults
        for kind, values in found.items():
            errors[kind] += values
        assert not [one for one in heard if one.event.kind == "line_open"]  # it was never dead
    # Speech may go on into the music that follows a recording, and a turn may swallow the next: one call in ten each.
    assert not [fault for fault in wrong if ": prompt" in fault]
    assert len([fault for fault in wrong if ": music:" in fault]) <= 1, wrong
    assert len([fault for fault in wrong if ": speech:" in fault]) <= 3, wrong
    limits = {"prompt": 0.06, "prompt_end": 0.1, "tone": 0.06, "music": 0.6, "music_end": 0.6, "speech": 0.3}
    for kind, limit in limits.items():
        assert np.percentile(np.abs(errors[kind]), 95) < limit, kind
        assert np.median(np.abs(errors[kind])) < 0.1, kind
