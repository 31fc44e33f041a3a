"""The chat channel on a page that does what pages in the field do, one test a case."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from scenarios.errors import FarEndFault, HarnessFault
from tests.torture_chat_page import PROFILE, TOKENS

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


def test_a_page_that_stands_still_is_told_for_its_stamps_come_late(visit):
    async def script(talk):
        said, _ = await talk.ask()
        await talk.chat.close()
        return said, await talk.rest()

    said, events = visit("stands", script)
    [stall] = [event for event in events if event.kind == "stall"]
    assert 0.9 < stall.data["seconds"] < 1.6
    assert said.start < stall.t < said.start + 0.4


def test_a_widget_in_an_iframe_of_another_site_is_read_and_stamped_like_any(visit):
    talk = visit("elsewhere", answers("first", "second"), more='frame: "iframe#widget"\n')
    assert shown(talk) == [("bot", "answer to first"), ("bot", "answer to second")]
    [first, second] = [event.t for event in talk.of("message")]
    [begun, _] = [event.t for event in talk.of("first_token")]
    assert 0 < begun <= first < second


def test_somebody_elses_iframe_that_hangs_holds_nothing_up(visit):
    begun = time.monotonic()
    talk = visit("hung_iframe", answers("first", "second"))
    assert shown(talk) == [("bot", "answer to first"), ("bot", "answer to second")]
    assert time.monotonic() - begun < 30


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
