"""The chat channel in a real browser: against the sandbox centre and against an awkward page."""

import asyncio
import json
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.bench.chat import centre, compare, visit
from harness.sandbox.chat import ChatCentre
from harness.sandbox.truth import Truth
from probes.address import is_loopback
from probes.chat import widget
from probes.chat.browser import find_chromium
from probes.chat.channel import ChatChannel
from probes.clock import Clock
from probes.target import Chat
from scenarios.errors import FarEndFault, HarnessFault, TargetError, ToolMissing
from tests.odd_chat_page import PROFILE, odd_chat_page

CLOCK = Clock()


def channel(url, folder, browser, **options):
    chat = Chat(url=url, widget=options.pop("widget", "sandbox"))
    return ChatChannel(chat, folder=Path(folder), browser=browser, clock=CLOCK, lang="zh", **options)


async def collect(chat, *, until):
    """Reads events until one satisfies ``until``; returns all of them."""
    seen = []
    async with asyncio.timeout(20):
        async for event in chat.events():
            seen.append(event)
            if until(event):
                break
    return seen


def kinds(events):
    return [event.kind for event in events]


# --- eight sessions at once ------------------------------------------------------------------------------------------


async def lateness(late):
    """Notes how late this machine wakes a process that asked for 10 ms: what no probe could do better than."""
    while True:
        asked = CLOCK.monotonic() + 0.01
        await asyncio.sleep(0.01)
        late.append(CLOCK.monotonic() - asked)


def p95(values):
    ordered = sorted(values)
    return ordered[int(len(ordered) * 0.95)]


@pytest.fixture(scope="module")
def eight(loop, browser, tmp_path_factory):
    """Eight whole errands at once: the channels, what they saw, what the centre did, and the machine's lateness."""
    folder = tmp_path_factory.mktemp("eight")
    late = []

    async def run():
        async with centre(folder, seed=3, pace=0.25) as url:
            channels = [channel(url, folder / str(n), browser) for n in range(8)]
            control = asyncio.create_task(lateness(late))
            visits = await asyncio.gather(*(visit(each, CLOCK, n) for n, each in enumerate(channels)))
            control.cancel()
            return channels, visits

    channels, visits = loop.run(run())
    return channels, visits, Truth.read(folder / "truth.jsonl"), p95(late)


def session_of(seen, truth):
    name = next(row["session"] for row in truth if row.get("text") == seen.said[0][0])
    return [row for row in truth if row["session"] == name]


def test_every_message_is_found_whole_and_attributed_rightly(eight):
    _, visits, truth, _ = eight
    for seen in visits:
        rows = session_of(seen, truth)
        sent = [
            ("agent" if row["event"] == "agent_message" else "bot", row["text"])
            for row in rows
            if row["event"] in ("bot_first_token", "agent_message")
        ]
        shown = [event for event in seen.events if event.kind == "message"]
        assert [(event.data["speaker"], event.data["text"]) for event in sorted(shown, key=lambda e: e.t)] == sent
        assert len(sent) == 6
        assert all(event.data["revision"] == 0 for event in shown)


@pytest.mark.alone
def test_stamps_are_within_50_ms_of_the_truth_at_p95(eight):
    _, visits, truth, machine = eight
    errors, missed = compare(visits, truth)
    assert missed == 0
    assert len(errors) > 100
    # A frame passes three processes (centre, browser, page); a busy machine wakes each of them late.
    assert p95(map(abs, errors)) < 0.050 + 3 * machine, f"this machine itself is {1000 * machine:.0f} ms late"
    assert min(errors) > -(0.005 + machine), "nothing is shown before it is sent"


def test_hand_off_notices_come_in_order_with_positions(eight):
    _, visits, truth, _ = eight
    for seen in visits:
        notices = [event.data for event in seen.events if event.kind == "notice"]
        positions = [row["position"] for row in session_of(seen, truth) if row["event"] == "position"]
        assert [notice["position"] for notice in notices if notice["role"] == "queue"] == positions
        assert [notice["role"] for notice in notices if notice["role"] != "queue"] == ["joined", "end"]


def test_a_session_goes_from_page_loaded_to_ended_by_the_far_end(eight):
    _, visits, _, _ = eight
    for seen in visits:
        order = kinds(seen.events)
        assert {"page_loaded", "opened", "widget_ready"} < set(order)
        assert order.index("opened") < order.index("widget_ready") < order.index("message")
        assert order[-1] == "ended"
        assert order.count("ended") == 1
        assert seen.events[-1].data["by"] == "far"
        loaded = next(event for event in seen.events if event.kind == "page_loaded")
        assert 0 <= loaded.data["start"] < loaded.t


def test_typing_is_seen_and_ends_before_the_message_is_shown(eight):
    _, visits, _, _ = eight
    for seen in visits:
        first = next(event for event in seen.events if event.kind == "message" and event.data["speaker"] == "agent")
        typing = [(event.t, event.data["on"]) for event in seen.events if event.kind == "typing" and event.t <= first.t]
        assert [on for _, on in typing[-2:]] == [True, False]


def test_a_message_also_says_when_it_came_down_the_wire(eight):
    _, visits, _, _ = eight
    for seen in visits:
        for event in seen.events:
            if event.kind == "message" and event.data["speaker"] == "agent":
                assert -0.001 <= event.t - event.data["wire"] < 1


def test_the_evidence_is_a_readable_transcript_and_a_picture(eight):
    channels, visits, _, _ = eight
    for chat, seen in zip(channels, visits, strict=True):
        paths = {kind: path for path, kind in chat.files()}
        assert paths["screenshot"].read_bytes().startswith(b"\x89PNG")
        rows = [json.loads(line) for line in paths["transcript"].read_text(encoding="utf-8").splitlines()]
        assert rows[0]["what"] == "transcript"
        written = [row for row in rows if row["what"] == "event"]
        assert [row["kind"] for row in written] == kinds(seen.events)
        drift = [row["drift"] for row in rows if row["what"] == "clock" and row["at"] == "close"]
        assert len(drift) == 1
        assert abs(drift[0]) < 0.020


# --- what goes wrong -------------------------------------------------------------------------------------------------


def run_against_sandbox(loop, tmp_path, script, *, fault=""):
    """Runs ``script(url)`` against a hurried sandbox centre and returns what it returns."""

    async def run():
        with Truth(tmp_path / "truth.jsonl") as truth:
            bank = ChatCentre(1, "zh", truth, pace=0.1)
            url = await bank.start()
            try:
                return await script(f"{url}?fault={fault}" if fault else url)
            finally:
                await bank.stop()

    return loop.run(run())


def impatient(folder):
    """Writes the sandbox's profile with a short wait for readiness, beside a target file; returns its name."""
    text = (widget.SHIPPED / "sandbox.yaml").read_text(encoding="utf-8")
    (folder / "impatient.yaml").write_text(text.replace("ready_s: 15", "ready_s: 1"), encoding="utf-8")
    return "impatient.yaml"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("never_loads", "the page did not load within 1 s"),
        ("error", "the page did not load: HTTP status 503"),
        ("elsewhere", r"the page leads to another host \(localhost\)"),
        ("no_widget", "the chat widget did not become ready within 1 s"),
    ],
)
def test_a_page_that_cannot_be_used_is_the_far_ends_fault(loop, browser, tmp_path, fault, message):
    async def script(url):
        patience = 1 if fault == "never_loads" else 20
        chat = channel(url, tmp_path / "s", browser, open_s=patience, widget=impatient(tmp_path), profiles=tmp_path)
        try:
            with pytest.raises(FarEndFault, match=message):
                await chat.open(CLOCK.anchor())
        finally:
            await chat.close()
        return chat.files()

    files = run_against_sandbox(loop, tmp_path, script, fault=fault)
    assert [kind for _, kind in files] == ["transcript", "screenshot", "trace"]


def test_a_refused_connection_says_so(loop, browser, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"

        async def script():
            chat = channel(url, tmp_path, browser)
            with pytest.raises(FarEndFault, match="did not load: connection refused"):
                await chat.open(CLOCK.anchor())
            await chat.close()

        loop.run(script())


def test_a_message_the_page_never_shows_is_lost_not_said(loop, browser, tmp_path):
    async def script(url):
        chat = channel(url, tmp_path / "s", browser, echo_s=1)
        await chat.open(CLOCK.anchor())
        with pytest.raises(FarEndFault, match="send lost"):
            await chat.say("转人工", line="human")
        await chat.close()

    run_against_sandbox(loop, tmp_path, script, fault="lost_echo")


@pytest.mark.parametrize(
    ("fault", "roles", "by"), [("drop", ["queue", "closed", "end"], "far"), ("vanish", ["queue"], "network")]
)
def test_being_dropped_in_the_queue_ends_the_session(loop, browser, tmp_path, fault, roles, by):
    async def script(url):
        chat = channel(url, tmp_path / "s", browser)
        await chat.open(CLOCK.anchor())
        await chat.say("转人工", line="human")
        events = await collect(chat, until=lambda event: event.kind == "ended")
        with pytest.raises(FarEndFault, match="the chat is over"):
            await chat.say("喂？", line="hello")
        await chat.close()
        return events

    events = run_against_sandbox(loop, tmp_path, script, fault=fault)
    assert [event.data["role"] for event in events if event.kind == "notice"] == roles
    assert events[-1].data["by"] == by


def test_leaving_ends_the_events_and_may_be_done_twice(loop, browser, tmp_path):
    async def script(url):
        chat = channel(url, tmp_path / "s", browser)
        await chat.open(CLOCK.anchor())
        await chat.say("转人工", line="human")
        await collect(chat, until=lambda event: event.kind == "notice")
        await asyncio.gather(chat.close(), chat.close())
        await chat.close()
        rest = [event async for event in chat.events()]
        assert [event async for event in chat.events()] == []
        return rest

    rest = run_against_sandbox(loop, tmp_path, script, fault="no_agent")
    assert rest[-1].kind == "ended"
    assert rest[-1].data["by"] == "us"
    assert {row["by"] for row in Truth.read(tmp_path / "truth.jsonl") if row["event"] == "end"} == {"user"}


def test_a_crashed_page_is_our_own_fault(loop, browser, tmp_path):
    async def script(url):
        chat = channel(url, tmp_path / "s", browser)
        await chat.open(CLOCK.anchor())
        crash = asyncio.ensure_future(chat._page.goto("chrome://crash", timeout=5000))
        events = await collect(chat, until=lambda event: event.kind == "ended")
        with pytest.raises(HarnessFault, match="the page crashed"):
            await chat.say("喂？", line="hello")
        await chat.close()
        await asyncio.gather(crash, return_exceptions=True)
        return events

    events = run_against_sandbox(loop, tmp_path, script)
    assert events[-1].data == {"by": "us", "cause": "the page crashed", "fault": "harness"}


def test_a_chat_has_no_keys(loop, browser, tmp_path):
    async def script():
        with pytest.raises(HarnessFault, match="no keys"):
            await channel("http://127.0.0.1:9/", tmp_path, browser).press("0")

    loop.run(script())


# --- an awkward widget -----------------------------------------------------------------------------------------------


def run_against_odd_page(loop, browser, tmp_path, script, *, path="/widget"):
    """Opens the odd page, runs ``script(chat)``, closes; returns what it returns."""
    frame = 'frame: "iframe"\n' if path == "/framed" else ""
    (tmp_path / "odd.yaml").write_text(PROFILE.format(frame=frame), encoding="utf-8")

    async def run():
        async with odd_chat_page() as url:
            chat = channel(url + path, tmp_path / "s", browser, widget="odd.yaml", profiles=tmp_path, settle_s=0.7)
            try:
                await chat.open(CLOCK.anchor())
                return await script(chat)
            finally:
                await chat.close()

    return loop.run(run())


def said(event):
    return event.kind == "message"


@pytest.mark.parametrize("path", ["/widget", "/framed"])
def test_a_redrawn_message_in_a_shadow_tree_is_one_message(loop, browser, tmp_path, path):
    async def script(chat):
        echo = await chat.say("hello there", line="hello")
        return echo, await collect(chat, until=said)

    echo, events = run_against_odd_page(loop, browser, tmp_path, script, path=path)
    message = events[-1]
    assert message.data["text"] == "one two three (hello there)"
    assert message.data["speaker"] == "bot"
    assert 0.14 < message.t - echo.end < 1.5
    assert 0.1 < message.data["end"] - message.t < 1.5
    assert kinds(events).count("first_token") == 1
    assert [event.data["on"] for event in events if event.kind == "typing"] == [True, False]


def test_redrawing_old_messages_makes_no_new_ones(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("first", line="1")
        await collect(chat, until=said)
        await chat.say("tidy", line="2")
        return await collect(chat, until=said)

    events = run_against_odd_page(loop, browser, tmp_path, script)
    assert [event.data["text"] for event in events if said(event)] == ["one two three (tidy)"]
    assert kinds(events).count("first_token") == 1


def test_two_bubbles_are_two_messages_and_a_late_change_is_a_revision(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("burst", line="1")
        burst = await collect(chat, until=lambda event: said(event) and event.data["text"] == "and another thing")
        await chat.say("edit", line="2")
        edit = await collect(chat, until=lambda event: said(event) and event.data["revision"] == 1)
        return [e.data["text"] for e in burst if said(e)], [e for e in edit if said(e)]

    burst, edit = run_against_odd_page(loop, browser, tmp_path, script)
    assert burst == ["one two three (burst)", "and another thing"]
    assert [event.data["text"] for event in edit] == ["one two three (edit)", "one two three (edit) four"]
    assert edit[0].t == edit[1].t
    assert edit[0].data["id"] == edit[1].data["id"]


@pytest.mark.parametrize("path", ["/widget", "/framed"])
def test_the_page_cannot_leave_its_host(loop, browser, tmp_path, path):
    async def script(chat):
        await chat.say("leave", line="1")
        events = await collect(chat, until=said)
        await chat.say("still here", line="2")
        return events + await collect(chat, until=said)

    events = run_against_odd_page(loop, browser, tmp_path, script, path=path)
    blocked = [event for event in events if event.kind == "navigation_blocked"]
    assert [event.data["host"] for event in blocked] == ["localhost"]
    assert events[-1].data["text"] == "one two three (still here)"


def test_a_window_the_page_opens_is_closed_and_noted(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("popup", line="1")
        events = await collect(chat, until=said)
        return events, len(chat._context.pages)

    events, pages = run_against_odd_page(loop, browser, tmp_path, script)
    assert "navigation_blocked" in kinds(events)
    assert pages == 1


# --- profiles and the browser ----------------------------------------------------------------------------------------


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(TargetError, match="bot-framework, chainlit, deep-chat, sandbox"):
        widget.load_widget("no-such-widget")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('ready: "#chat-input:enabled"', 'redy: "#chat-input"', "redy"),
        ("前面还有", "前面还有(", "not a regular expression"),
        ("{who: agent, css: '[data-author=\"agent\"]'}", "{who: agent}", "exactly one of: css, starts"),
    ],
)
def test_a_wrong_profile_is_told_with_its_line(tmp_path, old, new, line):
    text = (widget.SHIPPED / "sandbox.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(TargetError, match=line) as raised:
        widget.load_widget("mine.yaml", tmp_path)
    assert raised.value.line is not None


def test_the_browser_is_the_one_that_was_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("SHOPPER_CHROMIUM", str(tmp_path / "nothing"))
    with pytest.raises(ToolMissing, match="SHOPPER_CHROMIUM names no program"):
        find_chromium()
    mine = tmp_path / "my-chromium"
    shutil.copy("/bin/true", mine)
    monkeypatch.setenv("SHOPPER_CHROMIUM", str(mine))
    assert find_chromium() == mine


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:80/", True),
        ("http://localhost/x", True),
        ("http://[::1]:8/", True),
        ("https://example.com/", False),
        ("https://127.0.0.1.example.com/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_loopback_is_told_by_the_address(url, loopback):
    assert is_loopback(urlsplit(url).hostname or "") is loopback


def test_on_loopback_the_browser_reaches_no_other_host(loop, browser):
    async def script():
        context = await browser.context("http://127.0.0.1/", "zh")
        page = await context.new_page()
        with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
            await page.goto("http://example.com/", timeout=5000)
        await context.close()

    loop.run(script())
