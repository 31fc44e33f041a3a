"""Reading a plan, and every mistake that can be seen in it without the target."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

from harness.plan.model import MixPart, Plan
from scenarios.errors import PlanError
from scenarios.yaml_file import Path_, Place, load_with_hash

LONGEST_DAYS = 366
LEAST = 2  # attempts a stratum: with one its variance cannot be told (domain 3.2)


@dataclass(frozen=True)
class LoadedPlan:
    """A plan and what it was read from. ``path`` is None for a plan made in memory."""

    plan: Plan
    sha256: str
    path: Path | None = None
    places: Mapping[Path_, Place] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, plan: Plan) -> LoadedPlan:
        """Returns a plan that was made in memory, with the hash of its JSON.

        Raises:
            PlanError: it contradicts itself.
        """
        return _sound(cls(plan, hashlib.sha256(plan.model_dump_json().encode()).hexdigest()))

    def error(self, key: Path_, message: str, cure: str) -> PlanError:
        """Returns the mistake at ``key``, with the place of the nearest value around it."""
        place = next((self.places[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.places), None)
        line, column = (place.line, place.column) if place else (None, None)
        return PlanError(message, file=self.path, line=line, column=column, cure=cure)


def load_plan(path: str | Path) -> LoadedPlan:
    """Reads a plan.

    Raises:
        PlanError: the file is wrong; names line, column and cure.
    """
    loaded = load_with_hash(path, Plan, PlanError)
    return _sound(LoadedPlan(loaded.model, loaded.sha256, loaded.path, loaded.values))


def known(given: str, names: Mapping[str, object]) -> str:
    """Returns the cure for a name that is not among ``names``."""
    near = difflib.get_close_matches(given, names, n=1)
    listed = f"there are: {', '.join(names) or 'none'}"
    return f"did you mean '{near[0]}'? {listed}" if near else listed


def days_of(plan: Plan) -> list[date]:
    """Returns the days of a scheduled plan's window, in order."""
    assert plan.window is not None
    return [plan.window.first + timedelta(n) for n in range((plan.window.last - plan.window.first).days + 1)]


def _sound(loaded: LoadedPlan) -> LoadedPlan:
    for problem in _mistakes(loaded):
        raise problem
    return loaded


def _mistakes(loaded: LoadedPlan) -> Iterator[PlanError]:
    plan = loaded.plan
    if not plan.scheduled:
        for key in ("strata", "size", "mix"):
            if getattr(plan, key):
                yield loaded.error((key,), f"'{key}' needs a window", "add window: {from: 2026-12-01, to: 2026-12-28}")
        return
    if plan.attempts:
        cure = "keep attempts alone, or window with mix, strata and size"
        yield loaded.error(("attempts",), "a plan lists its attempts or draws them over a window, not both", cure)
    yield from _window(loaded)
    yield from _size(loaded)
    if not plan.strata:
        cure = 'add strata: [{entry: hotline, channel: voice, days: workday, hours: "09:00-18:00"}]'
        yield loaded.error(("strata",), "a window needs strata", cure)
    yield from _mixes(loaded)
    yield from _strata(loaded)


def _window(loaded: LoadedPlan) -> Iterator[PlanError]:
    window = loaded.plan.window
    assert window is not None
    length = (window.last - window.first).days + 1
    if length < 1:
        message = f"the window is empty: {window.last} lies before {window.first}"
        yield loaded.error(("window", "to"), message, "put the later day under to")
    elif length > LONGEST_DAYS:
        message = f"the window has {length} days"
        yield loaded.error(("window",), message, f"at most {LONGEST_DAYS}; make a plan for each year")


def _size(loaded: LoadedPlan) -> Iterator[PlanError]:
    plan = loaded.plan
    given = [] if plan.size is None else [name for name, value in plan.size if value is not None]
    if len(given) != 1:
        message = "a window needs a size" if plan.size is None else "a size is exactly one of: n, half_width, power"
        yield loaded.error(("size",), message, "write for example size: {n: 200}")
    elif given == ["power"] and plan.expected_rate <= plan.target_rate:
        message = f"no n has that power: expected_rate {_percent(plan.expected_rate)} does not lie above"
        message += f" target_rate {_percent(plan.target_rate)}"
        yield loaded.error(("size", "power"), message, "write the rate you expect of the centre under expected_rate")


def _mixes(loaded: LoadedPlan) -> Iterator[PlanError]:
    plan = loaded.plan
    own: list[tuple[Path_, tuple[MixPart, ...]]] = [
        (("strata", n, "mix"), stratum.mix) for n, stratum in enumerate(plan.strata) if stratum.mix is not None
    ]
    if plan.mix or len(own) < len(plan.strata):
        own.insert(0, (("mix",), plan.mix))
    for key, mix in own:
        if not mix:
            yield loaded.error(key, "a mix has no scenario", "write for example mix: [{scenario: S01, share: 1}]")
            continue
        seen: set[str] = set()
        for index, part in enumerate(mix):
            if part.scenario in seen:
                message = f"scenario '{part.scenario}' occurs twice in a mix"
                yield loaded.error((*key, index, "scenario"), message, "add the two shares up")
            seen.add(part.scenario)
        total = sum((part.share for part in mix), Fraction())
        if total != 1:
            cure = "they must make exactly 1; thirds are written 1/3"
            yield loaded.error(key, f"the shares of the mix add up to {_exact(total)}", cure)


def _strata(loaded: LoadedPlan) -> Iterator[PlanError]:
    plan = loaded.plan
    seen: set[str] = set()
    kinds = {plan.calendar.kind_of(day) for day in days_of(plan)}
    for index, stratum in enumerate(plan.strata):
        if stratum.days != "any" and stratum.days not in kinds:
            message = f"the window has no {stratum.days} for stratum '{stratum.label}'"
            yield loaded.error(("strata", index, "days"), message, "change the window, the calendar, or remove it")
        if stratum.label in seen:
            message = f"stratum '{stratum.label}' occurs twice"
            yield loaded.error(("strata", index), message, "give each its own name")
        seen.add(stratum.label)
    for (_, one), (index, two) in itertools.combinations(enumerate(plan.strata), 2):
        same = (one.channel, one.entry) == (two.channel, two.entry) and (
            one.days == two.days or "any" in (one.days, two.days)
        )
        if same and one.hours.start < two.hours.end and two.hours.start < one.hours.end:
            message = f"strata '{one.label}' and '{two.label}' overlap"
            yield loaded.error(("strata", index, "hours"), message, "an hour of one entry belongs to one stratum only")
    size = plan.size
    if size is not None and size.n is not None and size.n < LEAST * len(plan.strata):
        message = f"n = {size.n} is too few for {len(plan.strata)} strata"
        cure = f"{LEAST} each take at least {LEAST * len(plan.strata)}; raise n or join strata"
        yield loaded.error(("size", "n"), message, cure)


def _percent(rate: Fraction) -> str:
    return f"{float(100 * rate):g} %"


def _exact(total: Fraction) -> str:
    return f"{total} = {float(total):.6g}" if total.denominator > 1 else str(total)
