"""The list of popular names: the one that is shipped, or the one that the policy names."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import Any

from packaging.utils import canonicalize_name

from veln_hook.errors import PolicyError
from veln_hook.signals.release.name_likeness import PopularNames

_SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "popular.txt")
_MAX_BYTES = 16 << 20
_MAX_NAMES = 50_000
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


@lru_cache(maxsize=2)
def load_popular(path: str) -> PopularNames:
    """Read a list.

    Args:
        path: A file with a name a line (``#`` begins a comment), or in the JSON form of
            https://github.com/hugovk/top-pypi-packages; the most popular first. Empty for the shipped list.

    Raises:
        PolicyError: It can't be read, or is no such file.
    """
    place = path or _SHIPPED
    try:
        with open(place, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _problem(place, f"can't be read: {error.strerror or error}", path) from error
    if len(content) > _MAX_BYTES:
        raise _problem(place, f"is larger than {_MAX_BYTES} bytes", path)
    try:
        text = content.decode("utf-8")
        names = _from_json(text) if text.lstrip()[:1] in ("{", "[") else _from_lines(text)
    except (ValueError, RecursionError) as error:
        raise _problem(place, f"is no list of names: {error}", path) from error
    if not names:
        raise _problem(place, "has no names in it", path)
    return PopularNames(dict.fromkeys(map(canonicalize_name, names[:_MAX_NAMES])))


def _from_lines(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [_name(line) for line in lines if line]


def _from_json(text: str) -> list[str]:
    data: Any = json.loads(text)
    rows = data.get("rows") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValueError("it has no rows")  # noqa: TRY004 - caught above, as what json raises
    return [_name(row.get("project") if isinstance(row, dict) else row) for row in rows]


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is no project's name")
    return value


def _problem(place: str, message: str, path: str) -> PolicyError:
    if path:
        return PolicyError(message, path=place, key="names.popular_file")
    return PolicyError(message, path=place, advice="Install veln-hook again: a file of it is damaged.")
