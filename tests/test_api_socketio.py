"""A chat with a python-socketio server, software nobody here wrote: events, acknowledgements, namespaces, ends."""

import asyncio

import pytest
import socketio
from aiohttp import web

from scenarios.errors import FarEndFault
from tests.api_servers import Log, serving, talk

PROFILE = {
    "socketio": {
        "namespace": "/desk",
        "auth": {"token": "${env:DESK_TOKEN}"},
        "first": [{"event": "join", "args": [{"name": "访客"}]}],
        "say": {"event": "say", "args": ["${text}", {"n": "${number}"}]},
        "bye": {"event": "leave"},
    },
    "read": {
        "authors": {"robot": "bot", "svc": "agent"},
        "rules": [
            {"when": {"event": "reply"}, "text": "args[0].text", "id": "args[0].id", "author": "args[0].who"},
            {"when": {"event": "seat"}, "kind": "notice", "role": "queue", "position": "args[0]"},
            {"when": {"event": "typing"}, "kind": "typing", "on": "args[0]"},
        ],
    },
}


class Desk(socketio.AsyncNamespace):
    """The far end: greets, answers each message, and lets go of us on request."""

    def __init__(self, log):
        super().__init__("/desk")
        self.log, self.got, self.acknowledged = log, [], []

    def on_connect(self, sid, environ, auth):
        if auth != {"token": "desk-token"}:
            raise socketio.exceptions.ConnectionRefusedError("who are you")

    async def on_join(self, sid, data):
        self.got.append(data)
        await self.emit("seat", 2, to=sid)
        await self.emit("reply", {"id": 1, "who": "robot", "text": self.log.sending("您好，" + data["name"])}, to=sid)

    async def on_say(self, sid, text, more):
        self.got.append((text, more))
        await self.emit("typing", True, to=sid)
        await asyncio.sleep(0.05)
        answer = {"id": more["n"] + 1, "who": "svc", "text": self.log.sending("答" + text)}
        await self.emit("reply", answer, to=sid, callback=lambda *args: self.acknowledged.append(args))
        if text == "再见":
            await asyncio.sleep(0.05)
            await self.disconnect(sid)

    async def on_leave(self, sid):
        self.got.append("leave")


def desk(log, **options):
    server = socketio.AsyncServer(async_mode="aiohttp", **options)
    app = web.Application()
    server.attach(app)
    handler = Desk(log)
    server.register_namespace(handler)
    return handler, app


def test_a_whole_chat(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "desk-token")
    log = Log()
    handler, app = desk(log)
    with serving(app=app) as url:
        seen = talk(url, PROFILE, tmp_path, "额度", "再见")
    assert handler.got == [{"name": "访客"}, ("额度", {"n": 1}), ("再见", {"n": 2})]
    assert seen.words == [("bot", "您好，访客"), ("agent", "答额度"), ("agent", "答再见")]
    assert handler.acknowledged == [(), ()]
    assert [(event.data["role"], event.data["position"]) for event in seen.of("notice")] == [("queue", 2)]
    assert len(seen.of("typing")) == 2
    assert seen.ended == ("far", "the centre disconnected us")
    late = seen.late(log)
    assert len(late) == 3
    assert all(-0.001 < seconds < 0.1 for seconds in late), late
    assert "desk-token" not in seen.transcript


def test_it_stays_alive_by_answering_pings_and_takes_leave(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "desk-token")
    handler, app = desk(Log(), ping_interval=0.3, ping_timeout=0.3)
    with serving(app=app) as url:
        seen = talk(url, PROFILE, tmp_path, seconds=2)
    assert seen.ended == ("us", "left")
    assert handler.got[-1] == "leave"


def test_a_namespace_that_does_not_let_us_in(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "wrong-token")
    _, app = desk(Log())
    with serving(app=app) as url:
        seen = talk(url, PROFILE, tmp_path)
    assert isinstance(seen.fault, FarEndFault)
    assert "lets us into no namespace /desk" in str(seen.fault)
    assert "who are you" in str(seen.fault)


@pytest.mark.parametrize("packets", [["garbage"], ["0{bad"], ["4"], ['42["x"'], ["42{}"], ["49[]"], ["451-[1]"], [""]])
def test_what_is_no_packet_ends_in_nothing_worse_than_a_fault(tmp_path, packets, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "desk-token")

    async def handle(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str('0{"sid":"x","pingInterval":500,"pingTimeout":500}')
        await ws.receive()
        for packet in packets:
            await ws.send_str(packet)
        await ws.send_str("40/desk,{}")
        await ws.send_str('42/desk,["reply",{"text":"还在","who":"robot"}]')
        await asyncio.sleep(5)
        return ws

    with serving(("GET", "/socket.io/", handle)) as url:
        seen = talk(url, PROFILE, tmp_path, seconds=8)
    assert seen.words == [("bot", "还在")]
    assert seen.ended[0] == "network"
    assert "no ping for 1 s" in seen.ended[1]
