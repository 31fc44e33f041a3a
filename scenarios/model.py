"""The scenario model: what a script in YAML may say.

A scenario is one customer's errand, the same file for voice and chat. Its ``steps`` run in order:

* ``human: {}``            ask for a human, the way the target says (keys on a phone, words in a chat),
  and wait in the queue.
* ``ask: {...}``           say one thing and wait for the answer; ``facts`` names what the answer must contain.
  In a chat it may also send a file, or press a quick reply instead of saying anything.
* ``dtmf: "1"``            press keys, after the far end has said something of the role in ``after``.

``on: [voice]`` limits a step to one channel. What counts as a right answer is the client's to confirm: the accepted
wording of each fact stands in the *target*, sealed before the test; a fact the target does not confirm is not judged.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

ChannelKind = Literal["voice", "chat"]
Lang = Literal["zh", "en"]


_FRACTION = re.compile(r"[0-9]{1,6}(/0*[1-9][0-9]{0,5}|\.[0-9]{1,6})?")


class Strict(BaseModel):
    """Unknown keys are errors, and values are never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Text(Strict):
    """One wording in two languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_(self, lang: Lang) -> str:
        """Returns the wording in ``lang``."""
        return self.zh if lang == "zh" else self.en


def _spelling(value: Any) -> Any:
    return getattr(value, "spelling", value)  # scenarios.yaml_file.Number: 012 is text here, not the number 12


def _share(value: Any) -> Any:
    if isinstance(value, Fraction):
        return value
    if not _FRACTION.fullmatch(str(value)):
        raise ValueError("a share is a fraction such as 2/3")
    return Fraction(str(value))


def _in_unit(value: Fraction) -> Fraction:
    if not 0 <= value <= 1:
        raise ValueError("a share lies between 0 and 1, for example 2/3")
    return value


def _ages(value: tuple[int, int]) -> tuple[int, int]:
    if not 18 <= value[0] <= value[1] <= 100:
        raise ValueError("age is [youngest, oldest], both between 18 and 100")
    return value


Spelled = Annotated[str, BeforeValidator(_spelling)]
"""Text that a YAML file may also give as a plain number; it keeps the spelling in the file."""

Digits = Annotated[Spelled, Field(pattern=r"^[0-9*#ABCD]+$", max_length=32)]
Share = Annotated[Fraction, BeforeValidator(_share), AfterValidator(_in_unit)]


FactForm = Literal["words", "link", "card", "image"]


class Fact(Strict):
    """One fact the answer must contain. The accepted wording comes from the target."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: Text
    critical: bool = False
    shown_as: FactForm = Field(default="words", description="in a chat: what the answer must show, not only say")


class Ask(Strict):
    """Say one thing, send a file, or press a quick reply; the answer is what the far end says until it pauses."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    say: Text | None = None
    attach: str | None = Field(default=None, min_length=1, description="a file beside the script; goes out first")
    choose: Text | None = Field(default=None, description="the quick reply to press, by its words")
    facts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Ask:
        if self.say is None and self.attach is None and self.choose is None:
            raise ValueError("an ask says something (say), sends a file (attach), or presses a quick reply (choose)")
        if self.choose is not None and (self.say is not None or self.attach is not None):
            raise ValueError("an ask that presses a quick reply neither says nor sends anything; make two asks of it")
        return self


class Human(Strict):
    """Ask for a human by the target's own path."""


class Step(Strict):
    """One step: exactly one of ``human``, ``ask``, ``dtmf``."""

    human: Human | None = None
    ask: Ask | None = None
    dtmf: Digits | None = None
    after: Literal["welcome", "menu", "any"] = "any"
    on: tuple[ChannelKind, ...] = ("voice", "chat")

    @model_validator(mode="before")
    @classmethod
    def _no_value(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if "dtmf" in data and data["dtmf"] is None:
            raise ValueError("dtmf has no keys; put * and # between quotes")
        return {**data, "human": {}} if "human" in data and data["human"] is None else data

    @model_validator(mode="after")
    def _exactly_one(self) -> Step:
        if sum(x is not None for x in (self.human, self.ask, self.dtmf)) != 1:
            raise ValueError("a step has exactly one of: human, ask, dtmf")
        return self


class PersonaSpec(Strict):
    """Who calls: bounds within which Faker draws the persona."""

    age: Annotated[tuple[int, int], AfterValidator(_ages)] = (22, 60)
    tone: Text
    story: Text


class Limits(Strict):
    """When the shopper gives up. All in seconds. ``queue_s`` is the L of domain 2.3 and is printed with every rate."""

    ring_s: float = Field(default=60, gt=0)
    menu_s: float = Field(default=60, gt=0)
    queue_s: float = Field(default=180, gt=0)
    reply_s: float = Field(default=30, gt=0)
    session_s: float = Field(default=480, gt=0)


class Resolve(Strict):
    """Resolved when at least this share of the judged facts is right and no critical one is wrong."""

    facts: Share = Fraction(1)


class Safety(Strict):
    """What the shopper never does, and the words at which it stops at once."""

    read_only: Literal[True] = True
    stop_words: tuple[Text, ...] = ()


class Scenario(Strict):
    """One script."""

    format: Literal[1]
    id: str = Field(pattern=r"^[A-Z][0-9]{2}[A-Za-z0-9_-]*$")
    version: int = Field(ge=1)
    title: Text
    schemes: tuple[str, ...] = ()
    channels: tuple[ChannelKind, ...] = Field(min_length=1)
    persona: PersonaSpec
    goal: Text
    steps: tuple[Step, ...] = Field(min_length=1)
    farewell: Text
    facts: tuple[Fact, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    resolve: Resolve = Resolve()
    indicators: tuple[str, ...] = ()
    limits: Limits = Limits()
    safety: Safety = Safety()

    @model_validator(mode="after")
    def _facts_named(self) -> Scenario:
        known = {fact.key for fact in self.facts}
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError("value_error", "", {"error": f"no fact is called '{key}'"}),
                loc=("steps", number, "ask", "facts", index),
                input=key,
            )
            for number, step in enumerate(self.steps)
            for index, key in enumerate(step.ask.facts if step.ask else ())
            if key not in known
        ]
        if wrong:
            raise ValidationError.from_exception_data("Scenario", wrong)
        return self

    def steps_on(self, channel: ChannelKind) -> tuple[Step, ...]:
        """Returns the steps that run on ``channel``, in order."""
        return tuple(step for step in self.steps if channel in step.on)
