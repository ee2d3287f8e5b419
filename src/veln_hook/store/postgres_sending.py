"""What a machine has to tell, sent to the shared store's server in parts.

Rules of this module: nothing is dropped before the server has taken or refused
it; what the server refuses does not hold up the rest; nobody waits longer than
a second for an answer, as it is a process' end that waits.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.errors import StoreError
from veln_hook.store import codec
from veln_hook.store.postgres_line import RefusedError
from veln_hook.store.postgres_server import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.model import Observation
    from veln_hook.store.postgres_copy import LocalCopy, Waiting
    from veln_hook.store.postgres_server import Server

logger = logging.getLogger("veln_hook")

WAIT_S = 1.0
"""So long an answer is waited for, and so long what waited since another process is sent."""
PART = 200
"""So many rows are sent at once: a slow server takes some of them in time, and the next process goes on."""


def send(server: Server, copy: LocalCopy, observations: Sequence[Observation]) -> None:
    """Send observations; what can't be sent now waits in the copy.

    Raises:
        StoreError: The server gives no answer, or the copy can't keep them.
    """
    rest = list(observations)
    try:
        while rest:
            _write(server.observe, rest[:PART])
            del rest[:PART]
    except StoreError:
        copy.put_observations(server.identity, rest)
        raise


def send_waiting(server: Server, copy: LocalCopy) -> None:
    """Send what waits in the copy, as much as there is time for.

    Raises:
        StoreError: The server gives no answer, or the copy can't be read.
    """
    began = time.monotonic()
    while time.monotonic() - began < WAIT_S:
        waiting = copy.waiting(server.identity, PART)
        if not waiting:
            return
        understood = [each for each in map(_understood, waiting) if each is not None]
        _write(server.observe, [each for each in understood if not isinstance(each, Outgoing)])
        _write(server.append, [each for each in understood if isinstance(each, Outgoing)])
        copy.sent(each.number for each in waiting)


def _understood(waiting: Waiting) -> Observation | Outgoing | None:
    """Return what waits, or ``None`` if somebody else has written into the file."""
    try:
        if waiting.uid:
            return Outgoing(str(uuid.UUID(waiting.uid)), codec.record_from([0, *waiting.data]))
        return codec.observation_from(waiting.data)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def _write(write: Callable[..., Any], rows: Sequence[Any]) -> None:
    """Write many at once, or each by itself if the server refuses one of them."""
    if not rows:
        return
    try:
        write(rows, at_most=WAIT_S)
    except RefusedError as error:
        if len(rows) == 1:
            logger.warning("veln-hook: not sent to the shared store, which refuses it: %s", error)
            return
        for row in rows:
            _write(write, [row])
