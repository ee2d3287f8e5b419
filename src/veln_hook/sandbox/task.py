"""A confinement as the launcher has it: read once from the caller's file, kept in one place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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
    route: int | None
    report: str

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


def read(path: str, command: list[str]) -> Task:
    """Read a task from the file that ``client.Launch`` wrote.

    Raises:
        OSError: It can't be read.
        ValueError: It is no JSON.
        TypeError: It lacks something.
    """
    with open(path, encoding="ascii") as file:
        return Task(json.load(file), command)
