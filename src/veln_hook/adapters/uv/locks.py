"""What a lock names: uv's own (``uv.lock``, ``SCRIPT.lock``), or one of PEP 751.

It is a program's work, and large: its text is looked through, not parsed, as long as it is written in the way
that programs write it. Somebody who edits it can spell a key in other ways; then it is parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.adapters.uv.files import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = ("registry", "index", "url", "git", "path", "directory", "editable", "virtual")
# A key wherever it stands, in strings and comments too. The value is only looked at, not taken: a string that
# holds something like a key would otherwise hide the next one.
_NAMED = re.compile(rf"""\b({"|".join(_KEYS)})["']?(?=[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'))""", re.ASCII)
_OTHERWISE = ("\\", '"""', "'''")
"""What a key or a value can be spelled with so that it isn't found."""
_HASH = re.compile(
    r"""["']\s*,\s*hash(?:es)?\s*=\s*(?:\{\s*sha256\s*=\s*)?["'](?:sha256:)?([0-9a-f]{64})["']""", re.ASCII
)
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)


class Named(NamedTuple):
    """One thing that a lock names."""

    key: str
    """``registry``, ``index``, ``url``, ``git``, ``path``, ``directory``, ``editable`` or ``virtual``."""
    value: str
    sha256: str
    """Of the file, where the lock tells it; empty elsewhere."""


def named(text: str, path: str) -> Iterator[Named]:
    """Yield what a lock names, and maybe a few things that only look like it.

    Args:
        text: Of the lock.
        path: Of it, for messages.

    Raises:
        UsageError: It is written as no program writes it, and isn't understood.
    """
    if any(mark in text for mark in _OTHERWISE):
        yield from _walked(parsed(text, path))
        return
    for found in _NAMED.finditer(text):
        group = 2 if found[2] is not None else 3
        promised = _HASH.match(text, found.end(group))
        yield Named(found[1], found[group], promised[1] if promised else "")


def _walked(value: Any) -> Iterator[Named]:
    if isinstance(value, list):
        for each in value:
            yield from _walked(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in _KEYS and isinstance(each, str):
                yield Named(key, each, _sha256(value))
            yield from _walked(each)


def _sha256(table: dict[str, Any]) -> str:
    hashes = table.get("hashes")
    text = hashes.get("sha256") if isinstance(hashes, dict) else table.get("hash")
    found = _SHA256.fullmatch(text) if isinstance(text, str) else None
    return found[1] if found else ""
