"""A chat page that takes files and offers quick replies, in one of the ways that pages do: ``/?case=NAME``.

As ``framed_NAME`` it sits in a frame. The page answers itself; what reaches the server of a file is kept in
``UPLOADS``: name, media type, content.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

UPLOADS: list[tuple[str, str, bytes]] = []
PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>.log{width:600px;min-height:20px}</style>
<div class="log" id="log"></div><div id="pending"></div><div id="choices"></div><div id="tools"></div>
<input class="box" id="box"><button id="send">Send</button><script>
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const $ = (id) => document.getElementById(id);
const add = (who, ...inside) => {
  const row = document.createElement("div");
  row.className = `row ${who}`;
  row.append(...inside);
  return $("log").appendChild(row);
};
const made = (tag, more) => Object.assign(document.createElement(tag), more);
const upload = async (file) => {
  const form = new FormData();
  form.append("file", file);
  await fetch("/upload", { method: "POST", body: form });
};
const show = (file) => add("me", made("img", { alt: "", src: URL.createObjectURL(file) }));
const answer = async (text) => { await sleep(50); add("bot", `answer to ${text}`); };
let onSend = async (text) => { add("me", text); await answer(text); };
let onFile = async (file) => { await upload(file); show(file); await answer(file.name); };
const chooser = (more = {}) => {
  const input = made("input", { type: "file", id: "file", ...more });
  input.addEventListener("change", () => onFile(input.files[0]));
  return input;
};
const choices = (...texts) => $("choices").replaceChildren(...texts.map((text) => {
  const button = made("button", { textContent: text, className: "choice" });
  button.addEventListener("click", () => { choices(); onSend(text); });
  return button;
}));
const send = () => { const text = $("box").value; $("box").value = ""; onSend(text); };
$("box").addEventListener("keydown", (event) => { if (event.key === "Enter") send(); });
$("send").addEventListener("click", send);
/*CASE*/
</script>"""

CASES = {
    "hidden": """const input = chooser({ hidden: true });
      const button = made("button", { id: "clip", textContent: "+" });
      button.addEventListener("click", () => input.click());
      $("tools").append(input, button);""",
    "made_late": """const button = made("button", { id: "clip", textContent: "+" });
      button.addEventListener("click", () => chooser().click());  // never in the document
      $("tools").append(button);""",
    "elsewhere": """const frame = made("iframe", { srcdoc: "<input type=file id=theirs>" });
      const button = made("button", { id: "clip", textContent: "+" });
      button.addEventListener("click", () => frame.contentDocument.getElementById("theirs").click());
      $("tools").append(frame, button);""",
    "waits": """let waiting = null;
      $("tools").append(chooser());
      const now = onFile;
      onFile = async (file) => { await sleep(100); waiting = file; $("pending").textContent = file.name; };
      onSend = async (text) => {
        if (waiting) { $("pending").textContent = ""; await now(waiting); waiting = null; }
        if (text) { add("me", text); await answer(text); }
      };""",
    "refuses": """$("tools").append(chooser());
      onFile = async () => { add("bot", "too large"); };""",
    "asks_by_itself": """$("tools").append(chooser());
      onSend = async (text) => { add("me", text); $("file").click(); await answer(text); };""",
    "buttons": """onSend = async (text) => {
        add("me", text);
        await sleep(50);
        const row = add("bot", "Which one? ");
        for (const label of ["1. Card", "2. Loan"]) {
          const button = made("button", { textContent: label });
          button.addEventListener("click", () => {
            row.querySelectorAll("button").forEach((each) => each.remove());
            add("me", label.toUpperCase());
            answer(label);
          });
          row.append(button);
        }
      };""",
    "vanishes": """onSend = async (text) => {
        add("me", text);
        choices("Yes", "No");
        await answer(text);
      };
      $("choices").addEventListener("mouseover", () => choices());""",
    "hides": """onSend = async (text) => { add("me", text); choices("Yes"); await answer(text); };
      $("choices").addEventListener("mouseover", () => { $("choices").style.display = "none"; });""",
    "covered": """onSend = async (text) => { add("me", text); choices("Yes"); await answer(text); };
      document.body.append(made("div", { style: "position:fixed;inset:0;z-index:9;pointer-events:none", id: "over" }));
      $("box").addEventListener("keydown", () => { $("over").style.pointerEvents = "auto"; });""",
    "comes_back": """const plain = onSend;
      let times = 0;
      onSend = async (text) => {
        if (text === "Yes") return plain(text);
        add("me", text);
        await answer(text);
        choices("Yes");
      };
      $("choices").addEventListener("mouseover", async () => {
        if (times++) return;
        choices();
        await sleep(300);
        choices("Yes");
      });""",
    "swallows": """onSend = async (text) => {
        add("me", text);
        await answer(text);
        choices("Yes");
        onSend = () => {};
      };""",
    "far_end_shows": """onSend = async (text) => {
        add("me", text);
        await sleep(50);
        const row = add("bot", "See ");
        row.append(made("a", { textContent: "x".repeat(199) + "😀", href: "/cut" }),
          made("a", { textContent: "the form", href: "https://forms.example.com/new?token=sesame123" }),
          made("img", { alt: "a worn stripe", src: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" }),
          made("section", { className: "card", textContent: "5 yuan" }));
      };""",
}

PROFILE = """format: 1
name: multimodal
ready: ".box"
ready_s: 5
input: ".box"
send: "{send}"
{more}messages:
  list: ".log"
  item: ".row"
  card: ".card"
  authors:
    - {{who: user, css: ".me"}}
    - {{who: bot, css: ".bot"}}
"""


@asynccontextmanager
async def multimodal_page() -> AsyncIterator[str]:
    """Serves the page on 127.0.0.1; yields its URL, to which the name of a case is added."""

    async def page(request: web.Request) -> web.Response:
        case = request.query["case"]
        text = PAGE.replace("/*CASE*/", CASES[case.removeprefix("framed_")])
        if case.startswith("framed_"):
            text = f'<!doctype html><iframe src="/?case={case.removeprefix("framed_")}" width=700 height=500></iframe>'
        return web.Response(text=text, content_type="text/html")

    async def upload(request: web.Request) -> web.Response:
        file = (await request.post())["file"]
        assert isinstance(file, web.FileField)
        UPLOADS.append((file.filename, file.content_type, file.file.read()))
        return web.Response()

    UPLOADS.clear()
    app = web.Application(client_max_size=8_000_000)
    app.router.add_get("/", page)
    app.router.add_post("/upload", upload)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/?case="
    finally:
        await runner.cleanup()
