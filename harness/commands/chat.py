"""``shopper chat``: an unknown chat page is looked at, and a widget profile for it is proposed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.errors import InputError
from scenarios.model import Lang, Text

if TYPE_CHECKING:
    from harness.chat_learning import Learning

app = typer.Typer(no_args_is_help=True, help="Chats: learn a page's widget.")

COLUMNS = (
    Text(zh="项目", en="what"),
    Text(zh="选择器", en="selector"),
    Text(zh="把握", en="how sure"),
    Text(zh="依据", en="why"),
)
STYLES = {"proven": "green", "likely": "none", "guess": "yellow"}


@app.callback()
def group() -> None:
    """Chats: learn a page's widget."""


@app.command("learn")
def learn(
    url: Annotated[str, typer.Argument(metavar="URL", help="the page with the chat")],
    out: Annotated[
        Path, typer.Option("--out", help="where the proposed profile goes, our-widget.yaml; pictures beside it")
    ],
    send: Annotated[
        bool, typer.Option("--send", help="send one harmless message, twice: to learn, and to prove it")
    ] = False,
    text: Annotated[
        str | None, typer.Option("--text", help="that message; default: 你好, or hello with --lang en")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite the files of an earlier proposal")] = False,
    authorisation: Annotated[
        Path | None,
        typer.Option("--authorisation", help="default: authorisation.yaml beside --out; this machine needs none"),
    ] = None,
    block_third_party: Annotated[
        bool, typer.Option("--block-third-party", help="the page gets nothing from other hosts")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=1, max=120, help="seconds for a page that builds its chat late")
    ] = 8,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: language of what is printed", metavar="zh|en")] = "zh",
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON document on stdout, everything else on stderr")
    ] = False,
) -> None:
    """Find launcher, box and messages of a chat page, and propose its widget profile. Sends nothing without --send."""
    from harness import chat_learning, signals

    if lang not in ("zh", "en"):
        raise InputError(f"--lang {lang} is not a language of this tool", cure="zh or en")
    language: Lang = "zh" if lang == "zh" else "en"
    if text is not None and not send:
        raise InputError(
            "--text says what is sent, and nothing is sent without --send", cure="add --send, or leave out --text"
        )
    default = "你好" if language == "zh" else "hello"
    words = (default if text is None else text) if send else None
    if words is not None and (not words.strip() or "\n" in words or len(words) > 200):
        raise InputError("--text must be one line of 1 to 200 letters")
    console = Console(stderr=as_json)
    request = chat_learning.Request(url, out, language, words, authorisation, block_third_party, wait, force)
    try:
        with console.status(Text(zh="查看页面 …", en="looking at the page …").in_(language)):
            done = signals.run(chat_learning.learn(request, datetime.now(UTC)))
    except (signals.Interrupted, asyncio.CancelledError):
        typer.echo("shopper: stopped; the page was closed, and what was written by then is kept", err=True)
        raise typer.Exit(130) from None
    _render(console, done, language)
    if as_json:
        typer.echo(json.dumps(_document(done, language), ensure_ascii=False))
    raise typer.Exit(done.exit_code)


def _render(console: Console, done: Learning, lang: Lang) -> None:
    from probes.chat.learning import proposal
    from probes.chat.learning.findings import joined

    table = Table(box=box.SIMPLE_HEAD)
    for column in COLUMNS:
        table.add_column(column.in_(lang), overflow="fold")
    for what, value, sure, why in proposal.rows(done.learnt):
        table.add_row(
            what,
            escape(value),
            f"[{STYLES[sure]}]{proposal.SURE[sure].in_(lang)}[/]",
            escape(joined(why, lang)),
        )
    if table.row_count:
        console.print(table)
    learnt = done.learnt
    if learnt.sent is not None:
        answer = learnt.answer or Text(zh="（无）", en="(none)").in_(lang)
        said = Text(zh=f"已发送“{learnt.sent}”，回答：{answer}", en=f"sent “{learnt.sent}”, answered: {answer}")
        console.print(said.in_(lang), markup=False, soft_wrap=True, highlight=False)
    for note in learnt.notes:
        console.print(note.in_(lang), markup=False, soft_wrap=True, highlight=False)
    for problem in learnt.problems:
        start = Text(zh="未解决：", en="not found: ").in_(lang)
        console.print(start + problem.in_(lang), style="red", markup=False, soft_wrap=True, highlight=False)
    console.print(VERDICTS[_verdict(done)].in_(lang), style="bold", markup=False, soft_wrap=True)
    for label, path in (
        (Text(zh="配置", en="profile"), done.profile),
        *((Text(zh="截图", en="picture"), each) for each in done.pictures),
    ):
        if path is not None:
            console.print(f"{label.in_(lang)}: {path}", markup=False, soft_wrap=True, highlight=False)


VERDICTS = {
    "proven": Text(zh="用该配置重新走通了一轮：可以使用；仍标为猜测的行请核对。",
                   en="One turn was held again with this profile: it can be used. Check what is still a guess."),
    "unproven": Text(zh="已提出配置，但没有走通；请先修改。",
                     en="A profile is proposed, but the turn with it failed: correct it first."),
    "looked": Text(zh="只是查看，未发送任何消息：作者规则尚不知道。加 --send 发送一条消息即可得知。",
                   en="Only looked, nothing was sent: whose messages look how is not known. --send sends one."),
    "nothing": Text(zh="没有提出配置。", en="No profile is proposed."),
}  # fmt: skip


def _verdict(done: Learning) -> str:
    if done.profile is None:
        return "nothing"
    if done.learnt.sent is None:
        return "looked"
    return "proven" if done.learnt.proven else "unproven"


def _document(done: Learning, lang: Lang) -> dict[str, Any]:
    from probes.chat.learning import proposal

    learnt = done.learnt
    return {
        "format": 1,
        "url": learnt.url,
        "profile": None if done.profile is None else str(done.profile),
        "pictures": [str(path) for path in done.pictures],
        "found": [
            {"what": what, "value": value, "sure": sure, "why": [each.in_(lang) for each in why]}
            for what, value, sure, why in proposal.rows(learnt)
        ],
        "sent": learnt.sent,
        "answer": learnt.answer,
        "proven": learnt.proven,
        "problems": [problem.in_(lang) for problem in learnt.problems],
        "notes": [note.in_(lang) for note in learnt.notes],
        "exit_code": done.exit_code,
    }
