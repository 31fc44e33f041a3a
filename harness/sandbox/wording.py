"""What the sandbox centre says: its IVR's recordings and its agents' own words.

Recordings are rendered once and played the same in every call. Agents speak live: each has a voice of its own and words
a greeting anew for each call, so no two greetings are the same audio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TypeAlias

from probes.hearing.wav import write_wav
from probes.speaking.speaker import Speaker, Voice
from probes.target import Prompt, PromptRole
from scenarios.model import Lang

IVR_VOICE = Voice("f2", 175, 50)
AGENT_VARIANTS = ("f1", "f4", "m1", "m3", "m7")
LONGEST_QUEUE = 4

Recording: TypeAlias = tuple[str, PromptRole, str, str]  # name, role, Chinese, English

_RECORDINGS: tuple[Recording, ...] = (
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


def _position(n: int) -> Recording:
    zh = f"座席正忙，您前面还有{'零一二三四'[n]}位客户在等候，请耐心等待。"
    people = "one caller" if n == 1 else f"{('zero', 'one', 'two', 'three', 'four')[n]} callers"
    return f"queue-{n}", "queue", zh, f"All agents are busy. There are {people} ahead of you, please stay on the line."


RECORDINGS = _RECORDINGS + tuple(_position(n) for n in range(1, LONGEST_QUEUE + 1))


def hostile_recordings(seed: int) -> tuple[Recording, ...]:
    """What only the hostile lines play: an announcement, and the number of each agent on duty."""
    zh, en = "座席仍在忙碌，请您继续等候。", "All our agents are still busy, please keep holding."
    return ("still-busy", "queue", zh, en), *(_number(agent) for agent in on_duty(seed))


def _number(agent: Agent) -> Recording:
    return (
        agent.recording, "agent_id", f"工号{agent.spoken_number('zh')}为您服务。",
        f"Agent number {agent.spoken_number('en')} is at your service.",
    )  # fmt: skip


def render_recordings(
    folder: Path, lang: Lang, cache: Path, recordings: tuple[Recording, ...] = RECORDINGS
) -> tuple[Prompt, ...]:
    """Writes the IVR's recordings as WAV files into ``folder`` and returns them as a target lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(lang, IVR_VOICE, cache)
    prompts = []
    for name, role, zh, en in recordings:
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
_STILL_THERE = {
    "zh": ("请问您还在吗？", "喂，您还在听吗？", "您好，能听到我说话吗？"),
    "en": ("Are you still there?", "Hello, can you hear me?", "Hello, are you still on the line?"),
}
_MORE = {
    "zh": ("请问还有其他可以帮您的吗？", "您看还有别的问题吗？", "还需要我帮您查点别的吗？"),
    "en": ("Is there anything else I can do for you?", "Anything else?", "Can I look up something else for you?"),
}
_OPENINGS = {"zh": ("", "喂，", "哎，", "嗯，"), "en": ("", "Yes, ", "Right. ", "Well, ")}
_LEAD_INS = {
    "zh": ("", "好的，", "嗯，", "是这样的，", "我帮您看一下，"),
    "en": ("", "Sure. ", "Well. ", "Let me see. ", "Right. "),
}
_TRANSFERS = {
    "zh": ("这个业务我帮您转接，请稍等。", "好的，我帮您转接到专席。", "我帮您转接专员处理，请不要挂机。"),
    "en": (
        "I will put you through to a colleague.",
        "Let me transfer you, one moment.",
        "My colleague will help you there.",
    ),
}
_HOLDS = {
    "zh": ("请您稍等，我帮您查一下。", "麻烦您稍等一下，我核实一下。"),
    "en": ("One moment please, I will look that up.", "Please hold on while I check."),
}
_BACKS = {
    "zh": ("感谢您的等待，已经查好了。", "让您久等了，我查到了。"),
    "en": ("Thank you for waiting, I have found it.", "Sorry to keep you, here it is."),
}
_DEAF = {
    "zh": ("喂，您好？听得到吗？", "您好，我这边听不到您的声音。", "喂？请问有人吗？"),
    "en": ("Hello? Can you hear me?", "Hello, I cannot hear you.", "Hello? Is anybody there?"),
}  # fmt: skip
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

    @property
    def recording(self) -> str:
        """The name of the recording that tells their number."""
        return f"agent-{self.number}"

    def spoken_number(self, lang: Lang) -> str:
        """Returns the number digit by digit."""
        return ("" if lang == "zh" else " ").join(_DIGITS[lang][int(d)] for d in self.number)

    def greeting(self, lang: Lang, random: Random) -> str:
        """Words a greeting."""
        return random.choice(_GREETINGS[lang]).format(n=self.spoken_number(lang), part=random.choice(_PARTS[lang]))


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


def opening(lang: Lang, random: Random) -> str:
    """What slips out before a greeting."""
    return random.choice(_OPENINGS[lang])


def lead_in(lang: Lang, random: Random) -> str:
    """What comes before an answer."""
    return random.choice(_LEAD_INS[lang])


def still_there(lang: Lang, random: Random) -> str:
    """Asks a silent caller."""
    return random.choice(_STILL_THERE[lang])


def anything_else(lang: Lang, random: Random) -> str:
    """Asks for more."""
    return random.choice(_MORE[lang])


def transferring(lang: Lang, random: Random) -> str:
    """Says that a colleague will go on."""
    return random.choice(_TRANSFERS[lang])


def please_hold(lang: Lang, random: Random) -> str:
    """Asks for patience."""
    return random.choice(_HOLDS[lang])


def back_again(lang: Lang, random: Random) -> str:
    """Ends a hold."""
    return random.choice(_BACKS[lang])


def cannot_hear(lang: Lang, turn: int) -> str:
    """What is said, the ``turn``-th time, to somebody who cannot be heard."""
    return _DEAF[lang][turn % len(_DEAF[lang])]
