"""Chat widgets that nobody here wrote, and the sandbox's: real sessions, each held against its page's truth log."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from harness.bench.widgets.control import Controlled
from harness.bench.widgets.pages import PAGES, served
from harness.bench.widgets.sessions import examine, hold
from harness.sandbox.truth import Truth
from probes.chat.browser import Browser
from probes.chat.channel import ChatChannel
from probes.chat.widget import SHIPPED, load_widget
from probes.clock import Clock
from probes.session import Event
from probes.target import Chat

pytestmark = pytest.mark.realtime

PACE = 0.3
QUESTION = "手机银行一天最多能转多少？"
LATE_S = 1.0  # most stamps are not so late even on a busy machine, and hardly any is early
TALKED_TO = [("hand-off", "zh"), ("refused", "zh"), ("hand-off", "en")]
BRIEFLY = [("hand-off", "zh"), ("bot", "zh")]
SESSIONS = {page: TALKED_TO if page in ("bot-framework", "deep-chat", "chainlit") else BRIEFLY for page in PAGES}


def address(page, url, kind="bot", lang="zh", **more):
    """Returns the URL of a page that speaks ``lang`` and behaves as ``kind`` needs it."""
    if page == "sandbox":
        return url + ("?fault=drop" if kind == "refused" else "")
    if page == "chainlit":
        return url  # it goes by the browser's language
    return url + "&?"["?" not in url] + "&".join(f"{key}={value}" for key, value in {"lang": lang, **more}.items())


@dataclass
class Site:
    """One page that is being served."""

    page: str
    url: str
    folder: Path

    def truth(self, event="", count=0):
        """Returns the page's truth log, once so many of ``event`` have been written out."""
        until = time.monotonic() + 20
        while True:
            rows = Truth.read(self.folder / "truth.jsonl")
            if sum(row["event"] == event for row in rows) >= count:
                return rows
            assert time.monotonic() < until, f"not {count} of {event}: {rows[-3:]}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with asyncio.Runner() as runner:
        page = AsyncExitStack()
        url = runner.run(page.enter_async_context(served(request.param, folder, pace=PACE)))
        yield Site(request.param, url, folder)
        runner.run(page.aclose())


@pytest.mark.parametrize("site", PAGES, indirect=True)
def test_every_turn_is_attributed_and_every_hand_off_found(site, tmp_path):
    page, clock, browser = site.page, Clock(), Browser()
    widget = load_widget(PAGES[page].widget)
    sessions = SESSIONS[page]

    async def one(number, kind, lang):
        control = Controlled(browser, widget, clock)
        chat = Chat(url=address(page, site.url, kind, lang), widget=PAGES[page].widget)
        channel = ChatChannel(chat, folder=tmp_path / str(number), browser=control, clock=clock, lang=lang)
        return await hold(channel, clock, kind, number, lang=lang, control=control)

    async def run():
        try:
            return await asyncio.gather(*(one(n, *session) for n, session in enumerate(sessions)))
        finally:
            await browser.close()

    held = asyncio.run(run())
    truth = site.truth("end", len(sessions))
    for (kind, _), (seen, writes) in zip(sessions, held, strict=True):
        found = examine(kind, seen, writes, truth)
        assert found.turns == {"hand-off": 15, "refused": 9, "bot": 8}[kind] or page == "sandbox"
        assert found.attribution == []
        assert found.hand_off == []
        assert found.unwritten == 0
        for stamps in (found.late, found.wire, found.error):
            assert min(stamps) > -0.05, stamps
            assert median(stamps) < LATE_S, stamps
        ready = next(event for event in seen.events if event.kind == "widget_ready")
        assert ready.t <= seen.said[0][1].start
        messages = [event for event in seen.events if event.kind == "message" and event.data["revision"] == 0]
        assert sum(event.kind == "first_token" for event in seen.events) == len(messages)
        answer = next(event for event in messages if not event.data["unasked"])
        assert (answer.data["end"] - answer.t > 0.05) == (page != "deep-chat requests"), "a streamed answer grows"
        assert seen.events[-1].kind == "ended"


@dataclass
class Held:
    """One channel on a page, the events once it is closed, and when what we said was shown."""

    events: list[Event]
    said: list[float]


def say_at_once(site, folder, *texts, widget=None, **query):
    """Opens the page and says all of it without waiting for an answer; returns that and what the page got."""

    async def run():
        clock, browser = Clock(), Browser()
        chat = Chat(url=address(site.page, site.url, **query), widget=widget or PAGES[site.page].widget)
        channel = ChatChannel(chat, folder=folder / "0", browser=browser, clock=clock, lang="zh", profiles=folder)
        try:
            await channel.open(clock.anchor())
            said = [(await channel.say(text, line="line")).start for text in texts]
        finally:
            await channel.close()
            await browser.close()
        return Held([event async for event in channel.events()], said)

    def heard(count):
        return [row["text"] for row in site.truth("user_message", count) if row["event"] == "user_message"]

    before = len(heard(0))
    held = asyncio.run(run())
    return held, heard(before + len(texts))[before:]


def changed(profile: str, folder: Path, old: str, new: str) -> str:
    """Copies a shipped profile into ``folder``, changed; returns its name there."""
    text = (SHIPPED / f"{profile}.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "ours.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return "ours.yaml"


@pytest.mark.parametrize("site", ["chainlit"], indirect=True)
def test_nothing_is_lost_that_is_said_the_moment_the_page_is_ready(site, tmp_path):
    hasty = changed("chainlit", tmp_path, "greets_s: 3", "greets_s: 0")
    _, got = say_at_once(site, tmp_path, QUESTION, widget=hasty)
    assert got == [QUESTION]


@pytest.mark.parametrize("site", ["deep-chat"], indirect=True)
def test_a_slow_socket_is_waited_for(site, tmp_path):
    held, got = say_at_once(site, tmp_path, QUESTION, slow=1)
    loaded, ready = (next(e.t for e in held.events if e.kind == kind) for kind in ("page_loaded", "widget_ready"))
    assert ready - loaded > 0.5
    assert got == [QUESTION]


@pytest.mark.parametrize("site", ["deep-chat events", "deep-chat requests", "chainlit"], indirect=True)
def test_a_widget_that_takes_nothing_while_it_answers_is_waited_for(site, tmp_path):
    held, got = say_at_once(site, tmp_path, "转人工", QUESTION)
    assert got == ["转人工", QUESTION]
    assert held.said[1] - held.said[0] > 1.0, "the queue of two kept the page busy"
