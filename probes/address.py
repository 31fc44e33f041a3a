"""Where an address points: the host of a SIP URI, and whether a host is this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def host_of(uri: str) -> str:
    """Returns the host of a SIP URI (``sip:NUMBER@HOST:PORT;…``), empty if there is none."""
    rest = uri.split(":", 1)[-1].split(";")[0].rsplit("@", 1)[-1]
    return urlsplit(f"//{rest}").hostname or ""


def is_loopback(host: str) -> bool:
    """Says whether ``host`` is this machine: 127.0.0.0/8, ::1 or localhost, each in its plain spelling."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
