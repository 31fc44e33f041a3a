"""What sound shows about a line: found where it is, and nothing found on a line that is well."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.hearing.telephone import round_trip
from probes.hearing.wav import RATE
from probes.speaking.espeak import render
from probes.speaking.level import active_level
from probes.speaking.music import hold_music
from probes.voice.sound_events import Packets, clipping, sound_events

WORDS = render("您好，欢迎致电客服中心，查询请按一，人工服务请按零。").astype(np.int16)
S = len(WORDS) / RATE


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.int16)


def noise(seconds, rms=20.0, seed=1, slope=0.0):
    """Noise of a line; ``slope`` 0 is white, 0.7 falls towards high frequencies as the noise of a room does."""
    random = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    for i in range(1, len(random)) if slope else ():
        random[i] += slope * random[i - 1]
    return np.round(random * rms / random.std()).astype(np.int16)


def tone(seconds, hz=450.0, peak=4000.0):
    return np.round(peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def heard(*parts):
    return round_trip(np.concatenate(parts).astype(np.int16), "a")


def kinds(events):
    return [event.kind for event in events]


def found(far, kind, **more):
    events = sound_events(far, more.pop("own", None), more.pop("connected", (0.0, len(far) / RATE)), **more)
    return [event for event in events if event.kind == kind]


def test_a_call_without_a_connection_has_no_events():
    assert sound_events(heard(WORDS), None, None) == []


def test_a_good_call_shows_its_level_and_nothing_else():
    far = heard(noise(1), WORDS, noise(6), WORDS, hold_music(12, 1), noise(3), WORDS)
    events = sound_events(far, None, (0, len(far) / RATE), far_speech=[(1, 1 + S)])
    assert kinds(events) == ["level"]
    assert events[0].data["estimate"] is True
    assert events[0].t == 1


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, "low"), (1, "usual"), (3.5, "high")])
def test_level(gain, verdict):
    loud = np.clip(WORDS.astype(float) * gain, -31000, 31000).astype(np.int16)
    (event,) = found(heard(loud), "level")
    assert event.data["verdict"] == verdict
    assert event.data["side"] == "far"


def test_our_own_level_is_measured_where_we_spoke():
    own = np.concatenate((tone(2, peak=30000), WORDS))
    events = sound_events(heard(noise(20)), own, (0, 20), own_speech=[(2, 2 + S)])
    levels = {event.data["side"]: event.data for event in events if event.kind == "level"}
    assert set(levels) == {"far", "own"}
    assert levels["own"]["verdict"] == "usual"
    assert levels["own"]["dbov"] == pytest.approx(active_level(WORDS), abs=0.3)  # the loud tone before it is left out


def test_clipping_is_found_where_it_is():
    loud = np.clip(WORDS.astype(np.int32) * 14, -32768, 32767)
    far = heard(WORDS, loud, WORDS)
    events = found(far, "clipping")
    assert sum(event.data["tops"] for event in events) > 20
    assert events[0].t == pytest.approx(S, abs=0.5)
    assert events[-1].t + events[-1].data["seconds"] <= 2 * S
    assert all(event.data["side"] == "far" for event in events)


def test_our_own_clipping_is_ours():
    own = np.clip(WORDS.astype(np.int32) * 14, -32768, 32767).astype(np.int16)
    far = heard(WORDS)
    events = found(far, "clipping", own=own, own_speech=[(0, S)])
    assert events
    assert all(event.data["side"] == "own" for event in events)


@pytest.mark.parametrize("peak", [12000, 25000, 31000])
def test_a_loud_whole_wave_is_not_clipped(peak):
    assert clipping(heard(tone(2, 1000, peak)), (0, 2), "far") == []
    speech = WORDS.astype(float) * peak / np.abs(WORDS.astype(float)).max()
    assert clipping(heard(speech), (0, S), "far") == []


@pytest.mark.parametrize(
    ("gap", "sound"),
    [
        (silence(12), "digital"),
        (noise(12), "noise"),
        (noise(12, rms=300), "noise"),
        (noise(12, slope=0.7), "noise"),
        (np.concatenate((silence(6.1), noise(5.9))), "noise"),
    ],
    ids=["digital", "faint", "loud", "room", "both"],
)
def test_dead_air(gap, sound):
    (event,) = found(heard(WORDS, gap, WORDS), "dead_air")
    assert event.data["sound"] == sound
    assert event.data["seconds"] == pytest.approx(12, abs=1.01)
    assert event.t == pytest.approx(S, abs=0.6)


@pytest.mark.parametrize(
    "gap",
    [noise(7.5), hold_music(20, 2), tone(12), np.concatenate([tone(1), silence(4)] * 3), np.concatenate([WORDS] * 3)],
    ids=["short", "music", "tone", "ringback", "speech"],
)
def test_no_dead_air(gap):
    assert found(heard(WORDS, gap, WORDS), "dead_air") == []


def test_while_we_speak_the_line_is_not_dead():
    far = heard(WORDS, noise(14), WORDS)
    assert found(far, "dead_air", own_speech=[(S + 5, S + 9)]) == []
    (event,) = found(far, "dead_air", own_speech=[(S + 0.5, S + 3)])
    assert event.t == pytest.approx(S + 3, abs=0.6)


def test_before_the_connection_nothing_is_dead():
    far = heard(silence(20), WORDS)
    assert found(far, "dead_air", connected=(20, 20 + S)) == []


def test_what_the_recording_lacks_is_silence():
    (event,) = found(heard(WORDS), "dead_air", connected=(0, S + 20))
    assert event.data["seconds"] == pytest.approx(20, abs=1)


def one_way(far, **more):
    return [(event.data["unheard"], event.method) for event in found(far, "one_way", **more)]


def test_a_far_end_that_sends_nothing_is_not_heard():
    assert one_way(heard(silence(12)), packets=Packets(received=0, method="wire")) == [("far", "wire")]
    assert one_way(heard(silence(12)), packets=Packets(received=500)) == [("far", "voice")]
    assert one_way(heard(noise(12))) == [("far", "voice")]


def test_we_are_not_heard_if_nothing_leaves():
    far = heard(WORDS, noise(10), WORDS)
    assert one_way(far, packets=Packets(received=900, sent=0)) == [("own", "callback")]
    assert one_way(far, own=silence(30), own_speech=[(S, S + 2)]) == [("own", "voice")]
    assert one_way(far, own=np.concatenate((silence(S), WORDS)), own_speech=[(S, 2 * S)]) == []


def test_a_far_end_that_never_reacts_may_not_hear_us():
    far = heard(WORDS, noise(40))
    assert one_way(far, own_speech=[(S + 2, S + 4), (S + 16, S + 18)]) == [("own", "voice")]
    assert one_way(far, own_speech=[(S + 2, S + 4)]) == []  # once may be chance
    answered = heard(WORDS, noise(20), WORDS, noise(20))
    assert one_way(answered, own_speech=[(S + 2, S + 4), (S + 16, S + 18)]) == []


def test_a_short_connection_says_nothing():
    assert one_way(heard(silence(4)), packets=Packets(received=0)) == []


@given(st.integers(0, 2**32 - 1), st.floats(0, 30), st.floats(0, 30), st.sampled_from([0, 3, 300, 30000]))
def test_events_lie_in_the_connection_whatever_the_sound(seed, begin, seconds, rms):
    far = np.clip(np.random.default_rng(seed).normal(0, rms, 25 * RATE), -32768, 32767).astype(np.int16)
    events = sound_events(far, far, (begin, begin + seconds), own_speech=[(begin, begin + seconds / 4)])
    assert all(begin - 0.001 <= event.t <= begin + seconds + 0.001 for event in events)
    assert [event.t for event in events] == sorted(event.t for event in events)
    assert all(event.data["estimate"] is True for event in events)


def test_the_same_sound_has_the_same_events():
    far = heard(WORDS, noise(12), WORDS)
    assert sound_events(far, WORDS, (0, 20)) == sound_events(far.copy(), WORDS.copy(), (0, 20))
