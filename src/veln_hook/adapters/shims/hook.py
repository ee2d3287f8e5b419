"""``python -m uv`` and ``uv.find_uv_bin()`` lead to a shim.

uv's package does nothing but find its program, which ``python -m uv`` then becomes and which others (nox,
hatch, pre-commit-uv) start. What ``find_uv_bin`` returns is therefore a shim for just that program, made
where it is asked for. Nothing is decided here; the shim does what each other does.

Rules of this module: it is imported in processes that aren't ours, so it imports little and prints nothing;
it ends the process only where nothing but the unguarded program could be returned.
"""

from __future__ import annotations

import hashlib
import os
import sys

from veln_hook import _startup
from veln_hook.adapters.shims import is_shim, places
from veln_hook.adapters.shims.script import shim

TYPE_CHECKING = False
if TYPE_CHECKING:  # as ``typing`` has it, which takes longer to import than all of this
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any

FUNCTION = "find_uv_bin"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_WRITABLE_BY_OTHERS = 0o022


def guard(module: ModuleType) -> None:
    """Replace ``find_uv_bin`` in ``uv._find_uv``, or in ``uv`` where an old one has it.

    Raises:
        AttributeError: It isn't there.
    """
    original = getattr(module, FUNCTION)

    def find_uv_bin(*args: Any, **options: Any) -> str:
        real = os.fsdecode(original(*args, **options))
        try:
            return shim_for(real)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program must not be had unguarded
            _startup.refuse_uv(f"{type(error).__name__}: {error}")
            return real

    find_uv_bin.__doc__ = original.__doc__
    find_uv_bin.__module__ = original.__module__
    find_uv_bin.__qualname__ = original.__qualname__
    find_uv_bin.__veln_hook__ = f"uv:{FUNCTION}"  # type: ignore[attr-defined]
    setattr(module, FUNCTION, find_uv_bin)


def shim_for(real: str) -> str:
    """Return a shim that leads to one uv, with one for the uvx beside it.

    Args:
        real: The program.

    Raises:
        OSError: There is no place to put it.
    """
    if is_shim(real):
        return real
    real = os.path.abspath(real)
    problem = None
    for root in _roots():
        try:
            return _shim_in(root, real)
        except OSError as error:
            problem = problem or error
    raise OSError(f"no shim for {real} can be made, so it can't be guarded: {problem}")


def _roots() -> Iterator[str]:
    """Yield where shims may lie: in this environment, if it is one, then among the user's own data."""
    if sys.prefix != sys.base_prefix:
        yield os.path.join(sys.prefix, places.OURS)
    from veln_hook import _carried  # noqa: PLC0415 - platformdirs, which comes with this, is rarely needed here

    yield str(_carried.importing("veln_hook.paths").shims_dir())


def _shim_in(root: str, real: str) -> str:
    """Return a shim below one root, made if it isn't there.

    Raises:
        OSError: It can't be made, or others could change it.
    """
    home = os.path.join(root, places.FOUND, hashlib.sha256(os.fsencode(real)).hexdigest()[:16])
    uvx = os.path.join(os.path.dirname(real), "uvx")
    if os.path.isfile(uvx):  # whoever finds uv may look for it beside
        _put(home, "uvx", uvx)
    return _put(home, "uv", real)


def _put(home: str, tool: str, real: str) -> str:
    path = os.path.join(home, tool)
    text = shim(tool, python=sys.executable, package=_PACKAGE, home=home, real=real)
    if places.content(path) != text:
        os.makedirs(home, mode=0o755, exist_ok=True)  # whatever the umask is, as _check asks
        places.write(path, text)
    _check(path)
    return path


def _check(path: str) -> None:
    """Raise if others than whoever owns this interpreter, root and this user could change a shim.

    Raises:
        PermissionError: They could.
    """
    trusted = {0, os.geteuid(), os.stat(sys.prefix).st_uid}
    for place in (path, os.path.dirname(path)):
        state = os.stat(place)
        if state.st_uid not in trusted or state.st_mode & _WRITABLE_BY_OTHERS:
            raise PermissionError(f"{place} can be changed by others")
