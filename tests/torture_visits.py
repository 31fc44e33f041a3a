"""Sessions with the torture page; fixture ``visit`` (``conftest.py``) holds one."""

import asyncio

from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.target import Chat
from tests.torture_chat_page import PROFILE, torture_page

CLOCK = Clock()


class Talk:
    """One session with the page: the channel, and all events so far."""

    def __init__(self, chat, torture, anchor):
        self.chat, self.torture, self.events, self.start = chat, torture, [], anchor.monotonic
        self._stream = chat.events()

    async def until(self, wanted):
        """Reads on until an event of that kind, or one for which ``wanted`` holds, is there; returns it."""
        holds = wanted if callable(wanted) else lambda event: event.kind == wanted
        async with asyncio.timeout(15):
            async for event in self._stream:
                self.events.append(event)
                if holds(event):
                    return event
        raise AssertionError(f"the session ended first: {self.events[-1]}")

    async def ask(self, text="hello"):
        """Says ``text`` and returns what :class:`Said` and the next message are."""
        said = await self.chat.say(text, line="line")
        return said, await self.until("message")

    async def rest(self):
        """Reads to the end."""
        async with asyncio.timeout(15):
            async for event in self._stream:
                self.events.append(event)
        return self.events

    async def until_quiet(self, seconds):
        """Lets all that is shown settle, leaves, and reads to the end."""
        await self.chat._page.evaluate(f"sleep({1000 * seconds})")
        await self.chat.close()
        await self.rest()

    def of(self, *kinds):
        return [event for event in self.events if event.kind in kinds]

    def texts(self):
        return [event.data["text"] for event in self.of("message")]


async def visit(browser, folder, case, script, *, more="", chat=None, opened=True, profile=PROFILE, **options):
    """Runs ``script(talk)`` on the page of the case and returns what it returns; ``folder/s`` holds the evidence."""
    (folder / "torture.yaml").write_text(profile + more, encoding="utf-8")
    async with torture_page() as torture:
        anchor = CLOCK.anchor()
        aim = Chat(url=torture.page(case), widget="torture.yaml", **(chat or {}))
        channel = ChatChannel(
            aim, folder=folder / "s", clock=CLOCK, lang="en", profiles=folder, settle_s=0.5,
            **{"browser": browser, "echo_s": 5.0, **options},
        )  # fmt: skip
        talk = Talk(channel, torture, anchor)
        try:
            if opened:
                await channel.open(anchor)
                return await script(talk)
            return await script(talk, anchor)
        finally:
            await channel.close()
