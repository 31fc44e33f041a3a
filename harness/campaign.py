"""A campaign: a plan carried out in one go or over weeks, from a ledger that survives whoever runs it.

``Campaign`` ties files, ledger, policy and crew together for a :class:`harness.dispatch.Dispatcher`. ``shopper probe``
is a campaign whose attempts are all due at once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from harness.crew import Crew, DaskCrew, Needs, recovered
from harness.dispatch import Dispatcher, Hooks, Rhythm, spent
from harness.inputs import Inputs, speech_cache
from harness.lease import outlives, runner, take
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Attempt, Lease, NewAttempt, NewCampaign, State, Wanted
from harness.plan import PlannedAttempt, replacement
from harness.version import version
from harness.worker import SESSION_FILE, write_session
from probes.clock import Clock
from probes.probe import Assignment, without_probing
from probes.session import Outcome, Session
from results.evidence_store import EvidenceStore
from results.run_folder import RunFolder
from scenarios.errors import ShopperError
from scenarios.model import ChannelKind

GRACE_S = 60.0  # after its session's limit, a worker that outlived its runner must have written


@dataclass
class Listeners:
    """Who is told what, on the event loop."""

    state: Callable[[str, str], None] = lambda _attempt, _state: None
    session: Callable[[Session], None] = lambda _session: None
    trouble: Callable[[str], None] = lambda _sentence: None


@dataclass
class Campaign:
    """One campaign and all it is carried out with."""

    id: str
    inputs: Inputs
    ledger: Ledger
    folder: RunFolder
    clock: Clock = field(default_factory=Clock)
    switches: tuple[Path, ...] = ()
    scheduler: str | None = None
    evidence: str | None = None
    listeners: Listeners = field(default_factory=Listeners)
    rhythm: Rhythm = field(default_factory=Rhythm)
    crew: Callable[[], AbstractAsyncContextManager[Crew]] | None = None  # None: Dask's
    spare: int = 100_000_000  # bytes that must be free on the disk of the sessions before anything is dialled

    def __post_init__(self) -> None:
        self._store = None if self.evidence is None else EvidenceStore(self.evidence)

    def create(self, planned: Sequence[PlannedAttempt]) -> None:
        """Puts the campaign and all its attempts into the ledger."""
        now = self.clock.utc()
        campaign = NewCampaign(
            id=self.id,
            name=self.inputs.plan.plan.name,
            client=self.inputs.client,
            plan_sha256=self.inputs.plan.sha256,
            created=now,
        )
        self.ledger.create(campaign, [self.inputs.row(attempt, now) for attempt in planned])

    async def run(self, *, stay: bool) -> None:
        """Takes the lease, settles what a dead runner left, and works until there is nothing more to do.

        Args:
            stay: wait for attempts that are due later; else return when nothing is due.

        Raises:
            RunError: another runner is at it.
            PolicyRefused: a kill switch was pulled; everything was hung up.
            Halted: it was stopped, or taken over; everything was hung up.
        """
        before = self.ledger.campaign(self.id).runner
        name = runner(elsewhere=self.scheduler is not None)
        lease = await take(self.ledger, self.id, name, self.clock, beat_s=self.rhythm.beat_s)
        try:
            dispatcher = self._dispatcher(lease)
            self._settle(dispatcher, lease, before)
            await dispatcher.run(stay=stay)
            await self._push_evidence()
        finally:
            self.ledger.give_back(lease)

    def abandon(self, reason: str) -> None:
        """Ends whatever has not ended: MISSED if it was never begun, LOST if nobody knows how it ended."""
        for attempt in self.ledger.attempts(self.id):
            if attempt.state is State.ENDED:
                continue
            job = self._job(attempt)
            if attempt.state is State.DUE:
                session = without_probing(job, Outcome.MISSED, reason)
            else:
                session = recovered(job, reason)
            if not (job.folder / SESSION_FILE).exists():
                write_session(job.folder, session)
            use = spent(session, attempt, self.inputs.ceilings())
            self.ledger.end(
                self.id,
                attempt.id,
                session.outcome,
                session.reason,
                self.clock.utc(),
                connected=use.connected,
                seconds=use.seconds,
                cost=use.cost,
            )
            self.listeners.session(session)

    def sessions(self) -> list[Session]:
        """Returns the session of every attempt that has ended, in the order of the plan.

        One that ended while its session could not be written (a crash between the two) is written now.
        """
        found = []
        for attempt in self.ledger.attempts(self.id):
            if attempt.state is not State.ENDED:
                continue
            file = self.folder.session_dir(attempt.id) / SESSION_FILE
            if not file.exists():
                job = self._job(attempt)
                outcome = Outcome(attempt.outcome or Outcome.LOST)
                write_session(job.folder, without_probing(job, outcome, attempt.reason))
            found.append(Session.model_validate_json(file.read_text(encoding="utf-8")))
        return found

    async def _push_evidence(self) -> None:
        """Sends what the evidence store does not have yet; trouble is told, and tried again the next time."""
        if self._store is not None:
            for sentence in await asyncio.to_thread(self._store.push, self.folder):
                self.listeners.trouble(sentence)

    def _dispatcher(self, lease: Lease) -> Dispatcher:
        hooks = Hooks(
            job=self._job,
            permit=self._permit,
            crew=self.crew or self._dask_crew,
            obstacle=self._obstacle,
            replacement=self._replacement,
            fetch=self._fetched,
            on_session=self.listeners.session,
            on_trouble=self.listeners.trouble,
        )
        self.dispatcher = Dispatcher(
            self.ledger, lease, self.inputs.ceilings(), hooks, self.clock, self.switches, self.rhythm
        )
        return self.dispatcher

    def _settle(self, dispatcher: Dispatcher, lease: Lease, before: str) -> None:
        for attempt in self.ledger.under_way(self.id):
            until = self.clock.utc()
            if (outlives(before) or self.scheduler is not None) and attempt.claimed is not None:
                until = attempt.claimed + timedelta(seconds=attempt.session_s + GRACE_S)
            job = self._job(attempt)
            dispatcher.adopt(attempt, job, self._left_behind(job, until))

    async def _left_behind(self, job: Assignment, until: datetime) -> Session:
        """Waits for the session of a worker that may have outlived its runner."""
        while not (job.folder / SESSION_FILE).exists() and not await self._fetched(job):
            if self.clock.utc() >= until:
                break
            await asyncio.sleep(self.rhythm.poll_s)
        return recovered(job, "its runner died; how it ended is unknown")

    async def _fetched(self, job: Assignment) -> bool:
        """Gets a session's files from the evidence store, if they are there and not here."""
        if self._store is None:
            return False
        try:
            if not await asyncio.to_thread(self._store.has, job.attempt.id):
                return False
            await asyncio.to_thread(self._store.fetch, job.attempt.id, job.folder)
        except ShopperError as error:
            self.listeners.trouble(str(error))
            return False
        return True

    def _obstacle(self) -> str | None:
        place = self.folder.sessions_dir
        try:
            free = shutil.disk_usage(place).free
        except OSError as error:
            return f"{place} cannot be looked at: {error.strerror}"
        if not os.access(place, os.W_OK):
            return f"{place} cannot be written"
        return f"{place}: only {free / 1e6:.0f} MB are free on this disk" if free < self.spare else None

    def _job(self, attempt: Attempt) -> Assignment:
        return self.inputs.job(
            attempt,
            self.folder,
            version=version(),
            switches=tuple(path.resolve() for path in self.switches),
            evidence=self.evidence,
        )

    def _permit(self, job: Assignment, now: datetime) -> None:
        name = next(name for name, script in self.inputs.scripts.items() if script.scenario.id == job.scenario.id)
        self.inputs.permit(job.attempt.channel, job.attempt.entry, name, now)

    def _replacement(self, lost: Attempt) -> NewAttempt | None:
        rule = self.inputs.plan.plan.replace
        if rule is None or lost.outcome not in rule.outcomes:
            return None
        standing = self.ledger.standing(self.id, lost.entry)
        if standing.replacements >= rule.at_most:
            return None
        now = self.clock.utc()
        signed = None if self.inputs.authorisation is None else self.inputs.authorisation.authorisation
        target, scenarios = self.inputs.target.target, self.inputs.scenarios
        number = standing.attempts + 1
        planned = replacement(self.inputs.plan, target, scenarios, lost, standing.due, number, now, signed)
        return None if planned is None else self.inputs.row(planned, now)

    def _dask_crew(self) -> DaskCrew:
        plan = self.inputs.plan.plan
        at_once: Mapping[ChannelKind, int] = {"voice": plan.at_once.voice, "chat": plan.at_once.chat}
        jobs = [self._job(a) for a in self.ledger.attempts(self.id) if a.state is State.DUE]
        return DaskCrew(
            Needs.of(jobs, at_once),
            run=self.id,
            cache=speech_cache(),
            scheduler=self.scheduler,
            on_state=self._state,
        )

    def _state(self, attempt: str, state: str) -> None:
        self.dispatcher.state(attempt, state)
        self.listeners.state(attempt, state)


def finished(ledger: Ledger, campaign: str) -> bool:
    """Says whether every attempt of a campaign has ended."""
    return all(attempt.state is State.ENDED for attempt in ledger.attempts(campaign))


def done(ledger: Ledger, campaign: str, now: datetime) -> None:
    """Closes a campaign whose attempts have all ended."""
    if ledger.campaign(campaign).wanted in (Wanted.RUNNING, Wanted.PAUSED):
        ledger.want(campaign, Wanted.DONE, "every attempt has ended", now)
