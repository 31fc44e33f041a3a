"""What is wrong with a target's trunks and with how its lines use them, beyond what the model itself can see."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

from probes.target import Line, Target, TrunkSpec
from scenarios.yaml_file import Path_

Mistake = tuple[Path_, str, str]  # where, what, the cure

_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_IDENTITY = re.compile(rf"sips?:[^\s@;?:<>]+@(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]){_PORT}(?:;\S*)?", re.ASCII)
_SERVER = re.compile(
    rf"sips?:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]){_PORT}(?:;transport=(?P<transport>udp|tcp|tls)|;lr)*", re.ASCII
)
_STUN = re.compile(rf"[A-Za-z0-9.-]+{_PORT}", re.ASCII)


def trunk_mistakes(target: Target, folder: Path) -> Iterator[Mistake]:
    """Yields where, what and the cure.

    Args:
        target: the target.
        folder: that its relative paths start from.
    """
    stun = next((trunk.nat.stun for trunk in target.trunks.values() if trunk.nat.stun), ())
    for name, trunk in target.trunks.items():
        key = ("trunks", name)
        yield from _addresses(key, trunk)
        yield from _kind(key, trunk)
        yield from _certificates(key, trunk, folder)
        if trunk.session_timer.min_se_s > trunk.session_timer.expires_s:
            wrong = f"min_se_s is longer than expires_s ({trunk.session_timer.expires_s} s)"
            yield (*key, "session_timer", "min_se_s"), wrong, "make it as long at most"
        if trunk.nat.stun and trunk.nat.stun != stun:
            wrong = "the trunks of a target cannot have different STUN servers: the SIP library knows one list"
            yield (*key, "nat", "stun"), wrong, f"write [{', '.join(stun)}]"
    for name, line in target.lines.items():
        yield from _use(("lines", name), line, target)


def identity_mistake(key: Path_, uri: str) -> Iterator[Mistake]:
    """Yields what is wrong with ``sip:USER@HOST[:PORT]``."""
    match = _IDENTITY.fullmatch(uri)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        yield key, f"'{uri}' is no SIP address", "write sip:NUMBER@HOST or sip:NUMBER@HOST:PORT"


def _addresses(key: Path_, trunk: TrunkSpec) -> Iterator[Mistake]:
    yield from identity_mistake((*key, "uri"), trunk.uri)
    for name in ("registrar", "proxy"):
        uri = getattr(trunk, name)
        match = None if uri is None else _SERVER.fullmatch(uri)
        if uri is not None and (match is None or int(match["port"] or 1) not in range(1, 65536)):
            yield (*key, name), f"'{uri}' is no SIP server", "write sip:HOST or sip:HOST:PORT, without a user"
        elif match is not None and match["transport"] not in (None, trunk.transport):
            wrong = f"'{uri}' is not reached by {trunk.transport}, the trunk's transport"
            yield (*key, name), wrong, "leave ;transport= out: the key transport says it"
    for index, server in enumerate(trunk.nat.stun):
        match = _STUN.fullmatch(server)
        if match is None or int(match["port"] or 1) not in range(1, 65536):
            yield (*key, "nat", "stun", index), f"'{server}' is no STUN server", "write HOST or HOST:PORT"


def _kind(key: Path_, trunk: TrunkSpec) -> Iterator[Mistake]:
    registers = trunk.registrar is not None
    if trunk.kind in ("registered", "extension") and not registers:
        wrong = f"a trunk of kind {trunk.kind} registers, and no registrar is given"
        yield key, wrong, "add registrar: sip:HOST[:PORT]"
    if trunk.kind == "ip" and registers:
        wrong = "a trunk of kind ip is known by its address and does not register"
        yield (*key, "registrar"), wrong, "leave registrar out, or write kind: registered"
    if trunk.kind == "registered" and trunk.password_env is None:
        cure = "add password_env with the name of the environment variable that holds the password"
        yield key, "a registered trunk needs a password", cure
    if trunk.username is not None and trunk.password_env is None:
        cure = "add password_env with the name of the environment variable that holds the password"
        yield (*key, "username"), "a user name without a password proves nothing", cure
    if "keep_alive_s" in trunk.model_fields_set and not (registers and trunk.transport == "udp"):
        wrong = "keep-alive packets are sent by registered trunks over UDP only"
        yield (*key, "keep_alive_s"), wrong, "leave keep_alive_s out; TCP and TLS are kept open without it"


def _certificates(key: Path_, trunk: TrunkSpec, folder: Path) -> Iterator[Mistake]:
    if trunk.ca_file is None:
        return
    where, path = (*key, "ca_file"), folder / trunk.ca_file
    if trunk.transport != "tls":
        yield where, "certificates are checked on a trunk with transport: tls only", "leave ca_file out"
    elif not path.is_file():
        yield where, f"there is no file {path}", "save the certificate that signs the far end's there, as PEM"
    else:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError):
            yield where, f"{path} holds no certificate in PEM form", "save it with -----BEGIN CERTIFICATE----- lines"


def _use(key: Path_, line: Line, target: Target) -> Iterator[Mistake]:
    if line.trunk is None:
        return
    if line.trunk not in target.trunks:
        known = ", ".join(sorted(target.trunks)) or "none"
        yield (*key, "trunk"), f"there is no trunk '{line.trunk}'", f"name one under trunks; there: {known}"
    for name in Line.OWN_WAY:
        if name in line.model_fields_set:
            wrong = f"the line names the trunk '{line.trunk}' and says {name} itself"
            yield (*key, name), wrong, f"move {name} to the trunk, or leave trunk out"
            return
