"""A connection handed through untouched, once its TLS handshake names the host it was allowed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.gate.hello import HANDSHAKE, SERVER_HELLO_START, HelloError, is_retry, read_hello
from veln_hook.gate.hosts import HTTPS_PORT, is_address
from veln_hook.gate.refusing import hidden_name, no_name, no_tls, other_name
from veln_hook.gate.stream import CutOffError, first_to_speak, join

if TYPE_CHECKING:
    from veln_hook.gate.hosts import Target
    from veln_hook.gate.limits import Limits
    from veln_hook.gate.stream import Stream

_HANDSHAKE = bytes((HANDSHAKE,))


async def tunnel(client: Stream, server: Stream, target: Target, limits: Limits) -> None:
    """Copy in both directions until both have ended.

    On port 443 the client must begin with TLS. On others, which somebody has listed by their number, it may
    also send something else, or wait for the server; but TLS is looked at there too.

    Raises:
        RefusedError: TLS is missing, or names another host, or none.
        OSError: A connection broke.
        EOFError: One ended within its handshake.
    """
    if target.port == HTTPS_PORT or await _begins_with_tls(client, server, limits):
        await _greet(client, server, target, limits)
    client.watch.keep(limits.idle_seconds)
    await join(client, server)
    client.whole = server.whole = True


async def _begins_with_tls(client: Stream, server: Stream, limits: Limits) -> bool:
    client.watch.keep(limits.idle_seconds)
    if await first_to_speak(client, server) is server:  # a TLS server never is
        return False
    if not client.ahead():
        await client.fill()
    return client.ahead().startswith(_HANDSHAKE)


async def _greet(client: Stream, server: Stream, target: Target, limits: Limits) -> None:
    """Hand the ClientHello on, and a second one if the server asks for it (RFC 8446 section 4.1.4).

    Until the server has said which, nothing else of the client is handed on: a second ClientHello that
    nobody has looked at could name another host.
    """
    client.watch.limit(limits.hello_seconds)
    await server.write(await _checked_hello(client, target))
    client.watch.limit(limits.hello_seconds)
    while len(server.ahead()) < SERVER_HELLO_START and server.ahead()[:1] in (b"", _HANDSHAKE):
        if not await server.fill():
            raise CutOffError
    start = await server.read()
    try:
        retry = is_retry(start[:SERVER_HELLO_START])
    except HelloError:
        raise no_tls(target) from None
    await client.write(start)
    if retry:
        await server.write(await _checked_hello(client, target, again=True))


async def _checked_hello(client: Stream, target: Target, *, again: bool = False) -> bytes:
    try:
        raw, hello = await read_hello(client, again=again)
    except HelloError:
        raise no_tls(target) from None
    if hello.hidden:
        raise hidden_name(target)
    if hello.name is None:
        # RFC 6066 section 3: addresses are not permitted as server names.
        if not is_address(target.host):
            raise no_name(target)
    elif hello.name.lower() != target.host:
        raise other_name(target, hello.name)
    return raw
