"""The way from confined builds to the hosts that the policy allows: a gate in the process that judges them.

Most builds need no network, since the installer has fetched what they need; then nothing of this runs, and
the extra that the gate needs may be missing.

Installers start a build in a way that lets it inherit no descriptor, so the launcher connects to a socket in
a private directory instead, and what it sends there is passed on to the gate.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import struct
import sys
import threading
from typing import TYPE_CHECKING

from veln_hook.errors import UsageError
from veln_hook.gate import extra
from veln_hook.sandbox.interface import Refusal
from veln_hook.sandbox.routing import MAX_BYTES
from veln_hook.sandbox.short_paths import make_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.gate.egress import Egress

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group
_MAX_DESCRIPTORS = 4


class BuildGate:
    """A gate with a door: a socket that the launchers of this process' builds connect to.

    Args:
        allow: The policy's ``sandbox.allow_hosts``.
        index_hosts: Hosts of the indexes in use; no build reaches them, or it would fetch what nobody judged.

    Raises:
        UsageError: The extra is missing, or this system has no route for builds.
        OSError: No socket can be made.
    """

    def __init__(self, allow: Iterable[str], index_hosts: Iterable[str]) -> None:
        if sys.platform != "linux":
            raise UsageError(
                "builds can't be let to hosts on this system",
                advice="Take sandbox.allow_hosts out of the policy.",
            )
        extra.require()
        from veln_hook.gate.egress import Egress  # noqa: PLC0415 - only for who allows a host

        self._egress: Egress = Egress(allow, index_hosts=index_hosts)
        self._told: dict[tuple[str, int | None, str], int] = {}
        self._directory = make_directory("veln-hook-gate-")
        self.path = os.path.join(self._directory, "route")
        """What ``client.Launch`` takes as its route."""
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.bind(self.path)
        self._door.listen()
        threading.Thread(target=self._accept, name="veln-hook-door", daemon=True).start()

    def refusals(self) -> tuple[Refusal, ...]:
        """Return what was refused since this was asked last."""
        fresh = []
        for host, port, process, count in self._egress.refusals():
            known = self._told.get((host, port, process), 0)
            if count > known:
                self._told[host, port, process] = count
                fresh.append(Refusal(host, port, process, count - known))
        return tuple(fresh)

    def close(self) -> None:
        """Let nobody in any more, and end the connections there are. Calling twice is harmless."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._door.close()
        self._egress.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                launcher, _ = self._door.accept()
            except OSError:
                return  # closed
            if not _is_ours(launcher):
                launcher.close()
                continue
            try:
                gate = socket.socket(fileno=self._egress.open_route())
            except (OSError, ValueError):
                launcher.close()  # the build has no network then
                continue
            for start, end in ((launcher, gate), (gate, launcher)):
                threading.Thread(target=_pass_on, args=(start, end), daemon=True).start()


def _is_ours(peer: socket.socket) -> bool:
    """Whether this user runs the other end."""
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(data)[1]
    return user == os.geteuid()


def _pass_on(start: socket.socket, end: socket.socket) -> None:
    """Pass messages on with their descriptors until one side is gone; then neither hears of the other."""
    try:
        while True:
            text, descriptors, _, _ = socket.recv_fds(start, MAX_BYTES, _MAX_DESCRIPTORS)
            try:
                if not text:
                    return
                socket.send_fds(end, [text], descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
    except OSError:
        return
    finally:
        for side in (start, end):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        start.close()  # the other direction's thread closes the other end


_gates: dict[tuple[frozenset[str], frozenset[str]], BuildGate] = {}
"""By what is allowed and which indexes are known: the latter are found one by one."""


def gate(allow_hosts: Iterable[str], index_hosts: Iterable[str]) -> BuildGate | None:
    """Return this process' gate; ``None`` if the policy allows no host.

    Args:
        allow_hosts: The policy's ``sandbox.allow_hosts``.
        index_hosts: Hosts of the indexes in use.

    Raises:
        UsageError: The extra is missing.
        OSError: No socket can be made.
    """
    key = frozenset(allow_hosts), frozenset(index_hosts)
    if not key[0]:
        return None
    if key not in _gates:
        for made in _gates.values():
            made.close()
        _gates.clear()
        _gates[key] = BuildGate(*key)
    return _gates[key]


@atexit.register
def _close() -> None:
    for made in _gates.values():
        made.close()
