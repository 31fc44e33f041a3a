"""Was the errand done? Facts and phrases, judged from what was heard, in three values.

What was not understood is ``unknown``. A fact that the client has not confirmed is ``na``: nobody knows what is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from probes.session import FactVerdict, Judgement, PhraseVerdict, Speaker, Verdict
from probes.showing import Part, shown_in
from probes.target import FactAnswer
from scenarios.model import ChannelKind, Fact, Lang, Scenario
from scenarios.phrases import said


@dataclass
class Reply:
    """One thing the far end said; ``text`` is None when it was heard but not understood. ``parts``: what it showed."""

    speaker: Speaker
    text: str | None
    id: int | str | None = None
    parts: Sequence[Part] = ()


@dataclass
class Turn:
    """One question of the script and what came back. ``at``: session seconds when we began to ask."""

    ask: str
    facts: tuple[str, ...]
    at: float = 0.0
    waited: bool = False  # the reply came, or was not given in time; False: we stopped waiting for other reasons
    replies: list[Reply] = field(default_factory=list)
    not_put: str = ""  # why the question could not be put


def facts_of_keys(scenario: Scenario, channel: ChannelKind) -> tuple[str, ...]:
    """Returns the facts that no question asks for: they are what a self-service answer must contain."""
    asked = {key for step in scenario.steps_on(channel) if step.ask for key in step.ask.facts}
    return tuple(fact.key for fact in scenario.facts if fact.key not in asked)


def judge(
    scenario: Scenario,
    lang: Lang,
    turns: Sequence[Turn],
    heard: Sequence[Reply],
    answers: Mapping[str, FactAnswer],
    by: Literal["ivr", "bot", "agent", "none"],
) -> Judgement:
    """Judges a conversation.

    Args:
        scenario: the script.
        lang: language of the conversation.
        turns: the questions that were asked, in order; a question never asked is not in it.
        heard: all that the far end said, for the phrases.
        answers: the client's confirmed wording of each fact.
        by: who served.
    """
    known = {fact.key: fact for fact in scenario.facts}
    facts = [_fact(known[key], turn, answers.get(key)) for turn in turns for key in turn.facts]
    asked = {verdict.key for verdict in facts}
    facts += [
        FactVerdict(key=fact.key, verdict="unknown", critical=fact.critical, reason="never asked")
        for fact in scenario.facts
        if fact.key not in asked and fact.key in answers
    ]
    spoken = [reply for reply in heard if reply.speaker in ("agent", "bot")]  # a recording has no manners to judge
    phrases = [_must(pid, lang, spoken) for pid in scenario.must] + [
        _must_not(pid, lang, spoken) for pid in scenario.must_not
    ]
    return Judgement(resolution=_resolution(facts, scenario.resolve.facts), by=by, facts=facts, phrases=phrases)


def _squeeze(text: str) -> str:
    return "".join(text.split()).casefold()


def _fact(fact: Fact, turn: Turn, answer: FactAnswer | None) -> FactVerdict:
    def verdict(value: Verdict, reason: str) -> FactVerdict:
        return FactVerdict(key=fact.key, verdict=value, critical=fact.critical, reason=reason)

    if answer is None:
        return verdict("na", "the client has not confirmed this fact")
    texts = [_squeeze(reply.text) for reply in turn.replies if reply.text is not None]
    shown = [part for reply in turn.replies for part in shown_in(fact.shown_as, reply.text, reply.parts)]
    if any(_squeeze(wrong) in text for wrong in answer.wrong for text in texts) or any(
        part.says(wrong) for wrong in answer.wrong for part in shown
    ):
        return verdict("fail", "contradicts the confirmed fact")
    if fact.shown_as == "words":
        right = [wording for wording in answer.right if any(_squeeze(wording) in text for text in texts)]
        if len(right) >= answer.at_least:
            return verdict("pass", "said: " + ", ".join(right))
    else:  # one of them says enough
        fits = next((part for part in shown if sum(map(part.says, answer.right)) >= answer.at_least), None)
        if fits is not None:
            return verdict("pass", f"shown: {fits}")
    if len(texts) < len(turn.replies):
        return verdict("unknown", "heard but not transcribed")
    if turn.not_put:
        return verdict("fail", turn.not_put)
    if not turn.waited and not texts:
        return verdict("unknown", "we stopped before a reply was due")
    missing = "not said" if fact.shown_as == "words" else f"no {fact.shown_as} was shown"
    if shown:
        missing = f"another {fact.shown_as} was shown: {shown[0]}"
    return verdict("fail", missing if texts else "no reply")


def _must(pid: str, lang: Lang, heard: Sequence[Reply]) -> PhraseVerdict:
    if not heard:
        return PhraseVerdict(id=pid, verdict="na", reason="nobody spoke")
    results = [said(pid, reply.text, lang) for reply in heard if reply.text is not None]
    if True in results:
        return PhraseVerdict(id=pid, verdict="pass")
    if None in results or any(reply.text is None for reply in heard):
        return PhraseVerdict(id=pid, verdict="unknown", reason="cannot be judged from what was transcribed")
    return PhraseVerdict(id=pid, verdict="fail", reason="not said")


def _must_not(pid: str, lang: Lang, heard: Sequence[Reply]) -> PhraseVerdict:
    verdict = _must(pid, lang, heard)
    if verdict.verdict == "pass":
        return PhraseVerdict(id=pid, verdict="fail", reason="said")
    return PhraseVerdict(id=pid, verdict="pass") if verdict.verdict == "fail" else verdict


def _resolution(facts: Sequence[FactVerdict], needed: Fraction) -> Literal["resolved", "not_resolved", "unknown"]:
    judged = [fact for fact in facts if fact.verdict != "na"]
    if not judged:
        return "unknown"
    right = sum(fact.verdict == "pass" for fact in judged)
    possible = right + sum(fact.verdict == "unknown" for fact in judged)
    if any(fact.critical and fact.verdict == "fail" for fact in judged) or Fraction(possible, len(judged)) < needed:
        return "not_resolved"
    if Fraction(right, len(judged)) >= needed and not any(f.critical and f.verdict == "unknown" for f in judged):
        return "resolved"
    return "unknown"
