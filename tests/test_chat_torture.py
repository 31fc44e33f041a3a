"""The chat channel on a page that does what pages in the field do, one test a case."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.target import Chat
from tests.torture_chat_page import PROFILE, TOKENS, torture_page

CLOCK = Clock()


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def browser(loop):
    shared = Browser()
    yield shared
    loop.run(shared.close())


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

    def of(self, *kinds):
        return [event for event in self.events if event.kind in kinds]

    def texts(self):
        return [event.data["text"] for event in self.of("message")]


@pytest.fixture
def visit(loop, browser, tmp_path):
    """Returns ``visit(case, script)``: runs ``script(talk)`` on the page of the case and returns what it returns."""

    def visit(case, script, *, more="", chat=None, opened=True, **options):
        (tmp_path / "torture.yaml").write_text(PROFILE + more, encoding="utf-8")

        async def run():
            async with torture_page() as torture:
                anchor = CLOCK.anchor()
                aim = Chat(url=torture.page(case), widget="torture.yaml", **(chat or {}))
                channel = ChatChannel(
                    aim, folder=tmp_path / "s", browser=browser, clock=CLOCK, lang="en", profiles=tmp_path,
                    settle_s=0.5, **{"echo_s": 5.0, **options},
                )  # fmt: skip
                talk = Talk(channel, torture, anchor)
                try:
                    if opened:
                        await channel.open(anchor)
                        return await script(talk)
                    return await script(talk, anchor)
                finally:
                    await channel.close()

        return loop.run(run())

    return visit


@pytest.fixture
def transcript(tmp_path):
    """Returns ``transcript(what)``: the rows of that sort."""

    def rows(what):
        text = (tmp_path / "s" / "transcript.jsonl").read_text(encoding="utf-8")
        return [row for row in map(json.loads, text.splitlines()) if row["what"] == what]

    return rows


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["fetch", "xhr"])
def test_a_widget_that_delays_what_it_shows_is_not_taken_for_a_slow_centre(visit, case):
    async def script(talk):
        _, message = await talk.ask()
        return message, talk.torture.sent(message.data["text"]) - talk.start

    message, sent = visit(case, script)
    assert message.data["text"] == "You asked: hello"
    assert -0.005 < message.data["wire"] - sent < 0.2
    assert 0.29 < message.t - message.data["wire"] < 0.6


@pytest.mark.parametrize("case", ["sse", "stream", "iterate"])
def test_the_first_and_the_last_token_of_a_stream_are_stamped_on_the_wire_and_on_the_page(visit, case):
    async def script(talk):
        _, message = await talk.ask("done?")
        sent = SimpleNamespace(first=talk.torture.sent(TOKENS[0]), last=talk.torture.sent("done?"))
        return message, talk.of("first_token"), sent, talk.start

    message, (first,), sent, start = visit(case, script)
    assert message.data["text"] == "Seven working days, at the latest, for done?"
    assert message.data["revision"] == 0
    for shown, wire, truth in [
        (message.t, message.data["wire"], sent.first - start),
        (message.data["end"], message.data["wire_end"], sent.last - start),
    ]:
        assert -0.005 < wire - truth < 0.2
        assert -0.005 < shown - wire < 0.1
    assert (first.t, first.data["wire"]) == (message.t, message.data["wire"])


def test_the_page_says_when_it_was_asked_for_answered_loaded_and_painted(visit, transcript):
    async def script(talk):
        await talk.ask()
        await talk.chat.close()
        await talk.rest()
        return talk.of("page_loaded", "largest_paint", "widget_ready")

    moments = visit("plain", script)
    loaded, ready, paint = (
        next(event for event in moments if event.kind == kind)
        for kind in ("page_loaded", "widget_ready", "largest_paint")
    )
    assert 0 < loaded.data["start"] < loaded.data["response"] < loaded.data["dom"] <= loaded.t
    assert loaded.data["response"] < ready.t
    assert loaded.data["response"] < paint.t
    assert paint.data["size"] > 0
    clocks = {row["at"] for row in transcript("clock")}
    assert clocks == {"open", "close"}
