"""What a run is made from: plan, target, scripts and authorisation, read together; and the jobs they make."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from harness.authorisation import LoadedAuthorisation, load_authorisation
from harness.ledger.rows import Attempt, Ceilings, NewAttempt
from harness.permission import permit
from harness.plan import LoadedPlan, PlannedAttempt, load_plan
from harness.plan.means import check_means
from probes.probe import Assignment
from probes.session import AttemptKey
from probes.target_file import LoadedTarget, load_target
from results.run_folder import RunFolder
from scenarios.catalogue import LoadedScenario
from scenarios.catalogue import load as load_scenario
from scenarios.model import ChannelKind, Scenario


@dataclass(frozen=True)
class Inputs:
    """The files of one run, each with its hash. ``scripts`` are by the name the plan gives them."""

    plan: LoadedPlan
    target: LoadedTarget
    scripts: dict[str, LoadedScenario]
    authorisation: LoadedAuthorisation | None

    @property
    def scenarios(self) -> dict[str, Scenario]:
        """The scripts alone."""
        return {name: script.scenario for name, script in self.scripts.items()}

    @property
    def client(self) -> str:
        """Whose ceilings are shared in the ledger: the authorisation's client, or this machine."""
        return "localhost" if self.authorisation is None else self.authorisation.authorisation.client

    def without_third_parties(self) -> Inputs:
        """Returns the same run in which no chat page gets anything from hosts that its entry does not name."""
        target = self.target.target
        chats = {name: chat.model_copy(update={"block_third_party": True}) for name, chat in target.chats.items()}
        return replace(self, target=replace(self.target, target=target.model_copy(update={"chats": chats})))

    def address(self, channel: ChannelKind, entry: str) -> str:
        """Returns what is dialled or opened."""
        target = self.target.target
        return target.lines[entry].uri if channel == "voice" else target.chats[entry].url

    def trunk(self, channel: ChannelKind, entry: str) -> str | None:
        """Returns our own identity on the named trunk that a call leaves by; None if it leaves by none."""
        target = self.target.target
        name = target.lines[entry].trunk if channel == "voice" else None
        return None if name is None else target.trunks[name].uri

    def ceilings(self) -> Ceilings:
        """Returns what no claim may exceed: the least of authorisation, plan, and what each entry carries."""
        given = Ceilings() if self.authorisation is None else self.authorisation.authorisation.ledger_ceilings()
        target, plan = self.target.target, self.plan.plan
        entries = {line.uri: line.channels for line in target.lines.values()}
        entries |= {chat.url: chat.channels for chat in target.chats.values()}
        return Ceilings(
            at_once=given.at_once,
            per_hour=given.per_hour,
            per_day=given.per_day,
            minutes=given.minutes,
            money=given.money,
            price=given.price,
            utc_offset_s=given.utc_offset_s,
            per_channel={"voice": plan.at_once.voice, "chat": plan.at_once.chat},
            per_address=entries,
            per_trunk={trunk.uri: trunk.channels for trunk in target.trunks.values()},
            gap_s=plan.gap_s,
        )

    def permit(self, channel: ChannelKind, entry: str, scenario: str, now: datetime) -> None:
        """Asks the policy about one scenario on one entry.

        Raises:
            PolicyRefused: it may not be reached, or not now, or not with the voice we would speak with.
        """
        signed = None if self.authorisation is None else self.authorisation.authorisation
        target = self.target
        permit(target.target, target.folder, channel, entry, self.scenarios[scenario], signed, now)

    def row(self, planned: PlannedAttempt, now: datetime) -> NewAttempt:
        """Returns the ledger's row of a planned attempt."""
        limits = self.plan.plan.limits.over(self.scenarios[planned.scenario].limits)
        return NewAttempt(
            id=planned.id,
            seq=planned.seq,
            scenario=planned.scenario,
            channel=planned.channel,
            entry=planned.entry,
            address=self.address(planned.channel, planned.entry),
            seed=planned.seed,
            due=planned.due or now,
            until=planned.until,
            stratum=planned.stratum,
            session_s=limits.session_s,
            replaces=planned.replaces,
            trunk=self.trunk(planned.channel, planned.entry),
        )

    def job(
        self,
        attempt: Attempt,
        folder: RunFolder,
        *,
        version: str,
        switches: tuple[Path, ...],
        evidence: str | None,
    ) -> Assignment:
        """Returns all that a worker needs to carry out one attempt."""
        script = self.scripts[attempt.scenario]
        return Assignment(
            attempt=AttemptKey(
                run=attempt.campaign,
                id=attempt.id,
                scenario=script.scenario.id,
                channel=attempt.channel,
                entry=attempt.entry,
                seed=attempt.seed,
            ),
            scenario=script.scenario,
            scenario_sha256=script.sha256,
            target=self.target.target,
            target_folder=self.target.folder.resolve(),
            limits=self.plan.plan.limits.over(script.scenario.limits),
            lang=self.target.target.lang,
            folder=folder.session_dir(attempt.id).resolve(),
            version=version,
            switches=switches,
            evidence=evidence,
            attachments=script.attachments,
        )


def read(plan: Path, target: Path, authorisation: Path | None, scenarios: Path | None) -> Inputs:
    """Reads the files of a run.

    Args:
        plan: the plan.
        target: the target.
        authorisation: the authorisation; None: ``authorisation.yaml`` beside the target, if it is there.
        scenarios: folder of the user's own scripts.

    Raises:
        InputError: the first mistake, with file, line and cure.
    """
    loaded = load_plan(plan)
    beside = target.parent / "authorisation.yaml"
    if authorisation is None and beside.exists():
        authorisation = beside
    inputs = Inputs(
        plan=loaded,
        target=load_target(target),
        scripts={name: load_scenario(name, scenarios) for name in loaded.plan.scenario_names()},
        authorisation=None if authorisation is None else load_authorisation(authorisation),
    )
    check_means(loaded, inputs.target, inputs.scenarios)
    return inputs


def speech_cache() -> Path:
    """Returns the folder where synthesised speech is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contact-centre-shopper" / "speech"
