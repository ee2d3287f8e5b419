"""What a standing gate was asked for on its command line."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import NamedTuple, Optional

from veln_hook.errors import UsageError
from veln_hook.gate.hosts import Target, bracketed, read_host, read_port
from veln_hook.gate.limits import Limits
from veln_hook.gate.refusing import shown

MAX_WORKERS = 256
_MAX_PASSWORD = 1024
"""Bytes; a longer file is not one with a password."""


class Endpoint(NamedTuple):
    """Where is listened."""

    host: str
    """An address of this machine."""
    port: int
    """0 for any that is free."""

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True)
class Settings:
    """What every worker of one gate has in common; the policy can change meanwhile, this can't."""

    listen: Endpoint
    workers: int
    indexes: tuple[str, ...]
    """Base URLs of indexes, besides those of the policy."""
    allow: tuple[str, ...] = ()
    """Hosts to which everything passes that is nothing of an index, besides those of the policy."""
    authority: Optional[str] = None
    """Directory in which the certificate authority is kept; ``None`` for one that dies with the gate."""
    metrics: Optional[Endpoint] = None
    client_connections: int = 256
    """How many connections one address may have to one worker."""
    grace: float = 30.0
    """Seconds that running requests have to finish when the gate is stopped."""
    as_json: bool = False
    """Whether the log is lines of JSON."""

    def limits(self) -> Limits:
        """Return how much a worker spends.

        Against a gate that serves one command, clients are many and none of them can be asked to wait: who
        takes less than a piece (256 KiB) a minute is let go, and an index gets more connections.
        """
        return Limits(
            client_connections=self.client_connections,
            idle_seconds=60.0,
            host_connections=32,
            spare_connections=128,
        )


def read_endpoint(text: str, option: str) -> Endpoint:
    """Read ``HOST:PORT``, the host being an address of this machine.

    Raises:
        UsageError: It is nothing of the kind.
    """
    host, _, port = text.rpartition(":")
    try:
        target = Target(read_host(host), 0 if port == "0" else read_port(port))
    except ValueError as error:
        raise UsageError(
            f"{option} {shown(text)}: {error}", advice=f"Write it as {option} 127.0.0.1:8480."
        ) from None
    return Endpoint(*target)


def read_password(path: str) -> str:
    """Return the password that a file has in its first line.

    Raises:
        UsageError: There is none, or others than the file's owner can read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_MAX_PASSWORD + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise UsageError(
            f"the password file {shown(path)} can't be read: {error.strerror or error}",
            advice="Name a file with the password in its first line.",
        ) from None
    # systemd lets a service read credentials by an ACL, which looks like a group's right (systemd.exec(5)).
    handed_over = os.path.dirname(os.path.abspath(path)) == os.environ.get("CREDENTIALS_DIRECTORY")
    if stat.S_IMODE(status.st_mode) & (0o007 if handed_over else 0o077):
        raise UsageError(
            f"others than its owner can read the password file {shown(path)}", advice=f"Run: chmod 600 {path}"
        )
    try:
        password = data.split(b"\n", 1)[0].strip().decode("utf-8")
    except UnicodeDecodeError:
        password = ""
    if not password or len(data) > _MAX_PASSWORD:
        raise UsageError(
            f"there is no password in {shown(path)}", advice="Put it into the first line, as UTF-8 text."
        )
    return password
