"""What the far end has said: to which of our turns it belongs, and whether any of it ends the session."""

from __future__ import annotations

from collections.abc import Sequence

from probes.acknowledgement import is_acknowledgement
from probes.judging import Reply, Turn
from probes.remarks import Remark, remark_in
from probes.session import Event
from scenarios.model import Lang, Scenario

REMARKING = ("agent", "bot", "unknown")  # a recording objects to nobody


class Replies:
    """Collects messages as they come."""

    def __init__(self, scenario: Scenario, lang: Lang) -> None:
        self.turns: list[Turn] = []
        self.heard: list[Reply] = []
        self.unsafe: str | None = None  # the stop word that was said
        self.remark: Remark | None = None  # the first one
        self._lang = lang
        self._stop_words = [word.in_(lang) for word in scenario.safety.stop_words]

    def take(self, event: Event) -> Remark | None:
        """Takes a ``message``; returns the remark in it, if there is one."""
        speaker, text = event.data["speaker"], event.data.get("text")
        if speaker == "system":
            return None
        remark = None
        if text is not None:
            for word in self._stop_words:
                if word.casefold() in text.casefold():
                    self.unsafe = word
            if speaker in REMARKING:
                remark = remark_in(text, self._lang)
                self.remark = self.remark or remark
        if event.data.get("revision", 0) > 0:  # a message that was changed after it had settled
            for known in self.heard:
                if known.id == event.data.get("id"):
                    known.text, known.parts = text, event.data.get("parts", ())
            return remark
        reply = Reply(speaker, text, event.data.get("id"), event.data.get("parts", ()))
        self.heard.append(reply)
        for turn in reversed(self.turns):  # what began before we spoke is no answer to it
            if event.t >= turn.at:
                turn.replies.append(reply)
                break
        return remark


def greets_nobody(timeline: Sequence[Event]) -> bool | None:
    """True on an interface that only ever answers."""
    return True if any(event.data.get("greets") is False for event in timeline) else None


def prompted(timeline: Sequence[Event], role: str, since: float, prompts_known: bool) -> Event | None:
    """Returns the first thing the far end said since then that is of ``role``, or may be where nothing is known."""
    for event in timeline:
        if event.kind == "message" and event.t >= since and event.data["speaker"] != "system":
            found = event.data.get("role")
            if role in ("any", found) or (found is None and not prompts_known):
                return event
    return None


def newest_reply(timeline: Sequence[Event], after: float) -> Event | None:
    """Returns the newest thing the far end said that began after then, unless it only asks for patience."""
    for event in reversed(timeline):
        if event.kind == "message" and event.t > after and event.data["speaker"] != "system":
            return None if is_acknowledgement(event.data.get("text")) else event
    return None
