"""Tells systemd how a service is: sd_notify(3), which is one datagram to a socket that it names."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
"""What systemd tells a service by, and is meant for that process alone."""
READY = "READY=1"
STOPPING = "STOPPING=1"


def reloading() -> str:
    """Return what is said before a reload; its time has to be that of the monotonic clock."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def notify(environ: Mapping[str, str], *lines: str) -> None:
    """Tell systemd; nobody is told where no socket is named, and it is no error if nobody hears it."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto("\n".join(lines).encode(), address)
