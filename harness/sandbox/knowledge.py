"""What the sandbox bank knows: the facts its target confirms and the answers its agents and its bot give."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, RootModel

from probes.target import FactAnswer
from scenarios.errors import InputError
from scenarios.model import Lang, Strict, Text
from scenarios.yaml_file import load

KNOWLEDGE_FILE = Path(__file__).with_name("knowledge.yaml")


class FactWordings(Strict):
    """The right and wrong wordings of one fact, in both languages."""

    zh: FactAnswer
    en: FactAnswer

    def in_(self, lang: Lang) -> FactAnswer:
        """Returns the wordings in ``lang``."""
        return self.zh if lang == "zh" else self.en


class Keywords(Strict):
    """The words by which the bank recognises a question."""

    zh: tuple[str, ...] = Field(min_length=1)
    en: tuple[str, ...] = Field(min_length=1)


class Showing(Strict):
    """What an answer shows in a chat besides its words; ``text`` is what stands on it, or what an image depicts."""

    kind: Literal["card", "link", "image"]
    text: Text
    url: str = ""


class Answer(Text):
    """One full, right answer and the words of the question it belongs to."""

    keywords: Keywords
    shows: tuple[Showing, ...] = ()
    choices: tuple[Text, ...] = Field(default=(), description="quick replies that are offered with it")

    def match(self, question: str, lang: Lang) -> tuple[int, int]:
        """Returns how many keywords ``question`` contains, and their letters together; (0, 0) is no match."""
        words = self.keywords.zh if lang == "zh" else self.keywords.en
        hits = [word for word in words if word.casefold() in question.casefold()]
        return len(hits), sum(map(len, hits))


class Subject(Strict):
    """What the bank knows about one scenario's errand."""

    facts: dict[str, FactWordings] = Field(min_length=1)
    answers: dict[str, Answer] = Field(min_length=1, description="ask id -> answer, in the script's order")


class Knowledge(RootModel[dict[str, Subject]]):
    """All the sandbox bank knows, by scenario id."""

    @classmethod
    def load(cls, path: Path = KNOWLEDGE_FILE) -> Knowledge:
        """Reads the knowledge file.

        Raises:
            InputError: the file is wrong; names the place.
        """
        return load(path, cls, error=InputError)

    def answer(self, scenario: str | None, question: str, lang: Lang) -> str | None:
        """Returns the answer whose keywords match ``question`` best, or None when no keyword occurs.

        Args:
            scenario: look only at this errand; None looks at all of them.
            question: what the customer said.
            lang: language of the question and the answer.
        """
        best = self.find(scenario, question, lang)
        return None if best is None else best.in_(lang)

    def find(self, scenario: str | None, question: str, lang: Lang) -> Answer | None:
        """Returns what :meth:`answer` says, with what is shown with it."""
        subjects = self.root.values() if scenario is None else [s for k, s in self.root.items() if k == scenario]
        answers = [answer for subject in subjects for answer in subject.answers.values()]
        best = max(answers, key=lambda answer: answer.match(question, lang), default=None)
        if best is None or best.match(question, lang) == (0, 0):
            return None
        return best

    def spoken(self) -> list[Subject]:
        """Returns the errands that can be done without seeing anything."""
        return [
            subject
            for subject in self.root.values()
            if not any(answer.shows or answer.choices for answer in subject.answers.values())
        ]

    def facts(self, lang: Lang) -> dict[str, dict[str, FactAnswer]]:
        """Returns scenario id -> fact key -> confirmed wordings: what the sandbox target states as its facts."""
        return {
            scenario: {key: fact.in_(lang) for key, fact in subject.facts.items()}
            for scenario, subject in self.root.items()
        }
