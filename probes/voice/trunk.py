"""A trunk as the SIP stack needs it: every default filled in, the password from the environment."""

from __future__ import annotations

import os
import ssl
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from probes.address import host_of, is_loopback
from probes.target import Codec, Line, SessionTimer, Target
from scenarios.errors import InputError

Transport = Literal["udp", "tcp", "tls"]
Whose = Literal["line", "far", "unclear"]
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
NO_TIMER = SessionTimer(use="off")


@dataclass(frozen=True)
class Trunk:
    """How calls leave: one SIP account on one transport. Secrets are never part of its text."""

    name: str | None = None  # in the target; None: the line has no trunk but its own keys
    bind: str = "127.0.0.1"
    port: int = 0
    transport: Transport = "udp"
    uri: str = "sip:shopper@127.0.0.1"
    registrar: str | None = None
    proxy: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    srtp: bool = False
    ca_file: Path | None = None
    codecs: tuple[Codec, ...] = ("PCMA", "PCMU")
    dtmf: Literal["rfc4733", "info"] = "rfc4733"
    session_timer: SessionTimer = NO_TIMER
    keep_alive_s: int = 0
    rewrite_contact: bool = True
    rewrite_sdp: bool = False
    stun: tuple[str, ...] = ()
    ice: bool = False

    def routed(self, uri: str) -> str:
        """Returns ``uri`` with the transport that leads there, which SIP otherwise takes for UDP."""
        told = self.transport == "udp" or ";transport=" in uri.lower()
        return uri if told else f"{uri};transport={self.transport}"

    def whose(self, code: int, answers: Set[int]) -> Whose:
        """Says who is answerable for a call that was never connected.

        Args:
            code: the final status, which the stack makes up (408, 503) if nothing came.
            answers: what came over the network for the INVITE.

        Returns:
            ``line``: our own (credentials refused, or the trunk itself does not answer). ``unclear``: a trunk and a
            centre behind it say this alike, and nothing was heard from the centre. ``far``: anything else.
        """
        challenged, passed_on = bool(answers & {401, 407}), 100 in answers
        if code in (401, 407) or (code == 403 and challenged and not passed_on):
            return "line"
        if self.name is None:
            return "far"
        if not answers:
            return "line"
        reached = any(100 < answer < 200 for answer in answers)  # a 100 is the trunk's own
        return "unclear" if code in (402, 403, 408, 500, 502, 503, 504) and not reached else "far"


def trunk_of(target: Target, line: Line, folder: Path) -> Trunk:
    """Returns how calls to ``line`` leave.

    Args:
        target: where the line is.
        line: one of its lines.
        folder: that the target's relative paths start from.

    Raises:
        InputError: the password is not in the environment, or there are no certificates to check TLS with.
    """
    spec = target.trunk_of(line)
    ways = [uri for uri in (line.uri, spec.registrar, spec.proxy) if uri is not None]
    local = all(is_loopback(host_of(uri)) for uri in ways)
    password = None if spec.password_env is None else secret(spec.password_env)
    ca_file = None
    if spec.transport == "tls":
        ca_file = system_authorities() if spec.ca_file is None else folder / spec.ca_file
    timer = spec.session_timer
    if timer.use is None:
        timer = timer.model_copy(update={"use": "off" if spec.kind == "gateway" else "optional"})
    return Trunk(
        name=line.trunk,
        bind="127.0.0.1" if local else "0.0.0.0",  # noqa: S104 - a SIP endpoint listens
        transport=spec.transport,
        uri=spec.uri,
        registrar=spec.registrar,
        proxy=spec.proxy,
        username=spec.username or (_user_of(spec.uri) if password is not None else None),
        password=password,
        srtp=spec.srtp,
        ca_file=ca_file,
        codecs=spec.codecs,
        dtmf=spec.dtmf,
        session_timer=timer,
        keep_alive_s=spec.keep_alive_s if spec.registrar is not None and spec.transport == "udp" else 0,
        rewrite_contact=spec.nat.rewrite_contact,
        rewrite_sdp=spec.nat.rewrite_sdp,
        stun=spec.nat.stun,
        ice=spec.nat.ice,
    )


def secret(variable: str) -> str:
    """Returns a password: the value of ``variable``, or the content of the file that ``variable``_FILE names.

    Raises:
        InputError: neither is set, or the file cannot be read.
    """
    if variable in os.environ:
        return os.environ[variable]
    path = os.environ.get(f"{variable}_FILE")
    if path is None:
        raise InputError(
            f"the environment variable {variable} (SIP password) is not set",
            cure=f"set it, or set {variable}_FILE to the path of a file that holds the password",
        )
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8"
        raise InputError(
            f"the SIP password cannot be read from the file that {variable}_FILE names: {reason}",
            cure="correct the variable or the file's permissions",
        ) from None


def system_authorities() -> Path:
    """Returns the system's file of trusted certificates.

    Raises:
        InputError: there is none.
    """
    for path in (ssl.get_default_verify_paths().cafile, *_BUNDLES):
        if path is not None and Path(path).is_file():
            return Path(path)
    raise InputError(
        "this machine has no file of trusted certificates, so TLS cannot be checked",
        cure="install ca-certificates, or name the carrier's certificate in the trunk's ca_file",
    )


def _user_of(uri: str) -> str:
    return uri.split(":", 1)[1].split("@", 1)[0]
