"""The directories that shims lie in: what is in them, what is put there, what is taken away.

Rules of this module: nothing that isn't a shim of ours is ever written over or removed.
"""

from __future__ import annotations

import os

from veln_hook.adapters.shims import HEAD, WORDS, is_shim
from veln_hook.adapters.shims.passing import TOOLS
from veln_hook.adapters.shims.script import MARK

OURS = "veln-hook"
"""The directory in an environment that holds the shims' own."""
FOUND = "found"
"""The directory in it for the shims that ``uv.find_uv_bin`` returns."""


def content(path: str) -> bytes | None:
    """Return the content of a shim, or ``None`` if there is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            return head + file.read() if WORDS in head else None
    except OSError:
        return None


def write(path: str, text: bytes) -> None:
    """Put a shim in its place, whole or not at all.

    Raises:
        FileExistsError: There is something else.
        OSError: It can't be written.
    """
    if os.path.lexists(path) and not (is_shim(path) and not os.path.islink(path)):
        raise FileExistsError(f"{path} is not a shim of veln-hook's")
    directory, name = os.path.split(path)
    # Another may be at it at the same time; tempfile takes long to import.
    new = os.path.join(directory, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def mark(directory: str) -> None:
    """Make a directory of shims, and mark it as one.

    Raises:
        OSError: It can't be made.
    """
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, MARK), "ab"):
        pass


def shims_in(directory: str) -> list[str]:
    """Return the tools that have a shim in a directory."""
    return [tool for tool in TOOLS if is_shim(os.path.join(directory, tool))]
