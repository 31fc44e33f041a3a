"""Lines on which a careless probe takes a recording for a person, or a person for a recording.

Each is a coroutine as in ``calls``. Their processes are started only for a centre that is asked to be hostile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from harness.sandbox import wording
from harness.sandbox.calls import Call
from harness.sandbox.muting import mute
from harness.sandbox.sounds import key_tone, mixed, ringback
from probes.voice.audio import RATE

ANNOUNCED_EVERY_S = 8.0
SPEECHLESS_S = 6.0
NO_PACKETS_S = 6.0
TAIL_S = 0.4  # of ringback under the greeting
ECHO_AFTER_S = 0.25
MUTE_S = 15.0


async def _to_queue(call: Call) -> None:
    """Answers, and offers the menu until the caller wants a human, or nothing."""
    await call.answer()
    while await call.menu() not in ("0", None):
        await call.recording("invalid")


async def _to_agent(call: Call) -> None:
    """A short queue, ringback, an agent."""
    await call.choose_agent()
    await call.queue(call.random.uniform(3.5, 6))
    await call.ring_agent(call.random.uniform(1.2, 6.5))


async def early_voice(call: Call) -> None:
    """95011: the welcome is heard before the call is answered; menu, queue and agent after it."""
    await call.leg.answer(183)
    call.log("early")
    await call.recording("welcome")
    await call.leg.answer(200)
    call.log("answered")
    while await call.offer() not in ("0", None):
        await call.recording("invalid")
    await _to_agent(call)
    await call.talk()


async def answers_first(call: Call) -> None:
    """95012: 200 at once; only then is the agent's telephone heard ringing."""
    await call.choose_agent()
    await call.leg.answer(200)
    call.log("answered")
    await asyncio.sleep(0.3)
    await call.ring_agent(call.random.uniform(5.3, 11.5), "queue")
    await call.talk()


async def song(call: Call) -> None:
    """95013: the music on hold has a voice in it, and is the same in every call."""
    await _to_queue(call)
    await call.choose_agent()
    await call.recording("transfer", "queue")
    part = int(call.random.uniform(5, 8) * RATE)
    await call.play(call.desk.recordings["song"][:part], "music").done
    await call.recording("queue-1")
    await call.play(call.desk.recordings["song"][part:], "music").done
    await call.ring_agent(call.random.uniform(1.2, 6.5))
    await call.talk()


async def announces(call: Call) -> None:
    """95014: the same announcement every 8 s and nothing in between."""
    await _to_queue(call)
    await call.choose_agent()
    await call.recording("transfer", "queue")
    announcement = call.desk.recordings["still-busy"]
    for _ in range(call.random.randint(2, 3)):
        await call.recording("still-busy")
        await asyncio.sleep(ANNOUNCED_EVERY_S - len(announcement) / RATE)
    await call.ring_agent(call.random.uniform(1.2, 6.5))
    await call.talk()


async def numbered(call: Call) -> None:
    """95015: a recording tells the agent's number, and the agent speaks right after it."""
    await _to_queue(call)
    await _to_agent(call)
    await call.recording(call.agent.recording)
    await call.talk()


async def speechless(call: Call) -> None:
    """95016: the agent is connected and says nothing for 6 s; the line is open."""
    await _to_queue(call)
    await _to_agent(call)
    await asyncio.sleep(SPEECHLESS_S)
    await call.talk()


async def over_ringback(call: Call) -> None:
    """95017: the agent speaks while the last burst of ringback goes on for 0.4 s."""
    await _to_queue(call)
    await call.choose_agent()
    await call.queue(call.random.uniform(3.5, 6))
    burst = call.random.uniform(0.2, 0.5)
    whole = ringback(5 + burst + TAIL_S)
    cut = round((5 + burst) / 0.02) * RATE // 50  # between two frames
    call.play(whole[:cut], "ringback")
    greeting = call.play(mixed(whole[cut:], call.greeting), "agent", "first_word", agent=call.agent.number)
    call.open_line()
    await greeting.done
    await call.converse()


async def second_queue(call: Call) -> None:
    """95018: the first agent transfers the caller; queue, ringback and another agent follow."""
    await _to_queue(call)
    await _to_agent(call)
    await call.greet()
    await call.caller(patience=8)
    await call.say(wording.transferring(call.desk.lang, call.speech))
    call.leg.mouth.floor(None)
    call.log("handed_on")
    await _to_agent(call)
    await call.talk()


async def on_hold(call: Call) -> None:
    """95019: the agent puts the caller on hold with music, and comes back."""
    await _to_queue(call)
    await _to_agent(call)
    await call.greet()
    await call.caller(patience=8)
    await call.say(wording.please_hold(call.desk.lang, call.speech))
    await call.play(call.desk.music[0][: int(call.random.uniform(4, 6) * RATE)], "on_hold").done
    call.log("resumed")
    await call.say(wording.back_again(call.desk.lang, call.speech))
    await call.converse()


async def deaf(call: Call) -> None:
    """95020: one way only: the agent is heard and hears nobody, asks, and hangs up."""
    await call.choose_agent()
    await call.answer()
    await call.queue(call.random.uniform(3.5, 6))
    await call.ring_agent(call.random.uniform(1.2, 6.5))
    await call.greet()
    for turn in range(3):
        await asyncio.sleep(4)
        await call.say(wording.cannot_hear(call.desk.lang, turn))
    call.log("gave_up")


async def inaudible(call: Call) -> None:
    """95021: one way only: the call is answered and no packet ever comes; BYE after 15 s."""
    await mute(call.leg)
    await call.answer()
    call.log("no_packets")
    await asyncio.sleep(MUTE_S)
    call.log("gave_up")


async def no_packets(call: Call) -> None:
    """95022: no packets for the first 6 s of a call that is answered, the menu; then queue and agent."""
    await mute(call.leg)
    await call.answer()
    call.log("no_packets")
    await asyncio.sleep(NO_PACKETS_S)
    await mute(call.leg, muted=False)
    await _to_agent(call)
    await call.talk()


async def echoes(call: Call) -> None:
    """95023: the caller's key comes back twice, as its tones and by RFC 4733."""
    await call.answer()
    while (key := await call.menu()) is not None:
        await asyncio.sleep(ECHO_AFTER_S)
        await call.play(key_tone(key), "echo", digit=key, how="tones").done
        call.log("echo", await call.leg.press(key, "rfc4733"), digit=key, how="rfc4733")
        await asyncio.sleep(ECHO_AFTER_S)
        if key == "0":
            break
        await call.recording("invalid")
    await _to_agent(call)
    await call.talk()


async def answers_and_goes(call: Call) -> None:
    """95024: 200, and BYE at once."""
    await call.leg.answer(180)
    call.log("ringing")
    await asyncio.sleep(call.random.uniform(0.4, 1.2))
    await call.leg.answer(200)
    call.log("answered")
    async with asyncio.timeout(5):
        await call.connected.wait()


NUMBERS: dict[str, Callable[[Call], Coroutine[None, None, None]]] = {
    "95011": early_voice,
    "95012": answers_first,
    "95013": song,
    "95014": announces,
    "95015": numbered,
    "95016": speechless,
    "95017": over_ringback,
    "95018": second_queue,
    "95019": on_hold,
    "95020": deaf,
    "95021": inaudible,
    "95022": no_packets,
    "95023": echoes,
    "95024": answers_and_goes,
}
