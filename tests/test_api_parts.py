"""Quick replies, cards, links and images over interfaces: read by paths, judged, and pressed by saying them."""

import asyncio

import pytest
from aiohttp import web

from probes.chat.api.channel import ApiChannel
from probes.chat.api.parts import parts_of
from probes.chat.api.reading import ACTIVITIES, items_of
from probes.clock import Clock
from probes.conversation import Conversation
from probes.judging import judge
from probes.target import Chat, FactAnswer
from scenarios.catalogue import load
from scenarios.errors import HarnessFault
from scenarios.model import Ask, Fact, Limits, Step, Text
from tests.api_servers import serving, talk
from tests.shopper import write_yaml

SHOWS = {"button": "quick", "link": "links", "card": "card", "image": "pictures[*]"}


def told(record, shows=SHOWS):
    return [part.model_dump(exclude_defaults=True) for part in parts_of(record, shows)]


def test_parts_are_found_by_paths_as_words_addresses_and_descriptions():
    record = {
        "quick": ["Yes", {"title": "No", "value": "no-7"}, " "],
        "links": ["https://bank.example/a", {"text": "Form", "href": "https://bank.example/b"}],
        "card": {"title": "New card", "facts": [{"title": "Cost", "value": "5 yuan"}], "image": "https://x.example/i"},
        "pictures": [{"alt": "a stripe", "url": "https://x.example/p.png"}, 7, None, {"url": 9}],
    }
    assert told(record) == [
        {"kind": "button", "text": "Yes"},
        {"kind": "button", "text": "No", "value": "no-7"},
        {"kind": "link", "url": "https://bank.example/a"},
        {"kind": "link", "text": "Form", "url": "https://bank.example/b"},
        {"kind": "card", "text": "New card\nCost\n5 yuan"},
        {"kind": "image", "text": "a stripe", "url": "https://x.example/p.png"},
    ]
    assert told({"quick": {"buttons": 5, "content": 5}, "card": {"buttons": 5}}) == [{"kind": "card"}]
    assert len(told({"quick": ["x"] * 1000})) == 50


def test_direct_line_says_what_it_shows():
    card = {"title": "New card", "text": "5 yuan", "buttons": [
        {"type": "openUrl", "title": "Form", "value": "https://bank.example/f"},
        {"type": "imBack", "title": "By post", "value": "by post please"},
    ]}  # fmt: skip
    activity = {
        "type": "message", "id": "1", "from": {"role": "bot"},
        "suggestedActions": {"actions": [{"type": "imBack", "title": "At a branch", "value": "At a branch"}]},
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.hero", "content": card},
            {"contentType": "image/png", "contentUrl": "https://bank.example/p.png", "name": "p.png"},
            {"contentType": "application/pdf", "contentUrl": "https://bank.example/t.pdf", "name": "t.pdf"},
        ],
    }  # fmt: skip
    [item] = items_of({"activities": [activity]}, ACTIVITIES)
    assert item.text == ""
    assert [part.model_dump(exclude_defaults=True) for part in item.parts] == [
        {"kind": "button", "text": "At a branch"},
        {"kind": "card", "text": "New card\n5 yuan"},
        {"kind": "link", "text": "Form", "url": "https://bank.example/f"},
        {"kind": "button", "text": "By post", "value": "by post please"},
        {"kind": "image", "text": "p.png", "url": "https://bank.example/p.png"},
        {"kind": "file", "text": "t.pdf", "url": "https://bank.example/t.pdf"},
    ]


@pytest.mark.parametrize("label", ["By post", "At a branch"])
def test_a_script_presses_a_quick_reply_over_a_web_socket(tmp_path, label):
    heard = []

    async def chat(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_json({"text": "How?", "quick": [{"title": "By post", "value": "by-post-7"}, "No"]})
        async for frame in ws:
            heard.append(frame.data)
            await ws.send_json(
                {"text": "", "card": {"title": "Seven days"}, "links": ["https://bank.example/f?token=abcdef123"]}
            )
        return ws

    words = Text(zh=label, en=label)
    facts = (Fact(key="form", name=words, shown_as="link"), Fact(key="days", name=words, shown_as="card"))
    ask = Ask(id="how", choose=words, facts=("form", "days"))
    script = load("S25").scenario.model_copy(
        update={"steps": (Step(ask=ask),), "facts": facts, "must": (), "must_not": ()}
    )
    answers = {"form": FactAnswer(right=("bank.example",)), "days": FactAnswer(right=("Seven days",))}
    profile = {
        "format": 1,
        "name": "x",
        "websocket": {"path": "chat"},
        "read": {"rules": [{"text": "text", "shows": SHOWS}]},
    }
    write_yaml(tmp_path / "ours.yaml", profile)

    async def go(url):
        clock = Clock()
        channel = ApiChannel(Chat(url=url, api="ours.yaml"), folder=tmp_path, clock=clock, lang="en", profiles=tmp_path)
        talk = Conversation(
            channel, script, lang="en", limits=Limits(reply_s=1), to_human=(), prompts_known=False, clock=clock
        )
        return await talk.run(clock.anchor())

    with serving(("GET", "/chat", chat)) as url:
        found = asyncio.run(go(url))
    judged = judge(script, "en", found.turns, found.heard, answers, "bot")
    farewell = script.farewell.en
    if label == "By post":
        assert heard == ["by-post-7", farewell]  # what pressing it says
        assert [fact.verdict for fact in judged.facts] == ["pass", "pass"]
        said = next(event for event in found.timeline if event.kind == "said")
        assert (said.data["text"], said.data["chosen"], said.method) == ("By post", True, "frame")
    else:
        assert heard == [farewell]
        why = "no quick reply “At a branch” was offered within 1 s"
        assert [(fact.verdict, fact.reason) for fact in judged.facts] == [("fail", why), ("fail", why)]
        assert found.review == [why]
    assert "abcdef123" not in (tmp_path / "transcript.jsonl").read_text(encoding="utf-8")


def test_an_interface_sends_no_files(tmp_path):
    write_yaml(tmp_path / "ours.yaml", {"format": 1, "name": "x", "websocket": {"path": "chat"}})
    chat = Chat(url="http://127.0.0.1:9/", api="ours.yaml")
    channel = ApiChannel(chat, folder=tmp_path, clock=Clock(), lang="en", profiles=tmp_path)
    with pytest.raises(HarnessFault, match="this interface cannot send files"):
        asyncio.run(channel.attach(load("S25").attachments["S25-card.png"], line="photo"))


def test_half_a_character_is_no_fault_of_ours(tmp_path):
    async def chat(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str(
            '{"text": "hi \\ud83d\\ude00 \\ud800", "quick": ["\\uD800x", {"title": "\\udfff", "value": "\\ud9ff"}]}'
        )
        await ws.close()
        return ws

    profile = {"websocket": {"path": "chat"}, "read": {"rules": [{"text": "text", "shows": SHOWS}]}}
    with serving(("GET", "/chat", chat)) as url:
        seen = talk(url, profile, tmp_path)
    assert seen.words == [("bot", "hi 😀 ?")]
    assert [part["text"] for part in seen.of("message")[0].data["parts"]] == ["?x", "?"]
    assert seen.ended == ("far", "the connection was closed")
