"""Processes that pip starts: another interpreter's pip is protected too, and a child's refusal is ours."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.adapters.pip import carry
from veln_hook.adapters.pip.build_command import is_pip
from veln_hook.adapters.pip.builds import run_build
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
    """Point ``call_subprocess``: builds are confined; a pip for build requirements refuses for both."""
    prefix = _prefix(original)
    # pip keeps passwords in objects that print as stars.
    words = [str(getattr(word, "secret", word)) for word in cmd]
    if not is_pip(words):
        return run_build(original, prefix, words, cmd, *args, **kwargs)
    with stopping(prefix):
        descriptor, handover = tempfile.mkstemp(prefix="veln-hook-")
        os.close(descriptor)
    kwargs["extra_environ"] = {**(kwargs.get("extra_environ") or {}), HANDOVER: handover}
    told = _Told()
    try:
        return original(cmd, *args, **kwargs)
    except Exception as error:
        told = _read(handover)
        if told.status is ExitStatus.OK:
            raise  # the child failed for reasons of pip's own
        message = f"{told.message}\n      it is needed to build another package"
        raise refusal(prefix, message, told.status) from error
    finally:
        with stopping(prefix):
            _pass_on(told.notices or _read(handover).notices)
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


class _Told(NamedTuple):
    """What a pip that was started handed over; nothing if it had nothing to tell."""

    status: ExitStatus = ExitStatus.OK
    message: str = ""
    notices: tuple[str, ...] = ()


def _read(path: str) -> _Told:
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        # Build code that the child ran can have found the file: what it says is words, shown as such.
        message = "\n".join(_lines(told["lines"]))
        return _Told(ExitStatus(told["status"]), message, tuple(_lines(told["notices"])))
    except (OSError, ValueError, KeyError, TypeError):
        return _Told()


def _lines(texts: Any) -> list[str]:
    lines = [line for text in texts for line in str(text).splitlines()]
    return [printable(line) for line in lines[:_MAX_LINES]]


def _pass_on(notices: Sequence[str]) -> None:
    run = active()
    for line in notices:
        if run is not None and ("notice", line) not in run.told:
            run.told.add(("notice", line))
            run.notice(line)
