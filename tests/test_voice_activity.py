"""Speech onsets and offsets, after silence and after music."""

import numpy as np
import pytest

from harness.bench.audio_centre import AGENTS, GREETINGS, audible, said, tone
from probes.hearing.telephone import round_trip
from probes.hearing.voice_activity import VoiceActivity
from probes.hearing.wav import RATE
from probes.speaking.music import hold_music


def onset_and_offset(pcm, spoken_from):
    voice = VoiceActivity()
    first = last = onset = offset = None
    for start in range(0, len(pcm), 800):
        for step in voice.push(pcm[start : start + 800]):
            if step.voice >= 0.5 and step.t > spoken_from - 0.4:
                last = step.t
                if first is None:
                    first, onset = step.t, voice.onset(step.t)
        if last is not None and voice.now > last + 0.4:
            offset = voice.offset(last)
    return onset, offset


@pytest.mark.parametrize(
    ("before", "noise", "p95"), [("silence", 0, 0.06), ("silence", 330, 0.10), ("music", 60, 0.06)]
)
def test_edges_of_speech(before, noise, p95):
    random = np.random.default_rng(5)
    onsets, offsets = [], []
    for index in range(18):
        lang = "zh" if index % 2 else "en"
        text = GREETINGS[lang][index % len(GREETINGS[lang])]
        pcm = said(text, lang, AGENTS[index % len(AGENTS)], 170)
        lead = hold_music(3, index) if before == "music" else np.zeros(RATE, np.int16)
        gap = np.zeros(int(random.uniform(0.25, 0.6) * RATE), np.int16)
        whole = np.concatenate((lead, gap, pcm, np.zeros(RATE, np.int16)))
        whole = round_trip(np.clip(whole + random.standard_normal(len(whole)) * noise, -32768, 32767).astype(np.int16))
        first, last = (edge + len(lead) + len(gap) for edge in audible(pcm))
        onset, offset = onset_and_offset(whole, first / RATE)
        onsets.append(abs(onset - first / RATE))
        offsets.append(abs(offset - last / RATE))
    assert np.percentile(onsets, 95) < p95
    assert np.percentile(offsets, 95) < 0.2


def test_tones_and_silence_are_no_speech():
    voice = VoiceActivity()
    steps = voice.push(round_trip(np.concatenate((np.zeros(8000, np.int16), tone((450,), (1, 4), 10)))))
    assert max(step.voice for step in steps) < 0.5


def test_blocks_of_any_length_give_the_same_steps():
    pcm = round_trip(said(GREETINGS["zh"][0], "zh", "f1", 170))
    whole, pieces = VoiceActivity().push(pcm), []
    voice = VoiceActivity()
    for start in range(0, len(pcm), 77):
        pieces += voice.push(pcm[start : start + 77])
    assert [step.t for step in pieces] == [step.t for step in whole]
    assert [step.voice for step in pieces] == pytest.approx([step.voice for step in whole], abs=1e-4)
