"""The target: one client's contact centre, as the probes need to know it.

It says where the centre can be reached, how a human is asked for there, which recordings its IVR plays, and which
wording of each fact the client has confirmed as right. Who may call it, and when, is the authorisation's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from scenarios.model import Digits, Lang, Strict

PromptRole = Literal[
    "welcome",  # greets; nothing to do
    "menu",  # offers keys
    "info",  # self-service answer of the IVR or a voice bot
    "transfer",  # "I am putting you through"
    "queue",  # "all agents are busy", "you are number N"
    "agent_id",  # recorded number announcement of the agent (工号播报)
    "callback",  # offers a call-back or a message instead of a human
    "closed",  # outside hours, or "please call again later"
    "invalid",  # "that key does not exist"
    "goodbye",
]


Codec = Literal["PCMA", "PCMU", "G722", "GSM", "iLBC", "speex"]  # what the SIP stack can speak


class ReachStep(Strict):
    """One step of the way to a human: press keys or say words, once the far end has said ``after``."""

    press: Digits | None = None
    say: str | None = None
    after: Literal["welcome", "menu", "any", "none"] = "any"


class Prompt(Strict):
    """One recording that the centre plays, the same in every call."""

    id: str
    role: PromptRole
    text: str = ""
    audio: str = Field(description="WAV, 8 kHz mono 16 bit, relative to the target file")


class Account(Strict):
    """How our own trunk knows us. The password is never in the file: ``password_env`` names the variable."""

    uri: str
    registrar: str | None = None
    username: str | None = None
    password_env: str | None = None


class Line(Strict):
    """One telephone number of the centre."""

    uri: str = Field(description="sip:NUMBER@HOST[:PORT]")
    transport: Literal["udp", "tcp", "tls"] = "udp"
    srtp: bool = False
    dtmf: Literal["rfc4733", "info"] = "rfc4733"
    codecs: tuple[Codec, ...] = Field(default=("PCMA", "PCMU"), min_length=1)
    channels: int = Field(default=1, ge=1, description="at most so many of our calls at once on this line")
    to_human: tuple[ReachStep, ...] = ()
    account: Account | None = None


class Chat(Strict):
    """One chat entry point of the centre."""

    url: str
    widget: str = Field(default="sandbox", description="a shipped profile, or a path beside the target file")
    channels: int = Field(default=1, ge=1)
    to_human: tuple[ReachStep, ...] = ()


class FactAnswer(Strict):
    """The wordings the client has confirmed for one fact: right when ``at_least`` of them occur.

    ``wrong`` lists wordings that contradict the fact. Both are plain text, compared without spaces and case.
    """

    right: tuple[str, ...] = Field(min_length=1)
    at_least: int = Field(default=1, ge=1)
    wrong: tuple[str, ...] = ()


class Target(Strict):
    """One contact centre."""

    format: Literal[1]
    name: str
    lang: Lang = "zh"
    lines: dict[str, Line] = Field(default_factory=dict)
    chats: dict[str, Chat] = Field(default_factory=dict)
    prompts: tuple[Prompt, ...] = ()
    facts: dict[str, dict[str, FactAnswer]] = Field(default_factory=dict, description="scenario id -> fact -> answer")
    recordings: str | None = Field(default=None, description="folder of our own recorded lines, beside the target file")

    def prompt_path(self, prompt: Prompt, folder: Path) -> Path:
        """Returns the audio file of ``prompt`` for a target file that lies in ``folder``."""
        return folder / prompt.audio
