"""Takes secrets out of what is kept: tokens, cookies, passwords, by the names under which they travel.

What stood under such a name once is a secret wherever else it stands.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any
from urllib.parse import quote, unquote

STARS = "[redacted]"
MIN_LENGTH = 6  # a shorter value is taken out where it stands, but not looked for elsewhere
MOST = 5000  # secrets of one session: with more, cleaning would take for ever
# Pages write what these read: no repetition may have two ways to match, and none may run to the end of a long text.
NAMES = (
    r"(?:[^\W_]*[-_])*[^\W_]*(?:authorization|cookie|api[-_]?key|token|secret|signature|credentials?|"
    r"sess(?:ion)?[-_]?id|passw(?:or)?d|passphrase|pwd)|sig|jwt|sid"
)
_NAME = re.compile(NAMES, re.IGNORECASE)
_EQUALS = re.compile(r"(?<=[\w-])=(?=[^&\s\"'<>;#\\])")  # looked for before its name is: that is fast
_LAST = re.compile(r"[\w-]+$")
_VALUE = re.compile(r"[^&\s\"'<>;#\\]+")
_JSON = re.compile(
    rf"(?<!\\)(?P<quote>\\{{0,8}}\")(?P<name>{NAMES})(?P=quote)(?P<colon>\s*:\s*)"
    r"(?:(?P=quote)(?P<text>.{1,4000}?)(?<!\\)(?P=quote)|(?P<number>\d[\d.]*))",
    re.IGNORECASE,
)
_FIELD = re.compile(
    rf"(\bname=\\{{0,8}}[\"']?(?:{NAMES})\\{{0,8}}[\"']?(?=[\s\"'/])[^<>]{{0,500}}?\s(?:value|content)=\\{{0,8}}[\"']?)"
    r"([^\s\"'<>\\]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+([\w.~+/=-]{6,})", re.IGNORECASE)
_WEB_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


def redacted(text: str) -> str:
    """Returns ``text`` without the secrets that can be told by their looks; ``text`` may be an address."""
    return Redactor().text(text)


class Redactor:
    """Remembers every secret it has met: run it over everything twice and each is gone everywhere."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def text(self, text: str) -> str:
        """Returns any text without its secrets."""
        text = self._queries(text)
        text = _JSON.sub(self._pair, text)
        text = _FIELD.sub(lambda m: m[1] + self._met(m[2]), text)
        text = _BEARER.sub(lambda m: f"{m[1]} {self._met(m[2])}", text)
        text = _WEB_TOKEN.sub(lambda m: self._met(m[0]), text)
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, STARS)
        return text

    def value(self, value: Any) -> Any:
        """Returns JSON data without its secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict):
            return value
        named = value.get("name")
        secret = isinstance(named, str) and _NAME.fullmatch(named)
        return {
            key: self._inner_secret(str(each))
            if isinstance(each, str | int | float)
            and not isinstance(each, bool)
            and (_NAME.fullmatch(key) or (secret and key == "value"))
            else [self._cookie(one) for one in each]
            if key == "cookies" and isinstance(each, list)
            else self.value(each)
            for key, each in value.items()
        }

    def lines(self, text: str) -> str:
        """Returns JSON, or JSON a line, without its secrets; what is no JSON is taken as text."""
        out = []
        for line in text.splitlines():
            try:
                out.append(json.dumps(self.value(json.loads(line)), ensure_ascii=False))
            except ValueError:
                out.append(self.text(line))
        return "\n".join(out) + ("\n" if text.endswith("\n") else "")

    def _queries(self, text: str) -> str:
        """``name=value``, as in addresses and forms."""
        parts, done = [], 0
        for equals in _EQUALS.finditer(text):
            at = equals.end()
            name = _LAST.search(text[max(done, at - 65) : at - 1]) if at > done else None
            value = _VALUE.match(text, at) if name is not None and _NAME.fullmatch(name[0]) else None
            if value is not None:
                parts += [text[done:at], self._met(value[0])]
                done = value.end()
        return "".join(parts) + text[done:]

    def _pair(self, match: re.Match[str]) -> str:
        quote, text = match["quote"], match["text"]
        if text is None:
            return f"{quote}{match['name']}{quote}{match['colon']}{quote}{self._met(match['number'])}{quote}"
        for _ in range(quote.count("\\") + 1):  # JSON inside JSON is written with more and more backslashes
            self._met(text)
            with contextlib.suppress(ValueError):
                text = str(json.loads(f'"{text}"'))
        return f"{quote}{match['name']}{quote}{match['colon']}{quote}{self._met(text)}{quote}"

    def _inner_secret(self, text: str) -> str:
        for pair in text.split(";"):  # a cookie header holds several
            name, equals, value = pair.strip().partition("=")
            if equals and name.lower() not in ("path", "domain", "expires", "max-age", "samesite"):
                self._met(value)
        for word in text.split():
            if len(word) >= 2 * MIN_LENGTH and "=" not in word:
                self._met(word)
        return self._met(text)

    def _cookie(self, cookie: Any) -> Any:
        if isinstance(cookie, dict) and isinstance(cookie.get("value"), str):
            return self.value(cookie) | {"value": self._met(cookie["value"])}
        return self.value(cookie)

    def _met(self, secret: str) -> str:
        if len(secret) >= MIN_LENGTH and STARS not in secret:
            self.secrets |= {secret, unquote(secret), quote(secret, safe="")}
            if len(self.secrets) > MOST:
                raise ValueError(f"more than {MOST} secrets")
        return STARS
