"""The ears of a process, together: what they hear is what each would hear alone, and one's fault is its own."""

import asyncio

import numpy as np

from harness.bench.audio_centre import listen, recordings, whole_call
from probes.hearing.ear import Ear, Ears, Listening
from probes.hearing.library import Library
from probes.hearing.wav import RATE
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
