"""Answers to DNS questions (RFC 1035), made of what is allowed; no other server is ever asked. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.gate.hosts import is_address, read_host
from veln_hook.gate.refusing import RefusedError, unreadable

if TYPE_CHECKING:
    from typing import Callable

    from veln_hook.gate.fake import FakeAddresses

_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_ANSWER = struct.Struct("!HHHLH")
_QR, _OPCODE, _AA, _RD, _RA = 0x8000, 0x7800, 0x0400, 0x0100, 0x0080
_NO_ERROR, _FORMAT_ERROR, _NAME_ERROR, _NOT_IMPLEMENTED = 0, 1, 3, 4
_A, _IN = 1, 1
_TTL = 60
_MAX_LABEL, _MAX_NAME = 63, 255
_POINTER_TO_QUESTION = 0xC00C


class Reply(NamedTuple):
    """What is sent back, and what was refused on the way."""

    data: bytes
    """A whole message; empty if nothing is to be sent."""
    refused: RefusedError | None = None


def answer(message: bytes, check: Callable[[str], None], fakes: FakeAddresses) -> Reply:
    """Answer one message.

    Allowed names have an A record with their fake address and nothing else, no matter what is asked (no
    AAAA, no HTTPS record with keys for hidden names); all other names don't exist.

    Args:
        message: As it was received, without the length that TCP puts before it.
        check: Raises RefusedError for a name that isn't allowed.
        fakes: Addresses for names.
    """
    if len(message) < _HEADER.size:
        return Reply(b"")
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if flags & _QR:  # two servers that answer each other's answers would never end
        return Reply(b"")
    name, end = _read_name(message)
    if flags & _OPCODE:
        code = _NOT_IMPLEMENTED
    elif questions != 1 or answers or name is None or len(message) < end + _QUESTION.size:
        code = _FORMAT_ERROR
    else:
        return _answer_question(message, name, end, check, fakes)
    return Reply(_head(number, flags, code))


def _answer_question(
    message: bytes, name: str, end: int, check: Callable[[str], None], fakes: FakeAddresses
) -> Reply:
    number, flags = _HEADER.unpack_from(message)[:2]
    kind, network = _QUESTION.unpack_from(message, end)
    question = message[_HEADER.size : end + _QUESTION.size]
    try:
        host = _allowed(name, check)
    except RefusedError as refused:
        return Reply(_head(number, flags, _NAME_ERROR, questions=1) + question, refused)
    address = fakes.address(host) if (kind, network) == (_A, _IN) else None
    if address is None:
        return Reply(_head(number, flags, _NO_ERROR, questions=1) + question)
    record = _ANSWER.pack(_POINTER_TO_QUESTION, _A, _IN, _TTL, len(address.packed)) + address.packed
    return Reply(_head(number, flags, _NO_ERROR, questions=1, answers=1) + question + record)


def _head(number: int, flags: int, code: int, questions: int = 0, answers: int = 0) -> bytes:
    kept = flags & (_OPCODE | _RD)
    return _HEADER.pack(number, _QR | _AA | _RA | kept | code, questions, answers, 0, 0)


def _read_name(message: bytes) -> tuple[str | None, int]:
    """Return the question's name and where it ends; a question has nothing before it to point to."""
    labels: list[str] = []
    at = _HEADER.size
    while at < len(message):
        size = message[at]
        label = message[at + 1 : at + 1 + size]
        at += 1 + size
        if size == 0:
            return ".".join(labels), at
        if size > _MAX_LABEL or len(label) != size or at - _HEADER.size > _MAX_NAME:
            break
        # A dot inside a label would be read as two labels.
        labels.append(label.decode("latin-1").replace(".", "\\."))
    return None, at


def _allowed(name: str, check: Callable[[str], None]) -> str:
    try:
        host = read_host(name)
    except ValueError:
        raise unreadable(name) from None
    if is_address(host):
        raise unreadable(name)
    check(host)
    return host
