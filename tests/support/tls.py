"""TLS in memory: what a real client says first, and whole handshakes."""

from __future__ import annotations

import contextlib
import ssl


def client_hello(name: str | None) -> bytes:
    """Return the records that a real client begins with."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Shake hands in memory; return the client's side."""
    one, two = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = client.wrap_bio(one, two, server_hostname=name)
    right = server.wrap_bio(two, one, server_side=True)
    for side in (left, right, left, right):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return left
