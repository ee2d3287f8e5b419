"""What the gate's authority issues: RFC 5280 to the letter, for one host, for a short time, from memory."""

from __future__ import annotations

import os
import ssl
import tempfile
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.tls import shake
from veln_hook import clock
from veln_hook.gate import authority as module
from veln_hook.gate.authority import Authority


def client(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # 3.13 sets it by itself
    return context


def leaf(authority: Authority, host: str) -> x509.Certificate:
    side = shake(authority.context(host), client(authority), host)
    return x509.load_der_x509_certificate(side.getpeercert(binary_form=True) or b"")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize(
    "host",
    [
        "pypi.org",
        "127.0.0.1",
        "::1",
        "a_b.example.org",
        "localhost",
        "a" * 63 + ".example.org",
        "xn--e1afmkfd.test",
    ],
)
def test_a_strict_client_takes_it_for_its_host_and_for_no_other(authority, host):
    assert shake(authority.context(host), client(authority), host).version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake(authority.context(host), client(authority), "192.0.2.1" if host == "127.0.0.1" else "other.org")


def test_a_client_of_another_gate_does_not_take_it(authority):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(authority.context("pypi.org"), client(Authority()), "pypi.org")


def test_the_authority_signs_certificates_and_nothing_else(authority):
    (own,) = x509.load_pem_x509_certificates(authority.certificate)
    assert own.issuer == own.subject
    extensions = own.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)
    assert extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert b"PRIVATE" not in authority.certificate


def test_a_leaf_serves_one_host_for_a_day(authority):
    certificate = leaf(authority, "pypi.org")
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("pypi.org")]
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    now = clock.now()
    assert timedelta(minutes=5) < now - certificate.not_valid_before_utc < timedelta(minutes=15)
    assert timedelta(hours=23) < certificate.not_valid_after_utc - now <= timedelta(days=1)


def test_two_gates_have_two_names_and_two_keys():
    one, two = (x509.load_pem_x509_certificate(Authority().certificate) for _ in range(2))
    assert one.subject != two.subject
    assert one.public_key() != two.public_key()


def test_a_leaf_does_not_outlive_its_authority():
    authority = Authority(life=timedelta(hours=2))
    assert leaf(authority, "a.org").not_valid_after_utc - clock.now() <= timedelta(hours=2)


def test_leaves_are_kept_and_renewed_before_they_end(monkeypatch):
    authority = Authority(life=timedelta(days=3))
    first = authority.context("a.org")
    assert authority.context("a.org") is first
    began = clock.now()
    for hours in (13, 26, 39):
        monkeypatch.setattr(module.clock, "now", lambda hours=hours: began + timedelta(hours=hours))
        renewed = authority.context("a.org")
        assert renewed is not first
        first = renewed
    monkeypatch.undo()
    certificate = leaf(authority, "b.org")
    assert certificate.not_valid_after_utc > began + timedelta(hours=20)


def test_an_authority_whose_time_is_over_serves_nobody(monkeypatch):
    authority = Authority(life=timedelta(days=1))
    began = clock.now()
    monkeypatch.setattr(module.clock, "now", lambda: began + timedelta(days=2))
    with pytest.raises(ValueError, match="time"):
        authority.context("a.org")


def test_few_contexts_are_kept(authority, monkeypatch):
    monkeypatch.setattr(module, "_MAX_CONTEXTS", 3)
    for host in ("a.org", "b.org", "a.org", "c.org", "d.org"):
        authority.context(host)
    assert list(authority._contexts)[-3:] == ["a.org", "c.org", "d.org"]
    assert len(authority._contexts) == 3


def test_without_files_in_memory_the_leafs_key_is_encrypted_and_removed_at_once(
    authority, monkeypatch, tmp_path
):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    written = []

    class Watched(tempfile.TemporaryDirectory):
        def __exit__(self, *arguments):
            (file,) = os.scandir(self.name)
            with open(file.path, "rb") as stream:
                written.append(stream.read())
            assert os.stat(self.name).st_mode & 0o077 == 0
            super().__exit__(*arguments)

    monkeypatch.setattr(module.tempfile, "TemporaryDirectory", Watched)
    assert shake(authority.context("fallback.org"), client(authority), "fallback.org").version() == "TLSv1.3"
    (data,) = written
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in data
    assert b"BEGIN PRIVATE KEY" not in data
    assert list(tmp_path.iterdir()) == []


def test_the_authoritys_key_is_not_the_leafs(authority):
    keys = [
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for key in (authority._key, authority._leaf_key)
    ]
    assert keys[0] != keys[1]
