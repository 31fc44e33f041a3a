"""Certificates of a private authority for the tests, and the Dask configuration that names them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.shopper import write_yaml


class Authority:
    """A certificate authority in a folder of its own: ``ca.pem``, and a certificate for each machine that joins."""

    def __init__(self, folder: Path, name: str = "audit test authority") -> None:
        folder.mkdir(parents=True)
        self.folder, self.ca = folder, folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self.ca.write_bytes(self._sign(self._name, self._key.public_key(), (usage, True)))

    def machine(self, name: str, trusts: Path | None = None) -> Path:
        """Makes key and certificate of a machine; returns the Dask configuration that uses them (for DASK_CONFIG).

        Args:
            name: of the machine.
            trusts: the authority whose certificates it accepts, if it is another than this one.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        pem = self._sign(
            subject, key.public_key(), (x509.BasicConstraints(ca=False, path_length=None), True), (addresses, False)
        )
        certificate, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(pem)
        private.touch(mode=0o600)
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        pair = {"cert": str(certificate), "key": str(private)}
        tls = {"ca-file": str(trusts or self.ca), "scheduler": pair, "worker": pair, "client": pair}
        document = {
            "distributed": {
                "comm": {"require-encryption": True, "tls": tls},
                "scheduler": {"allowed-failures": 0},
            }
        }
        return write_yaml(self.folder / f"{name}.dask.yaml", document)

    def _sign(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *extensions: tuple[x509.ExtensionType, bool]
    ) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
