"""The persona: who calls. Drawn by Faker from a seed that is recorded; nobody real, and never anybody's account."""

from __future__ import annotations

import random
import threading
from functools import cache
from typing import TYPE_CHECKING

from scenarios.model import Lang, PersonaSpec

if TYPE_CHECKING:
    from faker import Faker

_LOCALES = {"zh": "zh_CN", "en": "en_GB"}
_ONE_AT_A_TIME = threading.Lock()  # between seeding and drawing


def draw(spec: PersonaSpec, lang: Lang, seed: int) -> dict[str, str]:
    """Draws a persona.

    Args:
        spec: the bounds the script sets.
        lang: language of the name and the texts.
        seed: the attempt's seed; with the same Faker the same seed gives the same persona.

    Returns:
        ``name``, ``gender`` (male or female), ``age`` (years), ``tone``, ``story``: all text.
    """
    dice = random.Random(seed)
    gender = dice.choice(("female", "male"))
    age = dice.randint(*spec.age)
    faker = _faker(lang)
    with _ONE_AT_A_TIME:
        faker.seed_instance(seed)
        name = faker.name_female() if gender == "female" else faker.name_male()
    return {
        "name": name,
        "gender": gender,
        "age": str(age),
        "tone": spec.tone.in_(lang),
        "story": spec.story.in_(lang),
    }


@cache
def _faker(lang: Lang) -> Faker:
    from faker import Faker

    return Faker(_LOCALES[lang], providers=["faker.providers.person"])  # all its others take ten times as long
