"""Call-progress tones: which, since when, until when; and none where there is none."""

import numpy as np
import pytest

from harness.bench.audio_centre import Call, listen, tone
from probes.hearing.ear import Ear
from probes.hearing.telephone import round_trip
from probes.hearing.tones import Tones
from probes.hearing.wav import RATE
from probes.speaking.espeak import render
from probes.speaking.music import hold_music

PLANS = {
    "mainland ringback": ((450,), (1, 4), "ringback"),
    "mainland busy": ((450,), (0.35, 0.35), "busy"),
    "mainland congestion": ((450,), (0.7, 0.7), "congestion"),
    "low mainland ringback": ((430,), (1, 4), "ringback"),
    "high mainland ringback": ((468,), (1, 4), "ringback"),
    "European ringback": ((425,), (1, 4), "ringback"),
    "European busy": ((425,), (0.5, 0.5), "busy"),
    "American ringback": ((440, 480), (2, 4), "ringback"),
    "American busy": ((480, 620), (0.5, 0.5), "busy"),
    "American congestion": ((480, 620), (0.25, 0.25), "congestion"),
    "British ringback": ((400, 450), (0.4, 0.2, 0.4, 2), "ringback"),
    "British busy": ((400,), (0.375, 0.375), "busy"),
    "British congestion": ((400,), (0.4, 0.35, 0.225, 0.525), "congestion"),
    "European congestion": ((425,), (0.25, 0.25), "congestion"),
}


def hear(pcm, block=400):
    tones = Tones(origin=10.0)
    events = []
    for first in range(0, len(pcm), block):
        events += [(10 + (first + block) / RATE, event) for event in tones.push(pcm[first : first + block])]
    return events + [(10 + len(pcm) / RATE, event) for event in tones.finish()]


def quiet(seconds):
    return np.zeros(round(seconds * RATE), np.int16)


@pytest.mark.parametrize("snr", [30, 10, 5])
@pytest.mark.parametrize("plan", PLANS)
def test_tone_is_named_and_stamped(plan, snr):
    hz, pattern, name = PLANS[plan]
    random = np.random.default_rng(len(plan) * 100 + snr)
    before = random.uniform(0.3, 1.2)
    sounding = 2 * sum(pattern) + pattern[0]
    whole = np.concatenate((quiet(before), tone(hz, pattern, sounding), quiet(5.5)))
    noise = random.standard_normal(len(whole)) * 2500 / np.sqrt(2) / 10 ** (snr / 20)
    heard = hear(round_trip(np.clip(whole + noise, -32768, 32767).astype(np.int16)))
    assert [(event.kind, event.data["name"]) for _, event in heard] == [("tone", name), ("tone_end", name)]
    assert heard[0][1].t == pytest.approx(10 + before, abs=0.06)
    assert heard[1][1].t == pytest.approx(10 + before + sounding, abs=0.06)
    assert heard[0][0] - heard[0][1].t < 3 * max(pattern[0], 0.6) + 0.4  # known soon


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.85])
def test_ringback_cut_off_in_a_burst_ends_there(cut):
    heard = hear(round_trip(np.concatenate((quiet(0.5), tone((450,), (1, 4), 5 + cut), quiet(2)))))
    assert [event.kind for _, event in heard] == ["tone", "tone_end"]
    known, end = heard[1]
    assert end.t == pytest.approx(10.5 + 5 + cut, abs=0.06)
    assert known - end.t < 0.4


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.8])
def test_ringback_cut_off_in_its_first_burst_is_found(cut):
    heard = hear(round_trip(np.concatenate((quiet(0.5), tone((450,), (1, 4), cut), quiet(2)))))
    assert [event.kind for _, event in heard] == ["tone", "tone_end"]
    assert heard[0][1].data["cut_off"] is True
    assert heard[1][1].t == pytest.approx(10.5 + cut, abs=0.06)


def test_ringback_ends_when_somebody_speaks():
    tones = Tones()
    tones.push(round_trip(np.concatenate((quiet(0.5), tone((450,), (1, 4), 1), quiet(1.5)))))
    (end,) = tones.interrupted(2.8)
    assert (end.kind, end.data["latest"]) == ("tone_end", 2.8)
    assert end.t == pytest.approx(1.5, abs=0.06)


def test_end_says_until_when_it_may_have_rung():
    heard = hear(round_trip(np.concatenate((quiet(0.5), tone((450,), (1, 4), 6), quiet(6)))))
    assert heard[-1][1].data["latest"] == pytest.approx(10.5 + 6 + 4, abs=0.06)


@pytest.mark.parametrize("snr", [30, 10])
@pytest.mark.parametrize("pause", [0.0, 0.03])
def test_special_information_tone_is_no_ringback(snr, pause):
    three = np.concatenate([part for hz in (950, 1400, 1800) for part in (tone((hz,), (1, 1), 0.33), quiet(pause))])
    whole = np.concatenate((quiet(1.5), three, quiet(1), three, quiet(1), three, quiet(2)))  # the noise is known first
    noise = np.random.default_rng(snr).standard_normal(len(whole)) * 2500 / np.sqrt(2) / 10 ** (snr / 20)
    pcm = round_trip(np.clip(whole + noise, -32768, 32767).astype(np.int16))
    assert hear(pcm) == []
    heard = [one.event.kind for one in listen(Ear([]), pcm)]
    assert not {"tone", "music", "speech"} & set(heard)


def test_a_voice_on_the_note_of_the_ringing_does_not_prolong_it():
    # 0.2 s near 450 Hz with overtones, as a vowel has them: tonal, but not pure, and long before the next burst is due
    time = np.arange(1600) / RATE
    vowel = sum(a * np.sin(2 * np.pi * f * time) for a, f in ((2500, 450), (1200, 900), (900, 1350)))
    whole = np.concatenate((quiet(0.5), tone((450,), (1, 4), 1), quiet(1.2), vowel, quiet(7)))
    heard = hear(round_trip(whole.astype(np.int16)))
    assert [event.kind for _, event in heard] == ["tone", "tone_end"]
    assert heard[1][1].t == pytest.approx(11.5, abs=0.06)


@pytest.mark.parametrize("noise", [0, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_colour_ringback_is_music(seed, noise):
    call = Call("zh", seed)
    call.silence(1.0)
    call.music(6.0)
    call.silence(1.5)
    heard = [one.event for one in listen(Ear([]), call.sound(noise=noise))]
    assert [event.kind for event in heard if event.kind != "line_open"] == ["music", "music_end"]
    (played,) = call.of("music")
    first, last = (event.t for event in heard if event.kind != "line_open")
    assert first == pytest.approx(played.start, abs=0.6)
    assert last == pytest.approx(played.end, abs=0.6)


def test_speech_and_music_hold_no_tone():
    text = "您好，欢迎致电客户服务中心，人工服务请按零，您前面还有三位客户，请稍候。"
    for seed, variant in enumerate(("f1", "f3", "m1", "m3", "m7", "klatt")):
        assert hear(round_trip(render(text, variant=variant))) == []
        assert hear(round_trip(hold_music(20, seed))) == []
