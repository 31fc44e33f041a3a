"""Whole calls to a centre that nobody has heard before, as sound with ground truth: its lines, and three kinds of wire.

The recordings are the sandbox's, rendered once; every agent has a voice and words of their own. Nothing here goes over
a network, so hundreds of calls take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from harness.bench.audio_centre import tone
from harness.inputs import speech_cache
from harness.sandbox import wording
from probes.hearing.telephone import round_trip
from probes.hearing.wav import RATE, Pcm, read_wav
from probes.session import Event, Outcome
from probes.speaking.espeak import render
from probes.speaking.music import hold_music
from probes.speaking.speaker import Voice
from probes.target import Prompt

LINES = ("hotline",) * 5 + ("early-media", "drops", "call-back", "dead-end", "self-service")
OUTCOMES = {
    "hotline": Outcome.ANSWERED,
    "early-media": Outcome.ANSWERED,
    "drops": Outcome.DROPPED,
    "call-back": Outcome.CALLBACK,
    "dead-end": Outcome.IVR_FAIL,
    "self-service": Outcome.IVR_SERVED,
}
ANSWERS = (
    "您可以通过手机银行查询余额，不收任何费用。",
    "明细可以查最近两年的，您登录网上银行就可以看到。",
    "这个业务需要您本人带身份证到网点办理。",
    "转账一般两个小时之内到账，请您留意短信通知。",
)


@dataclass(frozen=True)
class Wire:
    """What becomes of the sound on its way: noise so far under the voice, and packets that never come."""

    snr_db: float | None = None
    loss: float = 0.0


CLEAN, NOISY, LOSSY = Wire(), Wire(snr_db=10.0), Wire(loss=0.03)


@cache
def library() -> tuple[tuple[Prompt, Pcm], ...]:
    """The centre's recordings, as a target would list them."""
    with TemporaryDirectory() as folder:
        prompts = wording.render_recordings(Path(folder) / "recordings", "zh", speech_cache())
        return tuple((prompt, read_wav(Path(folder) / prompt.audio)) for prompt in prompts)


@cache
def _recordings() -> dict[str, Pcm]:
    return {prompt.id: pcm for prompt, pcm in library()}


@cache
def _music() -> tuple[Pcm, ...]:
    return tuple(hold_music(6, seed) for seed in range(3))


@dataclass
class Unheard:
    """One call being put together. ``truth`` holds the instants a probe must find, seconds since its start."""

    line: str
    random: Random
    truth: dict[str, float] = field(default_factory=dict)
    signals: list[Event] = field(default_factory=list)  # what signalling and our own side tell
    far: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    _parts: list[Pcm] = field(default_factory=list)
    _open: list[tuple[int, int]] = field(default_factory=list)
    _length: int = 0
    _line_open: bool = False

    @property
    def now(self) -> float:
        """Seconds so far."""
        return self._length / RATE

    def mark(self, name: str, later: float = 0.0) -> None:
        """Notes the first time something happens."""
        self.truth.setdefault(name, self.now + later)

    def tell(self, kind: str, **data: object) -> None:
        """Adds an event of our own side."""
        self.signals.append(Event(kind=kind, t=self.now, method="wire", u=0.0001, data=data))

    def add(self, pcm: Pcm) -> None:
        """Adds sound."""
        if self._line_open:
            self._open.append((self._length, self._length + len(pcm)))
        self._parts.append(pcm)
        self._length += len(pcm)

    def silence(self, least: float, most: float | None = None) -> None:
        """Adds silence of some length."""
        self.add(np.zeros(round(self.random.uniform(least, most or least) * RATE), np.int16))

    def record(self, name: str) -> None:
        """Plays a recording."""
        self.add(_recordings()[name])

    def request(self) -> None:
        """A key, or the call itself, asks for a human."""
        self.tell("request")

    def hold(self, wait: float) -> None:
        """Music with announcements of the place in the queue."""
        place = min(wording.LONGEST_QUEUE, 1 + int(wait // 6))
        while wait > 0:
            stretch = min(wait, self.random.uniform(3.5, 5.5))
            self.mark("queue")
            self.add(self.random.choice(_music())[: round(stretch * RATE)])
            wait -= stretch
            if wait > 4 and place > 0:
                self.record(f"queue-{place}")
                wait -= len(_recordings()[f"queue-{place}"]) / RATE
                place -= 1

    def queue(self, wait: float) -> None:
        """The transfer announcement, then music for a while."""
        self.mark("queue")
        self.record("transfer")
        self.hold(wait)

    def pick_up(self) -> None:
        """From now on a person's line is open: it hisses faintly."""
        self.mark("agent")
        self._line_open = True

    def talk(self) -> None:
        """The agent greets and answers two questions of ours."""
        voice = (self.random.choice(wording.AGENT_VARIANTS), self.random.randint(155, 205), self.random.randint(30, 70))
        agent = wording.Agent(f"{self.random.randint(1000, 9999)}", Voice(*voice))
        self.silence(0.3, 0.8)
        self._say(agent.greeting("zh", self.random), voice, "first_word")
        self.silence(1.4)
        for answer in self.random.sample(ANSWERS, 2):
            self._ask(3.5)
            self._say(answer, voice)
            self.silence(1.6)
        self._ask(1.5)
        self._say(wording.goodbye("zh", self.random), voice)
        self.silence(0.5)

    def _ask(self, seconds: float) -> None:
        self.tell("said", end=self.now + seconds)
        self.silence(seconds)
        self.silence(0.8)

    def _say(self, text: str, voice: tuple[str, int, int], name: str | None = None) -> None:
        variant, wpm, pitch = voice
        pcm = render(text, voice="cmn", variant=variant, wpm=wpm, pitch=pitch)
        if name is not None:
            size = np.abs(pcm.astype(np.int32))
            self.mark(name, float(np.flatnonzero(size > size.max() // 50)[0]) / RATE)
        self.add(pcm)

    def finish(self, wire: Wire) -> None:
        """Ends the call and lets its sound go over the wire."""
        self.tell("ended", by="far", cause="200 Normal call clearing")
        noise = np.random.default_rng(self.random.randrange(1 << 30))
        sound = np.concatenate(self._parts).astype(np.float64)
        for first, last in self._open:
            sound[first:last] += noise.normal(0, 12, last - first)
        if wire.snr_db is not None:
            voice = 1.2 * float(np.sqrt(np.mean(_recordings()["welcome"].astype(np.float64) ** 2)))
            sound += noise.normal(0, voice / 10 ** (wire.snr_db / 20), len(sound))
        heard = round_trip(np.clip(np.rint(sound), -32768, 32767).astype(np.int16))
        frames = heard[: len(heard) // 160 * 160].reshape(-1, 160).copy()
        frames[noise.random(len(frames)) < wire.loss] = 0
        self.far = frames.reshape(-1)


def call(line: str, seed: int, wire: Wire = CLEAN) -> Unheard:
    """Makes one call to a line of the sandbox."""
    one = Unheard(line, Random(seed))
    random = one.random
    one.silence(0.3, 1.2)
    one.tell("connected")
    one.silence(0.3)
    if line == "early-media":
        one.signals.clear()
        one.request()
        one.mark("queue")
        one.record("queue-1")
        one.hold(random.uniform(4, 9))
        one.pick_up()
        one.talk()
        one.finish(wire)
        return one
    one.record("welcome")
    one.record("dead-menu" if line == "dead-end" else "menu")
    one.silence(1.0, 1.8)
    if line == "self-service":
        one.record("balance-info")
        one.silence(2.5)
        one.record("goodbye")
        one.finish(wire)
        return one
    one.request()
    if line == "dead-end":
        one.record("invalid")
        one.record("dead-menu")
        one.silence(4.0)
        one.record("goodbye")
    elif line == "drops":
        one.queue(random.uniform(5, 9))
        one.record("all-busy")
    elif line == "call-back":
        one.queue(random.uniform(4, 7))
        one.record("call-back")
        one.silence(6.0)
    else:
        one.queue(0.0 if random.random() < 0.3 else random.uniform(4, 16))
        one.mark("ringback")
        one.add(tone((450,), (1, 4), random.uniform(1.2, 6.5)))
        one.pick_up()
        one.talk()
    one.finish(wire)
    return one


def campaign(count: int, wire: Wire = CLEAN, seed: int = 0) -> list[Unheard]:
    """Makes ``count`` calls to all lines in turn."""
    return [call(LINES[number % len(LINES)], seed + number, wire) for number in range(count)]
