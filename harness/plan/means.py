"""Whether the chats of a plan can do what its scripts ask of them: send a file, show a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.plan.loading import LoadedPlan
from probes.chat.widget import load_widget
from probes.target_file import LoadedTarget
from scenarios.model import Scenario
from scenarios.yaml_file import Path_


def check_means(loaded: LoadedPlan, target: LoadedTarget, scenarios: Mapping[str, Scenario]) -> None:
    """Refuses a script that sends a file to a chat, or expects a card of it, whose profile does not say how.

    Entries and scripts that are not there are told elsewhere.

    Raises:
        PlanError: at the script's name in the plan.
    """
    for at, name, entry in _chats(loaded):
        scenario, chat = scenarios.get(name), target.target.chats.get(entry)
        if scenario is None or chat is None:
            continue
        widget = load_widget(chat.widget, target.folder)
        asks = [step.ask for step in scenario.steps_on("chat") if step.ask is not None]
        asked = {key for ask in asks for key in ask.facts}
        cards = [fact.key for fact in scenario.facts if fact.shown_as == "card" and fact.key in asked]
        files = [ask.attach for ask in asks if ask.attach is not None]
        for needs, key, has in (
            (f"sends the file '{files[0]}'" if files else "", "attach", widget.attach),
            (f"expects the card '{cards[0]}'" if cards else "", "messages.card", widget.messages.card),
        ):
            if needs and has is None:
                lacks = f"the profile '{widget.name}' of chat '{entry}' has no {key}"
                message = f"scenario {scenario.id} {needs}, and {lacks}"
                raise loaded.error(at, message, f"add '{key}' to the profile, or take the scenario to another chat")


def _chats(loaded: LoadedPlan) -> Iterator[tuple[Path_, str, str]]:
    """Yields where a script is named, its name, and the chat that it is for."""
    plan = loaded.plan
    for index, stratum in enumerate(plan.attempts):
        if stratum.channel == "chat":
            yield ("attempts", index, "scenario"), stratum.scenario, stratum.entry
    for index, timed in enumerate(plan.strata):
        mix_at: Path_ = ("mix",) if timed.mix is None else ("strata", index, "mix")
        for number, part in enumerate(plan.mix_of(timed) if timed.channel == "chat" else ()):
            yield (*mix_at, number, "scenario"), part.scenario, timed.entry
