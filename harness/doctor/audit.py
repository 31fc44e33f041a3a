"""The audit that is to be checked: its files, read once, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from harness.authorisation import Authorisation, LoadedAuthorisation, load_authorisation
from harness.inputs import Inputs
from harness.plan import LoadedPlan, PlannedAttempt, draw_up, load_plan
from harness.plan.means import check_means
from probes.target import Chat, Line, TrunkSpec
from probes.target_file import LoadedTarget, load_target
from scenarios.catalogue import LoadedScenario
from scenarios.catalogue import load as load_scenario
from scenarios.errors import InputError
from scenarios.model import Scenario


@dataclass(frozen=True)
class Request:
    """What the user named; None: nothing to look at."""

    target: Path | None = None
    plan: Path | None = None
    authorisation: Path | None = None
    scenarios: Path | None = None
    runs: Path = Path("runs")
    ledger: str | None = None
    call: str | None = None
    ntp: str | None = None


class Audit:
    """The files of an audit. A file that is wrong is kept as its error, so that the other checks can go on."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @cached_property
    def target(self) -> LoadedTarget | InputError | None:
        """The target, what is wrong with it, or None if none was named."""
        if self.request.target is None:
            return None
        try:
            return load_target(self.request.target)
        except InputError as error:
            return error

    @cached_property
    def plan(self) -> LoadedPlan | InputError | None:
        """The plan, what is wrong with it, or None."""
        if self.request.plan is None:
            return None
        try:
            return load_plan(self.request.plan)
        except InputError as error:
            return error

    @cached_property
    def _signed(self) -> LoadedAuthorisation | InputError | None:
        path = self.request.authorisation
        if path is None:
            if self.request.target is None:
                return None
            path = self.request.target.parent / "authorisation.yaml"
            if not path.exists():
                return None
        try:
            return load_authorisation(path)
        except InputError as error:
            return error

    @property
    def authorisation(self) -> Authorisation | InputError | None:
        """The authorisation, what is wrong with it, or None if there is none."""
        return self._signed.authorisation if isinstance(self._signed, LoadedAuthorisation) else self._signed

    @property
    def permission(self) -> Authorisation | None:
        """What the policy is asked with: an authorisation that cannot be read permits nothing."""
        return None if isinstance(self.authorisation, InputError) else self.authorisation

    @cached_property
    def scripts(self) -> dict[str, LoadedScenario | InputError]:
        """The scripts of the plan by the name it gives them, or what is wrong with each."""
        found: dict[str, LoadedScenario | InputError] = {}
        plan = self.readable_plan
        for name in () if plan is None else plan.plan.scenario_names():
            try:
                found[name] = load_scenario(name, self.request.scenarios)
            except InputError as error:
                found[name] = error
        return found

    def scenario(self, name: str) -> Scenario:
        """Returns a script that could be read."""
        assert self.inputs is not None
        return self.inputs.scenarios[name]

    @cached_property
    def inputs(self) -> Inputs | None:
        """All files together, once plan, target and every script could be read."""
        plan, target = self.readable_plan, self.readable_target
        scripts = {name: script for name, script in self.scripts.items() if isinstance(script, LoadedScenario)}
        if plan is None or target is None or len(scripts) < len(self.scripts):
            return None
        signed = self._signed if isinstance(self._signed, LoadedAuthorisation) else None
        return Inputs(plan, target, scripts, signed)

    @cached_property
    def _drawn(self) -> list[PlannedAttempt] | InputError:
        """The plan's attempts, or why there are none."""
        if self.inputs is None:
            return next((script for script in self.scripts.values() if isinstance(script, InputError)), [])
        inputs = self.inputs
        try:
            check_means(inputs.plan, inputs.target, inputs.scenarios)
            return draw_up(inputs.plan, inputs.target.target, inputs.scenarios, now=self.now())
        except InputError as error:
            return error

    @property
    def planned(self) -> list[PlannedAttempt]:
        """The attempts that the plan draws up on the target; none if one of the two is missing or wrong."""
        return [] if isinstance(self._drawn, InputError) else self._drawn

    @property
    def unplanned(self) -> InputError | None:
        """Why the plan draws up no attempts on the target, if there is a reason."""
        return self._drawn if isinstance(self._drawn, InputError) else None

    def session_s(self, attempt: PlannedAttempt) -> float:
        """Returns the longest that an attempt may last, in seconds."""
        assert self.inputs is not None
        return self.inputs.plan.plan.limits.over(self.scenario(attempt.scenario).limits).session_s

    @property
    def readable_plan(self) -> LoadedPlan | None:
        """The plan, if it could be read."""
        return self.plan if isinstance(self.plan, LoadedPlan) else None

    @property
    def readable_target(self) -> LoadedTarget | None:
        """The target, if it could be read."""
        return self.target if isinstance(self.target, LoadedTarget) else None

    @property
    def lines(self) -> dict[str, Line]:
        """The lines that the plan uses; all of the target's without a plan."""
        target = self.readable_target
        return {} if target is None else {n: line for n, line in target.target.lines.items() if self._used(n)}

    def way(self, line: Line) -> TrunkSpec:
        """Returns how calls to ``line`` leave."""
        assert isinstance(self.target, LoadedTarget)
        return self.target.target.trunk_of(line)

    @property
    def chats(self) -> dict[str, Chat]:
        """The chats that the plan uses; all of the target's without a plan."""
        target = self.readable_target
        return {} if target is None else {n: chat for n, chat in target.target.chats.items() if self._used(n)}

    def _used(self, entry: str) -> bool:
        return not self.planned or any(attempt.entry == entry for attempt in self.planned)

    def now(self) -> datetime:
        """Returns this moment."""
        return datetime.now(UTC)
