"""A connection handed through untouched, once its TLS handshake names the host it was allowed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.gate.hello import HANDSHAKE, SERVER_HELLO_START, HelloError, is_retry, read_hello
from veln_hook.gate.hosts import HTTPS_PORT, is_address
from veln_hook.gate.refusing import hidden_name, no_name, no_tls, other_name
from veln_hook.gate.stream import first_to_speak, join

if TYPE_CHECKING:
    from veln_hook.gate.hosts import Target
    from veln_hook.gate.limits import Limits
    from veln_hook.gate.stream import Stream

_HANDSHAKE, _ALERT = bytes((HANDSHAKE,)), b"\x15"
_ALERT_BYTES = 5 + 2  # RFC 8446 section 6; a longer one has no meaning


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
    try:
        retry = await _asks_again(server, client)
    except HelloError:
        raise no_tls(target) from None
    if retry:
        await server.write(await _checked_hello(client, target, again=True))


async def _asks_again(server: Stream, client: Stream) -> bool:
    """Hand the server's first handshake message on as far as it has come; tell whether it is a retry request.

    Warnings may come before it: that it doesn't know the name, for one (RFC 6066 section 3).
    """
    while True:
        ahead = server.ahead()
        size = _ALERT_BYTES if ahead.startswith(_ALERT) else SERVER_HELLO_START
        if ahead and not ahead.startswith((_ALERT, _HANDSHAKE)):
            size = 0  # no TLS: it is for the client to make sense of
        if len(ahead) < size or not ahead:
            if not await server.fill():
                return False  # the end, which is handed on as well
        elif size == _ALERT_BYTES:
            await client.write(await server.exactly(size))
        else:
            retry = is_retry(ahead[:SERVER_HELLO_START])
            await client.write(await server.read())
            return retry


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
