"""Reading a policy file safely: what lies at the path may have come with other people's code."""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.errors import PolicyError
from veln_hook.policy.lines import find_line, too_deep
from veln_hook.policy.values import shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from veln_hook.policy.lines import Part

MAX_BYTES = 1 << 20
_MAX_DEPTH = 100
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TABLE = ("tool", "veln-hook")
_MENTION = b"veln-hook"


class Document(NamedTuple):
    """A policy file's contents and how to find them again."""

    path: str
    text: str
    table: dict[str, Any]
    prefix: tuple[str, ...]
    """Where the table stands in the file: nowhere in particular, or ``tool.veln-hook``."""

    def line(self, parts: Sequence[Part]) -> int | None:
        """Return the 1-based line of a key of the table."""
        return find_line(self.text, (*self.prefix, *parts))


def read_policy(path: Path) -> Document | None:
    """Read a policy file of ours; ``None`` if there is none.

    Raises:
        PolicyError: Something is there that can't be read as TOML.
    """
    data = _read_bytes(path)
    if data is None:
        return None
    text = _decoded(data, path)
    return Document(str(path), text, _parsed(text, path), ())


def read_project(path: Path) -> Document | None:
    r"""Read ``[tool.veln-hook]`` of a ``pyproject.toml``; ``None`` if it says nothing to us.

    A file that does not mention us is not parsed: it costs nothing, and whether
    it is broken is none of our business. A key spelled with escapes
    (``"veln\u002dhook"``) is missed that way, which is safe, because this layer
    can only tighten.

    Raises:
        PolicyError: Something is there that mentions us, or can't be read, and is no valid TOML.
    """
    data = _read_bytes(path)
    if data is None or _MENTION not in data:
        return None
    text = _decoded(data, path)
    table: Any = _parsed(text, path)
    for depth, name in enumerate(_TABLE, start=1):
        table = table.get(name, {})
        if not isinstance(table, dict):
            line = find_line(text, _TABLE[:depth])
            raise PolicyError("must be a table", path=str(path), line=line, key=".".join(_TABLE[:depth]))
    return Document(str(path), text, table, _TABLE)


def _read_bytes(path: Path) -> bytes | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise PolicyError("is a symbolic link that leads nowhere", path=str(path)) from None
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    _check_kind(path, status)
    try:
        # Non-blocking: the file may become a FIFO between the two looks at it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as stream:
            _check_kind(path, os.fstat(descriptor))
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(data) > MAX_BYTES:
        raise _too_large(path)
    return data


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PolicyError("is not a regular file", path=str(path))
    if status.st_size > MAX_BYTES:
        raise _too_large(path)


def _too_large(path: Path) -> PolicyError:
    return PolicyError(f"is larger than {MAX_BYTES // 1024} KiB", path=str(path))


def _unreadable(path: Path, error: Exception) -> PolicyError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return PolicyError(f"can't be read: {reason}", path=str(path))


def _decoded(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError("is not UTF-8", path=str(path), line=line) from None
    return text.replace("\r\n", "\n")


def _parsed(text: str, path: Path) -> dict[str, Any]:
    # Before the parser sees it: a compiled one may not survive what a RecursionError stops.
    deep = too_deep(text, _MAX_DEPTH)
    if deep is not None:
        raise PolicyError("is nested too deeply", path=str(path), line=deep)
    try:
        return dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = _POSITION.search(message)
        line = None
        if position is not None:
            line = int(position.group(1)) if position.group(1) else text.count("\n") + 1
            message = message[: position.start()]
        raise PolicyError(f"is not valid TOML: {shown(message)}", path=str(path), line=line) from None
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"can't be read as TOML: {shown(str(error))}", path=str(path)) from None
