"""A certificate authority that lives in memory, as long as its gate: who trusts it trusts this gate alone.

What it issues has to be taken by rustls, by OpenSSL with ``X509_V_FLAG_X509_STRICT`` (Python 3.13 sets it)
and by what else installers are linked with, so it follows RFC 5280 to the letter.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from veln_hook import clock
from veln_hook.gate.hosts import is_address

_SKEW = timedelta(minutes=10)
_LEAF_LIFE = timedelta(days=1)
_RENEWAL = timedelta(hours=12)
_MAX_CONTEXTS = 256
_MAX_COMMON_NAME = 64  # RFC 5280 appendix A.1: ub-common-name


class _Kept(NamedTuple):
    context: ssl.SSLContext
    until: datetime


class Authority:
    """An ephemeral CA. Its key stays in the memory of this process, unless `secret` is asked for.

    Safe to be used from any thread.
    """

    def __init__(self, *, life: timedelta = timedelta(days=30), kept: bytes | None = None) -> None:
        """Make the keys and the certificate.

        Args:
            life: How long it is to be trusted; a gate that lives on then refuses every handshake.
            kept: The `secret` of another one, to be that one in its stead.

        Raises:
            ValueError: ``kept`` is no such secret.
        """
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        if kept is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
            # OpenSSL finds an issuer by its name first, so two gates must not share one.
            self._name = _named(f"veln-hook gate {secrets.token_hex(8)}")
            own = self._signed_by_itself(life)
        else:
            self._key, own = _read(kept)
            self._name = own.subject
        self._until = own.not_valid_after_utc
        self._pem = own.public_bytes(serialization.Encoding.PEM)
        self._contexts: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    @property
    def certificate(self) -> bytes:
        """The certificate to be trusted, in PEM."""
        return self._pem

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self._until

    def secret(self) -> bytes:
        """Return its key and its certificate, in PEM: whoever has them can be any server for its clients."""
        return _pem(self._key, serialization.NoEncryption()) + self._pem

    def context(self, host: str) -> ssl.SSLContext:
        """Return what a server with this name or address speaks TLS with.

        Args:
            host: In the spelling of ``gate.hosts``.

        Raises:
            ValueError: The authority's time is over.
        """
        now = clock.now()
        if now >= self._until:
            raise ValueError("the time of the gate's authority is over; the gate has to be started anew")
        with self._lock:
            kept = self._contexts.pop(host, None)
            if kept is None or kept.until <= now:
                kept = _Kept(self._made(host, now), now + _RENEWAL)
            self._contexts[host] = kept  # the last one used is the last in the order
            while len(self._contexts) > _MAX_CONTEXTS:
                del self._contexts[next(iter(self._contexts))]
            return kept.context

    def _made(self, host: str, now: datetime) -> ssl.SSLContext:
        name: x509.GeneralName = x509.IPAddress(ip_address(host)) if is_address(host) else x509.DNSName(host)
        leaf = self._signed(
            _named(host),
            self._leaf_key.public_key(),
            (now, min(now + _LEAF_LIFE, self._until)),
            [
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_usage(signs_certificates=False), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName([name]), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
            ],
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        _load(context, leaf.public_bytes(serialization.Encoding.PEM), self._leaf_key)
        return context

    def _signed_by_itself(self, life: timedelta) -> x509.Certificate:
        now = clock.now()
        return self._signed(
            self._name,
            self._key.public_key(),
            (now, now + life),
            [
                (x509.BasicConstraints(ca=True, path_length=0), True),
                (_usage(signs_certificates=True), True),
            ],
        )

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        span: tuple[datetime, datetime],
        extensions: list[tuple[x509.ExtensionType, bool]],
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(span[0] - _SKEW)
            .not_valid_after(span[1])
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _read(secret: bytes) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = serialization.load_pem_private_key(secret, password=None)
    certificate = x509.load_pem_x509_certificate(secret)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("the key and the certificate don't belong together")
    return key, certificate


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_MAX_COMMON_NAME])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load(context: ssl.SSLContext, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """Give a context its certificate and key; the ssl module takes them from files only."""
    with suppress(AttributeError, OSError):  # where there are no files in memory, or no /proc to name them by
        descriptor = os.memfd_create("veln-hook", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, certificate + _pem(key, serialization.NoEncryption()))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    password = secrets.token_bytes(32).hex()
    with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
        path = os.path.join(directory, "leaf.pem")
        with open(path, "xb") as file:
            file.write(certificate + _pem(key, serialization.BestAvailableEncryption(password.encode())))
        context.load_cert_chain(path, password=password)


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
