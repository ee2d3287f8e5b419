"""A certificate authority for the servers of tests, which real clients can be told to trust."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import trustme

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
        self._authority = trustme.CA(organization_name=name)
        self.file = directory / f"{name.replace(' ', '-')}.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def chain(self, *names: str, life: timedelta = timedelta(days=1)) -> Path:
        """Return a file with the key and the certificate of a server.

        Args:
            names: DNS names (``*.example.test`` as well) and addresses, one at least.
            life: How long it is valid from now; negative for one that has expired.
        """
        stem = names[0].replace("*", "_").replace(":", "_")
        file = self._directory / f"{stem}-{life.total_seconds():.0f}.pem"
        issued = self._authority.issue_cert(*names, not_after=datetime.now(timezone.utc) + life)
        issued.private_key_and_cert_chain_pem.write_to_path(str(file))
        return file

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Return what a server of these names speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain(*(names or ("localhost", "127.0.0.1"))))
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return what a client speaks TLS with that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.file))
