"""pip's own modules, options and notes for a process that only asks; see ``client``."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import veln_hook
from veln_hook import _startup
from veln_hook.adapters.pip import points
from veln_hook.errors import UnsupportedPipError, UsageError
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = ("finder", "index page", "index url")
"""Points without which a page's upload times would be lost."""
_COLLECTOR = f"{points.PREFIX}index.collector"
_FAILED = "Could not fetch URL"
"""How pip begins its note on a page that it goes on without."""


class Notes(logging.Handler):
    """Hears which pages pip could not fetch, which it tells nobody, and passes on what it warns of."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._failed = threading.local()
        self._root = logging.getLogger("pip")
        self._collector = logging.getLogger(_COLLECTOR)
        self._before = (self._root.propagate, self._collector.level)
        self._root.addHandler(self)
        self._root.propagate = False
        self._collector.setLevel(logging.DEBUG)

    @property
    def failures(self) -> list[str]:
        """Pages that could not be fetched by this thread."""
        failures: list[str] = self._failed.__dict__.setdefault("texts", [])
        return failures

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a failure; print a warning."""
        message = record.getMessage()
        if message.startswith(_FAILED):
            self.failures.append(message)
        elif record.levelno >= logging.WARNING:
            sys.stderr.write(f"pip: {printable(message)}\n")

    def remove(self) -> None:
        """Leave logging as it was."""
        self._root.removeHandler(self)
        self._root.propagate = self._before[0]
        self._collector.setLevel(self._before[1])


def load_pip() -> None:
    """Import pip with its points applied, wherever our start-up file is."""
    veln_hook.install()  # type: ignore[no-untyped-call]
    try:
        import_module("pip._internal")
        import_module(f"{points.PREFIX}index.package_finder")
    except ImportError as error:
        raise UnsupportedPipError(
            f"no pip can be imported by {sys.executable} ({error})",
            advice="Run veln-hook in the environment whose pip you mean: 'python -m veln_hook ...'.",
        ) from error
    absent = [group for group in _NEEDED if group not in points.applied.get(points.PREFIX, ())]
    if _startup.damage or absent:
        reason = _startup.damage or f"not found in it: {', '.join(absent)}"
        raise UnsupportedPipError(f"pip {sys.modules['pip'].__version__} can't be asked ({reason})")


def make_command(arguments: Sequence[str]) -> tuple[Any, Any]:
    """Make pip's ``download``, whose options are those that choose indexes, and parse its options.

    Its name is given as pip's own commands have it, so ``[download]`` of pip's configuration counts.
    """
    try:
        command: Any = pip_module("commands").create_command("download")
        # What pip prints of a broken configuration would spoil our JSON.
        with contextlib.redirect_stdout(sys.stderr):
            options, _ = command.parse_args(list(arguments))
        exclusive = getattr(pip_module("cli.cmdoptions"), "check_release_control_exclusive", None)
        if exclusive is not None:  # 26.0 and newer: this is what makes --pre count
            exclusive(options)
    except pip_error() as error:
        raise UsageError(
            f"pip's configuration can't be used: {printable(str(error))}", advice="See 'pip config debug'."
        ) from error
    except SystemExit as error:
        raise UsageError("pip's configuration can't be used", advice="See 'pip config debug'.") from error
    if options.cache_dir:  # pip does this in a part of its command that is not run here
        options.cache_dir = os.path.abspath(os.path.expanduser(options.cache_dir))
    return command, options


def pip_module(tail: str) -> Any:
    """Return a module of pip's by its name below ``pip._internal``."""
    return import_module(points.PREFIX + tail)


def pip_error() -> type[Exception]:
    """Return the base of pip's own errors."""
    error: type[Exception] = pip_module("exceptions").PipError
    return error
