"""Which lock a file is, and what it pins."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.errors import UsageError
from veln_hook.locks import pdm, poetry, pylock, uv
from veln_hook.locks.fields import LockText, Table
from veln_hook.locks.model import Lock
from veln_hook.locks.text import UnreadableError, parse_toml, read_text
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from veln_hook.locks.model import Pin

MAX_BYTES = 1 << 23
"""Airflow's, the largest that was found, has 3.3 million. A hostile one takes ten seconds and a GB."""
_READERS: dict[str, Callable[[Table], list[Pin]]] = {
    "uv": uv.read,
    "poetry": poetry.read,
    "pdm": pdm.read,
    "pylock": pylock.read,
}
_NAMES = {"uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm", "pylock.toml": "pylock"}
_PYLOCK = re.compile(r"pylock\.[^.]+\.toml")
"""PEP 751: the name between the dots has none itself."""
_SCRIPT = re.compile(r".+\.pyw?\.lock")
_ADVICE = "Known are uv.lock, poetry.lock, pdm.lock and pylock.toml (PEP 751)."


def is_lock_name(path: str) -> bool:
    """Tell whether a file is a lock by its name."""
    return bool(_kind(os.path.basename(path)))


def read_lock(path: str) -> Lock:
    """Read a lock.

    Args:
        path: As the user named it; a file of another name is known by what is in it.

    Raises:
        UsageError: There is none, or it isn't understood; the message names file and line.
    """
    try:
        text = read_text(path, MAX_BYTES)
        if text is None:
            raise UsageError(f"{printable(path)}: there is no such file", advice="Check the path.")
        data = parse_toml(text)
    except UnreadableError as error:
        place = path if error.line is None else f"{path}:{error.line}"
        raise UsageError(
            f"{printable(place)}: the lock can't be read: {printable(str(error))}",
            advice="Make the lock anew with the tool it belongs to, and compare.",
        ) from None
    table = Table(data, LockText.of(text, path))
    kind = _kind(os.path.basename(path)) or _by_content(data)
    if not kind:
        raise UsageError(f"{printable(path)} is no lock that is known here", advice=_ADVICE)
    pins = _READERS[kind](table)
    if not pins and not data:
        raise UsageError(f"{printable(path)} is empty", advice=_ADVICE)
    return Lock(path, kind, tuple(pins))


def _kind(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    if _PYLOCK.fullmatch(name):
        return "pylock"
    return "uv" if _SCRIPT.fullmatch(name) else ""


def _by_content(data: dict[str, Any]) -> str:
    if "lock-version" in data:
        return "pylock"
    metadata = data.get("metadata")
    if isinstance(metadata, dict) and "lock_version" in metadata:
        return "pdm"
    if isinstance(metadata, dict) and ("content-hash" in metadata or "lock-version" in metadata):
        return "poetry"
    return "uv" if "version" in data and "package" in data else ""
