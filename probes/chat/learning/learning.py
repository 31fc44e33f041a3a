"""Learning a chat page: it is opened, looked at, on request one harmless message is sent, and a profile is proposed."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Frame
from playwright.async_api import TimeoutError as PlaywrightTimeout

from probes.chat.browser import Browser, first_line
from probes.chat.learning import authors, places, talk
from probes.chat.learning.findings import Finding, Learnt, Messages
from probes.chat.learning.opening import Opening, sure
from probes.chat.learning.page import Element, Look, Node
from probes.chat.learning.places import Place
from probes.chat.learning.selectors import WORST, Token
from probes.chat.learning.visit import CLICK_S, Mark, PageVisit
from probes.chat.learning.vocabulary import AUTHORS
from probes.chat.redaction import redacted
from probes.chat.safety import closed_roots
from probes.target import Chat
from scenarios.errors import HarnessFault
from scenarios.model import Lang, Text

SHOT_S = 0.2
SETTLE_S = 1.5  # an answer is whole after so long without a change
UNSENT_S = 2.0  # Enter has not sent it: the box still holds it
LABELS = {
    "launcher": Text(zh="入口", en="launcher"),
    "input": Text(zh="输入框", en="input"),
    "send": Text(zh="发送", en="send"),
    "list": Text(zh="消息列表", en="list"),
    "ours": Text(zh="本方消息", en="our message"),
    "theirs": Text(zh="对方消息", en="their message"),
}


@dataclass(frozen=True)
class Wish:
    """What the user asked for. ``send`` None: nothing is sent."""

    lang: Lang
    before: Path  # pictures
    found: Path
    send: str | None = None
    wait_s: float = 8.0  # for a page that builds its chat late
    reply_s: float = 20.0


async def learn(chat: Chat, browser: Browser, wish: Wish) -> Learnt:
    """Opens the page and finds the parts of its chat.

    Raises:
        FarEndFault: the page did not load.
        HarnessFault: the browser failed.
        ToolMissing: there is no browser.
    """
    try:
        async with browser.turn(), PageVisit(chat, browser, wish.lang) as visit:
            await visit.load()
            return await _Learner(visit, chat, wish).learn()
    except PlaywrightError as error:
        raise HarnessFault(f"the browser failed while learning the page: {first_line(error)}") from error


class _Learner:
    def __init__(self, visit: PageVisit, chat: Chat, wish: Wish) -> None:
        self._visit, self._wish = visit, wish
        self._learnt = Learnt(url=redacted(chat.url))
        self._marks: list[Mark] = []
        label = LABELS["launcher"].in_(wish.lang)
        self._opening = Opening(visit, wait_s=wish.wait_s, picture=wish.before, label=label)

    async def learn(self) -> Learnt:
        it = self._learnt
        looks = await self._opening.settled()
        if await self._visit.refuse_banner():
            it.notes.append(Text(zh="已拒绝 cookie", en="cookies were refused"))
            looks = await self._opening.settled()
        await self._visit.picture(self._wish.before)
        box = await self._opening.box(looks)
        it.clicks, self._marks = self._opening.clicks, self._opening.marks
        if box is None:
            await self._no_box()
        else:
            try:
                await self._take_box(box)
                await self._take_messages(box)
            except LookupError as error:
                self._miss(f"没有能单独指明它的选择器（{error}）", str(error))
            if it.messages is None:
                await self._blind("消息", "the messages")
        await self._visit.picture(self._wish.found, self._marks)
        for text in self._visit.dialogs:
            note = Text(zh=f"页面弹出对话框，已取消：{text}", en=f"the page opened a dialog, dismissed: {text}")
            it.notes.append(note)
        return it

    # --- the box ------------------------------------------------------------------------------------------------------

    async def _take_box(self, box: Place) -> None:
        it, frame = self._learnt, self._visit.frames[box.look.frame]
        token = await self._visit.selector(frame, box.element.id, clicked=True)
        way = await self._visit.way_in(frame)
        it.frames = tuple(each.css for each in way)
        least = places.INPUT_OPENED if it.clicks else places.INPUT_ALONE
        it.input = Finding("input", token.css, sure(box, least), box.why).weaker(token)
        why = Text(zh="输入框出现并可用", en="the box is shown and can be used")
        watched = await self._visit.selector(frame, box.element.id)
        usable = ":enabled" if box.element.tag in ("input", "textarea") else ""
        ready = ", ".join(dict.fromkeys(f"{css}{usable}" for css in (watched.css, token.css)))
        it.ready = Finding("ready", ready, "guess", (why,))
        it.ready_socket = bool(await self._visit.sockets(frame))
        self._marks.append((LABELS["input"].in_(self._wish.lang), frame, box.element.id))
        await self._take_button(box.look, box.element, frame)

    async def _take_button(self, look: Look, box: Element, frame: Frame) -> None:
        if self._learnt.send is None:
            why = Text(zh="多数聊天窗口用回车发送", en="most chats send by Enter")
            self._learnt.send = Finding("send", "Enter", "guess", (why,))
        for button in places.send_buttons(look, box)[:1]:
            if self._learnt.button is None:
                self._learnt.button = (await self._visit.selector(frame, button.element.id, clicked=True)).css
                self._marks.append((LABELS["send"].in_(self._wish.lang), frame, button.element.id))

    # --- the messages -------------------------------------------------------------------------------------------------

    async def _take_messages(self, box: Place) -> None:
        frame = self._visit.frames[box.look.frame]
        if not box.element.enabled:
            self._miss("输入框一直不可用", "the box could not be used: it stayed disabled")
        if self._wish.send is None or not box.element.enabled:
            await self._still(box, frame)
            return
        try:
            before, shots = await self._turn(box, frame, self._wish.send)
        except PlaywrightTimeout:
            self._miss("输入框不接受输入", "the box does not take input")
            await self._still(box, frame)
            return
        seen = talk.read_turn(before, shots, self._wish.send, box.element.id)
        self._learnt.sent = self._wish.send
        if seen is None:
            self._miss("消息已发送，但页面没有显示它", "our message was sent, and the page never showed it")
            self._learnt.proven = False
            await self._blind("本方消息", "our message")
            await self._still(box, frame)
            return
        self._learnt.answer = " / ".join(node.text for node in seen.new)[:200] or None
        if not seen.new:
            self._miss(
                f"{self._wish.reply_s:g} 秒内没有回答，对方的消息未知",
                f"no answer within {self._wish.reply_s:g} s: what theirs look like is not known",
            )
        self._learnt.messages = await self._messages(frame, seen, before, shots)
        if self._learnt.send is not None and self._learnt.send.css == "Enter":
            why = Text(zh="回车已发出消息", en="Enter sent our message")
            self._learnt.send = Finding("send", "Enter", "likely", (why,))

    async def _turn(self, box: Place, frame: Frame, text: str) -> tuple[Node, list[Node]]:
        """Sends one message and watches until it is answered."""
        assert self._learnt.input is not None
        clock, place = asyncio.get_running_loop().time, self._visit.place(frame, self._learnt.input.css)
        before = await self._visit.tree(frame, box.element.id)
        await place.fill(text, timeout=CLICK_S * 1000)
        for look in await self._visit.looks():  # some show their button only now
            if look.frame == box.look.frame and (now := _by_id(look, box.element.id)) is not None:
                await self._take_button(look, now, frame)
        await self._visit.watch(frame, box.element.id)
        await place.press("Enter", timeout=CLICK_S * 1000)
        shots: list[Node] = []
        start = changed = clock()
        last: object = None
        seen, read = None, 0  # after so many shots
        while clock() - start < self._wish.reply_s:
            await asyncio.sleep(SHOT_S)
            with contextlib.suppress(PlaywrightError):
                for shot in await self._visit.shots(frame, box.element.id):
                    state = (shot.text, frozenset(node.id for node in shot.nodes() if node.drawn))
                    if state != last:
                        shots.append(shot)
                        last, changed = state, clock()
            if clock() - changed > SETTLE_S:
                if read != len(shots):
                    seen, read = talk.read_turn(before, shots, text, box.element.id), len(shots)
                if seen is not None and seen.new:
                    break
                if seen is None and clock() - start > UNSENT_S:
                    await self._press_button(frame, text)
        return before, shots

    async def _press_button(self, frame: Frame, text: str) -> None:
        """Enter did not send it, for the box still holds it: the button is clicked, if there is one."""
        assert self._learnt.input is not None
        if self._learnt.send is None or self._learnt.send.css != "Enter":
            return
        place = self._visit.place(frame, self._learnt.input.css)
        held = await place.evaluate("(e) => e.value ?? e.textContent")
        if self._learnt.button is None or talk.same(str(held)) != talk.same(text):
            return
        why = Text(zh="回车不发送，按钮发送", en="Enter does not send it, the button does")
        self._learnt.send = Finding("send", self._learnt.button, "likely", (why,))
        await place.fill(text, timeout=CLICK_S * 1000)
        await self._visit.place(frame, self._learnt.button).click(timeout=CLICK_S * 1000)

    async def _messages(self, frame: Frame, seen: talk.Seen, before: Node, shots: list[Node]) -> Messages:
        lang = self._wish.lang
        token = await self._list(frame, seen)
        self._learnt.greets = len(seen.theirs) > len(seen.new)
        many = len(seen.members) > 1
        held = Text(
            zh=f"含有本方和对方共 {len(seen.members)} 条消息", en=f"it held ours and theirs, {len(seen.members)} in all"
        )
        one = Text(zh="发送后本方消息出现在其中", en="our message appeared in it")
        item = Finding("item", seen.item, "likely" if many and seen.new else "guess", (held if many else one,))
        text, drop = authors.words(seen, self._wish.send or "")
        self._marks.append((LABELS["list"].in_(lang), frame, seen.list.id))
        for number, node in enumerate(sorted(seen.members, key=lambda node: node.box[1]), 1):
            whose = "ours" if node is seen.ours else "theirs"
            self._marks.append((f"{LABELS[whose].in_(lang)} {number}", frame, node.id))
        return Messages(
            list=Finding("list", token.css, "likely", (held if many else one,)).weaker(token),
            item=item.weaker(Token(seen.item, seen.rank)),
            text=text,
            drop=drop,
            authors=tuple(authors.authors(seen)),
            typing=authors.typing(before, shots, seen),
            key=authors.key(seen),
        )

    async def _list(self, frame: Frame, seen: talk.Seen) -> Token:
        """Returns a selector of the list, or of what is around it if that is more likely to hold."""
        token = await self._visit.selector(frame, seen.list.id)
        for around in seen.list.same_tree():
            if token.rank < WORST or around.tag in ("body", "html"):
                break
            wider = await self._visit.selector(frame, around.id)
            token = wider if wider.rank < WORST else token
        return token

    async def _still(self, box: Place, frame: Frame) -> None:
        """Proposes list and message from what stands there before anything was said."""
        looks = [look for look in await self._visit.looks() if look.frame == box.look.frame]
        now = _by_id(looks[0], box.element.id) if looks else None
        found = places.lists(looks[0], now) if now is not None else []
        if not found:
            return
        place = found[0]
        token = await self._visit.selector(frame, place.element.id)
        root = await self._visit.tree(frame, place.element.id)
        held = next((node for node in root.nodes() if node.id == place.element.id), None)
        item = talk.item_in(held, AUTHORS) if held is not None else None
        self._marks.append((LABELS["list"].in_(self._wish.lang), frame, place.element.id))
        members = [] if held is None or item is None else talk.members_of(held, item)
        self._marks += [
            (LABELS["theirs"].in_(self._wish.lang) + f" {n}", frame, node.id) for n, node in enumerate(members, 1)
        ]
        why = Text(zh="列表中已有的内容", en="what the list already holds")
        none = Text(zh="列表为空，假定每个子元素是一条消息", en="the list is empty: each child is taken for a message")
        self._learnt.messages = Messages(
            list=Finding("list", token.css, sure(place, places.LIST), place.why).weaker(token),
            item=Finding("item", item.css if item else ":scope > *", "guess", (why if item else none,)),
            authors=tuple(authors.still(members)),
        )

    # --- what could not be found --------------------------------------------------------------------------------------

    async def _no_box(self) -> None:
        looks = await self._visit.looks()
        if self._opening.clicked and any(places.form_before(look, self._opening.before) for look in looks):
            self._miss(
                "聊天之前要求填写个人信息；本工具不会代填",
                "a form asks who we are before the chat; it is not filled in",
            )
        for url in dict.fromkeys(self._visit.windows):
            self._miss(
                f"聊天要在新窗口中打开：{url}；请对该地址运行本命令",
                f"it wants to open a window at {url}: learn that address",
            )
        if self._visit.away is not None:
            self._miss(
                f"点击后要前往另一主机（{self._visit.away}），已阻止",
                f"it wanted to leave for another host ({self._visit.away}), which was stopped",
            )
        if hosts := ", ".join(self._visit.refused):
            self._miss(f"已拒绝这些主机提供的内容：{hosts}", f"parts of the page were refused, from {hosts}")
        await self._blind("输入框", "a box to write into")
        if self._opening.clicked:
            tried = ", ".join(self._opening.clicked)
            self._miss(f"点击 {tried} 之后没有出现输入框", f"no box to write into appeared after clicking {tried}")
        else:
            self._miss("没有找到聊天入口，也没有找到输入框", "neither a launcher nor a box to write into was found")

    def _miss(self, zh: str, en: str) -> None:
        self._learnt.problems.append(Text(zh=zh, en=en))

    async def _blind(self, zh: str, en: str) -> None:
        """Says that something may be hidden where nobody can look."""
        roots = await closed_roots(self._visit.page)
        if roots:
            names = ", ".join(roots)
            self._miss(
                f"没有找到{zh}：页面有封闭的 shadow root，无人能读取：{names}",
                f"{en}: the page has closed shadow roots, which nobody can read: {names}",
            )
        elif en == "the messages":
            self._miss("没有找到消息列表", "no list of messages was found")


def _by_id(look: Look, number: int) -> Element | None:
    return next((each for each in look.elements if each.id == number), None)
