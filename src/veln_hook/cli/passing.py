"""Command lines whose tail is another program's: ``veln-hook [options] uv ...``, with no ``--`` needed.

Rules of this module: the standard library only, and little of it; it stands before every command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Sequence

FOREIGN = ("uv", "uvx")
"""Commands whose words are another program's."""
_FLAGS = frozenset(("--json", "-q", "--quiet", "--no-color"))
_ALLOW = "--allow"


class Foreign(NamedTuple):
    """Such a command line."""

    ours: tuple[str, ...]
    """Our own options, which stand before the command."""
    allow: tuple[str, ...]
    """The hosts that ``--allow`` names among them."""
    command: str
    words: tuple[str, ...]
    """The other program's."""


def split(argv: Sequence[str]) -> Optional[Foreign]:
    """Return the parts of such a command line; ``None`` if it is another.

    Args:
        argv: What follows ``veln-hook``.
    """
    allow: list[str] = []
    at = 0
    while at < len(argv):
        word = argv[at]
        if word in FOREIGN:
            return Foreign(tuple(argv[:at]), tuple(allow), word, tuple(argv[at + 1 :]))
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
