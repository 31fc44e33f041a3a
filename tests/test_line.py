"""The step from digital silence to the noise of an open line."""

from __future__ import annotations

import numpy as np
import pytest

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
