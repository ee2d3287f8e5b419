"""Small programs named ``uv``, ``uvx`` and so on that stand before the real ones on ``PATH``.

The real ones are never moved: an upgrade would put them back, and protection
would be gone without a word. Shims lie in a directory of their own.

Rules of this module: it imports nothing, since it is loaded before each command that is passed on.
"""

from __future__ import annotations

WORDS = b"veln-hook shim"
"""What the first ``HEAD`` bytes of every shim hold, and of no real program."""
HEAD = 200


def is_shim(path: str) -> bool:
    """Tell whether a file is a shim, which would only come back to us; what can't be read is none."""
    try:
        with open(path, "rb") as file:
            return WORDS in file.read(HEAD)
    except OSError:
        return False
