"""Whether the chats of a plan can do what its scripts ask of them: take a file, offer a quick reply, show a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.plan.loading import LoadedPlan
from probes.chat.api.interface import Interface, Rule, load_interface
from probes.chat.widget import load_widget
from probes.target import Chat
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
        asks = [step.ask for step in scenario.steps_on("chat") if step.ask is not None]
        asked = {key for ask in asks for key in ask.facts}
        files = [f"sends the file '{ask.attach}'" for ask in asks if ask.attach is not None]
        replies = [f"presses the quick reply '{ask.choose.en}'" for ask in asks if ask.choose is not None]
        shown = {f.shown_as: f"expects the {f.shown_as} '{f.key}'" for f in scenario.facts if f.key in asked}
        wants = {"file": files[0] if files else None, "button": replies[0] if replies else None} | shown
        for what, lack, cure in _lacks(chat, target.folder):
            if wants.get(what) is not None:
                message = f"scenario {scenario.id} {wants[what]}, and {lack.format(entry=entry)}"
                raise loaded.error(at, message, f"{cure}, or take the scenario to another chat".removeprefix(", or "))


def _lacks(chat: Chat, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yields what a chat cannot do: what, the sentence, what of its profile would cure it."""
    if chat.api is None:
        widget = load_widget(chat.widget, folder)
        lack = f"the profile '{widget.name}' of chat '{{entry}}' has no "
        if widget.attach is None:
            yield "file", f"{lack}attach", "add 'attach' to the profile"
        if widget.messages.card is None:
            yield "card", f"{lack}messages.card", "add 'messages.card' to the profile"
        return
    interface = load_interface(chat.api, folder)
    yield "file", f"the interface '{interface.name}' of chat '{{entry}}' cannot send files", ""
    for what in ("button", "card", "image"):  # a link may be written out in words
        if interface.directline is None and not any(what in rule.shows for rule in _rules(interface)):
            lack = f"no rule of the interface '{interface.name}' of chat '{{entry}}' shows any {what}"
            yield what, lack, f"add 'shows: {{{what}: PATH}}' to the rule of its messages"


def _rules(interface: Interface) -> tuple[Rule, ...]:
    return () if interface.read is None else interface.read.rules


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
