"""A wall that is nothing but a network: for a program that writes where it likes, as an installer does.

The program runs in an empty network namespace (network_namespaces(7)) whose listeners are handed to a gate.
Files, users, processes and the terminal are those outside. Inside, ``PROXY_URL`` is the way out, with no
password, since whoever is inside may use the gate; names and the ports of ``PORTS`` lead there as well.

What stays open: UNIX sockets that have a path (Docker's, a bus of the user's, a resolver of the system's)
are files, and this wall knows no files. Those without one (abstract) belong to the network and are closed.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veln_hook.sandbox.routing import TCP_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "net_launcher.py")
PROXY_PORT = 3128
"""Any port would do: nobody else listens in a namespace that is new."""
PROXY_URL = f"http://127.0.0.1:{PROXY_PORT}"
"""What the variables for proxies are to hold inside."""
PORTS = TCP_PORTS
"""Where connections to fake addresses are taken for the gate."""

_SECONDS = 20.0
_TELLS = re.compile(r"\(([^\n]*)\); nothing runs\n?\Z")
_ATTEMPT = """
import _socket, sys
try:
    _socket.socket(_socket.AF_INET).connect(("127.0.0.1", int(sys.argv[1])))
except OSError:
    print("closed")
"""


@dataclass(frozen=True)
class Found:
    """Whether this machine lets this user have a network of its own."""

    works: bool
    reason: str
    """Why it doesn't, in the words of what refused; "works" otherwise."""


def find() -> Found:
    """Try it, with a command that connects to a socket that listens outside.

    Takes about 40 ms.
    """
    if sys.platform != "linux":
        return Found(works=False, reason="there is none but on Linux")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, socket.socket() as outside:
        outside.bind(("127.0.0.1", 0))
        outside.listen()
        attempt = [sys.executable, "-I", "-S", "-c", _ATTEMPT, str(outside.getsockname()[1])]
        try:
            ended = subprocess.run(
                command(attempt, theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return Found(works=False, reason=str(error))
    if ended.stdout.strip() == b"closed":
        return Found(works=True, reason="works")
    said = ended.stderr.decode("utf-8", "replace")
    told = _TELLS.search(said)
    return Found(works=False, reason=told.group(1) if told else said.strip() or "it reached what is outside")


def command(words: Sequence[str], route: int, *, ports: Iterable[int] = PORTS) -> list[str]:
    """Return what to start instead of a command, with the environment that the command is to have.

    What is started becomes the command: same process, arguments, streams, signals, terminal and exit status.
    If it can't be walled in, it says why in a line on standard error and ends with status 78.

    Args:
        words: The program, as a path that has a slash, and its arguments.
        route: A connected UNIX socket of type SOCK_SEQPACKET, inherited (``pass_fds``), on whose other end
            the listeners arrive (``routing``). The command and what it starts keep it open, so its other
            end learns when all of them have ended.
        ports: TCP ports on which connections to fake addresses are taken.

    Raises:
        ValueError: The program isn't given as a path.
    """
    if "/" not in words[0]:
        raise ValueError(f"{words[0]} is no path")
    numbers = ",".join(str(port) for port in (PROXY_PORT, *ports))
    return [sys.executable, "-I", "-S", LAUNCHER, str(route), numbers, *words]
