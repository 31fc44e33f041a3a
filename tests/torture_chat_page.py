"""A chat page that does to its reader what pages in the field do, one case at a time: ``/page?case=NAME``.

The page of every case is the same plain widget; a case is a few lines of script that spoil it. ``TRUTH`` of the served
page holds what the server sent down the wire and when (monotonic seconds). Everything is on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

PAGE = """<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Torture</title>
<style>.sr{position:absolute;width:1px;height:1px;overflow:hidden}.log{width:600px;min-height:20px}</style></head>
<body><h1>Bank</h1><div id="top"></div><div class="log" id="log"></div><div id="bottom"></div>
<input class="box" id="box"><script>
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const $ = (id) => document.getElementById(id);
const make = (who, html) => {
  const row = document.createElement("div");
  row.className = `row ${who}`;
  row.innerHTML = html;
  return row;
};
const add = (who, html, log = $("log")) => log.appendChild(make(who, html));
let onSend = async (text) => { add("me", text); await sleep(80); add("bot", `answer to ${text}`); };
$("box").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const text = $("box").value;
  $("box").value = "";
  onSend(text);
});
const json = (url, body) => fetch(url, { method: "POST", body: JSON.stringify(body) });
/*CASE*/
</script></body></html>"""

CASES = {
    "plain": "",
    # --- the wire -----------------------------------------------------------------------------------------------------
    "fetch": """onSend = async (text) => {
      add("me", text);
      const reply = await (await json("/ask", { text })).json();
      await sleep(300);  // the widget's own delay
      add("bot", reply.text);
    };""",
    "xhr": """onSend = (text) => {
      add("me", text);
      const request = new XMLHttpRequest();
      request.onload = async () => { await sleep(300); add("bot", JSON.parse(request.responseText).text); };
      request.open("POST", "/ask");
      request.send(JSON.stringify({ text }));
    };""",
    "sse": """onSend = (text) => {
      add("me", text);
      const source = new EventSource("/events?text=" + encodeURIComponent(text));
      const row = make("bot", "");
      source.addEventListener("token", (event) => {
        if (!row.isConnected) $("log").append(row);
        row.textContent += JSON.parse(event.data).token;
      });
      source.addEventListener("done", () => source.close());
    };""",
    "stream": """onSend = async (text) => {
      add("me", text);
      const response = await json("/stream", { text });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const row = add("bot", "");
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const line of value.split("\\n")) {
          if (line.startsWith("data: {")) row.textContent += JSON.parse(line.slice(6)).token ?? "";
        }
      }
    };""",
    "iterate": """onSend = async (text) => {
      add("me", text);
      const row = add("bot", "");
      const decoder = new TextDecoder();
      for await (const value of (await json("/stream", { text })).body) {
        for (const line of decoder.decode(value, { stream: true }).split("\\n")) {
          if (line.startsWith("data: {")) row.textContent += JSON.parse(line.slice(6)).token ?? "";
        }
      }
    };""",
}

PROFILE = """format: 1
name: torture
ready: ".box:enabled"
ready_s: 5
input: ".box"
messages:
  list: ".log"
  item: ".row"
  authors:
    - {who: user, css: ".me"}
    - {who: agent, css: ".agent"}
    - {who: system, css: ".system"}
    - {who: bot, css: ".bot"}
"""

TOKENS = ("Seven ", "working ", "days, ", "at ", "the ", "latest, ", "for ")


@dataclass
class Torture:
    """The served page."""

    url: str = ""
    truth: list[tuple[str, float]] = field(default_factory=list)  # what was sent, when (monotonic seconds)
    requests: list[str] = field(default_factory=list)  # paths asked for, with their queries

    def page(self, case: str, host: str = "127.0.0.1") -> str:
        """Returns the address of the page of one case."""
        assert case in CASES, case
        return f"{self.url}/page?case={case}".replace("127.0.0.1", host)

    def sent(self, text: str) -> float:
        """Returns when ``text`` was sent."""
        [t] = [t for what, t in self.truth if what == text]
        return t

    async def _page(self, request: web.Request) -> web.Response:
        script = CASES[request.query["case"]]
        return web.Response(text=PAGE.replace("/*CASE*/", script), content_type="text/html")

    async def _ask(self, request: web.Request) -> web.Response:
        text = f"You asked: {json.loads(await request.text())['text']}"
        await asyncio.sleep(0.05)
        self.truth.append((text, time.monotonic()))
        return web.json_response({"text": text})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Streams a reply token by token, as named events (GET) or as the plain ones of a model's API (POST)."""
        named = request.method == "GET"
        text = request.query["text"] if named else json.loads(await request.text())["text"]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for token in (*TOKENS, text):
            await asyncio.sleep(0.04)
            self.truth.append((token, time.monotonic()))
            event = "event: token\n" if named else ""
            await response.write(f"{event}data: {json.dumps({'token': token})}\n\n".encode())
        await response.write(b"event: done\ndata: [DONE]\n\n")
        return response

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            if frame.type != WSMsgType.TEXT:
                break
            if frame.data == "drop":
                assert request.transport is not None
                request.transport.abort()
                break
            self.truth.append((frame.data, time.monotonic()))
            await socket.send_str(json.dumps({"text": frame.data}))
        return socket

    @web.middleware
    async def _seen(self, request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
        self.requests.append(f"{request.host.partition(':')[0]}{request.path_qs}")
        return await handler(request)


@asynccontextmanager
async def torture_page() -> AsyncIterator[Torture]:
    """Serves the page on 127.0.0.1."""
    torture = Torture()
    app = web.Application(middlewares=[torture._seen])
    app.router.add_get("/page", torture._page)
    app.router.add_post("/ask", torture._ask)
    app.router.add_get("/events", torture._stream)
    app.router.add_post("/stream", torture._stream)
    app.router.add_get("/socket", torture._socket)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    torture.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield torture
    finally:
        await runner.cleanup()
