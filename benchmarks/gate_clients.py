"""Clients of a standing gate, many in one process: what uv asks for, and what no client should do.

An install here is what an install by uv is to a gate: a few connections that stay open (CONNECT, then TLS),
and over them a page, the metadata and the file of each package. Whatever comes is compared with what has to
come. Needs Python 3.11.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import random
import socket
import ssl
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_PATIENCE = 300.0


@dataclass(frozen=True)
class Gate:
    """How a gate is reached."""

    port: int
    password: str
    certificate: str


@dataclass(frozen=True)
class Package:
    """One package, and what has to come of it."""

    page: str
    """URL."""
    names: frozenset[str]
    """Files that have to be on the page, no more and no less; none if it has to be refused."""
    file: str
    """URL of the file that is installed."""
    sha256: str
    passes: bool
    """Whether the file has to come; otherwise it must be refused."""
    metadata: bool = True
    maybe: frozenset[str] = frozenset()
    """Files that are taken off the page once their archive has been judged."""


@dataclass
class Tally:
    """What has come."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    """By kind: how long each request took, from its first byte to the answer's last."""
    wrong: list[str] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    """sha256 of every file that came whole."""
    failed: Counter[str] = field(default_factory=Counter)
    """Requests that came to nothing, by how."""
    installs: int = 0
    bytes: int = 0

    def add(self, other: Tally) -> None:
        """Add what another process has counted."""
        for kind, values in other.seconds.items():
            self.seconds.setdefault(kind, []).extend(values)
        self.wrong += other.wrong
        self.delivered |= other.delivered
        self.failed += other.failed
        self.installs += other.installs
        self.bytes += other.bytes


class Connection:
    """One connection through the gate to the host of a URL."""

    def __init__(self, gate: Gate, context: ssl.SSLContext, address: str) -> None:
        self._gate, self._context, self._address = gate, context, address
        self._place: tuple[str, int] | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def get(self, url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask, and return status, headers and body."""
        reader = await self.send(url, **headers)
        status, fields = await _head(reader)
        if fields.get("transfer-encoding", "") == "chunked":
            raise ConnectionError("an answer without a length")
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "") == "close":
            self.close()
        return status, fields, body

    async def send(self, url: str, **headers: str) -> asyncio.StreamReader:
        """Send a request, and return where the answer will come."""
        parts = urlsplit(url)
        place = (parts.hostname or "", parts.port or 443)
        if self.writer is None or self._place != place:
            self.close()
            await self._open(place)
        lines = [f"GET {parts.path} HTTP/1.1", f"Host: {place[0]}:{place[1]}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        assert self.writer is not None
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.writer.drain()
        return self._reader

    async def _open(self, place: tuple[str, int]) -> None:
        self._reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._gate.port, local_addr=(self._address, 0), limit=1 << 18
        )
        self.writer, self._place = writer, place
        token = base64.b64encode(f"load:{self._gate.password}".encode()).decode()
        target = f"{place[0]}:{place[1]}"
        credentials = f"Proxy-Authorization: Basic {token}"
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n\r\n".encode())
        status, _ = await _head(self._reader)
        if status != 200:  # noqa: PLR2004
            raise ConnectionError(f"CONNECT was answered with {status}")
        await writer.start_tls(self._context, server_hostname=place[0])

    def close(self) -> None:
        """Close it."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def abort(self) -> None:
        """Be gone, as a machine that was switched off."""
        if self.writer is not None:
            sock = self.writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            self.writer = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), fields


class Crowd:
    """The clients of one process."""

    def __init__(self, gate: Gate, seed: int) -> None:
        self.tally = Tally()
        self._gate, self._random = gate, random.Random(seed)
        self._seed = seed
        self._context = ssl.create_default_context(cafile=gate.certificate)
        self._known: dict[tuple[str, bytes], bool] = {}
        self._address = 0

    def connection(self, address: str) -> Connection:
        """Return a connection of a client."""
        return Connection(self._gate, self._context, address)

    def address(self) -> str:
        """Return an address that no other client of this process has."""
        self._address += 1
        return f"127.{10 + self._seed}.{self._address // 250}.{1 + self._address % 250}"

    async def install(self, packages: Sequence[Package], connections: int) -> None:
        """Do what one install does."""
        waiting = list(packages)
        self._random.shuffle(waiting)
        address = self.address()
        await asyncio.gather(*(self._work(waiting, address) for _ in range(connections)))
        self.tally.installs += 1

    async def _work(self, waiting: list[Package], address: str) -> None:
        connection = self.connection(address)
        while waiting:
            package = waiting.pop()
            await self._page(connection, package)
            if package.metadata and package.passes:
                await self._ask(connection, "metadata", f"{package.file}.metadata")
            await self._file(connection, package)
        connection.close()

    async def _page(self, connection: Connection, package: Package) -> None:
        headers = {"Accept": ACCEPT, "Accept_Encoding": "gzip"}
        answer = await self._ask(connection, "page", package.page, **headers)
        if answer is None:
            return
        status, fields, body = answer
        if not package.names:
            self._expect(status == 451, f"{package.page}: {status}, and nothing of it is left")  # noqa: PLR2004
            return
        if not self._expect(status == 200, f"{package.page}: {status}"):  # noqa: PLR2004
            return
        key = (package.page, hashlib.sha256(body).digest())
        if key not in self._known:
            data = gzip.decompress(body) if fields.get("content-encoding") == "gzip" else body
            names = {file["filename"] for file in json.loads(data)["files"]}
            self._known[key] = names <= package.names and package.names - names <= package.maybe
        self._expect(self._known[key], f"{package.page}: other files than there should be")

    async def _file(self, connection: Connection, package: Package) -> None:
        answer = await self._ask(connection, "file", package.file, Accept_Encoding="identity")
        if answer is None:
            return
        status, _, body = answer
        if status == 200:  # noqa: PLR2004
            found = hashlib.sha256(body).hexdigest()
            self.tally.delivered.add(found)
            self._expect(found == package.sha256, f"{package.file}: other bytes")
        self._expect((status == 200) == package.passes, f"{package.file}: {status}")  # noqa: PLR2004

    async def _ask(
        self, connection: Connection, kind: str, url: str, **headers: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_PATIENCE):  # wait_for can lose a cancellation before 3.12
                answer = await connection.get(url, **headers)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.tally.failed[f"{kind}: {type(error).__name__}"] += 1
            connection.close()
            return None
        self.tally.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        self.tally.bytes += len(answer[2])
        if answer[0] >= 500:  # noqa: PLR2004
            self.tally.failed[f"{kind}: {answer[0]}"] += 1
            return None
        return answer

    def _expect(self, right: bool, what: str) -> bool:
        if not right:
            self.tally.wrong.append(what)
        return right

    # -- those who mean ill ----------------------------------------------------------------------------------

    async def reader_of_drops(self, url: str) -> None:
        """Ask for a file and take a KiB a second of it."""
        connection = self.connection(self.address())
        with suppress(OSError, EOFError):
            reader = await connection.send(url)
            data = await reader.read(1024)
            while data:
                await asyncio.sleep(1)
                data = await reader.read(1024)
        connection.close()

    async def writer_of_drops(self) -> None:
        """Send a head byte by byte, and never its end."""
        with suppress(OSError):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", self._gate.port, local_addr=(self.address(), 0)
            )
            for byte in b"CONNECT pypi.org:443 HTTP/1.1\r\nX: " + b"y" * 10_000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.5)
            writer.close()

    async def vanisher(self, urls: Sequence[str]) -> None:
        """Ask for something and be gone, before the answer, within it, or in the middle of a handshake."""
        while True:
            connection = self.connection(self.address())
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):
                reader = await connection.send(self._random.choice(urls))
                if self._random.random() < 0.7:  # noqa: PLR2004
                    await reader.read(self._random.choice((1, 1000, 100_000)))
            connection.abort()
            await asyncio.sleep(self._random.random() / 5)

    async def asker_of_a_hostile_index(self, urls: Sequence[str], allowed: frozenset[str]) -> None:
        """Ask an index that lies for this and that; nothing may come whole but what is allowed."""
        connection = self.connection(self.address())
        while True:
            url = self._random.choice(urls)
            try:
                async with asyncio.timeout(5):
                    status, _, body = await connection.get(url, Accept=ACCEPT)
            except (OSError, EOFError, TimeoutError):
                connection.close()
                continue
            if status == 200 and "/files/" in url:  # noqa: PLR2004
                self._expect(hashlib.sha256(body).hexdigest() in allowed, f"{url} was handed on")
            elif status == 200:  # noqa: PLR2004
                self._expect(b"young" not in body, f"{url}: a held release is on it")
            await asyncio.sleep(self._random.random() / 5)


@dataclass(frozen=True)
class Load:
    """What one process does."""

    gate: Gate
    seed: int
    packages: tuple[Package, ...]
    installs: int
    connections: int
    slow: int
    vanishing: int
    hostile: int
    hostile_urls: tuple[str, ...]
    hostile_allowed: frozenset[str]


def run(load: Load) -> Tally:
    """Be a crowd until all installs are done."""
    return asyncio.run(_run(load))


async def _run(load: Load) -> Tally:
    crowd = Crowd(load.gate, load.seed)
    biggest = max((package for package in load.packages if package.passes), key=lambda each: each.file)
    urls = [package.file for package in load.packages] + [package.page for package in load.packages]
    bad = [crowd.reader_of_drops(biggest.file) for _ in range(load.slow)]
    bad += [crowd.writer_of_drops() for _ in range(load.slow)]
    bad += [crowd.vanisher(urls) for _ in range(load.vanishing)]
    bad += [
        crowd.asker_of_a_hostile_index(load.hostile_urls, load.hostile_allowed) for _ in range(load.hostile)
    ]
    tasks = [asyncio.ensure_future(each) for each in bad]
    await asyncio.gather(*(crowd.install(load.packages, load.connections) for _ in range(load.installs)))
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            crowd.tally.failed[f"client: {type(result).__name__}: {result}"] += 1
    return crowd.tally
