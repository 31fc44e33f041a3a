"""What happens on each of the sandbox's numbers, as one coroutine a call.

Every instant a probe must find is written to the truth log with the stamp of the frame that carries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random

import numpy as np

from harness.sandbox import wording
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.sounds import as_live, ringback
from harness.sandbox.truth import Truth
from probes.speaking.speaker import Speaker
from probes.voice.audio import RATE, Pcm, Playing
from probes.voice.leg import Leg
from scenarios.model import Lang

CALLER_SPEAKS = 300.0  # RMS above which a frame of the caller counts as speech
CALLER_PAUSE_S = 0.7
SHORT_WORDS_S = 2.1  # an utterance as short as this, after the first answer, is taken for a goodbye


@dataclass(frozen=True)
class Desk:
    """What all calls of a process share."""

    lang: Lang
    recordings: dict[str, Pcm]
    music: tuple[Pcm, ...]
    agents: tuple[wording.Agent, ...]
    knowledge: Knowledge
    truth: Truth
    speaker: Callable[[wording.Agent], Speaker]


class Call:
    """One call at the centre's end."""

    def __init__(self, leg: Leg, desk: Desk, name: str, random: Random, speech: Random) -> None:
        """Takes a call.

        Args:
            leg: our end of it.
            desk: what it shares with the others.
            name: in the truth log.
            random: draws what happens.
            speech: draws how the agents' words come out this time.
        """
        self.leg, self.desk, self.name, self.random, self.speech = leg, desk, name, random, speech
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.connected = asyncio.Event()
        self.frames = leg.listen(self._heard)
        self._speaking_since: float | None = None
        self._quiet_since = 0.0
        self._utterances: asyncio.Queue[float] = asyncio.Queue()

    def log(self, event: str, at: float | None = None, **data: object) -> None:
        """Writes to the truth log."""
        self.desk.truth.write(self.name, event, at=at, **data)

    async def follow(self) -> None:
        """Takes the caller's keys, and what else is told, until the call ends."""
        while True:
            signal = await self.leg.signals.get()
            if signal.kind == "dtmf":
                self.log("key", signal.t, digit=signal.data["digit"])
                self.digits.put_nowait(signal.data["digit"])
            elif signal.kind == "connected":
                self.connected.set()
            elif signal.kind == "ended":
                self.log("end", signal.t, by=signal.data["by"])
                return

    # ---- what the centre does

    def play(self, pcm: Pcm, *events: str, loop: bool = False, **data: object) -> Playing:
        """Starts audio and logs its first frame, as each of ``events``."""

        def started(t: float) -> None:
            for event in events:
                self.log(event, t, **data)

        return self.leg.mouth.play(pcm, loop=loop, on_start=started)

    async def recording(self, name: str, event: str = "prompt") -> None:
        """Plays one of the IVR's recordings to its end."""
        await self.play(self.desk.recordings[name], event, id=name).done

    async def answer(self, after: tuple[float, float] = (0.4, 1.2)) -> None:
        """Rings, then answers."""
        await self.leg.answer(180)
        self.log("ringing")
        await asyncio.sleep(self.random.uniform(*after))
        await self.leg.answer(200)
        self.log("answered")
        await asyncio.sleep(0.3)

    async def menu(self, welcome: str = "welcome", menu: str = "menu", rounds: int = 3) -> str | None:
        """Welcomes, offers the menu, and returns the key pressed; None if the caller presses nothing."""
        await self.recording(welcome)
        return await self.offer(menu, rounds)

    async def offer(self, menu: str = "menu", rounds: int = 3) -> str | None:
        """Offers the menu without a welcome."""
        for _ in range(rounds):
            playing = self.play(self.desk.recordings[menu], "prompt", id=menu)
            try:
                async with asyncio.timeout(len(self.desk.recordings[menu]) / RATE + 4):
                    return await self.digits.get()
            except TimeoutError:
                continue
            finally:
                playing.stop()
        return None

    async def queue(self, wait: float) -> None:
        """Transfer announcement, then music with position announcements for ``wait`` seconds."""
        transfer = self.desk.recordings["transfer"]
        await self.play(transfer, "queue", id="transfer").done
        await self.hold(wait)

    async def hold(self, wait: float, event: str = "music") -> None:
        """Music with position announcements in between."""
        place = min(wording.LONGEST_QUEUE, 1 + int(wait // 6))
        while wait > 0:
            stretch = min(wait, self.random.uniform(3.5, 5.5))
            music = self.play(self.random.choice(self.desk.music)[: int(stretch * RATE)], event)
            await music.done
            wait -= stretch
            if wait > 4 and place > 0:
                await self.recording(f"queue-{place}")
                wait -= len(self.desk.recordings[f"queue-{place}"]) / RATE
                place -= 1

    async def ring_agent(self, seconds: float, *events: str) -> None:
        """Ringback at the agent's, cut off in the moment of answering; its start is logged as ``events`` as well."""
        tone = self.play(ringback(), *events, "ringback", loop=True)
        await asyncio.sleep(seconds)
        self.open_line()
        tone.stop()
        _, end = await tone.done
        self.log("agent", end)

    def open_line(self) -> None:
        """From now on the line is open: faint noise wherever nobody speaks."""
        noise = np.random.default_rng(self.random.randrange(1 << 30)).normal(0, 12, 2 * RATE)
        self.leg.mouth.floor(noise.astype(np.int16))

    async def choose_agent(self) -> None:
        """Decides who will answer and what they will say first, before the moment itself."""
        self.agent = self.random.choice(self.desk.agents).today(self.random)
        words = self.agent.greeting(self.desk.lang, self.random)
        self.greeting = await self.spoken(wording.opening(self.desk.lang, self.speech) + words)

    async def talk(self) -> None:
        """The agent greets, listens until the caller pauses, answers, and says goodbye."""
        await self.greet()
        await self.converse()

    async def greet(self) -> None:
        """The agent takes a breath, and greets."""
        await asyncio.sleep(self.random.uniform(0.3, 0.8))
        await self.play(self.greeting, "first_word", agent=self.agent.number).done

    async def converse(self) -> None:
        """The agent answers what the caller asks, until they say goodbye, and says goodbye too."""
        lang = self.desk.lang
        errand = self.random.choice(self.desk.knowledge.spoken())
        answers = [answer.in_(lang) for answer in errand.answers.values()]
        for turn in range(8):
            spoken = await self.caller(patience=8)
            if spoken is None:
                await self.say(wording.still_there(lang, self.speech))
                continue
            if turn and spoken < SHORT_WORDS_S:
                break
            text = answers[turn] if turn < len(answers) else wording.anything_else(lang, self.speech)
            await self.say(wording.lead_in(lang, self.speech) + text)
        await self.say(wording.goodbye(lang, self.random))
        await asyncio.sleep(0.5)

    async def say(self, text: str) -> None:
        """The agent says ``text``."""
        await self.play(await self.spoken(text), "agent_says", text=text).done

    async def spoken(self, text: str) -> Pcm:
        """Returns ``text`` in the agent's voice, said as never before: nobody says a sentence twice the same."""
        speaker, seed = self.desk.speaker(self.agent), f"{self.speech.random()}"
        return await asyncio.to_thread(lambda: as_live(speaker.audio(text, "line"), seed))

    # ---- what the centre hears

    def _heard(self) -> None:
        while self.frames.heard:
            now, frame = self.frames.heard.popleft()
            level = float(np.sqrt(np.mean(np.frombuffer(frame, "<i2").astype(np.float64) ** 2)))
            if level > CALLER_SPEAKS:
                if self._speaking_since is None:
                    self._speaking_since = now
                self._quiet_since = now
            elif self._speaking_since is not None and now - self._quiet_since > CALLER_PAUSE_S:
                self._utterances.put_nowait(self._quiet_since - self._speaking_since)
                self._speaking_since = None
        self.frames.spoken.clear()

    async def caller(self, patience: float) -> float | None:
        """Returns how long the caller's next utterance was, once they pause; None if they stay silent."""
        while True:
            try:
                async with asyncio.timeout(patience):
                    spoken = await self._utterances.get()
            except TimeoutError:
                if self._speaking_since is None:
                    return None
                continue
            if spoken >= 0.3:
                return spoken


async def hotline(call: Call) -> None:
    """95001: welcome, menu, 0 to the queue, ringback, an agent."""
    await call.answer()
    while (key := await call.menu()) not in ("0", None):
        await call.recording("balance-info" if key == "1" else "invalid")
    if key is None:
        await call.recording("goodbye")
        return
    await call.choose_agent()
    wait = 0.0 if call.random.random() < 0.3 else call.random.uniform(4, 16)
    await call.queue(wait)
    await call.ring_agent(call.random.uniform(1.2, 6.5))
    await call.talk()


async def busy(call: Call) -> None:
    """95002: always busy."""
    call.log("busy")
    await call.leg.answer(486)


async def never_answers(call: Call) -> None:
    """95003: rings for ever."""
    await call.leg.answer(180)
    call.log("ringing")
    await call.leg.ended.wait()


async def early_media(call: Call) -> None:
    """95004: the queue is heard before the call is answered; 200 comes with the agent."""
    await call.choose_agent()
    await call.leg.answer(183)
    await call.recording("queue-1", "queue")
    await call.hold(call.random.uniform(4, 9))
    await call.leg.answer(200)
    call.open_line()
    call.log("agent")
    await call.talk()


async def drops(call: Call) -> None:
    """95005: lets the caller go after a while in the queue."""
    await call.answer()
    await call.menu()
    await call.queue(call.random.uniform(5, 9))
    await call.recording("all-busy")
    call.log("dropped")


async def calls_back(call: Call) -> None:
    """95006: offers a call-back instead of an agent."""
    await call.answer()
    await call.menu()
    await call.queue(call.random.uniform(4, 7))
    await call.recording("call-back")
    call.log("callback")
    await asyncio.sleep(6)


async def dead_end(call: Call) -> None:
    """95007: a menu without a way to a human."""
    await call.answer()
    for _ in range(3):
        if await call.menu("invalid" if _ else "welcome", "dead-menu", rounds=1) is None:
            break
    await call.recording("goodbye")


async def self_service(call: Call) -> None:
    """95008: a voice bot of recordings only: press 1 and hear the answer."""
    await call.answer()
    if await call.menu() == "1":
        await call.recording("balance-info")
    await asyncio.sleep(2.5)
    await call.recording("goodbye")


NUMBERS: dict[str, Callable[[Call], Coroutine[None, None, None]]] = {
    "95001": hotline,
    "95002": busy,
    "95003": never_answers,
    "95004": early_media,
    "95005": drops,
    "95006": calls_back,
    "95007": dead_end,
    "95008": self_service,
}
