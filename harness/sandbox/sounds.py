"""Sounds of the centre that nobody speaks: ringback, keys, a song; and how a sentence is never said twice the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from probes.hearing.wav import RATE, Pcm
from probes.speaking.music import hold_music
from probes.speaking.speaker import Speaker, Voice
from scenarios.model import Lang

KEY_S = 0.16
SONG_S = 14.0
FINER = 4  # places between two samples, for a pace that wavers
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)  # Hz, ITU-T Q.23
_KEYS = "123456789*0#"
_MELODY = (35, 50, 62, 50, 42, 55, 35)  # the pitch of each line of the song
_LYRICS: dict[Lang, tuple[str, ...]] = {
    "zh": (
        "春风吹过小河边", "花儿开在山那边", "我在等你的消息", "一天又一天",
        "月亮照着回家路", "星星陪我到明天", "一年又一年",
    ),
    "en": (
        "Spring is blowing down the river", "Flowers bloom along the way", "I am waiting for your letter",
        "day by day by day", "Moonlight shows the long way homeward", "Stars will keep me company",
        "all the way with you",
    ),
}  # fmt: skip


def ringback(seconds: float = 5.0) -> Pcm:
    """450 Hz, 1 s on and 4 s off (mainland China)."""
    t = np.arange(int(seconds * RATE)) / RATE
    tone = 2500 * np.sin(2 * np.pi * 450 * t) * (t % 5 < 1)
    return tone.astype(np.int16)


def key_tone(key: str) -> Pcm:
    """The two tones of a key, 160 ms."""
    row, column = divmod(_KEYS.index(key), 3)
    t = np.arange(int(KEY_S * RATE)) / RATE
    tone = 3000 * (np.sin(2 * np.pi * _ROWS[row] * t) + np.sin(2 * np.pi * _COLUMNS[column] * t))
    return tone.astype(np.int16)


def as_live(pcm: Pcm, seed: str) -> Pcm:
    """Returns ``pcm`` as somebody says it once: pace and loudness waver a little, another way for each seed."""
    random = np.random.default_rng(list(seed.encode()))
    knots = np.linspace(0, len(pcm), 2 + len(pcm) // (RATE // 4))
    paces = random.uniform(0.94, 1.06) * random.uniform(0.97, 1.03, len(knots))
    places = np.cumsum(np.interp(np.arange(len(pcm) * 1.1), knots, paces))  # 1.1: the slowest there is
    places = places[places <= len(pcm) - 1]
    between = np.arange(len(pcm) * FINER)
    finer = np.fft.irfft(np.fft.rfft(pcm.astype(np.float64)), len(between)) * FINER
    loud = np.interp(places, knots, random.uniform(0.85, 1.15, len(knots)))
    said: Pcm = np.clip(np.rint(np.interp(places * FINER, between, finer) * loud), -32000, 32000).astype(np.int16)
    return said


def mixed(under: Pcm, over: Pcm) -> Pcm:
    """Returns both at once, as long as the longer one."""
    sum_ = np.zeros(max(len(under), len(over)), np.int32)
    sum_[: len(under)] += under
    sum_[: len(over)] += over
    return np.clip(sum_, -32000, 32000).astype(np.int16)


def song(lang: Lang, cache: Path) -> Pcm:
    """Music on hold with a voice in it, 14 s. The voice comes from ``cache``: the same samples in every call."""
    voice = np.zeros(round(SONG_S * RATE), np.int16)
    for number, (line, pitch) in enumerate(zip(_LYRICS[lang], _MELODY, strict=True)):
        words = Speaker(lang, Voice("f5", 120, pitch), cache).audio(line, f"song-{number}")
        start = round((0.3 + number * (SONG_S - 0.3) / len(_MELODY)) * RATE)
        room = voice[start : start + len(words)]
        room += words[: len(room)]
    return mixed(hold_music(SONG_S, seed=95013, level_dbfs=-25.0), voice)
