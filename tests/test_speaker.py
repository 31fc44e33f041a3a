"""Speech and music that are played: level, edges, caching, recorded lines."""

import multiprocessing

import numpy as np
import pytest

from probes.hearing.wav import RATE, read_wav, write_wav
from probes.speaking.espeak import render, variants
from probes.speaking.music import hold_music
from probes.speaking.speaker import VARIANTS, Speaker, Voice
from scenarios.errors import HarnessFault, InputError

TEXT = "您好，我想查询一下账户余额。"


def level(pcm):
    frames = np.resize(pcm.astype(float), (len(pcm) // 160, 160))
    rms = np.sqrt(np.mean(frames**2, axis=1))
    return 20 * np.log10(np.sqrt(np.mean(rms[rms > rms.max() / 10] ** 2)) / 32768)


@pytest.mark.parametrize("variant", [None, *VARIANTS])
def test_rendered_speech_has_telephone_level_and_clean_edges(variant):
    pcm = render(TEXT, variant=variant)
    assert pcm.dtype == np.int16
    assert -22 < level(pcm) < -18
    assert np.abs(pcm.astype(int)).max() < 32000
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > np.abs(pcm.astype(int)).max() // 20)
    assert loud[0] < 0.12 * RATE
    assert len(pcm) - loud[-1] < 0.12 * RATE


def test_variants_are_clearly_different_speakers():
    def pitch(pcm):
        periods = []
        for start in range(0, len(pcm) - 640, 320):
            frame = pcm[start : start + 640].astype(float)
            if frame.std() > 1000:
                likeness = np.correlate(frame, frame, "full")[639:]
                periods.append(20 + int(likeness[20:130].argmax()))
        return RATE / np.median(periods)

    assert pitch(render(TEXT, variant="f3")) > 1.4 * pitch(render(TEXT, variant="m1"))
    assert set(VARIANTS) <= set(variants())


def test_unknown_voice_and_variant_are_refused():
    with pytest.raises(HarnessFault, match="nosuch"):
        render(TEXT, variant="nosuch")
    with pytest.raises(HarnessFault, match="nosuch"):
        render(TEXT, voice="nosuch")


def test_nothing_to_say_is_refused():
    with pytest.raises(HarnessFault):
        render(" ")


def test_english_and_numbers(tmp_path):
    speaker = Speaker("en", Voice("m3"), tmp_path)
    assert len(speaker.audio("My number is one two three.", "ask-number")) > RATE


def test_the_same_words_are_the_same_samples(tmp_path):
    first = Speaker("zh", Voice("f1"), tmp_path).audio(TEXT, "ask")
    again = Speaker("zh", Voice("f1"), tmp_path).audio(TEXT, "again")
    other = Speaker("zh", Voice("f3"), tmp_path).audio(TEXT, "ask")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert [path.suffix for path in tmp_path.iterdir()] == [".wav", ".wav"]


def _say(cache):
    return Speaker("zh", Voice("f1"), cache).audio(TEXT, "ask").tobytes()


def test_several_processes_at_once_play_the_same_samples(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        said = pool.map(_say, [tmp_path] * 6, chunksize=1)
    assert len(set(said)) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_recorded_line_stands_in(tmp_path):
    recorded = np.concatenate((np.zeros(RATE), 5000 * np.sin(np.arange(RATE)), np.zeros(RATE))).astype(np.int16)
    write_wav(tmp_path / "rec" / "ask-balance.wav", recorded)
    speaker = Speaker("zh", Voice(), tmp_path / "cache", tmp_path / "rec")
    pcm = speaker.audio(TEXT, "ask-balance")
    assert len(pcm) == pytest.approx(RATE + 0.04 * RATE, abs=100)
    assert not (tmp_path / "cache").exists()
    assert len(speaker.audio(TEXT, "ask-other")) > RATE


@pytest.mark.parametrize("line", ["../secret", "a/b", "", ".hidden"])
def test_a_line_cannot_leave_the_folder(tmp_path, line):
    with pytest.raises(InputError):
        Speaker("zh", Voice(), tmp_path, tmp_path).audio(TEXT, line)


def test_a_recording_of_another_rate_is_refused(tmp_path):
    import wave

    with wave.open(str(tmp_path / "ask.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    with pytest.raises(InputError, match="16000 Hz"):
        Speaker("zh", Voice(), tmp_path, tmp_path).audio(TEXT, "ask")


def test_voices_are_drawn_from_the_seed():
    assert Voice.draw(7) == Voice.draw(7)
    assert len({Voice.draw(seed).variant for seed in range(40)}) == len(VARIANTS)
    assert Voice.draw(7, among=("m1",)).variant == "m1"


def test_wav_round_trip(tmp_path):
    pcm = hold_music(0.5)
    write_wav(tmp_path / "new folder" / "m.wav", pcm)
    assert np.array_equal(read_wav(tmp_path / "new folder" / "m.wav"), pcm)


def test_music_is_reproducible_and_in_range():
    assert np.array_equal(hold_music(3, 5), hold_music(3, 5))
    assert not np.array_equal(hold_music(3, 5), hold_music(3, 6))
    assert len(hold_music(2.5)) == 20000
    assert 2000 < np.abs(hold_music(10).astype(int)).max() < 32768
