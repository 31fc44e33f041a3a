"""The sandbox bank's chat, talked to over its WebSocket without a browser."""

import asyncio
import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import aiohttp
import pytest

from harness.sandbox import chat_room
from harness.sandbox.chat import FAULTS, ChatCentre
from harness.sandbox.chat_words import Agents, words
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.truth import Truth
from scenarios.model import Scenario
from scenarios.yaml_file import load

PACE = 0.02
SCRIPTS = Path(__file__).parents[1] / "scenarios" / "scripts"


@pytest.fixture(autouse=True)
def _quick_tokens(request, monkeypatch):
    """The bot types fast, except where its pace is the point."""
    if "token" not in request.node.name:
        monkeypatch.setattr(chat_room, "TOKEN_S", (0.001, 0.002))


class Guest:
    """A customer without a browser: collects frames, whole messages put together."""

    def __init__(self, socket):
        self.socket = socket
        self.messages = []  # (monotonic seconds, author, text)
        self.closed = None
        self._parts = {}

    async def until(self, author, containing=""):
        """Reads on until ``author`` has said something that contains ``containing``; returns the text."""
        async for frame in self.socket:
            got = json.loads(frame.data)
            if got["type"] == "message":
                self.messages.append((time.monotonic(), got["author"], got["text"]))
            elif got["type"] == "token":
                self._parts.setdefault(got["id"], []).append(got["text"])
                continue
            elif got["type"] == "done":
                self.messages.append((time.monotonic(), "bot", "".join(self._parts.pop(got["id"]))))
            else:
                continue
            _, who, text = self.messages[-1]
            if who == author and containing in text:
                return text
        self.closed = self.socket.close_code
        return None

    async def say(self, text):
        await self.socket.send_str(json.dumps({"type": "say", "text": text}))


async def talk(path, script, *, lang="zh", seed=1, fault="", guests=1):
    """Runs ``script(guest)`` for several guests at once; returns what they returned, and the truth."""
    with Truth(path) as truth:
        centre = ChatCentre(seed, lang, truth, pace=PACE)
        url = await centre.start()
        try:
            async with aiohttp.ClientSession() as client:

                async def one():
                    async with client.ws_connect(f"{url}chat?fault={fault}") as socket:
                        return await script(Guest(socket))

                async with asyncio.timeout(30):
                    returned = await asyncio.gather(*(one() for _ in range(guests)))
        finally:
            await centre.stop()
    return returned, Truth.read(path)


async def whole_errand(guest):
    await guest.until("bot")
    await guest.say("手机银行一天最多能转多少？")
    await guest.until("bot")
    await guest.say("转人工")
    greeting = await guest.until("agent")
    await guest.say("转到别的银行多久到账？")
    answer = await guest.until("agent")
    await guest.say("谢谢，再见")
    await guest.until("agent", "再见")
    await guest.until("nobody")
    return guest, greeting, answer


def test_a_whole_errand_goes_from_bot_to_queue_to_human_to_goodbye(tmp_path):
    [(guest, greeting, answer)], truth = asyncio.run(talk(tmp_path / "truth.jsonl", whole_errand))
    knowledge = Knowledge.load()
    assert [author for _, author, _ in guest.messages if author != "system"] == [
        "bot", "user", "bot", "user", "bot", "agent", "user", "agent", "user", "agent",
    ]  # fmt: skip
    assert guest.messages[2][2] == knowledge.answer(None, "手机银行一天最多能转多少？", "zh")
    assert knowledge.answer(None, "转到别的银行多久到账？", "zh") in answer
    assert greeting != answer
    positions = [row["position"] for row in truth if row["event"] == "position"]
    assert positions == list(range(len(positions), 0, -1))
    assert all(f"前面还有{row['position']}位" in row["text"] for row in truth if row["event"] == "position")
    order = [row["event"] for row in truth]
    assert order.index("queue") < order.index("position") < order.index("joined") < order.index("agent_message")
    assert order[-1] == "end"
    assert guest.closed == 1000


def test_every_stamp_of_the_truth_lies_just_before_the_frame_arrives(tmp_path):
    [(guest, _, _)], truth = asyncio.run(talk(tmp_path / "truth.jsonl", whole_errand))
    stamps = {(row["author"], row["text"]): row["t_mono"] for row in truth if "author" in row}
    received = [(t, author, text) for t, author, text in guest.messages if author != "bot"]
    late = [t - stamps[author, text] for t, author, text in received]
    assert len(late) > 6
    assert min(late) >= 0
    assert sorted(late)[len(late) // 2] < 0.02


def test_the_first_and_last_token_are_stamped_apart(tmp_path):
    _, truth = asyncio.run(talk(tmp_path / "truth.jsonl", lambda guest: guest.until("bot")))
    first, last = (next(row for row in truth if row["event"] == f"bot_{which}_token") for which in ("first", "last"))
    assert first["text"] == last["text"]
    assert last["t_mono"] - first["t_mono"] > 0.01 * (len(first["text"]) / 3 - 2)


def test_a_seed_repeats_waits_and_wording_and_another_seed_does_not(tmp_path):
    async def to_agent(guest):
        await guest.until("bot")
        await guest.say("转人工")
        return await guest.until("agent")

    def run(seed, name):
        greetings, truth = asyncio.run(talk(tmp_path / name, to_agent, seed=seed, guests=4))
        return sorted(greetings), sorted(row["wait"] for row in truth if row["event"] == "queue")

    first = run(5, "a")
    assert first == run(5, "b")
    greetings, waits = run(6, "c")
    assert (greetings, waits) != first
    assert len(set(greetings)) == 4
    assert all(3 * PACE <= wait <= 12 * PACE for wait in waits)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_two_humans_greet_alike(lang):
    said, agents = words(lang), Agents(1, lang)
    greetings = [
        said.greeting(index, number, name)
        for session in range(1, 101)
        for number, name, index in [agents.serving(session)]
    ]
    assert len(set(greetings)) == 100
    assert all(str(agents.serving(n)[0]) in greetings[n - 1] for n in range(1, 101))


def test_the_bank_speaks_english_too(tmp_path):
    async def errand(guest):
        await guest.until("bot")
        await guest.say("I would like to talk to a human")
        await guest.until("system", "ahead of you")
        await guest.until("system", "has joined the chat")
        await guest.until("agent")
        await guest.say("How long does a transfer take to arrive?")
        return await guest.until("agent")

    [answer], _ = asyncio.run(talk(tmp_path / "truth.jsonl", errand, lang="en"))
    assert "two hours" in answer


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("S*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_bank_knows_what_each_script_asks_and_when_it_says_goodbye(path, lang):
    scenario, knowledge, said = load(path, Scenario), Knowledge.load(), words(lang)
    for step in scenario.steps_on("chat"):
        if step.ask:
            question = (step.ask.say or step.ask.choose).in_(lang)
            assert knowledge.answer(None, question, lang) is not None
            assert not re.search(said.want_human, question, re.IGNORECASE)
    farewell = scenario.farewell.in_(lang)
    assert knowledge.answer(None, farewell, lang) is None
    assert re.search(said.goodbye, farewell, re.IGNORECASE)


async def to_queue(guest):
    await guest.until("bot")
    await guest.say("转人工")
    await guest.until("system", "前面还有")


def test_a_full_queue_says_so_and_closes(tmp_path):
    async def errand(guest):
        await to_queue(guest)
        return await guest.until("system", "稍后再试"), await guest.until("nobody"), guest.closed

    [(text, _, code)], truth = asyncio.run(talk(tmp_path / "t", errand, fault="drop"))
    assert text
    assert code == 1000
    assert "joined" not in {row["event"] for row in truth}


def test_a_broken_line_ends_without_a_word(tmp_path):
    async def errand(guest):
        await to_queue(guest)
        await guest.until("nobody")
        return guest.messages[-1][2], guest.closed

    [(text, code)], truth = asyncio.run(talk(tmp_path / "t", errand, fault="vanish"))
    assert "前面还有" in text
    assert code == 1006
    assert truth[-1]["event"] == "end"


def test_the_human_takes_files_shows_and_offers_too(tmp_path):
    async def errand(guest):
        await to_queue(guest)
        await guest.until("agent")
        data = base64.b64encode(b"a picture").decode()
        await guest.socket.send_str(json.dumps({"type": "file", "name": "p.png", "media": "image/png", "data": data}))
        got = await guest.until("agent")
        await guest.say("卡磨坏了，照片发您了")
        async for frame in guest.socket:
            seen = json.loads(frame.data)
            if seen["type"] == "message" and seen["author"] == "agent":
                shown = seen["shows"]
            if seen["type"] == "choices":
                return got, shown, seen["texts"]
        return None

    [(got, shown, texts)], truth = asyncio.run(talk(tmp_path / "t", errand))
    assert got == words("zh").got_file
    assert shown == [{"kind": "image", "text": "磁条磨损的示意图", "url": "worn_card.svg"}]
    assert texts == ["邮寄到家", "网点领取"]
    sent = next(row for row in truth if row["event"] == "user_sent_file")
    assert (sent["name"], sent["bytes"], sent["sha256"]) == ("p.png", 9, hashlib.sha256(b"a picture").hexdigest())


def test_a_lost_message_reaches_nobody(tmp_path):
    async def errand(guest):
        await guest.until("bot")
        await guest.say("转人工")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await guest.until("user")

    _, truth = asyncio.run(talk(tmp_path / "t", errand, fault="lost_echo"))
    assert "user_sent" in {row["event"] for row in truth}
    assert "user_message" not in {row["event"] for row in truth}


def test_the_page_names_its_faults_and_refuses_others(tmp_path):
    async def look():
        with Truth(tmp_path / "t") as truth:
            centre = ChatCentre(1, "zh", truth)
            url = await centre.start()
            try:
                async with aiohttp.ClientSession() as client:
                    page = await (await client.get(url)).text()
                    without = await (await client.get(f"{url}?fault=no_widget")).text()
                    refused = await client.get(f"{url}?fault=no_such_thing")
                    return page, without, refused.status, await refused.text()
            finally:
                await centre.stop()

    page, without, status, text = asyncio.run(look())
    assert 'id="chat-launcher"' in page
    assert "沙箱银行" in page
    assert 'id="chat-launcher"' not in without
    assert status == 400
    assert all(name in text for name in FAULTS)


@pytest.mark.parametrize("how", ["stdin", "sigterm"])
def test_as_a_process_it_writes_its_url_and_stops_when_told(tmp_path, how):
    port, truth = tmp_path / "port.json", tmp_path / "truth.jsonl"
    command = [sys.executable, "-m", "harness.sandbox.chat", "--port-file", str(port), "--truth", str(truth)]
    with subprocess.Popen([*command, "--seed", "2", "--lang", "en"], stdin=subprocess.PIPE) as process:
        until = time.monotonic() + 20
        while not port.exists() and time.monotonic() < until:
            time.sleep(0.02)
        url = json.loads(port.read_text())["url"]

        async def title():
            async with aiohttp.ClientSession() as client:
                return await (await client.get(url)).text()

        assert "Sandbox Bank" in asyncio.run(title())
        if how == "stdin":
            process.stdin.close()
        else:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    assert truth.exists()


def test_the_truth_keeps_every_row_of_every_thread_in_order_of_time(tmp_path):
    path = tmp_path / "truth.jsonl"
    with Truth(path) as truth:

        def work(name):
            for n in range(500):
                truth.write(name, "tick", n=n)

        threads = [threading.Thread(target=work, args=(f"call-{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        truth.write("call-0", "earlier", at=1.0)
    with path.open("a") as file:
        file.write('{"t_mono": 1, "half')
    rows = Truth.read(path)
    assert len(rows) == 2001
    assert rows[0]["event"] == "earlier"
    for i in range(4):
        assert [row["n"] for row in rows if row["session"] == f"call-{i}" and row["event"] == "tick"] == list(
            range(500)
        )


def test_writing_the_truth_never_waits_for_the_disk(tmp_path):
    with Truth(tmp_path / "t") as truth, truth._writing:  # a writer that is stuck on a slow disk
        began = time.perf_counter()
        for n in range(1000):
            truth.write("call", "packet", n=n)
        took = time.perf_counter() - began
    assert took < 0.1
    assert len(Truth.read(tmp_path / "t")) == 1000
