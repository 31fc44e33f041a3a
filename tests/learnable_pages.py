"""Chat pages as strangers build them, for learning: no server behind them, each page answers itself.

``pages()`` serves ``/NAME`` on 127.0.0.1; frames of another origin come from ``localhost``. What is sent is counted by
the page itself (``said`` of the served pages), so that a test can tell that nothing was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

HEAD = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Bank</title>'
BANK = """<header><nav><a href="#">Cards</a> <a href="#">Loans</a> <a href="tel:95000">Call us</a></nav>
  <form role="search"><input type="search" placeholder="Search this site"><button>Search</button></form></header>
  <h1>Bank</h1><p>Everything about money.</p>
  <footer><form><input type="email" name="email" placeholder="Your e-mail"><button>Subscribe</button></form></footer>
  <a href="#" style="position:fixed;right:10px;bottom:200px" class="back-top" title="返回顶部">↑</a>"""

# A widget as a build tool leaves it: generated class names, roles, a button that sends because Enter is a line break.
WIDGET = """<style>
.css-1a2b3c{display:flex;flex-direction:column;width:340px;height:420px;border:1px solid #888;background:#fff}
.css-9z8y7x{flex:1;overflow-y:auto;padding:6px}.jss41{margin:4px 0}.jss42{text-align:right}
.css-5t4r3e{font-size:11px;color:#888}</style>
<div class="css-1a2b3c" role="dialog" aria-label="Chat">
 <div class="css-9z8y7x" role="log" aria-live="polite"></div>
 <div class="css-0dots" data-testid="typing-indicator" style="display:none">…</div>
 <div><textarea class="css-7q7q7q" aria-label="Type your message" rows="2"></textarea>
 <button class="css-3w3w3w" aria-label="Attach a file">+</button>
 <button class="css-2e2e2e" aria-label="Send">➤</button></div>
</div>"""
TALK = """const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const $ = (css) => document.querySelector(css);
const log = $("[role=log]"), box = $("textarea"), send = $("[aria-label=Send]");
let n = 0;
const add = (author, text) => {
  const row = document.createElement("div");
  row.className = author === "visitor" ? "jss41 jss42" : "jss41";
  row.dataset.author = author;
  row.dataset.messageId = `m-${Date.now()}-${++n}`;
  row.innerHTML = `<span class="css-5t4r3e sender"></span><div class="css-6u6u6u body"></div><time>12:0${n}</time>`;
  row.querySelector(".sender").textContent = author === "visitor" ? "You" : "Bank bot";
  row.querySelector(".body").textContent = text;
  log.append(row);
};
add("bot", "Hello, how can I help?");
send.onclick = async () => {
  const text = box.value.trim();
  if (!text) return;
  fetch("/said", { method: "POST", body: text });
  box.value = "";
  add("visitor", text);
  await sleep(150);
  $("[data-testid]").style.display = "";
  await sleep(800);
  $("[data-testid]").style.display = "none";
  add("bot", `You wrote ${text.length} letters. Thank you.`);
};"""
LAUNCHER = (
    "position:fixed;right:20px;bottom:20px;width:56px;height:56px;border-radius:28px;background:#06c;cursor:pointer"
)
ABOVE = "position:fixed;right:20px;bottom:90px"

# BANK, LAUNCHER, ABOVE: as here. OTHER: the same server under its other name, which is another origin.
PAGES = {
    # The launcher stands after a thousand links, the widget in an iframe of another origin that is hidden until then.
    "framed": """<main></main><script>
      for (let n = 0; n < 1000; n++) {
        document.querySelector("main").insertAdjacentHTML("beforeend", `<p><a href="/${n}">Page ${n}</a></p>`);
      }</script>BANK<div id="open-chat" aria-label="在线客服" style="LAUNCHER"></div>
      <iframe id="support-frame" title="Chat" src="OTHER/widget" hidden style="ABOVE;width:370px;height:450px"></iframe>
      <script>document.getElementById("open-chat").onclick = () => {
        document.getElementById("support-frame").hidden = false;
      };</script>""",
    # Both in iframes of their own, the widget in one within another.
    "nested": """BANK<iframe id="launcher-frame" title="Open the chat" src="OTHER/button"
        style="position:fixed;right:20px;bottom:20px;width:80px;height:80px;border:0"></iframe>
      <div id="holder"></div><script>
      window.onmessage = (event) => {
        if (event.data === "open") document.getElementById("holder").innerHTML =
          `<iframe class="outer" src="/outer" style="ABOVE;width:390px;height:470px;border:0"></iframe>`;
      };</script>""",
    "button": """<button class="bubble" style="width:60px;height:60px">&#9993;</button>
      <script>document.querySelector("button").onclick = () => parent.postMessage("open", "*");</script>""",
    "outer": """<body style="margin:0"><iframe name="inner" src="OTHER/widget"
      style="width:370px;height:450px;border:0"></iframe>""",
    "widget": f"<body style='margin:0'>{WIDGET}<script>{TALK}</script>",
    # The whole of it in an open shadow tree, each message in one of its own.
    "shadow": """BANK<help-chat></help-chat><script>
      customElements.define("chat-message", class extends HTMLElement {
        connectedCallback() {
          this.attachShadow({ mode: "open" }).innerHTML = "<p></p>";
          this.shadowRoot.querySelector("p").textContent = this.words;
        }
      });
      customElements.define("help-chat", class extends HTMLElement {
        connectedCallback() {
          const root = this.attachShadow({ mode: "open" });
          root.innerHTML = `<button part="fab" style="LAUNCHER">Chat</button>
            <section hidden style="ABOVE;width:320px;background:#eee">
            <div class="stream" style="height:260px;overflow:auto"></div>
            <div class="composer" contenteditable="true" data-placeholder="说点什么" style="min-height:30px"></div>
            </section>`;
          const add = (by, words) => {
            const row = document.createElement("chat-message");
            row.className = `entry from-${by}`;
            row.words = words;
            root.querySelector(".stream").append(row);
          };
          root.querySelector("button").onclick = () => {
            root.querySelector("section").hidden = false;
            root.querySelector("button").hidden = true;
          };
          root.querySelector(".composer").onkeydown = (event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            const text = event.target.textContent.trim();
            event.target.textContent = "";
            fetch("/said", { method: "POST", body: text });
            add("customer", text);
            setTimeout(() => { add("assistant", "好的，"); add("assistant", "请稍等，我来查一下。"); }, 300);
          };
        }
      });</script>""",
    # Nobody can look into it.
    "closed": """BANK<secret-chat></secret-chat><script>
      document.querySelector("secret-chat").attachShadow({ mode: "closed" }).innerHTML =
        '<button style="LAUNCHER">Chat</button>';</script>""",
    "nothing": "BANK",
    # A form before the chat.
    "asks": """BANK<button class="chat-launcher" style="LAUNCHER">Chat</button>
      <form id="who" hidden style="ABOVE;background:#eee">
      <input name="name" placeholder="Your name"><input name="phone" placeholder="Phone"><button>Start</button></form>
      <script>document.querySelector(".chat-launcher").onclick = () => {
        document.getElementById("who").hidden = false;
      };</script>""",
    # The launcher opens a window elsewhere; a cookie banner lies over all of it.
    "window": """BANK<button class="kefu" style="LAUNCHER" onclick="window.open('OTHER/widget?of=1')">在线客服</button>
      <div id="cookie-bar" style="position:fixed;inset:0;background:#fff">Cookies?
      <button onclick="document.body.dataset.cookies = 'yes'">Accept all</button>
      <button onclick="this.parentNode.remove(); fetch('/said', { method: 'POST', body: 'refused' })">Reject all
      </button>
      </div>""",
}


@dataclass
class Served:
    """The served pages."""

    url: str = ""
    said: list[str] = field(default_factory=list)  # what the pages were told, in order

    def page(self, name: str) -> str:
        """Returns the address of a page."""
        assert name in PAGES, name
        return f"{self.url}/{name}"

    async def _page(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in PAGES:
            raise web.HTTPNotFound
        host, port = request.host.split(":")
        other = "localhost" if host == "127.0.0.1" else "127.0.0.1"
        text = HEAD + PAGES[name].replace("BANK", BANK).replace("LAUNCHER", LAUNCHER).replace("ABOVE", ABOVE)
        return web.Response(text=text.replace("OTHER", f"http://{other}:{port}"), content_type="text/html")

    async def _say(self, request: web.Request) -> web.Response:
        self.said.append(await request.text())
        return web.Response()


@asynccontextmanager
async def pages() -> AsyncIterator[Served]:
    """Serves the pages on 127.0.0.1 (and so on localhost)."""
    served = Served()
    app = web.Application()
    app.router.add_post("/said", served._say)
    app.router.add_get("/{name}", served._page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()
