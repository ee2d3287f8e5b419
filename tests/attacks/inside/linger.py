"""Keeps many processes and sockets going, and writes a line every few milliseconds: what is to end with its launcher.

python linger.py DIRECTORY HOST PORT TOKEN
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time

_SECONDS = 60


def _attempt(host: str, port: int, token: bytes) -> None:
    with contextlib.suppress(OSError), socket.socket() as connection:
        connection.settimeout(0.2)
        connection.connect((host, port))
        connection.sendall(token)


def _beat(directory: str, host: str, port: int, token: bytes) -> None:
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        with open(os.path.join(directory, str(os.getpid())), "a", encoding="ascii") as file:
            file.write("beat\n")
        _attempt(host, port, token)
        time.sleep(0.02)


def main() -> None:
    directory, host, port, token = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].encode("ascii")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    own = socket.socket(socket.AF_UNIX)
    own.bind(os.path.join(directory, "own-socket"))
    own.listen(1)
    for number in range(4):
        if os.fork() == 0:
            os.setsid()
            if number % 2:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            if number > 1 and os.fork():
                os._exit(0)
            _beat(directory, host, port, token)
            os._exit(0)
    _beat(directory, host, port, token)


if __name__ == "__main__":
    main()
