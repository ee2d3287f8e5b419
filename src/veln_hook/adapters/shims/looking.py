"""What a shell finds on ``PATH`` when a tool's name is typed, and whether a shim there can do its work."""

from __future__ import annotations

import os
import re
import shlex
from typing import NamedTuple

from veln_hook.adapters.shims import is_shim, places


class Look(NamedTuple):
    """What was found for one tool."""

    tool: str
    first: str
    """What runs; empty if there is none."""
    shim: str
    """The first shim; empty if there is none."""
    in_front: tuple[str, ...]
    """Programs before the first shim, which nothing guards; without a shim, all of them."""
    real: str
    """The program behind the first shim; empty if there is none."""

    @property
    def guarded(self) -> bool:
        """Whether the shim is what runs."""
        return bool(self.shim) and self.first == self.shim


def look(tool: str, path: str) -> Look:
    """Look for a tool.

    Args:
        tool: Its name.
        path: The variable ``PATH``.
    """
    found = [os.path.join(place, tool) for place in path.split(os.pathsep) if place]
    programs = [program for program in found if os.path.isfile(program) and os.access(program, os.X_OK)]
    at = next((index for index, program in enumerate(programs) if is_shim(program)), len(programs))
    behind = [program for program in programs[at + 1 :] if not is_shim(program)]
    return Look(
        tool,
        first=programs[0] if programs else "",
        shim=programs[at] if at < len(programs) else "",
        in_front=tuple(programs[:at]),
        real=behind[0] if behind else "",
    )


def problem(shim: str) -> str:
    """Tell what a shim lacks to do its work; empty if it lacks nothing."""
    text = places.content(shim)
    if text is None:
        return "it can't be read"
    python, package = _value(text, b"python"), _value(text, b"package")
    if not os.access(python, os.X_OK):
        return f"its Python, {python}, is gone"
    if not os.access(os.path.join(package, "cli", "__main__.py"), os.R_OK):
        return f"veln-hook is gone from {package}"
    return ""


def _value(text: bytes, name: bytes) -> str:
    """Return what a variable is set to at the head of a shim."""
    found = re.search(rb"^%b=(.*)$" % name, text, re.MULTILINE)
    try:
        return "".join(shlex.split(os.fsdecode(found[1]))) if found else ""
    except ValueError:
        return ""
