"""What the sandbox bank's chat says, and who of its agents says it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Annotated

from faker import Faker
from pydantic import AfterValidator, Field, RootModel

from scenarios.errors import InputError
from scenarios.model import Lang, Strict
from scenarios.yaml_file import load

WORDS_FILE = Path(__file__).with_name("chat_words.yaml")
LOCALES: dict[Lang, str] = {"zh": "zh_CN", "en": "en_GB"}


def _pattern(value: str) -> str:
    re.compile(value)
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
Choices = Annotated[tuple[str, ...], Field(min_length=1)]


class PageWords(Strict):
    """Labels of the web page."""

    bank: str
    nav: Choices
    title: str
    lead: str
    cards: tuple[tuple[str, str], ...]
    note: str
    launcher: str
    head: str
    online: str
    waiting: str
    human: str
    over: str
    lost: str
    placeholder: str
    send: str
    attach: str
    close: str
    typing: str
    bot: str
    agent: str
    user: str


class Words(Strict):
    """Everything said in one language. ``{n}``, ``{number}`` and ``{name}`` are filled in."""

    page: PageWords
    welcome: str
    want_human: Pattern
    goodbye: Pattern
    bot_unknown: Choices
    bot_goodbye: str
    got_file: str
    transfer: str
    position: str
    joined: str
    openers: Choices
    selves: Choices
    offers: Choices
    before_answer: Choices
    after_answer: Choices
    agent_unknown: Choices
    agent_goodbye: Choices
    over: str
    full: str
    callback: str

    def greeting(self, index: int, number: int, name: str) -> str:
        """Returns the greeting of the ``index``-th session; repeats only after every combination has been used."""
        index, opener = divmod(index, len(self.openers))
        index, offer = divmod(index, len(self.offers))
        myself = self.selves[index % len(self.selves)]
        return self.openers[opener] + myself.format(number=number, name=name) + self.offers[offer]


class _File(RootModel[dict[Lang, Words]]):
    """The file: one set of words for each language."""


def words(lang: Lang) -> Words:
    """Reads the words of one language."""
    return load(WORDS_FILE, _File, error=InputError).root[lang]


class Agents:
    """The agents on duty: drawn from a seed, each with a number and a name."""

    def __init__(self, seed: int, lang: Lang) -> None:
        draw = random.Random(f"agents/{seed}")
        faker = Faker(LOCALES[lang])
        faker.seed_instance(seed)
        numbers = draw.sample(range(1001, 1999), draw.randint(4, 8))
        self._on_duty = [(number, faker.last_name() if lang == "zh" else faker.first_name()) for number in numbers]
        self._shift = draw.randrange(144)

    def serving(self, session: int) -> tuple[int, str, int]:
        """Returns the number and the name of the agent for a session, and which greeting is said in it."""
        number, name = self._on_duty[session % len(self._on_duty)]
        return number, name, self._shift + session
