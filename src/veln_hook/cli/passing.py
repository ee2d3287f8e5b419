"""Command lines whose tail is another program's: ``veln-hook [options] uv ...``, with no ``--`` needed.

Rules of this module: it imports next to nothing, since it stands before every command, and what only passes
on to uv must not wait.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # as ``typing`` has it, which takes longer to import than all of this
    from collections.abc import Sequence

FOREIGN = ("uv", "uvx")
"""Commands whose words are another program's."""
_FLAGS = frozenset(("--json", "-q", "--quiet", "--no-color"))
_ALLOW = "--allow"


class Foreign:
    """Such a command line.

    Attributes:
        ours: Our own options, which stand before the command.
        allow: The hosts that ``--allow`` names among them.
        command: Such as ``uv``.
        words: The other program's.
    """

    __slots__ = ("allow", "command", "ours", "words")

    def __init__(self, ours: Sequence[str], allow: Sequence[str], command: str, words: Sequence[str]) -> None:
        self.ours, self.allow, self.command, self.words = tuple(ours), tuple(allow), command, tuple(words)


def split(argv: Sequence[str]) -> Foreign | None:
    """Return the parts of such a command line; ``None`` if it is another.

    Args:
        argv: What follows ``veln-hook``.
    """
    allow: list[str] = []
    at = 0
    while at < len(argv):
        word = argv[at]
        if word in FOREIGN:
            return Foreign(argv[:at], allow, word, argv[at + 1 :])
        name, equals, value = word.partition("=")
        if name == _ALLOW and equals:
            allow.append(value)
        elif word == _ALLOW and at + 1 < len(argv):
            at += 1
            allow.append(argv[at])
        elif word not in _FLAGS:
            return None
        at += 1
    return None


def pass_on(argv: Sequence[str]) -> None:
    """Become uv if that is all that is to be done, and return otherwise, or where it can't be.

    Args:
        argv: What follows ``veln-hook``.
    """
    found = split(argv)
    if found is None:
        return
    from veln_hook.adapters.uv import commands, finding  # noqa: PLC0415 - other commands pay for nothing

    line = commands.classify_uvx(found.words) if found.command == "uvx" else commands.classify(found.words)
    if line.way != commands.PASS:
        return
    try:
        os.execv(finding.find_uv(os.environ), ["uv", *line.head, *line.words])  # noqa: S606 - it was asked for
    except (OSError, ValueError):
        return  # what is wrong is told where everything else is
