"""What a working directory lies in: a home, a repository, a place that holds far more than one project.

Every start of a confined command asks this, so the module imports little.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from veln_hook.sandbox.layout import is_within

try:
    import pwd
except ImportError:  # Windows
    pwd = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDE = frozenset(
    f"/{name}"
    for name in (
        *("", "bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root"),
        *("run", "sbin", "srv", "sys", "tmp", "usr", "usr/lib", "usr/local", "var", "var/tmp", "dev/shm"),
    )
)
"""Directories that are never one build's or project's own (hier(7))."""


def homes(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the real paths of the user's home, as the environment and as the system have it."""
    found = [environ.get("HOME", ""), os.path.expanduser("~")]
    if pwd is not None:
        with contextlib.suppress(KeyError):  # a user without an entry, as in many containers
            found.append(pwd.getpwuid(os.getuid()).pw_dir)
    return tuple(
        dict.fromkeys(os.path.realpath(path) for path in found if os.path.isabs(path) and path != "/")
    )


def is_wide(path: str, environ: Mapping[str, str]) -> bool:
    """Whether a directory holds more than one project's things: a home, what is above it, a system directory.

    Args:
        path: Real path.
        environ: For HOME.
    """
    return path in _WIDE or any(is_within(home, path) for home in homes(environ))


def repository(directory: str, environ: Mapping[str, str]) -> list[str]:
    """Return what git reads of the working tree that a directory lies in; nothing if it lies in none.

    Args:
        directory: Real path.
        environ: For HOME.
    """
    at = directory
    while at != os.path.dirname(at):
        marker = os.path.join(at, ".git")
        if os.path.lexists(marker):
            # The marker besides: where the tree is written, it isn't, for git runs what stands in it.
            return [*([] if is_wide(at, environ) else [at]), marker, *_linked_repository(marker)]
        at = os.path.dirname(at)
    return []


def _linked_repository(marker: str) -> Iterator[str]:
    """Yield where a worktree's or a submodule's files are (gitrepository-layout(5))."""
    if not os.path.isfile(marker):
        return
    try:
        with open(marker, encoding="utf-8", errors="surrogateescape") as file:
            key, _, value = file.read(4096).partition(":")
        if key != "gitdir":
            return
        place = os.path.join(os.path.dirname(marker), value.strip())
        # Only what is a repository's: the file may be anybody's, and could name any directory.
        if not os.path.isfile(os.path.join(place, "HEAD")):
            return
        yield place
        with open(os.path.join(place, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
            common = os.path.join(place, file.read(4096).strip())
        if os.path.isfile(os.path.join(common, "HEAD")) and os.path.isdir(os.path.join(common, "objects")):
            yield common
    except OSError:
        return
