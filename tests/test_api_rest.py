"""Chats over HTTP of real servers: request and reply, polling, events; and every status and failure its right fault."""

import asyncio
import json
import time

import pytest
from aiohttp import web

from scenarios.errors import FarEndFault, HarnessFault
from tests.api_servers import Log, serving, talk

READ = {
    "items": "replies[*]",
    "authors": {"bot": "bot", "agent": "agent", "visitor": "user"},
    "rules": [{"text": "text", "id": "id", "author": "by"}],
}
ASK = {"rest": {"say": {"path": "say", "body": {"q": "${text}"}}}, "read": READ}
POLL = {
    "rest": {
        "start": [{"path": "begin", "body": {}, "save": {"chat": "id"}, "save_secret": {"token": "token"}}],
        "say": {
            "path": "c/${chat}/say",
            "headers": {"X-Token": "${token}"},
            "body": {"q": "${text}"},
            "messages": False,
        },
        "poll": {"path": "c/${chat}/all?since=${cursor}", "save": {"cursor": "cursor"}, "every_s": 0.05},
        "bye": {"method": "DELETE", "path": "c/${chat}"},
    },
    "read": READ,
}


def reply(text, **more):
    return {"replies": [{"text": text, "by": "bot"} | more]}


def test_request_and_reply(tmp_path):
    log, got = Log(), []

    async def say(request):
        text = (await request.json())["q"]
        got.append(text)
        await asyncio.sleep(0.02)
        return web.json_response(reply(log.sending("答" + text)))

    with serving(("POST", "/say", say)) as url:
        seen = talk(url, ASK, tmp_path, *[f"问{n}" for n in range(10)], after=0, seconds=1.5)
    assert sorted(got) == [f"问{n}" for n in range(10)]
    assert sorted(seen.words) == sorted(("bot", f"答问{n}") for n in range(10))
    assert all(-0.001 < seconds < 0.1 for seconds in seen.late(log))
    assert seen.of("widget_ready")[0].data == {"greets": False}
    first = next(event for event in seen.of("message") if event.data["text"] == "答问0")
    assert first.t - seen.said[0].start > 0.015, "a message counts as sent when it went out, not when it was answered"


def test_polling_with_a_cursor_cookies_tokens_and_an_end(tmp_path):
    said, left, log = [], [], Log()
    rows = [{"id": 1, "text": "您好", "by": "bot"}]

    async def begin(_):
        answer = web.json_response({"id": "c 7/8", "token": "very-secret", "cursor": 0})
        answer.set_cookie("visitor", "v1")
        return answer

    async def say(request):
        assert request.match_info["id"] == "c 7/8"
        assert request.headers["X-Token"] == "very-secret"
        assert request.cookies["visitor"] == "v1"
        text = (await request.json())["q"]
        said.append(text)
        rows.append({"id": len(rows) + 1, "text": text, "by": "visitor"})
        rows.append({"id": len(rows) + 1, "text": log.sending(f"答{text} very-secret"), "by": "agent"})
        return web.Response(text="OK")

    async def everything(request):
        since = max(0, int(request.query["since"]) - 1)  # one too many: what is known comes again
        return web.json_response({"replies": rows[since:], "cursor": len(rows)})

    async def bye(_):
        left.append(True)
        return web.Response(status=204)

    profile = {
        **POLL,
        "rest": {**POLL["rest"], "start": [POLL["rest"]["start"][0] | {"save": {"chat": "id", "cursor": "cursor"}}]},
    }
    routes = [("POST", "/begin", begin), ("POST", "/c/{id}/say", say), ("GET", "/c/{id}/all", everything)]
    with serving(*routes, ("DELETE", "/c/{id}", bye)) as url:
        seen = talk(url, profile, tmp_path, "一", "二", seconds=2)
    assert said == ["一", "二"]
    assert seen.words == [("bot", "您好"), ("agent", "答一 ***"), ("agent", "答二 ***")]
    assert left == [True]
    assert "very-secret" not in seen.transcript


def events(*frames, status=200, pause=0.0, hold=5.0):
    async def handle(request):
        answer = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for frame in frames:
            await answer.write(frame)
            await asyncio.sleep(pause)
        await asyncio.sleep(hold)
        return answer

    return handle


SSE_READ = {
    "authors": {"bot": "bot", "agent": "agent"},
    "rules": [
        {"when": {"event": "delta"}, "kind": "delta", "id": "m", "text": "t"},
        {"when": {"event": "done"}, "kind": "done", "id": "m"},
        {"when": {"data": "[DONE]"}, "kind": "end"},
        {"when": {"t": "*"}, "text": "t", "id": "m", "author": "by"},
    ],
}


def test_a_reply_that_is_itself_a_stream(tmp_path):
    parts = [b'event: delta\r\ndata: {"m": 1,\r\nda', b'ta: "t": "\xe6\x89', b'\x8b\xe6\x9c\xba"}\r', b"\n\r\n"]
    parts += [b': comment\n\nevent: delta\ndata: {"m": 1, "t": " 5"}\n\n', b'event: done\ndata: {"m": 1}\n\n']
    profile = {"rest": {"say": {"path": "say", "body": {}}}, "read": SSE_READ}
    with serving(("POST", "/say", events(*parts, pause=0.03, hold=0))) as url:
        seen = talk(url, profile, tmp_path, "问", after=0, seconds=1)
    assert seen.words == [("bot", "手机 5")]
    message = seen.of("message")[0]
    assert message.data["end"] > message.t


def test_a_stream_is_taken_up_again_where_it_broke(tmp_path):
    seen_ids, log = [], Log()

    async def stream(request):
        last = request.headers.get("Last-Event-ID")
        seen_ids.append(last)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        if last is None:
            row = {"m": 1, "t": log.sending("一"), "by": "bot"}
            await answer.write(f"retry: 50\nid: 41\ndata: {json.dumps(row)}\n\n".encode())
            await asyncio.sleep(0.05)
            request.transport.abort()
        else:
            for row in ({"m": 1, "t": "一", "by": "bot"}, {"m": 2, "t": "二", "by": "agent"}):
                await answer.write(f"id: 42\ndata: {json.dumps(row)}\n\n".encode())
            await answer.write(b"data: [DONE]\n\n")
            await asyncio.sleep(5)
        return answer

    profile = {"rest": {"say": {"path": "say"}, "stream": {"path": "events"}}, "read": SSE_READ}
    with serving(("GET", "/events", stream)) as url:
        seen = talk(url, profile, tmp_path, seconds=5)
    assert seen_ids == [None, "41"]
    assert seen.words == [("bot", "一"), ("agent", "二")]
    assert seen.ended == ("far", "the centre ended the chat")
    assert all(-0.001 < seconds < 0.1 for seconds in seen.late(log))


@pytest.mark.parametrize(
    ("handler", "by", "words"),
    [
        (events(hold=0), "network", "the stream ended"),
        (events(status=204, hold=0), "far", "the interface ended the stream"),
        (events(status=404, hold=0), "far", "no longer knows the conversation"),
        (events(b"data: " + b"x" * 30_000), "far", "an event is larger than 20000 bytes"),
        (events(b"data: x\n" * 30_000), "far", "an event is larger than 20000 bytes"),
        (events(b"data:\n" * 30_000), "far", "an event is larger than 20000 bytes"),
    ],
)
def test_how_a_stream_goes_wrong(tmp_path, handler, by, words):
    stream = {"path": "events", "reconnects": 1, "reconnect_s": 0.05}
    limits = {"max_bytes": 20_000, "ready_s": 3}
    profile = {"rest": {"say": {"path": "say"}, "stream": stream}, "read": SSE_READ, "limits": limits}
    with serving(("GET", "/events", handler)) as url:
        seen = talk(url, profile, tmp_path, seconds=5)
    found_by, found = seen.ended
    assert (found_by, words in found) == (by, True), seen.ended


def answering(status, text="", **headers):
    async def handle(_):
        return web.Response(status=status, text=text, headers=headers)

    return handle


async def _slow(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(100):
        await answer.write(b" ")
        await asyncio.sleep(0.1)
    return answer


async def _cut(request):
    answer = web.StreamResponse(headers={"Content-Length": "100"})
    await answer.prepare(request)
    await answer.write(b"{")
    request.transport.abort()
    return answer


@pytest.mark.parametrize(
    ("handler", "harness", "words"),
    [
        (answering(500), False, "the interface failed (HTTP status 500 to POST /say)"),
        (answering(404), False, "does not know that"),
        (answering(400), True, "refuses what we ask (HTTP status 400"),
        (answering(403), True, "what we log in with"),
        (answering(429, **{"Retry-After": "3000"}), False, "no room for us (HTTP status 429"),
        (answering(503), False, "HTTP status 503"),
        (answering(200, "<html>"), False, "is not JSON"),
        (answering(200, "[" * 19_000), False, "is not JSON"),
        (answering(200, "x" * 30_000), False, "larger than 20000 bytes"),
        (answering(302, Location="/say"), False, "redirects more than 5 times"),
        (answering(307, Location="http://localhost:9/say"), False, "another host (localhost)"),
        (answering(302, Location="file:///etc/passwd"), False, "no address"),
        (_slow, False, "did not answer within 0.5 s"),
        (_cut, False, "broke off the connection"),
    ],
)
@pytest.mark.parametrize("when", ["opening", "talking"])
def test_every_failure_is_the_right_fault(tmp_path, handler, harness, words, when):
    limits = {"max_bytes": 20_000, "request_s": 0.5, "retry_s": 1}
    profile = ASK | {"limits": limits}
    if when == "opening":
        profile["rest"] = ASK["rest"] | {"start": [{"path": "say"}]}
    with serving(("*", "/say", handler)) as url:
        seen = talk(url, profile, tmp_path, "问", after=0, seconds=3)
    if when == "opening":
        assert isinstance(seen.fault, HarnessFault if harness else FarEndFault)
        assert words in str(seen.fault)
    elif seen.fault is None:
        [ended] = seen.of("ended")
        assert words in ended.data["cause"]
        assert (ended.data.get("fault") == "harness") == harness


def test_429_is_waited_out_as_told(tmp_path):
    asked = []

    async def say(_):
        asked.append(time.monotonic())
        if len(asked) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.json_response(reply("现在有空了"))

    with serving(("POST", "/say", say)) as url:
        seen = talk(url, ASK, tmp_path, "问", after=0, seconds=2)
    assert seen.words == [("bot", "现在有空了")]
    assert asked[1] - asked[0] >= 1


def test_polling_forgives_two_failures_in_a_row_and_not_three(tmp_path):
    answers = iter([500, 500, 200, 500, 500, 500])

    async def everything(_):
        return web.json_response(reply("在", id=1), status=next(answers))

    profile = {"rest": {"say": {"path": "say"}, "poll": {"path": "all", "every_s": 0.05}}, "read": READ}
    with serving(("GET", "/all", everything)) as url:
        seen = talk(url, profile, tmp_path, seconds=5)
    assert seen.words == [("bot", "在")]
    assert seen.ended[0] == "far"
    assert "HTTP status 500" in seen.ended[1]


def test_nobody_listening_is_theirs_and_a_missing_value_ours(tmp_path):
    seen = talk("http://127.0.0.1:9/", ASK | {"rest": ASK["rest"] | {"start": [{"path": "say"}]}}, tmp_path)
    assert isinstance(seen.fault, FarEndFault)
    assert "could not be reached" in str(seen.fault)
    with serving(("POST", "/begin", answering(200, "{}"))) as url:
        seen = talk(url, POLL, tmp_path, "问", after=0)
    [ended] = [*seen.of("ended")][:1]
    assert isinstance(seen.fault, HarnessFault) or ended.data.get("fault") == "harness"


def test_lines_that_come_in_any_pieces_with_any_ends_are_the_same_events(tmp_path):
    async def stream(request):
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for part in (
            b'data: {"m": 1, "t": "a"}\r',
            b"\n",
            b'\ndata: {"m": 2,',
            b' "t": "b"}\r\n\r',
            b"\ndata: [DONE]\n\n",
        ):
            await answer.write(part)
            await asyncio.sleep(0.05)
        return answer

    profile = {"rest": {"say": {"path": "say"}, "stream": {"path": "events"}}, "read": SSE_READ}
    with serving(("GET", "/events", stream)) as url:
        seen = talk(url, profile, tmp_path, seconds=5)
    assert [text for _, text in seen.words] == ["a", "b"]
