"""The entry point ``veln-hook``.

Rules of this module: it imports the standard library only, so that a damaged
installation (a dependency missing or broken) is told in words, with the remedy.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE."""
_BROKEN = 78  # ExitStatus.BROKEN, which may be what can't be imported


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: What follows ``veln-hook``; by default this process's arguments.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that can't show a letter is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:  # "veln-hook log | head"
        # Python flushes once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _open_streams() -> None:
    """Open the null device for each standard stream that was closed, as whoever calls us may have done.

    Otherwise the next file that is opened takes its number, and passes for the standard stream of programs
    that are started.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # so Python has it (sys.__stdin__)
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == number:  # the lowest that is free, so nothing else has taken it
                os.set_inheritable(opened, True)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(opened, mode, closefd=False))  # noqa: SIM115 - for as long as we run


def _run(words: Sequence[str]) -> int:
    try:
        from veln_hook.cli.passing import pass_on  # noqa: PLC0415 - what fails here is told

        pass_on(words)
        from veln_hook.cli.dispatch import dispatch, load, needed  # noqa: PLC0415 - what fails here is told

        commands = load(needed(words))
    except Exception as error:  # noqa: BLE001 - a dependency of another shape can raise anything
        return _damaged(error, words)
    try:
        return dispatch(words, commands)
    except ImportError as error:  # what only some commands need is imported by them
        return _damaged(error, words)


def _damaged(error: Exception, words: Sequence[str]) -> int:
    told = {
        "slug": "damaged",
        "message": f"veln-hook is damaged and can't run here: {type(error).__name__}: {error}",
        "advice": f"Repair: {sys.executable} -m pip install --force-reinstall veln-hook",
    }
    ours = words[: words.index("--")] if "--" in words else words
    command = next((word for word in words if not word.startswith("-")), "")
    if "--json" in ours:
        import json  # noqa: PLC0415 - what passes on to uv must not wait for it

        out = sys.stderr if command in ("run", "uv", "uvx") else sys.stdout  # the rest is what it runs
        told_whole = {"schema": 1, "command": command, "results": [], "errors": [told]}
        print(json.dumps(told_whole, indent=2), file=out)
    else:
        print(f"error: {told['message']}", file=sys.stderr)
        print(f"       {told['advice']} (docs/errors.md#damaged)", file=sys.stderr)
    return _BROKEN


if __name__ == "__main__":
    sys.exit(main())
