"""The dial policy: nothing is called or opened unless it is this machine, or an authorisation names it (domain 4.5).

The string that is checked is the string that is dialled, so only one plain way of writing it is let through; whatever
is spelled otherwise is refused rather than understood.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from harness.authorisation import Authorisation
from harness.phone_number import never_dialled, normal, plain, refused_kind
from probes.address import host_of, is_loopback
from scenarios.errors import PolicyRefused

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_SIP = re.compile(
    rf"sips?:(?P<user>[A-Za-z0-9+._-]{{1,64}})@(?P<host>{_HOST})(?::[0-9]{{1,5}})?(?:;transport=(?:udp|tcp|tls))?",
    re.ASCII,
)
_NETLOC = re.compile(rf"(?:{_HOST})(?::[0-9]{{1,5}})?", re.ASCII)
_NUMBER = re.compile(r"\+?[0-9]{2,20}", re.ASCII)
_URL = re.compile(r"[!-\[\]^_a-z{|}~]+", re.ASCII)  # visible ASCII but for the backslash and the backtick
_LONGEST = 2000
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def check_call(uri: str, authorisation: Authorisation | None, now: datetime) -> None:
    """Lets a call through, or refuses it. To be asked again at the instant of dialling, and for every redirection.

    Args:
        uri: the very SIP URI that will be dialled: ``sip:NUMBER@HOST[:PORT]``.
        authorisation: the client's permission; None reaches loopback only.
        now: an aware datetime.

    Raises:
        PolicyRefused: one sentence that says why.
    """
    if len(uri) > _LONGEST:
        raise PolicyRefused(f"{_short(uri)} is longer than {_LONGEST} letters, so it is not dialled.")
    if never_dialled(uri):
        raise PolicyRefused(f"{_short(uri)} leads to an emergency or public-service number, which is never dialled.")
    kind = refused_kind(uri)
    if kind:
        raise PolicyRefused(f"{_short(uri)} is {kind}, and those are never dialled.")
    match = _SIP.fullmatch(uri)
    if match is None:
        raise PolicyRefused(f"{_short(uri)} is not written as sip:NUMBER@HOST[:PORT], so it is not dialled.")
    if is_loopback(match["host"]):
        return
    signed = _in_force(authorisation, now, uri)
    if not _NUMBER.fullmatch(match["user"]):
        raise PolicyRefused(f"{_short(uri)} names no telephone number, so no authorisation can cover it.")
    if normal(match["user"]) not in {normal(number) for number in signed.numbers}:
        raise PolicyRefused(f"Number {plain(uri)} is not in the authorisation of {signed.client}.")
    if match["host"].lower() not in {trunk.lower() for trunk in signed.trunks}:
        raise PolicyRefused(f"Trunk {match['host']} is not in the authorisation of {signed.client}.")


def check_trunk(uri: str, authorisation: Authorisation | None, now: datetime) -> None:
    """Lets a registration through, or refuses it: our own trunk is this machine, or named in the authorisation.

    Args:
        uri: the registrar, ``sip:HOST[:PORT]``.
        authorisation: the client's permission.
        now: an aware datetime.

    Raises:
        PolicyRefused: one sentence that says why.
    """
    host = host_of(uri)
    if is_loopback(host):
        return
    signed = _in_force(authorisation, now, uri)
    if host.lower() not in {trunk.lower() for trunk in signed.trunks}:
        raise PolicyRefused(f"Trunk {_short(host)} is not in the authorisation of {signed.client}.")


def check_chat(url: str, authorisation: Authorisation | None, now: datetime) -> None:
    """Lets a chat page or interface be opened, or refuses it.

    Args:
        url: the very URL that will be opened.
        authorisation: the client's permission; None reaches loopback only.
        now: an aware datetime.

    Raises:
        PolicyRefused: one sentence that says why.
    """
    parts = _split(url)
    if parts is None:
        raise PolicyRefused(f"{_short(url)} is not written as http(s)://HOST[:PORT]/PATH, so it is not opened.")
    if is_loopback(parts.hostname or ""):
        return
    signed = _in_force(authorisation, now, url)
    if not any(_covers(entry, parts) for entry in signed.urls):
        raise PolicyRefused(f"{_short(url)} is not in the authorisation of {signed.client}.")


def _in_force(authorisation: Authorisation | None, now: datetime, what: str) -> Authorisation:
    if authorisation is None:
        raise PolicyRefused(f"{_short(what)} is not on this machine and there is no authorisation for it.")
    if not authorisation.signed_by.strip():
        raise PolicyRefused(f"The authorisation of {authorisation.client} is not signed (signed_by is empty).")
    if not authorisation.valid_from <= now <= authorisation.valid_to:
        window = f"{authorisation.valid_from.isoformat()} to {authorisation.valid_to.isoformat()}"
        raise PolicyRefused(f"The authorisation of {authorisation.client} holds from {window}, not now.")
    return authorisation


def _split(url: str) -> SplitResult | None:
    """Parses a URL of the one plain form, or returns None."""
    if not _URL.fullmatch(url) or len(url) > _LONGEST:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not _NETLOC.fullmatch(parts.netloc):
        return None
    return None if re.search(r"(^|/|%2f)(\.|%2e){1,2}($|/|%2f)", parts.path.lower()) else parts


def _covers(entry: str, url: SplitResult) -> bool:
    """Says whether an entry of the authorisation (a host, or a URL prefix) covers ``url``."""
    given = _split(entry if "://" in entry else f"{url.scheme}://{entry}")
    if given is None or (given.scheme, given.hostname) != (url.scheme, url.hostname):
        return False
    if (given.port or _PORTS[given.scheme]) != (url.port or _PORTS[url.scheme]):
        return False
    prefix = given.path.rstrip("/")
    return url.path == prefix or url.path.startswith(prefix + "/") or not prefix


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
