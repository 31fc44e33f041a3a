"""What comes in from a microphone or a file: formats, rates, levels, edges; and what is refused."""

import struct
import wave

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import resample_poly

from probes.hearing.wav import RATE, write_wav
from probes.speaking.espeak import render
from probes.speaking.intake import clipped, prepare
from probes.speaking.level import active_level
from probes.speaking.speaker import VARIANTS
from scenarios.errors import InputError

TEXT = "您好，我想查询一下账户余额。"


@pytest.fixture(scope="module")
def speech():
    return render(TEXT, variant="f3").astype(float) / 32768


def at(rate, sound):
    return resample_poly(sound, rate // 100, RATE // 100)


def save(path, sound, rate=RATE, kind=np.int16):
    full = {np.int16: 32767, np.int32: 2**31 - 1, np.float32: 1.0}[kind]
    wavfile.write(path, rate, np.clip(sound * full, -full, full).astype(kind))
    return path


def save_24(path, sound, rate):
    """24 bit as recorders write it: WAVE_FORMAT_EXTENSIBLE."""
    data = b"".join(int(x * 8388607).to_bytes(3, "little", signed=True) for x in sound)
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, rate, rate * 3, 3, 24, 22, 24, 4) + guid
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def likeness(pcm, sound):
    """The largest correlation of two recordings of the same speech, 0 to 1."""
    first, second = pcm / np.linalg.norm(pcm.astype(float)), sound / np.linalg.norm(sound)
    return float(np.abs(np.correlate(first, second, "full")).max())


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_rates_and_widths(tmp_path, speech, rate, kind):
    sound = resample_poly(speech, rate // 50, RATE // 50)
    pcm = prepare(save(tmp_path / "a.wav", 0.4 * sound, rate, kind))
    assert pcm.dtype == np.int16
    assert active_level(pcm) == pytest.approx(-26, abs=0.1)
    assert likeness(pcm, speech) > 0.97


def test_24_bit(tmp_path, speech):
    pcm = prepare(save_24(tmp_path / "a.wav", 0.3 * at(48000, speech), 48000))
    assert active_level(pcm) == pytest.approx(-26, abs=0.1)
    assert likeness(pcm, speech) > 0.97


@pytest.mark.parametrize("side", [0, 1])
def test_of_two_channels_the_louder(tmp_path, speech, side):
    both = np.zeros((len(speech), 2))
    both[:, side] = 0.5 * speech
    assert likeness(prepare(save(tmp_path / "a.wav", both)), speech) > 0.97


def test_channels_of_opposite_sign_do_not_cancel(tmp_path, speech):
    pcm = prepare(save(tmp_path / "a.wav", np.stack((0.5 * speech, -0.5 * speech), axis=1)))
    assert likeness(pcm, speech) > 0.97


@pytest.mark.parametrize("gain_db", [-30, -12, 0])
def test_any_gain_comes_out_at_telephone_level(tmp_path, speech, gain_db):
    pcm = prepare(save(tmp_path / "a.wav", speech * 10 ** (gain_db / 20), kind=np.float32))
    assert active_level(pcm) == pytest.approx(-26, abs=0.1)
    assert np.abs(pcm.astype(int)).max() < 32768 * 10 ** (-3 / 20)


def test_silence_noise_hum_and_a_click_around_the_speech_go(tmp_path, speech):
    random = np.random.default_rng(5)
    sound = np.concatenate((np.zeros(2 * RATE), 0.5 * speech, np.zeros(3 * RATE)))
    sound += 10 ** (-62 / 20) * random.standard_normal(len(sound)) + 0.05
    sound += 0.005 * np.sin(2 * np.pi * 50 * np.arange(len(sound)) / RATE)
    sound[4000:4060] += 0.3 * random.standard_normal(60)
    pcm = prepare(save(tmp_path / "a.wav", sound))
    assert len(pcm) == pytest.approx(len(speech), abs=0.15 * RATE)
    assert abs(pcm.astype(float).mean()) < 10
    assert likeness(pcm, speech) > 0.97


def test_a_peak_costs_level_and_never_goes_beyond(tmp_path, speech):
    sound = 0.2 * speech
    sound[len(sound) // 2] = 0.45
    pcm = prepare(save(tmp_path / "a.wav", sound))
    assert np.abs(pcm.astype(int)).max() < 32768 * 10 ** (-3 / 20)
    assert -32 < active_level(pcm) < -26.5


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("quieter", [1.0, 0.3], ids=["at the converter", "before it"])
def test_clipped(tmp_path, speech, rate, quieter):
    sound = at(rate, speech)
    sound = np.clip(sound, -0.5 * np.abs(sound).max(), 0.5 * np.abs(sound).max())
    sound *= quieter / np.abs(sound).max()
    with pytest.raises(InputError, match="clipped") as caught:
        prepare(save(tmp_path / "a.wav", sound, rate))
    assert "lower the microphone's gain" in str(caught.value)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rate", [8000, 48000])
def test_loud_speech_is_not_clipped(variant, rate):
    sound = at(rate, render(TEXT, variant=variant).astype(float))
    sound = np.rint(32767 * sound / np.abs(sound).max()) / 32768
    assert clipped(sound) == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_coarse_steps_of_a_telephone_recording_are_not_clipping(variant):
    sound = render(TEXT, variant=variant).astype(float)
    sound /= np.abs(sound).max()
    coarse = np.sign(sound) * np.expm1(np.rint(127 * np.log1p(255 * np.abs(sound)) / np.log(256)) / 127 * np.log(256))
    assert clipped(coarse / 255) == 0


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        prepare(path)
    assert caught.value.cure
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)


def test_silence_is_refused(tmp_path):
    refused(save(tmp_path / "a.wav", np.zeros(2 * RATE)), "silent")
    refused(save(tmp_path / "b.wav", 3e-4 * np.random.default_rng(1).standard_normal(2 * RATE)), "silent")
    refused(save(tmp_path / "c.wav", np.full(2 * RATE, 0.3)), "silent")  # direct current
    refused(save(tmp_path / "d.wav", np.zeros(0)), "silent")


def test_too_short_and_too_long(tmp_path, speech):
    refused(save(tmp_path / "a.wav", speech[2000:3200]), "only")
    refused(save(tmp_path / "b.wav", 0.5 * np.tile(speech, 1 + int(31 * RATE / len(speech)))), "this line lasts")
    refused(save(tmp_path / "c.wav", np.zeros(301 * RATE)), "this file lasts 301 s")


def test_a_bang_is_refused(tmp_path, speech):
    sound = 0.003 * speech
    sound[len(sound) // 2] = 0.9
    refused(save(tmp_path / "a.wav", sound, kind=np.float32), "bang")


def test_files_that_are_none(tmp_path, speech):
    (tmp_path / "a.wav").write_bytes(b"ID3 this is something else")
    refused(tmp_path / "a.wav", "no WAV file")
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(100))
    refused(tmp_path / "a.flac", "no WAV file")
    (tmp_path / "e.wav").write_bytes(b"")
    refused(tmp_path / "e.wav", "no WAV file")
    refused(tmp_path / "none.wav", "no such recording")
    refused(save(tmp_path / "r.wav", speech, 96000), "96000 Hz")
    refused(save(tmp_path / "n.wav", np.full(RATE, np.nan), kind=np.float32), "no numbers")
    refused(save(tmp_path / "s.wav", np.zeros((RATE, 6))), "6 channel")


@pytest.mark.parametrize("left", [10, 30, 44, 45, 1001])
def test_a_file_that_ends_before_its_time(tmp_path, speech, left):
    whole = save(tmp_path / "a.wav", speech).read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:left])
    with pytest.raises(InputError):
        prepare(tmp_path / "a.wav")


def test_eight_bit_is_refused(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 1, RATE, 0, "NONE", ""))
        file.writeframes(bytes(RATE))
    refused(tmp_path / "a.wav", "uint8")


def test_what_came_in_can_come_in_again(tmp_path, speech):
    first = prepare(save(tmp_path / "a.wav", 0.5 * speech))
    write_wav(tmp_path / "b.wav", first)
    again = prepare(tmp_path / "b.wav")
    assert len(again) == pytest.approx(len(first), abs=400)
    assert active_level(again) == pytest.approx(-26, abs=0.1)
