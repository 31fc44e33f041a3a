"""A chat page with every awkwardness at once, for tests: no server behind it, the page answers itself.

The widget is an open shadow tree, its input a contenteditable element that appears late, its messages are redrawn whole
at every token, and each carries a time and a hidden prefix that are no words of it. It can also sit in an iframe, and
it obeys: ``leave`` navigates the page to another host, ``popup`` opens a window, ``tidy`` redraws all messages,
``burst`` answers twice, ``edit`` changes its answer after a long pause.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

WIDGET = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><odd-chat></odd-chat><script>
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
customElements.define("odd-chat", class extends HTMLElement {
  async connectedCallback() {
    this.root = this.attachShadow({ mode: "open" });
    this.root.innerHTML = '<div class="log"></div><div class="dots" style="visibility:hidden">...</div>' +
      '<div class="box" contenteditable="true" style="display:none;height:30px;border:1px solid"></div>';
    this.messages = [];
    const box = this.root.querySelector(".box");
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const text = box.textContent;
      box.textContent = "";
      this.draw("me", text);
      this.answer(text);
    });
    await sleep(300);
    box.style.display = "block";
  }
  draw(side, text, at = this.messages.length) {
    this.messages[at] = [side, text];
    const log = this.root.querySelector(".log");
    const make = ([side, text]) => {
      const row = document.createElement("div");
      row.className = `row ${side}`;
      row.innerHTML = "<span class=hidden>Said by " + side + ": </span><p></p><time>12:00</time>";
      row.querySelector("p").textContent = text;
      return row;
    };
    if (log.children[at]) log.children[at].replaceWith(make([side, text]));
    else log.append(make([side, text]));
    return at;
  }
  redraw() {
    const all = this.messages;
    this.messages = [];
    this.root.querySelector(".log").replaceChildren();
    for (const [side, text] of all) this.draw(side, text);
  }
  async answer(text) {
    const dots = this.root.querySelector(".dots");
    dots.style.visibility = "visible";
    await sleep(150);
    dots.style.visibility = "hidden";
    if (text === "leave") top.location.href = location.href.replace("127.0.0.1", "localhost");
    if (text === "popup") window.open("/popup");
    if (text === "tidy") this.redraw();
    let at;
    for (const token of ["one", "one two", "one two three"]) {
      at = this.draw("them", `${token} (${text})`.slice(0, token === "one two three" ? undefined : token.length), at);
      await sleep(60);
    }
    if (text === "burst") this.draw("them", "and another thing");
    if (text === "edit") {
      await sleep(1500);
      this.draw("them", "one two three (edit) four", at);
    }
  }
});
</script>"""
FRAMED = (
    '<!doctype html><link rel="icon" href="data:,"><h1>Bank</h1><iframe src="/widget" width=500 height=400></iframe>'
)

PROFILE = """format: 1
name: odd
{frame}ready: ".box"
ready_s: 5
input: ".box"
messages:
  list: ".log"
  item: ".row"
  drop: [".hidden", "time"]
  authors:
    - {{who: user, css: ".me"}}
    - {{who: bot, starts: "Said by them"}}
typing: ".dots"
"""


@asynccontextmanager
async def odd_chat_page() -> AsyncIterator[str]:
    """Serves ``/widget`` and ``/framed`` on 127.0.0.1; yields the URL without its path."""

    def page(text: str) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    async def widget(_: web.Request) -> web.Response:
        return page(WIDGET)

    async def framed(_: web.Request) -> web.Response:
        return page(FRAMED)

    app = web.Application()
    app.router.add_get("/widget", widget)
    app.router.add_get("/framed", framed)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
