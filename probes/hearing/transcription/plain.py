"""Texts made comparable: one way of writing numbers, no punctuation, no case, no spaces.

Recognisers write 工号一零零二 or 工号1002, 二十三 or 23. Both sides of a comparison go through :func:`plain`; the
result is for comparing, not for reading.
"""

from __future__ import annotations

import re
import unicodedata

_DIGITS = {"零": 0, "〇": 0, "一": 1, "幺": 1, "二": 2, "两": 2} | {
    digit: value for value, digit in enumerate("三四五六七八九", start=3)
}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "亿": 10**8}
_NUMBER = re.compile(f"[{''.join((*_DIGITS, *_UNITS, *_LARGE))}]+")


def plain(text: str) -> str:
    """Returns ``text`` in its comparable form: NFKC, lower case, letters and digits only, Chinese numbers as digits."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(character for character in folded if character.isalnum())
    return _NUMBER.sub(lambda match: _number(match[0]), kept)


def _number(written: str) -> str:
    """Returns a Chinese number in Arabic digits; one without units is read out digit by digit."""
    if all(character in _DIGITS for character in written):
        return "".join(str(_DIGITS[character]) for character in written)
    total = section = digit = 0
    last = ""
    for character in written:
        if character in _DIGITS:
            if last and last in _DIGITS and last not in "零〇":
                return written  # 三四百: no number
            digit = _DIGITS[character]
        elif character in _UNITS:
            section += (digit if last in _DIGITS and last not in "零〇" else 1) * _UNITS[character]
            digit = 0
        else:
            total = (total + section + digit) * _LARGE[character] if last else _LARGE[character]
            section = digit = 0
        last = character
    return str(total + section + digit)
