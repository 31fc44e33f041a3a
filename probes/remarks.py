"""Remarks that end a session at once: an objection, somebody else's line, the question whether we are a tester.

The patterns are data (``remarks.yaml``). They are read once, in the conversation; everything after it reads the events
that it writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import RootModel

from scenarios.model import Lang, Strict
from scenarios.phrases import Patterns
from scenarios.yaml_file import load

REMARKS_FILE = Path(__file__).with_name("remarks.yaml")
RemarkKind = Literal["objection", "wrong_party", "detected"]
_SENTENCE = re.compile(r"[^。！？；!?;\n]+[。！？；!?;]*")


class Rule(Strict):
    """One kind of remark."""

    kind: RemarkKind
    patterns: Patterns
    unless: Patterns = Patterns()


class _Rules(RootModel[tuple[Rule, ...]]):
    """The whole file."""


@dataclass(frozen=True)
class Remark:
    """What was said. ``words`` are those that show it and no more: the rest may be a stranger's own affair."""

    kind: RemarkKind
    words: str


@cache
def rules() -> tuple[Rule, ...]:
    """Returns the rules, the gravest first."""
    return load(REMARKS_FILE, _Rules).root


def remark_in(text: str, lang: Lang) -> Remark | None:
    """Returns the gravest remark in what one speaker said at a stretch, or None."""
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text)]
    for rule in rules():
        for sentence in sentences:
            match = rule.patterns.first(sentence, lang)
            if match is not None and rule.unless.first(sentence, lang) is None:
                return Remark(rule.kind, match[0].strip())
    return None
