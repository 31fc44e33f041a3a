"""Why something may not be reached, and what would have to be done: two sentences in two languages."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.errors import PolicyRefused
from scenarios.model import Lang, Text


@dataclass(frozen=True)
class Refusal:
    """One reason, and its cure where there is one."""

    why: Text
    cure: Text | None = None

    @classmethod
    def of(cls, en: str, zh: str, cure_en: str = "", cure_zh: str = "") -> Refusal:
        """Returns a refusal from its wordings."""
        return cls(Text(zh=zh, en=en), Text(zh=cure_zh, en=cure_en) if cure_en else None)

    def in_(self, lang: Lang) -> str:
        """Returns reason and cure as one sentence in ``lang``."""
        why = self.why.in_(lang)
        if self.cure is None:
            return why
        return f"{why.rstrip('.')}: {self.cure.en}" if lang == "en" else f"{why.rstrip('。')}：{self.cure.zh}"

    def error(self) -> PolicyRefused:
        """Returns the error that says so."""
        return PolicyRefused(self.in_("en"))


def insist(refusal: Refusal | None) -> None:
    """Raises a refusal, if there is one.

    Raises:
        PolicyRefused: there is one.
    """
    if refusal is not None:
        raise refusal.error()
