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
    "stands": """onSend = (text) => {
      add("me", text);
      setTimeout(() => { for (const end = Date.now() + 1200; Date.now() < end;); add("bot", "late"); }, 200);
    };""",
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
    # --- messages -----------------------------------------------------------------------------------------------------
    "deaf": """$("box").addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.stopImmediatePropagation(); $("box").value = ""; }  // not connected yet
    }, { capture: true });""",
    "copies": """$("top").innerHTML = '<div class="log sr"></div><div class="log" style="display:none"></div>';
      const draw = add;
      onSend = async (text) => {
        for (const [who, words] of [["me", text], ["bot", `answer to ${text}`]]) {
          for (const log of document.querySelectorAll(".log")) draw(who, words, log);
          $("log").lastChild.insertAdjacentHTML("beforebegin", `<div class="row ${who} sr">${words}</div>`);
          await sleep(80);
        }
      };""",
    "replaced": """const all = [];
      const redraw = () => $("log").replaceChildren(...all.map(([who, text]) => make(who, `<p>${text}</p>`)));
      onSend = async (text) => {
        all.push(["me", text], ["bot", ""]);
        for (const token of ["one ", "two ", "three ", text]) { all.at(-1)[1] += token; redraw(); await sleep(60); }
      };""",
    "burst": """onSend = async (text) => {
        add("me", text);
        await sleep(80);
        add("bot", "前面还有3位<br>前面还有1位<br>已为您接入人工客服<br>您好，工号1001为您服务<br>请问您需要什么？");
      };""",
    "live": """const live = document.createElement("div");
      Object.assign(live, { className: "log sr", id: "live", role: "log", ariaLive: "polite" });
      $("bottom").append(live);
      onSend = async (text) => {
        add("me", text);
        await sleep(80);
        add("bot", `Bot said: answer to ${text}`, live);
        add("bot", `answer to ${text}`);
        await sleep(300);
        live.replaceChildren();
      };""",
    "progress": """onSend = async (text) => {
        add("me", text);
        const row = add("bot", "<p>Loading content</p>"), shown = row.firstChild;
        for (let n = 1; n < 12; n++) { await sleep(60); shown.textContent = `0.${n}s`; }
        shown.textContent = "Thinking...";
        await sleep(700);
        for (const words of ["It takes ", "It takes 5 days"]) { shown.textContent = words; await sleep(60); }
        await sleep(700);
        add("bot", "5s");
      };""",
    "startup": """setTimeout(() => add("bot", "Welcome!"), 700);""",
    # --- the page -----------------------------------------------------------------------------------------------------
    "reconnects": """let socket;
      const draw = ([who, text]) => add(who, text);
      const all = [];
      const connect = () => {
        socket = new WebSocket(location.href.replace("http", "ws").replace(/page.*/, "socket"));
        socket.onmessage = (event) => { all.push(["bot", JSON.parse(event.data).text]); draw(all.at(-1)); };
        socket.onclose = async () => {
          $("log").replaceChildren();
          await sleep(2300);
          connect();
          all.forEach(draw);
        };
      };
      connect();
      onSend = (text) => { all.push(["me", text]); draw(all.at(-1)); socket.send(text); };""",
    "cut": """const socket = new WebSocket(location.href.replace("http", "ws").replace(/page.*/, "socket"));
      onSend = (text) => { add("me", text); socket.send(text); };""",
    "navigates": """const all = JSON.parse(sessionStorage.getItem("all") ?? "[]");
      all.forEach(([who, text]) => add(who, text));
      const keep = (who, text) => {
        all.push([who, text]);
        sessionStorage.setItem("all", JSON.stringify(all));
        add(who, text);
      };
      onSend = async (text) => {
        keep("me", text);
        await sleep(80);
        keep("bot", `answer to ${text}`);
        if (text === "go") setTimeout(() => location.href = location.href + "&again", 900);
      };""",
    "alert": """onSend = async (text) => {
        add("me", text);
        alert("Your session may be recorded.");
        const sure = confirm("May we call you?");
        add("bot", `answer to ${text}, ${sure}`);
      };""",
    "popup": """onSend = async (text) => {
        add("me", text);
        window.open("/page?case=startup&popup");
        window.open("/away");
        $("bottom").innerHTML = "<a id=other target=_blank href=/away>x</a>";
        $("other").click();
        add("bot", `answer to ${text}`);
      };""",
    "forges": """onSend = async (text) => {
        add("me", text);
        const names = Object.getOwnPropertyNames(window).filter((name) => /^_[0-9a-f]{12}$/.test(name));
        for (const name of names) {
          const records = '[{"k": "item"}, {"k": "typing", "t": NaN, "on": true}]';
          for (const what of ["[".repeat(100000), `{"origin": 1${"0".repeat(400)}, "records": [{}]}`,
              `{"origin": ${performance.timeOrigin}, "records": ${records}}`]) {
            try { window[name](what); } catch { /* not the one */ }
          }
        }
        await sleep(80);
        add("bot", `answer to ${text}`);
      };""",
    "prototype": """Array.prototype.toJSON = function() {
        return "[" + this.map((each) => JSON.stringify(each)).join(",") + "]";
      };""",
    "moves_on": """const url = location.href.replace("http", "ws").replace(/page.*/, "socket");
      const socket = new WebSocket(url);
      if (location.href.includes("again")) socket.onopen = () => $("box").classList.add("connected");
      else socket.onopen = async () => { await sleep(300); location.href += "&again"; };
      onSend = (text) => { add("me", text); add("bot", `answer to ${text}`); socket.close(1000); };""",
    "empties": """onSend = async (text) => {
        add("me", text);
        await sleep(80);
        add("bot", `answer to ${text}`);
        if (text === "go") setTimeout(() => { location.href += "&again"; }, 900);
      };""",
    "floods": """onSend = async (text) => {
        add("me", text);
        for (;;) {
          for (let n = 0; n < 100; n++) { $("bottom").hidden = !$("bottom").hidden; await null; }
          await sleep(10);
        }
      };
      $("bottom").innerHTML = "<div class=dots>...</div>";""",
    "becomes": """onSend = async (text) => {
        add("me", text);
        const row = add("bot", "前面还有3位");
        await sleep(100);
        row.textContent = "请稍等";
        await sleep(1000);
        row.textContent = "您好，我是客服小王";
      };""",
    "banner": """document.body.insertAdjacentHTML("beforeend", `<div id="cookie-bar"
        style="position:fixed;inset:0;background:#eee">
        We value your privacy <button id="yes">Accept all</button><button id="no">Reject all</button></div>`);
      for (const choice of ["yes", "no"]) {
        $(choice).onclick = () => { document.body.dataset.choice = choice; $("cookie-bar").remove(); };
      }
      $("box").hidden = true;
      $("bottom").innerHTML = "<button id=open>Chat</button>";
      $("open").onclick = () => { $("box").hidden = false; };""",
    "virtual": """const all = [], SIZE = 4;
      let first = 0;
      const draw = () => {
        const rows = all.slice(first, first + SIZE);
        while ($("log").children.length < rows.length) add("", "");
        rows.forEach(([who, text], n) => {
          $("log").children[n].className = `row ${who}`;
          $("log").children[n].textContent = text;
        });
      };
      const put = (who, text) => { all.push([who, text]); first = Math.max(0, all.length - SIZE); draw(); };
      onSend = async (text) => {
        put("me", text);
        await sleep(60);
        if (text === "up") { for (first of [2, 1, 0, 1, 2, 3]) { draw(); await sleep(60); } }
        put("bot", "one moment");
        await sleep(60);
        put("bot", `answer to ${text}`);
      };""",
    "scrolled": """const all = [];
      onSend = async (text) => {
        add("me", text);
        await sleep(60);
        all.push(add("bot", `answer to ${text}`));
        if (all.length === 3) {
          all[0].remove();
          await sleep(2300);
          $("log").prepend(make("bot", "older than our visit"), all[0].cloneNode(true));
          add("bot", "answer to 1");  // the same words once more, and meant
        }
      };""",
    "upside_down": """$("log").style = "display:flex;flex-direction:column-reverse";
      onSend = async (text) => {
        for (const [who, words] of [["me", text], ["bot", "one moment"], ["bot", `answer to ${text}`]]) {
          $("log").prepend(make(who, words));
          await sleep(60);
        }
      };""",
    "closed": """const host = document.createElement("secret-chat");
      document.body.append(host);
      host.attachShadow({ mode: "closed" }).innerHTML = "<input class=inner>";""",
    "half_closed": """const host = document.createElement("secret-log");
      $("top").append(host);
      const log = document.createElement("div");
      host.attachShadow({ mode: "closed" }).append(log);
      onSend = (text) => add("me", text, log);""",
    # --- what a reply holds -------------------------------------------------------------------------------------------
    "parts": """onSend = async (text) => {
        add("me", text);
        await sleep(60);
        add("bot", `<p>Choose:</p><button>Balance</button><button>Transfer</button>`);
        add("bot", `<div class=card><h3>Gold card</h3><p>1% back</p></div><a href="/terms">Terms</a>
          <a href="/fees.pdf">Fees</a>`);
        add("bot", `<img alt="A map" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width=200 height=100>`);
        $("bottom").innerHTML = "<span class=reply>Yes</span><span class=reply>No</span>";
      };""",
    # --- the end ------------------------------------------------------------------------------------------------------
    "agent_leaves": """onSend = async (text) => {
        add("me", text);
        add("agent", "再见！");
        add("system", "客服已结束会话");
        $("box").disabled = true;
        setTimeout(() => add("system", "too late"), 100);
      };""",
    "over": """onSend = async (text) => {
        add("me", text);
        add("agent", "Bye!");
        $("bottom").innerHTML = "<div class=over>This chat is closed</div>";
      };""",
    "idle": """onSend = async (text) => {
        add("me", text);
        add("bot", "yes?");
        await sleep(800);
        add("system", "您长时间未回复");
        await sleep(100);
        add("system", "会话已结束");
      };""",
    "survey": """onSend = async (text) => {
        add("me", text);
        add("bot", `answer to ${text}`);
        await sleep(800);
        $("bottom").innerHTML = `<form class=survey>How did we do?<input type=radio name=stars value=1>
          <input type=radio name=stars value=5><button>Send</button></form>`;
        document.body.dataset.filled = "";
        document.querySelector(".survey").addEventListener("input", () => document.body.dataset.filled += "input ");
        document.querySelector(".survey").addEventListener("submit", () => document.body.dataset.filled += "submit ");
      };""",
    # --- what a page must not do --------------------------------------------------------------------------------------
    "outside": """onSend = async (text) => {
        add("me", text);
        if (text === "file") location.href = "file:///etc/hostname";
        if (text === "inside") location.href = "chrome://version";
        if (text === "redirect") location.href = "/away";
        if (text === "mail") location.href = "mailto:somebody@example.com";
        if (text === "save") {
          document.body.insertAdjacentHTML("beforeend", "<a id=save download=x href='/page?case=plain'>x</a>");
          $("save").click();
        }
        await sleep(200);
        add("bot", `answer to ${text}`);
      };""",
    "hung_iframe": """const other = location.origin.replace("127.0.0.1", "localhost");
      document.body.insertAdjacentHTML("beforeend", `<iframe src="${other}/spin" width=99 height=99></iframe>`);""",
    "elsewhere": """const other = location.origin.replace("127.0.0.1", "localhost");
      document.body.innerHTML = `<iframe id="widget" src="${other}/page?case=plain" width=700 height=500></iframe>`;""",
    "third": """const other = location.origin.replace("127.0.0.1", "localhost");
      for (const what of ["image", "fetch", "socket"]) {
        try {
          if (what === "image") new Image().src = `${other}/pixel`;
          if (what === "fetch") fetch(`${other}/pixel?2`, { mode: "no-cors" }).catch(() => {});
          if (what === "socket") new WebSocket(other.replace("http", "ws") + "/socket");
        } catch (error) { console.log(what, error.name); }
      }""",
    "by_other_ways": """const other = location.origin.replace("127.0.0.1", "localhost");
      const socket = other.replace("http", "ws") + "/socket";
      new Image().src = "/away";
      try { new WebSocket.prototype.constructor(socket); } catch { /* refused */ }
      const work = `new WebSocket("${socket}"); fetch("${other}/pixel", { mode: "no-cors" })`;
      new Worker(URL.createObjectURL(new Blob([work])));""",
    "secrets": """document.cookie = "visitor_sid=SECRET-cookie-1";
      document.body.insertAdjacentHTML("beforeend", '<input type=hidden name=csrf_token value="SECRET-field-2">');
      onSend = async (text) => {
        add("me", text);
        const headers = { Authorization: "Bearer SECRET.bearer.3", "X-Api-Key": "SECRET-key-4" };
        const body = JSON.stringify({ text, access_token: "SECRET-body-5" });
        const reply = await (await fetch("/ask?token=SECRET-query-6", { method: "POST", headers, body })).json();
        add("bot", `${reply.text} <a href="/file?sig=SECRET-link-7">file</a>`);
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

    async def _away(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{self.url}/page?case=plain&stolen".replace("127.0.0.1", "localhost"))

    async def _spin(self, request: web.Request) -> web.Response:
        return web.Response(text="<script>for (;;);</script>", content_type="text/html")

    async def _pixel(self, request: web.Request) -> web.Response:
        return web.Response(body=b"GIF89a")

    async def _ask(self, request: web.Request) -> web.Response:
        text = f"You asked: {json.loads(await request.text())['text']}"
        await asyncio.sleep(0.05)
        self.truth.append((text, time.monotonic()))
        return web.json_response(
            {"text": text, "session_id": "SECRET-reply-8"}, headers={"Set-Cookie": "x=SECRET-set-9"}
        )

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
    app.router.add_get("/away", torture._away)
    app.router.add_get("/pixel", torture._pixel)
    app.router.add_get("/spin", torture._spin)
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
