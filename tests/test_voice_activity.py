"""Speech onsets and offsets, after silence and after music."""

import numpy as np
import onnxruntime
import pytest

from harness.bench.audio_centre import AGENTS, GREETINGS, audible, said, tone, whole_call
from probes.hearing.telephone import round_trip
from probes.hearing.voice_activity import VoiceActivity, ask
from probes.hearing.voice_network import CONTEXT, STEP, UNITS, voice_network
from probes.hearing.wav import RATE
from probes.hearing.weights import read_weights, silero_file
from probes.speaking.music import hold_music
from scenarios.errors import ToolMissing


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
    assert [step.voice for step in pieces] == [step.voice for step in whole]


def test_calls_heard_together_give_the_same_steps_as_each_alone():
    random = np.random.default_rng(9)
    sounds = [whole_call(seed).sound(noise=noise)[: 20 * RATE] for seed, noise in enumerate((0, 20, 60, 500, 0))]
    alone = [VoiceActivity(origin=3.0).push(pcm) for pcm in sounds]
    voices, together = [VoiceActivity(origin=3.0) for _ in sounds], [[] for _ in sounds]
    at = [0] * len(sounds)
    while any(place < len(pcm) for place, pcm in zip(at, sounds, strict=True)):
        for row, (voice, pcm) in enumerate(zip(voices, sounds, strict=True)):
            size = int(random.integers(0, 2000))  # each at its own pace; some have nothing to ask
            voice.prepare(pcm[at[row] : at[row] + size])
            at[row] += size
        ask(voices)
        for voice, steps in zip(voices, together, strict=True):
            steps += voice.finish()
    assert together == alone


def test_network_agrees_with_the_runtime_it_was_made_for():
    pcm = np.concatenate([said(GREETINGS["zh"][0], "zh", "f1", 170), hold_music(3, 1)])
    sound = np.concatenate((np.zeros(CONTEXT), pcm / 32768)).astype(np.float32)
    steps = np.stack([sound[k : k + CONTEXT + STEP] for k in range(0, len(pcm) - STEP, STEP)])
    session = onnxruntime.InferenceSession(str(silero_file()), providers=["CPUExecutionProvider"])
    state, wanted, network = np.zeros((2, 1, 128), np.float32), [], voice_network()
    for step in steps:
        voice, state = session.run(None, {"input": step[None], "state": state, "sr": np.array(RATE)})
        wanted.append(float(voice[0, 0]))
    memory, carried, memories = np.zeros((1, 1, UNITS), np.float32), np.zeros((1, 1, UNITS), np.float32), []
    for seen in network.look(steps):
        network.remember(seen[None], memory, carried)
        memories.append(memory[0].copy())
    assert max(wanted) > 0.9 > 0.1 > min(wanted)
    assert network.judge(np.stack(memories)) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("damage", [lambda data: data[:5000], lambda data: b"", lambda data: b"\xff" * 50])
def test_a_damaged_network_file_is_told(tmp_path, damage):
    path = tmp_path / "network.onnx"
    path.write_bytes(damage(silero_file().read_bytes()))
    with pytest.raises(ToolMissing, match=r"network\.onnx"):
        read_weights(path)
