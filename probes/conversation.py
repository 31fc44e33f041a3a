"""The conversation engine: walks a scenario over a channel and writes the timeline.

It knows no SIP and no page. It waits only for events or for the limits of the plan, and it closes the channel on every
path out, so a call never stays up because something went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from probes.channel import Channel, Said
from probes.choosing import press_offered
from probes.clock import Anchor, Clock
from probes.ending import Stop, Told, asked_all, gone_at_once, is_strange, left_waiting, not_connected, outcome_of
from probes.instants import find, may_change
from probes.judging import Turn, facts_of_keys
from probes.remarks import Remark
from probes.replies import Replies, greets_nobody, newest_reply, prompted
from probes.session import Event, Instants, Method, Outcome
from probes.target import ReachStep
from scenarios.attachment import Attachment
from scenarios.errors import FarEndFault, HarnessFault
from scenarios.model import Ask, Lang, Limits, Scenario, Step

log = logging.getLogger(__name__)
T = TypeVar("T")

State = Literal["dialling", "ringing", "menu", "queue", "talking", "done"]
GOODBYE_S = 6.0
CHAT_GREETING_S = FILE_REPLY_S = 5.0
SETTLE_S = 1.7  # after a pause of 0.9 s: by then music or ringing that follows an announcement has been recognised
CALLBACK: tuple[Method, float] = ("callback", 0.01)
STAMPS: dict[str, tuple[Method, float]] = {  # how our acts are stamped
    "wire": ("wire", 0.0001),
    "dom": ("dom", 0.01),
    "frame": ("frame", 0.005),
}
REACHED = frozenset({"connected", "prompt", "music", "speech", "message", "widget_ready"})
TURNED_AWAY = ("callback", "closed", "menu", "invalid", "left")


class Conversation:
    """One session's walk through a scenario."""

    def __init__(
        self,
        channel: Channel,
        scenario: Scenario,
        *,
        lang: Lang,
        limits: Limits,
        to_human: Sequence[ReachStep],
        prompts_known: bool,
        clock: Clock,
        on_state: Callable[[State], None] = lambda _state: None,
        attachments: Mapping[str, Attachment] | None = None,
    ) -> None:
        self.channel, self.scenario, self.lang, self.limits = channel, scenario, lang, limits
        self.to_human, self.prompts_known, self.clock, self.on_state = to_human, prompts_known, clock, on_state
        self.attachments = attachments or {}
        self.timeline: list[Event] = []
        self.instants = Instants()
        self._replies = Replies(scenario, lang)
        self.turns, self.heard = self._replies.turns, self._replies.heard
        self.review: list[str] = []
        self._news = asyncio.Event()
        self._ended: Event | None = None
        self._broken: BaseException | None = None
        self._state: State | None = None

    async def run(self, anchor: Anchor) -> Told:
        """Runs from dialling to hang-up; always returns, and always closes the channel."""
        self._anchor = anchor
        pump: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self.limits.session_s):
                self._enter("dialling")
                await self.channel.open(anchor)
                pump = asyncio.create_task(self._listen())
                pump.add_done_callback(self._pump_ended)
                stop = await self._walk()
        except TimeoutError:
            stop = Stop(f"the session's limit of {self.limits.session_s:g} s was reached")
        except FarEndFault as fault:
            stop = Stop(str(fault), Outcome.NET_FAIL if not self._reached() else None)
        except HarnessFault as fault:
            stop = Stop(str(fault), Outcome.INVALID)
        except Exception as error:
            log.exception("conversation")
            stop = Stop(f"harness: {type(error).__name__}: {error}", Outcome.INVALID)
        finally:
            await self.channel.close()
            # Cut off while it was being opened, it may have been dialled all the same: what it says of that counts.
            await self._drain(pump or asyncio.create_task(self._listen()))
            self._enter("done")
        return self._told(stop)

    # ---- what comes in

    async def _listen(self) -> None:
        async for event in self.channel.events():
            self._take(event)

    async def _drain(self, pump: asyncio.Task[None]) -> None:
        _, late = await asyncio.wait({pump}, timeout=5)
        if late:
            pump.cancel()
            self._broken = self._broken or HarnessFault("the channel's events did not end after it was closed")

    def _pump_ended(self, pump: asyncio.Task[None]) -> None:
        if not pump.cancelled() and pump.exception() is not None:
            self._broken = pump.exception()
            log.error("events of the channel", exc_info=self._broken)
        self._news.set()

    def _take(self, event: Event) -> None:
        before = self.instants
        self.timeline.append(event)
        if may_change(event):
            self.instants = find(self.timeline)
        for name in ("queue", "answer", "first_word"):
            now = getattr(self.instants, name)
            if now is not None and getattr(before, name) is None:
                self.timeline.append(
                    Event(kind=name, t=now.t, method=now.method, u=now.u, data={"confidence": now.confidence})
                )
        match event.kind:
            case "ended":
                self._ended = event
            case "ringing":
                self._enter("ringing")
            case "message":
                self._hear(event)
        if self.instants.first_word is not None:
            self._enter("talking")
        elif self.instants.queue is not None:
            self._enter("queue")
        elif self._reached():
            self._enter("menu")
        self._news.set()

    def _hear(self, event: Event) -> None:
        remark = self._replies.take(event)
        if remark is not None:
            self.timeline.append(event.model_copy(update={"kind": remark.kind, "data": {"text": remark.words}}))

    def _enter(self, state: State) -> None:
        order: tuple[State, ...] = ("dialling", "ringing", "menu", "queue", "talking", "done")
        if self._state is None or order.index(state) > order.index(self._state):
            self._state = state
            self.on_state(state)

    def _reached(self) -> bool:
        return any(event.kind in REACHED for event in self.timeline)

    def _now(self) -> float:
        return self.clock.monotonic() - self._anchor.monotonic

    async def _until(self, ready: Callable[[], T | None], seconds: float) -> T | None:
        """Returns the first value of ``ready`` that is not None, or None after ``seconds`` or when the far end left."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                while True:
                    self._heed()
                    if (value := ready()) is not None:
                        return value
                    if self._ended is not None:
                        return None
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None

    def _heed(self) -> None:
        """Stops at once if something unsafe was said, if we are not welcome, or if we are deaf."""
        if self._replies.unsafe is not None:
            reason = f"SAFETY: the far end said “{self._replies.unsafe}”"
            self.review.append(reason)
            raise Stop(reason)
        if self._replies.remark is not None:
            raise self._dismissed(self._replies.remark)
        if self._broken is not None:
            raise HarnessFault(str(self._broken))

    def _dismissed(self, remark: Remark) -> Stop:
        """A wrong number counts for nobody, and so does what we broke off before anyone had answered."""
        counts = remark.kind != "wrong_party" and self.instants.answer is not None
        return Stop(f"{remark.kind}: the far end said “{remark.words}”", None if counts else Outcome.INVALID)

    # ---- the walk

    async def _walk(self) -> Stop:
        try:
            await self._be_reached()
            await self._steps(self.scenario.steps_on(self.channel.kind))
            if self._ended is None:
                await self._say_goodbye()
        except Stop as stop:
            if self._replies.remark is not None and self._replies.unsafe is None:
                await self._say_goodbye(wait=False)
            return stop
        return Stop("")

    async def _steps(self, steps: Sequence[Step]) -> None:
        """Takes the steps; if it turns out that no human was there, waits on in the queue and takes them again."""
        index, human = 0, None
        while index < len(steps):
            self._heed()
            if human is not None and index > human and self._retracted():
                await self._wait_in_queue()
                index = human + 1
                continue
            if self._ended is not None:
                cause = self._ended.data.get("cause", "")
                raise Stop(f"the far end ended the session ({cause})".replace(" ()", ""))
            human = index if steps[index].human is not None else human
            await self._step(steps[index])
            index += 1

    async def _be_reached(self) -> None:
        if self.channel.kind == "chat":  # a visitor reads the greeting, if there is one, before writing
            greeted = self._reply_after(0.0)
            await self._until(lambda: greeted() or greets_nobody(self.timeline), CHAT_GREETING_S)
            return
        if await self._until(lambda: True if self._reached() else None, self.limits.ring_s) is None:
            if self._ended is not None:
                stop, doubt = not_connected(self._ended.data)
                self.review += doubt
                raise stop
            raise Stop(f"no answer within {self.limits.ring_s:g} s", Outcome.NET_FAIL)

    async def _step(self, step: Step) -> None:
        if step.human is not None:
            await self._reach_human()
        elif step.ask is not None:
            await self._ask(step.ask)
        elif step.dtmf is not None:
            pressed_before = [event.t for event in self.timeline if event.kind == "pressed"]
            await self._after(step.after, since=max(pressed_before, default=0.0))
            self.turns.append(Turn("dtmf", facts_of_keys(self.scenario, self.channel.kind), at=self._now()))
            pressed = await self._press(step.dtmf)
            await self._until(self._reply_after(pressed.start), self.limits.reply_s)
            self.turns[-1].waited = True

    async def _press(self, digits: str) -> Said:
        said = await self.channel.press(digits)
        method, u = STAMPS.get(said.method, CALLBACK)
        self._take(Event(kind="pressed", t=said.start, method=method, u=u, data={"digits": digits}))
        return said

    async def _say(self, text: str, line: str) -> Said:
        return self._went_out(await self.channel.say(text, line=line), line, text)

    def _went_out(self, said: Said, line: str, text: str, **more: Any) -> Said:
        method, u = STAMPS.get(said.method, CALLBACK)
        data = {"turn": line, "text": text, "end": said.end} | more
        self._take(Event(kind="said", t=said.start, method=method, u=u, data=data))
        return said

    async def _after(self, role: str, since: float) -> None:
        """Waits until the far end has said something of ``role`` (any, menu, welcome) since ``since``."""
        if role == "none":
            return

        heard = partial(prompted, self.timeline, role, since, self.prompts_known)
        if await self._until(heard, self.limits.menu_s) is None:
            if self._ended is not None:
                raise Stop("the far end hung up in the menu", Outcome.IVR_FAIL)
            raise Stop(f"no {role} prompt within {self.limits.menu_s:g} s", Outcome.IVR_FAIL)

    async def _reach_human(self) -> None:
        since = 0.0
        for index, way in enumerate(self.to_human):
            last = index == len(self.to_human) - 1
            if not (
                self.channel.kind == "chat" and self.turns
            ):  # in a chat that already runs there is no menu to await
                await self._after(way.after, since)
            if way.press is not None:
                said = await self._press(way.press)
            else:
                said = await self._say(way.say or "", "to-human")
            since = said.end
            if last:
                self._request(said.start, said.method)
        if not self.to_human:  # a direct line: calling is asking
            self._request(*next(((e.t, e.method) for e in self.timeline if e.kind == "dialled"), (0.0, "callback")))
        await self._wait_in_queue()

    def _request(self, t: float, method: str) -> None:
        known, u = STAMPS.get(method, CALLBACK)
        self._take(Event(kind="request", t=t, method=known, u=u))

    async def _wait_in_queue(self) -> None:
        request = self.instants.request
        assert request is not None
        again = True
        handled = len(self.timeline)
        while True:
            queue = self.instants.queue
            limit = self.limits.queue_s if queue else self.limits.menu_s
            left = (queue or request).t + limit - self._now()
            in_queue = queue is not None

            def news(seen: int = handled, in_queue: bool = in_queue) -> Event | bool | None:
                if self.instants.answer is not None:
                    return True
                for event in self.timeline[seen:]:
                    if event.kind in ("message", "notice") and self._role(event) in TURNED_AWAY:
                        return event
                return False if (self.instants.queue is not None) != in_queue else None

            found = await self._until(news, left)
            if found is True:
                await self._hear_greeting()
                if self.instants.answer is not None:
                    return
                continue  # it was a recording after all
            if found is None:
                raise left_waiting(self._ended, self.limits, in_queue=in_queue)
            if isinstance(found, Event):
                handled = self.timeline.index(found) + 1
                again = await self._turned_away(found, again)

    async def _turned_away(self, event: Event, again: bool) -> bool:
        """Handles a recording that is no queue: raises if it ends the wait, else says whether one try is left."""
        role = self._role(event)
        if role == "callback":
            raise Stop("a call-back was offered instead of a human; none was ordered", Outcome.CALLBACK)
        if role in ("closed", "left"):
            raise Stop("told to call again later", Outcome.DROPPED if self.instants.queue else Outcome.IVR_FAIL)
        if role == "menu" and event.t > (self.instants.request or event).t:
            if not again:
                raise Stop("the menu leads nowhere: asked twice for a human", Outcome.IVR_FAIL)
            last = self.to_human[-1]
            if last.press is not None:
                await self._press(last.press)
            return False
        return again

    def _role(self, event: Event) -> str | None:
        """The role of a message; what was heard before a human was asked for, and is heard again, is the menu."""
        first, request = event.data.get("first"), self.instants.request
        if first is not None and request is not None and first[0] < request.t:
            return "menu"
        return event.data.get("role")

    async def _hear_greeting(self) -> None:
        """Waits for the end of the greeting; on a line whose recordings are not known, for whether it was one."""
        word = self.instants.first_word or self.instants.answer
        assert word is not None
        since = word.t - 0.2
        greeted = self._reply_after(since)
        await self._until(lambda: greeted() or self._retracted(), self.limits.reply_s)
        if self.channel.kind == "voice" and not self.prompts_known:
            await self._until(self._retracted, SETTLE_S)

    def _retracted(self) -> bool | None:
        """True once it has turned out that nobody had answered."""
        return True if self.instants.answer is None else None

    def _reply_after(self, t: float) -> Callable[[], Event | None]:
        return partial(newest_reply, self.timeline, t)

    async def _ask(self, ask: Ask) -> None:
        self.turns.append(Turn(ask.id, ask.facts, at=self._now()))
        said = await self._put(ask)
        if said is None:
            return
        replied, human = self._reply_after(said.start), self.instants.answer is not None
        reply = await self._until(lambda: replied() or (self._retracted() if human else None), self.limits.reply_s)
        self.turns[-1].waited = True
        if human and self._retracted():
            self.turns.pop()  # nobody was asked: it is asked again
        elif reply is None and self._ended is None:
            self.review.append(f"no reply to “{ask.id}” within {self.limits.reply_s:g} s")

    async def _put(self, ask: Ask) -> Said | None:
        """Sends the file, says the words, or presses the quick reply; None: it was not offered, or nobody is there."""
        said: Said | None = None
        if ask.attach is not None:
            file = self.attachments[ask.attach]
            sent = await self.channel.attach(file, line=ask.id)
            said = self._went_out(sent, ask.id, f"[{file.name}]", file=file.about())
            if ask.say is not None:  # what is answered to the file alone is no answer to the words
                await self._until(self._reply_after(said.start), FILE_REPLY_S)
        if ask.say is not None:
            return await self._say(ask.say.in_(self.lang), ask.id)
        if ask.choose is None:
            return said
        wanted, until = ask.choose.in_(self.lang), self._now() + self.limits.reply_s
        pressed = await press_offered(
            self.channel, self.timeline, wanted, line=ask.id, until=self._until, left=lambda: until - self._now()
        )
        if pressed is not None:
            return self._went_out(pressed.said, ask.id, pressed.label, chosen=True)
        if self._ended is None:
            self.turns[-1].waited = True
            self.turns[-1].not_put = f"no quick reply “{wanted}” was offered within {self.limits.reply_s:g} s"
            self.review.append(self.turns[-1].not_put)
        return None

    async def _say_goodbye(self, *, wait: bool = True) -> None:
        if any(turn.ask == "farewell" for turn in self.turns):
            return
        self.turns.append(Turn("farewell", (), at=self._now()))
        with contextlib.suppress(FarEndFault):  # hanging up on our goodbye is no fault
            said = await self._say(self.scenario.farewell.in_(self.lang), "farewell")
            if wait:
                await self._until(self._reply_after(said.start), GOODBYE_S)

    # ---- what it comes to

    def _told(self, stop: Stop) -> Told:
        self.instants = find(self.timeline)
        kinds = {event.kind for event in self.timeline}
        if self._ended is not None and self._ended.data.get("fault") == "harness":
            stop = Stop(f"our own side ended the session: {self._ended.data['cause']}", Outcome.INVALID)
        elif self._broken is not None:
            stop = Stop(f"harness: {type(self._broken).__name__}: {self._broken}", Outcome.INVALID)
        elif self.channel.kind == "voice" and gone_at_once(self.timeline):
            stop = Stop("the far end answered and hung up at once", Outcome.NET_FAIL)
        elif "no_audio" in kinds and self.instants.answer is None:
            stop = Stop("not a sound reached us: check our own NAT, firewall and codecs", Outcome.INVALID)
        elif self._replies.remark is not None and self._replies.unsafe is None:
            stop = self._dismissed(self._replies.remark)
            self.review.append(stop.reason)
        elif stop.outcome is not None and self.instants.answer is not None:
            # Known only once it was over, from a fraction of a word: for a person to decide.
            self.instants = self.instants.model_copy(update={"answer": None, "first_word": None})
            self.review.append("speech began just before the end: a human may have answered")
        outcome = outcome_of(
            stop,
            self.instants,
            self._ended,
            reached=self._reached(),
            asked_all=asked_all(self.scenario, self.channel.kind, self.turns),
        )
        if self.channel.kind == "voice" and is_strange(self.timeline, outcome, self.to_human, self.prompts_known):
            self.timeline.append(Event(kind="wrong_party", t=self._now(), method="harness", data={"text": ""}))
            self.review.append("a voice was heard and none of the centre's recordings: perhaps somebody else's line")
        return Told(outcome, stop.reason, self.timeline, self.instants, self.turns, self.heard, self.review)
