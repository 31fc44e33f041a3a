"""Known recordings: found, told apart, stamped, followed through slips, and not found in other speech."""

import numpy as np
import pytest

from harness.bench.audio_centre import AGENTS, GREETINGS, audible, recordings, said
from probes.hearing.library import Library
from probes.hearing.prompts import Prompts
from probes.hearing.telephone import round_trip
from probes.hearing.wav import RATE
from probes.speaking.music import hold_music
from probes.target import Prompt

LIBRARY = Library(list(recordings("zh")))


def hear(pcm, library=LIBRARY):
    prompts = Prompts(library)
    events = []
    for first in range(0, len(pcm), 640):
        known = prompts.push(pcm[first : first + 640], speaking=True)
        events += [((first + 640) / RATE, event) for event in known]
    return events + [(len(pcm) / RATE, event) for event in prompts.finish()]


def line(pcm, before, *, noise=0.0, slips=0, seed=0):
    """The recording after ``before`` samples of silence, with 20 ms lost or doubled ``slips`` times."""
    random = np.random.default_rng(seed)
    whole = np.concatenate((np.zeros(before), pcm, np.zeros(RATE // 2)))
    for _ in range(slips):
        at = before + int(len(pcm) * random.uniform(0.1, 0.9))
        cut = whole[at - 160 :] if random.random() < 0.5 else whole[at + 160 :]
        whole = np.concatenate((whole[:at], cut))
    return round_trip(np.clip(whole + random.standard_normal(len(whole)) * noise, -32768, 32767).astype(np.int16))


@pytest.mark.parametrize(
    ("gain", "noise", "slips"), [(1.0, 0, 0), (0.25, 0, 0), (1.0, 330, 0), (1.0, 1000, 0), (1.0, 60, 1)]
)
def test_every_recording_is_found_and_stamped(gain, noise, slips):
    starts, ends, latencies = [], [], []
    for index, (prompt, pcm) in enumerate(recordings("zh")):
        before = 2000 + 777 * index
        heard = hear(line(pcm * gain, before, noise=noise, slips=slips, seed=index))
        assert [(event.kind, event.data["id"]) for _, event in heard] == [
            ("prompt", prompt.id),
            ("prompt_end", prompt.id),
        ]
        first, last = audible(pcm)
        assert heard[0][1].data["role"] == prompt.role
        starts.append(abs(heard[0][1].t - (before + first) / RATE))
        ends.append(abs(heard[1][1].t - (before + last) / RATE))
        if prompt.role != "queue":  # those differ only in a number late in the sentence
            latencies.append(heard[0][0] - heard[0][1].t)
    assert max(starts) < 0.06
    assert max(ends) < 0.1
    assert np.median(latencies) < 1.2


def test_short_recording_is_found():
    pcm = said("请稍候，正在转接。", "zh", "f2", 175)
    assert len(pcm) < 2.3 * RATE
    library = Library([*recordings("zh"), (Prompt(id="short", role="transfer", audio="short.wav"), pcm)])
    heard = hear(line(pcm, 4321), library)
    assert [event.data["id"] for _, event in heard] == ["short", "short"]


def test_recording_broken_off_ends_there():
    prompt, pcm = recordings("zh")[1]
    cut = int(2.2 * RATE)
    heard = hear(np.concatenate((line(pcm[:cut], 3000), np.zeros(RATE, np.int16))))
    end = heard[-1][1]
    assert (end.data["id"], end.data["complete"]) == (prompt.id, False)
    assert end.t == pytest.approx((3000 + cut) / RATE, abs=0.15)


def test_the_same_recording_twice_is_heard_twice():
    _, pcm = recordings("zh")[2]
    heard = hear(np.concatenate((line(pcm, 3000), line(pcm, 1000))))
    assert [event.kind for _, event in heard] == ["prompt", "prompt_end"] * 2


def test_other_speech_of_the_same_synthesiser_is_no_recording():
    for lang in ("zh", "en"):
        library = Library(list(recordings(lang)))
        for index, variant in enumerate(AGENTS):
            for text in GREETINGS[lang]:
                assert hear(line(said(text, lang, variant, 162 + 4 * index), 2000), library) == []


def test_music_is_no_recording():
    assert hear(round_trip(hold_music(20, 3))) == []


def test_no_recordings_known_none_heard():
    assert hear(line(recordings("zh")[0][1], 2000), Library([])) == []
