"""Which elements of a page are its launcher, its box, its send button, its list of messages: weighed by stated signs.

Each sign adds or takes points and has its words, so that the proposal can say why. Pure functions on what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from probes.chat.learning.page import Element, Look
from probes.chat.learning.vocabulary import (
    ASKS,
    CALLS,
    INPUT_CODES,
    LAUNCHER_CODES,
    LIST_CODES,
    NOT_INPUT,
    NOT_INPUT_TYPES,
    NOT_LAUNCHER,
    NOT_LAUNCHER_CODES,
    NOT_SEND,
    SEND_CODES,
    SENDS,
    WEAK_CALLS,
)
from scenarios.model import Text

LAUNCHER, INPUT_ALONE, INPUT_OPENED, INPUT_GUESS, SEND, LIST = 4.0, 5.0, 3.0, 3.0, 3.5, 3.5  # least points
REASONS = 3
LIKELY = 2.5  # points above the least that make it likely rather than a guess


@dataclass(frozen=True)
class Place:
    """An element that may be it, with its points and what speaks for it."""

    look: Look
    element: Element
    points: float
    why: tuple[Text, ...]


class _Weighing:
    """Adds up the signs of one element."""

    def __init__(self) -> None:
        self.points = 0.0
        self.signs: list[tuple[float, Text]] = []

    @property
    def why(self) -> tuple[Text, ...]:
        """What speaks most for it."""
        return tuple(text for _, text in sorted(self.signs, key=lambda sign: -sign[0])[:REASONS])

    def sign(self, holds: object, points: float, zh: str = "", en: str = "") -> None:
        """Counts a sign if it holds; its words are kept if it speaks for the element."""
        if holds:
            self.points += points
            if zh and points > 0:
                self.signs.append((points, Text(zh=zh, en=en)))


def launchers(looks: Iterable[Look]) -> list[Place]:
    """Returns what may open the chat, the best first, if it is good enough to be clicked."""
    return _best(looks, "clickable", _launcher, LAUNCHER)


def inputs(looks: Sequence[Look], before: frozenset[tuple[int, int]] | None = None, least: float = 0.0) -> list[Place]:
    """Returns what may be the box that messages are written into, the best first.

    Args:
        looks: all frames.
        before: frame and id of the editable elements that were shown before the launcher was clicked, if one was.
        least: least points.
    """
    alone = sum(len(look.of("editable")) for look in looks) == 1

    def weigh(look: Look, element: Element) -> _Weighing:
        found = _input(look, element)
        found.sign(
            before is not None and (look.frame, element.id) not in before,
            3,
            "点击入口后出现",
            "appeared after the click",
        )
        found.sign(alone, 2, "页面上唯一的输入框", "the only box on the page")
        return found

    return _best(looks, "editable", weigh, least)


def send_buttons(look: Look, box: Element) -> list[Place]:
    """Returns what may send what stands in ``box``, the best first."""
    return _best([look], "clickable", lambda _, element: _send(box, element), SEND)


def lists(look: Look, box: Element) -> list[Place]:
    """Returns what may hold the messages, the best first, before any was sent."""
    return _best([look], "list", lambda _, element: _list(look, box, element), LIST)


def form_before(look: Look, before: frozenset[tuple[int, int]]) -> bool:
    """Says whether a form has appeared that asks who we are: boxes for a name, a number or an address."""
    new = [each for each in look.of("editable") if (look.frame, each.id) not in before]
    asked = [each for each in new if NOT_INPUT.search(f"{each.words} {each.codes}") or each.type in NOT_INPUT_TYPES]
    return bool(asked)


def _best(looks: Iterable[Look], sort: str, weigh: Callable[[Look, Element], _Weighing], least: float) -> list[Place]:
    found = []
    for look in looks:
        for element in look.elements:
            if element.sort == sort:
                weighed = weigh(look, element)
                if weighed.points >= least:
                    found.append(Place(look, element, weighed.points, weighed.why))
    return sorted(found, key=lambda place: -place.points)


def _launcher(look: Look, element: Element) -> _Weighing:
    it = _Weighing()
    x, y, width, height = element.box
    right, low = (x + width / 2) / look.view[0], (y + height / 2) / look.view[1]
    short = len(element.text) <= 24
    called = CALLS.search(element.words) if short else None
    it.sign(not element.shown or width < 8 or height < 8, -20)
    it.sign(called, 4.5, f"写着“{_short(element.words)}”", f"it says “{_short(element.words)}”")
    it.sign(not called and short and WEAK_CALLS.search(element.words), 2, f"写着“{_short(element.words)}”",
            f"it says “{_short(element.words)}”")  # fmt: skip
    it.sign(
        CALLS.search(look.about) or LAUNCHER_CODES.search(look.about),
        2,
        "所在框架与聊天有关",
        "its frame is named after a chat",
    )
    it.sign(LAUNCHER_CODES.search(element.codes), 2, "名称与聊天有关", "it is named after a chat")
    it.sign(element.fixed, 2.5, "固定在窗口中", "it stays in the window")
    it.sign(element.fixed and right > 0.6 and low > 0.55, 2, "位于右下角", "it is at the bottom right")
    it.sign(element.fixed and right > 0.85 and low <= 0.55, 1, "位于右侧边缘", "it is at the right edge")
    it.sign(width * height > look.view[0] * look.view[1] / 4, -5)
    it.sign(element.attrs.get("aria-haspopup") == "dialog" or "aria-controls" in element.attrs, 0.5)
    it.sign(not element.enabled, -3)
    it.sign(not element.top, -2)
    it.sign(NOT_LAUNCHER.search(element.words), -5)
    it.sign(NOT_LAUNCHER_CODES.search(element.codes), -4)
    it.sign(element.form is not None and element.type == "submit", -3)
    it.sign(len(element.text) > 60, -4)
    link = urlsplit(element.link)
    it.sign(link.scheme in ("tel", "mailto", "sms", "javascript") and link.scheme != "javascript", -20)
    it.sign(link.scheme in ("http", "https") and not element.attrs.get("href", "").startswith("#"), -1)
    it.sign(any(step.tag in ("nav", "footer") for step in element.path), -0.5)
    return it


def _input(look: Look, element: Element) -> _Weighing:
    it = _Weighing()
    _, y, width, height = element.box
    asked = ASKS.search(element.words)
    multi = element.tag == "textarea" or element.tag != "input"
    it.sign(not element.shown or width < 20 or height < 8, -20)
    it.sign(multi, 2, "可写多行", "it takes several lines")
    it.sign(not multi, 1, "可写一行", "it takes a line")
    it.sign(asked, 4, f"提示“{_short(element.words)}”", f"it says “{_short(element.words)}”")
    it.sign(INPUT_CODES.search(element.codes), 2, "名称与消息有关", "it is named after messages")
    it.sign(
        CALLS.search(look.about) or LAUNCHER_CODES.search(look.about),
        2,
        "所在框架与聊天有关",
        "its frame is named after a chat",
    )
    it.sign(NOT_INPUT.search(f"{element.words} {element.codes}") or element.type in NOT_INPUT_TYPES, -6)
    it.sign(any(step.attrs.get("role") == "search" for step in element.path), -6)
    it.sign(any("cookie" in step.attrs.get("class", "") for step in element.path), -4)
    it.sign(element.fixed, 1, "固定在窗口中", "it stays in the window")
    it.sign(y > look.view[1] * 0.5, 0.5, "位于下方", "it is low on the page")
    it.sign(width >= 120, 0.5)
    it.sign(
        any(_send(element, other).points >= SEND for other in look.of("clickable")),
        2,
        "旁边有发送按钮",
        "a send button stands by it",
    )
    it.sign(any(_above(element, other) for other in look.of("list")), 1, "上方有消息列表", "a list stands above it")
    return it


def _send(box: Element, element: Element) -> _Weighing:
    it = _Weighing()
    x, y, width, height = element.box
    bx, by, bwidth, bheight = box.box
    across, down = x + width / 2 - bx, y + height / 2 - by
    it.sign(not element.shown or width < 8 or height < 8, -20)
    it.sign(element.id in box.within, -20)
    it.sign(SENDS.search(element.words), 3, f"写着“{_short(element.words)}”", f"it says “{_short(element.words)}”")
    it.sign(SEND_CODES.search(element.codes), 2, "名称与发送有关", "it is named after sending")
    it.sign(element.form is not None and element.form == box.form, 1.5, "与输入框同一表单", "it is in the box's form")
    it.sign(element.type == "submit" and element.form is not None, 0.5)
    near = -20 <= down <= bheight + 70 and bwidth * 0.4 <= across <= bwidth + 140
    it.sign(near, 1.5, "在输入框右侧或下方", "it is right of the box or below it")
    it.sign(not near, -3)
    it.sign(NOT_SEND.search(f"{element.words} {element.codes}"), -4)
    return it


def _list(look: Look, box: Element, element: Element) -> _Weighing:
    it = _Weighing()
    _, _, width, height = element.box
    role = element.attrs.get("role", "")
    it.sign(role in ("log", "feed"), 4, f"role={role}", f"role={role}")
    live = element.attrs.get("aria-live") in ("polite", "assertive")
    it.sign(live, 2, "朗读新内容（aria-live）", "new content is read out (aria-live)")
    it.sign(LIST_CODES.search(element.codes), 2.5, "名称与消息有关", "it is named after messages")
    it.sign(element.scrolls, 2, "可滚动", "it scrolls")
    it.sign(_above(box, element), 1.5, "在输入框上方", "it is above the box")
    it.sign(element.id in box.within, -4)
    it.sign(element.tag in ("body", "html", "main"), -4)
    it.sign(1 < width < 60 or (width <= 1 or (height <= 1 and live)), -5)
    it.sign(width * height > look.view[0] * look.view[1] * 0.9, -2)
    return it


def _above(box: Element, element: Element) -> bool:
    """Whether an element that could be a list stands over the box and about as wide."""
    x, y, width, _ = element.box
    bx, by, bwidth, bheight = box.box
    overlap = min(x + width, bx + bwidth) - max(x, bx)
    return element.id not in box.within and y < by + bheight and overlap > min(width, bwidth) * 0.5 and y > by - 1500


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"
