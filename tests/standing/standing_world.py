"""A standing gate as a process of its own, and clients of its proxy."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.cache import ROOT
from support.waiting import SECONDS, until

if TYPE_CHECKING:
    from support.envs import Home
    from support.index_server import IndexServer

PASSWORD = "correct horse"
JSON = "application/vnd.pypi.simple.v1+json"


class StandingGate:
    """A running ``veln-hook gate``; a context manager.

    Args:
        home: Whose policy and store it has.
        ca_file: The CA that indexes are checked by.
        indexes: The only ones there are.
        options: Further words of its command line.
        workers: How many.
        password: What clients have to bring, or ``None``.
        env: Further variables.
    """

    def __init__(
        self,
        home: Home,
        ca_file: Path,
        *indexes: IndexServer | str,
        options: tuple[str, ...] = (),
        workers: int = 2,
        password: str | None = PASSWORD,
        env: dict[str, str] | None = None,
    ) -> None:
        self.home = home
        self.password = password
        words = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", str(workers)]
        for index in indexes:
            words += ["--index", index if isinstance(index, str) else index.url]
        if password is None:
            words.append("--no-password")
        else:
            file = home.path / "password"
            file.write_text(f"{password}\n")
            file.chmod(0o600)
            words += ["--password-file", str(file)]
        self.command = [sys.executable, "-m", "veln_hook", "--json", "gate", *words, *options]
        self.environ = {
            **home.environ(),
            "SSL_CERT_FILE": str(ca_file),
            "PYTHONPATH": str(ROOT / "src"),
            **(env or {}),
        }
        self.events: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.out: str | None = None
        """Standard output, when it has ended."""

    def __enter__(self) -> StandingGate:
        self.process = subprocess.Popen(
            self.command,
            env=self.environ,
            cwd=self.home.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        started = until(lambda: self.told("listening") or self.process.poll() is not None, str(self.lines))
        if started is True:
            self._close()
            raise AssertionError(f"it ended with {self.process.returncode}: {self.lines}")
        self.address = urlsplit(f"//{started[0]['address']}")
        self.port = self.address.port
        self.status = started[0]["metrics"]
        self.certificate = Path(started[0]["certificate"])
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.finish()
        if kind is None:
            assert "Traceback" not in "".join(self.lines), "".join(self.lines)
            assert not self.told("fault"), self.told("fault")

    def finish(self) -> None:
        """End it and read the rest of what it says. Does nothing the second time."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.out is not None:
            return
        self._reading.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out = self.process.stdout.read()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("{"):
                self.events.append(json.loads(line))

    # -- what it tells ---------------------------------------------------------------------------------------

    def told(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the events of a kind that have these fields."""
        return [
            each
            for each in list(self.events)
            if each["event"] == event and all(each.get(name) == value for name, value in fields.items())
        ]

    def wait_for(self, event: str, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait until so many events of a kind were told."""
        until(lambda: len(self.told(event, **fields)) >= count, f"no {event} {fields}: {self.lines}")
        return self.told(event, **fields)

    def workers(self) -> dict[int, int]:
        """Return the processes of workers, the last of each number."""
        return {each["number"]: each["pid"] for each in self.told("worker-started")}

    def ask_status(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Ask the listener of health and metrics."""
        connection = http.client.HTTPConnection(self.status, timeout=SECONDS)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def figures(self) -> dict[str, float]:
        """Return all figures by series, without their common prefix."""
        status, text = self.ask_status("/metrics")
        assert status == 200, text
        return parsed(text)

    def signal(self, number: int) -> None:
        """Send a signal to the one process that an administrator knows."""
        self.process.send_signal(number)

    def reload(self, policy: str) -> None:
        """Write another policy and have it read."""
        self.home.write_policy(policy)
        self.signal(signal.SIGHUP)

    # -- clients ---------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """What clients have as ``HTTPS_PROXY``."""
        user = "" if self.password is None else f"team:{self.password.replace(' ', '%20')}@"
        return f"http://{user}127.0.0.1:{self.port}"

    def client(self, password: str | None = None, source: str = "127.0.0.1") -> Client:
        """Return a client of its own connection."""
        return Client(self, self.password if password is None else password, source)

    def get(self, url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask once, over a connection of its own."""
        with self.client() as client:
            return client.get(url, method, **headers)

    def page(self, index: IndexServer, project: str = "demo") -> list[str]:
        """Return the files that a project's page has; none if it is refused."""
        status, _, body = self.get(f"{index.url}{project}/", accept=JSON)
        if status == 451:
            return []
        assert status == 200, body
        return [file["filename"] for file in json.loads(body)["files"]]


class Client:
    """One connection to the gate, opened with the first request; a context manager."""

    def __init__(self, gate: StandingGate, password: str | None, source: str) -> None:
        self.gate = gate
        self.source = source
        self.headers = {}
        if password is not None:
            token = base64.b64encode(f"team:{password}".encode()).decode()
            self.headers["Proxy-Authorization"] = f"Basic {token}"
        self.connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        if self.connection is not None:
            self.connection.close()

    def open(self, url: str) -> http.client.HTTPConnection:
        """Return the connection, opened to the host of a URL."""
        if self.connection is None:
            parts = urlsplit(url)
            context = ssl.create_default_context(cafile=str(self.gate.certificate))
            self.connection = http.client.HTTPSConnection(
                "127.0.0.1",
                self.gate.port,
                timeout=SECONDS,
                context=context,
                source_address=(self.source, 0),
            )
            self.connection.set_tunnel(parts.hostname or "", parts.port, self.headers)
            self.connection.connect()
        return self.connection

    def ask(self, url: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Send a request and return the response as soon as its head is there."""
        connection = self.open(url)
        connection.request(
            method,
            urlsplit(url).path,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        return connection.getresponse()

    def get(self, url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers in lower case, and body."""
        response = self.ask(url, method, **headers)
        return (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )


def connect(gate: StandingGate, source: str = "127.0.0.1") -> socket.socket:
    """Return a bare connection to the gate."""
    return socket.create_connection(("127.0.0.1", gate.port), SECONDS, source_address=(source, 0))


_SERIES = re.compile(
    r'veln_hook_gate_([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? (-?[0-9.e+-]+|\+Inf|NaN)'
)
_COMMENT = re.compile(
    r"# (HELP veln_hook_gate_[a-z_]+ \S.*|TYPE veln_hook_gate_[a-z_]+ (counter|gauge|histogram))"
)


def parsed(text: str) -> dict[str, float]:
    """Read the text format; every line has to fit."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert _COMMENT.fullmatch(line), line
            continue
        match = _SERIES.fullmatch(line)
        assert match, line
        key = f"{match[1]}{match[2] or ''}"
        assert key not in found, line
        found[key] = float(match[3])
    return found


def kill(pid: int) -> None:
    """Kill a worker."""
    os.kill(pid, signal.SIGKILL)
