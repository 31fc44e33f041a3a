"""Telephone numbers: one normal form, and the fixed list of numbers that are never dialled (domain 4.5).

The list stands under every setting and every authorisation, loopback included, and nothing lifts it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

import phonenumbers

EMERGENCY = frozenset({"110", "119", "120", "122"})
"""Exchanges route on these digits alone, so anything dialled after them changes nothing."""

NEVER = EMERGENCY | frozenset({
    "999", "112", "911",  # Beijing Red Cross; emergency on mobile networks and abroad
    "12395", "95110", "12110", "12119", "96110",  # rescue at sea, coast guard, police by text, forest fire, anti-fraud
    "12338", "12355", "12356",  # women's, young people's and mental-health helplines
    "12345", "12315", "12378", "12363", "12321", "12381", "12300", "12348",  # public-service hotlines
})  # fmt: skip

_AREA = r"(?!400|800)(?:10|2\d|[3-9]\d\d)"
_SEPARATORS = re.compile(r"[\s().\-_/\u00ad\u200b-\u200f\u2010-\u2015\u2060\ufeff]+")
_CARRIER = r"(?:179\d\d|12593|10193|10190|11808)"  # a carrier's access code: the number proper follows it
_PREFIXES = [  # of any order and number: abroad, country, trunk, outside line, carrier, area
    re.compile(part) for part in (r"\+", "00", "86", "0", "9", _CARRIER, rf"0{_AREA}", rf"(?:\+|00)86{_AREA}")
]
_TO_EMERGENCY = re.compile(
    rf"9?{_CARRIER}?(?:(?:\+|00)86(?:0*{_AREA})?|0+{_AREA}|0*)0*(?:{'|'.join(sorted(EMERGENCY))})"
)
_MOBILE = re.compile(r"9?(?:\+86|0086|86)?0*1[3-9]\d{9}")


def plain(text: str) -> str:
    """Returns ``text`` as a telephone would understand it.

    Percent-encoding, full-width and other digits, ``tel:`` and ``sip:``, parameters, host, and separators are undone.
    """
    before = None
    while before != text:
        before = text
        text = unicodedata.normalize("NFKC", unquote(text))
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(letter, letter)) for letter in text)
    text = text.strip().lower()
    text = re.sub(r"^.*?<", "", text).rstrip(">")
    text = re.sub(r"^\s*(sips?|tel):(//)?", "", text)
    text = re.split(r"[;@?,:]", text, maxsplit=1)[0]
    return _SEPARATORS.sub("", text)


def normal(number: str) -> str:
    """Returns the form in which two numbers are compared: no country code, no leading zeros, no separators.

    ``+86 21 1234 5678``, ``021-12345678`` and ``０２１１２３４５６７８`` are one number.
    """
    return re.sub(r"^(\+86|0086)?0*", "", plain(number))


def permits(written: str, dialled: str) -> bool:
    """Says whether ``dialled`` is the number that somebody has ``written`` into an authorisation.

    One that was written with its area code is not dialled without the 0 before it: the exchange would take the first
    digits of the area code for the number of somebody next door.
    """
    national = re.compile(r"\+86|0")
    return normal(dialled) == normal(written) and bool(
        national.match(plain(dialled)) or not national.match(plain(written))
    )


def never_dialled(number: str) -> bool:
    """Says whether ``number``, in any spelling, reaches a number that must never be dialled."""
    digits = re.sub(r"[^0-9+]", "", plain(number))
    return (
        any(form in NEVER for form in _shorter_forms(digits))
        or _TO_EMERGENCY.match(digits) is not None
        or phonenumbers.connects_to_emergency_number(digits, "CN")
    )


def refused_kind(number: str) -> str | None:
    """Names the kind of number that is refused whatever it is: mobile, abroad, feature code, one digit; or None."""
    text = plain(number)
    if "*" in text or "#" in text:
        return "a feature code"
    if _MOBILE.fullmatch(text):
        return "a mobile number"
    if re.match(r"\+(?!86)|00(?!86)", text):
        return "an international number"
    return "a single digit" if re.fullmatch(r"[0-9+]", text) else None


def _shorter_forms(digits: str) -> Iterator[str]:
    """Yields ``digits`` and all that is left when prefixes are taken off, in any order."""
    forms, new = {digits}, [digits]
    while new:
        form = new.pop()
        yield form
        ends = {match.end() for match in (prefix.match(form) for prefix in _PREFIXES) if match}
        left = {form[end:] for end in ends} - forms
        forms |= left
        new += left
