"""The authorisation: the client's signed permission to be called. Without one only this machine is reached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, field_validator, model_validator

from harness.phone_number import never_dialled, normal, refused_kind
from scenarios.errors import AuthorisationError
from scenarios.model import Spelled, Strict
from scenarios.yaml_file import load_with_hash

CHINA = timezone(timedelta(hours=8), "UTC+08:00")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def _moment(value: Any, at: time) -> Any:
    if not isinstance(value, str | datetime):
        raise ValueError("write a date such as 2026-01-31, or a moment such as 2026-01-31T09:00:00+08:00")
    if isinstance(value, str) and _DATE.match(value):
        try:
            return datetime.combine(datetime.fromisoformat(value), at, CHINA)
        except ValueError:
            raise ValueError(f"there is no day {value}") from None
    return value


From = Annotated[AwareDatetime, BeforeValidator(lambda value: _moment(value, time.min))]
To = Annotated[AwareDatetime, BeforeValidator(lambda value: _moment(value, time.max))]


class Authorisation(Strict):
    """What may be reached, when and by whose signature. A bare date means that whole day in China (UTC+08:00)."""

    format: Literal[1]
    client: str
    numbers: tuple[Spelled, ...] = Field(default=(), description="exact telephone numbers")
    trunks: tuple[str, ...] = Field(default=(), description="SIP hosts of the evaluator's own lines")
    urls: tuple[str, ...] = Field(default=(), description="exact hosts, or URLs under which everything is permitted")
    valid_from: From
    valid_to: To
    signed_by: str = ""
    tts_consent: bool = False
    max_at_once: int = Field(default=1, ge=1)

    @field_validator("numbers")
    @classmethod
    def _dialable(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        for number in numbers:
            if never_dialled(number):
                raise ValueError(f"{number} must never be dialled and cannot be authorised")
            kind = refused_kind(number)
            if kind:
                raise ValueError(f"{number} is {kind} and cannot be authorised")
            if not re.fullmatch(r"[0-9]{2,20}", normal(number)):
                raise ValueError(f"'{number}' is no telephone number; write digits")
        return numbers

    @model_validator(mode="after")
    def _in_order(self) -> Authorisation:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


@dataclass(frozen=True)
class LoadedAuthorisation:
    """An authorisation and the bytes it came from."""

    authorisation: Authorisation
    path: Path
    sha256: str


def load_authorisation(path: str | Path) -> LoadedAuthorisation:
    """Reads an authorisation.

    Raises:
        AuthorisationError: the file cannot be read; names line, column and cure.
    """
    loaded = load_with_hash(path, Authorisation, AuthorisationError)
    return LoadedAuthorisation(loaded.model, loaded.path, loaded.sha256)
