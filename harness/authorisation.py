"""The authorisation: the client's signed permission to be called. Without one only this machine is reached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, ValidationInfo, field_validator, model_validator

from harness.hours import CHINA, Calendar, Day, Hours, Zone
from harness.ledger.rows import Ceilings as LedgerCeilings
from harness.ledger.rows import Price as SessionPrice
from harness.phone_number import NEVER, never_dialled, normal, refused_kind
from harness.refusal import Refusal
from scenarios.errors import AuthorisationError
from scenarios.model import Spelled, Strict
from scenarios.yaml_file import load_with_hash

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_IDENTITY = re.compile(r"[A-Za-z0-9+._-]{1,64}(@[A-Za-z0-9.-]+)?", re.ASCII)
DAYS: dict[str, str] = {"workday": "工作日", "weekend": "周末", "holiday": "节假日"}


class Ceilings(Strict):
    """What all campaigns for this client together must not exceed; what is left out has no ceiling."""

    per_day: int | None = Field(default=None, ge=1, description="calls and chats a calendar day, in the zone")
    per_hour: int | None = Field(default=None, ge=1, description="in any sixty minutes")
    at_once: int | None = Field(default=None, ge=1, description="1 if left out")
    minutes: float | None = Field(default=None, gt=0, description="in all")
    money: float | None = Field(default=None, gt=0, description="in all, in the currency of the price")


class Price(Strict):
    """What a session costs the client. A started minute counts whole; chats cost nothing by the minute."""

    per_minute: float = Field(default=0.0, ge=0)
    per_call: float = Field(default=0.0, ge=0)
    per_chat: float = Field(default=0.0, ge=0)
    currency: str = Field(default="CNY", min_length=1)


class RecordingTerms(Strict):
    """On what ground the sessions are recorded, and how long the recordings are kept (domain 4.3)."""

    basis: str = Field(min_length=1, description="for example: clause 5 of the contract; staff were told on 2026-01-10")
    retention_days: int = Field(ge=1)


class Authorisation(Strict):
    """What may be reached, when, how often and by whose signature. A bare date means that whole day in ``zone``."""

    format: Literal[1]
    client: str
    zone: Zone = Field(default=CHINA, description="the clock of bare dates, hours and calendar days")
    numbers: tuple[Spelled, ...] = Field(default=(), description="exact telephone numbers")
    trunks: tuple[str, ...] = Field(default=(), description="SIP hosts of the evaluator's own lines")
    identities: tuple[Spelled, ...] = Field(default=(), description="numbers and SIP users the evaluator calls from")
    urls: tuple[str, ...] = Field(default=(), description="exact hosts, or URLs under which everything is permitted")
    valid_from: AwareDatetime
    valid_to: AwareDatetime
    hours: Hours | None = Field(default=None, description="None: the client sets no hours")
    calendar: Calendar = Calendar()
    ceilings: Ceilings = Ceilings()
    price: Price = Price()
    recording: RecordingTerms | None = None
    tts_consent: bool = False
    liaison: str = Field(default="", description="whom to reach at the client, and how")
    signed_by: str = ""
    signed_on: Day | None = None
    max_at_once: int | None = Field(default=None, ge=1, description="the older place of ceilings.at_once")

    @field_validator("valid_from", "valid_to", mode="before")
    @classmethod
    def _moment(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str | datetime):
            raise ValueError("write a date such as 2026-01-31, or a moment such as 2026-01-31T09:00:00+08:00")
        if isinstance(value, str) and _DATE.match(value):
            at = time.min if info.field_name == "valid_from" else time.max
            try:
                return datetime.combine(datetime.fromisoformat(value), at, ZoneInfo(info.data.get("zone", CHINA)))
            except ValueError:
                raise ValueError(f"there is no day {value}") from None
        return value

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

    @field_validator("identities")
    @classmethod
    def _ours(cls, identities: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        centre = {normal(number) for number in info.data.get("numbers", ())}
        for identity in identities:
            if not _IDENTITY.fullmatch(identity):
                raise ValueError(f"'{identity}' is no caller identity; write a number, USER or USER@HOST")
            number = normal(identity)
            if number in NEVER:
                raise ValueError(f"{identity} is an emergency or public-service number and nobody's own")
            if number in centre:
                raise ValueError(f"{identity} is one of the client's numbers; identities are the evaluator's own")
        return identities

    @model_validator(mode="after")
    def _in_order(self) -> Authorisation:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        if self.max_at_once is not None and self.ceilings.at_once is not None:
            raise ValueError("ceilings says at_once already; remove max_at_once")
        if self.ceilings.money is not None and not (
            self.price.per_minute or self.price.per_call or self.price.per_chat
        ):
            raise ValueError("a ceiling of money needs a price; add price: {per_minute: …}")
        return self

    @property
    def at_once(self) -> int:
        """The most calls and chats together; one unless the client says otherwise."""
        return self.ceilings.at_once or self.max_at_once or 1

    def allowed(self, when: datetime) -> str | None:
        """Returns why nothing may be reached at ``when`` (aware), in one English sentence, or None if it may."""
        refusal = self.refused(when)
        return None if refusal is None else refusal.in_("en")

    def refused(self, when: datetime) -> Refusal | None:
        """Returns the first reason why nothing may be reached at ``when``, in both languages."""
        return self.unsigned(when) or self.out_of_date(when) or self.unrecorded() or self.closed(when)

    def unsigned(self, when: datetime) -> Refusal | None:
        """Says whether a signature or its date is missing, or the date is still to come."""
        if not self.signed_by.strip():
            return Refusal.of(
                f"The authorisation of {self.client} is not signed (signed_by is empty).",
                f"“{self.client}”的授权书没有签署（signed_by 为空）。",
                "have the client sign it, and write who signed into signed_by and when into signed_on.",
                "请被测机构签署，并填写 signed_by（签署人）和 signed_on（签署日期）。",
            )
        if self.signed_on is None:
            return Refusal.of(
                f"The authorisation of {self.client} does not say when it was signed.",
                f"“{self.client}”的授权书没有签署日期。",
                "write the day into signed_on, for example signed_on: 2026-01-15.",
                "请填写 signed_on，例如 signed_on: 2026-01-15。",
            )
        if self.signed_on > self.local(when).date():
            return Refusal.of(
                f"The authorisation of {self.client} is signed on {self.signed_on}, a day still to come.",
                f"“{self.client}”的授权书签署日期 {self.signed_on} 尚未到来。",
                "correct signed_on.",
                "请更正 signed_on。",
            )
        return None

    def out_of_date(self, when: datetime) -> Refusal | None:
        """Says whether ``when`` lies outside the window."""
        if self.valid_from <= when <= self.valid_to:
            return None
        window = [self.local(moment).isoformat(timespec="minutes") for moment in (self.valid_from, self.valid_to)]
        at = self.local(when).isoformat(timespec="minutes")
        return Refusal.of(
            f"The authorisation of {self.client} holds from {window[0]} to {window[1]}, not at {at}.",
            f"“{self.client}”的授权书有效期为 {window[0]} 至 {window[1]}，{at} 不在其中。",
            "have the client sign a new period.",
            "请被测机构另签有效期。",
        )

    def unrecorded(self) -> Refusal | None:
        """Says whether the ground for recording is missing."""
        if self.recording is not None and self.recording.basis.strip():
            return None
        return Refusal.of(
            f"The authorisation of {self.client} gives no ground for recording.",
            f"“{self.client}”的授权书没有写明录音依据。",
            "add recording: {basis: …, retention_days: …}.",
            "请增加 recording: {basis: 依据, retention_days: 保存天数}。",
        )

    def closed(self, when: datetime) -> Refusal | None:
        """Says whether ``when`` lies outside the hours."""
        local = self.local(when)
        if self.hours is None or self.hours.open_at(local, self.calendar):
            return None
        kind = self.calendar.kind_of(local.date())
        spans = ", ".join(map(str, self.hours.on(kind)))
        at = f"{local:%Y-%m-%d %H:%M}"
        return Refusal.of(
            f"{at} ({kind}) is outside the hours of {self.client}, which are {spans or 'closed'}.",
            f"{at}（{DAYS[kind]}）不在“{self.client}”允许的时段内（{spans or '不开放'}）。",
            "wait, or have the client sign wider hours.",
            "请等到允许的时段，或请被测机构另签时段。",
        )

    def local(self, when: datetime) -> datetime:
        """Returns an aware moment on the clock of ``zone``."""
        return when.astimezone(ZoneInfo(self.zone))

    def days_left(self, when: datetime) -> int:
        """Returns how many days after ``when`` the last day is: 0 on that day, negative once it has passed."""
        return (self.local(self.valid_to).date() - self.local(when).date()).days

    def ledger_ceilings(self, when: datetime | None = None) -> LedgerCeilings:
        """Returns the ceilings as the ledger counts them; per channel, per address and gap are for the plan to add.

        Args:
            when: an aware moment; it decides the zone's offset from UTC where there is summer time. None: valid_from.
        """
        offset = self.local(when or self.valid_from).utcoffset()
        assert offset is not None
        price = self.price
        return LedgerCeilings(
            at_once=self.at_once,
            per_hour=self.ceilings.per_hour,
            per_day=self.ceilings.per_day,
            minutes=self.ceilings.minutes,
            money=self.ceilings.money,
            price={"voice": SessionPrice(price.per_minute, price.per_call), "chat": SessionPrice(0.0, price.per_chat)},
            utc_offset_s=int(offset.total_seconds()),
        )


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
