"""Recording: file time is call time, whatever the bridge's clock does."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from probes.voice.audio import FRAME_BYTES, FRAME_S, RATE, Recording, Track

LOUD = np.full(160, 1000, "<i2").tobytes()


def onsets(track: Track, arrivals: list[float]) -> list[float]:
    placed = []
    for now in arrivals:
        start, frame = track.place(now, LOUD)
        placed.append(start + (len(frame) - FRAME_BYTES) / 2 / RATE)
    return placed


def test_silence_before_the_first_frame_is_filled() -> None:
    assert onsets(Track(10.0), [12.5, 12.52]) == pytest.approx([2.5, 2.52])


def test_a_stall_that_is_caught_up_moves_nothing() -> None:
    regular = [n * FRAME_S for n in range(500)]
    stalled = [max(t, 4.4) if 4.0 <= t <= 4.4 else t for t in regular]

    assert onsets(Track(0.0), stalled) == pytest.approx(regular, abs=1e-3)


def test_a_gap_without_frames_is_filled_whether_long_or_short() -> None:
    for gap in (0.2, 3.0):
        arrivals = [n * FRAME_S for n in range(100)] + [2 + gap + n * FRAME_S for n in range(200)]
        assert onsets(Track(0.0), arrivals)[-50:] == pytest.approx(arrivals[-50:], abs=0.021)


def test_both_sides_share_one_time_line_to_the_end(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav", origin=100.0)
    for n in range(100):
        recording.far(101.0 + n * FRAME_S, LOUD)
    for n in range(50):
        recording.own(102.0 + n * FRAME_S, LOUD)
    recording.close(105.0)

    with wave.open(str(tmp_path / "call.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(sound) == 5 * RATE
    assert np.flatnonzero(sound[:, 0])[[0, -1]] == pytest.approx([RATE, 3 * RATE - 1], abs=2)
    assert np.flatnonzero(sound[:, 1])[[0, -1]] == pytest.approx([2 * RATE, 3 * RATE - 1], abs=2)


def test_a_recording_that_is_cut_off_can_still_be_read(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "call.wav", origin=0.0)
    for n in range(300):
        recording.far(n * FRAME_S, LOUD)
        recording.own(n * FRAME_S, LOUD)

    with wave.open(str(tmp_path / "call.wav")) as file:  # never closed, as after a kill
        assert file.getnframes() >= 5 * RATE
