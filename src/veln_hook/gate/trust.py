"""Whom the gate trusts in the user's place: what the user's own programs would trust."""

from __future__ import annotations

import os
import ssl
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_DIRECTORIES = ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PARTIAL_CHAIN = 0x80000  # ssl.VERIFY_X509_PARTIAL_CHAIN of Python 3.10
# Where systems keep what they trust, for Pythons whose OpenSSL was built to look elsewhere.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def trust_from(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return what servers are checked by: the system's authorities, and what an environment adds to them.

    ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, ``REQUESTS_CA_BUNDLE`` and ``PIP_CERT`` add authorities; what isn't
    there is left out, as uv does. ``SSL_CLIENT_CERT`` has a certificate and key for servers that ask.

    Raises:
        UsageError: A file that one of them names can't be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An authority that the user names counts, whoever has signed it: as in Python 3.13, and in rustls.
    context.verify_flags |= _PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    loaded = _load_system(context)
    for variable in _FILES:
        path = environ.get(variable, "")
        if os.path.isfile(path) and os.path.realpath(path) not in loaded:
            loaded.add(os.path.realpath(path))
            _load(context, variable, cafile=path)
    for variable in _DIRECTORIES:
        for path in environ.get(variable, "").split(os.pathsep):
            if os.path.isdir(path):
                _load(context, variable, capath=path)
    client = environ.get("SSL_CLIENT_CERT", "")
    if client:
        try:
            context.load_cert_chain(client)
        except (OSError, ValueError) as error:
            raise _unreadable("SSL_CLIENT_CERT", error) from None
    return context


def _load_system(context: ssl.SSLContext) -> set[str]:
    """Load what the system trusts; return the files that were read, each of which takes 17 ms."""
    if sys.platform in ("win32", "darwin"):
        context.load_default_certs()
    paths = ssl.get_default_verify_paths()
    if os.path.isdir(paths.openssl_capath):
        context.load_verify_locations(capath=paths.openssl_capath)
    for path in (paths.openssl_cafile, *_SYSTEM_FILES, *_bundled()):
        if os.path.isfile(path):
            with suppress(OSError):  # ssl.SSLError is one
                context.load_verify_locations(path)
                return {os.path.realpath(path)}
    return set()


def _bundled() -> Iterator[str]:
    for module, parts in (("certifi", ("cacert.pem",)), ("pip", ("_vendor", "certifi", "cacert.pem"))):
        spec = find_spec(module)
        for place in (spec and spec.submodule_search_locations) or ():
            yield os.path.join(place, *parts)


def _load(context: ssl.SSLContext, variable: str, **where: str) -> None:
    try:
        context.load_verify_locations(**where)
    except OSError as error:  # ssl.SSLError is one
        raise _unreadable(variable, error) from None


def _unreadable(variable: str, error: Exception) -> UsageError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError(
        f"the certificates that {variable} names can't be read: {reason}",
        advice=f"Give {variable} a file in PEM, or unset it.",
    )
