"""Real PostgreSQL servers: a private cluster in a temporary directory, on a socket and on loopback.

Where PostgreSQL isn't installed tests skip (`cluster` of tests/conftest.py); as root it runs as ``postgres``.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from support.processes import runs, state

if TYPE_CHECKING:
    from collections.abc import Iterable

_USERS = ("postgres", "nobody")
_SUPERUSER = "boss"
PASSWORD = "pa%/ss:w0rd"
"""Of every login; with characters that a URL must escape."""
_INITDB = ("-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
_templates: list[Path] = []
_numbers = itertools.count(1)


def server_programs() -> Path | None:
    """Return the directory of the newest ``initdb``; ``None`` if PostgreSQL isn't installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((each.parent for each in versions), key=lambda each: int(each.parent.name), default=None)


class Cluster:
    """A running server with databases of its own; close it after use.

    Args:
        settings: Lines of ``postgresql.conf``, such as ``max_connections = 10``.
        durable: Whether it waits for the disk as a real one does.
    """

    def __init__(self, *settings: str, durable: bool = False) -> None:
        programs = server_programs()
        if programs is None:
            raise FileNotFoundError("initdb")
        self._programs = programs
        # Not pytest's own directory: only its owner may enter it, and a socket's path must be short.
        self.directory = Path(tempfile.mkdtemp(prefix="vhpg", dir="/tmp"))
        self._user: list[str] = []
        if os.geteuid() == 0:
            owner = next(user for user in _USERS if _exists(user))
            shutil.chown(self.directory, owner)
            self._user = ["setpriv", f"--reuid={owner}", "--clear-groups", "--"]
        self.data = self.directory / "data"
        self.port = _free_port()
        if not _templates:
            self._run("initdb", "-D", self.data, *_INITDB)
            # Making it takes a second, copying it a tenth: later servers of this process begin with a copy.
            _templates.append(Path(tempfile.mkdtemp(prefix="vhpg", dir="/tmp")))
            subprocess.run(["cp", "-a", self.data, _templates[0]], check=True)
            atexit.register(shutil.rmtree, _templates[0], ignore_errors=True)
        else:
            subprocess.run(["cp", "-a", _templates[0] / "data", self.data], check=True)
        lines = [
            f"port = {self.port}",
            "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{self.directory}'",
            "max_connections = 100",
            "shared_buffers = 64MB",
            "password_encryption = 'scram-sha-256'",
            *(() if durable else ("fsync = off", "full_page_writes = off")),
            *settings,
        ]
        self.write("postgresql.conf", "\n".join(lines) + "\n")
        self.write(
            "pg_hba.conf",
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )
        self.start()

    def write(self, name: str, text: str) -> None:
        """Write a file of the data directory."""
        path = self.data / name
        path.write_text(text)
        if self._user:
            shutil.chown(path, self.data.owner())
            path.chmod(0o600)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._user, str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        # Our own child, so that one that was killed is reaped: its lock file names a process that must be gone.
        command = [*self._user, str(self._programs / "postgres"), "-D", str(self.data)]
        with open(self.directory / "log", "ab") as log:
            self._server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        deadline = time.monotonic() + 60
        while not self._is_ready():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text(errors="replace"))
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        # pg_ctl's own way: the server writes that it is ready into the last line of this file.
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().split("\n")
            return len(lines) > 7 and lines[0] == str(self._server.pid) and lines[7].strip() == "ready"
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server, as ``pg_ctl stop`` does: SIGINT is "fast", SIGQUIT is "immediate"."""
        self._server.send_signal(how)
        self._server.wait(60)

    @property
    def postmaster(self) -> int:
        """The process id of the server."""
        return self._server.pid

    def kill(self) -> None:
        """End every process of the server at once, and wait until they are gone."""
        children = _children(self.postmaster)
        for each in (self.postmaster, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._server.wait(60)
        deadline = time.monotonic() + 30
        while any(runs(each) for each in children):
            if time.monotonic() > deadline:
                raise RuntimeError("the server doesn't end")
            time.sleep(0.02)

    def suspend(self) -> list[int]:
        """Stop every process of the server where it is; give the answer to ``resume``."""
        # The postmaster first: it makes the others, so that the list is whole when it is read.
        os.kill(self.postmaster, signal.SIGSTOP)
        while state(self.postmaster) != "T":
            time.sleep(0.001)
        children = _children(self.postmaster)
        for each in children:
            with contextlib.suppress(ProcessLookupError):  # a connection's that ended by itself
                os.kill(each, signal.SIGSTOP)
        return [self.postmaster, *children]

    def resume(self, processes: Iterable[int]) -> None:
        """Let the processes go on."""
        for each in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)

    def url(
        self, database: str = "postgres", login: str = _SUPERUSER, *, tcp: bool = False, **more: str
    ) -> str:
        """Return a URL for a login; over TCP with its password."""
        options = {**more} if tcp else {"host": str(self.directory), "port": str(self.port), **more}
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in options.items())
        place = f"{login}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}" if tcp else f"{login}@"
        return f"postgresql://{place}/{database}" + (f"?{query}" if query else "")

    def make_database(self) -> str:
        """Make an empty database; return its name."""
        name = f"db{next(_numbers)}_{os.getpid()}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def make_login(self, *roles: str) -> str:
        """Make a login that belongs to these roles; return its name."""
        name = f"login{next(_numbers)}_{os.getpid()}"
        member = f" IN ROLE {', '.join(roles)}" if roles else ""
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'{member}")
        return name

    def sql(self, *statements: str, database: str = "postgres", login: str = _SUPERUSER) -> list[Any]:
        """Run statements, each by itself; return the rows of the last."""
        import psycopg

        rows: list[Any] = []
        with psycopg.connect(self.url(database, login), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def close(self) -> None:
        """Stop the server and remove what it wrote."""
        if self._server.poll() is None:
            self.resume([self.postmaster, *_children(self.postmaster)])
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)


def _exists(user: str) -> bool:
    import pwd

    with contextlib.suppress(KeyError):
        pwd.getpwnam(user)
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(parent: int) -> list[int]:
    try:
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        listed = subprocess.run(
            ["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False
        ).stdout.split()
    return [int(each) for each in listed]
