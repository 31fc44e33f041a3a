"""Opening hours by kind of day, and the calendar that says which day is of which kind (domain 4.6).

In China a weekend day may be worked in exchange for a day off, so holidays and worked days are both listed.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, model_validator

from scenarios.model import Strict

DayKind = Literal["workday", "weekend", "holiday"]
CHINA = "Asia/Shanghai"
_SPAN = re.compile(r"([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Span(NamedTuple):
    """An opening within one day, in minutes from its midnight: ``start`` counts, ``end`` (at most 1440) does not."""

    start: int
    end: int

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in self)


def _span(value: Any) -> Any:
    if isinstance(value, Span):
        return value
    match = _SPAN.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"'{value}' is no opening; write 08:30-17:30 between quotes")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if not 0 <= start < end <= 1440:
        raise ValueError(f"'{value}' does not end after it starts; for a night write 20:00-24:00 and 00:00-08:00")
    return Span(start, end)


def _day(value: Any) -> Any:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else _no_day(value)
    except ValueError:
        raise ValueError(f"there is no day {value}; write it as 2026-01-31") from None


def _no_day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError


def known_zone(name: str) -> str:
    """Returns the name of a time zone that exists.

    Raises:
        ValueError: it does not.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder
        raise ValueError(f"there is no time zone '{name}'; write for example {CHINA}") from None
    return name


Opening = Annotated[Span, BeforeValidator(_span), PlainSerializer(str, return_type=str)]
Day = Annotated[date, BeforeValidator(_day)]
Zone = Annotated[str, AfterValidator(known_zone)]


class Calendar(Strict):
    """Public holidays, and the weekend days that are worked."""

    holidays: tuple[Day, ...] = ()
    workdays: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Calendar:
        both = sorted(set(self.holidays) & set(self.workdays))
        if both:
            raise ValueError(f"{both[0]} is both a holiday and a workday")
        return self

    def kind_of(self, day: date) -> DayKind:
        """Returns what kind of day it is."""
        if day in self.holidays:
            return "holiday"
        return "workday" if day in self.workdays or day.weekday() < 5 else "weekend"


class Hours(Strict):
    """When the centre may be reached, by kind of day. A kind that is left out, or has an empty list, is closed."""

    workday: tuple[Opening, ...] = ()
    weekend: tuple[Opening, ...] = ()
    holiday: tuple[Opening, ...] = ()

    def on(self, kind: DayKind) -> tuple[Span, ...]:
        """Returns the openings of a kind of day."""
        openings: dict[DayKind, tuple[Span, ...]] = {
            "workday": self.workday, "weekend": self.weekend, "holiday": self.holiday,
        }  # fmt: skip
        return openings[kind]

    def open_at(self, local: datetime, calendar: Calendar) -> bool:
        """Says whether ``local``, a moment on the centre's own clock, lies within an opening."""
        minute = local.hour * 60 + local.minute
        return any(span.start <= minute < span.end for span in self.on(calendar.kind_of(local.date())))
