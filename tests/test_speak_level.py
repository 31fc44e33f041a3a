"""The active speech level: speech of known level, with pauses and noise; and against P.56 written out as a loop."""

from itertools import pairwise

import numpy as np
import pytest

from probes.hearing.wav import RATE
from probes.speaking.espeak import render
from probes.speaking.level import SILENT, active_level


def syllables(dbov, seconds=4.0, seed=1):
    """Noise that swells and fades four times a second with an exact RMS level over its length."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = random.standard_normal(len(time)) * (0.35 + np.sin(np.pi * 4 * time) ** 2)
    return sound * 32768 * 10 ** (dbov / 20) / np.sqrt(np.mean(sound**2))


def by_the_letter(pcm):
    """P.56 method B, sample by sample."""
    sound = np.asarray(pcm, float) / 32768
    g, hangover = np.exp(-1 / (RATE * 0.03)), round(0.2 * RATE)
    thresholds = [2.0**-k for k in range(16, 0, -1)]
    active, since = [0] * 16, [hangover] * 16
    p = q = 0.0
    for x in np.abs(sound):
        p = g * p + (1 - g) * x
        q = g * q + (1 - g) * p
        for j, c in enumerate(thresholds):
            if q >= c:
                active[j], since[j] = active[j] + 1, 0
            elif since[j] < hangover:
                active[j], since[j] = active[j] + 1, since[j] + 1
    energy = np.sum(sound**2)
    rows = [(10 * np.log10(energy / a), 20 * np.log10(c)) for a, c in zip(active, thresholds, strict=True) if a]
    for (a1, c1), (a2, c2) in pairwise(rows):
        if a2 - c2 <= 15.9 <= a1 - c1:
            share = (a1 - c1 - 15.9) / ((a1 - c1) - (a2 - c2))
            return a1 + share * (a2 - a1)
    raise AssertionError("no crossing")


@pytest.mark.parametrize("dbov", [-50, -38, -26, -20])
def test_speech_of_known_level(dbov):
    assert active_level(syllables(dbov)) == pytest.approx(dbov, abs=0.5)


@pytest.mark.parametrize("pause_s", [1, 5, 20])
def test_pauses_do_not_lower_it(pause_s):
    pause = np.zeros(pause_s * RATE)
    sound = np.concatenate((pause, syllables(-26), pause, syllables(-26, seed=2), pause))
    assert active_level(sound) == pytest.approx(-26, abs=0.5)
    assert 10 * np.log10(np.mean((sound / 32768) ** 2)) < -26.6  # the long-term level, which is not it


def test_room_noise_does_not_move_it():
    sound = np.concatenate((np.zeros(3 * RATE), syllables(-26), np.zeros(3 * RATE)))
    noise = np.random.default_rng(3).standard_normal(len(sound)) * 32768 * 10 ** (-66 / 20)
    assert active_level(sound + noise) == pytest.approx(-26, abs=0.5)


@pytest.mark.parametrize("gain_db", [-17.3, -6, 0])
def test_it_is_p56_to_the_letter(gain_db):
    pcm = render("您好，我想查询一下账户余额。谢谢。", variant="f3") * 10 ** (gain_db / 20)
    assert active_level(pcm) == pytest.approx(by_the_letter(pcm), abs=0.02)


def test_it_follows_the_gain():
    pcm = render("您好，我想查询一下账户余额。").astype(float)
    assert active_level(pcm / 10) == pytest.approx(active_level(pcm) - 20, abs=0.1)


def test_the_rate_does_not_matter():
    assert active_level(np.repeat(syllables(-30), 4), 4 * RATE) == pytest.approx(active_level(syllables(-30)), abs=0.1)


def test_full_scale_sine_is_three_below_overload():
    sine = 32767 * np.sin(2 * np.pi * 1000.7 * np.arange(RATE * 3) / RATE)
    assert active_level(sine) == pytest.approx(-3.01, abs=0.2)


@pytest.mark.parametrize("pcm", [np.zeros(0), np.zeros(RATE), np.full(RATE, 0.1)], ids=["nothing", "zeros", "below"])
def test_silence_has_no_level(pcm):
    assert active_level(pcm) == SILENT
