"""Chats over WebSockets of real servers: text, JSON, streams, duplicates, echoes, ends, and what must not hang."""

import asyncio
import json

import pytest
from aiohttp import WSMsgType, web

from scenarios.errors import FarEndFault, HarnessFault
from tests.api_servers import Log, serving, talk

READ = {
    "authors": {"bot": "bot", "agent": "agent", "system": "system", "me": "user"},
    "rules": [
        {"when": {"type": "msg"}, "id": "id", "text": "text", "author": "from"},
        {"when": {"type": "token"}, "kind": "delta", "id": "id", "text": "text"},
        {"when": {"type": "done"}, "kind": "done", "id": "id"},
        {"when": {"type": "typing"}, "kind": "typing", "on": "on"},
        {"when": {"type": "seat"}, "kind": "notice", "role": "queue", "position": "n"},
        {"when": {"type": "ready"}, "kind": "ready"},
        {"when": {"type": "bye"}, "kind": "end", "text": "why"},
        {"when": {"type": "error"}, "kind": "error", "text": "why"},
    ],
}
NO_READY = {**READ, "rules": [rule for rule in READ["rules"] if rule.get("kind") != "ready"]}
JSON = {"websocket": {"path": "chat", "say": {"type": "say", "text": "${text}", "n": "${number}"}}, "read": NO_READY}


def socket(script, **options):
    """A server whose WebSocket does what ``script(socket, request)`` does."""

    async def handle(request):
        ws = web.WebSocketResponse(**options)
        await ws.prepare(request)
        await script(ws, request)
        return ws

    return ("GET", "/chat", handle)


def test_plain_text_and_its_times(tmp_path):
    log = Log()

    async def echo(ws, _):
        await ws.send_str(log.sending("你好"))
        async for frame in ws:
            if frame.data == "bye":
                break
            await ws.send_str(log.sending("答：" + frame.data))

    with serving(socket(echo)) as url:
        seen = talk(url, {"websocket": {"path": "/chat"}}, tmp_path, *[f"问题{n}" for n in range(20)], "bye")
    assert seen.words == [("bot", "你好"), *[("bot", f"答：问题{n}") for n in range(20)]]
    assert seen.ended == ("far", "the connection was closed")
    late = seen.late(log)
    assert len(late) == 21
    assert all(-0.001 < seconds < 0.1 for seconds in late), late
    assert all(event.method == "frame" for event in seen.of("message"))
    assert [event.kind for event in seen.events[:2]] == ["page_loaded", "widget_ready"]


def test_json_streams_typing_notices_and_an_end(tmp_path):
    heard = []

    async def script(ws, _):
        await ws.send_json({"type": "msg", "id": 1, "from": "bot", "text": "您好"})
        heard.append(await ws.receive_json())
        await ws.send_json({"type": "typing", "on": True})
        await ws.send_json({"type": "seat", "n": 3})
        for part in ("手机", "银行 ", "5万"):
            await ws.send_json({"type": "token", "id": "a", "text": part})
            await asyncio.sleep(0.03)
        await ws.send_json({"type": "done", "id": "a"})
        heard.append(await ws.receive_json())
        await ws.send_json({"type": "bye", "why": "agent left"})
        await asyncio.sleep(5)

    with serving(socket(script)) as url:
        seen = talk(url, JSON, tmp_path, "额度？", "谢谢")
    assert heard == [{"type": "say", "text": "额度？", "n": 1}, {"type": "say", "text": "谢谢", "n": 2}]
    assert seen.words == [("bot", "您好"), ("bot", "手机银行 5万")]
    streamed = seen.of("message")[1]
    assert 0.05 < streamed.data["end"] - streamed.t < 1
    assert [event.data["on"] for event in seen.of("typing")] == [True]
    assert [(event.data["role"], event.data["position"]) for event in seen.of("notice")] == [("queue", 3)]
    assert seen.ended == ("far", "agent left")


def test_what_comes_twice_is_one_message_and_what_changes_is_revised(tmp_path):
    async def script(ws, _):
        row = {"type": "msg", "id": "m", "from": "agent", "text": "一"}
        for text in ("一", "一", "一二", "一二"):
            await ws.send_json(row | {"text": text})
        await ws.close()

    with serving(socket(script)) as url:
        seen = talk(url, JSON, tmp_path)
    found = [(event.data["text"], event.data["revision"]) for event in seen.of("message")]
    assert found == [("一", 0), ("一二", 1)]
    assert len(seen.rows("again")) == 2


def test_our_own_message_that_comes_back_is_no_reply(tmp_path):
    async def script(ws, _):
        async for frame in ws:
            await ws.send_json({"type": "msg", "from": "me", "text": json.loads(frame.data)["text"]})
            await ws.send_json({"type": "msg", "from": "bot", "text": "收到"})
            await ws.close()

    with serving(socket(script)) as url:
        seen = talk(url, JSON | {"echo": True}, tmp_path, "在吗", after=0)
    assert seen.fault is None
    assert seen.words == [("bot", "收到")]


def test_a_message_that_does_not_come_back_is_lost(tmp_path):
    async def script(ws, _):
        async for _frame in ws:
            pass

    with serving(socket(script)) as url:
        seen = talk(url, JSON | {"echo": True, "limits": {"echo_s": 0.3}}, tmp_path, "在吗", after=0)
    assert isinstance(seen.fault, FarEndFault)
    assert "did not come back within 0.3 s" in str(seen.fault)


def test_it_is_not_ready_before_the_interface_says_so(tmp_path):
    async def late(ws, _):
        await asyncio.sleep(0.3)
        await ws.send_json({"type": "ready"})
        await asyncio.sleep(0.3)
        await ws.close()

    async def never(ws, _):
        async for _frame in ws:
            pass

    with serving(socket(late)) as url:
        seen = talk(url, JSON | {"read": READ}, tmp_path)
        assert seen.of("widget_ready")[0].t - seen.of("page_loaded")[0].t > 0.25
    with serving(socket(never)) as url:
        seen = talk(url, JSON | {"read": READ, "limits": {"ready_s": 0.3}}, tmp_path)
    assert "did not become ready within 0.3 s" in str(seen.fault)


async def _vanish(ws, request):
    request.transport.abort()


async def _full(ws, _):
    await ws.close(code=1013, message=b"full")


async def _huge(ws, _):
    await ws.send_str("x" * 30_000)
    await asyncio.sleep(5)


async def _report(ws, _):
    await ws.send_json({"type": "error", "why": "no agent"})
    await asyncio.sleep(5)


async def _silent(ws, _):
    async for _frame in ws:
        pass


async def _flood(ws, _):
    for n in range(60):
        await ws.send_json({"type": "msg", "id": n, "text": f"{n}"})
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("script", "by", "words"),
    [
        (_vanish, "network", "the connection broke"),
        (_full, "far", "the connection was closed (1013)"),
        (_huge, "far", "a frame is larger than 20000 bytes"),
        (_report, "far", "the interface reports a failure: no agent"),
        (_silent, "far", "nothing came for 1 s"),
        (_flood, "far", "more than 50 messages came"),
    ],
)
def test_every_way_to_go_wrong_ends_the_chat(tmp_path, script, by, words):
    limits = {"max_bytes": 20_000, "idle_s": 1, "max_messages": 50}
    with serving(socket(script)) as url:
        seen = talk(url, JSON | {"limits": limits}, tmp_path, seconds=5)
    if seen.fault is not None:  # it was over before it had opened
        assert words in str(seen.fault)
    assert seen.ended == (by, words)


def test_what_cannot_be_read_is_told_and_the_chat_goes_on(tmp_path, monkeypatch):
    async def script(ws, _):
        for frame in ("{not json", "[" * 100_000, "[" * 600 + "]" * 600, '{"type": "other"}', '"text"', "null"):
            await ws.send_str(frame)
        await ws.send_bytes(b"\xff\xfe")
        await ws.send_bytes(json.dumps({"type": "msg", "from": "bot", "text": "还在"}).encode())
        await ws.close()

    monkeypatch.setenv("BANK_KEY", "s3cret-key")
    profile = JSON | {"websocket": {"path": "chat", "headers": {"X-Key": "${env:BANK_KEY}"}}}
    with serving(socket(script)) as url:
        seen = talk(url, profile, tmp_path)
    assert [event.data["size"] for event in seen.of("garbled")] == [9, 100_000, 1200, 2]
    assert seen.words == [("bot", "还在")]
    assert len(seen.rows("unread")) == 3


def test_a_peer_that_answers_no_ping_has_gone(tmp_path):
    async def deaf(ws, request):
        request.transport.pause_reading()
        await asyncio.sleep(6)

    profile = {"websocket": {"path": "chat", "say": "${text}", "ping_s": 1}, "read": NO_READY}
    with serving(socket(deaf, autoping=False)) as url:
        seen = talk(url, profile, tmp_path, seconds=8)
    assert seen.ended[0] == "network"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (404, FarEndFault, "opens no WebSocket (HTTP status 404)"),
        (401, HarnessFault, "what we log in with"),
        (503, FarEndFault, "HTTP status 503"),
    ],
)
def test_a_refused_handshake_is_the_right_fault(tmp_path, status, kind, words):
    async def refuse(_):
        return web.Response(status=status)

    with serving(("GET", "/chat", refuse)) as url:
        seen = talk(url, JSON, tmp_path)
    assert type(seen.fault) is kind
    assert words in str(seen.fault)


def test_secrets_stay_out_of_the_evidence(tmp_path, monkeypatch):
    monkeypatch.setenv("BANK_KEY", "s3cret-key")
    got = []

    async def script(ws, request):
        got.append(request.headers["Authorization"])
        got.append((await ws.receive()).data)
        await ws.send_json({"type": "msg", "from": "bot", "text": "your key is s3cret-key"})
        await ws.close()

    profile = JSON | {
        "websocket": {
            "path": "chat?key=${env:BANK_KEY}",
            "headers": {"Authorization": "Bearer ${env:BANK_KEY}"},
            "first": [{"login": "${env:BANK_KEY}"}],
        }
    }
    with serving(socket(script)) as url:
        seen = talk(url, profile, tmp_path)
    assert got == ["Bearer s3cret-key", '{"login": "s3cret-key"}']
    assert seen.words == [("bot", "your key is ***")]
    assert "s3cret" not in seen.transcript


def test_a_secret_is_found_as_addresses_write_it_and_beside_a_shorter_one_and_takes_no_words_with_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("BANK_KEY", "ab/cd+ef==")
    monkeypatch.setenv("BANK_USER", "ab/cd+")

    async def number(_):
        return web.json_response({"id": 7})

    async def script(ws, _):
        await ws.send_json({"type": "msg", "from": "bot", "text": "7 days, ab/cd+ef=="})
        await ws.close()

    before = {"path": "bot/${env:BANK_KEY}/${env:BANK_USER}", "save_secret": {"visitor": "id"}}
    profile = JSON | {"websocket": {"path": "chat", "before": [before]}}
    with serving(socket(script), ("POST", "/bot/{key}/{user}", number)) as url:
        seen = talk(url + "?token=Zf83kd02", profile, tmp_path)
    assert seen.words == [("bot", "7 days, ***")]
    assert [row["path"] for row in seen.rows("http")][:1] == ["/bot/***/***"]
    assert not [secret for secret in ("ef==", "cd%2B", "Zf83kd02") if secret in seen.transcript]


def test_no_words_of_the_far_end_are_our_fault_or_hold_us_up(tmp_path):
    async def script(ws, _):
        for text in ("9" * 900_000, "前面还有三位", "前面还有" + "9" * 480 + "位", "前面还有 3 位"):
            await ws.send_json({"type": "msg", "from": "system", "text": text})
        await ws.close()

    notices = [
        {"role": "queue", "by": ["system"], "pattern": r"(?P<position>\d+) people ahead"},
        {"role": "queue", "by": ["system"], "pattern": r"前面还有\s*(?P<position>\S+)\s*位"},
    ]
    with serving(socket(script)) as url:
        seen = talk(url, JSON | {"notices": notices}, tmp_path, seconds=15)
    assert [event.data["position"] for event in seen.of("notice")] == [None, None, 3]
    assert [len(text) for _, text in seen.words] == [8000]
    assert seen.ended == ("far", "the connection was closed")


def test_a_redirect_elsewhere_is_not_followed(tmp_path):
    visited = []

    async def other(request):
        visited.append(request.path)
        return web.Response()

    with serving(("GET", "/{any:.*}", other)) as elsewhere:
        address = elsewhere.replace("127.0.0.1", "localhost") + "chat"

        async def away(_):
            raise web.HTTPFound(address)

        with serving(("GET", "/chat", away)) as url:
            seen = talk(url, JSON, tmp_path)
    assert "leads to another host (localhost)" in str(seen.fault)
    assert visited == []


def test_closing_while_nothing_moves_takes_no_time(tmp_path):
    async def stuck(ws, _):
        assert (await ws.receive()).type is WSMsgType.TEXT
        await asyncio.sleep(30)

    with serving(socket(stuck, autoclose=False)) as url:
        seen = talk(url, JSON | {"limits": {"ready_s": 1}}, tmp_path, "在吗", after=0, seconds=0.5)
    assert seen.ended == ("us", "left")
