"""A gate with an index proxy in this process, real indexes behind it, and a client that speaks plain HTTP/1.1."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from veln_hook.gate.authority import Authority
from veln_hook.gate.egress import Egress
from veln_hook.gate.intercept import Interceptor
from veln_hook.gate.upstream import Upstream
from veln_hook.guard import Guard
from veln_hook.index_proxy.opening import open_index_proxy
from veln_hook.policy.settings import CoolingPolicy, Policy
from veln_hook.report.wording import tell
from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from support.authorities import TestAuthority
    from support.tls_index import TlsIndex

SECONDS = 120
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PASSWORD = "open sesame"


class Reply(NamedTuple):
    """What a client got."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """A refusal."""
        assert self.headers["content-type"] == "application/problem+json", self
        return json.loads(self.body)

    def filenames(self) -> list[str]:
        """Those on a JSON page."""
        assert self.status == 200, self
        return [file["filename"] for file in json.loads(self.body)["files"]]


class Gate:
    """A running gate; use it as a context manager.

    Args:
        authority: What it trusts.
        directory: Where its store and its spool lie.
        policy: The settings in force.
        options: As of `open_index_proxy`.
    """

    def __init__(
        self, authority: TestAuthority, directory: Path, policy: Policy | None = None, **options: Any
    ) -> None:
        self.policy = policy or Policy()
        self.directory = directory
        self.spool = directory / "spool"
        self.spool.mkdir(exist_ok=True)
        self._store_file = directory / "store.sqlite3"
        options.setdefault("store", self.store)
        self.proxy = open_index_proxy(self.policy, directory=str(self.spool), **options)
        self._own = Authority()
        self._trust = ssl.create_default_context(cadata=self._own.certificate.decode())
        upstream = Upstream(trust=authority.client_context())
        self._gate = Egress(
            [], handlers=[Interceptor(self.proxy, self._own, upstream, covers=lambda _: True)]
        )
        self._port = 0

    def store(self) -> SqliteStore:
        """Open the store once more; the caller closes it."""
        return SqliteStore(self._store_file)

    def guard(self) -> Guard:
        """A guard of the test's own; the caller closes it and its store."""
        return Guard(self.policy, self.store())

    def __enter__(self) -> Gate:
        self._port = self._gate.listen(password=PASSWORD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.proxy.close()
        self._gate.close()
        assert kind is not None or not self._gate.faults(), self._gate.faults()

    def get(self, url: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
        """Ask for something; underscores in names of headers are hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        word = base64.b64encode(f"test:{PASSWORD}".encode()).decode()
        proof = {"Proxy-Authorization": f"Basic {word}"}
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, context=self._trust, timeout=SECONDS
            )
            connection.set_tunnel(str(parts.hostname), parts.port or 443, headers=proof)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
            path, fields = url, {**fields, **proof}
        try:
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, response.reason, found, response.read())
        finally:
            connection.close()

    def page(self, index: TlsIndex, project: str = "demo", **headers: str) -> Reply:
        """Ask for a project's page as uv does."""
        accept = f"{JSON}, {HTML};q=0.2, text/html;q=0.01"
        given = {"Accept": accept, "Accept_Encoding": "gzip, deflate, zstd", **headers}
        return self.get(f"{index.url}{project}/", **given)

    def told(self) -> list[str]:
        """Return what a person would be told."""
        return [
            line
            for each in self.proxy.ledger.told()
            for line in tell(each.verdict, instead=each.instead, approve="")
        ]


def cooling(**settings: Any) -> Policy:
    """A policy that differs in ``[cooling]``."""
    return Policy(cooling=CoolingPolicy(**settings))
