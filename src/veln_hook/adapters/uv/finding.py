"""Where the real uv is: a program on ``PATH`` that is none of our shims, or the one of this environment."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from veln_hook.adapters.shims import is_shim
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "VELN_HOOK_UV"
"""Names the real uv, where it isn't found."""


def find_uv(environ: Mapping[str, str], *, prefix: str = sys.prefix) -> str:
    """Return the path of the real uv.

    Relative entries of ``PATH`` are skipped: they mean another directory in every project.

    Args:
        environ: For ``VELN_HOOK_UV`` and ``PATH``.
        prefix: Of the environment whose uv is taken if there is no other.

    Raises:
        UsageError: There is none.
    """
    told = environ.get(VARIABLE, "")
    if told:
        if os.path.isabs(told) and _is_program(told) and not is_shim(told):
            return told
        raise UsageError(
            f"{VARIABLE}={told} is no uv", advice="Set it to the path of the real uv, or unset it."
        )
    for path in _places(environ, prefix):
        if _is_program(path) and not is_shim(path):
            return path
    raise UsageError(
        "there is no uv here", advice="Install it: python -m pip install uv, or https://docs.astral.sh/uv/"
    )


def _places(environ: Mapping[str, str], prefix: str) -> Iterator[str]:
    name = "uv.exe" if sys.platform == "win32" else "uv"
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(entry):
            yield os.path.join(entry, name)
    # A wheel's programs lie there (packages/uv/_find_uv.py of uv), though it need not be on PATH.
    yield os.path.join(prefix, "Scripts" if sys.platform == "win32" else "bin", name)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
