"""``venv`` and virtualenv: what makes an environment leads it to our protection, too.

Rules of this module: it is imported in processes that aren't ours, so it imports
little; it prints one line where an environment couldn't be led, and raises nothing.
"""

from __future__ import annotations

import functools
import os
import sys

from veln_hook import _carried

TYPE_CHECKING = False
if TYPE_CHECKING:  # as ``typing`` has it, which takes longer to import than all of this
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def guard(module: ModuleType) -> None:
    """Replace what makes environments in ``venv`` or ``virtualenv.run.session``.

    Raises:
        AttributeError: It isn't there.
    """
    if module.__name__ == "venv":
        _wrap(module.EnvBuilder, "create", lambda builder, directory: directory)
    else:
        _wrap(module.Session, "run", lambda session: session._creator.dest)  # noqa: SLF001 - virtualenv's own


def _wrap(owner: Any, name: str, made: Callable[..., Any]) -> None:
    original = getattr(owner, name)
    if hasattr(original, "__veln_hook__"):
        return

    @functools.wraps(original)
    def replaced(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        _lead(lambda: made(*args, **options))
        return result

    replaced.__veln_hook__ = name  # type: ignore[attr-defined]
    setattr(owner, name, replaced)


def _lead(made: Callable[[], Any]) -> None:
    try:
        prefix = os.path.abspath(os.fspath(made()))
        problem = _carried.importing("veln_hook.adapters.venv.inherit").lead(prefix)
    except Exception as error:  # noqa: BLE001 - the environment is made, and nothing else must fail
        prefix, problem = "the new environment", f"{type(error).__name__}: {error}"
    if problem:
        sys.stderr.write(f"veln-hook: {prefix} is not protected: {' '.join(problem.split())}\n")
