"""The shells of this machine that can be sh, and those that activate scripts are written for."""

from __future__ import annotations

import shutil

SH = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "ksh": ["ksh"],
    "zsh": ["zsh", "--emulate", "sh"],
}
"""How each is started as a POSIX shell."""


def here() -> dict[str, list[str]]:
    """Return those that are on this machine, by their paths, as a test's own ``PATH`` may not lead to them."""
    found = {name: shutil.which(command[0]) for name, command in SH.items()}
    return {name: [path, *SH[name][1:]] for name, path in found.items() if path}
