"""``shopper chat learn`` in a real browser, on pages nobody has described to it; and sessions with what it learnt."""

import asyncio
import base64
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from harness import chat_learning, kill_switch
from harness.bench.chat import centre, visit
from harness.commands import chat
from harness.init import write_templates
from harness.sandbox.truth import Truth
from probes.chat.channel import ChatChannel
from probes.chat.learning import proposal
from probes.chat.learning.learning import Wish, learn
from probes.chat.learning.proof import prove
from probes.chat.widget import Click, load_widget
from probes.clock import Clock
from probes.target import Chat
from scenarios.errors import FarEndFault, InputError, PolicyRefused
from tests.learnable_pages import pages
from tests.odd_chat_page import odd_chat_page
from tests.shopper import shopper
from tests.test_web_chat_botframework import ERRAND
from tests.torture_chat_page import torture_page
from tests.webchat_server import WebChatServer

CLOCK = Clock()
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


async def look(browser, url, folder, name, **wish):
    """Learns a page; returns what was learnt and where its pictures are."""
    pictures = folder / f"{name}.before.png", folder / f"{name}.found.png"
    aim = Chat(url=url)
    found = await learn(aim, browser, Wish("en", *pictures, **({"wait_s": 2.0} | wish)))
    return SimpleNamespace(learnt=found, pictures=pictures, chat=aim, proof=None, widget=None, said=[], folder=folder)


async def learn_and_prove(browser, url, folder, name, text):
    """Learns a page by one message, and holds a session of one message with what was learnt."""
    one = await look(browser, url, folder, name, send=text)
    path = folder / f"{name}.yaml"
    path.write_text(proposal.write_profile(one.learnt, name, "en"), encoding="utf-8")
    one.proof = await prove(one.chat, path, browser, lang="en", text=text)
    proposal.proved(one.learnt, one.proof)
    one.widget = load_widget(path.name, folder)
    return one


async def errand(browser, url, folder):
    """Holds a whole errand with Web Chat, from bot to human, with the learnt profile; returns all events."""
    aim, lines, events = Chat(url=url, widget="webchat.yaml"), list(ERRAND), []
    channel = ChatChannel(aim, folder=folder / "errand", browser=browser, clock=CLOCK, lang="zh", profiles=folder)
    try:
        await channel.open(CLOCK.anchor())
        async with asyncio.timeout(60):
            async for event in channel.events():
                events.append(event)
                if event.kind == "message" and lines and event.data["speaker"] == lines[0][0]:
                    await channel.say(lines.pop(0)[1], line="line")
    finally:
        await channel.close()
    return events


@pytest.fixture(scope="module")
def learnt(loop, browser, tmp_path_factory):
    """Five pages, each learnt by one message and proven by another."""
    folder = tmp_path_factory.mktemp("learnt")

    async def run():
        async with AsyncExitStack() as stack:
            served = await stack.enter_async_context(pages())
            torture = await stack.enter_async_context(torture_page())
            urls = {
                "odd": f"{await stack.enter_async_context(odd_chat_page())}/framed",
                "torture": torture.page("plain"),
                "nested": served.page("nested"),
                "shadow": served.page("shadow"),
                "webchat": stack.enter_context(WebChatServer()).url,
            }
            few = asyncio.Semaphore(3)

            async def one(name, url):
                async with few:
                    found = await learn_and_prove(browser, url, folder, name, "hello there")
                    found.errand = await errand(browser, url, folder) if name == "webchat" else None
                    return name, found

            found = dict(await asyncio.gather(*(one(*each) for each in urls.items())))
            found["nested"].said = found["shadow"].said = served.said
            return found

    return loop.run(run())


PAGES = ["odd", "torture", "nested", "shadow", "webchat"]


@pytest.mark.parametrize("name", PAGES)
def test_a_session_with_the_learnt_profile_attributes_its_turn_rightly(learnt, name):
    one = learnt[name]
    assert one.proof.fault == ""
    assert (one.proof.echo, one.proof.speaker) == ("user", "bot")
    assert one.learnt.proven
    assert one.learnt.problems == []


def test_the_answer_is_the_words_alone(learnt):
    assert learnt["odd"].proof.answer == "one two three (hello there)"
    assert learnt["torture"].proof.answer == "answer to hello there"
    assert learnt["nested"].proof.answer == "You wrote 11 letters. Thank you."
    assert learnt["shadow"].proof.answer == "好的，"
    assert learnt["webchat"].proof.answer == "抱歉，我没有听懂。"


def test_frames_of_another_origin_one_in_another_and_a_launcher_in_a_frame_of_its_own(learnt):
    widget = learnt["nested"].widget
    assert widget.frame == (".outer", 'iframe[name="inner"]')
    assert widget.open == (Click(css=".bubble", frame="#launcher-frame"),)


def test_names_that_hold_come_before_generated_ones(learnt):
    widget = learnt["nested"].widget
    assert widget.messages.list == '[role="log"]'
    assert widget.messages.text == ".body"
    assert "css-" not in widget.model_dump_json()
    assert {(rule.who, rule.css) for rule in widget.messages.authors} >= {
        ("user", '[data-author="visitor"]'), ("bot", '[data-author="bot"]'),
    }  # fmt: skip


def test_a_button_is_clicked_where_enter_only_breaks_the_line(learnt):
    assert learnt["nested"].widget.send == 'button[aria-label="Send"]'
    assert learnt["torture"].widget.send == "Enter"
    assert sorted(learnt["nested"].said) == sorted(["hello there"] * 4), "two pages, two messages each, no line break"


def test_typing_is_learnt_where_it_was_shown(learnt):
    assert learnt["nested"].widget.typing == '[data-testid="typing-indicator"]'
    assert learnt["nested"].proof.typing


def test_an_open_shadow_tree_is_seen_into(learnt):
    widget = learnt["shadow"].widget
    assert (widget.open, widget.input, widget.messages.item) == (("help-chat button",), ".composer", "chat-message")


def test_a_greeting_is_waited_for(learnt):
    assert learnt["webchat"].widget.greets_s == 5
    assert learnt["torture"].widget.greets_s == 0


def test_the_learnt_profile_of_web_chat_holds_a_whole_errand(learnt):
    events = learnt["webchat"].errand
    shown = sorted((event for event in events if event.kind == "message"), key=lambda event: event.t)
    assert [event.data["speaker"] for event in shown] == ["bot", "bot", "bot", "agent", "agent", "agent"]
    notices = [(event.data["role"], event.data["position"]) for event in events if event.kind == "notice"]
    assert notices == [("queue", 2), ("queue", 1), ("joined", None), ("end", None)]


def red(loop, browser, picture):
    """Counts the picture's pixels of the first mark's colour."""
    script = """async (data) => {
      const image = new Image();
      image.src = data;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const { data: px } = context.getImageData(0, 0, image.width, image.height);
      let n = 0;
      for (let i = 0; i < px.length; i += 4) n += px[i] === 208 && !px[i + 1] && !px[i + 2];
      return n;
    }"""

    async def run():
        context = await browser.context("http://127.0.0.1/", "en")
        try:
            data = base64.b64encode(picture.read_bytes()).decode()
            return await (await context.new_page()).evaluate(script, f"data:image/png;base64,{data}")
        finally:
            await context.close()

    return loop.run(run())


def test_what_was_found_is_marked_on_the_pictures(loop, browser, learnt):
    before, found = learnt["shadow"].pictures
    assert red(loop, browser, before) > 300, "the launcher, before it is clicked"
    assert red(loop, browser, found) > 300
    assert red(loop, browser, learnt["torture"].pictures[0]) == 0, "there is nothing to click"


# --- looking only, and what cannot be found --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked(loop, browser, tmp_path_factory):
    """Pages that are only looked at."""
    folder = tmp_path_factory.mktemp("looked")

    async def run():
        async with pages() as served:
            few = asyncio.Semaphore(3)

            async def one(name):
                async with few:
                    return name, await look(browser, served.page(name), folder, name)

            found = dict(await asyncio.gather(*map(one, ("framed", "closed", "nothing", "asks", "window"))))
            return found, served.said

    return loop.run(run())


def problems(looked, name):
    return " ".join(problem.en for problem in looked[0][name].learnt.problems)


def test_without_send_nothing_is_said_and_a_profile_is_proposed_all_the_same(looked, tmp_path):
    found, said = looked
    assert said == ["refused"], "one page's cookies were refused; no page was written to"
    learnt = found["framed"].learnt
    (tmp_path / "framed.yaml").write_text(proposal.write_profile(learnt, "framed", "zh"), encoding="utf-8")
    widget = load_widget("framed.yaml", tmp_path)
    assert (widget.frame, widget.open) == ("#support-frame", (Click(css="#open-chat"),))
    assert (widget.messages.list, widget.input) == ('[role="log"]', 'textarea[aria-label="Type your message"]')
    assert [rule.who for rule in widget.messages.authors] == ["bot", "unknown"]
    assert "proven" not in {sure for _, _, sure, _ in proposal.rows(learnt)}


def test_a_page_without_a_chat_is_not_mistaken_for_one(looked):
    learnt = looked[0]["nothing"].learnt
    assert not learnt.complete
    assert problems(looked, "nothing") == "neither a launcher nor a box to write into was found"


def test_a_closed_shadow_root_is_named(looked):
    assert "closed shadow roots, which nobody can read: <secret-chat>" in problems(looked, "closed")


def test_a_form_before_the_chat_is_told_and_not_filled_in(looked):
    assert "a form asks who we are before the chat; it is not filled in" in problems(looked, "asks")


def test_a_window_elsewhere_is_not_opened_but_its_address_is_told(looked):
    assert "it wants to open a window at http://localhost:" in problems(looked, "window")
    assert [note.en for note in looked[0]["window"].learnt.notes] == ["cookies were refused"]


def nowhere():
    """Returns an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def test_a_page_that_does_not_load_is_an_error(loop, browser, tmp_path):
    with pytest.raises(FarEndFault, match="did not load: connection refused"):
        loop.run(look(browser, nowhere(), tmp_path, "gone"))


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_learns_the_sandbox_and_its_profile_holds_a_whole_errand(loop, browser, tmp_path):
    async def run():
        async with centre(tmp_path, seed=3, pace=0.25) as url:
            arguments = ("chat", "learn", url, "--out", tmp_path / "ours.yaml", "--send", "--lang", "en", "--json")
            ran = await asyncio.to_thread(shopper, *arguments)
            aim = Chat(url=url, widget="ours.yaml")
            channel = ChatChannel(
                aim, folder=tmp_path / "s", browser=browser, clock=CLOCK, lang="zh", profiles=tmp_path
            )
            return ran, await visit(channel, CLOCK, 0)

    ran, seen = loop.run(run())
    assert ran.code == 0, ran.err
    assert ran.document["proven"]
    assert ran.document["problems"] == []
    assert {row["what"]: row["value"] for row in ran.document["found"]}.items() >= {
        "open": "#chat-launcher", "input": "#chat-input", "messages.list": "#chat-messages", "typing": "#chat-typing",
    }.items()  # fmt: skip
    assert sorted(path.name for path in tmp_path.glob("ours*")) == ["ours.before.png", "ours.found.png", "ours.yaml"]
    truth = Truth.read(tmp_path / "truth.jsonl")
    name = next(row["session"] for row in truth if row.get("text") == seen.said[0][0])
    sent = [
        ("agent" if row["event"] == "agent_message" else "bot", row["text"])
        for row in truth
        if row["session"] == name and row["event"] in ("bot_first_token", "agent_message")
    ]
    shown = sorted((event for event in seen.events if event.kind == "message"), key=lambda event: event.t)
    assert [(event.data["speaker"], event.data["text"]) for event in shown] == sent
    assert {"queue", "joined", "end"} <= {event.data["role"] for event in seen.events if event.kind == "notice"}


def test_what_cannot_be_learnt_ends_with_1_and_says_so(loop, tmp_path):
    async def run():
        async with pages() as served:
            arguments = ("chat", "learn", served.page("closed"), "--out", tmp_path / "ours.yaml", "--wait", 1)
            return await asyncio.to_thread(shopper, *arguments)

    ran = loop.run(run())
    assert ran.code == 1
    assert "shadow root" in ran.out
    assert not (tmp_path / "ours.yaml").exists()


def ask(loop, tmp_path, **more):
    request = chat_learning.Request(
        **({"url": "http://127.0.0.1/", "out": tmp_path / "ours.yaml", "lang": "en"} | more)
    )
    return loop.run(chat_learning.learn(request, NOW))


@pytest.mark.parametrize("name", ["ours.yaml", "ours.before.png", "ours.found.png"])
def test_nothing_is_overwritten_without_force(loop, tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"there already.*--force"):
        ask(loop, tmp_path)
    with pytest.raises(PolicyRefused):  # asked to, it goes on
        ask(loop, tmp_path, force=True, url="https://bank.example/chat")
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("url", ["https://bank.example/chat", "http://127.0.0.2.example/", "file:///etc/hostname"])
def test_other_hosts_need_an_authorisation(loop, tmp_path, url):
    with pytest.raises(PolicyRefused):
        ask(loop, tmp_path, url=url)


def test_the_authorisation_beside_the_profile_is_asked(loop, tmp_path):
    write_templates(tmp_path)
    with pytest.raises(PolicyRefused, match="not signed"):
        ask(loop, tmp_path, url="https://bank.example/chat")


def test_a_pulled_kill_switch_opens_nothing(loop, tmp_path, monkeypatch):
    switch = tmp_path / "STOP"
    monkeypatch.setenv("SHOPPER_STOP_FILE", str(switch))
    kill_switch.pull(switch, by="test", reason="")
    with pytest.raises(PolicyRefused, match="kill switch"):
        ask(loop, tmp_path)


def test_wrong_options_are_refused(tmp_path):
    for more in (
        ["--text", "hello"],
        ["--lang", "fr"],
        ["--send", "--text", ""],
        ["--out", str(tmp_path / "ours.json")],
    ):
        command = ["learn", nowhere(), "--out", str(tmp_path / "ours.yaml"), *more]
        ran = CliRunner().invoke(chat.app, command)
        assert isinstance(ran.exception, InputError), more
    assert list(tmp_path.iterdir()) == []
