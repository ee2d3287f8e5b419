"""Processes that pip starts: another interpreter's pip is protected too, and a child's refusal is ours."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.pip import carry
from veln_hook.adapters.pip.commands import HANDOVER
from veln_hook.adapters.pip.prepare import _prefix
from veln_hook.adapters.pip.run import active, current, refusal, stopping
from veln_hook.errors import VelnHookError
from veln_hook.model import ExitStatus
from veln_hook.policy.switch import asks_for_off
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_MAX_LINES = 20


def get_runnable_pip(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Point ``get_runnable_pip``: the file another interpreter is given to run."""
    path = original(*args, **kwargs)
    prefix = _prefix(original)
    if active() is not None:
        with stopping(prefix):
            return str(path) if current(prefix).off else carry.script(str(path))
    # 'pip --python OTHER': pip is still reading its arguments, no command of its own will run, and
    # what it prints and returns for an error is not what a refusal should be.
    try:
        if asks_for_off(os.environ) and current(prefix).off:
            return str(path)
        return carry.script(str(path), carry.asked_interpreter(sys.argv[1:], dict(os.environ)))
    except VelnHookError as error:
        sys.stderr.write(f"ERROR: HOLD  veln-hook: {printable(str(error))}\n      {error.advice}\n")
        raise SystemExit(int(ExitStatus.BROKEN)) from error


def call_subprocess(original: Callable[..., Any], cmd: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``call_subprocess``: where pip starts a pip for build requirements, its refusal becomes ours."""
    prefix = _prefix(original)
    if not _is_pip(cmd):
        return original(cmd, *args, **kwargs)
    with stopping(prefix):
        descriptor, handover = tempfile.mkstemp(prefix="veln-hook-")
        os.close(descriptor)
    kwargs["extra_environ"] = {**(kwargs.get("extra_environ") or {}), HANDOVER: handover}
    try:
        return original(cmd, *args, **kwargs)
    except Exception as error:
        told = _read(handover)
        if told is None:
            raise
        status, message = told
        raise refusal(prefix, f"{message}\n      it is needed to build another package", status) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(handover)


def pip_sync_run(original: Callable[..., Any], cmd: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``piptools.sync.run``: ``pip-sync --python-executable`` runs another interpreter's pip."""
    prefix = "pip._internal."
    command = list(cmd)
    if command[1:3] == ["-m", "pip"] and command[0] != sys.executable:
        with stopping(prefix):
            if not current(prefix).off:
                command[1:3] = [carry.script("", command[0])]
    return original(command, *args, **kwargs)


def _is_pip(cmd: Sequence[Any]) -> bool:
    """Whether this is pip starting pip: an interpreter, a file, ``install``, and a prefix of its own."""
    words = [str(word) for word in cmd]
    return words[2:3] == ["install"] and "--prefix" in words


def _read(path: str) -> tuple[ExitStatus, str] | None:
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        lines = [line for text in told["lines"] for line in str(text).splitlines()]
        # Build code that the child ran can have found the file: what it says is words, shown as such.
        shown = [printable(line) for line in lines[:_MAX_LINES]]
        return ExitStatus(told["status"]), "\n".join(shown)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the child failed for reasons of pip's own
