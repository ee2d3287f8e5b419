"""Names become addresses here and nowhere else, after they were allowed; what is connected to was checked."""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401 - getaddrinfo imports it for a text, and pip allows no import when it installs
import os
import socket
import threading
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING, Any, Callable, Protocol

from veln_hook.gate.hosts import Target, is_address
from veln_hook.gate.refusing import UnreachableError, no_public_address

if TYPE_CHECKING:
    from veln_hook.gate.limits import Limits

_Place = tuple[int, tuple[Any, ...]]
"""A family, and an address as ``connect`` takes it."""
Resolver = Callable[..., "list[Any]"]
"""Called as ``socket.getaddrinfo(host, port, type=SOCK_STREAM)``, in a thread of its own."""

_MAX_LOOKUPS = 8
_MAX_TRIED = 8
_JOIN_SECONDS = 2.0

# IANA's special-purpose registries (RFC 6890): everything that isn't globally reachable, and what only wraps
# other addresses. 168.63.129.16 is global by number, and answers with Azure's machine metadata.
_PRIVATE_4 = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
# Of IPv6 only 2000::/3 is given out (RFC 4291): loopback, mapped, NAT64, unique local, link-local and
# multicast addresses lie outside. Within: protocol assignments with Teredo, documentation, 6to4.
_GLOBAL_6 = ip_network("2000::/3")
_PRIVATE_6 = [ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def is_public(address: str) -> bool:
    """Tell whether an address (of ``getaddrinfo``) can be a host of the public internet."""
    if ":" not in address:
        four = IPv4Address(address)
        return not any(four in network for network in _PRIVATE_4)
    if "%" in address:  # a scope: link-local
        return False
    six = IPv6Address(address)
    return six in _GLOBAL_6 and not any(six in network for network in _PRIVATE_6)


class Privacy(Protocol):
    """What is asked of the rules here."""

    def may_be_private(self, host: str, port: int) -> bool:
        """Tell whether a host that was checked may have any address."""


class Connector:
    """Connects to targets that the rules have let pass. To be used in the thread of its event loop only."""

    def __init__(self, resolver: Resolver, rules: Privacy, limits: Limits) -> None:
        """Connect by what this resolver says; it may block and may raise what ``getaddrinfo`` raises."""
        self._resolver, self._rules, self._limits = resolver, rules, limits
        self._room = asyncio.Semaphore(_MAX_LOOKUPS)
        self._threads: set[threading.Thread] = set()

    async def connect(self, target: Target) -> socket.socket:
        """Return a socket connected to the target.

        Raises:
            RefusedError: Its addresses are private.
            UnreachableError: It has no address, or none answers.
        """
        if is_address(target.host):
            found: list[_Place] = [(socket.AF_INET6 if ":" in target.host else socket.AF_INET, target)]
        else:
            found = await self._resolve(target)
        if not self._rules.may_be_private(*target):
            # One lookup for check and use: a second one could be answered with another address.
            found = [(family, place) for family, place in found if is_public(place[0])]
            if not found:
                raise no_public_address(target)
        reason = "it doesn't answer"
        for family, place in found[:_MAX_TRIED]:
            try:
                return await self._connect(family, place)
            except asyncio.TimeoutError:
                reason = "it doesn't answer in time"
            except OSError as error:
                reason = f"can't be reached: {os.strerror(error.errno) if error.errno else error}"
        raise UnreachableError(target, reason)

    async def _connect(self, family: int, place: tuple[Any, ...]) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            connecting = asyncio.get_running_loop().sock_connect(sock, place)
            await asyncio.wait_for(connecting, self._limits.connect_seconds)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _resolve(self, target: Target) -> list[_Place]:
        try:
            rows = await self._looked_up(target)
        except (OSError, UnicodeError):
            raise UnreachableError(target, "its name doesn't resolve") from None
        families = (socket.AF_INET, socket.AF_INET6)
        found = [(family, place) for family, _, _, _, place in rows if family in families]
        if not found:
            raise UnreachableError(target, "its name has no address")
        return found

    async def _looked_up(self, target: Target) -> list[Any]:
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        # Not the loop's executor: interpreters wait at exit for its threads, and a lookup can hang.
        thread = threading.Thread(
            target=self._look_up, args=(loop, answer, target), name="veln-hook-lookup", daemon=True
        )
        self._threads.add(thread)
        thread.start()
        return await answer

    def _look_up(
        self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[list[Any]], target: Target
    ) -> None:
        rows: list[Any] = []
        failure: Exception | None = None
        try:
            rows = self._resolver(target.host, target.port, type=socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the answer is awaited
            failure = error
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(self._finished, threading.current_thread(), answer, rows, failure)

    def _finished(
        self,
        thread: threading.Thread,
        answer: asyncio.Future[list[Any]],
        rows: list[Any],
        failure: Exception | None,
    ) -> None:
        # Only now, since a lookup that nobody waits for any more still runs.
        self._room.release()
        self._threads.discard(thread)
        if answer.done():
            return
        if failure is None:
            answer.set_result(rows)
        else:
            answer.set_exception(failure)

    def wait(self) -> None:
        """Wait for lookups that still run, but not for as long as libc does before it gives up."""
        for thread in list(self._threads):
            thread.join(_JOIN_SECONDS)
