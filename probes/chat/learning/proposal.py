"""The proposal as a profile's file, each line with how sure it is and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from probes.chat.learning.authors import REST
from probes.chat.learning.findings import AuthorFinding, Finding, Learnt, Sure, joined
from probes.chat.learning.proof import Proof
from scenarios.model import Lang, Text

SURE: dict[Sure, Text] = {
    "proven": Text(zh="已证实", en="proven"),
    "likely": Text(zh="很可能", en="likely"),
    "guess": Text(zh="猜测", en="a guess"),
}
HEAD = Text(
    zh="聊天窗口配置，由 shopper chat learn 提出：{url}\n"
    "# 每行注明把握：已证实（用本文件重新走通一轮）、很可能、猜测。\n"
    "# 使用前请逐行核对；各键含义见 docs/chat.md。",
    en="A widget profile proposed by shopper chat learn: {url}\n"
    "# Each line says how sure it is: proven (by a second session with this file), likely, a guess.\n"
    "# Check it before use; docs/chat.md says what the keys mean.",
)
NOTICES = (
    ("queue", r"前面还有\s*(?P<position>\d+)\s*(位|人|名)"),
    ("queue", r"(?P<position>\d+) (people|customers?) (are )?ahead of you"),
    ("joined", r"已为您接入|已接入会话|has joined"),
    ("left", r"已离开会话|has left"),
    ("end", r"(会话|服务|对话)已(结束|关闭)|chat has ended"),
)
COMMON = Text(
    zh="常见措辞，未见过；请按被测机构的原话修改", en="common wordings, not seen here: put in the centre's own"
)
LOOK_ALIKE = Text(
    zh="未见过人工客服：接入通知之后即视为人工", en="no human was seen: after the joined notice it is one"
)
GREETS = Text(zh="页面先打招呼，等它说完", en="it greets by itself: wait for that")
INSIDE = Text(zh="输入框在其中", en="the box is in it")
OWN_KEY = Text(
    zh="每条消息各不相同；若重绘后不变可启用", en="each message has its own; take it in if a redraw does not change it"
)
SOCKET = Text(
    zh="等 WebSocket 接通，以免丢失首条消息", en="the page's WebSocket was open; a message before that may be lost"
)


def proved(learnt: Learnt, proof: Proof) -> None:
    """Takes over what the second session showed: what it proved, and what it did not."""
    learnt.proven = proof.whole
    if not proof.opened:
        learnt.problems.append(
            Text(zh=f"用该配置未能打开聊天：{proof.fault}", en=f"with the profile the chat did not open: {proof.fault}")
        )
        return
    learnt.clicks = tuple(replace(click, sure="proven") for click in learnt.clicks)
    learnt.ready, learnt.input = _proven(learnt.ready), _proven(learnt.input)
    if proof.echo is None:
        learnt.problems.append(
            Text(
                zh=f"用该配置未见到本方消息：{proof.fault or '—'}",
                en=f"with the profile our message was not found: {proof.fault or '-'}",
            )
        )
        return
    learnt.send = _proven(learnt.send)
    learnt.answer = proof.answer or learnt.answer
    assert learnt.messages is not None
    held = learnt.messages
    if proof.echo != "user":
        learnt.problems.append(Text(zh="本方消息没有被认作本方", en="our message was found, but not under our name"))
    if proof.speaker is None:
        learnt.problems.append(
            Text(
                zh=f"用该配置未见到回答：{proof.fault or '—'}",
                en=f"with the profile no answer was found: {proof.fault or '-'}",
            )
        )
    elif proof.speaker in ("user", "unknown"):
        learnt.problems.append(
            Text(zh=f"回答者未被认出（{proof.speaker}）", en=f"who answered was not told ({proof.speaker})")
        )
    spoke = {proof.echo, proof.speaker} - {"unknown", None}
    rules: list[AuthorFinding] = []
    for rule in held.authors:
        first = rule.who in spoke and rule.who not in {other.who for other in rules}
        rules.append(replace(rule, sure="proven") if first else rule)
    learnt.messages = replace(
        held,
        list=replace(held.list, sure="proven"),
        item=replace(held.item, sure="proven" if proof.speaker else "likely"),
        text=_proven(held.text) if proof.speaker else held.text,
        authors=tuple(rules),
        typing=_proven(held.typing) if proof.typing else held.typing,
    )


def _proven(finding: Finding | None) -> Finding | None:
    return None if finding is None else replace(finding, sure="proven")


def rows(learnt: Learnt) -> Iterator[tuple[str, str, Sure, tuple[Text, ...]]]:
    """Yields key, value, how sure, and why, of everything that was found."""
    if learnt.frames:
        yield "frame", " > ".join(learnt.frames), learnt.input.sure if learnt.input else "guess", (INSIDE,)
    for click in learnt.clicks:
        yield "open", click.css, click.sure, click.why
    for finding in (learnt.ready, learnt.input, learnt.send):
        if finding is not None:
            yield finding.what, finding.css, finding.sure, finding.why
    held = learnt.messages
    if held is None:
        return
    for part in (held.list, held.item, held.text):
        if part is not None:
            yield f"messages.{part.what}", part.css, part.sure, part.why
    if held.drop:
        yield "messages.drop", ", ".join(held.drop), held.item.sure, (Text(zh="不属于原话", en="nobody said it"),)
    for rule in held.authors:
        yield f"authors: {rule.who}", rule.css or f"starts: {rule.starts}", rule.sure, rule.why
    if held.typing is not None:
        yield "typing", held.typing.css, held.typing.sure, held.typing.why


def write_profile(learnt: Learnt, name: str, lang: Lang) -> str:
    """Returns the profile's file.

    Args:
        learnt: complete (see :attr:`Learnt.complete`).
        name: of the widget.
        lang: of the comments.
    """
    assert learnt.input is not None
    assert learnt.ready is not None
    assert learnt.messages is not None
    held = learnt.messages

    def note(sure: Sure, *why: Text) -> str:
        return (
            f"  # {SURE[sure].in_(lang)}" + ("：" if why and lang == "zh" else ": " if why else "") + joined(why, lang)
        )

    lines = [f"# {HEAD.in_(lang).format(url=learnt.url)}", "format: 1", f"name: {_text(name)}"]
    if learnt.frames:
        sure: Sure = "likely" if learnt.input.sure == "guess" else learnt.input.sure
        lines.append(f"frame: {_frames(learnt.frames)}{note(sure, INSIDE)}")
    if learnt.clicks:
        lines.append("open:")
        for click in learnt.clicks:
            outside = click.frames != learnt.frames
            where = f", frame: {_frames(click.frames)}" if click.frames else ""
            value = f"{{css: {_text(click.css)}{where}}}" if outside else _text(click.css)
            lines.append(f"  - {value}{note(click.sure, *click.why)}")
    lines.append(f"ready: {_text(learnt.ready.css)}{note(learnt.ready.sure, *learnt.ready.why)}")
    if learnt.ready_socket:
        lines.append(f"ready_socket: true{note('proven' if learnt.proven else 'guess', SOCKET)}")
    if learnt.greets:
        lines.append(f"greets_s: 5{note('likely', GREETS)}")
    lines.append(f"input: {_text(learnt.input.css)}{note(learnt.input.sure, *learnt.input.why)}")
    if learnt.send is not None:
        lines.append(f"send: {_text(learnt.send.css)}{note(learnt.send.sure, *learnt.send.why)}")
        if learnt.button and learnt.button != learnt.send.css:
            lines.append(
                f"# send: {_text(learnt.button)}  # "
                + Text(zh="也可点击此按钮", en="the button, if Enter does not do").in_(lang)
            )
    lines.append("messages:")
    parts = [part for part in (held.list, held.item, held.text) if part is not None]
    lines += [f"  {part.what}: {_text(part.css)}{note(part.sure, *part.why)}" for part in parts]
    if held.drop:
        lines.append(
            f"  drop: [{', '.join(map(_text, held.drop))}]{note('likely', Text(zh='不属于原话', en='nobody said it'))}"
        )
    if held.key:
        lines.append(f"  # key: {_text(held.key)}  # {OWN_KEY.in_(lang)}")
    lines.append("  authors:")
    for rule in held.authors:
        how = f"css: {_text(rule.css)}" if rule.css is not None else f"starts: {_text(rule.starts or '')}"
        lines.append(f"    - {{who: {rule.who}, {how}}}{note(rule.sure, *rule.why)}")
    if held.typing is not None:
        lines.append(f"typing: {_text(held.typing.css)}{note(held.typing.sure, *held.typing.why)}")
    if any(rule.who == "bot" and REST in rule.why for rule in held.authors):
        lines.append(f"agent_after_joined: true{note('guess', LOOK_ALIKE)}")
    lines.append(f"notices:{note('guess', COMMON)}")
    by = "[system, bot, unknown]"
    lines += [f"  - {{role: {role}, by: {by}, pattern: '{pattern}'}}" for role, pattern in NOTICES]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A value in YAML, quoted where it needs to be."""
    if (
        value.isidentifier()
        and value.isascii()
        and value.lower() not in ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
    ):
        return value
    if '"' in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)


def _frames(frames: tuple[str, ...]) -> str:
    return _text(frames[0]) if len(frames) == 1 else f"[{', '.join(map(_text, frames))}]"
