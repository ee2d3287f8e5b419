"""What a confined command tried to reach: counted while it runs, written down as plain lines at its end."""

from __future__ import annotations

import os

_CONFINED, _REFUSED, _TIMED_OUT = "confined", "refused", "timed-out"
_MAX_ROWS = 256
_MAX_WORD = 255


class Refusals:
    """Counts attempts by host, port and process; what a flood of names would add is not kept."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int | None, str], int] = {}

    def add(self, host: str, port: int | None, process: str) -> None:
        """Count one attempt.

        Args:
            host: A name or an address, as the confined command gave it: it may hold anything.
            port: ``None`` where only a name was asked for.
            process: The name of the process; empty if unknown. It may hold anything, too.
        """
        key = (_word(host), port, _word(process))
        if key in self._counts or len(self._counts) < _MAX_ROWS:
            self._counts[key] = self._counts.get(key, 0) + 1

    def rows(self) -> list[tuple[str, int | None, str, int]]:
        """Return host, port, process and count of each, in the order in which they were first seen."""
        return [(*key, count) for key, count in self._counts.items()]


def _word(text: str) -> str:
    """Return text that fits into one word of a line and can't steer a terminal."""
    return "".join(char if "!" <= char <= "~" else "?" for char in text[:_MAX_WORD])


class Told:
    """What a report says: see ``interface.Report``; ``rows`` are host, port, process and count."""

    def __init__(self) -> None:
        self.confined = False
        self.timed_out = False
        self.rows: list[tuple[str, int | None, str, int]] = []


def write(descriptor: int, refusals: Refusals, *, timed_out: bool, confined: bool) -> None:
    """Write a report to an open file: lines of one word, if they are true, and a line for each row.

    Raises:
        OSError: It can't be written.
    """
    lines = [word for word, true in ((_TIMED_OUT, timed_out), (_CONFINED, confined)) if true]
    for host, port, process, count in refusals.rows():
        lines.append(f"{_REFUSED} {count} {'-' if port is None else port} {host or '?'} {process or '-'}")
    os.write(descriptor, "".join(f"{line}\n" for line in lines).encode("ascii"))


def read(text: str) -> Told:
    """Read back what ``write`` wrote.

    Raises:
        ValueError: It is something else.
    """
    told = Told()
    for line in text.splitlines():
        if line == _TIMED_OUT:
            told.timed_out = True
        elif line == _CONFINED:
            told.confined = True
        else:
            word, count, port, host, process = line.split(" ")
            if word != _REFUSED:
                raise ValueError(f"{word!r} in a report")
            told.rows.append(
                (host, None if port == "-" else int(port), "" if process == "-" else process, int(count))
            )
    return told
