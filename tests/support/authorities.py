"""A certificate authority for the servers of tests, which real clients can be told to trust."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path


class TestAuthority:
    """An authority that issues certificates for any names, to be trusted by its ``file``.

    Attributes:
        file: Its certificate in PEM.
    """

    __test__ = False

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        """Make it, and keep its files in a directory."""
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.file = directory / f"{name.replace(' ', '-')}.pem"
        usage = {"key_cert_sign": True, "crl_sign": True}
        certificate = self._sign(
            self._name,
            self._key.public_key(),
            timedelta(days=2),
            [(x509.BasicConstraints(ca=True, path_length=None), True), (_usage(**usage), True)],
        )
        self.file.write_bytes(_pem(certificate))

    def chain(self, *names: str, life: timedelta = timedelta(days=1)) -> Path:
        """Return a file with the key and the certificate of a server.

        Args:
            names: DNS names (``*.example.test`` as well) and addresses, one at least.
            life: How long it is valid from now; negative for one that has expired.
        """
        file = (
            self._directory / f"{names[0].replace('*', '_').replace(':', '_')}-{life.total_seconds():.0f}.pem"
        )
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = self._sign(
            _named(names[0]),
            key.public_key(),
            life,
            [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_usage(digital_signature=True), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName([_general(name) for name in names]), False),
                (authority, False),
            ],
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + _pem(certificate))
        return file

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return what a server of these names speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain(*(names or ("localhost", "127.0.0.1"))))
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return what a client speaks TLS with that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.file))

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        life: timedelta,
        extensions: list[tuple[x509.ExtensionType, bool]],
    ) -> x509.Certificate:
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
