"""What of a message's head is for the next hop only, and what every hop must read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.gate.hosts import read_authority
from veln_hook.gate.refusing import other_host

if TYPE_CHECKING:
    from collections.abc import Iterable

    import h11
    from h11._headers import Headers

    from veln_hook.gate.hosts import Target

# RFC 9110 section 7.6.1, and what is said to proxies only. `expect` is answered here.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer"
    b" transfer-encoding upgrade expect host".split()
)


class BadRequestError(Exception):
    """A request that can't be understood in one way. Its text is one line for the client."""


def check_host(request: h11.Request, target: Target) -> None:
    """Return if a request's ``Host`` header, which HTTP/1.0 may lack, is its target (RFC 9112 section 3.2).

    Raises:
        RefusedError: It is another host.
    """
    for name, value in request.headers:
        if name != b"host":
            continue
        text = value.decode("latin-1")
        try:
            named = read_authority(text, target.port)
        except ValueError:
            raise other_host(target, text) from None
        if named != target:
            raise other_host(target, text)


def is_chunked(request: h11.Request) -> bool:
    """Tell whether a request's body is chunked.

    Raises:
        BadRequestError: It has two framings, which is how requests are smuggled (RFC 9112 section 6.3).
    """
    names = {name for name, _ in request.headers}
    chunked = b"transfer-encoding" in names
    if chunked and b"content-length" in names:
        raise BadRequestError("a request has either Transfer-Encoding or Content-Length")
    return chunked


def end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return h11's headers without those of this hop, in their order and with the case of their names."""
    present = {name for name, _ in headers}
    dropped = set(_HOP_BY_HOP)
    if b"connection" in present:
        dropped |= options(headers)
    # Neither `connection: content-length` nor a second framing may change where the message ends.
    dropped.discard(b"content-length")
    if b"transfer-encoding" in present:
        dropped.add(b"content-length")
    return [(name, value) for name, value in headers.raw_items() if name.lower() not in dropped]


def unframed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers without those of this hop and without a length, for a body that is framed anew."""
    left_out = _HOP_BY_HOP | {b"content-length"}
    return [(name, value) for name, value in headers if name.lower() not in left_out]


def options(headers: Headers) -> set[bytes]:
    """Return what ``Connection`` fields say, in lower case (RFC 9110 section 7.6.1)."""
    return {
        option.strip().lower()
        for name, value in headers
        if name == b"connection"
        for option in value.split(b",")
    }
