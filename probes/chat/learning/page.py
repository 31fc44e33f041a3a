"""What ``learner.js`` says of a frame, as plain data: elements that could be parts of a chat, and the drawn tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from scenarios.errors import FarEndFault

Sort = Literal["editable", "clickable", "list", "frame"]
Box = tuple[float, float, float, float]  # x, y, width, height in the window of the page


@dataclass(frozen=True)
class Step:
    """One element on the way up: its tag, its attributes, which of its siblings of the same tag it is (from 1)."""

    tag: str
    attrs: dict[str, str]
    nth: int = 1


@dataclass(frozen=True)
class Element:
    """One element that could be a part of a chat."""

    id: int
    sort: Sort
    box: Box
    path: tuple[Step, ...]  # itself first, up to its document or shadow tree
    type: str = ""
    text: str = ""
    shown: bool = True
    top: bool = True  # nothing lies over it
    fixed: bool = False  # stays where it is when the page scrolls
    enabled: bool = True
    scrolls: bool = False
    form: int | None = None
    within: tuple[int, ...] = ()  # ids of all it lies in
    link: str = ""

    @property
    def tag(self) -> str:
        """Its tag."""
        return self.path[0].tag

    @property
    def attrs(self) -> dict[str, str]:
        """Its attributes."""
        return self.path[0].attrs

    @cached_property
    def words(self) -> str:
        """What a visitor reads on it or is read from it."""
        named = ("aria-label", "title", "alt", "placeholder", "data-placeholder", "value")
        return " ".join(filter(None, [self.text, *(self.attrs.get(name, "") for name in named)]))

    @cached_property
    def codes(self) -> str:
        """What its makers call it."""
        return " ".join(value for name, value in self.attrs.items() if name in NAMES or name.startswith("data-test"))


NAMES = ("id", "class", "name")


@dataclass(frozen=True)
class Look:
    """One frame as it is drawn at one moment. Boxes are in the window of the whole page."""

    frame: int  # which of the page's frames; 0 is the page itself
    view: tuple[float, float]  # size of the page's window
    elements: tuple[Element, ...]
    about: str = ""  # what its iframe is called
    size: tuple[float, float] = (0.0, 0.0)  # of its own window

    def of(self, sort: Sort) -> list[Element]:
        """Returns the shown elements of one sort."""
        return [element for element in self.elements if element.sort == sort and element.shown]


@dataclass(eq=False)
class Node:
    """A drawn element with all that is in it; ``kids`` of its shadow tree come first, ``shadowed`` of them."""

    id: int
    tag: str
    attrs: dict[str, str]
    box: Box
    kids: list[Node | str] = field(default_factory=list)
    shadowed: int = 0
    scrolls: bool = False
    clipped: bool = False  # it lies in a box too small to show it
    parent: Node | None = None

    @property
    def classes(self) -> list[str]:
        """Its class names."""
        return self.attrs.get("class", "").split()

    @property
    def drawn(self) -> bool:
        """Whether it can be seen: what is there for screen readers only cannot."""
        x, _, width, height = self.box
        return width > 1 and height > 1 and x > -1000 and not self.clipped

    @property
    def own(self) -> str:
        """The words directly in it."""
        return " ".join(kid.strip() for kid in self.kids if isinstance(kid, str))

    @cached_property
    def text(self) -> str:
        """All words in it, one space between any two pieces."""
        pieces = (kid if isinstance(kid, str) else f" {kid.text} " for kid in self._read())
        return " ".join("".join(pieces).split())  # a stream adds its text in pieces

    def _read(self) -> list[Node | str]:
        """What the observer reads: of a host, its shadow tree only."""
        return self.kids[: self.shadowed] if self.shadowed else self.kids

    def nodes(self) -> Iterator[Node]:
        """Yields itself and all below, in document order."""
        yield self
        for kid in self.kids:
            if isinstance(kid, Node):
                yield from kid.nodes()

    def light(self) -> Iterator[Node]:
        """Yields all below that a selector in the same tree finds."""
        for kid in self.kids[self.shadowed :]:
            if isinstance(kid, Node):
                yield kid
                yield from kid.light()

    def up(self) -> Iterator[Node]:
        """Yields what it lies in, from the inside."""
        place = self.parent
        while place is not None:
            yield place
            place = place.parent

    def same_tree(self) -> Iterator[Node]:
        """Yields what it lies in within its own document or shadow tree, from the inside."""
        place = self
        while place.parent is not None:
            shadowed = any(place is kid for kid in place.parent.kids[: place.parent.shadowed])
            if shadowed:
                return
            place = place.parent
            yield place


class Unreadable(FarEndFault):
    """The page spoils what it is asked: nothing that it says can be relied on."""

    def __init__(self) -> None:
        super().__init__("the page changes how scripts work in it, so it cannot be looked at")


def look_of(
    frame: int, raw: dict[str, Any], *, at: tuple[float, float], view: tuple[float, float], **more: Any
) -> Look:
    """Returns a frame's look from what ``look()`` said, moved to where the frame stands in the page.

    Raises:
        Unreadable: it is no look.
    """
    try:
        elements = tuple(_element(each, at, fixed=more.get("fixed", False)) for each in raw["elements"])
        width, height = raw["view"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Unreadable from error
    return Look(frame, view, elements, about=more.get("about", ""), size=(float(width), float(height)))


def _element(raw: dict[str, Any], at: tuple[float, float], *, fixed: bool) -> Element:
    x, y, width, height = raw["box"]
    path = tuple(Step(step["tag"], step["attrs"], step["nth"]) for step in raw["path"])
    plain = {
        key: raw[key] for key in ("id", "sort", "type", "text", "shown", "top", "enabled", "scrolls", "form", "link")
    }
    within = tuple(raw["within"])
    return Element(**plain, box=(x + at[0], y + at[1], width, height), path=path, within=within,
                   fixed=raw["fixed"] or fixed)  # fmt: skip


def node_of(raw: dict[str, Any], parent: Node | None = None) -> Node:
    """Returns a tree from what ``tree()`` said.

    Raises:
        Unreadable: it is no tree.
    """
    try:
        return _grown(raw, parent)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unreadable from error


def _grown(raw: dict[str, Any], parent: Node | None) -> Node:
    node = Node(raw["id"], raw["tag"], raw["attrs"], tuple(raw["box"]), shadowed=raw["shadowed"],
                scrolls=raw["scrolls"], clipped=raw["clipped"], parent=parent)  # fmt: skip
    node.kids = [kid if isinstance(kid, str) else _grown(kid, node) for kid in raw["kids"]]
    return node
