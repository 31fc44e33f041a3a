"""What the sandbox centre says: its IVR's recordings and its agents' own words.

Recordings are rendered once and played the same in every call. Agents speak live: each has a voice of its own and words
a greeting anew for each call, so no two greetings are the same audio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from probes.hearing.wav import write_wav
from probes.speaking.speaker import Speaker, Voice
from probes.target import Prompt, PromptRole
from scenarios.model import Lang

IVR_VOICE = Voice("f2", 175, 50)
AGENT_VARIANTS = ("f1", "f4", "m1", "m3", "m7")
LONGEST_QUEUE = 4

_RECORDINGS: tuple[tuple[str, PromptRole, str, str], ...] = (
    ("welcome", "welcome", "欢迎致电沙箱银行客户服务热线。", "Welcome to the Sandbox Bank customer hotline."),
    (
        "menu", "menu", "账户查询请按一，信用卡请按二，人工服务请按零。",
        "For accounts press one, for cards press two, to speak to an agent press zero.",
    ),
    (
        "balance-info", "info", "查询余额和明细，您可以使用手机银行、网上银行，全部免费，最多可查两年。",
        "You can check balance and statements in our mobile app or online banking, free of charge, two years back.",
    ),
    (
        "transfer", "transfer", "正在为您转接人工座席，请不要挂机。",
        "We are transferring you to an agent, please hold the line.",
    ),
    (
        "all-busy", "closed", "非常抱歉，目前座席全忙，请您稍后再拨。",
        "We are sorry, all our agents are busy at this moment. Please call again later.",
    ),
    (
        "call-back", "callback", "现在排队的客户较多，我们将按您的来电号码给您回电，请先挂机。",
        "There are many callers at the moment. We will ring you back on this number, so please hang up now.",
    ),
    ("invalid", "invalid", "您的输入有误，请重新选择。", "Sorry, that is not a valid choice, please try again."),
    (
        "dead-menu", "menu", "查询网点地址请按三，查询外汇牌价请按四，返回主菜单请按九。",
        "For branch addresses press three, for exchange rates press four, to return press nine.",
    ),
    ("goodbye", "goodbye", "感谢您的来电，再见。", "Thank you for calling, goodbye."),
)  # fmt: skip


def _position(n: int) -> tuple[str, PromptRole, str, str]:
    zh = f"座席正忙，您前面还有{'零一二三四'[n]}位客户在等候，请耐心等待。"
    people = "one caller" if n == 1 else f"{('zero', 'one', 'two', 'three', 'four')[n]} callers"
    return f"queue-{n}", "queue", zh, f"All agents are busy. There are {people} ahead of you, please stay on the line."


RECORDINGS = _RECORDINGS + tuple(_position(n) for n in range(1, LONGEST_QUEUE + 1))


def render_recordings(folder: Path, lang: Lang, cache: Path) -> tuple[Prompt, ...]:
    """Writes the IVR's recordings as WAV files into ``folder`` and returns them as a target lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(lang, IVR_VOICE, cache)
    prompts = []
    for name, role, zh, en in RECORDINGS:
        text = zh if lang == "zh" else en
        write_wav(folder / f"{name}.wav", speaker.audio(text, name))
        prompts.append(Prompt(id=name, role=role, text=text, audio=f"{folder.name}/{name}.wav"))
    return tuple(prompts)


_GREETINGS = {
    "zh": (
        "您好，工号{n}很高兴为您服务，请问有什么可以帮您？",
        "{part}好，我是{n}号客服，请问您需要办理什么业务？",
        "您好，这里是沙箱银行，{n}号为您服务，请讲。",
        "{part}好，让您久等了，我是工号{n}，请问您有什么问题？",
    ),
    "en": (
        "Hello, this is agent {n} speaking. How may I help you?",
        "Good {part}, you are through to agent {n}. What can I do for you?",
        "Thanks for waiting, my number is {n}. How can I be of help today?",
        "Good {part}, Sandbox Bank, {n} here. What is it about?",
    ),
}
_PARTS = {"zh": ("上午", "下午", "您"), "en": ("morning", "afternoon", "day")}
_GOODBYES = {
    "zh": ("不客气，感谢您的来电，祝您生活愉快，再见。", "好的，还有问题随时来电，再见。"),
    "en": ("You are welcome. Thank you for calling, goodbye.", "Any time. Have a nice day, goodbye."),
}
_STILL_THERE = {"zh": "请问您还在吗？", "en": "Are you still there?"}
_MORE = {"zh": "请问还有其他可以帮您的吗？", "en": "Is there anything else I can do for you?"}
_DIGITS = {
    "zh": "零一二三四五六七八九",
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}


@dataclass(frozen=True)
class Agent:
    """One agent on duty: a number and a voice."""

    number: str
    voice: Voice

    def today(self, random: Random) -> Agent:
        """Returns the agent as they speak in one call: nobody says the same words twice in quite the same way."""
        wpm = self.voice.wpm + random.randint(-9, 9)
        return replace(self, voice=replace(self.voice, wpm=wpm, pitch=self.voice.pitch + random.randint(-9, 9)))

    def greeting(self, lang: Lang, random: Random) -> str:
        """Words a greeting."""
        digits = _DIGITS[lang]
        spoken = ("" if lang == "zh" else " ").join(digits[int(d)] for d in self.number)
        return random.choice(_GREETINGS[lang]).format(n=spoken, part=random.choice(_PARTS[lang]))


def on_duty(seed: int) -> tuple[Agent, ...]:
    """Draws the agents on duty."""
    random = Random(f"agents:{seed}")
    return tuple(
        Agent(f"{random.randint(1000, 9999)}", Voice(variant, random.randint(160, 200), random.randint(35, 65)))
        for variant in random.sample(AGENT_VARIANTS, k=random.randint(3, len(AGENT_VARIANTS)))
    )


def goodbye(lang: Lang, random: Random) -> str:
    """Words a goodbye."""
    return random.choice(_GOODBYES[lang])


def still_there(lang: Lang) -> str:
    """Asks a silent caller."""
    return _STILL_THERE[lang]


def anything_else(lang: Lang) -> str:
    """Asks for more."""
    return _MORE[lang]
