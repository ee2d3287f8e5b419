"""Whom the gate trusts: the system, and what the user's environment adds."""

from __future__ import annotations

import os
import ssl
import subprocess

import pytest

from support.authorities import TestAuthority
from support.tls import shake
from veln_hook.errors import UsageError
from veln_hook.gate.trust import trust_from


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    return TestAuthority(tmp_path_factory.mktemp("issuer"))


def takes(context: ssl.SSLContext, server: ssl.SSLContext, name: str = "index.test") -> bool:
    try:
        shake(server, context, name)
    except ssl.SSLCertVerificationError:
        return False
    return True


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_a_file_of_the_environment_adds_authorities(issuer, variable):
    context = trust_from({variable: str(issuer.file)})
    assert takes(context, issuer.server_context("index.test"))
    assert not takes(context, issuer.server_context("other.test"))
    assert not takes(trust_from({}), issuer.server_context("index.test"))
    assert context.cert_store_stats()["x509_ca"] == trust_from({}).cert_store_stats()["x509_ca"] + 1


@pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_directory_of_the_environment_adds_authorities(issuer, variable, tmp_path):
    made = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", issuer.file],
        check=False,
        capture_output=True,
        text=True,
    )
    (tmp_path / f"{made.stdout.strip()}.0").write_bytes(issuer.file.read_bytes())
    environ = {variable: os.pathsep.join(["/nonexistent", str(tmp_path)])}
    assert takes(trust_from(environ), issuer.server_context("index.test"))


def test_names_and_certificates_are_checked():
    context = trust_from({})
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_some_authorities_are_known_without_any_variable():
    assert trust_from({}).cert_store_stats()["x509_ca"] > 50


def test_what_is_not_there_is_left_out(tmp_path):
    assert trust_from(
        {"SSL_CERT_FILE": str(tmp_path / "none"), "SSL_CERT_DIR": "/nonexistent", "PIP_CERT": ""}
    )


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CLIENT_CERT"])
def test_a_file_that_cannot_be_read_is_told_by_its_variable(variable, tmp_path):
    file = tmp_path / "broken.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(UsageError, match=f"that {variable} names can't be read"):
        trust_from({variable: str(file)})


def test_a_certificate_is_shown_to_servers_that_ask(issuer):
    server = issuer.server_context("index.test")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(issuer.file)
    server.maximum_version = ssl.TLSVersion.TLSv1_2  # whose handshake tells the client, too
    environ = {"SSL_CERT_FILE": str(issuer.file), "SSL_CLIENT_CERT": str(issuer.chain("client.test"))}
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        takes(trust_from({"SSL_CERT_FILE": str(issuer.file)}), server)
    assert takes(trust_from(environ), server)
