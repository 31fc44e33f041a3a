"""Dispatch: wakes at due times, asks the policy, claims in the ledger, hands out to the crew, writes down the end.

The ledger decides what may start; this module decides when to ask it. Nothing is dialled that was not claimed a moment
before, and nothing is claimed while the ledger is away, a kill switch is pulled, or the lease is somebody else's.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness import breaker, kill_switch
from harness.crew import Crew, recovered
from harness.lease import BEAT_S
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Attempt, Ceilings, Claimed, Consequences, Lease, NewAttempt, Price, Spent, Wait, Wanted
from harness.worker import SESSION_FILE, write_session
from probes.clock import Clock
from probes.probe import Assignment, without_probing
from probes.session import Outcome, Session
from scenarios.errors import (
    FolderUnwritable,
    HarnessFault,
    InputError,
    LedgerUnavailable,
    PolicyRefused,
    RunError,
    ShopperError,
)

log = logging.getLogger(__name__)
CONNECTED = frozenset({"connected", "widget_ready"})
HAND_OUT_S = 60.0  # from its claim until a worker must have begun it: what the policy said then is not asked again
HANG_UP_S = 8.0  # for sessions to hang up and come back when everything is stopped


@dataclass(frozen=True)
class Rhythm:
    """How often to look, in seconds."""

    poll_s: float = 1.0  # at the ledger, for what others want of this campaign
    beat_s: float = BEAT_S  # a sign of life for other runners
    retry_s: float = 2.0  # while the ledger, the disk or the crew is away
    ahead_s: float = 15.0  # the crew is up so long before it is needed
    idle_s: float = 120.0  # a crew with nothing to do for longer is sent home
    step_s: float = 2.0  # a wall clock that moved by more against the monotonic one has been set


@dataclass(frozen=True)
class Use:
    """What a session took. A call that nobody saw end may have lasted as long as it was allowed to."""

    connected: bool
    seconds: float
    cost: float


def spent(session: Session, attempt: Attempt, ceilings: Ceilings) -> Use:
    """Returns what ``session`` took of the authorisation's minutes and money."""
    kinds = {event.kind for event in session.timeline}
    seconds = max((event.t for event in session.timeline), default=0.0)
    lost = session.outcome is Outcome.LOST and attempt.channel == "voice"
    if lost:
        seconds = max(seconds, attempt.session_s)
    dialled = lost or "dialled" in kinds or bool(kinds & CONNECTED)
    price = ceilings.price.get(attempt.channel, Price())
    return Use(bool(kinds & CONNECTED), seconds, price.of(seconds) if dialled else 0.0)


class Halted(ShopperError):
    """The campaign ends here: stopped, or taken over by another runner."""


@dataclass
class Hooks:
    """What the dispatcher asks and tells. All are called on the event loop."""

    job: Callable[[Attempt], Assignment]
    permit: Callable[[Assignment, datetime], None]  # raises PolicyRefused
    crew: Callable[[], AbstractAsyncContextManager[Crew]]
    fetch: Callable[[Assignment], Awaitable[bool]]  # gets a session's files from the evidence store, if it has them
    obstacle: Callable[[], str | None]  # why no session could be written now, in one sentence
    replacement: Callable[[Attempt], NewAttempt | None]
    on_session: Callable[[Session], None]
    on_trouble: Callable[[str], None]


@dataclass
class _Ending:
    """An attempt that has ended, until disk and ledger both know it."""

    job: Assignment
    attempt: Attempt
    session: Session
    in_ledger: bool = False  # the ledger ended it by itself

    @classmethod
    def of(cls, attempt: Attempt, job: Assignment, outcome: Outcome, reason: str, in_ledger: bool = False) -> _Ending:
        """Returns the ending of an attempt that was never handed out."""
        return cls(job, attempt, without_probing(job, outcome, reason), in_ledger)


@dataclass
class _Room:
    """The crew that is up, if any."""

    stack: AbstractAsyncContextManager[Crew] | None = None
    crew: Crew | None = None
    used: float = 0.0


@dataclass
class Dispatcher:
    """Carries out one campaign under one lease."""

    ledger: Ledger
    lease: Lease
    ceilings: Ceilings
    hooks: Hooks
    clock: Clock
    switches: Sequence[Path] = ()
    rhythm: Rhythm = field(default_factory=Rhythm)

    def __post_init__(self) -> None:
        self._running: dict[asyncio.Task[Session], tuple[Attempt, Assignment]] = {}
        self._unsaved: list[_Ending] = []
        self._room = _Room()
        self._dialled: list[str] = []
        self._in_doubt = False  # the ledger may have claimed an attempt and could not tell us
        self._had_crew = False
        self._trouble = self._waiting = ""
        self._beat = self._mono = self.clock.monotonic()
        self._wall = self.clock.utc()

    async def run(self, *, stay: bool) -> None:
        """Works until every attempt has ended or, without ``stay``, until nothing is due.

        Raises:
            PolicyRefused: a kill switch was pulled; everything was hung up.
            Halted: the campaign was stopped, or another runner took it over; everything was hung up.
            ToolMissing: there is no crew to be had (at the first attempt; later ones are waited for).
        """
        switch = asyncio.create_task(kill_switch.wait(self.switches))
        try:
            while (pause := await self._turn(stay)) is not None:
                await self._sleep(pause, switch)
                if switch.done():
                    raise PolicyRefused(str(switch.result()))
        except BaseException as stop:
            await self._hang_up("the run was stopped" if isinstance(stop, asyncio.CancelledError) else str(stop))
            raise
        finally:
            switch.cancel()
            await self._send_home()

    def adopt(self, attempt: Attempt, job: Assignment, work: Coroutine[Any, Any, Session]) -> None:
        """Takes over an attempt that another runner had claimed; ``work`` finds out how it ended."""
        self._running[asyncio.get_running_loop().create_task(work)] = (attempt, job)

    def state(self, attempt: str, state: str) -> None:
        """Takes news of an attempt that is under way."""
        if state == "dialling":
            self._dialled.append(attempt)  # written down on the next turn

    # ---- one turn

    async def _turn(self, stay: bool) -> float | None:
        """Does what is to be done now. Returns how long there is nothing more to do; None: it is all done."""
        try:
            self._collect()
            wait = await self._work(stay)
            self._trouble = ""
        except LedgerUnavailable as error:
            self._tell(str(error))
            return self.rhythm.retry_s
        return wait

    async def _work(self, stay: bool) -> float | None:
        now = self.clock.utc()
        self._look_at_the_clock(now)
        look = self.ledger.look(self.lease.campaign, now)
        campaign = look.campaign
        if campaign.epoch != self.lease.epoch:
            raise Halted(f"the campaign was taken over by {campaign.runner}; this runner stops")
        if self.clock.monotonic() - self._beat >= self.rhythm.beat_s:
            self._beat = self.clock.monotonic()
            self.ledger.beat(self.lease)
        if self._in_doubt:
            self._clear_up()
        if campaign.wanted is Wanted.STOPPED:
            raise Halted(f"the campaign was stopped: {campaign.why}")
        waits: list[float] = []
        if look.soonest is not None and look.soonest <= now + timedelta(seconds=self.rhythm.ahead_s):
            for attempt in self.ledger.miss(self.lease, now) if look.passed else ():
                self._unsaved.append(_Ending.of(attempt, self.hooks.job(attempt), Outcome.MISSED, attempt.reason, True))
            self._collect()
            waits = [] if campaign.wanted is Wanted.PAUSED else await self._start(now)
            look = self.ledger.look(self.lease.campaign, now)
        soonest = look.soonest
        if not self._running and not self._unsaved:
            if soonest is None or (not stay and (soonest > now or not waits)):
                return None
            await self._maybe_send_home(soonest, now)
        if look.upcoming is not None:
            waits.append((look.upcoming - now).total_seconds())
        return max(0.01, min([self.rhythm.poll_s, *waits]))

    async def _start(self, now: datetime) -> list[float]:
        """Starts what is due and has room; returns after how many seconds it makes sense to look again."""
        due = self.ledger.due(self.lease.campaign, now + timedelta(seconds=self.rhythm.ahead_s))
        if not due:
            return []
        if (obstacle := self.hooks.obstacle()) is not None:
            raise LedgerUnavailable(f"{obstacle}; nothing is dialled meanwhile")
        crew = await self._crew()
        if crew is None:
            return [self.rhythm.retry_s]
        if (missing := await crew.obstacle()) is not None:
            raise LedgerUnavailable(f"{missing}; nothing is dialled meanwhile")
        waits, full = [], set[str]()
        for attempt in due:
            if attempt.due > now or attempt.address in full:
                continue
            wait = self._claim(crew, attempt)
            if wait is not None:
                full.add(attempt.address)
                waits.append(wait)
        return waits

    def _claim(self, crew: Crew, attempt: Attempt) -> float | None:
        """Starts one attempt; returns None, or how long its address must wait."""
        job = self.hooks.job(attempt)
        now = self.clock.utc()
        if (pulled := kill_switch.pulled(self.switches)) is not None:
            raise PolicyRefused(str(pulled))
        try:
            self.hooks.permit(job, now)
        except PolicyRefused as refusal:
            self._ended(attempt, job, Outcome.BLOCKED, str(refusal))
            return None
        try:
            claim = self.ledger.claim(self.lease, attempt.id, now, self.ceilings)
        except LedgerUnavailable:
            self._in_doubt = True
            raise
        if isinstance(claim, Claimed):
            self._room.used = self.clock.monotonic()
            soon = now + timedelta(seconds=HAND_OUT_S)
            job = replace(job, not_after=soon if attempt.until is None else min(soon, attempt.until))
            self._running[asyncio.create_task(self._carry_out(crew, job))] = (attempt, job)
        elif isinstance(claim, Spent):
            self._ended(attempt, job, Outcome.BLOCKED, claim.why)
        elif isinstance(claim, Wait):
            self._tell_wait(claim.why)
            return self.rhythm.poll_s if claim.until is None else max(0.0, (claim.until - now).total_seconds())
        else:
            log.info("attempt %s was not claimed: %s", attempt.id, claim.why)
        return None

    async def _carry_out(self, crew: Crew, job: Assignment) -> Session:
        session = await crew.carry_out(job)
        if not (job.folder / SESSION_FILE).exists() and await self.hooks.fetch(job):
            return recovered(job, session.reason)  # its worker may have sent it and died before it could tell us
        return session

    # ---- endings

    def _collect(self) -> None:
        """Takes what has come back, and writes down whatever disk and ledger do not know yet."""
        for task in [task for task in self._running if task.done()]:
            attempt, job = self._running.pop(task)
            self._room.used = self.clock.monotonic()
            self._unsaved.append(_Ending(job, attempt, task.result()))
        while self._dialled:
            self.ledger.dialling(self.lease, self._dialled[0], self.clock.utc())
            del self._dialled[0]
        while self._unsaved:
            self._save(self._unsaved[0])
            del self._unsaved[0]

    def _ended(self, attempt: Attempt, job: Assignment, outcome: Outcome, reason: str) -> None:
        """Ends an attempt that was never handed out."""
        self._unsaved.append(_Ending.of(attempt, job, outcome, reason))
        self._collect()

    def _clear_up(self) -> None:
        """Ends what the ledger has claimed for us without our knowing: its answer was lost, so nothing was dialled."""
        known = {attempt.id for attempt, _ in self._running.values()} | {end.attempt.id for end in self._unsaved}
        for row in self.ledger.under_way(self.lease.campaign):
            if row.epoch == self.lease.epoch and row.id not in known:
                reason = "the ledger's answer to its claim was lost: it was never dialled"
                self._unsaved.append(_Ending.of(row, self.hooks.job(row), Outcome.INVALID, reason))
        self._in_doubt = False
        self._collect()

    def _save(self, ending: _Ending) -> None:
        session, attempt = ending.session, ending.attempt
        try:
            if not (ending.job.folder / SESSION_FILE).exists():
                write_session(ending.job.folder, session)
        except (OSError, FolderUnwritable, HarnessFault) as error:
            raise LedgerUnavailable(f"the session of {attempt.id} cannot be written yet: {error}") from error
        trip, new = self._trip(session), self._replacement(replace(attempt, outcome=session.outcome))
        if ending.in_ledger:
            self._replace(new)
        elif not self._end(attempt, session, trip, new):
            row = self.ledger.attempt(attempt.campaign, attempt.id)
            if row is None or row.outcome != session.outcome:
                log.error("attempt %s had ended before as something else than %s", attempt.id, session.outcome)
                return
            # the ledger had written it, and its answer was lost
        if trip is not None:
            self._tell(trip.reason)
            if trip.kind == "stop":
                asyncio.get_running_loop().create_task(self._end_all(trip.reason))
        self.hooks.on_session(session)

    def _end(self, attempt: Attempt, session: Session, trip: breaker.Trip | None, new: NewAttempt | None) -> bool:
        use = spent(session, attempt, self.ceilings)
        then = Consequences(
            halt=trip.reason if trip is not None and trip.kind == "stop" else None,
            pause=trip.reason if trip is not None and trip.kind == "pause" else None,
            replacement=new,
        )
        end = functools.partial(
            self.ledger.end,
            attempt.campaign,
            attempt.id,
            session.outcome,
            session.reason,
            self.clock.utc(),
            connected=use.connected,
            seconds=use.seconds,
            cost=use.cost,
        )
        try:
            return end(then=then)
        except RunError as error:  # the replacement is there already; the ending counts all the same
            log.error("attempt %s: %s", attempt.id, error)
            return end(then=replace(then, replacement=None))

    def _trip(self, session: Session) -> breaker.Trip | None:
        recent = [str(session.outcome)]
        if session.outcome is Outcome.NET_FAIL:
            recent += self.ledger.recent(self.lease.campaign, session.attempt.entry, breaker.IN_A_ROW - 1)
        return breaker.trip(session, recent)

    def _replacement(self, lost: Attempt) -> NewAttempt | None:
        try:
            return self.hooks.replacement(lost)
        except InputError as error:
            self._tell(f"{lost.id} is not replaced: {error}")
            return None

    def _replace(self, new: NewAttempt | None) -> None:
        try:
            if new is not None:
                self.ledger.add(self.lease, [new])
        except RunError as error:  # it is there already: the ledger's answer was lost before
            log.info("%s", error)

    # ---- the crew

    async def _crew(self) -> Crew | None:
        if self._room.crew is not None and self._room.crew.whole:
            return self._room.crew
        if self._running:
            return None  # what was handed out ends by itself; only then a new crew
        await self._send_home()
        stack = self.hooks.crew()
        try:
            self._room = _Room(stack, await stack.__aenter__(), self.clock.monotonic())
            self._had_crew = True
        except (ShopperError, OSError, TimeoutError) as error:
            if not self._had_crew:
                raise
            raise LedgerUnavailable(f"no crew yet: {error}") from error
        return self._room.crew

    async def _maybe_send_home(self, soonest: datetime, now: datetime) -> None:
        idle = self.clock.monotonic() - self._room.used
        if idle >= self.rhythm.idle_s and (soonest - now).total_seconds() > self.rhythm.ahead_s:
            await self._send_home()

    async def _send_home(self) -> None:
        room, self._room = self._room, _Room()
        if room.stack is not None:
            await room.stack.__aexit__(None, None, None)

    async def _end_all(self, reason: str) -> None:
        if self._room.crew is not None:
            await self._room.crew.hang_up(reason, {job.attempt.id for _, job in self._running.values()})

    async def _hang_up(self, reason: str) -> None:
        """Ends what is under way and writes down how it ended."""
        await self._end_all(reason)
        if self._running:
            await asyncio.wait(self._running, timeout=HANG_UP_S)
        for task, (_, job) in list(self._running.items()):
            if not task.done():
                task.cancel()
                self._running.pop(task)
                log.error("attempt %s did not come back after it was hung up", job.attempt.id)
        try:
            self._collect()
        except LedgerUnavailable as error:
            self._tell(f"{error} The sessions are on disk; the next run takes them up.")

    # ---- waiting

    async def _sleep(self, seconds: float, switch: asyncio.Task[kill_switch.Pulled]) -> None:
        waited: set[asyncio.Future[object]] = {*self._running, switch}  # type: ignore[arg-type]
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def _look_at_the_clock(self, now: datetime) -> None:
        mono = self.clock.monotonic()
        step = (now - self._wall).total_seconds() - (mono - self._mono)
        self._wall, self._mono = now, mono
        if abs(step) > self.rhythm.step_s:
            sentence = f"this machine's clock was set by {step:+.1f} s"
            self.ledger.note(self.lease.campaign, "clock", sentence, now)
            self._tell(sentence)

    def _tell_wait(self, why: str) -> None:
        """Tells once what holds up an attempt while nothing of ours is under way."""
        if not self._running and why != self._waiting:
            self._waiting = why
            self.hooks.on_trouble(f"waiting: {why}")

    def _tell(self, sentence: str) -> None:
        if sentence != self._trouble:
            self._trouble = sentence
            self.hooks.on_trouble(sentence)
