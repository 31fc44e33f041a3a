"""The chat channel on a page that does what pages in the field do, one test a case."""

import asyncio
import json
import re
import time
import zipfile
from types import SimpleNamespace

import pytest
from playwright.async_api import Error as PlaywrightError

from probes.chat import evidence
from probes.chat.browser import Browser, first_line
from probes.chat.channel import ChatChannel
from probes.chat.redaction import Redactor, redacted
from probes.clock import Clock
from probes.target import Chat
from scenarios.errors import FarEndFault, HarnessFault, ToolMissing
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

    async def until_quiet(self, seconds):
        """Lets all that is shown settle, leaves, and reads to the end."""
        await self.chat._page.evaluate(f"sleep({1000 * seconds})")
        await self.chat.close()
        await self.rest()

    def of(self, *kinds):
        return [event for event in self.events if event.kind in kinds]

    def texts(self):
        return [event.data["text"] for event in self.of("message")]


@pytest.fixture
def visit(loop, browser, tmp_path):
    """Returns ``visit(case, script)``: runs ``script(talk)`` on the page of the case and returns what it returns."""

    def visit(case, script, *, more="", chat=None, opened=True, profile=PROFILE, **options):
        (tmp_path / "torture.yaml").write_text(profile + more, encoding="utf-8")

        async def run():
            async with torture_page() as torture:
                anchor = CLOCK.anchor()
                aim = Chat(url=torture.page(case), widget="torture.yaml", **(chat or {}))
                channel = ChatChannel(
                    aim, folder=tmp_path / "s", clock=CLOCK, lang="en", profiles=tmp_path, settle_s=0.5,
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


# --- messages --------------------------------------------------------------------------------------------------------

HAND_OFF = """notices:
  - {role: queue, by: [bot, system], pattern: '前面还有(?P<position>\\d+)位'}
  - {role: joined, by: [bot, system], pattern: '已为您接入'}
  - {role: idle, by: [system], pattern: '长时间未回复'}
  - {role: end, by: [system], pattern: '已结束会话|会话已结束'}
"""


def shown(talk):
    return [(event.data["speaker"], event.data["text"]) for event in talk.of("message")]


def test_a_first_message_that_the_page_swallows_is_lost_not_said(visit):
    async def script(talk):
        with pytest.raises(FarEndFault, match=r"send lost: the page did not show our message within 1 s$"):
            await talk.ask()

    visit("deaf", script, echo_s=1)


def answers(*texts, quiet=1.2):
    """A script that says each text and waits for the answer to it; returns the talk once it is all over."""

    async def script(talk):
        for text in texts:
            said = await talk.chat.say(text, line="line")
            answer = await talk.until(lambda event, text=text: event.data.get("text", "").endswith(text))
            assert answer.t >= said.end
        await talk.until_quiet(quiet)
        return talk

    return script


def test_a_message_that_is_in_the_page_four_times_is_one_message(visit, transcript):
    talk = visit("copies", answers("hello"))
    assert shown(talk) == [("bot", "answer to hello")]
    assert [row["text"] for row in transcript("ours")] == ["hello"]


def test_a_list_that_is_drawn_anew_at_every_token_holds_one_growing_message(visit):
    talk = visit("replaced", answers("first", "second"))
    assert talk.texts() == ["one two three first", "one two three second"]
    assert len(talk.of("first_token")) == 2
    assert all(0.15 < event.data["end"] - event.t < 1 for event in talk.of("message"))


def test_queue_hand_off_and_first_words_in_one_bubble_are_told_apart(visit):
    async def script(talk):
        await talk.ask()
        return talk

    talk = visit("burst", script, more=HAND_OFF)
    assert [(e.data["role"], e.data["position"]) for e in talk.of("notice")] == [
        ("queue", 3), ("queue", 1), ("joined", None),
    ]  # fmt: skip
    assert shown(talk) == [("agent", "您好，工号1001为您服务\n请问您需要什么？")]


def test_what_a_live_region_reads_out_is_no_message(visit):
    assert shown(visit("live", answers("hello"))) == [("bot", "answer to hello")]


def test_progress_that_counts_is_no_words_but_a_number_that_stays_is(visit):
    async def script(talk):
        said, first = await talk.ask()
        return said, first, await talk.until("message")

    said, first, second = visit("progress", script)
    assert (first.data["text"], first.data["revision"]) == ("It takes 5 days", 0)
    assert first.t - said.end > 1.3
    assert second.data["text"] == "5s"


def test_what_the_page_says_unasked_is_marked_and_can_be_waited_for(visit):
    async def script(talk):
        said, first = await talk.ask()
        return said, first, await talk.until("message")

    said, first, second = visit("startup", script, more="greets_s: 4\n")
    assert (first.data["text"], first.data["unasked"]) == ("Welcome!", True)
    assert first.data["end"] < said.start
    assert (second.data["text"], second.data["unasked"]) == ("answer to hello", False)


# --- the page --------------------------------------------------------------------------------------------------------


def test_a_connection_that_comes_back_ends_nothing_and_repeats_nothing(visit):
    async def script(talk):
        await talk.ask("one")
        drop = asyncio.create_task(talk.chat.say("drop", line="drop"))
        await talk.until("reconnected")
        await drop
        await talk.ask("two")
        return talk

    talk = visit("reconnects", script, more="ready_socket: true\nreconnect_s: 8\n")
    assert talk.texts() == ["one", "two"]
    assert not talk.of("ended")


def test_a_connection_that_does_not_come_back_ended_when_it_broke(visit, transcript):
    async def script(talk):
        await talk.chat.say("drop", line="drop")
        return (await talk.rest())[-1]

    ended = visit("cut", script, more="ready_socket: true\nreconnect_s: 1\n")
    assert (ended.kind, ended.data["by"]) == ("ended", "network")
    [broke] = [row["t"] for row in transcript("socket") if not row["open"]]
    assert abs(ended.t - broke) < 0.001


def test_a_page_that_goes_to_its_next_page_is_followed_and_its_history_is_not_news(visit):
    async def script(talk):
        await talk.ask("go")
        await talk.until("navigated")
        await talk.ask("on")
        return talk

    talk = visit("navigates", script)
    assert talk.texts() == ["answer to go", "answer to on"]
    assert len({event.data["id"] for event in talk.of("message")}) == 2
    assert len(talk.of("widget_ready")) == 2


def test_a_tab_that_crashes_is_our_fault_not_the_centres(visit):
    async def script(talk):
        crash = asyncio.ensure_future(talk.chat._page.goto("chrome://crash", timeout=5000))
        events = await talk.rest()
        with pytest.raises(HarnessFault, match="the page crashed"):
            await talk.chat.say("hello?", line="line")
        await asyncio.gather(crash, return_exceptions=True)
        return events[-1]

    assert visit("plain", script).data["fault"] == "harness"


def test_dialogs_are_dismissed_and_told(visit):
    async def script(talk):
        await talk.ask()
        return talk

    talk = visit("alert", script)
    assert [(event.data["type"], event.data["text"]) for event in talk.of("dialog")] == [
        ("alert", "Your session may be recorded."), ("confirm", "May we call you?"),
    ]  # fmt: skip
    assert talk.texts() == ["answer to hello, false"]


def test_a_pop_up_is_closed_and_told(visit):
    async def script(talk):
        await talk.ask()
        return len(talk.chat._context.pages), talk

    pages, talk = visit("popup", script)
    assert pages == 1
    assert [event.data["host"] for event in talk.of("navigation_blocked")] == ["127.0.0.1"] * 3
    assert talk.texts() == ["answer to hello"]
    assert not [path for path in talk.torture.requests if path.startswith("localhost")], "a window leads nowhere"


def test_a_page_that_speaks_in_the_observers_name_does_not_deafen_us(visit, transcript):
    async def script(talk):
        await talk.ask("one")
        await talk.ask("two")
        return talk

    assert visit("forges", script).texts() == ["answer to one", "answer to two"]
    assert transcript("garbled")


def test_a_page_that_teaches_arrays_other_ways_to_be_written_is_read(visit):
    async def script(talk):
        await talk.ask()
        return talk

    assert visit("prototype", script).texts() == ["answer to hello"]


def test_a_socket_of_a_former_page_does_not_keep_the_chat_open(visit):
    async def script(talk):
        await talk.chat.say("hello", line="line")
        return (await talk.rest())[-1].data

    profile = PROFILE.replace(".box:enabled", ".box.connected")
    assert visit("moves_on", script, profile=profile) == {"by": "far", "cause": "the connection was closed"}


def test_the_same_words_said_on_an_empty_next_page_are_new(visit):
    async def script(talk):
        await talk.ask("one")
        await talk.chat.say("go", line="line")
        await talk.until("navigated")
        await talk.until("widget_ready")
        await talk.ask("one")
        return talk

    assert visit("empties", script).texts() == ["answer to one", "answer to go", "answer to one"]


def test_a_page_in_which_too_much_happens_is_over(visit):
    async def script(talk):
        await talk.chat.say("hello", line="line")
        return await talk.rest()

    events = visit("floods", script, more="typing: '.dots'\n")
    assert len(events) == 5001
    assert events[-1].data == {"by": "far", "cause": "more than 5000 things happened"}


def test_a_notice_that_becomes_words_is_a_message_and_its_answer_counts_from_when_it_was_shown(visit):
    async def script(talk):
        await talk.chat.say("hello", line="line")
        await talk.until(lambda event: event.data.get("text") == "您好，我是客服小王")
        return talk

    talk = visit("becomes", script, more=HAND_OFF)
    [notice] = talk.of("notice")
    patience, answer = talk.of("message")
    assert (patience.data["text"], patience.data["id"]) == ("请稍等", answer.data["id"])
    assert 0.05 < patience.t - notice.t < 0.5
    assert 0.8 < answer.t - patience.t < 1.5


def test_a_cookie_banner_is_refused_where_it_is_in_the_way(visit):
    async def script(talk):
        await talk.ask()
        return await talk.chat._page.evaluate("document.body.dataset.choice")

    assert visit("banner", script, more='open: ["#open"]\n') == "no"


def test_a_banner_with_words_of_its_own_is_clicked_away_as_the_profile_says(visit):
    async def script(talk):
        await talk.ask()
        return await talk.chat._page.evaluate("document.body.dataset.choice")

    assert visit("banner", script, more='open: ["#open"]\ndismiss: ["#yes"]\n') == "yes"


def test_rows_of_a_virtual_list_are_not_its_messages(visit):
    talk = visit("virtual", answers("1", "2", "up", "3"))
    assert talk.texts() == [
        "one moment", "answer to 1", "one moment", "answer to 2", "one moment", "answer to up", "one moment",
        "answer to 3",
    ]  # fmt: skip
    assert all(event.data["revision"] == 0 for event in talk.of("message"))


def test_what_scrolls_back_into_a_list_is_old_and_the_same_words_below_are_new(visit, transcript):
    talk = visit("scrolled", answers("1", "2", "3", quiet=3.5))
    assert talk.texts() == ["answer to 1", "answer to 2", "answer to 3", "answer to 1"]
    assert "older than our visit" in [row["text"] for row in transcript("again")]


def test_a_list_that_stands_upside_down_is_read_from_its_end(visit):
    talk = visit("upside_down", answers("1", "2"))
    assert talk.texts() == ["one moment", "answer to 1", "one moment", "answer to 2"]


def test_what_cannot_be_seen_is_said(visit):
    async def script(talk, anchor):
        with pytest.raises(FarEndFault, match="closed shadow roots, which cannot be read: <secret-chat>"):
            await talk.chat.open(anchor)

    profile = PROFILE.replace(".box", ".inner").replace("ready_s: 5", "ready_s: 1")
    visit("closed", script, opened=False, profile=profile)


def test_messages_that_cannot_be_seen_are_no_silence(visit):
    async def script(talk):
        with pytest.raises(FarEndFault, match="closed shadow roots, which cannot be read: <secret-log>"):
            await talk.ask()

    visit("half_closed", script, echo_s=1)


# --- what a reply holds ----------------------------------------------------------------------------------------------


def test_buttons_cards_links_files_and_images_of_a_reply_are_seen(visit):
    async def script(talk):
        await talk.ask()
        while len(talk.of("message")) < 3:
            await talk.until("message")
        return talk

    more = "choices: '.reply'\n"
    talk = visit("parts", script, more=more, profile=PROFILE.replace("  authors:", "  card: '.card'\n  authors:"))
    buttons, card, image = (event.data for event in talk.of("message"))
    assert [(part["kind"], part["text"]) for part in buttons["parts"]] == [
        ("button", "Balance"),
        ("button", "Transfer"),
    ]
    assert [(part["kind"], part["text"]) for part in card["parts"]] == [
        ("card", "Gold card\n1% back"), ("link", "Terms"), ("file", "Fees"),
    ]  # fmt: skip
    assert card["parts"][2]["url"].endswith("/fees.pdf")
    assert image["text"] == ""
    assert [(part["kind"], part["text"]) for part in image["parts"]] == [("image", "A map")]
    assert [event.data["texts"] for event in talk.of("choices")] == [["Yes", "No"]]


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "more", "words", "cause"),
    [
        ("agent_leaves", HAND_OFF, "再见！", "the centre ended the chat"),
        ("over", "end: '.over'\n", "Bye!", "the centre ended the chat"),
        ("idle", HAND_OFF, "yes?", "the centre ended the chat because we had said nothing"),
    ],
)
def test_the_far_end_ends_the_chat(visit, case, more, words, cause):
    async def script(talk):
        await talk.chat.say("hello", line="line")
        await talk.rest()
        with pytest.raises(FarEndFault, match="the chat is over"):
            await talk.chat.say("hello?", line="line")
        return talk

    talk = visit(case, script, more=more)
    assert talk.texts() == [words]
    assert talk.events[-1].data == {"by": "far", "cause": cause}


def test_a_survey_is_seen_and_left_alone(visit):
    async def script(talk):
        await talk.ask()
        await talk.until("notice")
        await talk.ask("bye")
        filled = await talk.chat._page.evaluate("document.body.dataset.filled")
        return talk, filled

    talk, filled = visit("survey", script, more="survey: '.survey'\n")
    assert {event.data["role"] for event in talk.of("notice")} == {"survey"}
    assert "How did we do?" in talk.of("notice")[0].data["text"]
    assert filled == ""


# --- safety ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "told"), [("file", []), ("inside", []), ("redirect", ["localhost"]), ("mail", []), ("save", [])]
)
def test_a_page_opens_nothing_outside_its_host(visit, way, told):
    async def script(talk):
        await talk.ask(way)
        await talk.ask("still here")
        return talk, talk.chat._page.url

    talk, url = visit("outside", script)
    assert talk.texts() == [f"answer to {way}", "answer to still here"]
    assert url.endswith("case=outside")
    assert [event.data["host"] for event in talk.of("navigation_blocked")] == told
    assert not [path for path in talk.torture.requests if path.startswith("localhost")], "not even asked for"


@pytest.mark.parametrize(
    ("chat", "third", "refused"),
    [
        ({}, {"localhost": 3}, {}),
        ({"block_third_party": True}, {"localhost": 2}, {"localhost": 3}),
        ({"block_third_party": True, "parts_from": ["localhost"]}, {"localhost": 3}, {}),
    ],
)
def test_requests_to_third_parties_are_counted_and_can_be_refused(visit, transcript, chat, third, refused):
    async def script(talk):
        await talk.ask()
        return talk

    talk = visit("third", script, chat=chat)
    [counts] = transcript("requests")
    assert (counts["third_party"], counts["refused"]) == (third, refused)
    assert counts["own"] >= 1
    reached = {path for path in talk.torture.requests if path.startswith("localhost")}
    assert reached == (set() if refused else {"localhost/pixel", "localhost/pixel?2", "localhost/socket"})


def test_no_way_of_the_page_leads_to_a_third_party_that_is_refused(visit):
    async def script(talk):
        await talk.ask()
        await talk.chat._page.evaluate("sleep(500)")
        return [path for path in talk.torture.requests if path.startswith("localhost")]

    assert visit("by_other_ways", script, chat={"block_third_party": True}) == []
    assert len(visit("by_other_ways", script)) >= 3


# --- evidence --------------------------------------------------------------------------------------------------------


def contents(path):
    """Returns all that is in a file, or in every member of an archive."""
    if path.suffix != ".zip":
        return {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_no_secret_of_the_page_is_kept(visit):
    async def script(talk):
        _, message = await talk.ask()
        return talk, message

    talk, message = visit("secrets", script, chat={"record": ["trace", "har"]})
    files = {kind: path for path, kind in talk.chat.files()}
    assert set(files) == {"transcript", "screenshot", "trace", "har"}
    assert message.data["parts"][0]["url"].endswith("/file?sig=[redacted]")
    kept = {name: text for path in files.values() for name, text in contents(path).items()}
    assert {name: found for name, text in kept.items() if (found := re.findall(rb"SECRET.{12}", text))} == {}
    trace = contents(files["trace"])
    assert b"You asked: hello" in b"".join(trace.values())
    assert not [name for name in trace if name.endswith((".jpeg", ".png"))], "a trace without screenshots"
    assert any("/ask" in entry["request"]["url"] for entry in json.loads(files["har"].read_text())["log"]["entries"])
    assert not [path for path in files["har"].parent.iterdir() if path.name.startswith(".")]


def test_a_trace_that_is_too_large_loses_its_resources_or_is_not_kept(visit, transcript, monkeypatch):
    async def script(talk):
        await talk.ask()
        return talk

    monkeypatch.setitem(evidence.MAX_BYTES, "trace", 500)
    talk = visit("secrets", script)
    assert "trace" not in {kind for _, kind in talk.chat.files()}
    assert [row["kept"] for row in transcript("evidence")][-1] is False


def test_evidence_that_takes_long_to_clean_is_whole_and_nothing_raw_stays(visit, monkeypatch):
    async def script(talk):
        await talk.ask()
        return talk

    def slowly(source, path, limit):
        path.write_bytes(b"half of it")
        time.sleep(6)
        return evidence._clean_trace(source, path, limit)

    monkeypatch.setitem(evidence.CLEAN, "trace.zip", slowly)
    talk = visit("plain", script)
    files = {kind: path for path, kind in talk.chat.files()}
    assert zipfile.is_zipfile(files["trace"])
    assert not [path for path in files["trace"].parent.iterdir() if path.name.startswith(".")]


def test_a_trace_that_is_too_large_to_clean_is_not_kept(visit, transcript, monkeypatch):
    async def script(talk):
        await talk.ask()
        return talk

    monkeypatch.setattr(evidence, "MAX_RAW", 1000)
    talk = visit("plain", script)
    assert "trace" not in {kind for _, kind in talk.chat.files()}
    assert [row["kept"] for row in transcript("evidence")] == [False]


def test_what_the_browser_says_of_a_failure_holds_no_secret():
    error = PlaywrightError('Page.goto: Navigation to "http://a/?token=abc123" is interrupted\nCall log: ...')
    assert first_line(error) == 'Page.goto: Navigation to "http://a/?token=[redacted]" is interrupted'


def test_a_target_may_want_no_trace(visit):
    async def script(talk):
        await talk.ask()
        return talk

    assert [kind for _, kind in visit("plain", script, chat={"record": []}).chat.files()] == [
        "transcript", "screenshot",
    ]  # fmt: skip


def test_a_video_without_its_encoder_is_refused_in_one_sentence(visit, loop, monkeypatch, tmp_path):
    async def script(talk, anchor):
        with pytest.raises(ToolMissing, match="no video can be recorded without ffmpeg; install"):
            await talk.chat.open(anchor)

    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    bare = Browser()
    try:
        visit("plain", script, chat={"record": ["video"]}, opened=False, browser=bare)
    finally:
        loop.run(bare.close())


def test_a_video_is_kept(visit, tmp_path):
    async def script(talk):
        await talk.ask()

    visit("plain", script, chat={"record": ["video"]})
    video = tmp_path / "s" / "video.webm"
    assert video.read_bytes()[:4] == b"\x1aE\xdf\xa3"  # Matroska, of which WebM is one
    assert video.stat().st_size > 1000
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["screen.png", "transcript.jsonl", "video.webm"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://a/b?x=1&access_token=abc123&y=2", "https://a/b?x=1&access_token=[redacted]&y=2"),
        ("https://a/b?tokens=12&side=left&design=x", "https://a/b?tokens=12&side=left&design=x"),
        ('{"sessionId": "abcdef99", "id": "7"}', '{"sessionId": "[redacted]", "id": "7"}'),
        ('"{\\"token\\":\\"abcdef99\\"}"', '"{\\"token\\":\\"[redacted]\\"}"'),
        ("<meta name='csrf-token' content='abcdef99'>", "<meta name='csrf-token' content='[redacted]'>"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer [redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig here", "[redacted] here"),
        ("您的验证码是 123456，有效期 5 分钟", "您的验证码是 123456，有效期 5 分钟"),
        (r'{"visitorToken":"ab\/cd\/ef==","n":1}', '{"visitorToken":"[redacted]","n":1}'),
        (r'"{\"userPwd\":\"ab\\\"cd\",\"n\":1}"', r'"{\"userPwd\":\"[redacted]\",\"n\":1}"'),
        ('{"password": 12345678}', '{"password": "[redacted]"}'),
    ],
)
def test_secrets_are_told_by_their_names(text, clean):
    assert redacted(text) == clean


def test_what_was_written_with_backslashes_is_found_without_them():
    redactor = Redactor()
    redactor.text(r'{"token":"ab\/cd\/ef=="}')
    assert redactor.value({"text": "sent ab/cd/ef==", "pwd": 12345678}) == {
        "text": "sent [redacted]", "pwd": "[redacted]",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "a_" * 250,
        "a-" * 100_000,
        "\\" * 100_000,
        "name=token " * 10_000,
        "a=" * 200_000,
        "-eyJ" * 50_000,
        '"token":"' * 10_000,
    ],
)
def test_no_text_of_a_page_holds_us_up(text):
    begun = time.process_time()
    redacted(text)
    assert time.process_time() - begun < 5  # a search that goes back over and over takes hours


def test_more_secrets_than_can_be_looked_for_are_not_cleaned():
    with pytest.raises(ValueError, match="more than 5000 secrets"):
        redacted(" ".join(f"token=secret{n}" for n in range(6000)))
