"""Files sent and quick replies pressed in a real browser: the sandbox's own script, and pages that do it otherwise."""

import asyncio
import contextlib
import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest

from harness.sandbox import chat_room
from harness.sandbox.chat import ChatCentre
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.truth import Truth
from probes.chat.channel import ChatChannel
from probes.choosing import press_offered
from probes.clock import Clock
from probes.conversation import Conversation
from probes.judging import Turn, judge
from probes.replies import Replies
from probes.target import Chat, FactAnswer
from scenarios.attachment import read_attachment
from scenarios.catalogue import load
from scenarios.errors import FarEndFault, HarnessFault
from scenarios.model import Ask, Fact, Limits, Step, Text
from tests.multimodal_page import PROFILE, UPLOADS, multimodal_page

CLOCK = Clock()
SCRIPT = load("S25")
CARD = SCRIPT.attachments["S25-card.png"]


# --- the shipped script, on the sandbox ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def errands(loop, browser, tmp_path_factory):
    """The whole script in both languages at once: what the conversation told, by language; and each one's folder."""
    folder = tmp_path_factory.mktemp("errands")
    hurried = pytest.MonkeyPatch()
    hurried.setattr(chat_room, "TOKEN_S", (0.005, 0.02))

    async def one(lang):
        with Truth(folder / f"{lang}.jsonl") as truth:
            centre = ChatCentre(1, lang, truth, pace=0.2)
            url = await centre.start()
            try:
                chat = ChatChannel(
                    Chat(url=url), folder=folder / lang, browser=browser, clock=CLOCK, lang=lang, settle_s=0.6
                )
                conversation = Conversation(
                    chat, SCRIPT.scenario, lang=lang, limits=Limits(reply_s=20), to_human=(), prompts_known=False,
                    clock=CLOCK, attachments=SCRIPT.attachments,
                )  # fmt: skip
                return await conversation.run(CLOCK.anchor())
            finally:
                await centre.stop()

    async def both():
        return dict(zip(("zh", "en"), await asyncio.gather(one("zh"), one("en")), strict=True))

    try:
        return loop.run(both()), folder
    finally:
        hurried.undo()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_shipped_script_sends_presses_and_sees_what_it_should(errands, lang):
    told = errands[0][lang]
    assert (told.outcome, told.reason, told.review) == ("IVR_SERVED", "", [])
    found = judge(SCRIPT.scenario, lang, told.turns, told.heard, Knowledge.load().facts(lang)["S25"], "bot")
    assert found.resolution == "resolved"
    assert {fact.key: fact.verdict for fact in found.facts} == dict.fromkeys(
        ("can_swap", "sample", "days", "form", "offer"), "pass"
    )
    assert [fact.reason.split(":")[0] for fact in found.facts] == ["said", "shown", "said", "shown", "shown"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_act_is_a_turn_stamped_by_the_page(errands, lang):
    told, folder = errands[0][lang], errands[1]
    acts = [event for event in told.timeline if event.kind == "said"]
    assert [event.data["turn"] for event in acts] == ["photo", "photo", "by_post", "progress", "farewell"]
    assert acts[0].data["file"] == CARD.about()
    assert acts[2].data == {"turn": "by_post", "text": {"zh": "邮寄到家", "en": "By post"}[lang],
                            "end": acts[2].t, "chosen": True}  # fmt: skip
    truth = Truth.read(folder / f"{lang}.jsonl")
    sent = next(row for row in truth if row["event"] == "user_sent_file")
    assert (sent["name"], sent["media"], sent["sha256"]) == ("S25-card.png", "image/png", CARD.sha256)
    echoes = [row["t_mono"] for row in truth if row["event"] in ("user_file", "user_message")]
    late = [(acts[n].t - acts[0].t) - (echoes[n] - echoes[0]) for n in range(len(acts))]
    assert all(abs(seconds) < 2 for seconds in late), late
    offered = [event.data["texts"] for event in told.timeline if event.kind == "choices"]
    assert [len(texts) for texts in offered] == [2, 0]


def test_the_evidence_names_the_file_and_nothing_of_this_machine(errands):
    folder = errands[1] / "zh"
    rows = [json.loads(line) for line in (folder / "transcript.jsonl").read_text(encoding="utf-8").splitlines()]
    [said] = [row for row in rows if row["what"] == "said" and "file" in row]
    assert said["file"] == {"name": "S25-card.png", "media": "image/png", "bytes": 3397, "sha256": CARD.sha256}
    kept = [(folder / "transcript.jsonl").read_bytes()]
    with zipfile.ZipFile(folder / "trace.zip") as trace:
        kept += [trace.read(name) for name in trace.namelist() if name.endswith((".trace", ".stacks"))]
        assert [name for name in trace.namelist() if name.endswith(".stacks")] == []
    content = CARD.content()
    for each in kept:
        for path in (CARD.path.parent, Path.cwd(), folder, Path.home() / "x"):
            assert str(path).encode() not in each
        assert not re.search(rb"[A-Za-z0-9+/]{2000}", each), "the file itself"
    assert hashlib.sha256(content).hexdigest() == CARD.sha256


# --- pages that do it otherwise --------------------------------------------------------------------------------------


def on_page(loop, browser, tmp_path, case, script, *, more="", send="Enter", echo_s=5):
    """Opens a case, runs ``script(chat)``, closes; returns what it returns."""
    (tmp_path / "m.yaml").write_text(PROFILE.format(more=more, send=send), encoding="utf-8")

    async def run():
        async with multimodal_page() as url:
            chat = ChatChannel(
                Chat(url=url + case, widget="m.yaml"), folder=tmp_path / "s", browser=browser, clock=CLOCK, lang="en",
                settle_s=0.3, echo_s=echo_s, profiles=tmp_path,
            )  # fmt: skip
            try:
                await chat.open(CLOCK.anchor())
                return await script(chat)
            finally:
                await chat.close()

    return loop.run(run())


async def answer(chat):
    """Returns the next message of the far end, and all events before it."""
    seen = []
    async with asyncio.timeout(20):
        async for event in chat.events():
            seen.append(event)
            if event.kind == "message":
                return event.data["text"], seen
    raise AssertionError("no answer came")


@pytest.mark.parametrize(
    ("case", "more", "send"),
    [
        ("hidden", 'attach: "#file"\n', "Enter"),  # the input itself, which nobody sees
        ("hidden", 'attach: "#clip"\n', "Enter"),  # the button that opens its chooser
        ("made_late", 'attach: "#clip"\n', "Enter"),
        ("framed_hidden", 'frame: iframe\nattach: "#clip"\n', "Enter"),
        ("waits", 'attach: "#file"\nattached: "#pending:not(:empty)"\n', "Enter"),
        ("waits", 'attach: "#file"\nattached: "#pending:not(:empty)"\n', "#send"),
    ],
)
def test_a_file_is_sent_in_the_pages_own_way(loop, browser, tmp_path, case, more, send):
    async def script(chat):
        said = await chat.attach(CARD, line="photo")
        text, _ = await answer(chat)
        return said, text

    said, text = on_page(loop, browser, tmp_path, case, script, more=more, send=send)
    assert text == "answer to S25-card.png"
    assert [("S25-card.png", "image/png", CARD.content())] == UPLOADS
    assert said.method == "dom"
    assert said.start == said.end


def test_a_document_goes_out_as_what_it_is(loop, browser, tmp_path):
    (tmp_path / "信.txt").write_text("请看。", encoding="utf-8")
    letter = read_attachment(tmp_path, "信.txt")

    async def script(chat):
        await chat.attach(letter, line="letter")
        (tmp_path / "信.txt").write_text("别的。", encoding="utf-8")
        with pytest.raises(HarnessFault, match="is not the one that it was when the script was read"):
            await chat.attach(letter, line="letter")

    on_page(loop, browser, tmp_path, "hidden", script, more='attach: "#file"\n')
    assert [("信.txt", "text/plain", "请看。".encode())] == UPLOADS


def test_a_file_that_the_page_does_not_show_as_ours_is_lost(loop, browser, tmp_path):
    async def script(chat):
        with pytest.raises(FarEndFault, match=r"send lost: the page did not show our file within 3 s"):
            await chat.attach(CARD, line="photo")
        with pytest.raises(HarnessFault, match="no keys"):
            await chat.press("0")

    on_page(loop, browser, tmp_path, "refuses", script, more='attach: "#file"\n', echo_s=1)
    assert '"what": "send_lost"' in (tmp_path / "s" / "transcript.jsonl").read_text(encoding="utf-8")


def test_another_part_of_the_page_gets_no_file(loop, browser, tmp_path):
    async def script(chat):
        with pytest.raises(FarEndFault, match="another part of the page asked for the file; it got nothing"):
            await chat.attach(CARD, line="photo")
        return await chat._page.frames[1].evaluate("document.getElementById('theirs').files.length")

    assert on_page(loop, browser, tmp_path, "elsewhere", script, more='attach: "#clip"\n') == 0


def test_a_page_without_the_place_for_files_takes_none(loop, browser, tmp_path):
    async def script(chat):
        with pytest.raises(FarEndFault, match="send lost: the chat takes no file"):
            await chat.attach(CARD, line="photo")

    on_page(loop, browser, tmp_path, "buttons", script, more='attach: "#file"\n', echo_s=0.5)


def test_a_profile_without_attach_is_our_own_fault(loop, browser, tmp_path):
    async def script(chat):
        with pytest.raises(HarnessFault, match="profile 'multimodal' has no way to send a file; add 'attach' to it"):
            await chat.attach(CARD, line="photo")

    on_page(loop, browser, tmp_path, "hidden", script)


def test_a_page_that_asks_for_a_file_by_itself_gets_none(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("hello", line="1")
        first, seen = await answer(chat)
        await chat.attach(CARD, line="2")
        second, _ = await answer(chat)
        return first, second, [event.data for event in seen if event.kind == "dialog"]

    first, second, dialogs = on_page(loop, browser, tmp_path, "asks_by_itself", script, more='attach: "#file"\n')
    assert (first, second) == ("answer to hello", "answer to S25-card.png")
    assert dialogs == [{"type": "file", "text": ""}]
    assert len(UPLOADS) == 1


def test_a_button_in_a_message_is_pressed_and_its_echo_need_not_be_its_label(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("hello", line="1")
        asked, _ = await answer(chat)
        nothing = await chat.choose("3. Savings", line="2")
        said = await chat.choose("2.  loan", line="2")
        again = await chat.choose("2. Loan", line="3")
        return asked, nothing, said, again, (await answer(chat))[0]

    asked, nothing, said, again, text = on_page(loop, browser, tmp_path, "buttons", script)
    assert asked.startswith("Which one?")
    assert nothing is None
    assert said.method == "dom"
    assert again is None
    assert text.startswith("Which one?")  # the question once more, now without its buttons


@pytest.mark.parametrize(("case", "pressed"), [("vanishes", 0), ("hides", 0), ("comes_back", 1)])
def test_a_quick_reply_that_vanishes_is_not_pressed_unless_it_comes_back(loop, browser, tmp_path, case, pressed):
    async def script(chat):
        timeline, news = [], asyncio.Event()

        async def listen():
            async for event in chat.events():
                timeline.append(event)
                news.set()

        async def until(ready, seconds):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while (found := ready()) is None:
                        news.clear()
                        await news.wait()
                    return found

        await chat.say("hello", line="1")
        ears = asyncio.create_task(listen())
        over = CLOCK.monotonic() + (15 if pressed else 3)
        found = await press_offered(
            chat, timeline, "yes", line="2", until=until, left=lambda: max(0, over - CLOCK.monotonic())
        )
        ears.cancel()
        return found

    found = on_page(loop, browser, tmp_path, case, script, more='choices: ".choice"\n')
    assert (found is not None) == pressed
    rows = [json.loads(row) for row in (tmp_path / "s" / "transcript.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows if row["what"] == "ours"] == ["hello", "Yes"][: 1 + pressed]
    assert [row["text"] for row in rows if row["what"] == "not_offered"] == ["Yes"]


def test_a_quick_reply_that_was_pressed_and_never_shown_is_lost(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("hello", line="1")
        await answer(chat)
        with pytest.raises(FarEndFault, match=r"did not show our choice of a quick reply within 2 s"):
            await chat.choose("Yes", line="2")

    on_page(loop, browser, tmp_path, "swallows", script, more='choices: ".choice"\n', echo_s=2)


def test_a_quick_reply_that_lies_under_something_cannot_be_pressed(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("hello", line="1")
        await answer(chat)
        with pytest.raises(FarEndFault, match="send lost: the chat does not take input"):
            await chat.choose("Yes", line="2")

    on_page(loop, browser, tmp_path, "covered", script, more='choices: ".choice"\n', echo_s=2)


def test_what_the_far_end_shows_is_judged_without_its_secrets(loop, browser, tmp_path):
    async def script(chat):
        await chat.say("hello", line="1")
        return (await answer(chat))[1][-1]

    event = on_page(loop, browser, tmp_path, "far_end_shows", script)
    assert [(part["kind"], part["text"]) for part in event.data["parts"]] == [
        ("link", "x" * 199 + "?"),  # cut within an emoji
        ("link", "the form"), ("image", "a worn stripe"), ("card", "5 yuan"),
    ]  # fmt: skip
    assert "sesame123" not in (tmp_path / "s" / "transcript.jsonl").read_text(encoding="utf-8")
    fact = Fact(key="form", name=Text(zh="表", en="form"), shown_as="link")
    ask = Ask(id="form", say=Text(zh="表", en="form"), facts=("form",))
    script = SCRIPT.scenario.model_copy(
        update={"facts": (fact,), "steps": (Step(ask=ask),), "must": (), "must_not": ()}
    )
    replies = Replies(script, "en")
    replies.turns.append(Turn("form", ("form",), waited=True))
    replies.take(event)
    for right, verdict in (("forms.example.com/new", "pass"), ("example.com", "pass"), ("bank.example.com", "fail")):
        found = judge(script, "en", replies.turns, replies.heard, {"form": FactAnswer(right=(right,))}, "bot")
        assert (found.facts[0].verdict, "sesame123" in found.facts[0].reason) == (verdict, False)
