"""The log of a standing gate: a line an event on standard error, for people or as JSON.

What comes from clients and indexes can't drive a terminal, begin a line of its own, or fill a disk by itself:
lines are short, and there is a limit to how many are written a second.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from typing import Any, Callable, Optional

from veln_hook import clock
from veln_hook.report.wording import printable

LINES_A_SECOND = 100
_BURST = 1000
_MAX_VALUE = 500
_QUERY = re.compile(r"(https?://[^\s?]{0,4096})\?\S*")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+-@[]=!,")


class Log:
    """Writes events. To be used in one thread.

    Args:
        as_json: Whether lines are JSON objects.
        worker: Which worker writes; ``None`` for none of them.
        write: Takes a whole line; by default it goes to standard error.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        worker: Optional[int] = None,
        write: Optional[Callable[[bytes], object]] = None,
    ) -> None:
        self._as_json, self._worker = as_json, worker
        self._write = write or _to_standard_error
        self._tokens, self._at = float(_BURST), time.monotonic()
        self._left_out = 0

    def write(self, event: str, **fields: Any) -> None:
        """Write one event.

        Args:
            event: Its kind, one word.
            **fields: What is told of it; what is ``None`` is left out.
        """
        now = time.monotonic()
        self._tokens = min(float(_BURST), self._tokens + (now - self._at) * LINES_A_SECOND)
        self._at = now
        if self._tokens < 1:
            self._left_out += 1
            return
        self._tokens -= 1
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            self._line("left-out", {"lines": left_out})
        self._line(event, fields)

    def _line(self, event: str, fields: dict[str, Any]) -> None:
        told = {name: _clean(value) for name, value in fields.items() if value is not None}
        if self._worker is not None:
            told["worker"] = self._worker
        if self._as_json:
            text = json.dumps({"at": clock.now().isoformat(), "event": event, **told})
        else:
            text = " ".join([f"veln-hook gate: {event}", *(f"{name}={_word(told[name])}" for name in told)])
        self._write(text.encode("utf-8", "replace") + b"\n")


def _clean(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    # What follows a URL's path can be a token of a private index.
    return printable(_QUERY.sub(r"\1?...", str(value)), limit=_MAX_VALUE)


def _word(value: Any) -> str:
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)


def _to_standard_error(line: bytes) -> None:
    with suppress(OSError):  # nobody reads it any more
        os.write(2, line)
