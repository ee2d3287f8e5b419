"""Private directories whose paths leave room for a UNIX socket's name (unix(7): 108 bytes)."""

from __future__ import annotations

import contextlib
import tempfile

_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a directory of mode 0700 is made there
_MAX_PLACE = 50


def make_directory(prefix: str) -> str:
    """Make a directory of mode 0700 in the usual place for temporary ones, or where the path is shorter.

    Args:
        prefix: How its name begins; short, too.

    Raises:
        OSError: There is no place for one.
    """
    for place in (tempfile.gettempdir(), *_PLACES):
        if len(place) <= _MAX_PLACE:
            with contextlib.suppress(OSError):  # not there, or not to be written
                return tempfile.mkdtemp(prefix=prefix, dir=place)
    raise OSError("no directory is writable and has a path short enough for a UNIX socket")
