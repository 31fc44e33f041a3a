"""The ears of a process, together: what they hear is what each would hear alone, and one's fault is its own."""

import asyncio
import os

import numpy as np
import pytest

from harness.bench.audio_centre import listen, recordings, whole_call
from harness.bench.capacity import Level, climb, exchange
from probes.equipment import Equipment
from probes.hearing.ear import Ear, Ears, Listening
from probes.hearing.library import Library
from probes.hearing.wav import RATE, write_wav
from probes.target import Line, Prompt, Target
from scenarios.errors import InputError
from tests.virtual_time import run

CALLS = ((0, "zh"), (1, "zh"), (2, "en"), (3, "zh"))
BLOCK = 800


def sounds():
    return [whole_call(seed, lang).sound(noise=20.0 * place)[: 25 * RATE] for place, (seed, lang) in enumerate(CALLS)]


class Told:
    """Who is told."""

    def __init__(self, ear):
        self.events, self.errors, self.at = [], [], []
        self.listening = Listening(ear, self.told, self.errors.append)

    def told(self, events):
        self.events += events
        self.at += [asyncio.get_running_loop().time()] * len(events)


async def hear_together(ears, sounds):
    """Gives each ear its sound in blocks of 100 ms as they would come, the calls a little apart."""
    room, people = Ears.here(), [Told(ear) for ear in ears]

    async def one(told, pcm, late):
        await asyncio.sleep(late)
        for first in range(0, len(pcm), BLOCK):
            room.hear(told.listening, first / RATE, pcm[first : first + BLOCK])
            await asyncio.sleep(BLOCK / RATE)
        room.finish(told.listening, len(pcm) / RATE)

    await asyncio.gather(*(one(told, pcm, 0.03 * k) for k, (told, pcm) in enumerate(zip(people, sounds, strict=True))))
    return people


def test_ears_together_hear_to_the_bit_what_each_hears_alone():
    calls = sounds()
    alone = [
        [one.event for one in listen(Ear(list(recordings(lang))), pcm)]
        for (_, lang), pcm in zip(CALLS, calls, strict=True)
    ]
    people = run(hear_together([Ear(list(recordings(lang))) for _, lang in CALLS], calls))
    assert [told.events for told in people] == alone
    assert all(len(events) > 5 for events in alone)
    assert not any(told.errors for told in people)


def test_what_has_come_is_heard_within_two_tenths_of_a_second_or_at_once():
    async def go():
        pcm = sounds()[0]
        told, room = Told(Ear([])), Ears.here()
        loop, begun = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        room.hear(told.listening, 0.0, pcm[: 6 * RATE])
        assert not told.events
        await asyncio.sleep(0.2)
        assert told.events
        assert max(told.at) - begun < 0.2
        before, begun = len(told.events), loop.time()
        room.hear(told.listening, 6.0, pcm[6 * RATE :])
        room.now()
        assert len(told.events) > before
        assert told.at[-1] == begun

    run(go())


def test_a_fault_in_one_ear_leaves_the_others_hearing():
    class Broken(Ear):
        def complete(self):
            raise ValueError("broken")

    async def go():
        pcm = sounds()[1][: 8 * RATE]
        return await hear_together([Ear([]), Broken([]), Ear([])], [pcm] * 3)

    first, broken, last = run(go())
    assert first.events == last.events == [one.event for one in listen(Ear([]), sounds()[1][: 8 * RATE])]
    assert not broken.events
    assert {str(error) for error in broken.errors} == {"broken"}


def test_what_one_call_adds_to_its_library_no_other_call_knows():
    prompts = list(recordings("zh"))
    shared = Library(prompts)
    own = shared.copy()
    own.add(prompts[0][0].model_copy(update={"id": "more"}), prompts[1][1])
    assert len(own.references) == len(prompts) + 1
    assert len(shared.references) == len(prompts)
    pcm = sounds()[0]
    heard = [one.event for one in listen(Ear(shared.copy()), pcm)]
    assert heard == [one.event for one in listen(Ear(prompts), pcm)]
    assert len(shared.references) == len(prompts)
    assert np.shares_memory(shared.copy().references[0].low, shared.references[0].low)


def test_calls_of_a_target_share_what_is_made_of_its_recordings_until_a_file_changes(tmp_path):
    prompts = [Prompt(id="menu", role="menu", text="", audio="menu.wav")]
    target = Target(format=1, name="shared", lines={"main": Line(uri="sip:95001@127.0.0.1")}, prompts=prompts)
    sound = recordings("zh")[1][1]
    write_wav(tmp_path / "menu.wav", sound)
    equipment = Equipment(tmp_path)
    one, two = (equipment._library(target, tmp_path) for _ in range(2))
    assert one is not two
    assert np.shares_memory(one.references[0].low, two.references[0].low)
    write_wav(tmp_path / "menu.wav", sound[::2])
    os.utime(tmp_path / "menu.wav", ns=(1, 1))
    assert equipment._library(target, tmp_path).references[0].seconds < 0.6 * one.references[0].seconds


def test_a_missing_recording_is_told_as_one(tmp_path):
    prompts = [Prompt(id="menu", role="menu", text="", audio="menu.wav")]
    target = Target(format=1, name="shared", lines={"main": Line(uri="sip:95001@127.0.0.1")}, prompts=prompts)
    with pytest.raises(InputError, match="no such recording"):
        Equipment(tmp_path)._library(target, tmp_path)


def test_what_was_heard_is_remembered_for_thirty_seconds():
    pcm = np.arange(40 * RATE, dtype=np.int64).astype(np.int16)
    ear = Ear([])
    for first in range(0, len(pcm), BLOCK):
        ear.push(first / RATE, pcm[first : first + BLOCK])
    heard = len(pcm) // 1536 * 1536
    assert np.array_equal(ear.sound(20.1, 30.0), pcm[20 * RATE : round(30.1 * RATE)])
    assert np.array_equal(ear.sound(0.0, 100.0), pcm[heard - 30 * RATE : heard])


def level(calls, *, holds, cores_a_call=0.03):
    """What a machine measures that holds so many calls."""
    return Level(
        calls=calls, packets=True, deficit=0.0 if calls <= holds else 0.1, gap_ms=20.0, cores=calls * cores_a_call,
        far_cores=0.0, pss_mb=0.0, unseen=0, events=0, load=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(("holds", "cores"), [(7, 2), (44, 2), (60, 2), (130, 8), (200, 16)])
def test_the_most_calls_are_found_to_within_four_without_stalling_the_machine(holds, cores):
    found = list(climb(lambda calls: level(calls, holds=holds), (10, 50, 100, 200), cores, lambda: False))
    most = max((one.calls for one in found if one.whole), default=0)
    assert most <= holds
    assert most >= holds - 4
    assert all(one.cores < 1.2 * cores for one in found)
    assert len(found) < 10


def test_nothing_more_is_tried_once_it_is_late():
    turns = iter([False, False, False, True])
    found = list(climb(lambda calls: level(calls, holds=9), (10, 50, 100), 2, lambda: next(turns)))
    assert [one.calls for one in found] == [10, 4]


@pytest.mark.realtime
def test_calls_are_heard_and_their_packets_counted():
    with exchange() as made:
        two = made.measure(2, window_s=4.0)
    assert two.calls == 2
    assert abs(two.deficit) < 0.1
    assert two.gap_ms < 1000
    assert two.cores > 0
    assert two.pss_mb > 10
    assert two.events > 0
