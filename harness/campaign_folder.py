"""The folder of a campaign: the files an evaluator writes, and the run that grows beside them.

::

    FOLDER/
      target.yaml  plan.yaml  authorisation.yaml     as `shopper init` writes them
      scenarios/                                     scripts of one's own, if there are any
      run/                                           an ordinary run folder (results.run_folder), and in it
        campaign.json                                which campaign of which ledger (CampaignRecord)
        STOP                                         the campaign's own kill switch, if it is pulled
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from harness import kill_switch
from harness.campaign import Campaign, Listeners
from harness.inputs import Inputs, read
from harness.lease import runner, take
from harness.ledger.ledger import Ledger
from harness.ledger.rows import Attempt, Deviation, State
from harness.plan import PlannedAttempt
from harness.run import checked, new_id, write_inputs
from probes.clock import Clock
from probes.session import Record
from results.run_folder import RunFolder
from results.whole_file import write
from scenarios.catalogue import load as load_scenario
from scenarios.errors import InputError, PolicyRefused, RunError
from scenarios.model import ChannelKind


class CampaignRecord(Record):
    """Which campaign this is, and where its ledger (None: beside this file) and its evidence lie. Holds no password."""

    format: Literal[1] = 1
    campaign: str
    ledger: str | None = None
    evidence: str | None = None


class CampaignFolder:
    """One campaign's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = RunFolder(path / "run")
        self.record_json = self.run.path / "campaign.json"

    @property
    def switches(self) -> tuple[Path, ...]:
        """The kill switches that end this campaign's calls."""
        return (kill_switch.everywhere(), self.run.path / kill_switch.NAME)

    def inputs(self) -> Inputs:
        """Reads target, plan, authorisation and scripts.

        Raises:
            InputError: the first mistake, with file, line and cure.
        """
        return read(self.path / "plan.yaml", self.path / "target.yaml", None, self._own_scripts)

    def record(self) -> CampaignRecord:
        """Reads which campaign this is.

        Raises:
            RunError: it has not been begun, or the file is damaged.
        """
        try:
            return CampaignRecord.model_validate_json(self.record_json.read_bytes())
        except FileNotFoundError as error:
            cure = f"begin it with: shopper campaign run {self.path}"
            raise RunError("this campaign has not been begun", file=self.path, cure=cure) from error
        except (OSError, ValueError) as error:
            raise RunError(f"damaged: {error}", file=self.record_json) from error

    def ledger(self) -> Ledger:
        """Opens the campaign's ledger."""
        return Ledger(self.ledger_url(self.record()))

    def ledger_url(self, record: CampaignRecord) -> str:
        """Returns the address of the ledger; the folder's own moves with the folder."""
        return f"sqlite:///{self.run.attempts.resolve()}" if record.ledger is None else record.ledger

    def begin(self, inputs: Inputs, clock: Clock, *, ledger_url: str | None, evidence: str | None) -> CampaignRecord:
        """Draws up the plan and puts every attempt into the ledger; does nothing if that was done before.

        Raises:
            InputError: the plan cannot be drawn up, the ledger's address is wrong, or it is another than before.
            PolicyRefused: something in the plan may not be reached; nothing was written.
        """
        if self.record_json.exists():
            return self._same(self.record(), ledger_url, evidence)
        self.run.sessions_dir.mkdir(parents=True, exist_ok=True)
        with (self.run.path / ".begin").open("w") as door:  # two runners may be started at the same moment
            fcntl.flock(door, fcntl.LOCK_EX)
            if self.record_json.exists():
                return self._same(self.record(), ledger_url, evidence)
            return self._begin(inputs, clock, ledger_url, evidence)

    def _begin(self, inputs: Inputs, clock: Clock, ledger_url: str | None, evidence: str | None) -> CampaignRecord:
        url = None if ledger_url is None else _without_password(ledger_url)
        now = clock.utc()
        planned = checked(inputs, now)
        record = CampaignRecord(campaign=new_id(inputs.plan.plan.name, now), ledger=url, evidence=evidence)
        write_inputs(self.run, inputs, record.campaign, now, len(planned), sandbox=False)
        ledger = Ledger(self.ledger_url(record))
        try:
            self.campaign(inputs, ledger, record, clock, scheduler=None, listeners=Listeners()).create(planned)
        finally:
            ledger.close()
        write(self.record_json, record.model_dump_json(indent=1))  # from here on the campaign exists
        return record

    def campaign(
        self,
        inputs: Inputs,
        ledger: Ledger,
        record: CampaignRecord,
        clock: Clock,
        *,
        scheduler: str | None,
        listeners: Listeners,
    ) -> Campaign:
        """Returns the campaign, ready to run."""
        inputs = self._with_older_scripts(inputs, ledger.scenarios(record.campaign))
        return Campaign(
            record.campaign,
            inputs,
            ledger,
            self.run,
            clock=clock,
            switches=self.switches,
            scheduler=scheduler,
            evidence=None if record.evidence is None else f"{record.evidence.rstrip('/')}/{record.campaign}",
            listeners=listeners,
        )

    def _with_older_scripts(self, inputs: Inputs, names: list[str]) -> Inputs:
        """Adds the scripts of attempts that an earlier plan had, if they are still there."""
        scripts = dict(inputs.scripts)
        for name in names:
            if name not in scripts:
                with suppress(InputError):
                    scripts[name] = load_scenario(name, self._own_scripts)
        return replace(inputs, scripts=scripts)

    @property
    def _own_scripts(self) -> Path | None:
        own = self.path / "scenarios"
        return own if own.is_dir() else None

    def check_unchanged(self, inputs: Inputs, ledger: Ledger, record: CampaignRecord) -> None:
        """Makes sure that the plan is the one that was begun, and the target too as far as it is dialled.

        Raises:
            PolicyRefused: one was changed and nobody has signed for that.
        """
        sign = f"sign the change with `shopper campaign deviate {self.path} --by WHO --reason WHY`."
        for moved in _moved(ledger.attempts(record.campaign), inputs):
            raise PolicyRefused(
                f"{self.path / 'target.yaml'} is not the target that this campaign was begun with: {moved}. Put "
                f"back the one that is kept in {self.run.target}, or {sign}"
            )
        if ledger.campaign(record.campaign).plan_sha256 != inputs.plan.sha256:
            raise PolicyRefused(
                f"{self.path / 'plan.yaml'} is not the plan that this campaign was begun with (kept in "
                f"{self.run.plan}): put that one back, or {sign}"
            )

    async def deviate(self, by: str, reason: str, clock: Clock) -> tuple[Deviation, int, int]:
        """Makes the changed plan the campaign's: what has begun stays, what has not is drawn up anew from now on.

        Returns:
            The deviation as recorded, how many due attempts were withdrawn, and how many new ones there are.

        Raises:
            InputError: nothing was changed, or the new plan cannot be drawn up.
            PolicyRefused: something in the new plan may not be reached.
        """
        inputs, record = self.inputs(), self.record()
        ledger = Ledger(self.ledger_url(record))
        try:
            old = ledger.campaign(record.campaign).plan_sha256
            if old == inputs.plan.sha256 and not _moved(ledger.attempts(record.campaign), inputs):
                raise InputError(
                    "plan and target are unchanged", file=self.path / "plan.yaml", cure="there is nothing to sign"
                )
            now = clock.utc()
            planned = checked(inputs, now)
            lease = await take(ledger, record.campaign, runner(), clock)
            try:
                rows = ledger.attempts(record.campaign)
                number = len(ledger.deviations(record.campaign)) + 1
                begun = Counter(
                    (row.scenario, row.channel, row.entry, row.stratum)
                    for row in rows
                    if row.state is not State.DUE and row.replaces is None and row.outcome not in ("MISSED", "BLOCKED")
                )
                new = _renumbered(_still_to_do(planned, begun), number, max(row.seq for row in rows))
                deviation = Deviation(now, by, reason, old, inputs.plan.sha256)
                due = [row for row in rows if row.state is State.DUE]
                why = f"withdrawn by deviation {number}"
                rows_of_new = [inputs.row(attempt, now) for attempt in new]
                ledger.deviate(lease, deviation, [row.id for row in due], why, rows_of_new)
            finally:
                ledger.give_back(lease)
        finally:
            ledger.close()
        info = self.run.info()
        write(self.run.path / f"plan.{old[:12]}.yaml", self.run.plan.read_bytes())
        write(self.run.path / f"target.{info.target_sha256[:12]}.yaml", self.run.target.read_bytes())
        write_inputs(self.run, inputs, info.id, info.created_utc, len(rows) + len(new), sandbox=info.sandbox)
        return deviation, len(due), len(new)

    def _same(self, record: CampaignRecord, ledger_url: str | None, evidence: str | None) -> CampaignRecord:
        ledger = self.ledger_url(record)
        for what, given, known in (("ledger", ledger_url, ledger), ("evidence", evidence, record.evidence)):
            if given is not None and _without_password(given) != known:
                raise RunError(f"this campaign's {what} is {known}", file=self.path, cure=f"leave --{what} out")
        return record


def _moved(rows: list[Attempt], inputs: Inputs) -> list[str]:
    """Returns what due attempts would dial otherwise than the ledger says, a sentence for each entry."""
    target, found = inputs.target.target, {}
    for row in rows:
        known = target.lines if row.channel == "voice" else target.chats
        if row.state is not State.DUE:
            continue
        if row.entry not in known:
            found[row.entry] = f"{row.entry} is gone"
        elif (now := inputs.address(row.channel, row.entry)) != row.address:
            found[row.entry] = f"{row.entry} was {row.address} and is {now}"
        elif inputs.trunk(row.channel, row.entry) != row.trunk:
            found[row.entry] = f"{row.entry} leaves by another trunk"
    return list(found.values())


def _without_password(url: str) -> str:
    try:
        if make_url(url).password is not None:
            raise InputError("a password may not stand in an address", cure="give it in PGPASSWORD, or a .pgpass file")
    except ArgumentError:
        if "://" not in url:
            raise InputError(f"{url!r} is no address", cure="write sqlite:///FILE or postgresql://HOST/NAME") from None
    return url


def _still_to_do(
    planned: list[PlannedAttempt], begun: Mapping[tuple[str, ChannelKind, str, str], int]
) -> list[PlannedAttempt]:
    """Leaves out as many attempts of each kind as have begun already."""
    left, begun = [], Counter(begun)
    for attempt in planned:
        kind = (attempt.scenario, attempt.channel, attempt.entry, attempt.stratum)
        if begun[kind] > 0:
            begun[kind] -= 1
        else:
            left.append(attempt)
    return left


def _renumbered(planned: list[PlannedAttempt], number: int, last: int) -> list[PlannedAttempt]:
    return [
        replace(attempt, id=f"d{number}-{attempt.id}", seq=last + place)
        for place, attempt in enumerate(planned, start=1)
    ]
