"""A real carrier for the tests: Kamailio on the loopback, with registrar, digest, TLS and a log of what it saw."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

TEMPLATE = Path(__file__).parent / "kamailio" / "kamailio.cfg"
USER, PASSWORD = "audit", "Kj7-not-in-any-log"
START_S = 10.0


@dataclass(frozen=True)
class Ports:
    """The carrier's doors: by digest (UDP and TCP), by TLS, and two that go by the caller's address."""

    digest: int
    tls: int
    allowing: int
    refusing: int


class Server:
    """One Kamailio: ``with Server(folder, configuration, port): ...``; it answers OPTIONS on the UDP port."""

    def __init__(self, folder: Path, configuration: str, port: int) -> None:
        if shutil.which("kamailio") is None:
            pytest.fail("kamailio is not installed: packages kamailio and kamailio-tls-modules", pytrace=False)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.configuration, self.port = folder, configuration, port
        self.log = folder / "kamailio.log"

    def __enter__(self) -> Self:
        config = self.folder / "kamailio.cfg"
        config.write_text(self.configuration, encoding="utf-8")
        command = ["kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(self.folder), "-f", str(config)]
        with self.log.open("wb") as log:
            self._process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._await()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def seen(self, pattern: str = "") -> list[str]:
        """Returns what it logged for us so far, in order, where ``pattern`` is found."""
        rows = re.findall(r"SEEN (.*)", self._text())
        return [row for row in rows if re.search(pattern, row)]

    async def kept_alive(self) -> int:
        """Waits for a packet that is too short to be SIP; returns how many there were."""
        async with asyncio.timeout(5):
            while True:  # a file has no event to await
                if count := self._text().count("probing packet received"):
                    return count
                await asyncio.sleep(0.1)

    def _text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _await(self) -> None:
        """Asks by OPTIONS until it answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 0))
            asking.settimeout(0.1)
            ours = f"127.0.0.1:{asking.getsockname()[1]}"
            there = ("127.0.0.1", self.port)
            question = (
                f"OPTIONS sip:{there[0]}:{there[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {ours};branch=z9hG4bK-up\r\n"
                f"From: <sip:test@{ours}>;tag=up\r\nTo: <sip:{there[0]}>\r\nCall-ID: up@{ours}\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
            )
            deadline = time.monotonic() + START_S
            while time.monotonic() < deadline and self._process.poll() is None:
                asking.sendto(question.encode(), there)
                try:
                    if asking.recv(4096).startswith(b"SIP/2.0 200"):
                        return
                except (TimeoutError, ConnectionRefusedError):
                    continue
        pytest.fail(f"Kamailio did not start:\n{self.log.read_text(errors='replace')[-3000:]}", pytrace=False)

    def _stop(self) -> None:
        if self._process.poll() is not None:
            return
        family = [*self._process.children(recursive=True), self._process]
        self._process.terminate()
        _, left = psutil.wait_procs(family, timeout=5)
        for process in left:
            process.kill()
        self._process.wait()


class Kamailio(Server):
    """The carrier: ``with Kamailio(folder, {"95001": "127.0.0.1:5070"}) as carrier: ...``"""

    def __init__(self, folder: Path, routes: dict[str, str], *, tls13: bool = False) -> None:
        self.ports = Ports(*free_ports(4))
        lines = [
            f'    if ($rU == "{number}") {{ $ru = "sip:{number}@{address}"; t_relay(); exit; }}'
            for number, address in routes.items()
        ]
        text = TEMPLATE.read_text(encoding="utf-8")
        values = {name.upper(): str(port) for name, port in vars(self.ports).items()}
        values |= {"FOLDER": str(folder), "USER": USER, "PASSWORD": PASSWORD, "ROUTES": "\n".join(lines)}
        # Kamailio 5.6 cannot demand 1.3; with this cipher and an RSA certificate, 1.2 has none to agree on.
        values["METHOD"] = "TLSv1.2+" if tls13 else "TLSv1.2"
        values["CIPHERS"] = "ECDHE-ECDSA-AES256-GCM-SHA384" if tls13 else "HIGH"
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        super().__init__(folder, text, self.ports.digest)
        self.authority = certify(folder)

    def uri(self, door: str, user: str | None = None) -> str:
        """Returns ``sip:[USER@]127.0.0.1:PORT`` of a door."""
        return f"sip:{user + '@' if user else ''}127.0.0.1:{getattr(self.ports, door)}"


def free_ports(count: int) -> list[int]:
    """Returns ports that are free for UDP and for TCP."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in found:
                found.append(port)
    return found


def certify(folder: Path, name: str = "carrier") -> Path:
    """Writes a certificate for 127.0.0.1 that signs itself (``name``.pem) and its key; returns the certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    path = folder / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path
