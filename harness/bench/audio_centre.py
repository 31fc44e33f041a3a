"""Calls to a contact centre as audio with ground truth: ringing, recordings, music, an agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from probes.hearing.ear import Ear
from probes.hearing.telephone import round_trip
from probes.hearing.wav import RATE, Pcm
from probes.session import Event
from probes.speaking.espeak import render
from probes.speaking.music import hold_music
from probes.target import Prompt
from scenarios.model import Lang

VOICE = {"zh": "cmn", "en": "en-us"}
IVR = {"zh": ("f2", 190), "en": ("f2", 185)}
AGENTS = ("f1", "f3", "f5", "m1", "m3", "m7")

RECORDINGS = {
    "zh": {
        "welcome": ("welcome", "您好，欢迎致电客户服务中心。"),
        "menu": ("menu", "查询余额请按一，挂失请按二，人工服务请按零。"),
        "transfer": ("transfer", "正在为您转接人工服务，请稍候。"),
        "position-3": ("queue", "坐席忙，您前面还有三位客户，请稍候。"),
        "position-2": ("queue", "坐席忙，您前面还有两位客户，请稍候。"),
        "position-1": ("queue", "坐席忙，您前面还有一位客户，请稍候。"),
        "agent": ("agent_id", "工号一零零二为您服务。"),
        "goodbye": ("goodbye", "感谢您的来电，再见。"),
    },
    "en": {
        "welcome": ("welcome", "Welcome to the customer service centre of the bank."),
        "menu": ("menu", "For your balance press one. For a lost card press two. For an agent press zero."),
        "transfer": ("transfer", "I am putting you through to an agent. Please hold the line."),
        "position-3": ("queue", "All agents are busy. You are number three in the queue."),
        "position-2": ("queue", "All agents are busy. You are number two in the queue."),
        "position-1": ("queue", "All agents are busy. You are number one in the queue."),
        "agent": ("agent_id", "You are being served by agent ten zero two."),
        "goodbye": ("goodbye", "Thank you for your call. Goodbye."),
    },
}
GREETINGS = {
    "zh": (
        "您好，我是人工客服，请问有什么可以帮您？",
        "您好，很高兴为您服务，请讲。",
        "您好，欢迎致电，请问需要什么帮助？",
        "喂，您好，客户服务中心，请问您贵姓？",
        "感谢您的耐心等候，请问有什么可以帮到您？",
    ),
    "en": (
        "Good morning, thank you for waiting. How can I help you?",
        "Hello, customer service, what can I do for you today?",
        "Hi, welcome to the bank. How may I help?",
    ),
}
ANSWERS = {
    "zh": ("您可以通过手机银行查询余额，不收费用。", "请稍等，我帮您查一下，明细可以查最近半年。"),
    "en": ("You can see your balance in the app, and it costs nothing.", "One moment please, I will look that up."),
}


@cache
def said(text: str, lang: Lang, variant: str, wpm: int) -> Pcm:
    """Says something; the same samples each time within one process."""
    return render(text, voice=VOICE[lang], variant=variant, wpm=wpm)


@cache
def recordings(lang: Lang) -> tuple[tuple[Prompt, Pcm], ...]:
    """The centre's recordings, as a target would list them."""
    return tuple(
        (Prompt(id=key, role=role, text=text, audio=f"{key}.wav"), said(text, lang, *IVR[lang]))
        for key, (role, text) in RECORDINGS[lang].items()
    )


def audible(pcm: Pcm) -> tuple[int, int]:
    """First and one past the last sample that can be heard."""
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > np.abs(pcm.astype(int)).max() // 50)
    return int(loud[0]), int(loud[-1]) + 1


def tone(hz: tuple[float, ...], pattern: tuple[float, ...], seconds: float, amplitude: float = 2500) -> Pcm:
    """A cadenced tone: ``pattern`` is on, off, on, off..."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(amplitude * np.sin(2 * np.pi * f * time) for f in hz)
    edges = np.cumsum((0.0, *pattern))
    on = np.searchsorted(edges, time % edges[-1] + 1e-9, side="right") % 2 == 1
    sound: Pcm = np.rint(wave * on).astype(np.int16)
    return sound


@dataclass
class Truth:
    """What was really played, seconds since the call's start."""

    kind: str  # ringback | prompt | music | agent
    start: float
    end: float
    name: str = ""


@dataclass
class Call:
    """A call being put together."""

    lang: Lang
    seed: int
    truth: list[Truth] = field(default_factory=list)
    _parts: list[Pcm] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    @property
    def seconds(self) -> float:
        """How long it is so far."""
        return sum(len(part) for part in self._parts) / RATE

    def silence(self, least: float, most: float | None = None) -> None:
        """Adds ``least`` seconds of silence, or a random length up to ``most``."""
        seconds = least if most is None else self.random.uniform(least, most)
        self._parts.append(np.zeros(round(seconds * RATE), np.int16))

    def ring(self, bursts: int, *, cut: float | None = None, after: float = 0.0) -> None:
        """Mainland ringback: ``bursts`` whole ones, then ``cut`` seconds of another or ``after`` of silence."""
        start = self.seconds
        last, count = (1.0, bursts) if cut is None else (cut, bursts + 1)
        self._parts.append(tone((450,), (1, 4), (count - 1) * 5 + last))
        self.truth.append(Truth("ringback", start, self.seconds))
        self.silence(after)

    def record(self, key: str) -> None:
        """Plays a recording."""
        self._add("prompt", key, {p.id: pcm for p, pcm in recordings(self.lang)}[key])

    def music(self, seconds: float) -> None:
        """Plays music on hold."""
        start = self.seconds
        self._parts.append(hold_music(seconds, int(self.random.integers(4))))
        self.truth.append(Truth("music", start, self.seconds))

    def agent(self, text: str, variant: str, wpm: int) -> None:
        """Lets an agent speak."""
        self._add("agent", text, said(text, self.lang, variant, wpm))

    def _add(self, kind: str, name: str, pcm: Pcm) -> None:
        first, last = audible(pcm)
        self.truth.append(Truth(kind, self.seconds + first / RATE, self.seconds + last / RATE, name))
        self._parts.append(pcm)

    def sound(self, *, noise: float = 0.0, gain: float = 1.0) -> Pcm:
        """The call as it comes over an A-law line; ``noise`` is its RMS."""
        whole = np.concatenate(self._parts) * gain + self.random.standard_normal(round(self.seconds * RATE)) * noise
        return round_trip(np.clip(np.rint(whole), -32768, 32767).astype(np.int16))

    def of(self, kind: str) -> list[Truth]:
        """Returns what was played of one kind, in order."""
        return [truth for truth in self.truth if truth.kind == kind]


def whole_call(seed: int, lang: Lang = "zh") -> Call:
    """Rings, greets, offers a menu, puts through, plays music and positions, rings the agent, who answers."""
    call = Call(lang, seed)
    random = call.random
    call.silence(0.2, 0.8)
    call.ring(1, after=float(random.uniform(0.2, 2.0)))
    if seed % 2:
        call.record("welcome")
        call.silence(0.2, 1.2)
    call.record("menu")
    call.silence(1.2, 2.0)
    call.record("transfer")
    call.silence(0.05, 0.4)
    positions = ["position-3", "position-2", "position-1"][int(random.integers(3)) :]
    for position in positions[: 1 + (seed % 5 == 0)]:
        call.music(float(random.uniform(2.5, 4)))
        if random.random() < 0.5:
            call.silence(0.1, 0.4)
        call.record(position)
        call.silence(0.05, 0.4)
    call.music(float(random.uniform(2.5, 4)))
    if seed % 3 == 0:
        call.ring(1, after=float(random.uniform(0.5, 3.5)))
    elif seed % 3 == 1:
        call.ring(int(random.integers(2)), cut=float(random.uniform(0.3, 0.8)))
        call.silence(0.2, 0.8)
    else:
        call.silence(0.3, 1.0)
    if seed % 4 == 0:
        call.record("agent")
        call.silence(0.3, 0.8)
    variant, wpm = AGENTS[seed % len(AGENTS)], int(random.integers(158, 190))
    call.agent(str(random.choice(GREETINGS[lang])), variant, wpm)
    call.silence(1.2)
    if seed % 3 == 0:
        call.agent(str(random.choice(ANSWERS[lang])), variant, wpm)
        call.silence(1.2)
    return call


@dataclass(frozen=True)
class Heard:
    """An event, and when it became known."""

    at: float
    event: Event


def listen(ear: Ear, pcm: Pcm, *, block: int = 160, start: float = 0.0) -> list[Heard]:
    """Plays ``pcm`` to ``ear`` in blocks of ``block`` samples, the first one at session time ``start``."""
    heard = []
    for first in range(0, len(pcm), block):
        part = pcm[first : first + block]
        at = start + (first + len(part)) / RATE
        heard += [Heard(at, event) for event in ear.push(start + first / RATE, part)]
    end = start + len(pcm) / RATE
    return heard + [Heard(end, event) for event in ear.finish(end)]
