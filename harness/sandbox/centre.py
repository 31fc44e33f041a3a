"""The sandbox centre: all its processes, started and stopped as one, and the target file that describes it.

Loopback only; every port is chosen by the system. Two processes answer the hotline (four calls each), two more
carry the special numbers, four more the hostile ones if it is to be hostile; one serves the web chat. An impairment
puts one more in front of all telephone lines.
"""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from types import TracebackType

from ruamel.yaml import YAML

from harness.sandbox.impaired import options_of
from harness.sandbox.impairment import Impairment
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.processes import Child
from harness.sandbox.sounds import song
from harness.sandbox.wording import RECORDINGS, hostile_recordings, render_recordings
from probes.hearing.wav import write_wav
from probes.target import Chat, Line, Prompt, ReachStep, Target
from probes.voice.leg import CALLS_PER_PROCESS
from scenarios.errors import HarnessFault
from scenarios.model import Lang

_TO_HUMAN = (ReachStep(after="menu", press="0"),)
_BLINDLY = (ReachStep(after="none", press="0"),)
# process -> line -> (number, calls at once, way to a human)
LINES: dict[str, dict[str, tuple[str, int, tuple[ReachStep, ...]]]] = {
    "voice-1": {"hotline-1": ("95001", CALLS_PER_PROCESS, _TO_HUMAN)},
    "voice-2": {"hotline-2": ("95001", CALLS_PER_PROCESS, _TO_HUMAN)},
    "voice-3": {
        "busy": ("95002", 1, _TO_HUMAN),
        "silent": ("95003", 1, _TO_HUMAN),
        "early-media": ("95004", 1, ()),
        "drops": ("95005", 1, _TO_HUMAN),
    },
    "voice-4": {
        "call-back": ("95006", 1, _TO_HUMAN),
        "dead-end": ("95007", 1, _TO_HUMAN),
        "self-service": ("95008", 1, ()),
    },
}
HOSTILE_LINES: dict[str, dict[str, tuple[str, int, tuple[ReachStep, ...]]]] = {
    "voice-5": {
        "early-voice": ("95011", 1, _TO_HUMAN),
        "answers-first": ("95012", 1, ()),
        "song": ("95013", 1, _TO_HUMAN),
        "announces": ("95014", 1, _TO_HUMAN),
    },
    "voice-6": {
        "numbered": ("95015", 1, _TO_HUMAN),
        "speechless": ("95016", 1, _TO_HUMAN),
        "over-ringback": ("95017", 1, _TO_HUMAN),
        "second-queue": ("95018", 1, _TO_HUMAN),
    },
    "voice-7": {
        "on-hold": ("95019", 1, _TO_HUMAN),
        "deaf": ("95020", 1, ()),
        "inaudible": ("95021", 1, ()),
        "no-packets": ("95022", 1, _BLINDLY),
    },
    "voice-8": {
        "echoes": ("95023", 1, _TO_HUMAN),
        "answers-and-goes": ("95024", 1, ()),
    },
}
_ASK_FOR_HUMAN: dict[Lang, str] = {"zh": "转人工", "en": "I would like to talk to a human"}


class Centre:
    """``async with Centre(folder) as target_file: ...``"""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        lang: Lang = "zh",
        cache: Path,
        voice: bool = True,
        chat: bool = True,
        hostile: bool = False,
        prompts: bool = True,
        impairment: Impairment | None = None,
    ) -> None:
        """Describes a centre.

        Args:
            folder: for its target file, its recordings, its logs.
            seed: draws waits, agents, voices and wordings.
            lang: what it speaks.
            cache: of rendered speech.
            voice: whether it has telephone lines.
            chat: whether it has a chat.
            hostile: whether it has the hostile lines as well.
            prompts: whether its target file lists its recordings.
            impairment: how bad the telephone lines are; None: they are good.
        """
        self.folder, self.seed, self.lang, self.cache = folder, seed, lang, cache
        self.voice, self.chat, self.hostile, self.prompts, self.impairment = voice, chat, hostile, prompts, impairment
        self.lines = LINES | HOSTILE_LINES if hostile else LINES
        self._children: dict[str, Child] = {}

    @property
    def truth(self) -> Path:
        """The truth log. Probes never read it."""
        return self.folder / "truth.jsonl"

    async def __aenter__(self) -> Path:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> Path:
        """Starts every process and returns the target file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.truth.unlink(missing_ok=True)  # one log, one run of the centre
        recordings = self.folder / "recordings"
        prompts = await asyncio.to_thread(self._render, recordings) if self.voice else ()
        shared = ["--truth", str(self.truth), "--seed", str(self.seed), "--lang", self.lang]
        if self.voice:
            for name in self.lines:
                extra = ["--name", name, "--recordings", str(recordings), "--cache", str(self.cache)]
                self._add(name, "harness.sandbox.voice", shared + extra)
        if self.chat:
            self._add("chat", "harness.sandbox.chat", shared)
        try:
            async with asyncio.TaskGroup() as group:
                starting = {name: group.create_task(child.start()) for name, child in self._children.items()}
        except ExceptionGroup as failed:
            await self.stop()
            raise failed.exceptions[0] from None
        ports = {name: task.result() for name, task in starting.items()}
        addresses = await self._addresses({name: found["address"] for name, found in ports.items() if name != "chat"})
        lines = {
            line: Line(uri=f"sip:{number}@{addresses[process]}", channels=channels, to_human=way)
            for process, lines in self.lines.items()
            if process in addresses
            for line, (number, channels, way) in lines.items()
        }
        chats = {}
        if "chat" in ports:
            way = (ReachStep(say=_ASK_FOR_HUMAN[self.lang], after="none"),)
            chats["web"] = Chat(url=ports["chat"]["url"], widget="sandbox", channels=20, to_human=way)
        target = Target(
            format=1,
            name="沙箱银行" if self.lang == "zh" else "Sandbox Bank",
            lang=self.lang,
            lines=lines,
            chats=chats,
            prompts=prompts if self.prompts else (),
            facts=Knowledge.load().facts(self.lang),
        )
        return self._write(target)

    async def stop(self) -> None:
        """Stops every process; the bad line last, for the others' farewells pass it."""
        await asyncio.gather(*(child.stop() for name, child in self._children.items() if name != "impaired"))
        if "impaired" in self._children:
            await self._children["impaired"].stop()

    def _render(self, recordings: Path) -> tuple[Prompt, ...]:
        """Writes what every process plays; a song is no prompt."""
        wanted = RECORDINGS
        if self.hostile:
            wanted += hostile_recordings(self.seed)
            write_wav(recordings / "song.wav", song(self.lang, self.cache))
        return render_recordings(recordings, self.lang, self.cache, wanted)

    async def _addresses(self, telephones: dict[str, str]) -> dict[str, str]:
        """Returns where callers reach the voice processes: where these listen, or the bad line before them."""
        if self.impairment is None or not telephones:
            return telephones
        fars = [f"--far={name}={address}" for name, address in telephones.items()]
        extra = ["--seed", str(self.seed), "--recordings", str(self.folder / "recordings")]
        self._add("impaired", "harness.sandbox.impaired", [*fars, *extra, *options_of(self.impairment)])
        try:
            started = await self._children["impaired"].start()
        except HarnessFault:
            await self.stop()
            raise
        addresses: dict[str, str] = started["addresses"]
        return addresses

    def _add(self, name: str, module: str, arguments: list[str]) -> None:
        log = self.folder / f"{name}.log"
        self._children[name] = Child(module, self.folder / f"{name}.port", arguments, log)

    def _write(self, target: Target) -> Path:
        text = StringIO()
        yaml = YAML(typ="safe")
        yaml.allow_unicode = True
        yaml.dump(target.model_dump(mode="json", exclude_defaults=False, exclude_none=True), text)
        path = self.folder / "target.yaml"
        path.write_text(text.getvalue(), encoding="utf-8")
        return path
