"""The METADATA of a wheel: what an index serves beside it (PEP 658), and what is in it."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook.archive.reading import open_regular
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_METADATA = 16 << 20
"""Bytes; the longest descriptions have one of these sixteen megabytes."""
_NAME = "/METADATA"
_INFO = ".dist-info"


def wheel_metadata(path: str, project: str) -> bytes:
    """Return the METADATA of a wheel, of the one directory that installers take it from.

    Args:
        path: Of the wheel.
        project: Normalized name; empty to take it whatever it is called.

    Raises:
        ArchiveError: There is none, more than one, or none that can be read.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as wheel:
            member = _member(wheel.namelist(), project)
            with wheel.open(member) as stream:
                data = stream.read(MAX_METADATA + 1)
    except ArchiveError:
        raise
    except Exception as error:  # zipfile and zlib have no common base
        raise ArchiveError(f"its METADATA can't be read: {error}") from error
    if len(data) > MAX_METADATA:
        raise ArchiveError(f"its METADATA is longer than {MAX_METADATA} bytes")
    return data


def digest(metadata: bytes) -> str:
    """Return what two METADATA have in common that say the same: ends of lines and blank ends don't count."""
    lines = metadata.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip()
    return hashlib.sha256(lines).hexdigest()


def _member(names: Iterable[str], project: str) -> str:
    found = {
        name
        for name in names
        if name.endswith(_INFO + _NAME)
        and name.count("/") == 1
        and (not project or canonicalize_name(name[: -len(_INFO + _NAME)].split("-")[0]) == project)
    }
    if len(found) != 1:
        raise ArchiveError(f"it has {len(found)} METADATA files of {project or 'its project'}")
    return found.pop()
