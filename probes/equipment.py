"""What one probing process owns: a SIP endpoint, a browser, caches. Each is started when first needed.

One object a process, on one event loop; ``close`` ends every call and frees the lot.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from probes.channel import Channel
from probes.clock import Clock
from probes.session import AttemptKey
from probes.target import Chat, Target
from scenarios.model import Lang

if TYPE_CHECKING:
    from aiohttp import TCPConnector

    from probes.chat.api.interface import Interface
    from probes.chat.browser import Browser
    from probes.hearing.library import Library
    from probes.hearing.transcription.words import Transcriber
    from probes.voice.pjsip.endpoint import Endpoint
    from probes.voice.wire.tap import Tap

CALLER_VARIANTS = ("f3", "f5", "m2", "m4")


class Equipment:
    """Makes channels. What only calls, only pages or only interfaces need is imported when the first one needs it."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.clock = Clock()
        self._endpoint: Endpoint | None = None
        self._wire: Tap | None = None
        self._browser: Browser | None = None
        self._connector: TCPConnector | None = None
        self._interfaces: dict[tuple[Path, int], Interface] = {}  # the last one
        self._transcribers: dict[tuple[str, str], Transcriber] = {}
        self._libraries: dict[tuple[object, ...], Library] = {}  # the last one
        self._starting = asyncio.Lock()

    async def channel(
        self, attempt: AttemptKey, target: Target, target_folder: Path, folder: Path, lang: Lang
    ) -> Channel:
        """Returns a channel to the attempt's entry, not yet open; evidence goes to ``folder``."""
        if attempt.channel == "voice":
            return await self._voice(attempt, target, target_folder, folder, lang)
        return await self._chat(attempt, target, target_folder, folder, lang)

    async def close(self) -> None:
        """Hangs up, closes the browser, frees everything. Safe to call twice."""
        endpoint, self._endpoint = self._endpoint, None
        browser, self._browser = self._browser, None
        wire, self._wire = self._wire, None
        connector, self._connector = self._connector, None
        if endpoint is not None:
            await endpoint.stop()
        if wire is not None:
            await wire.close()
        if browser is not None:
            await browser.close()
        if connector is not None:
            await connector.close()

    async def _voice(
        self, attempt: AttemptKey, target: Target, target_folder: Path, folder: Path, lang: Lang
    ) -> Channel:
        from probes.hearing.ear import Ear
        from probes.speaking.speaker import Speaker, Voice
        from probes.voice.channel import VoiceChannel
        from probes.voice.pjsip.endpoint import Endpoint
        from probes.voice.trunk import trunk_of
        from probes.voice.wire.tap import Tap

        async with self._starting:
            if self._endpoint is None:
                self._wire = self._wire or Tap()
                self._endpoint = await Endpoint(wire=self._wire).start()
        line = target.lines[attempt.entry]
        trunk = trunk_of(target, line, target_folder)
        # where the policy looks, too: what it takes for recorded is not spoken by a synthetic voice
        recordings = target_folder / (target.recordings or "recordings") / attempt.scenario
        speaker = Speaker(lang, Voice.draw(attempt.seed, among=CALLER_VARIANTS), self.cache, recordings)
        return VoiceChannel(
            line,
            endpoint=self._endpoint,
            trunk=trunk,
            ear=Ear(self._library(target, target_folder)),
            speaker=speaker,
            folder=folder,
            transcriber=self._transcriber(target, target_folder),
        )

    def _library(self, target: Target, target_folder: Path) -> Library:
        """Returns the target's recordings for one call; what is made of them is made once, until a file changes."""
        from probes.hearing.library import Library
        from probes.hearing.wav import read_wav

        files = [(prompt, target.prompt_path(prompt, target_folder)) for prompt in target.prompts]
        key = tuple(
            (prompt.model_dump_json(), str(path), path.is_file() and path.stat().st_mtime_ns) for prompt, path in files
        )
        if key not in self._libraries:
            self._libraries = {key: Library([(prompt, read_wav(path)) for prompt, path in files])}
        return self._libraries[key].copy()

    def _transcriber(self, target: Target, target_folder: Path) -> Transcriber | None:
        """Returns what puts words to speech, made once a target: a model takes seconds to load."""
        from probes.hearing.transcription.backends import open_transcriber

        if target.transcriber is None or target.transcriber.backend == "none":
            return None
        key = (target.transcriber.model_dump_json(), str(target_folder))
        if key not in self._transcribers:
            self._transcribers[key] = open_transcriber(target, target_folder)
        return self._transcribers[key]

    async def _chat(
        self, attempt: AttemptKey, target: Target, target_folder: Path, folder: Path, lang: Lang
    ) -> Channel:
        chat = target.chats[attempt.entry]
        if chat.api is not None:
            return self._api_chat(chat, target_folder, folder, lang)
        from probes.chat.browser import Browser
        from probes.chat.channel import ChatChannel

        async with self._starting:
            if self._browser is None:
                self._browser = Browser()
        return ChatChannel(
            chat,
            folder=folder,
            browser=self._browser,
            clock=self.clock,
            lang=lang,
            profiles=target_folder,
        )

    def _api_chat(self, chat: Chat, target_folder: Path, folder: Path, lang: Lang) -> Channel:
        from aiohttp import TCPConnector

        from probes.chat.api.channel import ApiChannel
        from probes.chat.api.interface import load_interface
        from probes.chat.api.web import KEEP_S

        if self._connector is None:
            self._connector = TCPConnector(limit=0, keepalive_timeout=KEEP_S)
        assert chat.api is not None
        path = (target_folder / chat.api, (target_folder / chat.api).stat().st_mtime_ns)
        if path not in self._interfaces:
            self._interfaces = {path: load_interface(chat.api, target_folder)}
        return ApiChannel(
            chat,
            folder=folder,
            clock=self.clock,
            lang=lang,
            connector=self._connector,
            interface=self._interfaces[path],
        )
