"""What is expected at the sockets that arrive: a proxy, a DNS server, or the host behind a fake address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.gate import dns
from veln_hook.gate.forwarding import Session
from veln_hook.gate.headers import BadRequestError, check_host
from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT, Target, read_authority
from veln_hook.gate.passage import open_passage, send_alert
from veln_hook.gate.refusing import RefusedError, UnreachableError, not_listed, unreadable

if TYPE_CHECKING:
    import socket

    from veln_hook.gate.context import Context, Origin
    from veln_hook.gate.listening import Door
    from veln_hook.gate.stream import Stream

_DNS_BYTES = 4096
_DATAGRAMS_AT_ONCE = 64


async def serve_proxy(context: Context, client: Stream, origin: Origin, door: Door | None = None) -> None:
    """Serve an HTTP proxy's client: plain requests, and CONNECT (RFC 9110 section 9.3.6).

    Args:
        context: The gate's.
        client: Its connection.
        origin: Where it came from.
        door: What each request has to pass, where anybody could have connected.

    Raises:
        OSError: Its connection broke.
        EOFError: It ended too early.
    """
    session = Session(context, client, origin, door=door)
    request = await session.run()
    if request is None:
        return
    try:
        await session.end_of_connect(request)
        target = _read_connect(request.target.decode("latin-1"))
        check_host(request, target)
        passage = await open_passage(context, client, target, origin)
    except RefusedError as refused:
        await session.refuse(refused)
    except BadRequestError as error:
        await session.answer(400, f"veln-hook: {error}")
    except UnreachableError as error:
        await session.answer(502, str(error))
    else:
        try:
            await session.accept_connect()
            await passage.run()
        finally:
            passage.close()


def _read_connect(text: str) -> Target:
    try:
        return read_authority(text)
    except ValueError:
        raise unreadable(text) from None


async def serve_fake(context: Context, client: Stream, origin: Origin, wanted: tuple[str, int]) -> None:
    """Serve a client that connected to a fake address as if it were the host.

    Args:
        context: The gate's.
        client: Its connection.
        origin: Where it came from.
        wanted: The address and port it connected to.

    Raises:
        OSError: A connection broke.
        EOFError: One ended too early.
    """
    address, port = wanted
    name = context.fakes.name(address)
    try:
        if name is None:
            raise not_listed(address, port, default=False)
        passage = await open_passage(context, client, Target(name, port), origin)
    except RefusedError as refused:
        await _refuse(context, client, origin, refused, port)
    except UnreachableError:  # never for plain HTTP, where each request is answered by itself
        client.reset()
    else:
        try:
            await passage.run()
        finally:
            passage.close()


async def _refuse(context: Context, client: Stream, origin: Origin, refused: RefusedError, port: int) -> None:
    if port == HTTP_PORT:
        await Session(context, client, origin).refuse(refused)
        return
    await context.note_refusal(refused, origin)
    if port == HTTPS_PORT:
        await send_alert(client, context)
    client.reset()


async def serve_dns(context: Context, client: Stream, origin: Origin) -> None:
    """Serve a client of DNS over TCP: messages with their length before them (RFC 1035 section 4.2.2).

    Raises:
        OSError: Its connection broke.
        EOFError: It ended.
    """
    while True:
        client.watch.limit(context.limits.head_seconds)
        message = await client.exactly(int.from_bytes(await client.exactly(2), "big"))
        reply = dns.answer(message, context.check_name, context.fakes)
        if reply.refused is not None:
            await context.note_refusal(reply.refused, origin)
        if not reply.data:
            return
        await client.write(len(reply.data).to_bytes(2, "big") + reply.data)


def answer_datagrams(context: Context, sock: socket.socket) -> None:
    """Answer the DNS questions that wait at a UDP socket; who asks can't be told.

    Raises:
        OSError: The socket is of no more use.
    """
    for _ in range(_DATAGRAMS_AT_ONCE):
        try:
            message, sender = sock.recvfrom(_DNS_BYTES)
            reply = dns.answer(message, context.check_name, context.fakes)
            if reply.refused is not None:
                context.refused.add(reply.refused.host, reply.refused.port, "")
            if reply.data:
                sock.sendto(reply.data, sender)
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
