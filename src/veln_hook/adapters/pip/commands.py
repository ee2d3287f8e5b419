"""Around one pip command: begin the run, check that pip is fully guarded, set the exit status."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from veln_hook import _startup
from veln_hook.adapters.pip import points
from veln_hook.adapters.pip.finder import prefix_of
from veln_hook.adapters.pip.run import Run, active, begin, logger, stopping
from veln_hook.errors import UnsupportedPipError
from veln_hook.model import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable

INSTALLING = frozenset(("download", "install", "lock", "wheel"))
"""pip's commands that fetch, build or install."""
HANDOVER = "VELN_HOOK_HANDOVER"
"""File that a pip for build requirements writes its refusals and notices to, for the pip that started it."""

# Taken out of the environment at once: nothing that a build starts should see it.
_handover = os.environ.pop(HANDOVER, "")


def main(original: Callable[..., Any], command: Any, args: Any) -> Any:
    """Point ``Command._main``: every command of pip; those that install are guarded or refused."""
    if command.name not in INSTALLING:
        return original(command, args)
    prefix = prefix_of(command)
    # pip has set up its logging by the time it calls run(), so a refusal there is printed as pip prints.
    inner = command.run

    def guarded(*inner_args: Any, **inner_kwargs: Any) -> Any:
        with stopping(prefix):
            run = begin(prefix)
            if not run.off:
                _require_all_points(prefix, run)
        result = inner(*inner_args, **inner_kwargs)
        with stopping(prefix):
            _say_what_was_not_judged(run)
        return result

    command.run = guarded
    try:
        status = original(command, args)
    finally:
        command.run = inner
    run = active()
    if run is not None:
        asked = run.exit_status() if status != 0 else ExitStatus.OK
        if asked is not ExitStatus.OK:
            status = int(asked)
        if asked is not ExitStatus.OK or run.notices:
            _hand_over(asked, run)
        if status != 0:
            run.tell_ci_of_refusals()
        run.close()
    return status


def _require_all_points(prefix: str, run: Run) -> None:
    absent = points.missing(prefix)
    if not absent:
        return
    pip = sys.modules.get(prefix.rpartition("._internal.")[0])
    version = getattr(pip, "__version__", "of an unknown version")
    missing = f"not found in it: {', '.join(absent)}"
    if _startup.is_repair(sys.argv[1:]):
        # A newer veln-hook may know this pip, and this pip is what would install it.
        run.off = True
        logger.warning("veln-hook: pip %s can't be guarded (%s); only this repair goes on", version, missing)
        return
    command = f"{sys.executable} -m pip install"
    raise UnsupportedPipError(
        f"pip {version} can't be guarded, so it installs nothing ({missing})",
        advice=f"use a pip between 21.3 and 26.3:  VELN_HOOK=off {command} 'pip>=21.3,<26.4'\n"
        f"      or a newer veln-hook:             {command} --force-reinstall veln-hook",
    )


def _say_what_was_not_judged(run: Run) -> None:
    """A dry run and ``pip lock`` can settle on wheels that were never downloaded."""
    if run.off:
        return
    unseen = sorted(
        {run.chosen[url].release for url in run.resolved if url in run.chosen and url not in run.unpacked}
    )
    if unseen:
        logger.warning(
            "veln-hook: judged by what the index tells only, as the contents were not downloaded: %s",
            ", ".join(unseen),
        )


def _hand_over(status: ExitStatus, run: Run) -> None:
    if not _handover:
        return
    with contextlib.suppress(OSError), open(_handover, "r+", encoding="utf-8") as file:
        if file.read(1):
            return  # not the empty file that the parent made: somebody else set the variable
        json.dump({"status": int(status), "lines": run.messages, "notices": run.notices}, file)
