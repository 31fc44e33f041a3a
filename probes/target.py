"""The target: one client's contact centre, as the probes need to know it.

It says where the centre can be reached, how a human is asked for there, which recordings its IVR plays, and which
wording of each fact the client has confirmed as right. Who may call it, and when, is the authorisation's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from probes.chat.notices import NoticeRule, SpeakerRule
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
    """How our own trunk knows us. ``password_env`` names the variable; no password is ever in the file."""

    uri: str
    registrar: str | None = None
    username: str | None = None
    password_env: str | None = None


class SessionTimer(Strict):
    """RFC 4028: how both ends notice a call that has died. ``use`` None: off on a gateway, else optional."""

    use: Literal["off", "optional", "required"] | None = None
    expires_s: int = Field(default=1800, ge=90, le=86400)
    min_se_s: int = Field(default=90, ge=90, le=86400)


class Nat(Strict):
    """What helps when a router rewrites our addresses."""

    rewrite_contact: bool = Field(default=True, description="register the address the registrar saw as our own")
    rewrite_sdp: bool = Field(default=False, description="give that address for the audio too")
    stun: tuple[str, ...] = Field(default=(), description="HOST[:PORT] of servers that tell us our address")
    ice: bool = False


class TrunkSpec(Strict):
    """How calls leave, shared by the lines that name it. It is ours, never the centre's."""

    kind: Literal["registered", "ip", "extension", "gateway"]
    uri: str = Field(description="our own identity, sip:USER@HOST")
    registrar: str | None = Field(default=None, description="sip:HOST[:PORT]: we register there before the first call")
    proxy: str | None = Field(default=None, description="sip:HOST[:PORT]: everything is sent there")
    username: str | None = Field(default=None, description="default: the user of uri")
    password_env: str | None = None
    transport: Literal["udp", "tcp", "tls"] = "udp"
    srtp: bool = False
    ca_file: str | None = Field(default=None, description="PEM beside the target file; default: the system's")
    codecs: tuple[Codec, ...] = Field(default=("PCMA", "PCMU"), min_length=1)
    dtmf: Literal["rfc4733", "info"] = "rfc4733"
    session_timer: SessionTimer = SessionTimer()
    keep_alive_s: int = Field(default=15, ge=5, le=3600, description="over UDP, once registered")
    nat: Nat = Nat()
    channels: int = Field(default=1, ge=1, description="how many calls it carries at once, over all lines")
    site: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")


class Line(Strict):
    """One telephone number of the centre, and how calls to it leave: by a named trunk, or by its own short keys."""

    uri: str = Field(description="sip:NUMBER@HOST[:PORT]")
    trunk: str | None = None
    transport: Literal["udp", "tcp", "tls"] = "udp"
    srtp: bool = False
    dtmf: Literal["rfc4733", "info"] = "rfc4733"
    codecs: tuple[Codec, ...] = Field(default=("PCMA", "PCMU"), min_length=1)
    channels: int = Field(default=1, ge=1, description="at most so many of our calls at once on this line")
    to_human: tuple[ReachStep, ...] = ()
    barge_in: bool = Field(default=False, description="speak at once, even while the far end does")
    account: Account | None = None

    OWN_WAY: ClassVar[tuple[str, ...]] = ("transport", "srtp", "dtmf", "codecs", "account")  # what a trunk says instead


ChatRecord = Literal["trace", "dom", "har", "video"]


class Chat(Strict):
    """One chat entry point of the centre."""

    url: str
    widget: str = Field(default="sandbox", description="a shipped profile, or a path beside the target file")
    api: str | None = Field(
        default=None, description="instead of a widget: an interface profile beside the target file"
    )
    channels: int = Field(default=1, ge=1)
    to_human: tuple[ReachStep, ...] = ()
    block_third_party: bool = Field(default=False, description="nothing but the chat's own host serves parts of it")
    parts_from: tuple[str, ...] = Field(default=(), description="... and these hosts")
    record: tuple[ChatRecord, ...] = Field(default=("trace",), description="besides transcript and screenshot")
    speakers: tuple[SpeakerRule, ...] = Field(default=(), description="wordings that show who speaks, in order")
    notices: tuple[NoticeRule, ...] = Field(default=(), description="wordings of this centre, before the profile's")


class FactAnswer(Strict):
    """The wordings the client has confirmed for one fact: right when ``at_least`` of them occur.

    ``wrong`` lists wordings that contradict the fact. Both are plain text, compared without spaces and case.
    """

    right: tuple[str, ...] = Field(min_length=1)
    at_least: int = Field(default=1, ge=1)
    wrong: tuple[str, ...] = ()


ModelKind = Literal["streaming-paraformer", "streaming-zipformer", "sense-voice"]


class TranscriberSpec(Strict):
    """What turns speech into words: nothing, recordings whose text is known, or a speech model in a folder."""

    backend: Literal["none", "phrasebook", "sherpa-onnx"]
    phrases: str | None = Field(default=None, description="folder with phrasebook.yaml, beside the target file")
    model: str | None = Field(default=None, description="folder of the unpacked model, beside the target file")
    kind: ModelKind | None = None
    hotwords: str | None = Field(default=None, description="phrases to expect, UTF-8, one a line")


class Target(Strict):
    """One contact centre."""

    format: Literal[1]
    name: str
    lang: Lang = "zh"
    trunks: dict[str, TrunkSpec] = Field(default_factory=dict)
    lines: dict[str, Line] = Field(default_factory=dict)
    chats: dict[str, Chat] = Field(default_factory=dict)
    prompts: tuple[Prompt, ...] = ()
    facts: dict[str, dict[str, FactAnswer]] = Field(default_factory=dict, description="scenario id -> fact -> answer")
    recordings: str | None = Field(default=None, description="folder of our own recorded lines, beside the target file")
    transcriber: TranscriberSpec | None = None

    def trunk_of(self, line: Line) -> TrunkSpec:
        """Returns how calls to ``line`` leave: the trunk that it names, else one made of its own keys."""
        if line.trunk is not None:
            return self.trunks[line.trunk]
        account = line.account or Account(uri="sip:shopper@127.0.0.1")
        return TrunkSpec(
            kind="ip" if account.registrar is None else "registered",
            transport=line.transport, srtp=line.srtp, dtmf=line.dtmf, codecs=line.codecs, channels=line.channels,
            session_timer=SessionTimer(use="off"), **account.model_dump(),
        )  # fmt: skip

    def prompt_path(self, prompt: Prompt, folder: Path) -> Path:
        """Returns the audio file of ``prompt`` for a target file that lies in ``folder``."""
        return folder / prompt.audio
