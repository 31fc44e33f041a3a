"""Direct Line: `offline-directline` from npm, polled; and a service with streams that break and are taken up again."""

import asyncio
import itertools
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from tests.api_servers import Log, serving, talk

VERSION = "1.3.1"
CACHE = Path(__file__).parents[1] / ".cache" / "npm" / f"offline-directline-{VERSION}"
RUN = (
    "const x=require('express')(), [p,b]=process.argv.slice(1);"
    "x.use(require('offline-directline').getRouter('http://127.0.0.1:'+p,b));x.listen(+p,'127.0.0.1')"
)


@pytest.fixture(scope="session")
def package():
    """The folder that holds the package; fetched once by npm, its scripts off."""
    if not (CACHE / "node_modules" / "offline-directline").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text("{}")  # npm installs here; given --prefix, it would miss its settings
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", f"offline-directline@{VERSION}"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            shutil.rmtree(CACHE)
            pytest.fail(f"npm could not fetch offline-directline {VERSION}: {done.stderr.strip()}", pytrace=False)
    return CACHE


@pytest.fixture
def offline(package):
    """Runs the service in front of a bot; yields its URL and what the bot sent."""
    log = Log()

    async def bot(request):
        activity = await request.json()
        if activity["type"] == "message":
            to = f"{activity['serviceUrl']}/v3/conversations/{activity['conversation']['id']}/activities"
            async with ClientSession() as session:
                for text in (f"答{activity['text']}", "还有别的吗？"):
                    answer = {"type": "message", "text": log.sending(text)}
                    await (await session.post(to, json=answer)).release()
        return web.json_response({})

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(("POST", "/api/messages", bot)) as url:
        command = ["node", "-e", RUN, "--", str(port), url + "api/messages"]
        process = subprocess.Popen(command, cwd=package, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
                except urllib.error.HTTPError:
                    break
                except OSError:
                    assert process.poll() is None, "offline-directline did not start"
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/", log
        finally:
            process.terminate()
            process.wait(10)


def test_offline_directline(offline, tmp_path):
    url, log = offline
    profile = {"directline": {"path": "/directline", "every_s": 0.1}}
    seen = talk(url, profile, tmp_path, "一", "二", "三", after=0, seconds=2.5)
    assert seen.fault is None
    assert sorted(seen.words) == sorted([("bot", f"答{n}") for n in "一二三"] + [("bot", "还有别的吗？")] * 3)
    assert len(seen.rows("ours")) == 3, "our own come back in the history"
    assert all(-0.001 < seconds < 0.1 + 0.1 for seconds in seen.late(log)), "no later than a poll"


class Service:
    """Direct Line with streams; ``cut`` breaks the first stream after so many activities."""

    def __init__(self, cut=None, resume=True):
        self.cut, self.resume, self.log = cut, resume, Log()
        self.activities, self.watermarks, self.tokens, self.sockets = [], [], [], 0
        self.counter = itertools.count(1)
        self.news = asyncio.Event()

    def routes(self):
        path = "/v3/directline"
        return [
            ("POST", f"{path}/conversations", self.begin),
            ("POST", f"{path}/tokens/refresh", self.begin),
            ("GET", f"{path}/conversations/{{id}}", self.again),
            ("POST", f"{path}/conversations/{{id}}/activities", self.post),
            ("GET", f"{path}/stream", self.stream),
        ]

    def handle(self, request):
        self.tokens.append(request.headers.get("Authorization"))
        stream = f"ws://{request.host}/v3/directline/stream?t=stream-token"
        return {"conversationId": "c1", "token": "second-token", "expires_in": 1800, "streamUrl": stream}

    async def begin(self, request):
        return web.json_response(self.handle(request), status=201)

    async def again(self, request):
        self.watermarks.append(request.query.get("watermark"))
        if not self.resume:
            return web.Response(status=404)
        return web.json_response(self.handle(request))

    def say(self, text, kind="message", **more):
        row = {"type": kind, "id": f"c1|{next(self.counter)}", "from": {"id": "bank", "role": "bot"}} | more
        self.activities.append(row | ({"text": text} if text else {}))
        self.news.set()

    async def post(self, request):
        activity = await request.json()
        self.say(activity["text"], **{"from": activity["from"]})
        stream = {"streamType": "streaming", "streamSequence": 1}
        name = f"s{len(self.activities)}"
        for part in ("答", "答" + activity["text"]):
            self.say(part, "typing", channelData=stream | {"streamId": name})
            await asyncio.sleep(0.02)
        self.say("答" + activity["text"] + "。", channelData={"streamType": "final", "streamId": name})
        if activity["text"] == "再见":
            self.say("", "endOfConversation", code="completedSuccessfully")
        return web.json_response({"id": self.activities[0]["id"]})

    async def stream(self, request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.sockets += 1
        if self.sockets == 1:
            self.say("您好")
        await ws.send_str("")
        at = 0 if not self.watermarks else max(0, int(self.watermarks[-1]) - 1)  # one too many: it comes twice
        while not ws.closed:
            while at < len(self.activities):
                at += 1
                frame = {"activities": [self.activities[at - 1]], "watermark": str(at)}
                await ws.send_str(json.dumps(frame))
                if self.cut is not None and at == self.cut and self.sockets == 1:
                    request.transport.abort()
                    return ws
            self.news.clear()
            await self.news.wait()
        return ws


@pytest.mark.parametrize("cut", [None, 1, 3, 5])
def test_streams_are_taken_up_again_from_the_watermark(tmp_path, monkeypatch, cut):
    monkeypatch.setenv("DL_SECRET", "first-secret")
    service = Service(cut)
    with serving(*service.routes()) as url:
        seen = talk(url, {"directline": {"secret_env": "DL_SECRET"}}, tmp_path, "额度", "再见")
    assert seen.fault is None
    assert seen.words == [("bot", "您好"), ("bot", "答额度。"), ("bot", "答再见。")]
    assert [event.data["revision"] for event in seen.of("message")] == [0, 0, 0]
    assert seen.ended == ("far", "completedSuccessfully")
    assert service.tokens[0] == "Bearer first-secret"
    assert service.watermarks == ([] if cut is None else [str(cut)])
    assert not {"first-secret", "second-token", "stream-token"} & set(seen.transcript.replace("?", " ").split())
    assert "-token" not in seen.transcript
    assert "first-secret" not in seen.transcript


def test_a_conversation_that_cannot_be_taken_up_again_is_over(tmp_path):
    service = Service(cut=1, resume=False)
    with serving(*service.routes()) as url:
        seen = talk(url, {"directline": {}}, tmp_path)
    assert seen.ended == ("far", "the interface no longer knows the conversation")


def test_a_stream_on_another_host_is_refused(tmp_path):
    service = Service()
    service.handle = lambda _: {"conversationId": "c1", "streamUrl": "wss://elsewhere.example.com/stream"}
    with serving(*service.routes()) as url:
        seen = talk(url, {"directline": {}}, tmp_path)
    assert "another host (elsewhere.example.com)" in str(seen.fault)
