"""Real uvs, each in a virtualenv of its own, as ``pip install uv`` leaves it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from support import cache
from support.pythons import newest_pair

if TYPE_CHECKING:
    from pathlib import Path

UVS = ("0.5.31", "0.9.30", "0.13.9")
"""Each uv of the matrix, the oldest first.

Between them lie what made uv behave differently behind a gate: 0.9.4 (shows problem+json), 0.9.23 (``https-proxy`` in
its configuration), 0.10 and later (checks the index's hashes in ``uv pip install``).
"""

NEWEST = UVS[-1]
ENDS = (UVS[0], NEWEST)
"""What tests of what differs between them run with every day."""

_missing: dict[str, NotHereError] = {}


class NotHereError(Exception):
    """A client is neither kept on this machine nor to be had from an index; the text tells why."""


@functools.cache
def uv_bin(version: str) -> Path:
    """Return the directory of that uv's ``uv`` and ``uvx``, beside a Python that has it installed; never change it.

    Raises:
        NotHereError: It can't be had here.
    """
    return client_venv(f"uv-{version}", [f"uv=={version}"]) / "bin"


def client_venv(name: str, requirements: list[str]) -> Path:
    """Return a virtualenv of the newest Python here with these requirements, fetched once; never change it.

    Args:
        name: What it is kept under.
        requirements: What pip installs into it, with what they need.

    Raises:
        NotHereError: They can't be had here.
    """
    if name in _missing:  # asking an index in vain takes pip half a minute
        raise _missing[name]
    pair = newest_pair()
    bare = cache.bare_venv(pair)
    prefix = cache.cache_directory() / "clients" / f"{name}-{bare.parent.name}"
    try:
        with cache.making(prefix) as missing:
            if missing:
                prefix.rmdir()
                cache.copy_venv(bare, prefix)
                python = str(prefix / "bin/python")
                cache.run([python, "-m", "pip", "install", "--quiet", *requirements], cache.machine_environ())
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        _missing[name] = NotHereError(f"{' '.join(requirements)} can't be had here: {last}")
        raise _missing[name] from error
    return prefix
