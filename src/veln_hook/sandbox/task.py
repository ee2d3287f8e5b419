"""A confinement as the launcher has it: read once from the caller's file, kept in one place.

The file is written by this interpreter for this interpreter, into a private directory: so ``marshal``, which
is built in, will do, and no start pays for ``json``.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from typing import Any


class Task:
    """``interface.Confinement``, its rung, its route and its command; names and meanings as there."""

    cwd: str
    environment: dict[str, str]
    write: list[str]
    read: list[str]
    hide: list[str]
    own_processes: bool
    terminal: bool
    processes: int | None
    memory: int | None
    file_size: int | None
    seconds: float | None
    rung: str
    route: int | str | None
    outside: int | None
    report: str
    scratch: str

    def __init__(self, plain: dict[str, Any], command: list[str]) -> None:
        """Take what ``Confinement.plain`` and ``client.Launch`` wrote.

        Raises:
            TypeError: Something is missing.
        """
        missing = Task.__annotations__.keys() - plain.keys()
        if missing:
            raise TypeError(f"the task lacks {', '.join(sorted(missing))}")
        self.__dict__.update(plain)
        self.command = command


def read(data: bytes, command: list[str]) -> Task:
    """Read a task from what ``client.Launch`` wrote.

    Raises:
        ValueError, EOFError: It is no such thing.
        TypeError: It is none, or lacks something.
    """
    return Task(marshal.loads(data), command)  # noqa: S302 - our own file
