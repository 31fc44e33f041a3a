"""Takes secrets out of what is kept: tokens, cookies, passwords, by the names under which they travel.

What stood under such a name once is a secret wherever else it stands.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, unquote

STARS = "[redacted]"
MIN_LENGTH = 6  # a shorter value is taken out where it stands, but not looked for elsewhere
NAMES = (
    r"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|(?:\w+[-_])*(?:api[-_]?key|token|secret|signature|credentials?)|"
    r"(?:access|refresh|id|auth|csrf|xsrf|bearer|session)token|passw(?:or)?d|passphrase|pwd|sig|jwt|"
    r"(?:\w+[-_])?sess(?:ion)?[-_]?id|j?sessionid|sid"
)
_NAME = re.compile(NAMES, re.IGNORECASE)
_QUERY = re.compile(rf"(?<![\w-])({NAMES})=([^&\s\"'<>;#\\]+)", re.IGNORECASE)
_JSON = re.compile(rf"(\\*\")({NAMES})(\\*\"\s*:\s*\\*\")([^\"\\]+)", re.IGNORECASE)
_FIELD = re.compile(
    rf"(\bname=\\*[\"']?(?:{NAMES})\\*[\"']?(?=[\s\"'/])[^<>]*?\s(?:value|content)=\\*[\"']?)([^\s\"'<>\\]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+([\w.~+/=-]{6,})", re.IGNORECASE)
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


def redacted(text: str) -> str:
    """Returns ``text`` without the secrets that can be told by their looks; ``text`` may be an address."""
    return Redactor().text(text)


class Redactor:
    """Remembers every secret it has met: run it over everything twice and each is gone everywhere."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def text(self, text: str) -> str:
        """Returns any text without its secrets."""
        text = _QUERY.sub(lambda m: f"{m[1]}={self._met(m[2])}", text)
        text = _JSON.sub(lambda m: m[1] + m[2] + m[3] + self._met(m[4]), text)
        text = _FIELD.sub(lambda m: m[1] + self._met(m[2]), text)
        text = _BEARER.sub(lambda m: f"{m[1]} {self._met(m[2])}", text)
        text = _WEB_TOKEN.sub(lambda m: self._met(m[0]), text)
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, STARS)
        return text

    def value(self, value: Any) -> Any:
        """Returns JSON data without its secrets."""
        if isinstance(value, str):
            return self._inner(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict):
            return value
        named = value.get("name")
        secret = isinstance(named, str) and _NAME.fullmatch(named)
        return {
            key: self._inner_secret(each)
            if isinstance(each, str) and (_NAME.fullmatch(key) or (secret and key == "value"))
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

    def _inner(self, text: str) -> str:
        return self.text(text)

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
        return STARS
